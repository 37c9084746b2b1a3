"""Weights that a graph computes of stored numbers alone, by NumPy.

Numbers that are only moved, cast or dequantized are those of every framework. Arithmetic is done in float64. How many
numbers are made is bounded by those that are stored. A weight norm is recognized by its numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from conformance.layout import Array

DEEPEST = 32
"""Operators between a weight and the numbers that are stored."""
MOST = 1 << 20
"""Numbers that an operator may make of fewer."""
TIMES = 32
"""How many times the numbers of the longest stored tensor, and of `MOST`, all operators together may make."""
WEIGHT_NORM = "folded with weight norm"
"""The provenance of g * v / |v|, where |v| is the norm over the axes that g does not have."""
CLOSE = 1e-5
"""How far apart two ways to compute a weight norm are at most, as a share of each number."""
DTYPES = ("float16", "float32", "float64")
BFLOAT16 = "bfloat16"
HALVES = ("float16", BFLOAT16)
FLOATS = (*DTYPES, BFLOAT16)
CAST = (*FLOATS, *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
"""The dtypes whose numbers a cast is known to give, besides bool."""

Computing = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Step:
    """An operator of a graph: what it computes, and the names of its operands.

    `moves` where it rounds no number; `exact` where it rounds as its definition says, of numbers as the graph has them.
    """

    compute: Computing
    operands: Sequence[str]
    moves: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """Numbers in a dtype, by its name; numbers that frameworks may cast to different ones are not known."""

    dtype: str

    def __call__(self, x: Array) -> Array:
        """The numbers as they are cast. Raises ValueError where they are not known."""
        if self.dtype == "bool":
            made: Array = x != 0
            return made
        if self.dtype not in CAST or (self.dtype not in FLOATS and not _is_within(np.trunc(x), np.dtype(self.dtype))):
            raise ValueError(self.dtype)
        made = _as_bfloat16(x) if self.dtype == BFLOAT16 else x.astype(self.dtype)
        if self.dtype in HALVES:  # frameworks may round to float32 before
            through = x.astype(np.float32)
            again = _as_bfloat16(through) if self.dtype == BFLOAT16 else through.astype(self.dtype)
            if not np.array_equal(made, again, equal_nan=True):
                raise ValueError(self.dtype)
        return made


@dataclass(frozen=True, slots=True)
class Computed:
    """A weight that is computed, by arithmetic in float64; and which normalization it is folded with, or nothing."""

    exact: Array
    folded: str


def computed(name: str, stored: Callable[[str], Array | None], step: Callable[[str], Step | None]) -> Computed | None:
    """What a graph computes under a name; None where that depends on an input, or on an operator that is not known.

    `stored` gives the numbers that the file holds, and `step` the operator whose answer has a name.
    """
    values = _Values(stored, step)
    try:
        with np.errstate(all="ignore"):
            exact = values.of(name)
    except (_UnknownError, ArithmeticError, TypeError, ValueError, IndexError):
        return None
    floats = [leaf for leaf in values.leaves.values() if leaf.dtype.kind == "f"]
    if exact.dtype.kind != "f" or any(leaf.dtype.name not in DTYPES for leaf in floats):
        return None
    return Computed(exact, WEIGHT_NORM if _is_weight_norm(exact, floats) else "")


class _Values:
    """The numbers under the names of a graph, each computed once; `leaves` are those that the file holds."""

    def __init__(self, stored: Callable[[str], Array | None], step: Callable[[str], Step | None]) -> None:
        self.leaves: dict[str, Array] = {}
        self._stored, self._step = stored, step
        self._known: dict[str, Array] = {}
        self._unrounded: set[str] = set()
        self._made = self._depth = 0

    def of(self, name: str) -> Array:
        """The numbers under a name. Raises _UnknownError, or what NumPy raises."""
        if name not in self._known:
            self._known[name] = self._computed(name)
        return self._known[name]

    def _computed(self, name: str) -> Array:
        if (numbers := self._stored(name)) is not None:
            self.leaves[name] = numbers
            self._unrounded.add(name)
            return numbers
        made = self._step(name)
        if made is None or self._depth == DEEPEST:
            raise _UnknownError
        self._depth += 1
        operands = [self.of(operand) for operand in made.operands]
        self._depth -= 1
        if isinstance(made.compute, np.ufunc) and not _is_bounded(made.compute, operands):
            raise _UnknownError
        answer = np.asarray(made.compute(*self._taken(name, made, operands)))
        self._made += answer.size
        if self._made > TIMES * max(MOST, *(leaf.size for leaf in self.leaves.values()), 0):
            raise _UnknownError
        return answer

    def _taken(self, name: str, made: Step, operands: list[Array]) -> list[Array]:
        """Operands as a step takes them: as they are where it rounds as its definition says, else in float64."""
        if made.moves or made.exact:
            if self._unrounded.issuperset(made.operands):
                self._unrounded.add(name)
            elif made.exact:
                raise _UnknownError  # of numbers that are rounded otherwise than in the framework
            return operands
        if not operands or operands[0].dtype.kind != "f":
            raise _UnknownError  # whole numbers, whose arithmetic is each framework's own
        return [each.astype(np.float64) if each.dtype.kind == "f" else each for each in operands]


def require_few(count: int, *operands: Array) -> None:
    """Raises ValueError where an operator would make many more numbers than one of its operands has."""
    if count > max(MOST, *(operand.size for operand in operands), 0):
        raise ValueError(f"makes {count} numbers")


def _is_bounded(compute: np.ufunc, operands: Sequence[Array]) -> bool:
    """Whether an operator has as many operands as it takes, and makes not many more numbers than the largest has."""
    if len(operands) != compute.nin:
        return False
    require_few(prod(np.broadcast_shapes(*(operand.shape for operand in operands))), *operands)
    return True


def _is_within(numbers: Array, dtype: np.dtype[Any]) -> bool:
    """Whether whole numbers are all held by a dtype of whole numbers."""
    limits = np.iinfo(dtype)
    return not numbers.size or bool((numbers >= float(limits.min)).all() and (numbers < float(limits.max) + 1).all())


def _as_bfloat16(x: Array) -> Array:
    """Numbers rounded to bfloat16, to even where two are as near. Raises ValueError where one is not finite."""
    through = x.astype(np.float32)
    if not np.isfinite(through).all() or not np.array_equal(through, x):
        raise ValueError(BFLOAT16)
    bits = through.view(np.uint32)
    made: Array = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1) & np.uint32(0xFFFF0000)).view(np.float32)
    return made


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
    """x as it is."""
    return x


ARITHMETIC: Mapping[str, Computing] = {
    "mul": np.multiply, "div": np.divide, "add": np.add, "sub": np.subtract, "pow": np.power, "sqrt": np.sqrt,
    "rsqrt": inverse_root, "square": np.square, "reciprocal": np.reciprocal, "neg": np.negative, "abs": np.abs,
    "maximum": np.maximum,
}  # fmt: skip
"""What is computed number by number, by the names that most formats have for it."""


def reducing(how: str, axes: Sequence[int] | None, keep: bool) -> Computing:
    """What reduces axes, or all: `norm`, `sum` or `squares`."""
    if how == "norm":
        return partial(norm, axes=axes, keep=keep)
    over = None if axes is None else tuple(axes)
    return lambda x: np.sum(x * x if how == "squares" else x, axis=over, keepdims=keep)
