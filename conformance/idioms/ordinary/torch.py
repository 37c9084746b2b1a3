"""PyTorch's ordinary convolutions, poolings and resizings, by their sizes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.idioms.base import Refusal, Spelling, Use
from conformance.idioms.expression import Name
from conformance.idioms.names.meanings import EFFORT, PLACE
from conformance.idioms.ordinary.base import SizedLayer, SizeLaw, equal_pads, scaled, sized_layer, texts, window_law
from conformance.problem import Ints

MODULE = ("import torch",)
POOL = "kernel_size, stride=None, padding=0"
MODE = "of values alone"
CONVOLUTION = ("out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros', "
               "device=None, dtype=None")  # fmt: skip
LAZY = Spelling(
    functions={rank: f"torch.nn.LazyConv{rank}d" for rank in (1, 2, 3)}, signature=CONVOLUTION, of_x="in_channels"
)


def _per_axis(use: Use, name: str, default: Ints | None = None) -> Ints:
    """An argument of one number an axis; an empty or absent one is the default."""
    value = use.arguments.get(name)
    return default if default is not None and value in (None, (), []) else use.per_axis(name)


def _convolution(use: Use) -> SizeLaw:
    """floor((in + 2p - d*(k - 1) - 1) / s) + 1; "same" keeps the extent and takes no stride."""
    kernel, stride, dilation = (use.per_axis(name) for name in ("kernel_size", "stride", "dilation"))
    padding = use["padding"]
    if padding == "same":
        if max(stride) > 1:
            raise Refusal("padding 'same' needs stride 1")
        return SizeLaw(lambda axis, extent: extent, "level")
    if isinstance(padding, str) and padding != "valid":
        raise Refusal(f"padding is {padding!r}: the strings are 'same' and 'valid'")
    pads = (0,) * use.rank if padding == "valid" else use.per_axis("padding")
    return window_law(kernel, stride, equal_pads(pads), dilation)


def _pooling(use: Use) -> SizeLaw:
    """As a convolution; with ceil_mode rounded up, but for a last window that begins behind the input."""
    kernel = use.per_axis("kernel_size")
    stride, padding = _per_axis(use, "stride", kernel), _per_axis(use, "padding", (0,) * use.rank)
    dilation = _per_axis(use, "dilation", (1,) * use.rank)
    if any(2 * pad > k for pad, k in zip(padding, kernel, strict=True)):
        raise Refusal(f"padding {padding} is more than half of the kernel {kernel}")
    return window_law(kernel, stride, equal_pads(padding), dilation, up=bool(use["ceil_mode"]), inside=True)


def _average_pooling(use: Use) -> SizeLaw:
    """As a maximum's, but in 3-D no input is taken that is smaller than the kernel, padding or not."""
    law, kernel = _pooling(use), use.per_axis("kernel_size")

    def of(axis: int, extent: int) -> int:
        if use.rank == 3 and extent < kernel[axis]:
            raise Refusal(f"the input of {extent} is smaller than the kernel of {kernel[axis]}, which 3-D refuses")
        return law.of(axis, extent)

    return SizeLaw(of, law.kind, law.factor)


def _fixed(use: Use) -> SizeLaw:
    """The extents of the answer are given; None keeps an axis."""
    size = use["output_size"]
    sizes = tuple(size) if isinstance(size, list | tuple) else (size,) * use.rank
    if len(sizes) != use.rank or not all(extent is None or isinstance(extent, int) for extent in sizes):
        raise Refusal(f"output_size is {size!r}: it takes {use.rank} extents")
    return SizeLaw(lambda axis, extent: extent if sizes[axis] is None else int(sizes[axis]), "down", 0)


def _upsampling(use: Use) -> SizeLaw:
    """floor(in * scale_factor), or `size`."""
    size, factor = use["size"], use["scale_factor"]
    if (size is None) == (factor is None):
        raise Refusal("one of size and scale_factor is given")
    if size is not None:
        sizes = use.per_axis("size")
        return SizeLaw(lambda axis, extent: sizes[axis], "up", 0)
    factors = tuple(factor) if isinstance(factor, list | tuple) else (factor,) * use.rank
    if len(factors) != use.rank or not all(isinstance(number, int | float) and number > 0 for number in factors):
        raise Refusal(f"scale_factor is {factor!r}: it takes {use.rank} numbers")
    return scaled(lambda axis, extent: _whole(extent * factors[axis]), factors)


