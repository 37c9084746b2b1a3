"""Arguments of the wrong length, type or value are read as the frameworks take them: each row was asked of one."""

from pathlib import Path
from typing import Any

import pytest

from conformance import idioms
from conformance.calls.meaning import understand
from conformance.calls.meaning.wording import as_json
from conformance.idioms import IdiomError
from conformance.idioms.base import Refusal
from conformance.idioms.expression import ExpressionError
from conformance.io.bounded import BoundError, read_source

PLANE = {"x": (2, 4, 5, 6), "w": (4, 3, 3, 2)}
LINE = {"x": (1, 2, 4), "w": (2, 3, 3)}
LAST = {"x": (2, 5, 6, 4), "w": (3, 2, 3, 4)}
Z = {**PLANE, "z": (2, 3, 7, 7)}
NODE = "onnx.helper.make_node('ConvTranspose', ['x', 'w'], ['y']"


def of(shapes: dict[str, Any], text: str) -> dict[str, Any]:
    """The shapes that a call takes: a layer's input alone, or all."""
    return {"x": shapes["x"]} if ")(x" in text or text.endswith("Transpose(3, 3)") else shapes


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "reason"),
    [
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=2)(x, output_size=[6, 12, 14])", PLANE,
         "output_size has 3 numbers: x has 4 axes, so it takes 2 or 4"),
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=2)(x, output_size=[7, 2, 6, 12, 14])", PLANE, "has 5 numbers"),
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=2)(x, output_size=[2, 5, 12, 14])", {"x": (4, 5, 6)},
         "it takes 2 or 3"),
        ("torch", "nn.ConvTranspose1d(2, 6, 3, stride=2)(x, output_size=[9, 9])", LINE, "it takes 1 or 3"),
        ("torch", "torch.nn.grad.conv1d_input((1, 4, 6), w, x)", LINE, "which is (1, 3) of batch and channels"),
        ("torch", "torch.nn.grad.conv1d_input((1, 3, 6), w, x, groups=2)", LINE, "which is (1, 6)"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w), z, x)[0]", {**LINE, "z": (1, 4, 6)}, "which is (1, 3)"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w), z, x)[0]", {**LINE, "z": (2, 3, 6)}, "begins with (2, 3)"),
        ("torch", "torch.autograd.grad(F.conv2d(z, w, None, 1, -1), z, x)[0]", Z, "negative padding"),
        ("torch", "torch.autograd.grad(F.conv2d(z, w, dilation=0), z, x)[0]", Z, "dilation is at least 1"),
        ("torch", "torch.nn.grad.conv1d_input((1, 3, 8), w, x, 1, -1)", LINE, "negative padding"),
        ("torch", "torch.ops.aten.convolution(x, w, None, 1, [0], [1], True, [0], 1)", PLANE,
         "stride is 1: the operator takes a list"),
        ("tensorflow", "tf.nn.conv2d_transpose(x, w, (-1, 10, 12, 3), 2, padding=[(0, 0), (0, 1), (0, 0), (0, 0)])",
         LAST, "a batch of -1 without oneDNN: output_shape takes 2 there"),
        ("onnx", f"{NODE}, dilations=[0, 1])", PLANE, "strides and dilations are at least 1"),
        ("onnx", f"{NODE}, dilations=[-1, 1])", PLANE, "strides and dilations are at least 1"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3)", {**PLANE, "x": (0, 4, 5, 6)}, "an empty"),
    ],
)  # fmt: skip
def test_a_call_is_refused_for_its_arguments(framework: str, text: str, shapes: dict[str, Any], reason: str) -> None:
    assert reason in understand(framework, idioms.reading(framework, text), of(shapes, text)).refused


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "reason"),
    [
        *((framework, text, shapes, "None: it takes") for framework, text, shapes in (
            ("torch", "F.conv_transpose2d(x, w, stride=None)", PLANE),
            ("torch", "F.conv_transpose2d(x, w, padding=None)", PLANE),
            ("torch", "F.conv_transpose2d(x, w, output_padding=None)", PLANE),
            ("torch", "nn.ConvTranspose2d(4, 6, 3, dilation=None)(x)", PLANE),
            ("torch", "nn.ConvTranspose2d(4, 6, None)(x)", PLANE),
            ("torch", "torch.autograd.grad(F.conv2d(z, w, stride=None), z, x)[0]", Z),
            ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, strides=None)(x)", LAST),
            ("tensorflow", "keras.layers.Conv2DTranspose(3, None)(x)", LAST),
            ("tensorflow", "keras.ops.conv_transpose(x, w, dilation_rate=None)", LAST),
            ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, stride=None)", PLANE),
            ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, adj=None)", PLANE),
            ("mxnet", "mx.gluon.nn.Conv2DTranspose(3, 3, padding=None)(x)", PLANE),
            ("mxnet", "mx.gluon.nn.Conv2DTranspose(3, 3, in_channels=None)(x)", PLANE),
        )),
        *(("torch", f"torch.nn.grad.conv{rank}d_input({size}, w, x, padding='{name}')", shapes, "no string")
          for rank, size, shapes in ((1, (1, 3, 4), LINE), (2, (2, 3, 5, 6), PLANE)) for name in ("same", "valid")),
        *(("torch", f"torch.autograd.grad(F.conv1d({given}, w), z, x)[0]", {**LINE, "z": (1, 3, 6)}, "takes a tensor")
          for given in ("(2,)", "'z'", "3", "None")),
        ("jax", "jax.vjp(lambda a: jax.lax.conv(None, w, (1,), 'SAME'), z)[1](x)[0]",
         {"x": (1, 3, 4), "w": (3, 1, 3), "z": (1, 1, 4)}, "takes a tensor"),
        ("jax", "jax.lax.conv_general_dilated(x, w, (1,), [(True, 1)])", {"x": (1, 4, 5), "w": (2, 4, 3)},
         "it takes pairs of whole numbers"),
        ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, name=(2, 1))(x)", LAST, "name is (2, 1): it takes a string"),
        ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, activation=2)(x)", LAST, "is 2: it takes an activation"),
        ("mxnet", "mx.gluon.nn.Conv2DTranspose(3, 3, weight_initializer=2.5)(x)", PLANE, "it takes an initializer"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, cudnn_off='Valid')", PLANE, "True or False"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, workspace=[2])", PLANE, "a whole number"),
        ("tensorflow", "tf.compat.v1.nn.conv2d_backprop_input((1, 6, 5, 2), w, x, strides=[1, 2, 2, 1], "
         "padding='VALID', use_cudnn_on_gpu=(2, 1))", LAST, "it takes True or False"),
        ("jax", "jax.lax.conv_transpose(x, w, (1, 1), 'SAME', precision=[-1])", LAST, "two of them"),
        ("jax", "jax.lax.conv_transpose(x, w, (1, 1), 'SAME', precision='exact')", LAST, "a name of a precision"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w, 3), z, x)[0]", LINE, "bias is 3: it takes a tensor or None"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w), w, x)[0]", LINE, "with respect to w, and the input is z"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w), z, w)[0]", LINE, "one name stands for two tensors"),
        ("jax", "jax.vjp(lambda w: jax.lax.conv(z, w, (1,), 'SAME'), w)[1](x)[0]", LINE, "the input is z: only the"),
        ("jax", "jax.vjp(lambda a: jax.lax.conv(z, w, (1,), 'SAME'), z)[1](x)[0]", LINE, "with respect to a, and"),
        ("mxnet", "mx.autograd.grad(mx.nd.Convolution(z, w, kernel=(3,), num_filter=3), [w], head_grads=[x])[0]", LINE,
         "with respect to w, and the input is z"),
        ("tensorflow", "tfl.conv_3d_transpose((2, 1, 2, 2, 1), w, x, padding='SAME', stride_d=1, stride_h=1, "
         "stride_w=(2, 1, 2))", {"x": (2, 1, 2, 1, 2), "w": (3, 1, 3, 1, 2)}, "it takes a whole number"),
        ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, bias_constraint=(1.0, 1))(x)", LAST, "a dict or an object"),
        ("torch", "nn.ConvTranspose2d(None, 6, 3)(x)", PLANE, "in_channels is None: it takes a whole number"),
        ("jax", "flax.linen.ConvTranspose(3, (3, 2), transpose_kernel=flag)(x)", LAST, "is flag: give its value"),
        ("onnx", f"{NODE}, doc_string=[1])", PLANE, "doc_string is [1]: it takes a string"),
        ("torch", "torch.nn.grad.conv1d_input((2, 3, 6), w, x)", LINE, "a batch of 2, grad_output one of 1"),
        ("torch", "torch.nn.grad.conv1d_input((1, 3, 6), w, x, dilation=0)", LINE, "nothing is claimed of it"),
        ("torch", "F.conv_transpose2d(x, w, stride=((1, 1),))", PLANE, "stride is"),
        ("torch", "F.conv_transpose2d(x, w, stride=(True, True))", PLANE, "stride is"),
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=(2,))(x, output_size=[12, 14])", PLANE, "it takes 2 numbers"),
        ("torch", "torch.ops.aten.conv_transpose2d(x, w, None, 2)", PLANE, "stride is 2: the operator takes a list"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3.0)", PLANE, "num_filter is 3.0"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, no_bias=2)", PLANE, "no_bias is 2"),
        ("onnx", f"{NODE}, output_padding=[True, 0])", PLANE, "output_padding is"),
        ("tensorflow", "tf.nn.conv2d_transpose(x, w, (0, 5, 6, 3), 1)", LAST, "of which TensorFlow takes 0"),
        ("tensorflow", "tf.nn.conv_transpose(x, w, (10, 12), 2)", LAST, "it takes 4 extents here"),
        ("tensorflow", "tf.nn.atrous_conv2d_transpose(x, w, (-1, 5, 6, 3), 2, 'SAME')", LAST, "can end the process"),
    ],
)  # fmt: skip
def test_nothing_is_claimed_of_an_argument(framework: str, text: str, shapes: dict[str, Any], reason: str) -> None:
    with pytest.raises((Refusal, IdiomError, ExpressionError)) as refused:
        understand(framework, idioms.reading(framework, text), of(shapes, text))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "problem"),
    [
        ("torch", "F.conv_transpose2d(x, w, stride=(2,), padding=[1])", PLANE, "i5x6 k3x2 s2 p1 ic4 oc3 n2"),
        ("torch", "nn.ConvTranspose2d(4, 3, 3, stride=[2], dilation=(1,))(x)", PLANE, "i5x6 k3 s2 ic4 oc3 n2 bias"),
        ("torch", "torch.ops.aten.convolution(x, w, None, [2], [0], [1], 1, [0], 1)", PLANE,
         "i5x6 k3x2 s2 ic4 oc3 n2"),
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=2)(x, output_size=torch.Size([7, 9, 12, 14]))", PLANE,
         "i5x6 k3 s2 p0:-1 ic4 oc6 n2 bias"),
        ("torch", "torch.autograd.grad(F.conv1d(z, w), z, x)[0]", {"x": (2, 4), "w": (2, 3, 3), "z": (3, 6)},
         "i4 k3 ic2 oc3"),
        ("tensorflow", "tf.nn.conv2d_transpose(x, w, (-1, 10, 12, 3), 2)", LAST, "i5x6 k3x2 s2 p0:1x0 ic4 oc3 n2"),
        ("tensorflow", "tf.nn.conv1d_transpose(x, w, (-1, 10, 3), 2)", {"x": (2, 5, 4), "w": (3, 3, 4)},
         "i5 k3 s2 p0:1 ic4 oc3 n2"),
        ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, data_format='Channels_Last')(x)", LAST,
         "i5x6 k3 ic4 oc3 n2 bias"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, stride=(), adj=[])", PLANE,
         "i5x6 k3x2 ic4 oc3 n2"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, target_shape=(0,))", PLANE,
         "i5x6 k3x2 ic4 oc3 n2"),
        ("mxnet", "mx.gluon.nn.Conv2DTranspose(3, 3, padding=())(x)", PLANE, "i5x6 k3 ic4 oc3 n2 bias"),
        ("jax", "flax.linen.ConvTranspose(3, (3, 2), strides=None, kernel_dilation=None, padding='VALID')(x)", LAST,
         "i5x6 k3x2 ic4 oc3 n2 bias"),
        ("onnx", f"{NODE}, auto_pad=None)", PLANE, "i5x6 k3x2 ic4 oc3 n2"),
    ],
)  # fmt: skip
def test_a_call_is_read_as_its_framework_takes_it(
    framework: str, text: str, shapes: dict[str, Any], problem: str
) -> None:  # fmt: skip
    meaning = understand(framework, idioms.reading(framework, text), of(shapes, text))
    assert (meaning.problem, meaning.refused) == (problem, "")


