"""TensorFlow's idioms: tf.nn in `_tf_nn`, with its grid in `_tf_examples`, Keras in `_keras`, and TensorFlow Lite's
operators in `_tflite`.

Data is N*C, or NC* if asked for; the weight k o (g i), kernel as stored. conv3d_transpose without batch and channels
in its output_shape ends the process where oneDNN is on: such sizes are refused here before they are tried.
"""

from collections.abc import Mapping
from typing import Any

from conformance.idioms._words import Words, channels_last
from conformance.idioms.base import DTYPES, HALVES, Copied, Dialect, Idiom, Spelling, Widths
from conformance.idioms.catalogue import _keras, _tf_examples, _tf_nn, _tflite
from conformance.idioms.catalogue._tf import WEIGHT, distinct
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import EFFORT, LABEL


def _pad(name: str, widths: Widths) -> str:
    return write("tf.pad", Name(name), [list(ends) for ends in widths])


DIALECT = Dialect(
    imports=("import tensorflow as tf",),
    tensor="tf.constant({})",
    array="{}.numpy()",
    pad=_pad,
    concat=lambda parts, axis: f"tf.concat({parts}, {axis})",
    batch="tf.shape(x)[0]",
    kernels={"": (*HALVES, *DTYPES, "int32")},
    bfloat16=("tf.cast({}, tf.bfloat16)", "tf.cast({}, tf.float32)"),
    modules={
        "tf": ("tensorflow",),
        "tf.nn": ("tensorflow.nn", "tf.compat.v1.nn", "tensorflow.compat.v1.nn", "tf.compat.v2.nn"),
        "tf.compat.v1.nn": ("tf.nn", "tensorflow.nn", "tensorflow.compat.v1.nn"),
        "tf.compat.v1.layers": ("tf.layers", "tensorflow.layers", "tensorflow.compat.v1.layers"),
        "keras.layers": (
            "tf.keras.layers",
            "tensorflow.keras.layers",
            "tensorflow.python.keras.layers",
            "L",
            "KL",
            "kl",
            "tfl",
            "tfkl",
            "keras.layers.convolutional",
            "tf.compat.v1.keras.layers",
            "tensorflow.compat.v1.keras.layers",
            "tf_keras.layers",
        ),
        "keras.backend": ("K", "tf.keras.backend", "tensorflow.keras.backend", "backend"),
        "keras.ops": ("ops",),
    },
    roots=("tensorflow", "tf", "keras", "tfl"),
    arrays="tf",
    native=lambda name: f"tf.nn.{name.removesuffix('_v2')}",
)

WORDS = Words(
    _tf_nn.unchecked, channels_last, "n k c", {"tf": "tensorflow"},
    functions=frozenset({
        *(f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)), "tf.function",
        "tf.raw_ops.Conv2DBackpropInput", "tf.raw_ops.Conv3DBackpropInputV2",
    }),
    gradient=(
        "with tf.GradientTape() as tape:",
        "    tape.watch({operand})",
        "    y = {call}",
        "y = tape.gradient(y, {operand}, g)",
    ),
    biased="tf.nn.bias_add({}, b)",
)  # fmt: skip


def _nn(id: str, functions: Mapping[int, str], **rest: Any) -> Idiom:
    return Idiom(
        id=id, functions=functions,
        signature="input, filters, output_shape, strides, padding='SAME', data_format=None, dilations=None, name=None",
        tensors={"x": "input", "w": "filters"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",),
        aside={"name": LABEL}, **rest,
    )  # fmt: skip


def _upper(name: str, value: Any) -> Any:
    """Padding in capitals, as tf.nn has it; a bytes literal as the string that it holds; channels last as the default
    that it is; and a batch of None, which is that of x, as TensorFlow says it."""
    value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if name == "output_shape" and isinstance(value, list | tuple) and value and value[0] is None:
        return type(value)((Name("tf.shape(x)[0]"), *value[1:]))
    if name == "data_format" and value == "channels_last":
        return None
    return value.upper() if name == "padding" and isinstance(value, str) else value


def _plain(name: str, value: Any) -> Any:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


OLDER = (
    Spelling(
        functions={rank: f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)},
        signature="value=None, filter=None, output_shape=None, strides=None, padding='SAME', data_format=None, "
                  "name=None, input=None, filters=None, dilations=None",
        names={"value": "input", "filter": "filters"}, values=_plain,
    ),
    Spelling(
        functions={2: "keras.backend.conv2d_transpose", 3: "keras.backend.conv3d_transpose"},
        signature="x, kernel, output_shape, strides=1, padding='valid', data_format=None, dilation_rate=None",
        names={"x": "input", "kernel": "filters", "dilation_rate": "dilations"}, values=_upper,
    ),
)  # fmt: skip
"""TensorFlow 1's names of the arguments, and Keras' older function."""


IDIOMS = (
    _nn("tf-nn", {rank: f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)},
        read=_tf_nn.read, say=_tf_nn.say, reach=_tf_nn.reach,
        examples=lambda: distinct(_tf_examples.examples()), spellings=OLDER,
        copied=Copied("function", pairs="all")),
    *_keras.IDIOMS,
    _nn("tf-nn-rank-free", dict.fromkeys((1, 2, 3), "tf.nn.conv_transpose"),
        read=_tf_nn.read_rank_free, say=_tf_nn.say_rank_free, reach=_tf_nn.reach_rank_free,
        examples=lambda: distinct(_tf_examples.rank_free_examples())),
    Idiom(
        id="tf-backprop-input",
        functions={2: "tf.compat.v1.nn.conv2d_backprop_input"},
        signature="input_sizes, filter=None, out_backprop=None, strides=None, padding=None, use_cudnn_on_gpu=True, "
                  "data_format='NHWC', dilations=[1, 1, 1, 1], name=None, filters=None",
        tensors={"x": "out_backprop", "w": "filter"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",),
        aside={"use_cudnn_on_gpu": EFFORT, "name": LABEL}, only={"filters": (None,)},
        read=_tf_nn.read_gradient, reach=_tf_nn.reach_gradient,
        examples=lambda: distinct(_tf_examples.gradient_examples()),
    ),
    Idiom(
        id="tf-atrous",
        functions={2: "tf.nn.atrous_conv2d_transpose"},
        signature="value, filters, output_shape, rate, padding, name=None",
        tensors={"x": "value", "w": "filters"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",),
        aside={"name": LABEL}, read=_tf_nn.read_atrous, reach=_tf_nn.reach_atrous,
        examples=lambda: distinct(_tf_examples.atrous_examples()),
    ),
    *_tflite.IDIOMS,
)  # fmt: skip
