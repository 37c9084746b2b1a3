"""The laws by which calls choose their window, each with a witness small enough to check by hand.

A law is named by the claims of idioms that follow it; who shares it, and where it was proved, is found from them. A
witness is a call of a real framework, so the numbers beside it are those that its lane has been seen to give.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from conformance import idioms
from conformance.idioms.base import ClaimedCall, Example, Shapes


@dataclass(frozen=True, slots=True)
class Witness:
    """A call, and a fact that its last axis shows."""

    framework: str
    text: str
    shapes: Shapes
    fact: str
    variant: str = ""

    def read(self) -> ClaimedCall:
        """The call with its claim."""
        return idioms.read(self.framework, self.text, self.shapes, self.variant)


@dataclass(frozen=True, slots=True)
class Law:
    """One way to choose the window (lo, hi) of a spatial axis.

    In a formula i, k, s, d are input, kernel, stride and dilation; ke = d*(k - 1) + 1; full = (i - 1)*s + ke; out is
    the size of the answer.
    """

    id: str
    title: str
    formula: str
    meaning: str
    witnesses: tuple[Witness, ...]


def _torch(arguments: str, i: int, k: int, fact: str) -> Witness:
    text = f"torch.nn.functional.conv_transpose1d(x, w, {arguments})"
    return Witness("torch", text, {"x": (1, 1, i), "w": (1, 1, k)}, fact)


def _tensorflow(arguments: str, i: int, k: int, fact: str) -> Witness:
    text = f"tf.nn.conv1d_transpose(x, w, {arguments})"
    return Witness("tensorflow", text, {"x": (1, i, 1), "w": (k, 1, 1)}, fact)


def _jax(arguments: str, i: int, k: int, fact: str) -> Witness:
    text = f"jax.lax.conv_transpose(x, w, {arguments})"
    return Witness("jax", text, {"x": (1, i, 1), "w": (k, 1, 1)}, fact)


def _onnx(attributes: str, i: int, k: int, fact: str) -> Witness:
    text = f'onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], {attributes})'
    return Witness("onnx", text, {"x": (1, 1, i), "w": (1, 1, k)}, fact)


TAPS = (
    Witness("torch", "torch.nn.functional.conv_transpose1d(x, w, stride=3)", {"x": (1, 1, 2), "w": (1, 1, 3)},
            "as stored: every input element stamps the kernel as it is"),
    Witness("jax", 'jax.lax.conv_transpose(x, w, (3,), "VALID")', {"x": (1, 2, 1), "w": (3, 1, 1)},
            "reversed: the default of JAX and Flax"),
)  # fmt: skip
"""Both orders of taps."""

LAWS = (
    Law(
        "padding",
        "`padding` cuts both ends, `output_padding` gives back at the end",
        "lo = p, hi = p - op",
        "The size is (i - 1)*s - 2*p + ke + op. output_padding gives back rows of the stamp that padding cut; these "
        "rows are not zeros. Beyond the stamp there are only zeros, to which the bias is added.",
        (
            _torch("stride=2, padding=1, output_padding=1", 3, 3, "output_padding reveals the row that padding cut"),
            _torch("stride=2, output_padding=1", 3, 3, "nothing is cut, so output_padding adds a zero"),
            _torch("padding=3", 7, 3, "padding beyond k - 1 cuts more of the stamp: it does not pad the input"),
        ),
    ),
    Law(
        "output-size",
        "`padding` cuts the beginning, the answer's size is given",
        "lo = p, hi = full - p - out",
        "`output_size` of a PyTorch layer may be (i - 1)*s + ke - 2*p, or up to s - 1 more. With oneDNN, MXNet's "
        "target_shape does the same, although its documentation says otherwise.",
        (
            Witness(
                "torch",
                "torch.nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1, bias=False)(x, output_size=[6])",
                {"x": (1, 1, 3)},
                "6 is asked for and 5 is the least, so output_padding is 1",
            ),
        ),
    ),
    Law(
        "gradient",
        "The gradient of an ordinary convolution",
        "lo = the convolution's padding at the beginning, hi = full - lo - out",
        "The answer has the size of the convolution's input, out. Rows that the convolution never reached are zero.",
        (
            Witness(
                "torch",
                "torch.autograd.grad(torch.nn.functional.conv1d(z, w, stride=3, padding=1), z, x)[0]",
                {"x": (1, 1, 2), "w": (1, 1, 3), "z": (1, 1, 6)},
                "inputs of 4, 5 and 6 all convolve to 2; with 6, the convolution never reached the last row",
            ),
        ),
    ),
    Law(
        "same",
        "SAME: the excess is halved, the odd one cut at the end",
        "t = max(full - out, 0), lo = t // 2, hi = full - out - lo",
        "This is TensorFlow's law. JAX, Keras and Flax follow it with out = i*s; tf.nn takes any legal output_shape. "
        "If the stamp is shorter than out (k < s), zeros are appended. PyTorch's symmetric padding cannot say an odd "
        "excess: padding (k - 1)//2 with output_padding gives the right size, but every value is one place off.",
        (
            _tensorflow('output_shape=(1, 14, 1), strides=2, padding="SAME"', 7, 5, "7 to 14: TensorFlow crops (1, 2)"),
            _torch(
                "stride=2, padding=2, output_padding=1",
                7,
                5,
                "the usual translation crops (2, 1): right size, every value one place off",
            ),
            _jax('(2,), "SAME", transpose_kernel=True', 7, 5, "JAX has the same law"),
            _tensorflow('output_shape=(1, 9, 1), strides=3, padding="SAME"', 3, 2, "k < s: a zero at the end"),
        ),
    ),
    Law(
        "same-output-padding",
        "Keras' same with output_padding given",
        "lo = max(ke - ke % 2 - op, 0) // 2, out = (i - 1)*s + ke % 2 + op",
        "output_padding=0 is not output_padding=None: the size is (i - 1)*s + 1 for an odd kernel, not i*s.",
        (
            Witness(
                "tensorflow",
                'keras.layers.Conv1DTranspose(1, 3, strides=2, padding="same", use_bias=False)',
                {"x": (1, 4, 1)},
                "None: 4 to 8",
            ),
            Witness(
                "tensorflow",
                'keras.layers.Conv1DTranspose(1, 3, strides=2, padding="same", output_padding=0, use_bias=False)',
                {"x": (1, 4, 1)},
                "0: 4 to 7",
            ),
        ),
    ),
    Law(
        "valid",
        "VALID: nothing is cut at the beginning",
        "lo = 0, hi = full - out",
        "JAX, Keras and Flax give out = i*s + max(ke - s, 0). If k < s, this is more than the stamp, and the end is "
        "zeros. tf.nn takes any output_shape from full to full + s - 1.",
        (
            _tensorflow('output_shape=(1, 5, 1), strides=2, padding="VALID"', 2, 3, "2 to 5, the stamp itself"),
            _tensorflow('output_shape=(1, 6, 1), strides=2, padding="VALID"', 2, 3, "6 is also legal: one more zero"),
            _jax('(3,), "VALID", transpose_kernel=True', 2, 2, "k < s: a zero at the end, where PyTorch has none"),
        ),
    ),
    Law(
        "pairs",
        "The window itself, as (begin, end) pairs",
        "lo, hi as given",
        "",
        (
            Witness(
                "tensorflow",
                "tf.nn.conv2d_transpose(x, w, output_shape=(1, 1, 14, 1), strides=(1, 2), "
                "padding=[(0, 0), (0, 0), (1, 2), (0, 0)])",
                {"x": (1, 1, 7, 1), "w": (1, 5, 1, 1)},
                "the window of SAME for 7 to 14, as pairs",
            ),
        ),
    ),
    Law(
        "stretched",
        "JAX's padding is that of the stretched input",
        "lo = ke - 1 - begin, hi = ke - 1 - end",
        "JAX puts zeros between the elements of the input, and the pairs pad this stretched input of a convolution "
        "with stride 1. So more padding gives a larger answer. PyTorch's padding p is (ke - 1 - p) here.",
        (
            _jax("(2,), [(1, 1)], transpose_kernel=True", 3, 3, "padding 1 means PyTorch's padding 1 for k = 3 only"),
            _jax("(2,), [(1, 1)], transpose_kernel=True", 3, 5, "for k = 5 it cuts 3"),
        ),
    ),
    Law(
        "centred-late",
        "MXNet's target_shape without oneDNN: the excess is halved, the odd one cut at the beginning",
        "lo = ceil((full - out) / 2), hi = full - out - lo",
        "This is the mirror image of SAME: a layer from 7 to 14 comes out one place away from TensorFlow's.",
        (
            Witness(
                "mxnet",
                "mxnet.nd.Deconvolution(x, w, kernel=(5,), stride=(2,), target_shape=(14,), num_filter=1)",
                {"x": (1, 1, 7), "w": (1, 1, 5)},
                "7 to 14 crops (2, 1), without oneDNN, which refuses the call",
                "native",
            ),
        ),
    ),
    Law(
        "begins-ends",
        "ONNX's pads: all begins, then all ends; `output_padding` gives back at the end",
        "lo = begin, hi = end - op",
        "The two ends may differ, unlike those of PyTorch's padding. auto_pad VALID means no pads.",
        (
            _onnx("strides=[2], pads=[1, 2]", 7, 5, "7 to 14 by the window of SAME: (1, 2)"),
            _onnx("strides=[2], pads=[1, 1], output_padding=[1]", 3, 3, "output_padding reveals what the end cut"),
        ),
    ),
    Law(
        "auto-pad",
        "ONNX's auto_pad: the excess over i*s is halved, the odd one cut at the end by SAME_UPPER",
        "t = max(full + op - i*s, 0), lo = t // 2 or ceil(t / 2), hi = t - lo - op",
        "SAME_UPPER is TensorFlow's SAME wherever the stamp is longer than i*s. It does not extend a "
        "shorter stamp; TensorFlow appends zeros up to i*s.",
        (
            _onnx('strides=[2], auto_pad="SAME_UPPER"', 7, 5, "7 to 14 crops (1, 2), as TensorFlow's SAME"),
            _onnx('strides=[2], auto_pad="SAME_LOWER"', 7, 5, "SAME_LOWER crops (2, 1)"),
        ),
    ),
    Law(
        "output-shape",
        "ONNX's output_shape: the excess over it is halved, the odd one cut at the beginning",
        "t = max(full + op - out, 0), lo = ceil(t / 2), with SAME_UPPER t // 2, hi = full - out - lo",
        "pads are ignored. If output_shape is beyond the stamp, zeros are added at the end.",
        (
            _onnx("strides=[2], output_shape=[14]", 7, 5, "7 to 14 crops (2, 1), one place off TensorFlow's SAME"),
            _onnx('strides=[2], output_shape=[14], auto_pad="SAME_UPPER"', 7, 5, "with SAME_UPPER it crops (1, 2)"),
        ),
    ),
    Law(
        "upsampling",
        "Bilinear UpSampling by f",
        "k = 2*f - f % 2, s = f, p = ceil((f - 1) / 2): lo = hi = p",
        "A transposed convolution with one group a channel.",
        (
            Witness(
                "mxnet",
                'mxnet.nd.UpSampling(x, w, scale=2, sample_type="bilinear", num_filter=1)',
                {"x": (1, 1, 2, 3), "w": (1, 1, 4, 4)},
                "a factor of 2 gives kernel 4, stride 2, padding 1: 3 to 6",
            ),
        ),
    ),
)
BY_ID: Mapping[str, Law] = {law.id: law for law in LAWS}


def examples(framework: str) -> list[Example]:
    """The witnesses of a framework, to be run like any example."""
    return [
        Example(witness.text, witness.shapes)
        for law in LAWS
        for witness in law.witnesses
        if witness.framework == framework
    ]
