"""The arrays of a case: the same everywhere, blind to no fault, and exact. Needs no more than NumPy and pytest."""

from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import (
    ROOM,
    SIGNIFICAND,
    TURNS,
    Arrays,
    Certificate,
    DataError,
    draw,
    largest_sum,
    most_terms,
    widths_of,
)
from conformance.problem import Problem
from conformance.records.record import NEGATIVE
from conformance.suites.case import Case
from conformance.suites.cases import SUITES, read_suite

Array = NDArray[Any]
CORE = read_suite("core").cases
DRAWN = {case.id: draw(case.id, case.problem) for case in CORE}


def named(arrays: Arrays) -> list[tuple[str, Array]]:
    return [(name, array) for name, array in arrays._asdict().items() if array is not None]


def digest(arrays: Arrays) -> str:
    parts = (f"{name}{array.shape}".encode() + array.astype("<i8").tobytes() for name, array in named(arrays))
    return sha256(b"".join(parts)).hexdigest()[:16]


@pytest.mark.parametrize(
    ("case_id", "descriptor", "pinned"),
    [
        ("one", "i1 k1", "38555a822a40497d"),
        ("one", "i5 k3 s2 p1 op1 bias", "5e3409ed312fb58c"),
        ("grid-i3-k2-s4-d1-p0-op0", "i3 k2 s4", "42c8e59a0f2928ba"),
        ("two", "i3x4 k2x3 g2 ic3 oc2 n2 bias", "d3fea8fb42385903"),
        ("three", "i3x4x2 k2x3x1 ic16 oc17", "0b1f648233c0ff6f"),
    ],
)
def test_draw_is_pinned(case_id: str, descriptor: str, pinned: str) -> None:
    assert digest(draw(case_id, Problem.parse(descriptor))) == pinned


def test_draw_by_hand() -> None:
    x, weight, bias = draw("one", Problem.parse("i3 k2 bias"))  # a turn of "both": 2896 = isqrt((2**24 - 99) // 2)
    assert (x.tolist(), weight.tolist()) == ([[[2105, -2871, 1610]]], [[[822, -2449]]])
    assert bias is not None
    assert bias.tolist() == [-41]


def test_draw_comes_from_the_id_the_shapes_and_the_number_of_terms_alone() -> None:
    first = draw("one", Problem.parse("i5 k3 s2 bias"))
    np.random.seed(7)  # the state that a draw must not read
    for descriptor in ("i5 k3 s2 bias", "i5 k3 s2 p1 op1 bias", "i5 k3 s2 p-3:1 bias", "i5 k3 d2 p0:2 bias"):
        same_terms = most_terms(Problem.parse(descriptor)) == most_terms(Problem.parse("i5 k3 s2 bias"))
        assert (digest(draw("one", Problem.parse(descriptor))) == digest(first)) is same_terms
    assert digest(draw("two", Problem.parse("i5 k3 s2 bias"))) != digest(first)


@pytest.mark.parametrize(
    ("descriptor", "most"),
    [
        ("i5 k3", 3), ("i2 k3", 2), ("i5 k3 s2", 2), ("i5 k3 s3", 1), ("i5 k3 s2 d2", 3), ("i9 k9 s4 d6", 3),
        ("i5x4 k3x2 ic7", 42), ("i5x4 k3x2 s2x1 ic7", 28), ("i1x4 k3x2 ic7 g3", 14), ("i3 k3 s6 d4", 1),
    ],
)  # fmt: skip
def test_the_bound_of_terms_is_what_the_whole_stamp_reaches(descriptor: str, most: int) -> None:
    problem = Problem.parse(descriptor)
    assert most_terms(problem) == problem.terms == most


def test_bias_is_drawn_only_where_there_is_one() -> None:
    with_bias, without = draw("one", Problem.parse("i5 k3 bias")), draw("one", Problem.parse("i5 k3"))
    assert with_bias.bias is not None
    assert without.bias is None
    np.testing.assert_array_equal(with_bias.x, without.x)
    np.testing.assert_array_equal(with_bias.weight, without.weight)


def test_no_value_is_zero() -> None:
    for arrays in DRAWN.values():
        for _, array in named(arrays):
            assert array.dtype == np.int64
            assert array.all()


