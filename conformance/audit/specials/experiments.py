"""Special values put into an operand, one experiment at a time, and what a lane's answer shows of each.

The lane is asked alone, as for properties: what an answer is to be is made of the lane's own answer to whole numbers,
and of which outputs an element of an operand reaches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import SIGNIFICAND, Arrays, draw, held_in, largest_sum, words
from conformance.problem import BIAS, INPUT, WEIGHT, Problem

Array = NDArray[Any]

ANSWER = "answer"
"""Where a special value is in the answer alone."""
FIELDS = {INPUT: "x", WEIGHT: "weight", BIAS: "bias"}
OPERANDS = (*FIELDS,)
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

LARGEST = {"float16": 16, "bfloat16": 128, "float32": 128, "float64": 1024}
"""The power of two from which on a number is beyond a dtype."""
SMALLEST = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}
"""The power of two that is the smallest subnormal number."""

Judge = Callable[[Array, Array], frozenset[str]]


class Asked(NamedTuple):
    """A problem with its operands, as the lane is asked."""

    problem: Problem
    arrays: Arrays

    @property
    def expected(self) -> Array:
        """The answer to operands that are whole numbers."""
        return oracle.expected(self.problem, *self.arrays)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A special value in an operand: what is asked, and what an answer shows beside the answer to whole numbers."""

    operand: str
    value: str
    plain: Asked
    special: Asked
    judge: Judge


def experiments(key: str, problem: Problem, dtype: str) -> Iterator[Experiment]:
    """All that is tried on a problem, with data drawn from a key."""
    drawn = draw(key, problem, dtype)
    if largest_sum(problem, drawn) > 1 << SIGNIFICAND[dtype]:
        return
    plain = Asked(problem, drawn.astype(dtype))
    without = Asked(replace(problem, bias=False), Arrays(*drawn[:2], None).astype(dtype))
    for operand in OPERANDS[: 2 + problem.bias]:
        for value in (np.inf, np.nan):
            yield _spread(key, plain, drawn, dtype, operand, value)
        yield from _negative_zero(plain, operand)
        yield from _subnormal(plain if operand == BIAS else without, dtype, operand)
    yield from _overflow(problem, drawn, dtype)


def _spread(key: str, plain: Asked, drawn: Arrays, dtype: str, operand: str, value: float) -> Experiment:
    """One infinity or NaN in an operand."""
    problem, field = plain.problem, FIELDS[operand]
    one = _indicator(f"{key} {operand}", getattr(drawn, field))
    sign = 1 if words(f"{key} {operand} sign", (1,))[0] % np.uint64(2) else -1
    special = np.where(one, sign * value, getattr(plain.arrays, field)).astype(held_in(dtype))
    reaching = _reaching(problem, drawn, operand, one)

    def judge(before: Array, actual: Array) -> frozenset[str]:
        reached = reaching != 0
        due = sign * value * np.where(reached, np.sign(reaching), 1)
        lost, same = np.isfinite(actual), np.equal(actual, due) | (np.isnan(actual) & np.isnan(due))
        beyond = ~reached & (actual != before)
        return _words((BEYOND, beyond), (LOST, reached & lost), (TURNED, reached & ~lost & ~same))

    name = "nan" if np.isnan(value) else "inf"
    return Experiment(operand, name, plain, Asked(problem, plain.arrays._replace(**{field: special})), judge)


def _reaching(problem: Problem, drawn: Arrays, operand: str, one: Array) -> Array:
    """What an element of an operand is multiplied by in each output: 0 where it does not reach."""
    if operand == BIAS:
        return np.broadcast_to(one.reshape(-1, *[1] * problem.rank), problem.output_shape)
    with_one = drawn._replace(**{FIELDS[operand]: one})
    return oracle.expected(replace(problem, bias=False), with_one.x, with_one.weight, None)


