"""Widths of integers: a number of the problem, or a place in an array, that is kept in 8 or 16 bits."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from conformance.audit.mutants.base import (
    Array,
    Family,
    Implementation,
    Index,
    answer_of_another,
    right,
)
from conformance.problem import Ints, Problem

family = Family("integers")
MUTANTS = family.mutants

LIMITS = {"int8": 1 << 7, "uint8": 1 << 8, "int16": 1 << 15, "uint16": 1 << 16}
"""The first number that a type does not hold."""


def _wrapped(value: int, limit: int, least: int) -> int:
    """What is left of a number in a type without sign."""
    return max(value % limit, least) if value >= limit else value


def _all(values: Ints, limit: int, least: int) -> Ints:
    return tuple(_wrapped(value, limit, least) for value in values)


READ: Mapping[str, tuple[Callable[[Problem], int], Callable[[Problem, int], Problem]]] = {
    "stride": (lambda p: max(p.stride), lambda p, limit: replace(p, stride=_all(p.stride, limit, 1))),
    "dilation": (lambda p: max(p.dilation), lambda p, limit: replace(p, dilation=_all(p.dilation, limit, 1))),
    "padding at the begin": (
        lambda p: max(begin for begin, _ in p.pads),
        lambda p, limit: replace(p, pads=tuple((_wrapped(begin, limit, 0), end) for begin, end in p.pads)),
    ),
    "output_padding": (
        lambda p: max(p.output_padding),
        lambda p, limit: replace(p, output_padding=_all(p.output_padding, limit, 0)),
    ),
}
"""Numbers of a problem: the largest of an axis, and the problem that is read instead."""


def wrongly_read(change: Callable[[Problem, int], Problem], limit: int) -> Implementation:
    """What reads another problem, its answer cut or extended to the right extents."""
    return lambda p, x, w, b: answer_of_another(p, change(p, limit), x, w, b)


PLACES: Mapping[str, tuple[Callable[[Problem], int], Callable[[Problem, Array], Array]]] = {
    "input coordinate": (lambda p: max(p.input), lambda p, x: np.indices(x.shape[2:]).max(axis=0)),
    "position of the input": (
        lambda p: int(np.prod(p.input)), lambda p, x: np.arange(int(np.prod(p.input))).reshape(p.input)
    ),
    "batch": (lambda p: p.batch, lambda p, x: _along(x, 0)),
    "in channel": (lambda p: p.in_channels, lambda p, x: _along(x, 1) % p.in_channels),
    "group": (lambda p: p.groups, lambda p, x: _along(x, 1) // p.in_channels),
    "plane of the input": (
        lambda p: p.batch * p.groups * p.in_channels,
        lambda p, x: np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * p.rank),
    ),
}  # fmt: skip
"""Places in the input: how many there are, and the number of each."""


def _along(array: Array, axis: int) -> Array:
    return np.arange(array.shape[axis]).reshape([-1 if at == axis else 1 for at in range(array.ndim)])


def beyond_lost(number: Callable[[Problem, Array], Array], limit: int) -> Implementation:
    """What loses the places of the input beyond a limit."""
    return lambda p, x, w, b: right(p, np.where(number(p, x) < limit, x, 0).astype(x.dtype), w, b)


def outputs_lost(axis: int, limit: int) -> Implementation:
    """What loses the outputs whose number on an axis is beyond a limit; -1 are the spatial axes."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, b)
        for at in range(2, y.ndim) if axis < 0 else (axis,):
            beyond: Index = (*[slice(None)] * at, slice(limit, None))
            y[beyond] = 0
        return y

    return run


def taps_lost(limit: int) -> Implementation:
    """What loses the taps beyond a limit."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        return right(p, x, np.where(np.indices(p.kernel).max(axis=0) < limit, w, 0).astype(w.dtype), b)

    return run


def _reaches(count: Callable[[Problem], int], limit: int, p: Problem) -> bool:
    return count(p) >= limit


def _exceeds(count: Callable[[Problem], int], limit: int, p: Problem) -> bool:
    return count(p) > limit


for (name, (count, change)), (kind, limit) in product(READ.items(), LIMITS.items()):
    if limit < 1 << 15 or name.startswith("padding"):  # the suite extreme has steps of 16 bits, which end processes
        family.inside(f"{name} in {kind}", partial(_reaches, count, limit), wrongly_read(change, limit))
for (name, (count, number)), (kind, limit) in product(PLACES.items(), LIMITS.items()):
    if limit < 1 << 15 or name != "group":  # frameworks take minutes for so many
        family.inside(f"number of {name} in {kind}", partial(_exceeds, count, limit), beyond_lost(number, limit))
for kind, limit in LIMITS.items():
    family.inside(f"output coordinate in {kind}", partial(_exceeds, lambda p: max(p.output), limit),
                  outputs_lost(-1, limit))  # fmt: skip
    family.inside(f"number of out channel in {kind}", partial(_exceeds, lambda p: p.groups * p.out_channels, limit),
                  outputs_lost(1, limit))  # fmt: skip
    family.inside(f"number of tap in {kind}", partial(_exceeds, lambda p: max(p.kernel), limit), taps_lost(limit))
