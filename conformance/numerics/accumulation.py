"""Accumulation classes: what an implementation rounds while it adds up, and how far an answer of each can be off.

    A   a sum is kept in float32, or in the dtype where that has more bits, and rounded to the dtype once
    S   so is the sum over in channels; where stamps overlap, and with the bias, sums are rounded to the dtype
    B   every partial sum is rounded to the dtype
    C   as A, on operands that were rounded to fewer bits; never declared, only measured

An adapter declares one of the first three for each dtype of half precision. In float32 and float64 these three are one.
docs/numerics.md derives the bounds.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import EXACT_IN, SIGNIFICAND, Arrays, magnitudes
from conformance.problem import Problem

Array = NDArray[Any]

CLASSES: Mapping[str, str] = {
    "A": "sums kept in float32, rounded once",
    "S": "stamps added up in the dtype",
    "B": "partial sums rounded to the dtype",
    "C": "operands rounded to fewer bits",
}
"""What is rounded in each class, in words; each allows what the one before it allows."""
DECLARED = ("A", "S", "B")
"""Those that an adapter can declare."""


class Sums(NamedTuple):
    """What a limit depends on, for each value of an answer.

    `terms` is how often a product can be rounded, `stamps` how often what a tap gives can be, both with the bias;
    `magnitudes` are convT(|x|, |w|) + |bias|. `native` is the exact answer before the bias where that was added in
    `late` bits, behind the native call; else all of it.
    """

    exact: Array
    terms: Array
    stamps: Array
    magnitudes: Array
    native: Array
    late: int = 0


def sums_of(problem: Problem, arrays: Arrays, exact: Array, late: int = 0) -> Sums:
    """The sums of an exact answer; `late` as in `Sums`. No term is rounded where the bias is all there is."""
    x, weight = (np.ones(shape, np.int64) for shape in (problem.input_shape, problem.weight_shape))
    products = oracle.expected(problem, x, weight, None)
    reached = products > 0
    whole = exact.astype(np.float64)
    bias = 0.0 if arrays.bias is None else arrays.bias.astype(np.float64).reshape(-1, *[1] * problem.rank)
    return Sums(
        whole,
        np.where(reached, products + problem.bias, 0),
        np.where(reached, products // problem.in_channels + problem.bias, 0),
        magnitudes(problem, arrays).astype(np.float64),
        whole - bias if late else whole,
        late,
    )


def limit(name: str, dtype: str, sums: Sums) -> Array:
    """How far each value of an answer of a class can be from the exact one; infinite where there is no bound."""
    bits = SIGNIFICAND[dtype]
    unit, kept = 2.0**-bits, 2.0 ** -max(bits, SIGNIFICAND[EXACT_IN])
    if name == "B" or unit == kept:
        bound: Array = gamma(unit, sums.terms) * sums.magnitudes
        return bound
    error: Array = gamma(kept, sums.terms) * sums.magnitudes
    if name == "S":
        stamped: Array = error + gamma(unit, sums.stamps) * (sums.magnitudes + error)
        return stamped
    rounds = sums.terms > 0
    error = error + rounds * unit * (np.abs(sums.native) + error)
    if sums.late:
        error = error + rounds * 2.0**-sums.late * (np.abs(sums.exact) + error)
    return error


def gamma(unit: float, terms: Array) -> Array:
    """The relative error of sums of so many roundings of a unit; beyond every number where so many have no bound."""
    share = terms * unit
    with np.errstate(divide="ignore", invalid="ignore"):
        bound: Array = np.where(share < 1, share / (1 - share), np.finfo(np.float64).max / 2**64)
    return bound


def judges(name: str, dtype: str, terms: int) -> bool:
    """Whether the bound of a class says anything of sums of so many terms: from a share of 1 on, zeros would fit."""
    return name != "B" or 2 * terms < 1 << SIGNIFICAND[dtype]
