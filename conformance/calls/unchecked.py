"""A problem in each framework's own words, whether it is valid or not: nothing is checked but whether words exist.

A call is text, read by `expression` and looked up among a framework's convolutions; it is never evaluated as Python.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.adapters.base import Call, Unsupported
from conformance.idioms import expression
from conformance.idioms.expression import Invocation, Name, write
from conformance.problem import Problem

Array = NDArray[Any]
X, W, B = Name("x"), Name("w"), Name("b")


class UncheckedError(ValueError):
    """A call that names something that is no convolution of its framework."""


def torch(problem: Problem) -> str:
    """torch.nn.functional: the window (padding, padding - output_padding)."""
    _require(problem, problem.rank in (1, 2, 3), "conv_transpose has one to three spatial axes")
    return write(
        f"torch.nn.functional.conv_transpose{problem.rank}d", X, W, *[B] * problem.bias, stride=problem.stride,
        padding=tuple(lo for lo, _ in problem.window), output_padding=tuple(lo - hi for lo, hi in problem.window),
        groups=problem.groups, dilation=problem.dilation,
    )  # fmt: skip


def tensorflow(problem: Problem) -> str:
    """tf.nn: the output's shape, and "VALID", or in 2-D pairs, for the window."""
    _require(problem, problem.rank in (1, 2, 3), "conv_transpose has one to three spatial axes")
    valid = all(lo == 0 and hi <= 0 for lo, hi in problem.window)
    _require(problem, valid or problem.rank == 2, "only conv2d_transpose takes padding as pairs")
    _require(problem, not problem.bias, "conv_transpose has no bias")
    pairs = [(0, 0), *((lo, max(hi, 0)) for lo, hi in problem.window), (0, 0)]
    return write(
        f"tf.nn.conv{problem.rank}d_transpose", X, W,
        output_shape=(problem.batch, *problem.output, problem.groups * problem.out_channels), strides=problem.stride,
        padding="VALID" if valid else pairs, dilations=problem.dilation,
    )  # fmt: skip


def jax(problem: Problem) -> str:
    """jax.lax: padding of the stride-1 convolution, (ke - 1 - lo, ke - 1 - hi)."""
    _require(problem, not problem.bias, "convolutions of lax have no bias")
    ends = zip(problem.effective_kernel, problem.window, strict=True)
    padding = [(ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in ends]
    if problem.groups == 1:
        return write(
            "jax.lax.conv_transpose", X, W, strides=problem.stride, padding=padding, rhs_dilation=problem.dilation,
            transpose_kernel=True,
        )  # fmt: skip
    axes = "HWDEFG"[: problem.rank]
    return write(
        "jax.lax.conv_general_dilated", X, W, window_strides=(1,) * problem.rank, padding=padding,
        lhs_dilation=problem.stride, rhs_dilation=problem.dilation, feature_group_count=problem.groups,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )  # fmt: skip


def mxnet(problem: Problem) -> str:
    """mx.nd.Deconvolution: the window (pad, pad - adj)."""
    return write(
        "mx.nd.Deconvolution", X, W, *[B] * problem.bias, kernel=problem.kernel, stride=problem.stride,
        dilate=problem.dilation, pad=tuple(lo for lo, _ in problem.window),
        adj=tuple(lo - hi for lo, hi in problem.window), num_filter=problem.groups * problem.out_channels,
        num_group=problem.groups, no_bias=not problem.bias,
    )  # fmt: skip


def _require(problem: Problem, holds: bool, reason: str) -> None:
    """Raises Unsupported where no words of the framework say the problem."""
    if not holds:
        raise Unsupported(f"'{problem}': {reason}")


def _canonical(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    return x, weight


def _channels_last(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    """Channels behind the spatial axes, as far as there are such axes."""
    last = np.moveaxis(x, 1, -1) if x.ndim > 1 else x
    return last, np.moveaxis(weight, (1, 0), (-2, -1)) if weight.ndim > 1 else weight


def _of_jax(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    """Channels last; a weight in groups as (*kernel, in, groups*out) and reversed, if the groups fit."""
    x, kernel = _channels_last(problem, x, weight)
    if problem.groups > 1 and weight.shape == problem.weight_shape:
        g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
        grouped = np.moveaxis(weight.reshape(g, ic, oc, *problem.kernel), (1, 0, 2), (-3, -2, -1))
        kernel = np.flip(grouped, tuple(range(problem.rank))).reshape(*problem.kernel, ic, g * oc)
    return x, kernel


class Words(NamedTuple):
    """How a framework is called: its text for a problem, its arrays from canonical ones, and what may be called."""

    text: Callable[[Problem], str]
    arrange: Callable[[Problem, Array, Array], Sequence[Array]]
    layout: str
    modules: Mapping[str, str]
    functions: frozenset[str]
    views: bool = False
    """Whether a tensor can be a view of memory, with strides of its own."""


WORDS: Mapping[str, Words] = {
    "torch": Words(torch, _canonical, "n c k", {"torch": "torch"}, frozenset({
        *(f"torch.nn.functional.conv_transpose{rank}d" for rank in (1, 2, 3)),
        "torch.ops.aten.slow_conv_transpose3d", "torch.ops.aten.convolution",
    }), views=True),
    "tensorflow": Words(tensorflow, _channels_last, "n k c", {"tf": "tensorflow"}, frozenset({
        *(f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)), "tf.function",
        "tf.raw_ops.Conv2DBackpropInput", "tf.raw_ops.Conv3DBackpropInputV2",
    })),
    "jax": Words(jax, _of_jax, "n k c", {"jax": "jax"}, frozenset({
        "jax.lax.conv_transpose", "jax.lax.conv_general_dilated",
    })),
    "mxnet": Words(mxnet, _canonical, "n c k", {"mx": "mxnet"}, frozenset({"mx.nd.Deconvolution"})),
}  # fmt: skip


def call_of(framework: str, text: str, tensors: Mapping[str, Any]) -> Call:
    """The call that a text is, on tensors by name. Raises UncheckedError for one of anything but a convolution."""
    words = WORDS[framework]
    invocation = expression.parse(text)
    if invocation is None:
        raise UncheckedError(f"{text!r} is no call")
    outer = invocation.outer
    function = _function(words, invocation.function)
    operands, options = _resolved(words, invocation, tensors)
    if outer is not None:
        function = function(*operands, **options)
        operands, options = _resolved(words, outer, tensors)
    return Call(function, tuple(operands), options, layout=words.layout)


def _resolved(words: Words, call: Invocation, tensors: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    def value(argument: Any) -> Any:
        if not isinstance(argument, Name):
            return argument
        return tensors[argument.text] if argument.text in tensors else _function(words, argument.text)

    return [value(each) for each in call.positional], {name: value(each) for name, each in call.named.items()}


def _function(words: Words, name: str) -> Any:
    if name not in words.functions:
        raise UncheckedError(f"{name!r} is no convolution that may be called: those are {sorted(words.functions)}")
    root, *parts = name.split(".")
    found: Any = sys.modules[words.modules[root]]  # which its adapter has imported
    for part in parts:
        found = getattr(found, part)
    return found