def _whole(extent: float) -> int:
    if extent < 1:
        raise Refusal("nothing is left of the input")
    return int(extent)


def _shuffle(use: Use) -> SizeLaw:
    factor = use["upscale_factor"]
    if isinstance(factor, Name) or not isinstance(factor, int) or factor < 1:
        raise Refusal(f"upscale_factor is {factor!r}: it takes a whole number")
    return scaled(lambda axis, extent: factor * extent, (factor, factor))


REACH = {"reflect": 1, "circular": 0}
"""By how much less than the input's extent a padding of a mode is at most."""


def _padding(use: Use) -> SizeLaw:
    """Rows more at both ends, or fewer where they are negative; the pairs begin with the last axis."""
    return _bordered(use, "padding", "constant")


def _reflection(use: Use) -> SizeLaw:
    return _bordered(use, "padding", "reflect")


def _circular(use: Use) -> SizeLaw:
    return _bordered(use, "padding", "circular")


def _pad(use: Use) -> SizeLaw:
    """As the layers; of fewer pairs than axes, the first axes are kept."""
    return _bordered(use, "pad", str(use["mode"]))


def _bordered(use: Use, name: str, mode: str) -> SizeLaw:
    value = use[name]
    ends = (
        [value] * (2 * use.rank) if isinstance(value, int) else list(value) if isinstance(value, list | tuple) else []
    )
    if len(ends) % 2 or not 0 < len(ends) <= 2 * use.rank or not all(isinstance(end, int) for end in ends):
        raise Refusal(f"{name} is {value!r}: it takes a pair for each of {use.rank} axes")
    pairs = [(0, 0)] * (use.rank - len(ends) // 2) + [*zip(ends[::2], ends[1::2], strict=True)][::-1]

    def of(axis: int, extent: int) -> int:
        if mode in REACH and max(pairs[axis]) > extent - REACH[mode]:
            raise Refusal(f"{name} {pairs[axis]} is more than the input of {extent} has for it")
        if (out := extent + sum(pairs[axis])) < 1:
            raise Refusal(f"nothing is left of {extent}: {name} is {value!r}")
        return out

    return SizeLaw(of, "level")


def _pad_layers() -> Iterator[SizedLayer]:
    for name, signature, law in (
        ("ZeroPad", "padding", _padding), ("ConstantPad", "padding, value", _padding),
        ("ReplicationPad", "padding", _padding), ("ReflectionPad", "padding", _reflection),
        ("CircularPad", "padding", _circular),
    ):  # fmt: skip
        value = ", 0.5" if "value" in signature else ""
        calls = [f"torch.nn.{name}1d({padding}{value})" for padding in ("1", "(1, 2)", "(2, 0)")]
        calls += [f"torch.nn.{name}2d((1, 0, 2, 1){value})", f"torch.nn.{name}3d(1{value})"]
        yield _layer(f"torch-{name.lower()}", name, signature, law=law, examples=partial(iter, calls), program=_run,
                     aside={"value": MODE} if value else {})  # fmt: skip


def _conv_examples() -> Iterator[str]:
    yield from texts("torch.nn.Conv1d", ["4, 4"], ["1", "2", "3", "5"], ["", "stride=2", "stride=3"],
                     ["", "padding=1", "padding=2", "padding='same'", "padding='valid'"],
                     ["", "dilation=2"])  # fmt: skip
    yield "torch.nn.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(1, 0))"
    yield "torch.nn.Conv3d(4, 4, 3, padding=1, groups=2, padding_mode='replicate')"


def _pool_examples(name: str, dilated: bool) -> Iterator[str]:
    for rank in (1, 2, 3):
        kernels = ["2", "3", "4"] if rank == 1 else ["3", f"{(3, 2, 2)[:rank]}"]
        yield from texts(f"torch.nn.{name}{rank}d", kernels, ["", "stride=2", "stride=3"], ["", "padding=1"],
                         ["", "ceil_mode=True"], ["", "dilation=2"] if dilated else [""])  # fmt: skip


def _resize_examples() -> Iterator[str]:
    for words in ("scale_factor=2", "scale_factor=1.5", "scale_factor=0.5", "7", "scale_factor=2, mode='linear'"):
        yield f"torch.nn.Upsample({words})"


def _layer(id: str, name: str, signature: str, **rest: Any) -> SizedLayer:
    functions = {rank: f"torch.nn.{name}{rank}d" for rank in (1, 2, 3)}
    return sized_layer(id, functions, signature, imports=MODULE, outer="input", tensors={"x": "input"}, **rest)


def _run(call: str, outer: str, bias: bool) -> list[str]:
    return [f"layer = {call}", f"y = layer({outer})"]


def _functional(id: str, name: str, signature: str, **rest: Any) -> SizedLayer:
    functions = {rank: f"torch.nn.functional.{name}{rank}d" for rank in (1, 2, 3)}
    examples = [f"torch.nn.functional.{name}2d(x, 3, 2, ceil_mode=True)", f"torch.nn.functional.{name}1d(x, 2)"]
    return sized_layer(id, functions, f"input, {signature}", imports=MODULE, tensors={"x": "input"},
                       examples=lambda: iter(examples), **rest)  # fmt: skip


KEEPS = frozenset({
    "ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh",
    "Softmax", "Softmax2d", "LogSoftmax", "Softplus", "Softsign", "Hardtanh", "Hardswish", "Hardsigmoid", "Identity",
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "GroupNorm", "LayerNorm", "LocalResponseNorm",
    "SyncBatchNorm",
})  # fmt: skip
"""Layers that keep the extents of every input."""

LAYERS = (
    _layer("torch-convolution", "Conv", f"in_channels, {CONVOLUTION}", spellings=(LAZY,),
           law=_convolution, examples=_conv_examples, program=_run, aside={"padding_mode": MODE, "device": PLACE}),
    _layer("torch-max-pooling", "MaxPool", f"{POOL}, dilation=1, return_indices=False, ceil_mode=False",
           law=_pooling, examples=lambda: _pool_examples("MaxPool", True), program=_run),
    _layer("torch-average-pooling", "AvgPool",
           f"{POOL}, ceil_mode=False, count_include_pad=True, divisor_override=None",
           law=_average_pooling, examples=lambda: _pool_examples("AvgPool", False), program=_run,
           aside={"count_include_pad": MODE, "divisor_override": MODE}),
    _functional("torch-max-pooling-function", "max_pool", f"{POOL}, dilation=1, ceil_mode=False, return_indices=False",
                law=_pooling),
    _functional("torch-average-pooling-function", "avg_pool", f"{POOL}, ceil_mode=False, count_include_pad=True",
                law=_average_pooling, aside={"count_include_pad": MODE}),
    _layer("torch-adaptive-max-pooling", "AdaptiveMaxPool", "output_size, return_indices=False", law=_fixed,
           examples=lambda: iter(["torch.nn.AdaptiveMaxPool2d((3, None))"]), program=_run),
    _layer("torch-adaptive-average-pooling", "AdaptiveAvgPool", "output_size", law=_fixed,
           examples=lambda: iter(["torch.nn.AdaptiveAvgPool1d(3)"]), program=_run),
    sized_layer("torch-upsampling", dict.fromkeys((1, 2, 3), "torch.nn.Upsample"),
                "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None",
                law=_upsampling, examples=_resize_examples, program=_run, imports=MODULE, outer="input",
                tensors={"x": "input"}, aside={"mode": MODE, "align_corners": MODE, "recompute_scale_factor": EFFORT}),
    *_pad_layers(),
    sized_layer("torch-pad", dict.fromkeys((1, 2, 3), "torch.nn.functional.pad"),
                "input, pad, mode='constant', value=None", law=_pad, imports=MODULE, tensors={"x": "input"},
                aside={"value": MODE}, examples=lambda: iter([
                    "torch.nn.functional.pad(x, (1, 2))", "torch.nn.functional.pad(x, (-1, 2), mode='replicate')",
                    "torch.nn.functional.pad(x, [2, 1], mode='reflect')",
                ])),
    sized_layer("torch-pixel-shuffle", {2: "torch.nn.PixelShuffle"}, "upscale_factor", law=_shuffle,
                examples=lambda: iter(["torch.nn.PixelShuffle(2)"]), program=_run, imports=MODULE, outer="input",
                tensors={"x": "input"}),
)  # fmt: skip