@pytest.mark.parametrize(
    ("framework", "text", "shapes"),
    [
        ("torch", "nn.ConvTranspose2d(4, 6, 3, stride=0)(x)", PLANE),
        ("torch", "F.conv_transpose2d(x, w, dilation=0)", PLANE),
        ("jax", "lax.conv_general_dilated(x, w, (1, 1), [(2, 2), (1, 1)], (0, 2))",
         {"x": (2, 4, 5, 6), "w": (3, 4, 3, 2)}),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), stride=(0, 2), num_filter=3)", PLANE),
        ("onnx", f"{NODE}, strides=[0, 2])", PLANE),
    ],
)  # fmt: skip
def test_a_stride_or_dilation_of_zero_has_no_overlap(framework: str, text: str, shapes: dict[str, Any]) -> None:
    document = as_json(understand(framework, idioms.reading(framework, text), of(shapes, text)))
    assert document["refused"]
    assert (document["overlap"], document["bilinear"]) == (None, None)


@pytest.mark.parametrize(
    ("framework", "variant", "dtype", "kernel"),
    [
        *(("torch", "", dtype, dtype not in ("int8", "int32")) for dtype in ("float16", "float64", "int8", "int32",
                                                                             "int64")),
        *(("tensorflow", "", dtype, dtype == "int32") for dtype in ("int8", "int32", "int64")),
        *(("mxnet", "", dtype, dtype == "float64") for dtype in ("float64", "float16", "bfloat16", "int8", "int64")),
        *(("onnx", "onnxruntime", dtype, dtype == "float16") for dtype in ("float16", "float64", "bfloat16", "int32")),
        ("onnx", "reference", "float64", True), ("jax", "", "int8", True),
    ],
)  # fmt: skip
def test_a_dtype_without_a_kernel_is_refused(framework: str, variant: str, dtype: str, kernel: bool) -> None:
    text, shapes = {
        "torch": ("F.conv_transpose2d(x, w)", PLANE),
        "tensorflow": ("tf.nn.conv2d_transpose(x, w, (2, 7, 7, 3), 1, 'VALID')", LAST),
        "mxnet": ("mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3)", PLANE),
        "onnx": (f"{NODE})", PLANE),
        "jax": ("jax.lax.conv_transpose(x, w, (1, 1), 'VALID')", {**LAST, "w": (3, 2, 4, 3)}),
    }[framework]
    meaning = understand(framework, idioms.reading(framework, text), shapes, variant, dtype)
    assert meaning.refused.startswith(f"no kernel in {dtype}: those are in") is not kernel
    assert bool(meaning.refused) is not kernel


