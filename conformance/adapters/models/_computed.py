"""Weights that a graph computes of stored numbers alone, by NumPy in float64.

Only arithmetic is known, and no operator that makes more numbers than one of its operands has. A weight norm is
recognized by its numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np

from conformance.layout import Array

DEEPEST = 32
"""Operators between a weight and the numbers that are stored."""
WEIGHT_NORM = "folded with weight norm"
"""The provenance of g * v / |v|, where |v| is the norm over the axes that g does not have."""
CLOSE = 1e-5
"""How far apart two ways to compute a weight norm are at most, as a share of each number."""
DTYPES = ("float16", "float32", "float64")

Computing = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Step:
    """An operator of a graph: what it computes, and the names of its operands."""

    compute: Computing
    operands: Sequence[str]


@dataclass(frozen=True, slots=True)
class Computed:
    """A weight that is computed, in float64, and which normalization it is folded with, or nothing."""

    exact: Array
    folded: str


def computed(name: str, stored: Callable[[str], Array | None], step: Callable[[str], Step | None]) -> Computed | None:
    """What a graph computes under a name; None where that depends on an input, or on an operator that is not known.

    `stored` gives the numbers that the file holds, and `step` the operator whose answer has a name.
    """
    leaves: dict[str, Array] = {}

    @cache
    def value(name: str, depth: int = 0) -> Array:
        if (numbers := stored(name)) is not None:
            leaves[name] = numbers
            return numbers.astype(np.float64) if numbers.dtype.kind == "f" else numbers
        made = step(name)
        if made is None or depth == DEEPEST:
            raise _UnknownError
        operands = [value(operand, depth + 1) for operand in made.operands]
        if isinstance(made.compute, np.ufunc) and not _is_bounded(made.compute, operands):
            raise _UnknownError
        return np.asarray(made.compute(*operands))

    try:
        with np.errstate(all="ignore"):
            exact = value(name)
    except (_UnknownError, ArithmeticError, TypeError, ValueError, IndexError):
        return None
    floats = [leaf for leaf in leaves.values() if leaf.dtype.kind == "f"]
    widest = max(floats, key=lambda leaf: leaf.size, default=None)
    if widest is None or exact.size > widest.size or widest.dtype.name not in DTYPES:
        return None
    return Computed(exact.astype(np.float64), WEIGHT_NORM if _is_weight_norm(exact, floats) else "")


def _is_bounded(compute: np.ufunc, operands: Sequence[Array]) -> bool:
    """Whether an operator has as many operands as it takes, and makes no more numbers than the largest of them has."""
    sizes = [operand.size for operand in operands]
    made = prod(np.broadcast_shapes(*(operand.shape for operand in operands)))
    return len(operands) == compute.nin and made <= max(sizes)


class _UnknownError(Exception):
    """A weight depends on what is no stored number, or no arithmetic."""


def _is_weight_norm(weight: Array, leaves: Sequence[Array]) -> bool:
    """Whether a weight is g * v / |v| of two of the tensors that it is computed of."""
    return any(
        v.shape == weight.shape and g is not v and _is_scale(g, v) and np.allclose(
            weight, weight_norm(v.astype(np.float64), g.astype(np.float64)), rtol=CLOSE, atol=0, equal_nan=True)
        for v in leaves for g in leaves
    )  # fmt: skip


def _is_scale(g: Array, v: Array) -> bool:
    """Whether g has a number for each slice of v, of which there are several."""
    aligned = _aligned(g, v)
    return bool(_missing(g, v)) and all(extent in (1, of) for extent, of in zip(aligned, v.shape, strict=False))


def _missing(g: Array, v: Array) -> tuple[int, ...]:
    """The axes of v that g does not have."""
    both = zip(_aligned(g, v), v.shape, strict=False)
    return tuple(axis for axis, (extent, of) in enumerate(both) if extent == 1 != of)


def _aligned(g: Array, v: Array) -> tuple[int, ...]:
    """The shape of g with as many axes as v has."""
    return (1,) * (v.ndim - g.ndim) + g.shape


def weight_norm(v: Array, g: Array) -> Array:
    """v with the norm g in each slice."""
    scaled: Array = g * v / norm(v, _missing(g, v))
    return scaled


def norm(x: Array, axes: Sequence[int] | None = None, keep: bool = True) -> Array:
    """The root of the sum of squares over axes, or over all."""
    root: Array = np.sqrt(np.sum(x * x, axis=None if axes is None else tuple(axes), keepdims=keep))
    return root


def reshaped(x: Array, shape: Sequence[int]) -> Array:
    """x in a shape, of which one extent may be -1."""
    return x.reshape(tuple(int(extent) for extent in shape))


def inverse_root(x: Array) -> Array:
    """One by the root of x."""
    root: Array = 1 / np.sqrt(x)
    return root


def same(x: Array, *_: Array) -> Array:
    """x, whatever it is cast to: numbers are rounded once, at the end."""
    return x


ARITHMETIC: Mapping[str, Computing] = {
    "mul": np.multiply, "div": np.divide, "add": np.add, "sub": np.subtract, "pow": np.power, "sqrt": np.sqrt,
    "rsqrt": inverse_root, "square": np.square, "reciprocal": np.reciprocal, "neg": np.negative, "abs": np.abs,
    "maximum": np.maximum, "identity": same, "cast": same, "readvariableop": same,
}  # fmt: skip
"""What is computed number by number, by the names that most formats have for it."""


def reducing(how: str, axes: Sequence[int] | None, keep: bool) -> Computing:
    """What reduces axes, or all: `norm`, `sum` or `squares`."""
    if how == "norm":
        return partial(norm, axes=axes, keep=keep)
    over = None if axes is None else tuple(axes)
    return lambda x: np.sum(x * x if how == "squares" else x, axis=over, keepdims=keep)
