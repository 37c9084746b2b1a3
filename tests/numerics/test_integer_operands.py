"""The data of integer dtypes: no sum leaves the dtype, no fault is hidden, and each dtype has its own."""

import numpy as np
import pytest

from conformance.numerics.operands import (
    DTYPES,
    INTEGERS,
    SIGNIFICAND,
    TURNS,
    Certificate,
    draw,
    drawn_for,
    held_in,
    largest_sum,
    room,
    widths_of,
)
from conformance.problem import Problem
from conformance.records.record import INTEGER
from conformance.suites.cases import read_suite
from conformance.suites.references import compute
from tests.numerics.test_operands import symmetries

SUITE = read_suite(INTEGER)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_case_sees_every_fault_and_is_exact_but_for_sums_of_too_many_terms(dtype: str) -> None:
    for case in SUITE.cases:
        arrays = draw(case.id, case.problem, dtype)
        certificate = Certificate(largest_sum(case.problem, arrays), dtype, case.problem.terms)
        assert certificate.holds is (case.problem.terms <= room(dtype)), case.id
        assert symmetries(case, arrays) == []


def test_sums_of_more_terms_than_the_dtype_counts_are_few_and_of_int8() -> None:
    many = {dtype: sum(case.problem.terms > room(dtype) for case in SUITE.cases) for dtype in INTEGERS}
    assert many == {"int8": 5, "int32": 0, "int64": 0}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_operands_and_answers_are_numbers_of_the_dtype(dtype: str) -> None:
    ends = np.iinfo(dtype)
    for case in SUITE.cases:
        reference = compute(case, dtype)
        if reference.largest <= room(dtype):
            for array in (*reference.arrays, reference.expected):
                assert array is None or (ends.min <= array.min() and array.max() <= ends.max), case.id


@pytest.mark.parametrize(("dtype", "largest"), [("int8", 127), ("int32", 2**31 - 1)])
def test_the_certificate_ends_at_the_largest_integer(dtype: str, largest: int) -> None:
    assert room(dtype) == np.iinfo(dtype).max == largest
    assert Certificate(largest, dtype, 1).holds
    assert not Certificate(largest + 1, dtype, 1).holds
    assert Certificate(largest, dtype, 1).evidence() == {"largest": largest, "bits": SIGNIFICAND[dtype], "terms": 1}


def test_int64_has_sums_that_float64_holds_and_float32_does_not() -> None:
    assert room("int64") < 2**53
    wide = [compute(case, "int64").expected for case in SUITE.cases[:20]]
    assert all((array.astype(np.float64).astype(np.int64) == array).all() for array in wide)
    assert any((array.astype(np.float32).astype(np.int64) != array).any() for array in wide)


def test_int32_has_answers_that_float32_does_not_hold() -> None:
    assert any((answer.astype(np.float32).astype(np.int64) != answer).any()
               for answer in (compute(case, "int32").expected for case in SUITE.cases[:20]))  # fmt: skip


def test_each_integer_dtype_has_data_of_its_own() -> None:
    assert [drawn_for(dtype) for dtype in INTEGERS] == [*INTEGERS]
    assert [drawn_for(dtype) for dtype in DTYPES] == ["float32"] * 2
    case = SUITE.cases[0]
    assert len({draw(case.id, case.problem, dtype).weight.tobytes() for dtype in (*INTEGERS, "float32")}) == 4
    assert [held_in(dtype) for dtype in INTEGERS] == [*INTEGERS]


@pytest.mark.parametrize("turn", TURNS)
def test_no_turn_leaves_the_room(turn: str) -> None:
    for problem in (Problem.parse("i3x3 k3x3 ic3 oc2 bias"), Problem.parse("i9 k9"), Problem.parse("i1 k1")):
        for dtype in INTEGERS:
            widths = widths_of(problem, turn, room(dtype))
            most = problem.in_channels * 9 if problem.kernel != (1,) else 1
            assert widths.x * widths.weight * most + widths.bias <= room(dtype)
            assert min(widths[:2]) >= 1


def test_a_bias_leaves_the_room_that_the_products_need() -> None:
    problem = Problem.parse("i2x3 k4 p2 ic16 oc16 bias")
    drawn = draw("whole-i2x3-k4-p2-ic16-oc16-bias", problem, "int8")
    assert largest_sum(problem, drawn) < 128
