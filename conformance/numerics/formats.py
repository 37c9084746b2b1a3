"""Formats that real numbers are held in, and how far from a sum of products one can be that is held in them.

A sum of K products and b biases, in any order, rounds each term at most n = K + b times (docs/numerics.md), so that

    |sum - exact| <= gamma(n) * S + n * smallest,    S = convT(|x|, |w|) + |bias|,    gamma(n) = n*u / (1 - n*u)

where `smallest` is what an operation can lose near zero. The exact sum is not known: what stands for it is computed in
float64, and its own gamma counts too. An answer that is held in fewer bits than its sums is rounded once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format by the bits of its significand, the least that an operation can lose, and its largest number."""

    name: str
    bits: int
    smallest: float
    largest: float

    @property
    def unit(self) -> float:
        """The largest relative error of one rounding."""
        return 2.0**-self.bits

    def holds(self, array: Array) -> bool:
        """Whether every finite number of a float64 array is one of this format."""
        finite = array[np.isfinite(array)]
        with np.errstate(over="ignore", under="ignore"):
            if self.name == "bfloat16":
                return bool((rounded(self.bits, finite.astype(np.float32)) == finite).all())
            return bool((finite.astype(self.name) == finite).all())


FLOAT64 = Format("float64", 53, 2.0**-1022, float(np.finfo(np.float64).max))
FLOAT32 = Format("float32", 24, 2.0**-126, float(np.finfo(np.float32).max))
FLOAT16 = Format("float16", 11, 2.0**-24, 65504.0)
BFLOAT16 = Format("bfloat16", 8, 2.0**-126, float(2.0**128 - 2.0**120))
FORMATS = {held.name: held for held in (BFLOAT16, FLOAT16, FLOAT32, FLOAT64)}
"""By name, the fewest bits first. Subnormal numbers may be lost, but in float16, where they are wide."""


def rounded(bits: int, array: Array) -> Array:
    """Values rounded to a significand of so many bits, ties to even."""
    return _with_bits(bits, array, np.round)


def cut(bits: int, array: Array) -> Array:
    """Values cut to a significand of so many bits, towards zero."""
    return _with_bits(bits, array, np.trunc)


def _with_bits(bits: int, array: Array, whole: Callable[[Array], Array]) -> Array:
    mantissa, exponent = np.frexp(array)
    made: Array = np.ldexp(whole(np.ldexp(mantissa, bits)), exponent - bits)
    return made


def format_of(array: Array, name: str = "") -> Format:
    """The format that an array's numbers have: the one that is named, or the narrowest that holds all of them."""
    stated = FORMATS.get(name or array.dtype.name, FLOAT64)
    values = array.astype(np.float64)
    if name in FORMATS or stated.bits < FLOAT32.bits or not np.isfinite(values).any():
        return stated
    return next(held for held in FORMATS.values() if held == stated or (held.bits < stated.bits and held.holds(values)))


def spacing(array: Array) -> float:
    """The largest power of two that every number of a float64 array is a multiple of; infinite where all are zero."""
    mantissa, exponent = np.frexp(array[array != 0])
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    steps = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return float(steps.min(initial=np.inf))


def gamma(held: Format, terms: Array) -> Array:
    """The relative error of a sum of so many terms; infinite where so many have no bound."""
    share = terms * held.unit
    with np.errstate(divide="ignore"):
        bound: Array = np.where(share < 1, share / np.maximum(1 - share, 0), np.inf)
    return bound


def limit(sums: Format, answer: Format, values: Array, magnitudes: Array, terms: Array) -> Array:
    """How far an answer of one format, added up in another, can be from values that were computed in float64.

    `magnitudes` are convT(|x|, |w|) + |bias|, and `terms` the largest number of roundings that a term of each has.
    """
    own = gamma(FLOAT64, terms)
    share = (gamma(sums, terms) + own) * (1 + own)  # of magnitudes that are computed in float64 too
    with np.errstate(invalid="ignore", over="ignore"):
        error: Array = share * magnitudes
        if np.isinf(share).any():
            error = np.where(magnitudes > 0, error, 0)
        error += terms * sums.smallest
        if answer.bits < sums.bits:
            error = error * (1 + answer.unit) + answer.unit * np.abs(values) + answer.smallest * (terms > 0)
    return error
