"""Special values put into an operand, one experiment at a time, and what a lane's answer shows of each.

The lane is asked alone, as for properties: what an answer is to be is made of the lane's own answer to whole numbers,
and of which outputs an element of an operand reaches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics import gradients, upstream
from conformance.numerics.operands import (
    INTEGERS,
    SIGNIFICAND,
    Arrays,
    DataError,
    draw,
    held_in,
    largest_sum,
    room,
    words,
)
from conformance.problem import BIAS, FORWARD, INPUT, WEIGHT, Problem

Array = NDArray[Any]

ANSWER = "answer"
"""Where a special value is in the answer alone."""
UPSTREAM = "upstream"
"""The operand of a gradient that comes from above."""
FIELDS = {INPUT: "x", WEIGHT: "weight", BIAS: "bias"}
OPERANDS = (*FIELDS, UPSTREAM)
OPERANDS_OF: Mapping[str, tuple[str, ...]] = {
    FORWARD: (INPUT, WEIGHT, BIAS), INPUT: (WEIGHT, UPSTREAM), WEIGHT: (INPUT, UPSTREAM), BIAS: (UPSTREAM,),
}  # fmt: skip
"""The operands that the answer is made of, and each gradient, by the pass."""
VALUES = ("inf", "nan", "-0", "subnormal", "overflow")

BEYOND, LOST, TURNED, POSITIVE, FLUSHED = "beyond", "lost", "nan", "positive", "flushed"
FINITE, EARLY, CHANGED, REFUSED, CRASHED = "finite", "early", "changed", "refused", "crashed"
DOES = {
    BEYOND: "changes outputs that its element does not reach",
    LOST: "is lost in outputs that its element reaches",
    TURNED: "comes out as NaN, or with the other sign",
    POSITIVE: "comes out as +0",
    FLUSHED: "is flushed to zero",
    FINITE: "comes out finite where the exact answer is beyond the dtype",
    EARLY: "makes outputs infinite that are within the dtype",
    CHANGED: "comes out as another number",
    REFUSED: "is refused",
    CRASHED: "ends the process",
}
"""What a lane may do other than what IEEE 754 and the definition say, as what a special value does."""

LARGEST = {"float16": 16, "bfloat16": 128, "float32": 128, "float64": 1024, "int8": 7, "int32": 31, "int64": 63}
"""The power of two from which on a number is beyond a dtype."""
SMALLEST = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}
"""The power of two that is the smallest subnormal number."""

Judge = Callable[[Array, Array], frozenset[str]]


class Asked(NamedTuple):
    """A problem with its operands in a pass, for a dtype, as the lane is asked; `upstream` is a gradient's."""

    problem: Problem
    arrays: Arrays
    upstream: Array | None = None
    direction: str = FORWARD
    dtype: str = ""

    @property
    def expected(self) -> Array:
        """The answer, or the gradient, to operands that are whole numbers."""
        if self.upstream is None:
            return oracle.expected(self.problem, *self.arrays)
        return gradients.expected(self.problem, self.direction, self.arrays, self.upstream)

    @property
    def without_bias(self) -> "Asked":
        """The same without the bias, which a gradient is not made of."""
        return self._replace(problem=replace(self.problem, bias=False), arrays=self.arrays._replace(bias=None))

    @property
    def operands(self) -> tuple[str, ...]:
        """Those of its pass that there are."""
        return tuple(name for name in OPERANDS_OF[self.direction] if self.of(name) is not None)

    def of(self, operand: str) -> Any:
        """An operand."""
        return self.upstream if operand == UPSTREAM else getattr(self.arrays, FIELDS[operand])

    def put(self, **operands: Array) -> "Asked":
        """The same with other operands, by their names."""
        upstream = operands.pop(UPSTREAM, self.upstream)
        arrays = self.arrays._replace(**{FIELDS[name]: array for name, array in operands.items()})
        return self._replace(arrays=arrays, upstream=upstream)

    def astype(self, dtype: str) -> "Asked":
        """The same, held for a dtype."""
        upstream = None if self.upstream is None else self.upstream.astype(held_in(dtype))
        return self._replace(arrays=self.arrays.astype(dtype), upstream=upstream, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A special value in an operand: what is asked, and what an answer shows beside the answer to whole numbers."""

    operand: str
    value: str
    plain: Asked
    special: Asked
    judge: Judge

    @property
    def kind(self) -> str:
        """What is put where."""
        return f"{self.value} {self.operand}"


def experiments(key: str, problem: Problem, dtype: str, direction: str = FORWARD) -> Iterator[Experiment]:
    """All that is tried on a problem in a pass, with data drawn from a key; nothing where there is no exact data.

    An integer dtype has no special values, so that its answers alone can be beyond it, and no gradients.
    """
    drawn = _drawn(key, problem, dtype, direction)
    if drawn is None:
        return
    if dtype in INTEGERS:
        yield from _overflow(drawn.without_bias, dtype)
        return
    plain = drawn.astype(dtype)
    without = plain.without_bias
    for operand in drawn.operands:
        for value in (np.inf, np.nan):
            yield _spread(key, plain, drawn, operand, value)
        yield from _negative_zero(plain, operand)
        yield from _subnormal(plain if operand == BIAS else without, dtype, operand)
    yield from _overflow(drawn.without_bias, dtype)


def _drawn(key: str, problem: Problem, dtype: str, direction: str) -> Asked | None:
    """The operands of a problem as whole numbers; none where their sums are not exact in the dtype."""
    if direction == FORWARD:
        arrays = draw(key, problem, dtype)
        return Asked(problem, arrays) if largest_sum(problem, arrays) <= room(dtype) else None
    if dtype in INTEGERS or direction not in gradients.passes_of(problem):
        return None
    try:
        drawn = upstream.draw(key, problem, dtype)
    except DataError:
        return None
    largest = gradients.magnitudes(problem, direction, *drawn).max()
    return Asked(problem, *drawn, direction) if largest <= room(dtype) else None


def _spread(key: str, plain: Asked, drawn: Asked, operand: str, value: float) -> Experiment:
    """One infinity or NaN in an operand."""
    one = _indicator(f"{key} {operand}", drawn.of(operand))
    sign = 1 if words(f"{key} {operand} sign", (1,))[0] % np.uint64(2) else -1
    array = plain.of(operand)
    special = plain.put(**{operand: np.where(one, array.dtype.type(sign * value), array)})
    reaching = _reaching(drawn, operand, one)

    def judge(before: Array, actual: Array) -> frozenset[str]:
        reached = reaching != 0
        due = sign * value * np.where(reached, np.sign(reaching), 1)
        lost, same = np.isfinite(actual), np.equal(actual, due) | (np.isnan(actual) & np.isnan(due))
        beyond = ~reached & (actual != before)
        return _words((BEYOND, beyond), (LOST, reached & lost), (TURNED, reached & ~lost & ~same))

    return Experiment(operand, "nan" if np.isnan(value) else "inf", plain, special, judge)


def _reaching(drawn: Asked, operand: str, one: Array) -> Array:
    """What an element of an operand is multiplied by in each output: 0 where it does not reach."""
    if operand == BIAS:
        return np.broadcast_to(one.reshape(-1, *[1] * drawn.problem.rank), drawn.problem.output_shape)
    return drawn.without_bias.put(**{operand: one}).expected


def _negative_zero(plain: Asked, operand: str) -> Iterator[Experiment]:
    """An operand of -0 beside positive ones: every product is -0, and so is a sum of them and of a bias of -0.

    A bias of -0 is looked at where no tap reaches.
    """
    ones = {name: np.ones(plain.of(name).shape, np.int64) for name in plain.operands if name != BIAS}
    reached = plain.without_bias.put(**ones).expected > 0
    looked_at = ~reached if operand == BIAS else reached
    if not looked_at.any():
        return

    def judge(_: Array, actual: Array) -> frozenset[str]:
        zero = actual == 0
        return _words((POSITIVE, looked_at & zero & ~np.signbit(actual)), (CHANGED, looked_at & ~zero))

    positive = {name: np.full_like(plain.of(name), -0.0) if name == BIAS else np.abs(plain.of(name))
                for name in plain.operands}  # fmt: skip
    zeros = positive | {operand: np.full_like(plain.of(operand), -0.0)}
    yield Experiment(operand, "-0", plain, plain.put(**zeros), judge)


def _subnormal(plain: Asked, dtype: str, operand: str) -> Iterator[Experiment]:
    """An operand of subnormal numbers, whole multiples of the smallest, beside whole numbers; none where one is normal.

    A bias is tiny beside an x of zeros, and there is none beside other tiny operands.
    """
    smallest = SMALLEST[dtype]
    whole = plain.put(**{INPUT: np.zeros_like(plain.arrays.x)}) if operand == BIAS else plain
    if not whole.expected.any() or np.abs(whole.of(operand)).max() >= 1 << (SIGNIFICAND[dtype] - 1):
        return
    tiny = whole.put(**{operand: _times(whole.of(operand), smallest)})

    def judge(before: Array, actual: Array) -> frozenset[str]:
        wrong = actual != _times(before, smallest)
        return _words((FLUSHED, wrong & (actual == 0)), (CHANGED, wrong & (actual != 0)))

    yield Experiment(operand, "subnormal", whole, tiny, judge)


def _overflow(drawn: Asked, dtype: str) -> Iterator[Experiment]:
    """Positive operands whose largest answers are beyond the dtype; no partial sum is unless its answer is."""
    positive = drawn.put(**{name: np.abs(drawn.of(name)) for name in drawn.operands})
    most = int(positive.expected.max(initial=0))
    if not most:
        return
    power = left = LARGEST[dtype] - most.bit_length() + 1
    plain = positive.astype(dtype)
    special = plain
    for name in plain.operands:  # as much to each as leaves it within the dtype
        taken = min(left, LARGEST[dtype] - 1 - int(positive.of(name).max()).bit_length())
        special, left = special.put(**{name: _times(plain.of(name), taken)}), left - taken
    if left:
        return

    def judge(before: Array, actual: Array) -> frozenset[str]:
        due = _times(before, power)
        infinite = np.isinf(due)
        return _words(
            (FINITE, infinite & np.isfinite(actual)), (EARLY, ~infinite & ~np.isfinite(actual)),
            (CHANGED, (actual != due) & ~(infinite & np.isfinite(actual)) & ~(~infinite & ~np.isfinite(actual))),
        )  # fmt: skip

    yield Experiment(ANSWER, "overflow", plain, special, judge)


def _indicator(key: str, array: Array) -> Array:
    """1 at one element, drawn from a key, and 0 elsewhere."""
    one = np.zeros(prod(array.shape), np.int64)
    one[int(words(key, (1,))[0] % np.uint64(one.size))] = 1
    return one.reshape(array.shape)


def _times(array: Array, power: int) -> Array:
    """An array times a power of two; infinite where that is beyond its dtype, wrapped around in an integer one."""
    if array.dtype.kind == "i":
        wrapped: Array = array << array.dtype.type(power)
        return wrapped
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(array, power)


def _words(*found: tuple[str, Array]) -> frozenset[str]:
    return frozenset(word for word, where in found if where.any())
