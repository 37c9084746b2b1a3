"""Keras' ordinary convolutions, poolings and resizings, and tf.nn's poolings, by their sizes."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from conformance.idioms.base import Refusal, Use
from conformance.idioms.names.meanings import AFTER, LABEL, TRAINING, VALUES
from conformance.idioms.ordinary.base import SizedLayer, SizeLaw, same_law, scaled, sized_layer, texts, window_law
from conformance.problem import Ints

KERAS, TF = ("import keras",), ("import tensorflow as tf",)
AXES = {"data_format": "which axis has the channels"}
MODE = "of values alone"
SHAPE = "the sizes are given"


def _named(padding: Any, kernel: Ints, stride: Ints, dilation: Ints = ()) -> SizeLaw:
    """SAME, and causal: ceil(in / s); VALID: floor((in - ke) / s) + 1."""
    name = padding.lower() if isinstance(padding, str) else padding
    if name not in ("same", "valid", "causal"):
        raise Refusal(f'padding is {padding!r}: it takes "valid" or "same"')
    if name != "valid":
        return same_law(stride)
    return window_law(kernel, stride, ((0, 0),) * len(kernel), dilation)


def _convolution(use: Use) -> SizeLaw:
    """SAME: ceil(in / s); VALID: floor((in - d*(k - 1) - 1) / s) + 1. Strides and dilations do not go together."""
    kernel, stride, dilation = (use.per_axis(name) for name in ("kernel_size", "strides", "dilation_rate"))
    if max(stride) > 1 and max(dilation) > 1:
        raise Refusal("a stride above 1 together with a dilation above 1")
    if use["padding"] == "causal" and use.rank > 1:
        raise Refusal("padding 'causal' is of one axis alone")
    return _named(use["padding"], kernel, stride, dilation)


def _pooling(use: Use) -> SizeLaw:
    kernel = use.per_axis("pool_size")
    return _named(use["padding"], kernel, kernel if use["strides"] is None else use.per_axis("strides"))


def _function(use: Use) -> SizeLaw:
    """As a layer of pooling; the window and the strides have one number, one an axis, or ones around those."""
    return _named(use["padding"], _spatial(use, "ksize"), _spatial(use, "strides"))


def _spatial(use: Use, name: str) -> Ints:
    value = use[name]
    whole = isinstance(value, list | tuple) and all(isinstance(number, int) for number in value)
    if whole and len(value) == 1:
        return tuple(value) * use.rank
    return tuple(value[1:-1]) if whole and len(value) == use.rank + 2 else use.per_axis(name)


def _upsampling(use: Use) -> SizeLaw:
    factors = use.per_axis("size")
    return scaled(lambda axis, extent: factors[axis] * extent, factors)


def _bordered(use: Use, name: str, sign: int) -> SizeLaw:
    """Rows more, or fewer, at both ends: a number for all, one an axis, or a pair an axis."""
    value = use[name]
    pairs = [(value, value)] * use.rank if isinstance(value, int) else list(value)
    if use.rank == 1 and len(pairs) == 2 and all(isinstance(end, int) for end in pairs):
        pairs = [tuple(pairs)]
    ends = [(end, end) if isinstance(end, int) else tuple(end) for end in pairs]
    if len(ends) != use.rank or not all(len(pair) == 2 and all(isinstance(end, int) for end in pair) for pair in ends):
        raise Refusal(f"{name} is {value!r}: it takes a number, or a pair for each of {use.rank} axes")

    def of(axis: int, extent: int) -> int:
        out: int = extent + sign * sum(ends[axis])
        if out < 1:
            raise Refusal(f"nothing is left of {extent}: {name} is {value!r}")
        return out

    return SizeLaw(of, "level")


COMMON = {
    **AXES, "activation": AFTER, "use_bias": MODE, "kernel_initializer": VALUES,
    "bias_initializer": VALUES, "kernel_regularizer": TRAINING, "bias_regularizer": TRAINING,
    "activity_regularizer": TRAINING, "kernel_constraint": TRAINING, "bias_constraint": TRAINING, "name": LABEL,
    "trainable": TRAINING, "groups": MODE, "input_shape": SHAPE, "dtype": MODE,
}  # fmt: skip
ENDS = (
    "activation=None, use_bias=True, kernel_initializer=None, bias_initializer=None, kernel_regularizer=None, "
    "bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None, name=None, "
    "trainable=True, input_shape=None, dtype=None"
)


def _run(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", f"y = layer({outer})"]


def _layer(id: str, name: str, ranks: Sequence[int], signature: str, **rest: Any) -> SizedLayer:
    functions = {rank: f"keras.layers.{name.format(rank)}" for rank in ranks}
    return sized_layer(id, functions, signature, imports=KERAS, outer="inputs", tensors={"x": "inputs"}, data="n k c",
                       program=_run, **rest)  # fmt: skip


def _conv_examples() -> Iterator[str]:
    yield from texts("keras.layers.Conv1D", ["4"], ["1", "2", "3", "5"], ["", "strides=2", "strides=3"],
                     ["", "padding='same'", "padding='causal'"], ["", "dilation_rate=2"])  # fmt: skip
    yield "keras.layers.Conv2D(4, (3, 2), strides=(2, 1), padding='same', activation='relu')"
    yield "keras.layers.Conv3D(4, 3, strides=2)"


def _pool_examples(name: str) -> Iterator[str]:
    for rank in (1, 2):
        yield from texts(f"keras.layers.{name}{rank}D", ["2", "3", "4"], ["", "strides=2", "strides=3"],
                         ["", "padding='same'"])  # fmt: skip


def _pool_layers() -> Iterator[SizedLayer]:
    for name, size in (("MaxPooling", "=2"), ("AveragePooling", ""), ("MaxPool", "=2"), ("AvgPool", "")):
        yield _layer(
            f"keras-{name.lower()}", f"{name}{{}}D", (1, 2, 3),
            f"pool_size{size}, strides=None, padding='valid', data_format=None, name=None, input_shape=None",
            law=_pooling, fatal=True,
            examples=partial(_pool_examples, name), aside={**AXES, "name": LABEL, "input_shape": SHAPE},
        )  # fmt: skip


def _functions() -> Iterator[SizedLayer]:
    for name in ("max_pool", "avg_pool"):
        calls = ("2d(x, 3, 2, 'SAME')", "1d(x, 2, 2, 'VALID')", "2d(x, [1, 2, 2, 1], [1, 2, 2, 1], 'VALID')")
        yield sized_layer(
            f"tf-{name.replace('_', '-')}", {rank: f"tf.nn.{name}{rank}d" for rank in (1, 2, 3)},
            "input, ksize, strides, padding, data_format=None, name=None", imports=TF, law=_function, fatal=True,
            data="n k c", tensors={"x": "input"}, examples=partial(iter, [f"tf.nn.{name}{call}" for call in calls]),
            aside={**AXES, "name": LABEL},
        )  # fmt: skip


KEEPS = frozenset({
    "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "BatchNormalization", "LayerNormalization",
    "GroupNormalization", "UnitNormalization", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Input", "InputLayer", "Rescaling",
})  # fmt: skip
"""Layers that keep the extents of every input."""

LAYERS = (
    _layer("keras-convolution", "Conv{}D", (1, 2, 3),
           f"filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, groups=1, {ENDS}",
           law=_convolution, examples=_conv_examples, aside=COMMON),
    _layer("keras-separable-convolution", "SeparableConv{}D", (1, 2),
           "filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, depth_multiplier=1, "
           f"{ENDS}", law=_convolution, aside={**COMMON, "depth_multiplier": MODE},
           examples=lambda: iter(["keras.layers.SeparableConv2D(4, 3, strides=2, padding='same')"])),
    _layer("keras-depthwise-convolution", "DepthwiseConv{}D", (1, 2),
           "kernel_size, strides=1, padding='valid', depth_multiplier=1, data_format=None, dilation_rate=1, "
           f"depthwise_initializer=None, {ENDS}", law=_convolution,
           aside={**COMMON, "depth_multiplier": MODE, "depthwise_initializer": VALUES},
           examples=lambda: iter(["keras.layers.DepthwiseConv2D(3, strides=2)"])),
    *_pool_layers(),
    *_functions(),
    _layer("keras-upsampling", "UpSampling{}D", (1, 2, 3),
           "size=2, data_format=None, interpolation='nearest', name=None", law=_upsampling,
           aside={**AXES, "interpolation": MODE, "name": LABEL},
           examples=lambda: iter(["keras.layers.UpSampling2D((2, 3))", "keras.layers.UpSampling1D(3)"])),
    _layer("keras-zero-padding", "ZeroPadding{}D", (1, 2, 3), "padding=1, data_format=None, name=None",
           law=lambda use: _bordered(use, "padding", 1), aside={**AXES, "name": LABEL},
           examples=lambda: iter(["keras.layers.ZeroPadding2D(((1, 0), (2, 1)))", "keras.layers.ZeroPadding1D((1, 2))",
                                  "keras.layers.ZeroPadding2D((1, 2))"])),
    _layer("keras-cropping", "Cropping{}D", (1, 2, 3), "cropping=1, data_format=None, name=None",
           law=lambda use: _bordered(use, "cropping", -1), aside={**AXES, "name": LABEL},
           examples=lambda: iter(["keras.layers.Cropping2D(((1, 0), (2, 1)))", "keras.layers.Cropping1D((1, 2))"])),
)  # fmt: skip
