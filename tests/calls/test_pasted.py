"""Calls as people paste them: what they mean is read off their text, and nothing in them is ever evaluated."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conformance import idioms
from conformance.adapters.base import Lane
from conformance.calls.meaning import understand
from conformance.calls.meaning.other_lanes import OtherLane
from conformance.calls.meaning.wording import as_json
from conformance.cli import commands
from conformance.cli.call import parse_let

CALLS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "pasted_calls.jsonl").read_text(encoding="utf-8").splitlines()
]


def shown(call: dict[str, Any]) -> dict[str, Any]:
    lets = dict(map(parse_let, call.get("let", ())))
    reading = idioms.reading(call["framework"], call["text"], lets)
    of = {name: tuple(shape) for name, shape in (call["shapes"] or {}).items()}
    return as_json(understand(call["framework"], reading, of))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call['framework']}-{call['kind']}")
def test_a_pasted_call_means_what_its_author_meant(call: dict[str, Any]) -> None:
    if call.get("refused"):
        with pytest.raises((idioms.IdiomError, idioms.Refusal, ValueError)):
            shown(call)
        return
    said = shown(call)
    assert said["refused"] is None
    if call.get("check", "output") == "output":
        assert said["output"] == call["output"]
    if call.get("check", "window") == "window":
        assert said["window"] == call["window"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, standalone_mode=False)


HOSTILE = [
    "nn.ConvTranspose2d(8, 4, open('{path}', 'w').write('x'))",
    "nn.ConvTranspose2d(8, 4, 3, device=open('{path}', 'w'))",
    "nn.ConvTranspose2d(8, 4, 3, stride=[open('{path}', 'w') for _ in '1'][0])",
    "nn.ConvTranspose2d(8, 4, 3).to(open('{path}', 'w'))",
    "exec(\"open('{path}', 'w')\") or nn.ConvTranspose2d(8, 4, 3)",
    "open('{path}', 'w')\nnn.ConvTranspose2d(8, 4, 3)",
    "nn.ConvTranspose2d(8, 4, 3)(open('{path}', 'w'))",
    "wrap(open('{path}', 'w'))(nn.ConvTranspose2d(8, 4, int(open('{path}', 'w'))))",
    "@open('{path}', 'w')\nclass A:\n    up = nn.ConvTranspose2d(8, 4, 3)",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("options", [("--claim",), ("--claim", "--shape", "x=1,8,5,7"), ("--json",)])
def test_nothing_that_is_pasted_is_run(tmp_path: Path, text: str, options: tuple[str, ...]) -> None:
    path = tmp_path / "written"
    with contextlib.suppress(ValueError):
        invoke("call", "torch", text.format(path=path), *options)
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    ["2 ** 10 ** 10", "[0] * 10 ** 9", "'a' * 10 ** 9", "(1,) * 10 ** 8", "'%9999999999d' % 1", "9 ** 64 ** 64",
     "1 << 99999", "-" * 3000 + "1"],
)  # fmt: skip
def test_no_arithmetic_asks_for_much(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"kernel_size|nested too deeply|not a Python expression") as raised:
        invoke_read(f"nn.ConvTranspose2d(8, 4, {text})")
    assert time.perf_counter() - started < 5
    assert "\n" not in str(raised.value)


def invoke_read(text: str) -> None:
    try:
        idioms.read("torch", text, {"x": (1, 8, 4, 4)})
    except idioms.Refusal as reason:
        raise ValueError(str(reason)) from None


MODEL = """
import torch
from torch import nn
import torch.nn.functional as F
from paddle.nn import Conv2DTranspose


