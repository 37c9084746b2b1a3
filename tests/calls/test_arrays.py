"""Arrays in the layout of a call come back as the problem has them, for every idiom of every framework."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters, idioms, layout, oracle
from conformance.calls.arrays import MISFIT, restored
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
        ({"weight": (3, 3, 2, 2)}, r"axis 0 of \(3, 3, 2, 2\) is 3, and the layout"),
        ({"weight": (4, 3, 2)}, "has 3 axes"),
        ({"bias": (3,)}, "is not one number for each of the 6 channels"),
        ({"bias": None}, "has a bias, and --bias is not given: give the arrays"),
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


TORCH, KERAS = "nn.ConvTranspose2d(8, 4, 3, 2)", "Conv2DTranspose(4, 3, strides=2)"
NCHW = {"x": (2, 8, 5, 7), "weight": (8, 4, 3, 3), "actual": (2, 4, 11, 15)}
NHWC = {"x": (2, 5, 7, 8), "weight": (3, 3, 4, 8), "actual": (2, 11, 15, 4)}
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def said(name: str, given: str, taken: str, order: tuple[int, ...]) -> str:
    return f"{name} is {given} where {taken} is taken, give np.transpose({name}, {order})"


@pytest.mark.parametrize(
    ("framework", "call", "shapes", "steps"),
    [
        ("torch", TORCH, NCHW | {"x": NHWC["x"]}, [said("x", "NHWC", "NCHW", TO_NCHW)]),
        ("torch", TORCH, NCHW | {"weight": (3, 3, 8, 4)}, [said("weight", "HWIO", "IOHW", (2, 3, 0, 1))]),
        ("torch", TORCH, NCHW | {"weight": (4, 8, 3, 3)}, [said("weight", "OIHW", "IOHW", (1, 0, 2, 3))]),
        ("torch", TORCH, NHWC,
         [said("x", "NHWC", "NCHW", TO_NCHW), said("weight", "HWOI", "IOHW", (3, 2, 0, 1)),
          said("actual", "NHWC", "NCHW", TO_NCHW)]),
        ("keras", KERAS, NHWC | {"weight": (3, 3, 8, 4)}, [said("weight", "HWIO", "HWOI", (0, 1, 3, 2))]),
        ("keras", KERAS, NHWC | {name: NCHW[name] for name in ("x", "actual")},
         [said("x", "NCHW", "NHWC", TO_NHWC), said("actual", "NCHW", "NHWC", TO_NHWC)]),
        ("torch", TORCH, NCHW | {"x": (2, 5, 7, 9)}, [MISFIT]),
        ("torch", "nn.ConvTranspose2d(4, 4, 4)", {"x": (4, 2, 5, 7), "weight": (4,) * 4, "actual": (2, 4, 8, 10)},
         [said("x", "CNHW", "NCHW", (1, 0, 2, 3))]),
        ("torch", "nn.ConvTranspose2d(2, 3, 3)", {"x": (2, 3, 3, 2), "weight": (3, 3, 3, 2), "actual": (2, 3, 5, 5)},
         [MISFIT]),  # more than one choice of transposes
    ],
)  # fmt: skip
def test_the_transposes_that_would_make_arrays_fit_are_named_where_they_are_clear(
    framework: str, call: str, shapes: dict[str, tuple[int, ...]], steps: list[str]
) -> None:
    x, weight, actual = (np.zeros(shapes[name]) for name in NCHW)
    reading = idioms.reading(idioms.framework_of(framework), call)
    with pytest.raises(IdiomError) as raised:
        restored(reading, Arrays(x, weight, np.zeros(actual.shape[1 if framework == "torch" else -1])), actual, "")
    fact, *found = str(raised.value).rsplit(": ", 1)
    assert fact.startswith(f"{framework}." if framework == "torch" else "keras.layers.")
    assert found == ["; ".join(steps)]


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
