"""The arrays of a case: the same everywhere, blind to no fault, and exact. Needs no more than NumPy and pytest."""

from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.numerics.operands import MAGNITUDE, SIGNIFICAND, Arrays, Certificate, DataError, draw, largest_sum
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
        ("one", "i1 k1", "3a3a577207329a00"),
        ("one", "i5 k3 s2 p1 op1 bias", "174e19d4f446b7b3"),
        ("grid-i3-k2-s4-d1-p0-op0", "i3 k2 s4", "532fae03a0ff0c29"),
        ("two", "i3x4 k2x3 g2 ic3 oc2 n2 bias", "b41c9fedd996b132"),
        ("three", "i3x4x2 k2x3x1 ic16 oc17", "0db474d1b4361ae3"),
    ],
)
def test_draw_is_pinned(case_id: str, descriptor: str, pinned: str) -> None:
    assert digest(draw(case_id, Problem.parse(descriptor))) == pinned


def test_draw_by_hand() -> None:
    x, weight, bias = draw("one", Problem.parse("i3 k2 bias"))
    assert (x.tolist(), weight.tolist()) == ([[[4, 7, -6]]], [[[2483, 537]]])
    assert bias is not None
    assert bias.tolist() == [-41]


def test_draw_comes_from_the_id_and_shapes_alone() -> None:
    first = draw("one", Problem.parse("i5 k3 bias"))
    np.random.seed(7)  # the state that a draw must not read
    for descriptor in ("i5 k3 bias", "i5 k3 s2 p1 op1 bias", "i5 k3 p-3:1 d4 bias"):
        assert digest(draw("one", Problem.parse(descriptor))) == digest(first)
    assert digest(draw("two", Problem.parse("i5 k3 bias"))) != digest(first)


def test_bias_is_drawn_only_where_there_is_one() -> None:
    with_bias, without = draw("one", Problem.parse("i5 k3 bias")), draw("one", Problem.parse("i5 k3"))
    assert with_bias.bias is not None
    assert without.bias is None
    np.testing.assert_array_equal(with_bias.x, without.x)
    np.testing.assert_array_equal(with_bias.weight, without.weight)


def test_values_are_small_and_never_zero() -> None:
    seen: dict[str, set[int]] = {"x": set(), "weight": set(), "bias": set()}
    for arrays in DRAWN.values():
        for name, array in named(arrays):
            assert array.dtype == np.int64
            seen[name] |= set(array.ravel().tolist())
    for name, magnitude in {"x": 9, "weight": 4095, "bias": 99}.items():
        assert seen[name] <= {value for value in range(-magnitude, magnitude + 1) if value}
        assert len(seen[name]) > 0.95 * 2 * magnitude
        assert MAGNITUDE[name] == magnitude


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
        assert Certificate(largest, bits, case.problem.terms).holds, case.id
        assert 0 <= largest <= case.problem.terms * 9 * 4095 + 99


@pytest.mark.parametrize(("largest", "holds"), [(2**24, True), (2**24 + 1, False)])
def test_certificate_ends_at_the_last_exact_integer(largest: int, holds: bool) -> None:
    assert Certificate(largest, 24, 1).holds is holds
    assert (int(np.float32(largest)) == largest) is holds


def test_certificate_is_evidence() -> None:
    assert Certificate(9, 24, 3).evidence() == {"largest": 9, "bits": 24, "terms": 3}


def test_symmetric_draws_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "conformance.numerics.operands._integers", lambda words, magnitude: np.full(len(words), magnitude)
    )
    with pytest.raises(DataError, match="one: no draw of 64 for 'i2 k1' is asymmetric and exact: give it another id"):
        draw("one", Problem.parse("i2 k1"))
