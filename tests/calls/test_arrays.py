"""Arrays in the layout of a call come back as the problem has them, for every idiom of every framework."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters, idioms, layout, oracle
from conformance.calls.arrays import restored
from conformance.idioms import IdiomError, Refusal
from conformance.idioms.base import Idiom
from conformance.numerics.operands import Arrays
from conformance.problem import Problem

ALL = [(framework, idiom) for framework in idioms.frameworks() for idiom in idioms.idioms(framework)]


def drawn(problem: Problem) -> Arrays:
    random = np.random.default_rng(0)
    x, weight, bias = (random.integers(-9, 10, shape) for shape in (
        problem.input_shape, problem.weight_shape, problem.bias_shape))  # fmt: skip
    return Arrays(x, weight, bias if problem.bias else None)


def grouped(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    return weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_arrays_of_a_call_come_back(framework: str, idiom: Idiom) -> None:
    variant, judged = adapters.lane(framework).variant, 0
    for example in islice(idiom.examples(), 0, None, 23):
        try:
            point = idioms.read(framework, *example, variant)
        except Refusal:
            continue
        problem, claim = point.claim.problem, point.claim
        if claim.refused:
            continue
        arrays = drawn(problem)
        answer = oracle.expected(problem, *arrays)
        weight = np.flip(arrays.weight, tuple(range(2, 2 + problem.rank))) if claim.reversed else arrays.weight
        given = Arrays(layout.arrange(arrays.x, layout.DATA, claim.data),
                       layout.arrange(grouped(problem, weight), layout.WEIGHT, claim.weight), arrays.bias)  # fmt: skip
        reading = idioms.reading(framework, point.text)
        back = restored(reading, given, layout.arrange(answer, layout.DATA, claim.data), variant)
        assert back.call.claim.problem == problem
        for name, array, expected in zip(("x", "weight"), back.arrays[:2], arrays[:2], strict=True):
            np.testing.assert_array_equal(array, expected, name)
        np.testing.assert_array_equal(back.actual, answer)
        judged += 1
    assert judged


CALL = "F.conv_transpose2d(x, w, b, stride=2, groups=2)"
SHAPES = {"x": (1, 4, 5, 5), "weight": (4, 3, 2, 2), "bias": (6,), "actual": (1, 6, 10, 10)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight": (3, 3, 2, 2)}, "an axis of 3 in"),
        ({"weight": (4, 3, 2)}, "has 3 axes"),
        ({"bias": (3,)}, "is not one number for each of the 6 channels"),
        ({"bias": None}, "has a bias: give it with --bias"),
        ({"actual": (6, 10, 10, 10, 1)}, "and the answer has as many axes as x"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    x, weight, bias, actual = (None if shape is None else np.zeros(shape) for shape in (SHAPES | changed).values())
    assert x is not None
    assert weight is not None
    assert actual is not None
    with pytest.raises(IdiomError, match=message):
        restored(idioms.reading("torch", CALL), Arrays(x, weight, bias), actual, "eager")


@pytest.mark.parametrize(
    ("framework", "call", "x", "weight", "descriptor"),
    [
        ("torch", "up = nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, groups=2, bias=False)", (1, 8, 3, 3), (8, 2, 4, 4),
         "i3x3 k4 s2 p1 g2 ic4 oc2"),
        ("tensorflow", "layers.Conv1DTranspose(filters, 4, strides=2, use_bias=False)", (1, 5, 3), (4, 6, 3),
         "i5 k4 s2 ic3 oc6"),
    ],
)  # fmt: skip
def test_channels_that_are_names_are_the_weights(
    framework: str, call: str, x: tuple[int, ...], weight: tuple[int, ...], descriptor: str
) -> None:
    problem = Problem.parse(descriptor)
    answer = layout.arrange(np.zeros(problem.output_shape), layout.DATA, "n c k" if framework == "torch" else "n k c")
    back = restored(idioms.reading(framework, call), Arrays(np.zeros(x), np.zeros(weight), None), answer, "")
    assert str(back.call.claim.problem) == descriptor
