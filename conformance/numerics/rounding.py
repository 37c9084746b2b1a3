"""Answers that must round, and how far: operands that fill a significand, an exact sum, a bound for every order.

Operands are whole numbers of 24 significant bits, shifted apart until sums fill int64. Both dtypes hold them exactly,
and int64 their answer, but no framework can: partial sums have some 62 bits. A sum of K products and b biases, in any
order, with or without fused multiply-add, rounds each term at most n = K + b times, so that

    |actual - exact| <= gamma(n) * (convT(|x|, |w|) + |bias|),    gamma(n) = n*u / (1 - n*u),    u = 2**-bits

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). Nothing overflows, and nothing is small
enough to underflow. `rho` is the largest error in units of u times that sum of magnitudes: at most 1 where only the
result is rounded, n at the most, and what grows first when an implementation gets worse.

In half precision operands are numbers of as many bits as the dtype has, from 1 up, whose sums are exact in float64 and
within the range of float16. How far an answer can be off depends on what is rounded: see `accumulation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.accumulation import DECLARED, Sums, limit, sums_of
from conformance.numerics.operands import EXACT_IN, HALVES, SIGNIFICAND, Arrays, DataError, magnitudes, words
from conformance.problem import Problem

Array = NDArray[Any]

BITS = SIGNIFICAND[EXACT_IN]
SUM_BITS = 62
"""Of the largest sum; int64 has 63."""

HALF_SUM = 2.0**15
"""What a sum of magnitudes reaches at most in half precision: float16 ends below 2**16."""
HALF_SPREAD = 4
"""How far operands of half precision are shifted apart, in bits, where their sums have room for it."""
MIXED = 0.25
"""Signs are mixed as far as terms**1.5 * u: beyond, sums cancel to less than the bound of class B, which would say
nothing."""

NARROWER = {11: "TF32 or float16", 8: "bfloat16"}
"""Formats that operands may have been rounded to, by the bits of their significand, the widest first."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How an answer was rounded: `rho` in units of u * (convT(|x|, |w|) + |bias|), `share` of what is possible.

    `count` of `size` values err more than any order of summation can, the worst at `index` by `largest`.
    """

    rho: float
    share: float
    count: int
    size: int
    index: tuple[int, ...]
    largest: str

    def evidence(self) -> dict[str, float]:
        """The two numbers, by name, as a record keeps them; without one that is infinite, since nothing may round."""
        return {
            name: float(f"{value:.4g}") for name, value in (("rho", self.rho), ("share", self.share)) if isfinite(value)
        }


def draw(case_id: str, problem: Problem, dtype: str = EXACT_IN) -> Arrays:
    """The operands of a case, drawn from its id, shifted apart as far as there is room: int64, or float64 for a half.

    Raises DataError where there is no room.
    """
    if dtype in HALVES:
        drawn, room, least = _halves(case_id, problem, dtype), HALF_SUM, HALF_SPREAD
    else:
        drawn, room, least = _whole(case_id, problem), 2.0**SUM_BITS, (SUM_BITS - 2 * BITS) // 2
    for spread in reversed(range(least + 1)):
        arrays = drawn(spread)
        if magnitudes(problem, arrays.astype("float64")).max() <= room:
            return arrays
    raise DataError(f"{case_id}: {problem.terms} products of {2 * _bits(dtype)} bits do not fit "
                    f"{'float16' if dtype in HALVES else 'int64'}: give it a smaller size")  # fmt: skip


def _bits(dtype: str) -> int:
    return SIGNIFICAND[dtype] if dtype in HALVES else BITS


def _whole(case_id: str, problem: Problem) -> Callable[[int], Arrays]:
    """What draws the whole numbers of a case, by how far they are shifted apart."""
    return lambda spread: _draw(case_id, problem, spread)


def _halves(case_id: str, problem: Problem, dtype: str) -> Callable[[int], Arrays]:
    """What draws the numbers of half precision of a case, from 1 up, by how far they are shifted apart."""
    bits = SIGNIFICAND[dtype]
    positive = problem.terms**1.5 * 2.0**-bits > MIXED

    def drawn(spread: int) -> Arrays:
        shapes = {"x": problem.input_shape, "weight": problem.weight_shape, "bias": problem.bias_shape}
        numbers = (_numbers(f"{case_id} {dtype} {name}", shape, spread, bits) for name, shape in shapes.items())
        x, weight, bias = (np.ldexp((np.abs(each) if positive else each).astype(np.float64), 1 - bits)
                           for each in numbers)  # fmt: skip
        return Arrays(x, weight, bias if problem.bias else None)

    return drawn


def _draw(case_id: str, problem: Problem, spread: int) -> Arrays:
    x = _numbers(f"{case_id} x", problem.input_shape, spread)
    weight = _numbers(f"{case_id} weight", problem.weight_shape, spread)
    bias = _numbers(f"{case_id} bias", problem.bias_shape, spread) << (BITS + spread) if problem.bias else None
    return Arrays(x, weight, bias)


def _numbers(key: str, shape: tuple[int, ...], spread: int, bits: int = BITS) -> NDArray[np.int64]:
    """Whole numbers of so many significant bits of either sign, shifted by up to `spread` more."""
    drawn = words(key, shape)
    size = (drawn % np.uint64(1 << bits - 1)).astype(np.int64) + (1 << bits - 1)
    shift = ((drawn >> np.uint64(32)) % np.uint64(spread + 1)).astype(np.int64)
    sign = 1 - 2 * (drawn >> np.uint64(63)).astype(np.int64)
    return sign * size << shift


def measure_rounding(
    problem: Problem, arrays: Arrays, exact: Array, actual: Array, dtype: str = "", name: str = "A", late: bool = False
) -> Rounding:
    """How far an answer of finite floats is from the exact one of the same shape, by the bound of a class.

    `dtype` is the answer's where NumPy has it not; `late` says that the bias was added to the native answer.
    """
    held = actual.dtype.name
    return measured(dtype or held, name, sums_of(problem, arrays, exact, SIGNIFICAND[held] * late), actual, exact)


def measured(dtype: str, name: str, sums: Sums, actual: Array, exact: Array) -> Rounding:
    """The same of sums that are known."""
    error = distance(actual, exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(error > 0, error / (sums.magnitudes * 2.0 ** -SIGNIFICAND[dtype]), 0)
        share = np.where(error > 0, error / limit(name, dtype, sums), 0)
    worst = tuple(map(int, np.unravel_index(share.argmax(), share.shape)))
    over = int(np.count_nonzero(share > 1))
    return Rounding(rho.max(), share.max(), over, share.size, worst, f"{error[worst]:g}")


def class_of(dtype: str, sums: Sums, actual: Array, exact: Array) -> str:
    """The first class that an answer is within; empty where it is within none."""
    fits = (name for name in DECLARED if measured(dtype, name, sums, actual, exact).count == 0)
    return next(fits, "")


def distance(actual: Array, exact: Array) -> Array:
    """|actual - exact| in float64, where an exact whole number may need more bits than that has."""
    near = exact.astype(np.float64)
    rest = exact - near.astype(np.int64) if exact.dtype.kind == "i" else 0
    apart: Array = np.abs((actual.astype(np.float64) - near) - rest)
    return apart


def explain(problem: Problem, arrays: Arrays, actual: Array, dtype: str = "", name: str = "A") -> str:
    """The widest narrower format to which operands must have been rounded for the answer to be in bounds, if any."""
    for bits, narrower in NARROWER.items():
        if bits >= SIGNIFICAND[dtype or actual.dtype.name]:
            continue
        x, weight = _rounded(arrays.x, bits), _rounded(arrays.weight, bits)
        for which, rounded in (
            ("x", arrays._replace(x=x)),
            ("weight", arrays._replace(weight=weight)),
            ("x and weight", arrays._replace(x=x, weight=weight)),
        ):
            exact = oracle.expected(problem, *rounded)
            if measure_rounding(problem, rounded, exact, actual, dtype, name).count == 0:
                return f"as if {which} had been rounded to the {bits} bits of {narrower}"
    return ""


def _rounded(array: Array, bits: int) -> Array:
    """Numbers rounded to so many significant bits, to even where two are as near; whole ones stay whole."""
    if array.dtype.kind == "f":
        steps: Array = np.ldexp(1.0, np.frexp(array)[1] - bits)
        return np.asarray(np.rint(array / steps) * steps)
    unit = np.int64(1) << np.maximum(np.frexp(np.abs(array).astype(np.float64))[1].astype(np.int64) - bits, 0)
    rounded: Array = np.rint(array / unit).astype(np.int64) * unit
    return rounded
