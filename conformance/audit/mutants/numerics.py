"""Faults of the arithmetic: fewer bits than the dtype has, and terms that get lost."""

import numpy as np

from conformance.audit.mutants.base import Array, Family, grouped, right
from conformance.problem import Problem

family = Family("numerics")
MUTANTS = family.mutants

TF32, BF16 = 11, 8
"""Bits of a significand."""


def rounded(array: Array, bits: int) -> Array:
    """Values rounded to a significand of so many bits."""
    mantissa, exponent = np.frexp(array.astype(np.float64))
    nearest: Array = np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(array.dtype)
    return nearest


@family.add("inputs rounded to TF32")
def tf32(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, rounded(x, TF32), rounded(w, TF32), b)


@family.add("inputs rounded to bfloat16")
def bf16(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, rounded(x, BF16), rounded(w, BF16), b)


@family.add("sums kept in float16")
def f16(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    with np.errstate(over="ignore"):
        return right(p, x, w, b).astype(np.float16).astype(x.dtype)


@family.add("sums kept in TF32")
def tf32_sums(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return rounded(right(p, x, w, b), TF32)


@family.add("relative error of 2**-22, as Winograd's transform may have")
def winograd(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return (right(p, x, w, b).astype(np.float64) * (1 + 2.0**-22)).astype(x.dtype)


@family.add("last in channel lost where there are many")
def lost_term(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    if p.in_channels <= 16:
        return right(p, x, w, b)
    weight = grouped(p, w).copy()
    weight[:, -1] = 0
    return right(p, x, weight.reshape(w.shape), b)


@family.add("one term in 64 lost in long sums")
def lost_terms(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    if p.terms < 64:
        return right(p, x, w, b)
    weight = w.copy().reshape(-1)
    weight[63::64] = 0
    return right(p, x, weight.reshape(w.shape), b)


@family.add(
    "subnormal numbers flushed to zero",
    equivalent="operands and sums are whole numbers, so that none but 0 is below 1, and subnormal numbers are below "
    "2**-126: nothing is ever flushed",
)
def flushed(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y[np.abs(y) < np.finfo(y.dtype).smallest_normal] = 0
    return y
