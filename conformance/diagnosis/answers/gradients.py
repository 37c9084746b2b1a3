"""Wrong gradients: which one misreading of the problem gives an array exactly, from the space of the forward pass.

What is said of the weight or the input is said of the operand that a gradient is made of, or of the gradient itself,
whose elements are then in other places. Misplaced stamps and a moved window mean what they mean there.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.misreadings import Placing, Statement, of_input, of_placing, of_weight
from conformance.numerics import gradients
from conformance.numerics.operands import Arrays
from conformance.problem import BIAS, INPUT, WEIGHT, Problem, Window

Array = NDArray[Any]

FURTHEST = 4
"""How far a window is looked for on an axis."""
LARGEST = 1 << 22
"""Products of a gradient up to which its misreadings are tried, one after the other."""


def explain_gradient(
    problem: Problem, direction: str, arrays: Arrays, upstream: Array, actual: Array
) -> tuple[str, ...]:  # fmt: skip
    """Every misreading, in words, that alone gives an array exactly; more than one where the data cannot tell.

    None where nothing is found, where the array has another shape, and where trying would take long.
    """
    if actual.shape != gradients.shape_of(problem, direction) or problem.multiplies > LARGEST:
        return ()
    held, above = arrays.astype("float64"), upstream.astype(np.float64)  # which statements may round
    found = (text for text, given in _misread(problem, direction, held, above) if np.array_equal(given, actual))
    return tuple(dict.fromkeys(found))


def _misread(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Iterator[tuple[str, Array]]:
    right = gradients.expected(problem, direction, arrays, upstream)
    yield "nothing but zeros", np.zeros_like(right)
    yield from _averaged(problem, right)
    yield from _upstreams(problem, direction, arrays, upstream)
    if direction == BIAS:
        return
    for statement in of_weight(problem):
        yield statement.text, _of_operand(problem, direction, WEIGHT, statement, arrays, upstream, right)
    for statement in of_input(problem):
        yield statement.text, _of_operand(problem, direction, INPUT, statement, arrays, upstream, right)
    for placed in of_placing(problem):
        placing = placed.change(Placing(problem.stride, problem.dilation))
        if placing.plain:
            other = replace(problem, stride=placing.stride, dilation=placing.dilation)
            yield placed.text, _at(other, [lo for lo, _ in problem.window], problem, direction, arrays, upstream)
    for lows in _moved(problem):
        window = _window(problem, lows, problem)
        text = f"window {_ends(window)} for {_ends(problem.window)}"
        yield text, _at(problem, lows, problem, direction, arrays, upstream)


def _averaged(problem: Problem, right: Array) -> Iterator[tuple[str, Array]]:
    if problem.batch > 1:
        yield "averaged over the batch", right / problem.batch
        yield "multiplied by the batch", right * problem.batch
    yield "added up twice", right * 2


def _upstreams(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Iterator[tuple[str, Array]]:
    """Gradients from another upstream gradient: of other elements of the batch, channels, rows."""
    changed: dict[str, Array] = {}
    if problem.batch > 1:
        first = upstream.copy()
        first[1:] = 0
        changed["the first of the batch alone"] = first
        changed["batch in reverse order"] = upstream[::-1]
    if upstream.shape[1] > 1:
        changed["out channels in reverse order"] = upstream[:, ::-1]
    if max(problem.output_padding):
        rows = upstream.copy()
        for axis, op in enumerate(problem.output_padding, start=2):
            np.moveaxis(rows, axis, 0)[rows.shape[axis] - op :] = 0
        changed["the rows of output_padding lost"] = rows
    for text, given in changed.items():
        yield f"upstream gradient: {text}", gradients.expected(problem, direction, arrays, given)


def _of_operand(
    problem: Problem, direction: str, operand: str, statement: Statement[Array], arrays: Arrays, upstream: Array,
    right: Array,
) -> Array:  # fmt: skip
    """What comes of a statement about an operand: of the gradient with respect to it, the gradient is what changes."""
    if direction == operand:
        return _changed(problem, operand, statement, right)
    name = gradients.OPERAND[operand]
    changed = _changed(problem, operand, statement, getattr(arrays, name))
    return gradients.expected(problem, direction, arrays._replace(**{name: changed}), upstream)


def _changed(problem: Problem, operand: str, statement: Statement[Array], array: Array) -> Array:
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    shape = (problem.batch, g, ic, *problem.input) if operand == INPUT else (g, ic, oc, *problem.kernel)
    return np.asarray(statement.change(array.reshape(shape))).reshape(array.shape)


def _moved(problem: Problem) -> Iterator[list[int]]:
    """Beginnings of windows, the nearest first, and that of one which lies on the other side."""
    claimed = [lo for lo, _ in problem.window]
    steps = product(range(-FURTHEST, FURTHEST + 1), repeat=problem.rank) if problem.rank < 3 else _one_by_one(problem)
    for step in sorted(steps, key=lambda step: sum(map(abs, step))):
        if any(step):
            yield [lo + by for lo, by in zip(claimed, step, strict=True)]
    yield [hi for _, hi in problem.window]


def _one_by_one(problem: Problem) -> Iterator[tuple[int, ...]]:
    for axis, by in product(range(problem.rank), range(-FURTHEST, FURTHEST + 1)):
        yield tuple(by if axis == at else 0 for at in range(problem.rank))


def _at(
    other: Problem, lows: list[int], problem: Problem, direction: str, arrays: Arrays, upstream: Array
) -> Array:  # fmt: skip
    """The gradient of another problem, at a window of the right size."""
    pads = _window(other, lows, problem)
    read = replace(other, pads=pads, output_padding=(0,) * problem.rank)
    return gradients.expected(read, direction, arrays, upstream)


def _window(other: Problem, lows: list[int], problem: Problem) -> Window:
    ends = zip(lows, other.full, problem.output, strict=True)
    return tuple((lo, full - out - lo) for lo, full, out in ends)


def _ends(window: Window) -> str:
    return " x ".join(f"({lo}, {hi})" for lo, hi in window)
