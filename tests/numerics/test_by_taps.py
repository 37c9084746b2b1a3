"""The oracle for problems of usual size gives what the stamp gives."""

from typing import Any

import numpy as np
from hypothesis import given
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.by_taps import stamped
from conformance.numerics.operands import DataError, draw
from conformance.problem import Problem
from tests.strategies import problems


def by_taps(problem: Problem, x: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    grouped = x.reshape(problem.batch, problem.groups, problem.in_channels, *problem.input)
    kernels = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    lows = tuple(lo for lo, _ in problem.window)
    answer = stamped(grouped.astype(float), kernels.astype(float), problem.stride, problem.dilation, lows,
                     problem.output)  # fmt: skip
    return answer.reshape(problem.output_shape)


@given(problems())
def test_equals_the_stamp_on_drawn_problems(problem: Problem) -> None:
    try:
        arrays = draw("taps", problem)
    except DataError:
        return
    expected = oracle.expected(problem, arrays.x, arrays.weight, None)
    np.testing.assert_array_equal(by_taps(problem, arrays.x, arrays.weight), expected)


def test_computes_no_more_than_the_window() -> None:
    problem = Problem.parse("i2x2 k1 s65536 p65536:0")  # a stamp of 32 GiB
    x = np.arange(4.0).reshape(problem.input_shape)
    assert by_taps(problem, x, np.ones(problem.weight_shape)).tolist() == [[[[3.0]]]]