class Up(nn.Module):
    def __init__(self, ngf, ks, *args):
        self.a = nn.Sequential(
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False),
            nn.ReLU(True),
        )
        self.b = nn.ConvTranspose2d(ngf, 3, *args)
        self.c = nn.utils.weight_norm(nn.ConvTranspose1d(8, 4, 16, 8, padding=(16 - 8) // 2))
        self.d = Conv2DTranspose(4, 6, 3)
        self.e = nn.ConvTranspose2d(ngf, 3, 4, stride=self.stride)

    def forward(self, x):
        return F.conv_transpose2d(x, self.w, stride=2)
"""


def test_a_source_file_is_listed_call_by_call(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(MODEL, encoding="utf-8")
    done = invoke("call", "torch", str(path))
    assert done.return_value == 0
    lines = done.output.splitlines()
    heads = [line.removeprefix(f"{path}:").partition(":")[0] for line in lines if line.startswith(str(path))]
    assert heads == ["11", "14", "15", "16", "17", "20"]
    assert "window: (1, 1) x (1, 1) cut from (2*i + 2, 2*i + 2), which leaves (2*i, 2*i)" in done.output
    assert "window: ((4, 4)) " not in done.output
    assert "which leaves (8*i,)" in done.output
    assert "'args' at line 14, character 45 unpacks arguments" in done.output
    assert "the value of self.stride (at character 55)" in done.output
    assert "which leaves (2*i + k - 2, 2*i + k - 2)" in done.output
    assert lines[-1] == "6 calls, 3 of them not read"


PASSED_OVER = """
import torch.nn as nn
from torch.nn import ConvTranspose1d as CT
from .blocks import Up
a = nn.FancyConvTranspose2d(8, 3, 2)
other = nn.ConvTranspose2d
def block(up=nn.ConvTranspose2d, size: nn.ConvTranspose2d = None) -> nn.ConvTranspose2d: ...
class Mine(nn.ConvTranspose2d): ...
b = getattr(nn, "ConvTranspose2d")(8, 4, 3)
def init(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) or type(m) is nn.ConvTranspose2d: ...
c = self.deconv1(x) + deconv(x)
d = CT(1, 1, 2)
"""


def test_what_is_passed_over_in_a_file_is_said_with_its_line() -> None:
    entries = list(idioms.read_all("torch", PASSED_OVER))
    assert [line for line, _ in entries] == [5, 6, 7, 8, 9, 13]
    assert entries[0][1] == "torch.nn.FancyConvTranspose2d is no function that is read: write out what it is"
    assert entries[1][1] == "nn.ConvTranspose2d is named and not called: only calls are read"
    assert entries[4][1] == "ConvTranspose2d is taken by getattr: write the call out"
    assert not isinstance(entries[5][1], str)


@pytest.mark.parametrize("verb", ["call", "sizes"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\0\0", "is not UTF-8 text: "),
        (b"x = 1\0\n", "is not Python: source code string cannot contain null bytes: fix the file"),
        (b"x = 1\ndef f(:\n", ":2: character 7: is not Python: invalid syntax: fix the file"),
        (b"x = " + b"-" * 200_000 + b"1", "is not Python: nested too deeply: fix the file"),
    ],
)
def test_a_file_that_is_no_source_is_named_with_its_line(
    tmp_path: Path, verb: str, content: bytes, message: str
) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(content)
    refused = invoke(verb, "torch", str(path)).exception
    assert isinstance(refused, ValueError)
    assert str(refused).startswith(f"{path}")
    assert message in str(refused)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(b"\xef\xbb\xbfnn.ConvTranspose2d(8, 4, 3)\n")
    assert f"{path}:1: torch.nn.ConvTranspose2d" in invoke("call", "torch", str(path)).output


@pytest.mark.parametrize("digits", [19, 5000])
def test_an_extent_of_many_digits_is_no_shape(digits: int) -> None:
    extent = "9" * digits
    refused = invoke("call", "torch", "nn.ConvTranspose1d(1, 1, 2)", "--claim", "--shape", f"x=1,1,{extent}").exception
    assert isinstance(refused, ValueError)
    assert "is not a shape: write the tensor's name and its extents" in str(refused)


def test_a_function_that_the_file_imports_from_elsewhere_is_not_read_as_keras(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(MODEL, encoding="utf-8")
    assert "paddle.nn.Conv2DTranspose: paddle is no module of tensorflow, but of PaddlePaddle" in invoke(
        "call", "tensorflow", str(path)
    ).output  # fmt: skip


def test_a_file_of_a_thousand_lines_is_listed_at_once(tmp_path: Path) -> None:
    text = "import torch.nn as nn\n" + "".join(
        f"x{at} = nn.ConvTranspose2d(ngf * {at}, ngf, 4, 2, 1)\n" + "y = foo(bar[0], 3) + nn.Conv2d(3, 4, 5)(x)\n" * 19
        for at in range(50)
    )
    started = time.process_time()
    found = [understand("torch", each, {}) for _, each in idioms.read_all("torch", text) if not isinstance(each, str)]
    assert len(found) == 50
    assert time.process_time() - started < 3  # 0.4 s on an idle core


KEYS = ["framework", "idiom", "law", "line", "call", "problem", "window", "full", "output", "layout", "overlap",
        "bilinear", "taps", "set_aside", "unknown", "refused"]  # fmt: skip


def test_json_has_the_documented_keys() -> None:
    said = json.loads(invoke("call", "torch", "nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1)", "--json").output)
    assert list(said) == [*KEYS, "other_lanes"]
    assert (said["window"], said["output"], said["layout"]) == (
        [[1, 1]], ["2*i - 1"], {"data": "n c k", "weight": "(g i) o k"}
    )  # fmt: skip
    of = ("--from", "torch", "--to", "tensorflow", "--shape", "x=1,2,5", "--json")
    ported = json.loads(invoke("port", "nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1)", *of).output)
    assert set(KEYS) | {"steps", "notes", "code", "known_faults"} == set(ported)
    documented = (Path(__file__).parents[2] / "docs/porting.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in documented for key in {*said, *ported})


def test_what_is_refused_is_json_as_well() -> None:
    done = invoke("call", "torch", "nn.ConvTranspose1d(2, 3, 3, padding_mode='circular')", "--json")
    assert isinstance(done.exception, idioms.IdiomError)  # which the program ends with status 2 for
    assert json.loads(done.stdout)["refused"].startswith("padding_mode is 'circular'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nn.ConvTranspose1d(n, n, 3)", "--let", "m=4"), "--let m: nothing of this name"),
        (("nn.ConvTranspose1d(n, n, 3)", "--let", "n=f()"), "gives no value"),
        (("a = nn.ConvTranspose1d(1, 1, 3)\nb = nn.ConvTranspose1d(1, 1, 3)", "--shape", "x=1,1,3"), "of one call"),
    ],
)
def test_what_is_given_for_nothing_is_refused(arguments: tuple[str, ...], message: str) -> None:
    assert message in str(invoke("call", "torch", *arguments).exception)


def test_a_name_can_be_given_a_value() -> None:
    text = "nn.ConvTranspose1d(n * 2, n, k, stride=2, padding=k // 2)"
    done = invoke("call", "torch", text, "--let", "n=4", "--let", "k=5", "--shape", "x=1,8,5", "--claim")
    assert done.output.splitlines()[0] == "means 'i5 k5 s2 p2 ic8 oc4 bias' (torch-layer/padding)"
    ported = invoke(
        "port", text, "--from", "torch", "--to", "jax", "--let", "n=4", "--let", "k=5", "--shape", "x=1,8,5"
    )
    assert "features=4" in ported.output or "ConvTranspose(4, (5,)" in ported.output


@pytest.mark.parametrize("command", ["import sys; from conformance.cli import main; sys.argv = {}; main()"])
def test_saying_what_a_call_means_loads_no_runner(command: str) -> None:
    arguments = ["conformance", "call", "torch", "nn.ConvTranspose2d(8, 4, 3)", "--shape", "x=1,8,5,7", "--claim"]
    code = command.format(arguments).replace("main()", "\ntry:\n    main()\nexcept SystemExit:\n    pass\n") + (
        "print(sorted(name for name in sys.modules if name in ('pytest', 'conformance.run', "
        "'conformance.claims.ledger', 'conformance.suites.cases', 'jinja2')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("framework", "text", "answered", "refused", "setting"),
    [
        ("keras", "Conv2DTranspose(4, 3, dilation_rate=2)", "onednn", "eigen", "TF_ENABLE_ONEDNN_OPTS=1"),
        ("keras", "Conv2DTranspose(4, 3, data_format='channels_first')", "onednn", "eigen", "TF_ENABLE_ONEDNN_OPTS=1"),
        ("mx", "mx.nd.Deconvolution(x, w, kernel=(5,), stride=(2,), target_shape=(14,), num_filter=1)",
         "native", "onednn", "MXNET_MKLDNN_ENABLED=0"),
    ],
)  # fmt: skip
def test_a_claim_says_which_lane_answers_and_what_is_set_for_it(
    framework: str, text: str, answered: str, refused: str, setting: str
) -> None:
    shape = ["--shape", "x=1,1,7", "--shape", "w=1,1,5"] if framework == "mx" else ["--shape", "x=1,8,8,3"]
    for variant, status in ((answered, 0), (refused, 1)):
        done = invoke("call", framework, text, *shape, "--claim", "--variant", variant)
        assert done.return_value == status
        other = answered if status else refused
        assert any(line.startswith("  on ") and line.partition(":")[0].endswith(f"-{other}")
                   for line in done.output.splitlines())  # fmt: skip
        assert f"    to be answered: set {setting} before the import" in done.output


def test_what_is_refused_on_every_extent_says_which_lane_answers() -> None:
    done = invoke("call", "keras", "Conv2DTranspose(4, 3, data_format='channels_first')", "--variant", "eigen")
    assert str(done.exception).partition(" (")[0] == (
        "Conv2DTranspose(4, 3, data_format='channels_first'): channels first without oneDNN: tensorflow-onednn answers "
        "it: set TF_ENABLE_ONEDNN_OPTS=1 before the import"
    )


@pytest.mark.parametrize("argument", ["stride=99999999999", "padding=2**31", "dilation=99999999999"])
@pytest.mark.parametrize("shape", [(), ("--shape", "x=1,16,8,8")])
def test_nothing_is_claimed_of_numbers_that_32_bits_do_not_hold(argument: str, shape: tuple[str, ...]) -> None:
    done = invoke("call", "torch", f"nn.ConvTranspose2d(16, 8, 3, {argument})", *shape, "--claim")
    assert f"{argument.partition('=')[0]} " in str(done.exception)
    assert "nothing is claimed of numbers above 2147483647" in str(done.exception)


def test_of_an_array_of_terabytes_it_is_not_known_whether_it_is_answered() -> None:
    text, shape = "nn.ConvTranspose2d(16, 8, 3, stride=99999)", ("--shape", "x=1,16,8,8")
    said = "not known: whether it is answered: y has 3.92e+12 elements, 14,603 GiB in float32, and nothing is claimed"
    assert said in invoke("call", "torch", text, *shape, "--claim").output
    assert said in invoke("port", text, "--from", "torch", "--to", "jax", *shape).output
    sized = invoke(
        "sizes", "torch", "--input", "100000x100000", "--output", "200000x200000", "--kernel", "2", "--stride", "2"
    )
    assert "not known: whether it is answered: y has 4e+10 elements" in sized.output


@pytest.mark.parametrize(
    ("framework", "text", "message"),
    [
        ("torch", "layers.Conv2DTranspose(64, 5, strides=2)",
         "layers.Conv2DTranspose is a function of tensorflow, not of torch: give tensorflow as the framework"),
        ("torch", "nd.Deconvolution(x, w, num_filter=2, kernel=(3, 3))", "a function of mxnet, not of torch"),
        ("torch", "self.up = Conv2DTranspose(3, 4)(x)", "a function of mxnet or tensorflow, not of torch"),
        ("onnx", "ConvTranspose(X, W, strides=[2, 2], auto_pad='SAME_UPPER')",
         r"ConvTranspose is an operator of onnx, .*: write onnx.helper.make_node\('ConvTranspose', \['x', 'w'\]"),
        ("keras", "nn.ConvTranspose2d(4, 4, 3)", "a function of torch, not of tensorflow"),
        ("mx", "flax.linen.ConvTranspose(3, (3, 3))", "a function of jax, not of mxnet"),
        ("tf", "tf.contrib.layers.conv2d_transpose(x, 64, 3, 2)",
         r"give keras.layers.Conv2DTranspose\(64, 3, strides=2, padding='same', activation='relu'\)"),
        ("tf", "tf.contrib.layers.conv2d_transpose(x, 64, 3, activation_fn=None)",
         r"give keras.layers.Conv2DTranspose\(64, 3, padding='same'\), which is the same call unless arg_scope"),
        ("tf", "slim.conv2d_transpose(x, 4, [5, 5], stride=2, padding='VALID', activation_fn=tf.nn.tanh)",
         r"Conv2DTranspose\(4, \[5, 5\], strides=2, padding='valid', activation=tf.nn.tanh\)"),
        ("tf", "tf.contrib.layers.convolution3d_transpose(x, 64, 3, 2)", "give keras.layers.Conv3DTranspose"),
        ("keras", "Deconvolution2D(64, 3, 3, output_shape=(None, 14, 14, 64), subsample=(2, 2))",
         "those of Keras 1 are not read: give what it called, tf.nn.conv2d_transpose"),
        ("torch", "nn.Conv2d(3, 8, 3)", r'is no transposed convolution: `conformance sizes torch "\[nn.Conv2d\('),
        ("torch", "F.conv2d(x, w)", r"is an ordinary convolution: .* as torch.autograd.grad\(F.conv2d\(z, w, ...\)"),
        ("tf", "tf.nn.conv2d(x, w, 2, 'SAME')", "tf.nn.conv2d is an ordinary convolution, and is not read"),
        ("torch", "torch.ops.aten.convolution.default(x, w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1)",
         "transposed is not True: it is an ordinary convolution"),
        ("torch", "self.up(x, output_size=skip.size())",
         r"made elsewhere: give the line that makes it, followed by \(x, output_size=skip.size\(\)\)"),
        ("torch", "self.tu.append(transpconv(a, b, 2, 2, bias=False))", "transpconv stands for a function here"),
        ("onnx", "ConvTranspose", r"make_node\('ConvTranspose', \['x', 'w'\], \['y'\], strides=\[2, 2\]\)"),
        ("torch", "nn.ConvTranspose2d", r"give one, such as torch\.nn\.ConvTranspose2d\(\d[^.]*\)$"),
        ("torch", "partial(nn.ConvTranspose2d, kernel_size=4)", "nn.ConvTranspose2d is named and not called"),
        ("torch", "NormConvTranspose1d(4, 2, 3)", "if it wraps one of them, give that call"),
        ("jax", "hk.Conv2DTranspose(32, 3)", r"without output_shape it calls jax.lax.conv_transpose"),
        ("torch", "eqx.nn.ConvTranspose2d(8, 4, 3, key=key)", "torch.nn.ConvTranspose of the same arguments has its"),
        ("tf", "snt.Conv2DTranspose(4, 3)", "keras.layers.ConvNDTranspose.*padding='same'.* has its window"),
        ("torch", "nn.ConvTranspose2d(3, 3, 3, 2, padding='same')", r"by padding=1, output_padding=1\. The odd row is"),
        ("torch", "nn.ConvTranspose2d(3, 3, 4, 2, padding='same')", "are left by padding=1, output_padding=0$"),
        ("torch", "nn.ConvTranspose2d(3, 3, 4, padding='same')", "No numbers leave extents i\\*stride here"),
        ("torch", "F.conv_transpose2d(x, w, stride=2, padding='same')", "where 2\\*padding - output_padding = "),
    ],
)  # fmt: skip
def test_a_call_of_another_framework_or_time_says_what_to_give(framework: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raise invoke("call", framework, text, "--claim").exception or AssertionError


def test_a_file_of_another_framework_names_it_for_calls_and_for_sizes(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("from tensorflow.keras import layers\nup = layers.Conv2DTranspose(4, 3)\n", encoding="utf-8")
    said = "tensorflow.keras.layers.Conv2DTranspose is a function of tensorflow, not of torch: give tensorflow"
    assert said in invoke("call", "torch", str(path)).output
    assert said in str(invoke("sizes", "torch", str(path)).exception)
    assert "give tensorflow" in str(invoke("sizes", "torch", "[layers.Conv2D(3, 3, 2)]").exception)


@pytest.mark.parametrize(("text", "taps"), [
    ("lax.conv_transpose(x, w, (2, 2), [(1, 1), (1, 1)])", "reversed (transpose_kernel=True applies them as stored,"),
    ("nn.ConvTranspose(3, (3, 3))", "reversed (transpose_kernel=True applies them as stored,"),
    ("nn.ConvTranspose(3, (3, 3), transpose_kernel=True)", "as stored"),
])  # fmt: skip
def test_what_applies_reversed_taps_as_stored_is_said(text: str, taps: str) -> None:
    assert f"  taps: {taps}" in invoke("call", "jax", text, "--claim").output


def test_a_weight_in_the_order_of_untransposed_letters_is_told_why_it_is_refused() -> None:
    text = "lax.conv_transpose(x, w, (2, 2), 'SAME', dimension_numbers=('NCHW', 'OIHW', 'NCHW'), transpose_kernel=True)"
    shapes = ("--shape", "x=1,16,8,8", "--shape", "w=32,16,3,3", "--claim")
    assert "input 16: with transpose_kernel=True the axes I and O" in invoke("call", "jax", text, *shapes).output


def test_a_lazy_layer_takes_its_channels_from_x() -> None:
    ported = invoke(
        "port", "nn.LazyConvTranspose2d(5, 4, stride=2)", "--from", "torch", "--to", "jax", "--shape", "x=1,8,7,7"
    )
    assert "# torch.nn.ConvTranspose2d(in_channels=8, out_channels=5, kernel_size=4, stride=2) means" in ported.output


def test_a_shape_that_has_no_value_is_given_as_a_shape() -> None:
    text = "tf.nn.conv2d_transpose(value=x, filter=w, output_shape=s, strides=[1, 2, 2, 1], padding=b'SAME')"
    shapes = ("--shape", "x=1,7,7,8", "--shape", "w=5,5,3,8", "--claim")
    assert '--let "s=(1, 8, 8, 8)"' in str(invoke("call", "tf", text, *shapes).exception)
    assert "leaves (14, 14)" in invoke("call", "tf", text, *shapes, "--let", "s=(1, 14, 14, 3)").output


@pytest.mark.parametrize(("given", "leaves"), [((), "2*i + 3, 2*i + 3"), (("--shape", "x=1,None,7,8"), "2*i + 3, 17")])
def test_a_size_that_is_taken_from_x_is_a_formula_of_it(given: tuple[str, ...], leaves: str) -> None:
    text = "tf.nn.conv2d_transpose(x, w, [n, tf.shape(x)[1] * 2 + 3, x.shape[2].value * 2 + 3, 3], 2, 'VALID')"
    said = invoke("call", "tf", text, "--shape", "w=5,5,3,8", *given, "--claim").output
    assert f"which leaves ({leaves})" in said


def test_numbers_of_a_shape_of_the_call_are_taken_from_it() -> None:
    text = "tf.nn.conv2d_transpose(h, w, [tf.shape(h)[0], int(h.shape[1]) * 2, h.get_shape().as_list()[-2] * 2, 3], 2)"
    said = invoke("call", "tf", text, "--shape", "h=2,7,6,8", "--shape", "w=5,5,3,8", "--claim").output
    assert "which leaves (14, 12)" in said
    assert "int(h.shape[1]) * 2 taken to be 14" in said
    grouped = invoke("call", "torch", "F.conv_transpose2d(x, w, groups=x.size(1))", "--shape", "x=1,3,5,5",
                     "--shape", "w=3,1,4,4", "--claim").output  # fmt: skip
    assert "means 'i5x5 k4 g3'" in grouped


@pytest.mark.parametrize("name", ["convolution.default", "convolution"])
def test_an_operator_of_an_exported_graph_is_read(name: str) -> None:
    text = f"torch.ops.aten.{name}(x, w, None, [2, 2], [1, 1], [1, 1], True, [0, 0], 1)"
    said = invoke("call", "torch", text, "--shape", "x=1,3,4,5", "--shape", "w=3,2,4,4", "--claim").output
    assert "which leaves (8, 10)" in said


TWO_CALLS = "import torch.nn as nn\nup = nn.ConvTranspose2d(n, 4, 4, 2, 1)\nout = nn.ConvTranspose2d(n, *rest)\n"


def test_a_call_of_a_file_is_picked_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(TWO_CALLS, encoding="utf-8")
    shape = ("--shape", "x=1,8,5,7", "--claim")
    assert "which leaves (10, 14)" in invoke("call", "torch", f"{path}:2", *shape).output
    assert f"give one by its line, as in {path}:2" in str(invoke("call", "torch", str(path), *shape).exception)
    assert "'rest' at line 3" in str(invoke("call", "torch", f"{path}:3", *shape).exception)
    for line in (0, 9):
        ended = invoke("call", "torch", f"{path}:{line}")
        assert "no calls are on this line: those with calls are 2, 3" in str(ended.exception)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_call_is_told_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"^an empty text is given: give a "):
        raise invoke("call", "torch", text, "--claim").exception or AssertionError


def test_the_size_in_another_lane_is_told_as_it_is_here() -> None:
    reading = idioms.reading("torch", "nn.ConvTranspose1d(8, 4, 3)")
    there = OtherLane(Lane("torch", "compile"), "", "", understand("torch", reading, {"x": (1, 8, 5)}))
    assert [*there.lines("")] == ["  on torch-compile: window (0, 0), which leaves (7,)"]


def test_what_is_only_for_values_is_set_aside_as_that() -> None:
    output = invoke("call", "jax", "nnx.ConvTranspose(3, 4, (3,), rngs=rngs)", "--shape", "x=1,5,3", "--claim").output
    assert "  set aside: rngs=rngs: only for the values of the weight and the bias, which are given\n" in output


@pytest.mark.parametrize("shape", ["x=1,5", "x=1,None"])
def test_a_shape_of_another_number_of_axes_is_told_with_the_layout(shape: str) -> None:
    output = invoke("call", "torch", "F.conv_transpose2d(x, w)", "--shape", shape, "--claim")
    assert "x has 2 axes, 'n c k' with 2 spatial axes has 4" in f"{output.output}{output.exception}"
