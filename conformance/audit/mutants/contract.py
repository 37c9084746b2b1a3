"""Faults of what comes back: another dtype or rank, values that are no numbers, and another answer each time."""

import random

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, right, unreached
from conformance.problem import Problem

family = Family("contract")
MUTANTS = family.mutants


@family.add("answers in a wider type")
def wider(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b).astype(np.result_type(x.dtype, np.float64, np.complex64))


@family.add("answers in whole numbers")
def whole(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b).astype(np.int64)


@family.add("right values, batch and channels in one axis")
def flat(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b).reshape(-1, *p.output)


@family.add("right values, channels last")
def channels_last(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return np.moveaxis(right(p, x, w, b), 1, -1)


@family.add("NaN where no tap reaches")
def nan_for_zero(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y[unreached(p, x, w)] = np.nan
    return y


@family.add("infinity in place of the largest value")
def overflow(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y.flat[np.argmax(y)] = np.inf
    return y


@family.add_stateful("another answer one time in ten")
def nondeterministic() -> Implementation:
    draw = random.Random("nondeterministic").random

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, b)
        return y + 1 if draw() < 0.1 else y

    return run
