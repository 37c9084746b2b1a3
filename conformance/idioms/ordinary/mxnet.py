"""MXNet's ordinary convolutions and poolings, by their sizes."""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance.idioms.base import Refusal, Use
from conformance.idioms.names.meanings import AFTER, EFFORT, LABEL, VALUES
from conformance.idioms.ordinary.base import SizedLayer, SizeLaw, equal_pads, sized_layer, texts, window_law

MODULE = ("import mxnet",)
MODE = "of values alone"
LAYOUT = "which axis has the channels"


def _convolution(use: Use) -> SizeLaw:
    """floor((in + 2p - d*(k - 1) - 1) / s) + 1."""
    kernel, stride, dilation = (use.per_axis(name) for name in ("kernel_size", "strides", "dilation"))
    return window_law(kernel, stride, equal_pads(use.per_axis("padding")), dilation)


def _operator(use: Use) -> SizeLaw:
    kernel, stride, dilation = use.per_axis("kernel"), use.per_axis("stride", 1), use.per_axis("dilate", 1)
    return window_law(kernel, stride, equal_pads(use.per_axis("pad", 0)), dilation)


def _pooling(use: Use) -> SizeLaw:
    """As a convolution; with ceil_mode rounded up, a last window behind the input included."""
    kernel = use.per_axis("pool_size")
    stride = kernel if use["strides"] is None else use.per_axis("strides")
    return _pooled(use, "padding", kernel, stride, up=bool(use["ceil_mode"]))


def _pooling_operator(use: Use) -> SizeLaw:
    """As a layer's, but with a stride of 1 where none is given; pooling_convention 'full' rounds up."""
    if use["global_pool"]:
        return SizeLaw(lambda axis, extent: 1, "down", 0)
    convention = use["pooling_convention"]
    if convention not in ("valid", "full"):
        raise Refusal(f"pooling_convention is {convention!r}: it takes 'valid' or 'full' here")
    return _pooled(use, "pad", use.per_axis("kernel"), use.per_axis("stride", 1), up=convention == "full")


def _pooled(use: Use, name: str, kernel: tuple[int, ...], stride: tuple[int, ...], *, up: bool) -> SizeLaw:
    pads = use.per_axis(name, 0)
    if any(pad >= k for pad, k in zip(pads, kernel, strict=True)):
        raise Refusal(f"{name} {pads} is not less than the kernel {kernel}: nothing is claimed of it")
    law = window_law(kernel, stride, equal_pads(pads), up=up)

    def of(axis: int, extent: int) -> int:
        if extent + 2 * pads[axis] < kernel[axis]:
            raise Refusal(f"the kernel of {kernel[axis]} is larger than the input of {extent} with its padding")
        return law.of(axis, extent)

    return SizeLaw(of, law.kind, law.factor)


def _run(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", "layer.initialize()", f"y = layer({outer})"]


def _layer(id: str, name: str, signature: str, **rest: Any) -> SizedLayer:
    functions = {rank: f"mxnet.gluon.nn.{name}{rank}D" for rank in (1, 2, 3)}
    return sized_layer(id, functions, signature, imports=MODULE, outer="x", tensors={"x": "x"}, program=_run, **rest)


def _conv_examples() -> Iterator[str]:
    yield from texts("mxnet.gluon.nn.Conv1D", ["4"], ["1", "2", "3", "5"], ["", "strides=2", "strides=3"],
                     ["", "padding=1", "padding=2"], ["", "dilation=2"])  # fmt: skip
    yield "mxnet.gluon.nn.Conv2D(4, (3, 2), strides=(2, 1), padding=(1, 0), activation='relu')"


def _pool_examples(name: str) -> Iterator[str]:
    for rank in (1, 2):
        yield from texts(f"mxnet.gluon.nn.{name}{rank}D", ["", "3", "4"], ["", "strides=2", "strides=3"],
                         ["", "padding=1"], ["", "ceil_mode=True"])  # fmt: skip


def _operator_examples() -> Iterator[str]:
    yield from texts("mxnet.nd.Pooling", ["x"], ["kernel=(2,)", "kernel=(3,)"], ["", "stride=(2,)"],
                     ["pool_type='max'"], ["", "pad=(1,)"], ["", "pooling_convention='full'"])  # fmt: skip
    yield "mxnet.nd.Pooling(x, kernel=(2, 3), stride=(2, 2), pool_type='avg')"
    yield "mxnet.nd.Pooling(x, global_pool=True, kernel=(2,), pool_type='max')"


POOL = "pool_size=2, strides=None, padding=0, layout=None, ceil_mode=False"
KEEPS = frozenset({
    "Activation", "LeakyReLU", "PReLU", "ELU", "SELU", "GELU", "Swish", "SiLU", "BatchNorm", "InstanceNorm",
    "LayerNorm", "GroupNorm", "Dropout", "Identity",
})  # fmt: skip
"""Layers that keep the extents of every input."""

LAYERS = (
    _layer("gluon-convolution", "Conv",
           "channels, kernel_size, strides=1, padding=0, dilation=1, groups=1, layout=None, activation=None, "
           "use_bias=True, weight_initializer=None, bias_initializer='zeros', in_channels=0, prefix=None, params=None",
           law=_convolution, examples=_conv_examples,
           aside={"groups": MODE, "layout": LAYOUT, "activation": AFTER, "use_bias": MODE, "weight_initializer": VALUES,
                  "bias_initializer": VALUES, "in_channels": MODE, "prefix": LABEL, "params": VALUES}),
    _layer("gluon-max-pooling", "MaxPool", POOL, law=_pooling, examples=lambda: _pool_examples("MaxPool"),
           aside={"layout": LAYOUT}),
    _layer("gluon-average-pooling", "AvgPool", f"{POOL}, count_include_pad=True", law=_pooling,
           examples=lambda: _pool_examples("AvgPool"), aside={"layout": LAYOUT, "count_include_pad": MODE}),
    sized_layer("mx-convolution", dict.fromkeys((1, 2, 3), "mxnet.nd.Convolution"),
                "data, weight=None, bias=None, kernel=None, stride=1, dilate=1, pad=None, num_filter=None, "
                "num_group=1, workspace=1024, no_bias=False, cudnn_tune=None, cudnn_off=False, layout=None, name=None",
                law=_operator, examples=lambda: iter(()), imports=MODULE, tensors={"x": "data"},
                aside={"weight": VALUES, "bias": VALUES, "num_filter": MODE, "num_group": MODE, "workspace": EFFORT,
                       "no_bias": MODE, "cudnn_tune": EFFORT, "cudnn_off": EFFORT, "layout": LAYOUT, "name": LABEL}),
    sized_layer("mx-pooling", dict.fromkeys((1, 2, 3), "mxnet.nd.Pooling"),
                "data, kernel=None, pool_type='max', global_pool=False, cudnn_off=False, pooling_convention='valid', "
                "stride=1, pad=None, p_value=None, count_include_pad=None, layout=None, name=None",
                law=_pooling_operator, examples=_operator_examples, imports=MODULE, tensors={"x": "data"},
                aside={"pool_type": MODE, "cudnn_off": EFFORT, "p_value": MODE, "count_include_pad": MODE,
                       "layout": LAYOUT, "name": LABEL}),
)  # fmt: skip
