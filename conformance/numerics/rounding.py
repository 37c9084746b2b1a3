"""Answers that must round, and how far: operands that fill a significand, an exact sum, a bound for every order.

Operands are whole numbers of 24 significant bits, shifted apart until sums fill int64. Both dtypes hold them exactly,
and int64 their answer, but no framework can: partial sums have some 62 bits. A sum of K products and b biases, in any
order, with or without fused multiply-add, rounds each term at most n = K + b times, so that

    |actual - exact| <= gamma(n) * (convT(|x|, |w|) + |bias|),    gamma(n) = n*u / (1 - n*u),    u = 2**-bits

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). Nothing overflows, and nothing is small
enough to underflow. `rho` is the largest error in units of u times that sum of magnitudes: at most 1 where only the
result is rounded, n at the most, and what grows first when an implementation gets worse.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import EXACT_IN, SIGNIFICAND, Arrays, DataError, magnitudes, words
from conformance.problem import Problem

Array = NDArray[Any]

BITS = SIGNIFICAND[EXACT_IN]
SUM_BITS = 62
"""Of the largest sum; int64 has 63."""

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


def draw(case_id: str, problem: Problem) -> Arrays:
    """The int64 operands of a case, drawn from its id, shifted apart as far as its sums fit int64.

    Raises DataError where they never do.
    """
    for spread in reversed(range((SUM_BITS - 2 * BITS) // 2 + 1)):
        arrays = _draw(case_id, problem, spread)
        if magnitudes(problem, arrays.astype("float64")).max() <= 1 << SUM_BITS:
            return arrays
    raise DataError(f"{case_id}: {problem.terms} products of {2 * BITS} bits do not fit int64: give it a smaller size")


def _draw(case_id: str, problem: Problem, spread: int) -> Arrays:
    x = _numbers(f"{case_id} x", problem.input_shape, spread)
    weight = _numbers(f"{case_id} weight", problem.weight_shape, spread)
    bias = _numbers(f"{case_id} bias", problem.bias_shape, spread) << (BITS + spread) if problem.bias else None
    return Arrays(x, weight, bias)


def _numbers(key: str, shape: tuple[int, ...], spread: int) -> NDArray[np.int64]:
    """Whole numbers of 24 significant bits of either sign, shifted by up to `spread` more."""
    drawn = words(key, shape)
    size = (drawn % np.uint64(1 << BITS - 1)).astype(np.int64) + (1 << BITS - 1)
    shift = ((drawn >> np.uint64(32)) % np.uint64(spread + 1)).astype(np.int64)
    sign = 1 - 2 * (drawn >> np.uint64(63)).astype(np.int64)
    return sign * size << shift


def measure_rounding(problem: Problem, arrays: Arrays, exact: Array, actual: Array) -> Rounding:
    """How far an answer of finite floats is from the exact int64 one of the same shape."""
    unit = 2.0 ** -SIGNIFICAND[actual.dtype.name]
    steps, scale = _steps(problem), magnitudes(problem, arrays).astype(np.float64) * unit
    error = _distance(actual, exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(error > 0, error / scale, 0)
        share = np.where(error > 0, rho * (1 - steps * unit) / steps, 0)
    worst = tuple(map(int, np.unravel_index(share.argmax(), share.shape)))
    over = int(np.count_nonzero(share > 1))
    return Rounding(rho.max(), share.max(), over, share.size, worst, f"{error[worst]:g}")


def _steps(problem: Problem) -> Array:
    """How often a term of each value can be rounded: none where the bias is all there is."""
    x, weight = (np.ones(shape, np.int64) for shape in (problem.input_shape, problem.weight_shape))
    products = oracle.expected(problem, x, weight, None)
    return np.where(products > 0, products + problem.bias, 0)


def _distance(actual: Array, exact: Array) -> Array:
    """|actual - exact| in float64, where an exact value may need more bits than that has."""
    near = exact.astype(np.float64)
    rest = exact - near.astype(np.int64)
    distance: Array = np.abs((actual.astype(np.float64) - near) - rest)
    return distance


def explain(problem: Problem, arrays: Arrays, actual: Array) -> str:
    """The widest narrower format to which operands must have been rounded for the answer to be in bounds, if any."""
    for bits, name in NARROWER.items():
        x, weight = _rounded(arrays.x, bits), _rounded(arrays.weight, bits)
        for which, rounded in (
            ("x", arrays._replace(x=x)),
            ("weight", arrays._replace(weight=weight)),
            ("x and weight", arrays._replace(x=x, weight=weight)),
        ):
            exact = oracle.expected(problem, *rounded)
            if measure_rounding(problem, rounded, exact, actual).count == 0:
                return f"as if {which} had been rounded to the {bits} bits of {name}"
    return ""


def _rounded(array: Array, bits: int) -> Array:
    """Whole numbers rounded to so many significant bits, to even where two are as near."""
    unit = np.int64(1) << np.maximum(np.frexp(np.abs(array).astype(np.float64))[1].astype(np.int64) - bits, 0)
    rounded: Array = np.rint(array / unit).astype(np.int64) * unit
    return rounded
