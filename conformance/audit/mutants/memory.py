"""Faults of memory: what is left uninitialised, overwritten, or remembered from an earlier call."""

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, right, unreached
from conformance.problem import Problem

family = Family("memory")
MUTANTS = family.mutants

LEFT_BEHIND = -559038737
LARGEST_ANSWER = 1 << 20


@family.add("uninitialised where no tap reaches")
def uninitialised(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y[unreached(p, x, w)] = LEFT_BEHIND
    return y


@family.add("index of an answer in 16 bits")
def short_index(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    return np.where(np.arange(y.size).reshape(y.shape) < 1 << 16, y, 0)


@family.add("input modified in place")
def input_modified(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    x *= 2
    return y


@family.add("weight reversed in place, and not put back")
def weight_modified(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    w[...] = np.flip(w, -1).copy()
    return y


@family.add_stateful("output in a buffer that the next call reuses")
def buffer() -> Implementation:
    room = np.zeros(LARGEST_ANSWER)

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, b)
        held = room.view(y.dtype)[: y.size].reshape(y.shape)
        held[...] = y
        return held

    return run


@family.add_stateful("stale answer of an earlier case of that shape")
def stale() -> Implementation:
    answers: dict[tuple[int, ...], Array] = {}
    return lambda p, x, w, b: answers.setdefault(p.output_shape, right(p, x, w, b)).copy()


@family.add_stateful("weight of an earlier case of that shape")
def stale_weight() -> Implementation:
    weights: dict[tuple[int, ...], Array] = {}
    return lambda p, x, w, b: right(p, x, weights.setdefault(w.shape, w.copy()), b)


@family.add_stateful("answer of the case before, where it has the same shape")
def previous() -> Implementation:
    last = [np.zeros(0)]

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, b)
        before, last[0] = last[0], y
        return before.copy() if before.shape == y.shape else y.copy()

    return run
