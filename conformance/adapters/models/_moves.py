"""What graphs do to stored numbers without arithmetic of their own: moving, quantizing and dequantizing them."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from conformance.adapters.models._computed import DTYPES, TIMES, require_few
from conformance.layout import Array

EXACT = 1 << 24
"""Whole numbers below are all held by float32."""


def sliced(
    x: Array, starts: Sequence[int | None], ends: Sequence[int | None], axes: Sequence[int], steps: Sequence[int] = ()
) -> Array:  # fmt: skip
    """x from each start to each end, negative ones counted from behind; of none, from or to the last."""
    chosen = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(axes), strict=True):
        chosen[_axis(x, axis)] = slice(start, end, step)
    return x[tuple(chosen)]


def selected(x: Array, axis: int, index: int) -> Array:
    """x at one index of an axis, which is no axis any more."""
    return x[(slice(None),) * _axis(x, axis) + (index,)]


def gathered(x: Array, indices: Array, axis: int = 0) -> Array:
    """x at the indices of an axis. Raises IndexError for one that there is not."""
    if indices.dtype.kind not in "iu":
        raise TypeError("an index that is no whole number")
    require_few(x.size // max(1, x.shape[axis]) * indices.size, x)
    return np.take(x, indices, axis)


def joined(axis: int, *arrays: Array) -> Array:
    """Arrays behind each other along an axis."""
    require_few(sum(array.size for array in arrays) // TIMES, *arrays)
    return np.concatenate(arrays, axis)


def stacked(axis: int, *arrays: Array) -> Array:
    """Arrays behind each other along a new axis."""
    require_few(sum(array.size for array in arrays) // TIMES, *arrays)
    return np.stack(arrays, axis)


def parted(x: Array, axis: int, sizes: Sequence[int], number: int) -> Array:
    """The part of a number where x is cut into parts of these sizes. Raises ValueError where these are not all of x."""
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise ValueError(f"parts of {sizes}")
    start = sum(sizes[:number])
    return sliced(x, [start], [start + sizes[number]], [axis])


def expanded(x: Array, shape: Sequence[int]) -> Array:
    """x repeated along its axes of 1, or along new ones before them, until it fits a shape."""
    made = np.broadcast_shapes(x.shape, tuple(shape))
    require_few(prod(made), x)
    return np.broadcast_to(x, made)


def tiled(x: Array, times: Sequence[int]) -> Array:
    """x several times along each axis."""
    require_few(x.size * prod(times), x)
    return np.tile(x, tuple(times))


def flattened(x: Array, axis: int) -> Array:
    """x with two axes: those before an axis, and the others."""
    at = axis + x.ndim if axis < 0 else axis
    return x.reshape(prod(x.shape[:at]), prod(x.shape[at:]))


def dequantized(x: Array, scale: Array, zero: Array | None = None, axis: int = 1, block: int = 0) -> Array:
    """(x - zero) * scale in the dtype of the scale, which is one number, one for each slice of an axis, or a block.

    The product of numbers that float32 holds is rounded once. Raises ValueError for other numbers.
    """
    if scale.dtype.name not in DTYPES[:2] or x.dtype.kind not in "iuf":
        raise ValueError("a scale of another dtype")
    whole = x.astype(np.float64) - _along(np.zeros(()) if zero is None else zero, x, axis, block)
    if x.dtype.kind != "f" and np.abs(whole).max(initial=0) >= EXACT:
        raise ValueError("numbers that float32 does not hold")
    made: Array = (whole * _along(scale, x, axis, block)).astype(scale.dtype)
    return made


def quantized(x: Array, scale: Array, zero: Array, axis: int = 1, block: int = 0) -> Array:
    """x / scale in float32, rounded to even, with the zero added, within the dtype of the zero."""
    if x.dtype != np.float32 or scale.dtype != np.float32 or zero.dtype.kind not in "iu" or zero.dtype.itemsize > 2:
        raise ValueError("another dtype than is known to be quantized")
    limits = np.iinfo(zero.dtype)
    parts = np.rint(x / _along(scale, x, axis, block).astype(np.float32)).astype(np.float64)
    made: Array = np.clip(parts + _along(zero, x, axis, block), limits.min, limits.max)
    if np.isnan(made).any():
        raise ValueError("no number is quantized")
    return made.astype(zero.dtype)


def _along(numbers: Array, x: Array, axis: int, block: int) -> Array:
    """Numbers of all of x, of slices along an axis, or of blocks of it, so that they broadcast with x."""
    wide = numbers.astype(np.float64)
    if wide.size == 1:
        return wide.reshape(())
    at = _axis(x, axis)
    if block:
        return np.repeat(wide, min(block, x.shape[at]), at)[(slice(None),) * at + (slice(x.shape[at]),)]
    if wide.shape != (x.shape[at],):
        raise ValueError(f"{wide.shape} numbers of an axis of {x.shape[at]}")
    return wide.reshape((-1,) + (1,) * (x.ndim - at - 1))


def _axis(x: Any, axis: int) -> int:
    if not -x.ndim <= axis < x.ndim:
        raise IndexError(f"no axis {axis}")
    return axis % int(x.ndim)