def test_what_stands_around_a_call_is_named() -> None:
    words = {
        "{} * 2": "an operation", "-{}": "an operation with one operand", "{}[0]": "a subscript",
        "{} > 0": "a comparison", "{} and y": "a boolean operation",
    }  # fmt: skip
    for form, word in words.items():
        reading = idioms.reading("torch", form.format("F.conv_transpose2d(x, w)"))
        assert f"around the call: {word}" in reading.aside


@pytest.mark.parametrize("tensor", ["x[None]", "x[newaxis]", "x[None, :]", "x.unsqueeze(0)"])
def test_an_axis_that_is_added_to_a_tensor_is_said(tensor: str) -> None:
    assert f"x is {tensor}" in idioms.reading("torch", f"F.conv_transpose2d({tensor}, w)").aside
    assert idioms.reading("torch", "F.conv_transpose2d(inputs['a'][0], w)").aside == ()


def test_a_value_is_asked_for_only_where_the_reason_names_it() -> None:
    with pytest.raises(Refusal, match=r"nothing is claimed of an empty answer: cut less$"):
        idioms.read("onnx", f"{NODE}, strides=[2, 2], pads=[5, 5, 6, 6])", PLANE)
    with pytest.raises(Refusal, match="give it by --let"):
        idioms.read("torch", "F.conv_transpose2d(x, w, stride=s)", PLANE)


