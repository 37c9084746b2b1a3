"""Libraries whose functions are not read here: whose they are, and what says the same in a framework that is read."""

import ast
from collections.abc import Mapping

OWNERS = {
    "paddle": "PaddlePaddle", "mlx": "MLX", "snt": "Sonnet", "sonnet": "Sonnet", "slim": "TF-Slim",
    "tf_slim": "TF-Slim", "tflearn": "TFLearn", "hk": "Haiku", "haiku": "Haiku", "eqx": "Equinox",
    "equinox": "Equinox", "objax": "Objax", "chainer": "Chainer", "oneflow": "OneFlow", "flow": "OneFlow",
    "mindspore": "MindSpore", "jittor": "Jittor", "jt": "Jittor", "tinygrad": "tinygrad", "megengine": "MegEngine",
    "tl": "TensorLayer", "tensorlayer": "TensorLayer", "stax": "JAX's stax", "cntk": "CNTK",
    "lasagne": "Lasagne", "theano": "Theano", "caffe": "Caffe", "spconv": "spconv",
}  # fmt: skip
"""Whose function it is that no framework here has, by a part of its dotted name."""

COUNTERPARTS = {
    "Haiku": "without output_shape it calls jax.lax.conv_transpose(x, w, stride, padding), with padding='SAME' where "
             "none is given: flax.linen.ConvTranspose(features, kernel_size, strides, padding) has its window and its "
             "order of taps",
    "Equinox": "where padding is whole numbers, torch.nn.ConvTranspose of the same arguments has its window; its taps "
               "are reversed, and its data has no batch",
    "Sonnet": "with padding='SAME', which is its default, and without output_shape, "
              "keras.layers.ConvNDTranspose(filters, kernel_size, strides, padding='same') has its window",
}  # fmt: skip
"""What has the same window in a framework that is read, by the source of the library."""

SLIM = "inputs", "num_outputs", "kernel_size", "stride", "padding", "data_format", "activation_fn"
"""The first parameters of the functions of TF-Slim and tf.contrib.layers."""
QUOTES = "'", '"'
REMOVED = "tf.contrib.", "tensorflow.contrib."


def of_slim(name: str, call: ast.Call | None) -> str:
    """Why a function of TF-Slim or tf.contrib is not read, with the Keras layer for it; empty for any other."""
    removed = name.startswith(REMOVED)
    if not removed and OWNERS.get(name.partition(".")[0]) != "TF-Slim":
        return ""
    whose = "tf.contrib was removed with TensorFlow 2" if removed else "it is TF-Slim's, which is not read here"
    if "transpose" not in name or call is None:
        return f"{name}: {whose}"
    rank = 3 if "3d" in name else 2
    return (f"{name}: {whose}: give {_as_keras(rank, call)}, which is the same call unless arg_scope or normalizer_fn "
            "changes it")  # fmt: skip


def _as_keras(rank: int, call: ast.Call) -> str:
    """The layer for a function of TF-Slim, whose padding is SAME and whose activation is ReLU where it says neither."""
    given = dict(zip(SLIM, map(ast.unparse, call.args), strict=False))
    given |= {str(word.arg): ast.unparse(word.value) for word in call.keywords}
    words = [given.get("num_outputs", "filters"), given.get("kernel_size", "kernel_size")]
    words += [f"strides={given['stride']}"] if given.get("stride", "1") != "1" else []
    words += [_padding(given.get("padding", "'SAME'")), *_activation(given)]
    channels_first = given.get("data_format", "").strip("'\"").startswith("NC")
    words += ["data_format='channels_first'"] if channels_first else []
    return f"keras.layers.Conv{rank}DTranspose({', '.join(words)})"


def _padding(text: str) -> str:
    """A literal padding in the lower case that Keras takes; any other expression as it is."""
    return f"padding={text.lower() if text.startswith(QUOTES) else text}"


def _activation(given: Mapping[str, str]) -> list[str]:
    function = given.get("activation_fn", "'relu'")
    return [] if function == "None" else [f"activation={function}"]
