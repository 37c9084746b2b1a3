"""Weights of a model as whole numbers, with an input that is drawn, so that int64 holds the exact answer.

A float is a whole number times a power of two, and so are all of a layer's, times one and the same. The operands are
multiplied by that power, which changes no rounding: the answer is the model's own, times a power of two. `rounding`
says how far an answer is from the exact one.
"""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.numerics.operands import SIGNIFICAND, Arrays, DataError, whole_numbers
from conformance.problem import Problem

Array = NDArray[Any]

SUM_BITS = 62
"""Of the largest sum; int64 has 63."""
X_BITS = (10, 4)
"""Of the values of x: as many as there is room for, and the fewest."""


def draw(case_id: str, problem: Problem, weight: Array, bias: Array | None) -> Arrays:
    """The operands of a case: its layer's own weight and bias, and an x that is drawn from its id.

    Numbers that are far smaller than the layer's largest are rounded to what int64 has room for beside that. Raises
    DataError for a weight that is not finite.
    """
    held = [np.asarray(array, np.float64) for array in (weight, bias) if array is not None]
    if not all(np.isfinite(array).all() for array in held):
        raise DataError(f"{case_id}: the model's weight is not finite: nothing is to be computed with it")
    sums, most = _bits(_largest_sum(problem, *held)), _bits(max(float(np.abs(array).max(initial=0)) for array in held))
    fine = min((_exponent(array) for array in held if array.any()), default=None)
    least = max(sums + X_BITS[1] - SUM_BITS, most - SIGNIFICAND["float64"])
    exponent = least if fine is None else max(fine, least)
    x_bits = min(X_BITS[0], SUM_BITS - sums + exponent)
    whole = [np.rint(np.ldexp(array, -exponent)).astype(np.int64) for array in held]
    x = whole_numbers(f"{case_id} x", problem.input_shape, (1 << x_bits) - 1)
    return Arrays(x, whole[0], whole[1] if bias is not None else None)


def _exponent(array: Array) -> int:
    """The largest exponent of a power of two that every number of an array is a whole multiple of."""
    mantissa, exponent = np.frexp(array[array != 0])
    whole = np.ldexp(mantissa, SIGNIFICAND["float64"]).astype(np.int64)
    trailing = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((trailing + exponent).min()) - SIGNIFICAND["float64"]


def _largest_sum(problem: Problem, weight: Array, bias: Array | None = None) -> float:
    """What no sum of magnitudes exceeds where x is 1."""
    shape = problem.groups, problem.in_channels, problem.out_channels, prod(problem.kernel)
    products = float(np.abs(weight).reshape(shape).sum(axis=(1, 3)).max(initial=0))
    return products + (0.0 if bias is None else float(np.abs(bias).max(initial=0)))


def _bits(number: float) -> int:
    """The exponent of a power of two that a number is below."""
    return int(np.frexp(number)[1]) if number else 0
