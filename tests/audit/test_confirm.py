"""Reproducers: the script is what was called and what remained to be done; and what is said of each ending."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import oracle
from conformance.adapters.base import Lane
from conformance.audit import confirm as confirmation
from conformance.audit.confirm import RUNNER, Confirmation, Finding, _judge, _place, _put
from conformance.calls import reproducer
from conformance.calls.port import port
from conformance.calls.program import Program
from conformance.calls.reproducer import ReproducerError
from conformance.cli import confirm as cli
from conformance.numerics import operands
from conformance.numerics.deviation import fingerprint
from conformance.problem import Problem
from conformance.records import record as records
from conformance.records import record_file
from conformance.records.record import Header, Record, Run, Verdict
from conformance.suites.references import oracle_digest

PROBLEM = "i3 k2 s2 p-1:1 oc2 bias"


def record(framework: str = "mxnet", **changes: object) -> Record:
    problem = Problem.parse(PROBLEM)
    expected = oracle.expected(problem, *operands.draw("a-case", problem)).astype("float32")
    made = Record(
        framework, "native", "a-case", "float32", "forward", PROBLEM, Verdict.DIVERGES, kind="value",
        call="Deconvolution([1, 1, 3], [1, 2, 2], kernel=(2,), stride=(2,), pad=(0,), no_bias=True)",
        composed=("crop", "bias"), expected=fingerprint(expected), actual=fingerprint(expected + 1),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # of a field's type


def test_a_case_becomes_the_native_call_and_what_follows_it() -> None:
    text = reproducer.write(record()).text
    assert "y = mxnet.nd.Deconvolution(x, w, kernel=(2,), stride=(2,), pad=(0,), no_bias=True)" in text
    assert "y = np.pad(y, [(0, 0), (0, 0), (1, 0)])[:, :, 0:6]" in text
    assert "y = y + b.reshape(-1, 1)" in text
    assert "conformance" not in text


@pytest.mark.parametrize(
    "call",
    [
        "Deconvolution([1, 1, 3], [1, 2, 2], kernel=open('x', 'w'))",
        "Deconvolution([1, 1, 3], [1, 2, 2], kernel=(2,)); open('x', 'w')",
        "Deconvolution([1, 1, 3], [1, 2, 2], **open('x', 'w'))",
        "Deconvolution([1, 1, 3], open('x', 'w'))",
        "Deconvolution\nopen([1, 1, 3], [1, 2, 2])",
        "__import__('os').system([1, 1, 3])",
        "Deconvolution([1, 1, 3], [1, 2, 2], kernel=(2,)",
    ],
)
def test_a_call_that_is_more_than_operands_and_literals_becomes_no_script(call: str) -> None:
    with pytest.raises(ReproducerError, match="not a call of operands and literals: run the lane again"):
        reproducer.write(record(call=call))


def test_a_script_s_first_line_is_a_comment_whatever_the_record_says() -> None:
    script = reproducer.write(record(variant="x\nimport os")).text.splitlines()
    assert script[0].startswith("# mxnet-x\\nimport os")
    assert script[1:3] == ["import mxnet", "import numpy as np"]


def test_what_remains_after_the_call_gives_the_answer() -> None:
    script = reproducer.write(record())
    whole = replace(script.problem, pads=((0, 0),), bias=False)
    namespace = {"np": np, "y": oracle.expected(whole, script.operands["x"], script.operands["w"], None)}
    for line in script.text.splitlines()[-3:-1]:
        exec(line, namespace | {"b": script.operands["b"]}, namespace)
    np.testing.assert_array_equal(namespace["y"], oracle.expected(script.problem, *script.operands.values()))


@pytest.mark.parametrize(
    ("framework", "call", "composed", "line"),
    [
        ("torch", "conv_transpose1d([1, 1, 3], [1, 2, 2], stride=(2,))", (),
         "y = torch.nn.functional.conv_transpose1d(x, w, stride=(2,))"),
        ("tensorflow", "conv2d_transpose_v2([1, 1, 3, 1], [1, 2, 2, 1], output_shape=(1, 1, 6, 2))", ("unit-axis",),
         "y = tf.nn.conv2d_transpose(x, w, output_shape=(1, 1, 6, 2))"),
        ("jax", "conv_general_dilated([1, 3, 1], [2, 1, 2], padding=[(1, 1)])", ("reversed kernel",),
         "y = jax.lax.conv_general_dilated(x, w, padding=[(1, 1)])"),
    ],
)  # fmt: skip
def test_every_framework_has_its_own_words(framework: str, call: str, composed: tuple[str, ...], line: str) -> None:
    script = reproducer.write(record(framework, call=call, composed=composed))
    assert line in script.text.splitlines()
    shapes = [list(script.operands[name].shape) for name in "xw"]
    assert f"({shapes[0]}, {shapes[1]}," in call


@pytest.mark.parametrize(
    ("framework", "call", "composed", "direction", "lines"),
    [
        ("torch", "torch.autograd.grad(conv_transpose1d([1, 1, 3], [1, 2, 2], [2], stride=(2,), padding=[0]), bias, "
         "[1, 2, 6])", (), "bias",
         ["b.requires_grad_()", "y = torch.nn.functional.conv_transpose1d(x, w, b, stride=(2,), padding=[0])",
          "y, = torch.autograd.grad(y, b, g)"]),
        ("tensorflow", "tf.GradientTape().gradient(conv2d_transpose_v2([1, 1, 3, 1], [1, 2, 2, 1], padding='VALID') + "
         "bias, bias, [1, 1, 6, 2])", ("unit-axis",), "bias",
         ["    tape.watch(b)", "    y = tf.nn.bias_add(tf.nn.conv2d_transpose(x, w, padding='VALID'), b)",
          "y = tape.gradient(y, b, g)"]),
        ("tensorflow", "tf.GradientTape().gradient(conv2d_transpose_v2([1, 1, 3, 1], [1, 2, 2, 1], padding='VALID'), "
         "weight, [1, 1, 6, 2])", ("unit-axis",), "weight",
         ["    y = tf.nn.conv2d_transpose(x, w, padding='VALID')", "y = y[0]", "y = np.moveaxis(y, (-2, -1), (1, 0))"]),
        ("jax", "jax.vjp(conv_general_dilated([1, 3, 1], [2, 1, 2], padding=[(1, 1)]), weight)[1]([1, 6, 2])",
         ("reversed kernel", "crop"), "weight",
         ["y, = jax.vjp(lambda w: jax.lax.conv_general_dilated(x, w, padding=[(1, 1)]), w)[1](g)",
          "y = np.moveaxis(y.reshape(2, 1, 1, 2), (-3, -2, -1), (1, 0, 2))", "y = np.flip(y, (3,)).reshape(1, 2, 2)"]),
        ("mxnet", "Deconvolution([1, 1, 3], [1, 2, 2], kernel=(2,)).backward([1, 2, 6]); x.grad", ("crop",), "input",
         ["x.attach_grad()", "    y = mxnet.nd.Deconvolution(x, w, kernel=(2,))", "y.backward(g)", "y = x.grad"]),
    ],
)  # fmt: skip
def test_a_gradient_becomes_the_call_and_its_derivative(
    framework: str, call: str, composed: tuple[str, ...], direction: str, lines: list[str]
) -> None:
    script = reproducer.write(record(framework, call=call, composed=composed, direction=direction))
    written = script.text.splitlines()
    places = [written.index(line) for line in lines]
    assert places == sorted(places)
    assert script.operands["g"].size == 12


@pytest.mark.parametrize("call", ["torch.autograd.grad(x, weight, [1])", "f([1], y=open('x'))", "f([1], 2", ""])
def test_a_gradient_s_call_that_is_no_native_call_becomes_no_script(call: str) -> None:
    with pytest.raises(ReproducerError):
        reproducer.write(record("torch", call=call, direction="weight"))


def test_an_idiom_becomes_its_own_program() -> None:
    call = "torch.nn.ConvTranspose2d(2, 3, 3, stride=2) with x=1,2,4,5"
    script = reproducer.write(record("torch", call=call, idiom="torch-layer/padding", variant="eager"))
    assert "torch.nn.ConvTranspose2d(2, 3, 3, stride=2)" in script.text
    assert script.operands["x"].shape == (1, 2, 4, 5)
    assert "np.save('y.npy', y)" in script.text


def test_a_port_becomes_the_code_that_it_prints() -> None:
    call = "keras.layers.Conv2DTranspose(3, 5, strides=2, padding='same') with x=1,7,7,2"
    made = record("torch", call=call, idiom="port/tensorflow-to-torch", variant="eager")
    text = reproducer.write(made).text
    printed = port(call.partition(" with ")[0], "tensorflow", "torch", {"x": (1, 7, 7, 2)}, variant="eager")
    assert "\n".join(printed.definitions) in text
    assert {*printed.imports} <= {*text.splitlines()}
    assert text.index("w = convert_weight(w)") < text.index("w = torch") < text.index("y = conv_transpose(x, w, b)")


@pytest.mark.parametrize(
    "changes", [{"framework": "none"}, {"call": ""}, {"idiom": "port/torch-to-mxnet", "call": "f(x)"}]
)
def test_a_record_without_a_call_of_its_own_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ReproducerError):
        reproducer.write(record(**changes))


@pytest.mark.parametrize(
    ("script", "finding", "message"),
    [
        ("np.save('y.npy', EXPECTED + 1)", Finding.CONFIRMED, ""),
        ("np.save('y.npy', EXPECTED)", Finding.RIGHT, ""),
        ("np.save('y.npy', EXPECTED + 2)", Finding.VARIES, "12 of 12 values differ"),
        ("raise KeyError('a')", Finding.NOTHING, "KeyError: 'a'"),
        ("import os; os._exit(3)", Finding.NOTHING, "it died"),
    ],
)  # fmt: skip
def test_every_ending_of_a_script_is_told_apart(script: str, finding: Finding, message: str, tmp_path: Path) -> None:
    made = record()
    written = reproducer.write(made)
    place = _place(tmp_path, made)
    problem = Problem.parse(PROBLEM)
    np.save(tmp_path / "e.npy", oracle.expected(problem, *operands.draw("a-case", problem)).astype("float32"))
    text = f"import numpy as np\nEXPECTED = np.load({str(tmp_path / 'e.npy')!r})\n{script}\n"
    _put(place, replace(written, text=text))
    subprocess.run([sys.executable, "-I", "-c", RUNNER, str(place)], check=False)
    found = _judge(made, written, place)
    assert found.finding is finding
    assert message in found.message


@pytest.mark.slow
def test_a_script_that_hangs_costs_no_other_its_confirmation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(made: Record) -> reproducer.Reproducer:
        problem = Problem.parse(PROBLEM)
        y = oracle.expected(problem, *operands.draw(made.case, problem)).astype("float32") + 1
        text = f"import numpy as np\nnp.save('y.npy', np.float32({y.tolist()}))\n"
        return reproducer.Reproducer("import time; time.sleep(60)" if made is first else text, Program(), problem)

    first, second = record(), record(dtype="float32", direction="forward", variant="onednn")
    monkeypatch.setattr(confirmation, "TIMEOUT", 5)
    monkeypatch.setattr(reproducer, "write", written)
    found = list(confirmation.confirm(Lane("mxnet", "native"), [first, second], sys.executable, keep=tmp_path))
    assert [each.finding for each in found] == [Finding.NOTHING, Finding.CONFIRMED]
    assert found[0].message == "it died, or gave no answer in 5 s"


def test_an_expected_array_that_is_not_the_oracles_is_no_confirmation(tmp_path: Path) -> None:
    made = record(expected="another")
    assert _judge(made, reproducer.write(made), tmp_path).finding is Finding.ORACLES


XLA = "i5x5 k3x2 p4:0x4:1 ic3 oc2"
"""A problem on which XLA reads outside its input, by chance."""


def put(folder: Path, suite: str, *those: Record) -> None:
    first = those[0]
    header = Header(first.framework, first.variant, suite, ("float32",), ("forward",), "d", len(those), oracle_digest())
    record_file.write(header.path(folder), Run(header, those, complete=True))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """What the confirmation of a case finds, by its id; nothing is run."""
    findings: dict[str, Finding] = {}
    monkeypatch.setattr(cli, "confirm", lambda lane, those, *_, **__: [
        Confirmation(each, findings[each.case], "a message") for each in those
    ])  # fmt: skip
    return findings


def confirmed(folder: Path, *options: str) -> tuple[int, str, Mapping[str, object]]:
    words = [str(folder), "--python=python", f"--to={folder}", *options]
    done = CliRunner().invoke(cli.command, words, standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, done.output, {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_a_folder_is_confirmed_but_for_claims_and_negative_cases(tmp_path: Path, found: dict[str, Finding]) -> None:
    found["a-case"] = Finding.CONFIRMED
    for suite in ("core", "ports", "negative", "claims"):
        put(tmp_path, suite, record(), record(case="right", verdict=Verdict.CONFORMS))
    put(tmp_path, "core", record("torch", variant="eager"))
    status, _, documents = confirmed(tmp_path, "--framework", "mxnet")
    assert status == 0
    assert documents.keys() == {"mxnet-native-core", "mxnet-native-ports"}
    assert documents["mxnet-native-core"] == {
        "lane": "mxnet-native", "suite": "core", "divergences": 1, "taken": 1, "findings": {"confirmed": 1},
        "others": [],
    }  # fmt: skip


def test_of_a_known_fault_a_spread_part_is_taken_and_of_what_is_new_all(
    tmp_path: Path, found: dict[str, Finding]
) -> None:
    known = [record("jax", variant="jit", case=f"known-{i:02}", problem=XLA) for i in range(20)]
    new = [record("jax", variant="jit", case=f"new-{i}") for i in range(9)]
    found |= {each.case: Finding.CONFIRMED for each in (*known, *new)}
    put(tmp_path, "core", *known, *new)
    _, _, documents = confirmed(tmp_path, "--most", "6")
    assert documents["jax-jit-core"] == {
        "lane": "jax-jit", "suite": "core", "divergences": 29, "taken": 5 + 9, "findings": {"confirmed": 14},
        "others": [],
    }  # fmt: skip
    _, _, documents = confirmed(tmp_path, "--most", "20")
    assert '"taken": 29' in json.dumps(documents)


def test_what_is_not_confirmed_fails_unless_it_is_known_to_vary(tmp_path: Path, found: dict[str, Finding]) -> None:
    found |= {"a-case": Finding.RIGHT, "by-chance": Finding.RIGHT, "oracles": Finding.ORACLES}
    chance = record("jax", variant="jit", case="by-chance", problem=XLA)
    put(tmp_path, "core", chance)
    status, out, documents = confirmed(tmp_path)
    assert (status, "1 of them by chance, as is known" in out) == (0, True)
    assert '"by_chance": true' in json.dumps(documents)
    for made in (replace(chance, case="oracles"), record("jax", variant="jit")):
        put(tmp_path, "core", made)
        status, out, _ = confirmed(tmp_path)
        assert (status, "a message" in out) == (1, True)


def test_a_folder_without_the_lane_is_told_in_a_line(tmp_path: Path) -> None:
    put(tmp_path, "core", record())
    with pytest.raises(records.RecordError, match="no records of torch smoke"):
        CliRunner().invoke(
            cli.command, [str(tmp_path), "--framework=torch", "--suite=smoke"], standalone_mode=False,
            catch_exceptions=False,
        )  # fmt: skip