def _negative_zero(plain: Asked, operand: str) -> Iterator[Experiment]:
    """An operand of -0 beside positive ones: every product is -0, and so is a sum of them and of a bias of -0.

    A bias of -0 is looked at where no tap reaches.
    """
    problem, (x, weight, bias) = plain.problem, plain.arrays
    ones = np.ones(x.shape, np.int64), np.ones(weight.shape, np.int64)
    reached = oracle.expected(replace(problem, bias=False), *ones, None) > 0
    looked_at = ~reached if operand == BIAS else reached
    if not looked_at.any():
        return

    def judge(_: Array, actual: Array) -> frozenset[str]:
        zero = actual == 0
        return _words((POSITIVE, looked_at & zero & ~np.signbit(actual)), (CHANGED, looked_at & ~zero))

    positive = Arrays(np.abs(x), np.abs(weight), None if bias is None else np.full_like(bias, -0.0))
    field = FIELDS[operand]
    zeros = positive._replace(**{field: np.full_like(getattr(positive, field), -0.0)})
    yield Experiment(operand, "-0", plain, Asked(problem, zeros), judge)


def _subnormal(plain: Asked, dtype: str, operand: str) -> Iterator[Experiment]:
    """An operand of subnormal numbers, whole multiples of the smallest, beside whole numbers.

    A bias is tiny beside an x of zeros, and there is none beside other tiny operands.
    """
    smallest, field, arrays = SMALLEST[dtype], FIELDS[operand], plain.arrays
    if operand == BIAS:
        arrays = arrays._replace(x=np.zeros_like(arrays.x))
    whole = plain if operand != BIAS else Asked(plain.problem, arrays)
    if not whole.expected.any():
        return
    tiny = arrays._replace(**{field: _times(getattr(arrays, field), smallest)})

    def judge(before: Array, actual: Array) -> frozenset[str]:
        wrong = actual != _times(before, smallest)
        return _words((FLUSHED, wrong & (actual == 0)), (CHANGED, wrong & (actual != 0)))

    yield Experiment(operand, "subnormal", whole, Asked(plain.problem, tiny), judge)


def _overflow(problem: Problem, drawn: Arrays, dtype: str) -> Iterator[Experiment]:
    """Positive operands whose largest answers are beyond the dtype; no partial sum is unless its answer is."""
    whole = replace(problem, bias=False)
    positive = Arrays(np.abs(drawn.x), np.abs(drawn.weight), None)
    most = int(oracle.expected(whole, positive.x, positive.weight, None).max(initial=0))
    if not most:
        return
    power = LARGEST[dtype] - most.bit_length() + 1
    of_x = min(power, LARGEST[dtype] - 1 - int(positive.x.max()).bit_length())
    if power - of_x + int(positive.weight.max()).bit_length() >= LARGEST[dtype]:
        return
    plain = positive.astype(dtype)

    def judge(before: Array, actual: Array) -> frozenset[str]:
        due = _times(before, power)
        infinite = np.isinf(due)
        return _words(
            (FINITE, infinite & np.isfinite(actual)), (EARLY, ~infinite & ~np.isfinite(actual)),
            (CHANGED, (actual != due) & ~(infinite & np.isfinite(actual)) & ~(~infinite & ~np.isfinite(actual))),
        )  # fmt: skip

    special = Arrays(_times(plain.x, of_x), _times(plain.weight, power - of_x), None)
    yield Experiment(ANSWER, "overflow", Asked(whole, plain), Asked(whole, special), judge)


def _indicator(key: str, array: Array) -> Array:
    """1 at one element, drawn from a key, and 0 elsewhere."""
    one = np.zeros(prod(array.shape), np.int64)
    one[int(words(key, (1,))[0] % np.uint64(one.size))] = 1
    return one.reshape(array.shape)


def _times(array: Array, power: int) -> Array:
    """An array times a power of two; infinite where that is beyond its dtype."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(array, power)


def _words(*found: tuple[str, Array]) -> frozenset[str]:
    return frozenset(word for word, where in found if where.any())
