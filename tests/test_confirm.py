"""Reproducers: the script is what was called and what remained to be done; and what is said of each ending."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance import data, oracle, reproducer
from conformance.compare import fingerprint
from conformance.confirm import RUNNER, Finding, _judge, _place, _put
from conformance.problem import Problem
from conformance.record import Record, Verdict
from conformance.reproducer import ReproducerError

PROBLEM = "i3 k2 s2 p-1:1 oc2 bias"


def record(framework: str = "mxnet", **changes: object) -> Record:
    problem = Problem.parse(PROBLEM)
    expected = oracle.expected(problem, *data.draw("a-case", problem)).astype("float32")
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
    assert "y = y + np.load('b.npy').reshape(-1, 1)" in text
    assert "conformance" not in text


def test_what_remains_after_the_call_gives_the_answer() -> None:
    script = reproducer.write(record())
    whole = replace(script.problem, pads=((0, 0),), bias=False)
    namespace = {"np": np, "y": oracle.expected(whole, script.operands["x"], script.operands["w"], None)}
    for line in script.text.splitlines()[-3:-1]:
        exec(line.replace("np.load('b.npy')", "b"), namespace | {"b": script.operands["b"]}, namespace)
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


def test_an_idiom_becomes_its_own_program() -> None:
    call = "torch.nn.ConvTranspose2d(2, 3, 3, stride=2) with x=1,2,4,5"
    script = reproducer.write(record("torch", call=call, idiom="torch-layer/padding", variant="eager"))
    assert "torch.nn.ConvTranspose2d(2, 3, 3, stride=2)" in script.text
    assert script.operands["x"].shape == (1, 2, 4, 5)
    assert "np.save('y.npy', y)" in script.text


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
    np.save(tmp_path / "e.npy", oracle.expected(problem, *data.draw("a-case", problem)).astype("float32"))
    text = f"import numpy as np\nEXPECTED = np.load({str(tmp_path / 'e.npy')!r})\n{script}\n"
    _put(place, replace(written, text=text))
    subprocess.run([sys.executable, "-I", "-c", RUNNER, str(place)], check=False)
    found = _judge(made, written, place)
    assert found.finding is finding
    assert message in found.message


def test_an_expected_array_that_is_not_the_oracles_is_no_confirmation(tmp_path: Path) -> None:
    made = record(expected="another")
    assert _judge(made, reproducer.write(made), tmp_path).finding is Finding.ORACLES
