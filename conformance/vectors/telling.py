"""Which misreadings a vector tells: those that give another array than the expected one.

The statements are those that a diagnosis makes, in the same words. They are tried one at a time.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis.diagnose import Diagnosis
from conformance.diagnosis.misreadings import WHOLE, Placing
from conformance.diagnosis.observation import REPEATED, Observation, observed
from conformance.diagnosis.scatter import Table, land, products, rows
from conformance.idioms.base import with_window
from conformance.numerics.operands import Arrays
from conformance.problem import Problem, Window

Array = NDArray[Any]

AT_ONCE = 2**22
"""Products that are made at once."""


def told(problem: Problem, arrays: Arrays, expected: Array) -> tuple[str, ...]:
    """The misreadings that these operands tell, in the words of a diagnosis."""
    asked = observed(problem, arrays, expected)
    return tuple(dict.fromkeys(
        text for text, actual in _misread(asked)
        if actual.shape != asked.actual.shape or not np.array_equal(actual, asked.actual)
    ))  # fmt: skip


def _misread(asked: Observation) -> Iterator[tuple[str, Array]]:
    """Every misreading of one statement, with what it gives."""
    problem = asked.problem
    for weight in WHOLE.weight(problem):
        yield weight.text, _answer(asked, problem, asked.x, weight.change(asked.weight))
    for x in WHOLE.x(problem):
        yield x.text, _answer(asked, problem, x.change(asked.x), asked.weight)
    as_asked = Placing(problem.stride, problem.dilation)
    for placing in WHOLE.placing(problem):
        changed = placing.change(as_asked)
        if changed.plain:
            moved = replace(problem, stride=changed.stride, dilation=changed.dilation)
            yield placing.text, _answer(asked, moved, asked.x, asked.weight)
        else:
            yield placing.text, _with_bias(problem, _ruled(asked, changed), asked.bias)
    stamped = _answer(replace(asked, bias=np.zeros_like(asked.bias)), problem, asked.x, asked.weight)
    for bias in WHOLE.bias(problem):
        yield bias.text, _with_bias(problem, stamped, bias.change(asked.bias))
    yield from _windows(asked)
    yield from _groups(asked)


def _windows(asked: Observation) -> Iterator[tuple[str, Array]]:
    """The window one off on each axis, its ends exchanged, and output_padding put elsewhere or left out."""
    problem = asked.problem
    for window in _moved(problem):
        if window != problem.window and all(
            full > lo + hi for full, (lo, hi) in zip(problem.full, window, strict=True)
        ):  # fmt: skip
            (text,) = Diagnosis((), window, problem.window).moves
            yield text, _answer(asked, with_window(problem, window), asked.x, asked.weight)
    if any(problem.output_padding):
        filled = asked.actual.copy()
        for axis, op in enumerate(problem.output_padding, start=2):
            if op:
                np.moveaxis(filled, axis, -1)[..., -op:] = asked.bias[0].reshape(-1, *[1] * problem.rank)
        yield "output_padding filled with " + ("zeros and bias" if problem.bias else "zeros"), filled


def _moved(problem: Problem) -> Iterator[Window]:
    plain = problem.window
    for axis, (lo, hi) in enumerate(plain):
        for ends in ((lo + 1, hi - 1), (lo - 1, hi + 1), (hi, lo), (lo, hi + 1), (lo, hi - 1)):
            yield (*plain[:axis], ends, *plain[axis + 1 :])
    yield tuple((lo - op, hi + op) for (lo, hi), op in zip(plain, problem.output_padding, strict=True))
    yield tuple((lo, hi + op) for (lo, hi), op in zip(plain, problem.output_padding, strict=True))


def _groups(asked: Observation) -> Iterator[tuple[str, Array]]:
    problem, (g, oc) = asked.problem, (asked.problem.groups, asked.problem.out_channels)
    if g == 1:
        return
    one = replace(problem, groups=1, in_channels=g * problem.in_channels)
    x, weight = (
        asked.x.reshape(problem.batch, 1, -1, *problem.input),
        asked.weight.reshape(1, -1, *asked.weight.shape[2:]),
    )
    yield "groups ignored", _answer(replace(asked, bias=asked.bias[:, :oc]), one, x, weight)
    repeated = np.tile(weight, (1, 1, g, *[1] * problem.rank))
    yield REPEATED, _answer(asked, replace(one, out_channels=g * oc), x, repeated)
    if oc > 1:
        apart = asked.actual.reshape(problem.batch, g, oc, *problem.output).swapaxes(1, 2)
        yield "out channels dealt to groups in turn", apart.reshape(asked.actual.shape)


def _answer(asked: Observation, problem: Problem, x: Array, weight: Array) -> Array:
    """What the oracle makes of operands that have an axis for groups; no array at all where its shape tells already."""
    if problem.output_shape != asked.actual.shape:
        return np.zeros(0)
    bias = asked.bias[0] if problem.bias else None
    return oracle.expected(problem, x.reshape(problem.input_shape), weight.reshape(problem.weight_shape), bias)


def _ruled(asked: Observation, placing: Placing) -> Array:
    """The stamps put down by a rule for those that meet, without a bias."""
    problem = asked.problem
    sizes = [i * k for i, k in zip(problem.input, problem.kernel, strict=True)]
    cut: tuple[Table, ...] = tuple(
        rows(table, lo, out, size)
        for table, (lo, _), out, size in zip(
            placing.tables(problem), problem.window, problem.output, sizes, strict=True
        )
    )
    step = max(1, AT_ONCE // max(1, problem.multiplies // (problem.batch * problem.in_channels)))
    parts = [
        land(products(asked.x[start : start + step], asked.weight, problem.rank), cut)
        for start in range(0, problem.batch, step)
    ]
    return np.concatenate(parts).reshape(problem.output_shape)


def _with_bias(problem: Problem, stamped: Array, bias: Array) -> Array:
    """An answer without a bias, and what a bias adds to it inside the stamp and beyond it."""
    inside = np.ones(1, bool)
    for full, (lo, _), out in zip(problem.full, problem.window, problem.output, strict=True):
        at = np.arange(lo, lo + out)
        inside = np.logical_and.outer(inside, (at >= 0) & (at < full))
    within, beyond = bias.reshape(2, -1, *[1] * problem.rank)
    added: Array = np.where(inside, within, beyond)
    return stamped + added
