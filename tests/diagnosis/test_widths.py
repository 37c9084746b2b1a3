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
from conformance.numerics.formats import rounded
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


def of_sums(change: Callable[[Array], Array]) -> Plant:
    return lambda problem, arrays: change(right(problem, arrays))


def slices(axis: int, order: list[int]) -> Plant:
    return of_sums(lambda y: y.take(order, axis))


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
        ("i5x6 k3 s2 oc3 n3", slices(0, [0, 1, 1]), "item 2 of the batch holding what belongs to item 1"),
        ("i5x6 k3 s2 oc3 n4", slices(0, [0, 1, 1, 1]), "items 2, 3 of the batch holding what belongs to item 1"),
        (
            "i5x6 k3 s2 ic2 oc4",
            slices(1, [0, 1, 0, 1]),
            "out channels 2, 3 each holding what belongs to the out channel 2 before",
        ),
        ("i5x6 k3 s2 ic2", slices(3, [*range(12), 11]), "row 12 on axis 1 holding what belongs to row 11"),
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


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda y: np.clip(y, -1024, 1023), "values saturated at 2**10"),
        (lambda y: np.clip(y, -127, 127), "values saturated at 2**7"),
        (lambda y: np.clip(y, -128, 127), "values saturated to int8"),
        (lambda y: np.clip(y, 0, 255), "values saturated to uint8"),
        (lambda y: np.clip(y, 0, 512), "values saturated at 0 and 2**9"),
        (lambda y: np.minimum(y, 511), "values saturated above at 2**9"),
        (lambda y: np.maximum(y, -512), "values saturated below at -2**9"),
        (lambda y: y.astype(np.int64).astype(np.int8), "values wrapped to int8"),
        (lambda y: y.astype(np.int64).astype(np.uint8), "values wrapped to uint8"),
        (lambda y: rounded(8, y), "every value rounded to 8 bits (bfloat16)"),
        (lambda y: rounded(11, y), "every value rounded to 11 bits (TF32, float16)"),
    ],
)
def test_what_a_range_or_a_format_makes_of_sums_is_named(change: Callable[[Array], Array], text: str) -> None:
    problem, random = Problem.parse("i5x6 k3 s2 ic2 oc3"), np.random.default_rng(1)
    x, weight = (random.integers(-99, 100, shape) for shape in (problem.input_shape, problem.weight_shape))
    arrays = Arrays(x, weight, None)
    actual = change(right(problem, arrays).astype(np.float64)).astype(np.float64)
    assert [diagnosis.words for diagnosis in diagnose(problem, arrays, actual)] == [text]


def test_a_range_that_makes_every_value_the_same_is_named_beside_the_number() -> None:
    problem = Problem.parse("i4 k1")
    arrays = Arrays(np.full((1, 1, 4), 70000.0), np.ones((1, 1, 1)), None)
    told = [diagnosis.words for diagnosis in diagnose(problem, arrays, np.full((1, 1, 4), 32767.0))]
    assert told == ["values saturated to int16", "nothing but one number"]


def test_a_relu_that_leaves_whole_channels_of_zeros_is_named_beside_them() -> None:
    problem = Problem.parse("i6x7 k3 ic2 oc3 bias")
    arrays = draw("widths", problem)
    arrays = arrays._replace(bias=np.array([-(2.0**24), 0.0, 0.0]))
    told = [diagnosis.words for diagnosis in diagnose(problem, arrays, np.maximum(right(problem, arrays), 0))]
    assert "negative values clipped to 0 (a ReLU)" in told


def test_an_order_of_very_many_channels_is_not_sought() -> None:
    problem = Problem.parse("i2x1 k1x2 oc32770 bias")
    arrays = draw("widths", problem)
    actual = right(problem, arrays).astype(np.float64)
    assert diagnose(problem, arrays, actual[:, ::-1].take([1, 0, *range(2, 32770)], 1)) == ()


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