def test_a_source_file_may_be_marked_as_utf_8_and_one_that_is_nested_too_deeply_says_so(tmp_path: Path) -> None:
    marked, deep = tmp_path / "marked.py", tmp_path / "deep.py"
    marked.write_bytes(b"\xef\xbb\xbfnn.ConvTranspose2d(1, 1, 3)\n")
    deep.write_text(f"f({'-' * 20000}3)")
    assert read_source(marked) == "nn.ConvTranspose2d(1, 1, 3)\n"
    with pytest.raises(BoundError, match=r"is not Python: \S.*: fix the file"):
        read_source(deep)


def test_a_gradient_has_names_of_its_own_and_its_text_those_of_the_operands() -> None:
    text = "jax.vjp(lambda a: jax.lax.conv(a, k, (1,), 'SAME'), image)[1](g)[0]"
    read = idioms.read("jax", text, {"x": (1, 3, 4), "w": (3, 1, 3), "z": (1, 1, 4)})
    assert read.text == "jax.vjp(lambda z: jax.lax.conv(z, w, (1,), 'SAME'), z)[1](x)[0]"


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "assumed", "written"),
    [
        ("torch", "nn.ConvTranspose2d(4, 6, 3, bias=use_bias)(x)", PLANE, True, "bias=True)"),
        ("tensorflow", "keras.layers.Conv2DTranspose(3, 3, use_bias=use_bias)(x)", LAST, True, "use_bias=True)"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 2), num_filter=3, no_bias=use_bias)", PLANE, True,
         "no_bias=True"),
        ("mxnet", "mx.nd.Deconvolution(x, w, b, kernel=(3, 2), num_filter=3, no_bias=use_bias)", PLANE, False,
         "no_bias=False"),
    ],
)  # fmt: skip
def test_a_name_for_the_flag_of_a_bias_has_a_value_that_is_told(
    framework: str, text: str, shapes: dict[str, Any], assumed: bool, written: str
) -> None:  # fmt: skip
    reading = idioms.reading(framework, text)
    assert f"is {assumed}; --let use_bias={not assumed} says otherwise" in reading.aside[0]
    assert written in reading.text
    assert idioms.read(framework, text, of(shapes, text)).claim.problem.bias is ("no_bias" not in text or not assumed)
