"""The operands of a case's gradients, drawn from its id alone, and its upstream gradient, all exact in every pass.

One draw serves all passes: the sums of the forward answer and of each gradient stay within what the dtype counts to.
The forward pass has operands of its own (`operands`), which leave no room for another operand.
"""

from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.numerics import gradients, operands
from conformance.numerics.operands import (
    BIAS_SHARE,
    DRAWS,
    EXACT_IN,
    HALF_NARROW,
    HALVES,
    LEAST_HEAVY,
    NARROW,
    NARROW_BIAS,
    ROOM,
    SIGNIFICAND,
    Arrays,
    DataError,
    drawn_for,
    most_terms,
    whole_numbers,
    words,
)
from conformance.problem import BIAS, INPUT, WEIGHT, Problem

Array = NDArray[Any]

TURNS = ("upstream", "weight", "x", "all", "sum")
"""Which operand a case's numbers make as wide as there is room, by the case's id. In a turn of "sum" it is the upstream
gradient, positive and of the upper half of its range, so that its sums come near to the limit."""


class Widths(NamedTuple):
    """The largest value of each operand, and whether all of the upstream gradient are positive and half as large."""

    x: int
    weight: int
    bias: int
    upstream: int
    heavy: bool = False


class Backward(NamedTuple):
    """Operands of a forward pass, and the gradient that comes from above; int64 as drawn."""

    arrays: Arrays
    upstream: Array


@lru_cache(maxsize=64)  # a case's passes and dtypes follow each other
def draw(case_id: str, problem: Problem, dtype: str = EXACT_IN) -> Backward:
    """The operands of a case's gradients: the first draw that sees every fault, as wide as all passes are exact in.

    Raises DataError where there is none. In half precision one is given whose certificates may not hold.
    """
    room = 1 << SIGNIFICAND[drawn_for(dtype)]
    turn = TURNS[int(words(f"{case_id} gradients turn", (1,))[0] % np.uint64(len(TURNS)))]
    widths, inexact = widths_of(problem, turn, room), None
    for attempt in range(DRAWS):
        drawn = _draw(f"{case_id} gradients#{attempt}", problem, widths)
        if not _sees_every_fault(problem, drawn):
            continue
        if _largest(problem, drawn) <= room:
            return drawn
        inexact = drawn
    if inexact is not None and dtype in HALVES:
        return inexact
    raise DataError(
        f"{case_id}: no draw of {DRAWS} for the gradients of '{problem}' is asymmetric and exact: give it another id "
        "or size"
    )


def widths_of(problem: Problem, turn: str, room: int = ROOM) -> Widths:
    """The largest values in a turn for which no sum of magnitudes of any pass leaves the room that there is."""
    small, bias = (NARROW, NARROW_BIAS) if room == ROOM else (HALF_NARROW, room // BIAS_SHARE)
    bias = bias if problem.bias else 0
    forward = max(1, (room - bias) // most_terms(problem))
    by_input, by_weight, by_bias = (
        max(1, room // max(1, gradients.terms(problem, name))) for name in (INPUT, WEIGHT, BIAS)
    )
    least = min(forward, by_input, by_weight)
    narrow = max(1, min(small, isqrt(least), by_bias))
    x = weight = upstream = narrow
    match turn:
        case "upstream":
            upstream = min(by_input // narrow, by_weight // narrow, by_bias)
        case "weight":
            weight = min(forward, by_input) // narrow
        case "x":
            x = min(forward, by_weight) // narrow
        case "sum":
            upstream = min(by_input, by_weight, by_bias)
            x, weight = min(narrow, by_weight // upstream), min(narrow, by_input // upstream)
            return Widths(x, weight, bias, upstream, heavy=upstream >= LEAST_HEAVY)
        case _:
            x = weight = isqrt(least)
            upstream = min(isqrt(least), by_bias)
    return Widths(max(1, x), max(1, weight), bias, max(1, upstream))


def _draw(key: str, problem: Problem, widths: Widths) -> Backward:
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape, problem.output_shape)
    x, weight, bias, upstream = (
        whole_numbers(f"{key} {name}", shape, max(1, most))
        for name, shape, most in zip(Widths._fields[:4], shapes, widths[:4], strict=True)
    )
    if widths.heavy:
        upstream = widths.upstream - (np.abs(upstream) - 1) // 2
    return Backward(Arrays(x, weight, bias if problem.bias else None), upstream)


def _largest(problem: Problem, drawn: Backward) -> int:
    """What no partial sum of any pass exceeds."""
    largest = operands.largest_sum(problem, drawn.arrays)
    of_gradients = (gradients.magnitudes(problem, name, *drawn).max() for name in gradients.passes_of(problem))
    return max(largest, *map(int, of_gradients))


def _sees_every_fault(problem: Problem, drawn: Backward) -> bool:
    """Whether no reversal of an axis, and no swap of the channel axes, leaves an array as it is."""
    weight = drawn.arrays.weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    swapped = problem.in_channels == problem.out_channels > 1 and np.array_equal(weight, weight.swapaxes(1, 2))
    arrays = (drawn.arrays.x, weight, drawn.arrays.bias, drawn.upstream)
    return not swapped and all(_asymmetric(array) for array in arrays if array is not None)


def _asymmetric(array: Array) -> bool:
    return not any(
        extent > 1 and np.array_equal(array, np.flip(array, axis)) for axis, extent in enumerate(array.shape)
    )
