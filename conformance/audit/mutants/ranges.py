"""Operands and sums in formats that small numbers fit into: data that is narrow tells none of them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, right
from conformance.audit.mutants.numerics import BF16, TF32, rounded
from conformance.problem import Problem

family = Family("ranges")
MUTANTS = family.mutants

OPERANDS = ("x", "weight", "bias")


def read_as(operand: str, narrow: Callable[[Array], Array]) -> Implementation:
    """What reads one operand in a narrower format."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        given = {"x": x, "weight": w, "bias": b}
        array = given[operand]
        given[operand] = None if array is None else narrow(array).astype(array.dtype)
        return right(p, *given.values())  # type: ignore[arg-type]  # x and w are never None

    return run


def saturated(bits: int, array: Array) -> Array:
    """Values clamped to a whole number of so many bits and a sign."""
    clamped: Array = np.clip(array, -(2**bits), 2**bits - 1)
    return clamped


def _given(operand: str, p: Problem) -> bool:
    return p.bias or operand != "bias"


for operand in OPERANDS:
    region = partial(_given, operand)
    for name, bits in (("4 bits", 4), ("bfloat16", BF16), ("TF32", TF32), ("16 bits", 16)):
        family.inside(f"{operand} rounded to {name}", region, read_as(operand, partial(rounded, bits=bits)))
    for name, bits in (("int4", 3), ("int8", 7), ("int16", 15)):
        family.inside(f"{operand} saturated in {name}", region, read_as(operand, partial(saturated, bits)))


def sums_rounded(bits: int) -> Implementation:
    """What keeps its answer in so many bits."""
    return lambda p, x, w, b: rounded(right(p, x, w, b), bits)


def sums_saturated(bits: int) -> Implementation:
    """What clamps its answer."""
    return lambda p, x, w, b: saturated(bits, right(p, x, w, b)).astype(x.dtype)


def sums_wrapped(bits: int) -> Implementation:
    """What keeps its answer in a whole number of so many bits and a sign, and wraps around."""
    return lambda p, x, w, b: ((right(p, x, w, b) + 2**bits) % 2 ** (bits + 1) - 2**bits).astype(x.dtype)


for bits in (16, 18, 20, 21, 22, 23):
    family.add(f"sums kept in {bits} bits")(sums_rounded(bits))
    family.add(f"sums saturated at 2**{bits}")(sums_saturated(bits))
family.add("sums wrapped at 2**20")(sums_wrapped(20))
family.add("sums wrapped at 2**22")(sums_wrapped(22))
