"""Gradients: against numbers by hand, against other derivations, and against the adjoint identity."""

import numpy as np
import pytest
from hypothesis import given

from conformance import oracle
from conformance.numerics import gradients, upstream
from conformance.numerics.gradients import OPERAND, passes_of, shape_of, terms
from conformance.numerics.operands import HALVES, ROOM, SIGNIFICAND, Arrays, largest_sum
from conformance.problem import BACKWARD, BIAS, INPUT, WEIGHT, Problem
from conformance.records.record import GRADIENTS
from conformance.suites.cases import read_suite
from tests import strategies
from tests.strategies import seeds

CASES = read_suite(GRADIENTS).cases
SMALL = 400
"""Elements of an operand of which each is moved by one."""


def test_gradients_by_hand() -> None:
    problem = Problem.parse("i2 k2 s2 p1:0 bias")  # y = (x0 w1, x1 w0, x1 w1) + b
    arrays = Arrays(np.array([[[2, 3]]]), np.array([[[5, 7]]]), np.array([11]))
    above = np.array([[[1, 10, 100]]])
    assert gradients.expected(problem, INPUT, arrays, above).tolist() == [[[7, 50 + 700]]]
    assert gradients.expected(problem, WEIGHT, arrays, above).tolist() == [[[30, 2 + 300]]]
    assert gradients.expected(problem, BIAS, arrays, above).tolist() == [111]


@given(strategies.problems(), seeds)
def test_gradients_are_the_same_by_the_canvas_and_by_differences(problem: Problem, seed: int) -> None:
    drawn = upstream.draw(f"seed-{seed}", problem)
    for direction in passes_of(problem):
        expected = gradients.expected(problem, direction, *drawn)
        assert expected.shape == shape_of(problem, direction) == getattr(drawn.arrays, OPERAND[direction]).shape
        assert expected.dtype == np.int64
        assert np.array_equal(expected, gradients.by_canvas(problem, direction, *drawn))
        if expected.size <= SMALL:
            assert np.array_equal(expected, gradients.by_differences(problem, direction, *drawn))


@given(strategies.problems(), seeds)
def test_a_gradient_is_adjoint_to_the_answer(problem: Problem, seed: int) -> None:
    arrays, above = upstream.draw(f"seed-{seed}", problem)
    of_answer = int((oracle.expected(problem, *arrays) * above).sum())
    inner = {
        direction: int((gradients.expected(problem, direction, arrays, above) * operand).sum())
        for direction in passes_of(problem)
        if (operand := getattr(arrays, OPERAND[direction])) is not None
    }
    assert inner[INPUT] == inner[WEIGHT] == of_answer - inner.get(BIAS, 0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", *HALVES])
def test_every_case_has_operands_that_are_exact_in_every_pass_or_too_many_terms(dtype: str) -> None:
    bits = SIGNIFICAND[dtype]
    inexact = []
    for case in CASES:
        drawn = upstream.draw(case.id, case.problem, dtype)
        for direction in passes_of(case.problem):
            largest = int(gradients.magnitudes(case.problem, direction, *drawn).max())
            if largest > 1 << bits:
                inexact.append(terms(case.problem, direction) > 1 << bits)
    assert all(inexact)
    assert len(inexact) == {"float32": 0, "float16": 1, "bfloat16": 10}[dtype]


def test_the_forward_answer_to_the_operands_of_gradients_is_exact_too() -> None:
    for case in CASES:
        assert largest_sum(case.problem, upstream.draw(case.id, case.problem).arrays) <= ROOM


def test_operands_of_gradients_use_the_room_that_there_is() -> None:
    widest = dict.fromkeys(BACKWARD, 0)
    for case in CASES:
        drawn = upstream.draw(case.id, case.problem)
        for direction in passes_of(case.problem):
            largest = np.abs(gradients.expected(case.problem, direction, *drawn)).max()
            widest[direction] = max(widest[direction], int(largest))
    assert min(widest.values()) > ROOM // 2


@given(strategies.problems())
def test_terms_are_the_products_of_ones(problem: Problem) -> None:
    ones = Arrays(
        np.ones(problem.input_shape, np.int64),
        np.ones(problem.weight_shape, np.int64),
        np.ones(problem.bias_shape, np.int64) if problem.bias else None,
    )
    above = np.ones(problem.output_shape, np.int64)
    for direction in passes_of(problem):
        assert terms(problem, direction) == gradients.expected(problem, direction, ones, above).max()


def test_draws_are_the_same_every_time() -> None:
    problem = Problem.parse("i3 k2 s2 ic2 bias")
    one, again = upstream.draw.__wrapped__("a", problem), upstream.draw.__wrapped__("a", problem)
    other = upstream.draw.__wrapped__("b", problem)
    assert one.upstream.tolist() == again.upstream.tolist() != other.upstream.tolist()
