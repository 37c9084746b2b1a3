"""Sums, coordinates and biases elsewhere than they should be: saturated, wrapped, repeated, of another group."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis.diagnose import diagnose
from conformance.diagnosis.misreadings import kind_of
from conformance.numerics.operands import Arrays, draw
from conformance.problem import Problem

Array = NDArray[Any]
Plant = Callable[[Problem, Arrays], Array]
REPEATED = "input elements repeated up to the next, instead of zeros between"


def said(descriptor: str, plant: Plant) -> list[tuple[str, ...]]:
    problem = Problem.parse(descriptor)
    arrays = draw("widths", problem)
    return [diagnosis.statements for diagnosis in diagnose(problem, arrays, plant(problem, arrays).astype(np.float64))]


def right(problem: Problem, arrays: Arrays) -> Array:
    return oracle.expected(problem, *arrays)


def with_input(change: Callable[[Array], Array]) -> Plant:
    return lambda problem, arrays: right(problem, arrays._replace(x=change(arrays.x)))


def with_bias(order: list[int]) -> Plant:
    def plant(problem: Problem, arrays: Arrays) -> Array:
        assert arrays.bias is not None
        return right(problem, arrays._replace(bias=arrays.bias[order]))

    return plant


def clipped(power: int, highest: int) -> Plant:
    return lambda problem, arrays: np.clip(right(problem, arrays), -(2**power), highest)


def beyond(limit: int) -> Callable[[Array], Array]:
    def change(x: Array) -> Array:
        x = x.copy()
        x[..., limit:] = 0
        return x

    return change


def scattered(problem: Problem, arrays: Arrays) -> Array:
    """The answer of which every product is added up at its output coordinate modulo 256, one at a time."""
    answer = np.zeros(problem.output_shape)
    without = right(replace(problem, bias=False), Arrays(arrays.x, arrays.weight, None))
    for at in range(problem.output[-1]):
        answer[..., at % 256] += without[..., at]
    return answer if arrays.bias is None else answer + arrays.bias.reshape(-1, *[1] * problem.rank)


def wrapped(array: Array) -> Array:
    return array[..., np.arange(array.shape[-1]) % 256]


def repeated(problem: Problem, arrays: Arrays) -> Array:
    """Nearest upsampling, then every product by loops."""
    (stride,), (full,), ((low, _),) = problem.stride, problem.full, problem.window
    x = np.repeat(arrays.x, stride, axis=-1)
    y = np.zeros((problem.batch, problem.out_channels, full + stride), x.dtype)
    for at in range(x.shape[-1]):
        for tap in range(problem.kernel[0]):
            y[..., at + tap * problem.dilation[0]] += x[..., at] @ arrays.weight[..., tap]
    return y[..., low : low + problem.output[0]]


@pytest.mark.parametrize(
    ("descriptor", "plant", "text"),
    [
        ("i5x4 k3 s2 ic3 oc2", clipped(22, 2**22), "values saturated at 2**22"),
        ("i5x4 k3 s2 ic3 oc2 bias", clipped(22, 2**22 - 1), "values saturated at 2**22"),
        ("i300 k3 p1", with_input(wrapped), "input coordinates kept in uint8 on axis 0"),
        ("i2x270 k1x3 ic2 bias", with_input(wrapped), "input coordinates kept in uint8 on axis 1"),
        ("i140 k3 s2 oc2", with_input(beyond(128)), "input beyond int8 lost on axis 0"),
        ("i300 k3 s2 oc2", with_input(beyond(256)), "input beyond uint8 lost on axis 0"),
        ("i150 k3 s2 p1 oc2 bias", lambda p, a: wrapped(right(p, a)), "output coordinates kept in uint8 on axis 0"),
        ("i150 k3 s2 p1 oc2 bias", scattered, "products added up at output coordinates kept in uint8 on axis 0"),
        ("i2x270 k1x3 ic2", scattered, "products added up at output coordinates kept in uint8 on axis 1"),
        ("i9 k4 s2 p1 ic2 oc3", repeated, REPEATED),
        ("i6 k3 s3 d2 p2:1 n2", repeated, REPEATED),
        ("i5 k3 g3 oc2 bias", with_bias([4, 5, 2, 3, 0, 1]), "bias of groups in reverse order"),
        ("i5 k3 g3 oc2 bias", with_bias([4, 5, 0, 1, 2, 3]), "bias of groups moved on by one"),
    ],
)
def test_a_fault_of_widths_or_places_is_named(descriptor: str, plant: Plant, text: str) -> None:
    assert said(descriptor, plant) == [(text,)]


def test_what_a_range_is_belongs_to_a_cause_and_an_axis_does_not() -> None:
    assert kind_of("values saturated at 2**20") == "values saturated at 2**20"
    assert kind_of("input coordinates kept in uint8 on axis 1") == "input coordinates kept in uint8"
    assert kind_of("input beyond int8 lost on axis 0") == "input beyond int8 lost"


@pytest.mark.parametrize("descriptor", ["i5x4 k3 s2 ic3 oc2", "i140 k3 s2 oc2", "i9 k4 s2 p1 ic2 oc3"])
def test_noise_is_no_fault_of_widths(descriptor: str) -> None:
    noise = np.random.default_rng(0).integers(1, 9, Problem.parse(descriptor).output_shape)
    assert said(descriptor, lambda p, a: right(p, a) + noise) == []


@pytest.mark.parametrize("descriptor", ["i5x4 k3 s2 ic3 oc2 n2 bias", "i1 k2 s3 g2 ic2 bias", "i3x3x3 k2 oc4 bias"])
def test_an_answer_that_was_never_computed_gets_no_other_explanation_of_several_statements(descriptor: str) -> None:
    def bias_alone(problem: Problem, arrays: Arrays) -> Array:
        assert arrays.bias is not None
        return np.broadcast_to(arrays.bias.reshape(-1, *[1] * problem.rank), problem.output_shape)

    nothing = {"nothing but zeros": lambda p, _: np.zeros(p.output_shape), "nothing but the bias": bias_alone}
    for text, plant in nothing.items():
        first, *others = said(descriptor, plant)
        assert first == (text,)
        assert all(len(statements) == 1 for statements in others)