def test_every_operand_is_as_wide_as_the_weight_by_turns() -> None:
    widest = {"x": 0, "weight": 0, "bias": 0}
    for arrays in DRAWN.values():
        for name, array in named(arrays):
            widest[name] = max(widest[name], int(np.abs(array).max()))
    assert all(widths.bit_length() >= 21 for widths in widest.values())


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("descriptor", ["i1 k1", "i5 k3 ic16 oc2 bias", "i9x9 k4 s2 p1 ic64 oc3", "i3 k2 g2 bias"])
def test_the_widths_of_a_turn_fill_the_room_and_no_more(turn: str, descriptor: str) -> None:
    problem = Problem.parse(descriptor)
    x, weight, bias, _ = widths_of(problem, turn)
    largest = most_terms(problem) * x * weight + bias
    assert 0.9 * ROOM <= largest <= ROOM
    if turn in ("x", "weight", "bias"):
        wide = {"x": x, "weight": weight, "bias": bias if problem.bias else weight}[turn]
        assert wide == max(x, weight, bias)


def test_the_turns_come_about_as_often() -> None:
    negative = sum(bool((arrays.x < 0).any()) for arrays in DRAWN.values() if arrays.x.size > 3)
    many = sum(arrays.x.size > 3 for arrays in DRAWN.values())
    assert 0.75 < negative / many < 0.85  # none in a turn of "sum", one of five


def test_answers_reach_the_limit() -> None:
    """Of core's cases in three have an answer above 2**23, which takes every bit of float32."""
    answers = [np.abs(oracle.expected(case.problem, *DRAWN[case.id])).max() for case in CORE]
    assert sum(answer > 1 << 23 for answer in answers) > len(CORE) / 3
    assert max(answers) <= ROOM


def test_shapes_are_the_problems() -> None:
    for case in CORE:
        x, weight, bias = DRAWN[case.id]
        assert (x.shape, weight.shape) == (case.problem.input_shape, case.problem.weight_shape)
        assert (None if bias is None else bias.shape) == (case.problem.bias_shape if case.problem.bias else None)


def symmetries(case: Case, arrays: Arrays) -> list[str]:
    """Reversals and swaps that leave some operand as it is."""
    problem = case.problem
    grouped = arrays.weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    found = [
        f"{case.id}: {name} reversed along {axis}"
        for name, array in [*named(arrays), ("grouped weight", grouped)]
        for axis in range(array.ndim)
        if array.shape[axis] > 1 and (array == array[(slice(None),) * axis + (slice(None, None, -1),)]).all()
    ]
    if problem.in_channels == problem.out_channels > 1 and (grouped == grouped.swapaxes(1, 2)).all():
        found.append(f"{case.id}: channels swapped")
    return found


def test_no_case_is_symmetric() -> None:
    assert [found for case in CORE for found in symmetries(case, DRAWN[case.id])] == []


@pytest.mark.slow
@pytest.mark.parametrize("suite", sorted(SUITES.keys() - {NEGATIVE}))
def test_no_kernel_is_constant(suite: str) -> None:
    for case in read_suite(suite).cases:
        weight = DRAWN[case.id].weight if case.id in DRAWN else draw(case.id, case.problem).weight
        assert weight.size == 1 or len(np.unique(weight)) > 1, case.id


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 24), ("float64", 53)])
def test_certificate_holds_for_every_case(dtype: str, bits: int) -> None:
    assert SIGNIFICAND[dtype] == bits == np.finfo(dtype).nmant + 1
    for case in CORE:
        largest = largest_sum(case.problem, DRAWN[case.id])
        assert Certificate(largest, dtype, case.problem.terms).holds, case.id
        assert 0 <= largest <= ROOM


@pytest.mark.parametrize(("largest", "holds"), [(2**24, True), (2**24 + 1, False)])
def test_certificate_ends_at_the_last_exact_integer(largest: int, holds: bool) -> None:
    assert Certificate(largest, "float32", 1).holds is holds
    assert (int(np.float32(largest)) == largest) is holds


def test_certificate_is_evidence() -> None:
    assert Certificate(9, "float32", 3).evidence() == {"largest": 9, "bits": 24, "terms": 3}


def test_symmetric_draws_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "conformance.numerics.operands._integers", lambda words, magnitude: np.full(len(words), magnitude)
    )
    with pytest.raises(DataError, match="one: no draw of 64 for 'i2 k1' is asymmetric and exact: give it another id"):
        draw("one", Problem.parse("i2 k1"))
