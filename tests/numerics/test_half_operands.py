"""The data of half precision: exact in its few bits, blind to no fault, and apart from that of float32 and float64."""

from typing import Any

import numpy as np
import pytest

from conformance.numerics.formats import FORMATS
from conformance.numerics.operands import (
    HALVES,
    ROOM,
    SIGNIFICAND,
    TURNS,
    Certificate,
    draw,
    held_in,
    largest_sum,
    widths_of,
)
from conformance.problem import Problem
from conformance.records.record import HALF
from conformance.suites.cases import read_suite
from conformance.suites.reference_cache import References
from conformance.suites.references import compute
from tests.numerics.test_operands import symmetries

SUITE = read_suite(HALF)
WIDE = Problem.parse("i3 k1 ic577")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALVES)
def test_every_case_of_half_sees_every_fault_and_is_exact_but_for_sums_of_too_many_terms(dtype: str) -> None:
    for case in SUITE.cases:
        arrays = draw(case.id, case.problem, dtype)
        certificate = Certificate(largest_sum(case.problem, arrays), dtype, case.problem.terms)
        assert certificate.holds is (case.problem.terms <= 1 << SIGNIFICAND[dtype]), case.id
        assert symmetries(case, arrays) == []


@pytest.mark.parametrize("dtype", HALVES)
def test_operands_and_answers_are_numbers_of_the_dtype(dtype: str) -> None:
    for case in SUITE.cases[::10]:
        reference = compute(case, dtype)
        for array in (*reference.arrays, reference.expected):
            assert array is None or FORMATS[dtype].holds(array.astype(np.float64)), case.id


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 11), ("bfloat16", 8)])
def test_a_dtype_has_the_bits_of_its_format(dtype: str, bits: int) -> None:
    assert SIGNIFICAND[dtype] == FORMATS[dtype].bits == bits


@pytest.mark.parametrize(
    ("dtype", "x", "weight"),
    [("float32", [[[2105, -2871, 1610]]], [[[822, -2449]]]), ("float16", [[[-29, 1, -6]]], [[[27, 7]]])],
)
def test_draw_by_hand(dtype: str, x: Any, weight: Any) -> None:
    arrays = draw("one", Problem.parse("i3 k2 bias"), dtype)  # a turn of "both": 29 = isqrt((2**11 - 2**8) // 2)
    assert (arrays.x.tolist(), arrays.weight.tolist()) == (x, weight)


def test_float64_has_the_data_of_float32() -> None:
    assert draw("one", WIDE, "float64").contents() == draw("one", WIDE).contents()


def test_where_no_draw_is_exact_the_certificate_does_not_hold() -> None:
    exact, inexact = draw("one", WIDE, "float16"), draw("one", WIDE, "bfloat16")
    assert Certificate(largest_sum(WIDE, exact), "float16", WIDE.terms).holds
    assert not Certificate(largest_sum(WIDE, inexact), "bfloat16", WIDE.terms).holds


@pytest.mark.parametrize("turn", TURNS)
def test_no_turn_makes_all_numbers_of_an_operand_the_same(turn: str) -> None:
    for problem in (WIDE, Problem.parse("i5x5 k3x2 p4:0x4:1 ic3 oc2"), Problem.parse("i9 k9 ic3 bias")):
        for dtype in HALVES:
            widths = widths_of(problem, turn, 1 << SIGNIFICAND[dtype])
            assert not widths.heavy or min(widths.x, widths.weight) > 3
        assert widths_of(problem, turn) == widths_of(problem, turn, ROOM)


@pytest.mark.parametrize(("dtype", "held"), [("bfloat16", "float32"), ("float16", "float16"), ("float64", "float64")])
def test_numpy_holds_bfloat16_as_float32(dtype: str, held: str) -> None:
    arrays = draw("one", Problem.parse("i3 k2 bias"), dtype).astype(dtype)
    assert held_in(dtype) == held
    assert {array.dtype.name for array in arrays if array is not None} == {held}


def test_references_are_kept_apart_by_dtype() -> None:
    kept = {dtype: References(SUITE, dtype) for dtype in ("float64", "float32", *HALVES)}
    case = SUITE.cases[-1]
    for dtype, references in kept.items():
        assert np.array_equal(references[case].arrays.weight, compute(case, dtype).arrays.weight)
    weights = {references[case].arrays.weight.tobytes() for references in kept.values()}
    assert len(weights) == 3
