"""Derivatives beyond gradients: forwards, twice, and in functions that are traced, for adapters that have them."""

from math import prod
from typing import Any, Protocol, cast

from conformance.adapters.base import (
    Adapter,
    Call,
    Differentiating,
    Unsupported,
    native_upstream,
    of_operand,
)
from conformance.layout import Array
from conformance.problem import Problem


class Deriving(Differentiating, Protocol):
    """An adapter whose framework also derives forwards, and a gradient once more."""

    def tangent(self, call: Call, along: Any, operand: int) -> Call:
        """The call that gives the derivative of the answer of `call`, by an operand along a tensor of its shape."""
        ...

    def second(self, call: Call, upstream: Array, along: Any, operand: int) -> Call:
        """The call that gives the gradient, by an operand, of <the gradient by the other one, along>."""
        ...


class Tracing(Differentiating, Protocol):
    """An adapter whose framework has functions that are traced before they are run."""

    def traced(self, call: Call) -> Call:
        """The same call in a function that is traced."""
        ...


def pushed(adapter: Adapter, problem: Problem, along: Array, other: Array, number: int) -> Call:
    """The derivative of a problem's answer by x (0) or weight (1) along an array, where the operand itself is ones.

    Raises Unsupported where the adapter has no forward mode.
    """
    if not hasattr(adapter, "tangent"):
        raise Unsupported("its adapter has no forward mode of derivatives")
    native = _translated(adapter, problem, along, other, number).operands[number]
    call = _translated(adapter, problem, along**0, other, number)
    return cast(Deriving, adapter).tangent(call, native, number)


def twice(adapter: Adapter, problem: Problem, upstream: Array, along: Array, number: int) -> Call:
    """The gradient by x (0) or weight (1) of <the gradient by the other one, along>, where both operands are ones.

    Raises Unsupported where the adapter does not derive twice.
    """
    if not hasattr(adapter, "second"):
        raise Unsupported("its adapter has no second derivatives")
    own = (problem.input_shape, problem.weight_shape)[number]
    ones = along.dtype.type(1).repeat(prod(own)).reshape(own)
    native = _translated(adapter, problem, along, ones, 1 - number).operands[1 - number]
    call = _translated(adapter, problem, along**0, ones, 1 - number)
    made = cast(Deriving, adapter).second(call, native_upstream(call, upstream), native, number)
    return of_operand(adapter, problem, call, made, number)


def _translated(adapter: Adapter, problem: Problem, operand: Array, other: Array, number: int) -> Call:
    """The call of a problem without a bias on an operand, x (0) or weight (1), and the other one."""
    x, weight = (other, operand) if number else (operand, other)
    return adapter.translate(problem, x, weight, None)


def in_function(adapter: Adapter, call: Call) -> Call:
    """A call in a function that is traced. Raises Unsupported where the adapter traces none."""
    if not hasattr(adapter, "traced"):
        raise Unsupported("its adapter traces no functions")
    return cast(Tracing, adapter).traced(call)
