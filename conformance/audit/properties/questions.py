"""What properties ask a framework: problems with operands, each with the call that is to be made of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.adapters._derivatives import in_function, pushed, twice
from conformance.adapters.base import Adapter, Call, Convolving, differentiated, ordinary, transposed
from conformance.problem import INPUT, WEIGHT, Ints, Problem

Array = NDArray[Any]


def by_input(adapter: Adapter, problem: Problem, upstream: Array, weight: Array, bias: Array | None) -> Call:
    """The gradient by the input, of which the upstream gradient takes the place in a question."""
    call = adapter.translate(problem, np.zeros(problem.input_shape, weight.dtype), weight, bias)
    return differentiated(adapter, problem, call, INPUT, upstream)


def by_weight(adapter: Adapter, problem: Problem, x: Array, upstream: Array, bias: Array | None) -> Call:
    """The gradient by the weight, of which the upstream gradient takes the place in a question."""
    call = adapter.translate(problem, x, np.zeros(problem.weight_shape, x.dtype), bias)
    return differentiated(adapter, problem, call, WEIGHT, upstream)


def misfitting(adapter: Adapter, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    """A call that no framework can answer: of an x with a channel more than the weight has."""
    return adapter.translate(problem, np.concatenate([x, x[:, :1]], 1), weight, bias)


def misfitting_by_weight(adapter: Adapter, problem: Problem, x: Array, upstream: Array, bias: Array | None) -> Call:
    """The same of a gradient by the weight: its forward pass fails."""
    call = misfitting(adapter, problem, x, np.zeros(problem.weight_shape, x.dtype), bias)
    return differentiated(adapter, problem, call, WEIGHT, upstream)


def tangent_of_input(adapter: Adapter, problem: Problem, along: Array, weight: Array, _: Array | None) -> Call:
    """The derivative of the answer by the input, along what takes its place in a question."""
    return pushed(adapter, problem, along, weight, 0)


def tangent_of_weight(adapter: Adapter, problem: Problem, x: Array, along: Array, _: Array | None) -> Call:
    """The derivative of the answer by the weight, along what takes its place in a question."""
    return pushed(adapter, problem, along, x, 1)


def second_by_input(adapter: Adapter, problem: Problem, upstream: Array, along: Array, _: Array | None) -> Call:
    """The gradient by the input of the gradient by the weight, along what takes the weight's place in a question."""
    return twice(adapter, problem, upstream, along, 0)


def second_by_weight(adapter: Adapter, problem: Problem, along: Array, upstream: Array, _: Array | None) -> Call:
    """The gradient by the weight of the gradient by the input, along what takes the input's place in a question."""
    return twice(adapter, problem, upstream, along, 1)


def traced_by_input(adapter: Adapter, problem: Problem, upstream: Array, weight: Array, bias: Array | None) -> Call:
    """`by_input` in a function that is traced."""
    return in_function(adapter, by_input(adapter, problem, upstream, weight, bias))


def traced_by_weight(adapter: Adapter, problem: Problem, x: Array, upstream: Array, bias: Array | None) -> Call:
    """`by_weight` in a function that is traced."""
    return in_function(adapter, by_weight(adapter, problem, x, upstream, bias))


OF_INPUT = (by_input, second_by_input, traced_by_input)
"""Questions whose answers have the shape of x: the gradient by it of what takes its place from above."""
OF_WEIGHT = (by_weight, second_by_weight, traced_by_weight)
"""The same of the weight."""
TANGENTS = (tangent_of_input, tangent_of_weight)
MISFITTING = (misfitting, misfitting_by_weight)
"""Questions that are asked to fail."""


class Question(NamedTuple):
    """A problem and its operands, for a call of the framework; one that is `alone` shares no block with others.

    One that is `due` is to be answered where those of the property that are not are answered: its refusal is a failure.
    """

    problem: Problem
    x: Array
    weight: Array
    bias: Array | None = None
    translate: Callable[[Convolving, Problem, Array, Array, Array | None], Call] = transposed
    alone: bool = False
    due: bool = False

    @property
    def invalid(self) -> bool:
        """Whether it is asked to fail: what comes of it is no answer of the property's."""
        return self.translate in MISFITTING

    @property
    def shape(self) -> Ints:
        """Of a right answer."""
        if self.translate in OF_WEIGHT:
            return self.problem.weight_shape
        by = (ordinary, *OF_INPUT)
        return self.problem.input_shape if self.translate in by else self.problem.output_shape
