"""What is to be explained: an array, and the operands that it is said to come from.

Three statements change the question and not an operand: where they hold, the rest of the array is the answer to another
question, and that one is searched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.data import Arrays
from conformance.problem import Problem

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Question:
    """An array and its operands in float64, with an axis for the groups; `said` are the statements that led here.

    x is (batch, groups, in, *input), weight (groups, in, out, *kernel), bias (2, groups*out): what is added inside the
    stamp and beyond it, zeros where there is none; actual is (batch, groups*out, *any extents).
    """

    problem: Problem
    x: Array
    weight: Array
    bias: Array
    actual: Array
    said: tuple[str, ...] = ()


def questions(problem: Problem, arrays: Arrays, actual: Array) -> Iterator[Question]:
    """The question as it is put, and those that statements make of it; none for what no transposed convolution gives.

    That is an array with another number of axes, batch or channels, a complex one, and one that is not finite.
    """
    if actual.dtype.kind not in "iuf" or actual.ndim != problem.rank + 2 or not np.isfinite(actual).all():
        return
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    bias = np.zeros(problem.bias_shape) if arrays.bias is None else arrays.bias.astype(np.float64)
    asked = Question(
        problem,
        arrays.x.astype(np.float64).reshape(problem.batch, g, ic, *problem.input),
        arrays.weight.astype(np.float64).reshape(g, ic, oc, *problem.kernel),
        np.stack([bias, bias]),
        actual.astype(np.float64),
    )
    for each in (asked, *_ungrouped(asked), *_interleaved(asked)):
        if each.actual.size and each.actual.shape[:2] == each.problem.output_shape[:2]:
            yield each
            yield from _filled(each)


def _ungrouped(asked: Question) -> Iterator[Question]:
    """Without groups every in channel reaches every out channel, and there are as many as one group has."""
    problem = asked.problem
    if problem.groups > 1:
        one = replace(problem, groups=1, in_channels=problem.groups * problem.in_channels)
        x = asked.x.reshape(problem.batch, 1, -1, *problem.input)
        weight = asked.weight.reshape(1, -1, *asked.weight.shape[2:])
        bias = asked.bias[:, : problem.out_channels]
        yield replace(asked, problem=one, x=x, weight=weight, bias=bias, said=(*asked.said, "groups ignored"))


def _interleaved(asked: Question) -> Iterator[Question]:
    """Out channels one of each group in turn, put back in the order of groups."""
    g, oc, actual = asked.problem.groups, asked.problem.out_channels, asked.actual
    if g > 1 and oc > 1 and actual.shape[1] == g * oc:
        apart = actual.reshape(actual.shape[0], oc, g, *actual.shape[2:]).swapaxes(1, 2).reshape(actual.shape)
        yield replace(asked, actual=apart, said=(*asked.said, "out channels dealt to groups in turn"))


def _filled(asked: Question) -> Iterator[Question]:
    """The array without its output padding, where that holds zeros or the bias alone."""
    problem, actual = asked.problem, asked.actual
    kept: tuple[Any, ...] = (..., *(slice(max(out - op, 0)) for out, op in
                                    zip(problem.output, problem.output_padding, strict=True)))  # fmt: skip
    if not any(problem.output_padding) or actual.shape != problem.output_shape or not actual[kept].size:
        return
    fills = {"zeros": np.zeros_like(asked.bias[0]), "zeros and bias": asked.bias[0]}
    for name, fill in fills.items() if problem.bias else [("zeros", fills["zeros"])]:
        whole = np.broadcast_to(fill.reshape(-1, *[1] * problem.rank), actual.shape).copy()
        whole[kept] = actual[kept]
        if np.array_equal(whole, actual):
            rest = replace(problem, output_padding=(0,) * problem.rank)
            said = (*asked.said, f"output_padding filled with {name}")
            yield replace(asked, problem=rest, actual=actual[kept], said=said)
