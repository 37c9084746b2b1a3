"""Flax's ordinary convolutions and poolings, by their sizes."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from conformance.idioms.base import Refusal, Use
from conformance.idioms.names.meanings import EFFORT, LABEL, VALUES
from conformance.idioms.ordinary.base import SizedLayer, SizeLaw, equal_pads, same_law, sized_layer, texts, window_law
from conformance.problem import Ints, Window

MODE = "of values alone"
NAMED = "SAME", "SAME_LOWER", "CIRCULAR", "CAUSAL", "REFLECT"
"""Paddings by name that leave ceil(in / s)."""


def _convolution(use: Use) -> SizeLaw:
    """SAME and other names but VALID: ceil(in / s); else floor((in + pads - d*(k - 1) - 1) / s) + 1.

    Padding may be a number for all ends, one an axis, or (begin, end) pairs.
    """
    if use.per_axis("input_dilation", 1) != (1,) * use.rank:
        raise Refusal("input_dilation stretches the input: it is a transposed convolution")
    return _law(use, _kernel(use, "kernel_size"), _kernel(use, "kernel_dilation", 1))


def _pooling(use: Use) -> SizeLaw:
    """As a convolution; its strides are 1 where they are not given."""
    return _law(use, _kernel(use, "window_shape"), (1,) * use.rank)


def _kernel(use: Use, name: str, default: int = 0) -> Ints:
    """One number an axis; a number alone is of one axis, but as a dilation of all."""
    value = use[name]
    if isinstance(value, int) and use.rank > 1 and not default:
        raise Refusal(f"{name} is {value!r}: it takes {use.rank} numbers here")
    return use.per_axis(name, default)


def _law(use: Use, kernel: Ints, dilation: Ints) -> SizeLaw:
    padding, stride = use["padding"], use.per_axis("strides", 1)
    if isinstance(padding, str) and padding.upper() in NAMED:
        return same_law(stride)
    return window_law(kernel, stride, _pads(padding, use.rank), dilation)


def _pads(padding: Any, rank: int) -> Window:
    if isinstance(padding, str):
        if padding.upper() != "VALID":
            raise Refusal(f"padding is {padding!r}: the strings are {', '.join(NAMED)} and VALID")
        return ((0, 0),) * rank
    if isinstance(padding, int):
        return equal_pads((padding,) * rank)
    ends = [(end, end) if isinstance(end, int) else tuple(end) for end in padding]
    if len(ends) != rank or not all(len(pair) == 2 and all(isinstance(end, int) for end in pair) for pair in ends):
        raise Refusal(f"padding is {padding!r}: it takes a pair for each of {rank} axes")
    return tuple((lo, hi) for lo, hi in ends)


CONVOLUTION = (
    "strides=1, padding='SAME', input_dilation=1, kernel_dilation=1, feature_group_count=1, use_bias=True, mask=None, "
    "dtype=None, param_dtype=None, precision=None, kernel_init=None, bias_init=None, name=None"
)
ASIDE = {
    "feature_group_count": MODE, "use_bias": MODE, "mask": MODE, "dtype": MODE, "param_dtype": MODE,
    "precision": EFFORT, "kernel_init": VALUES, "bias_init": VALUES, "name": LABEL,
}  # fmt: skip


def _run_linen(call: str, outer: str, bias: bool) -> Sequence[str]:
    return ["import jax", f"layer = {call}", f"y, _ = layer.init_with_output(jax.random.key(0), {outer})"]


def _run_nnx(call: str, outer: str, bias: bool) -> Sequence[str]:
    return ["rngs = flax.nnx.Rngs(0)", f"layer = {call}", f"y = layer({outer})"]


def _examples(function: str, *channels: str, last: str = "") -> Iterator[str]:
    yield from texts(function, list(channels), ["(2,)", "(3,)", "(4,)"], ["", "strides=2", "strides=(3,)"],
                     ["", "padding='VALID'", "padding=1", "padding=[(0, 2)]", "padding='CIRCULAR'"],
                     ["", "kernel_dilation=2"], [last])  # fmt: skip
    yield from texts(function, list(channels), ["(3, 2)"], ["strides=(2, 1)"], ["padding=(1, 0)"], [last])


def _pool_examples(function: str) -> Iterator[str]:
    yield from texts(function, ["x"], ["(2,)", "(3,)"], ["", "strides=(2,)", "strides=(3,)"],
                     ["", "padding='SAME'", "padding=((1, 0),)"])  # fmt: skip
    yield f"{function}(x, (2, 3), (2, 2))"


def _poolings() -> Iterator[SizedLayer]:
    for module in ("linen", "nnx"):
        for name in ("max_pool", "avg_pool"):
            function = f"flax.{module}.{name}"
            yield sized_layer(
                f"flax-{module}-{name.replace('_', '-')}", dict.fromkeys((1, 2, 3), function),
                "inputs, window_shape, strides=None, padding='VALID', count_include_pad=True", law=_pooling,
                examples=partial(_pool_examples, function), tensors={"x": "inputs"}, data="n k c",
                imports=(f"import flax.{module}",), aside={"count_include_pad": MODE},
            )  # fmt: skip


KEEPS = frozenset({
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "sigmoid", "tanh", "softmax",
    "log_softmax", "softplus", "hard_tanh", "hard_swish", "PReLU", "BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm",
    "InstanceNorm", "Dropout",
})  # fmt: skip
"""Layers and functions that keep the extents of every input."""

LAYERS = (
    sized_layer("flax-linen-convolution", dict.fromkeys((1, 2, 3), "flax.linen.Conv"),
                f"features, kernel_size, {CONVOLUTION}", law=_convolution, program=_run_linen, outer="inputs",
                examples=lambda: _examples("flax.linen.Conv", "4"), tensors={"x": "inputs"}, data="n k c",
                imports=("import flax.linen",), aside=ASIDE),
    sized_layer("flax-nnx-convolution", dict.fromkeys((1, 2, 3), "flax.nnx.Conv"),
                f"in_features, out_features, kernel_size, {CONVOLUTION}, rngs=None", law=_convolution,
                program=_run_nnx, outer="inputs", tensors={"x": "inputs", "rngs": "rngs"}, data="n k c",
                examples=lambda: _examples("flax.nnx.Conv", "4, 4", last="rngs=rngs"),
                imports=("import flax.nnx",), aside={**ASIDE, "rngs": VALUES}),
    *_poolings(),
)  # fmt: skip
