"""Arrays whose groups have an axis of their own, and where elements and taps land in an answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.problem import Axis, Problem

Array = NDArray[Any]
Index = tuple[Any, ...]


def grouped(problem: Problem, x: Array, weight: Array) -> tuple[Array, Array]:
    """x as (batch, groups, in, *input) and weight as (groups, in, out, *kernel): groups get an axis of their own."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    return x.reshape(problem.batch, g, ic, *problem.input), weight.reshape(g, ic, oc, *problem.kernel)


def zeros(problem: Problem, dtype: Any) -> Array:
    """An answer of zeros, (batch, groups, out, *output)."""
    return np.zeros((problem.batch, problem.groups, problem.out_channels, *problem.output), dtype)


def joined(problem: Problem, y: Array) -> Array:
    """An answer whose groups have an axis of their own, in the output's shape."""
    return y.reshape(problem.output_shape)


def biased(y: Array, bias: Array | None) -> Array:
    """y plus one bias an output channel."""
    return y if bias is None else np.add(y, bias.reshape(-1, *[1] * (y.ndim - 2)))


def contracted(x: Array, weight: Array) -> Array:
    """(batch, groups, in, ...) times (groups, in, out, ...), summed over in; one of them may have no further axes."""
    if x.dtype != object:
        product: Array = np.einsum("ngi...,gio...->ngo...", x, weight)
        return product
    x = x.reshape(*x.shape[:3], 1, *(x.shape[3:] or [1] * (weight.ndim - 3)))
    whole: Array = (x * weight.reshape(*weight.shape[:3], *(weight.shape[3:] or [1] * (x.ndim - 4)))).sum(axis=2)
    return whole


def landing(axes: Sequence[Axis], offsets: Sequence[int], block: Sequence[slice]) -> tuple[Index, Index]:
    """Which of a block's places n have an output at n*stride + offset, counted from the block's first; and which."""
    kept, to = zip(*(
        _inside(offset + part.start * axis.stride, axis.stride, part.stop - part.start, axis.output)
        for axis, offset, part in zip(axes, offsets, block, strict=True)
    ), strict=True)  # fmt: skip
    return kept, to


def _inside(offset: int, step: int, count: int, extent: int) -> tuple[slice, slice]:
    """Which of the places offset + n*step, n < count, are in [0, extent): the numbers n, and the places."""
    first, end = max(0, -(offset // step)), min(count, (extent - 1 - offset) // step + 1)
    if first >= end:
        return slice(0), slice(0)
    return slice(first, end), slice(offset + first * step, offset + (end - 1) * step + 1, step)
