"""Deviations: their kinds are told apart, and -0 is the only difference that is none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance.numerics.deviation import Deviation, fingerprint, measure_deviation

Array = NDArray[Any]
EXPECTED = np.arange(6, dtype=np.float32).reshape(1, 2, 3)


def changed(**values: float) -> Array:
    """The expected array with some elements replaced, named like _0_1_2."""
    array = EXPECTED.copy()
    for at, value in values.items():
        array[tuple(map(int, at[1:].split("_")))] = value
    return array


def measured(actual: Array, expected: Array = EXPECTED) -> Deviation:
    deviation = measure_deviation(actual, expected)
    assert deviation is not None
    return deviation


def test_equal_arrays_do_not_deviate() -> None:
    assert measure_deviation(EXPECTED.copy(), EXPECTED) is None


def test_negative_zero_is_zero() -> None:
    actual = changed(_0_0_0=-0.0)
    assert np.signbit(actual[0, 0, 0])
    assert measure_deviation(actual, EXPECTED) is None


@pytest.mark.parametrize(
    ("actual", "kind", "message"),
    [
        (EXPECTED[0], "shape", "shape is (2, 3), expected (1, 2, 3)"),
        (EXPECTED.reshape(1, 3, 2), "shape", "shape is (1, 3, 2), expected (1, 2, 3)"),
        (EXPECTED[..., :0], "shape", "shape is (1, 2, 0), expected (1, 2, 3)"),
        (EXPECTED[0].astype(np.int64), "shape", "shape is (2, 3), expected (1, 2, 3)"),
        (EXPECTED.astype(np.float64), "dtype", "dtype is float64, expected float32"),
        (EXPECTED.astype(np.int32), "dtype", "dtype is int32, expected float32"),
        (changed(_0_1_2=np.nan), "nonfinite", "1 of 6 values differ, first at (0, 1, 2): nan, expected 5"),
        (changed(_0_0_1=np.inf), "nonfinite", "1 of 6 values differ, first at (0, 0, 1): inf, expected 1"),
        (changed(_0_0_1=-np.inf, _0_0_0=7), "nonfinite", "2 of 6 values differ, first at (0, 0, 0): 7, expected 0"),
        (changed(_0_1_0=3.5), "value", "1 of 6 values differ, first at (0, 1, 0): 3.5, expected 3"),
        (changed(_0_1_0=3.0000002), "value", "1 of 6 values differ, first at (0, 1, 0): 3.0000002, expected 3"),
        (changed(_0_1_0=16777215), "value", "1 of 6 values differ, first at (0, 1, 0): 16777215, expected 3"),
    ],
)
def test_kinds_are_told_apart(actual: Array, kind: str, message: str) -> None:
    deviation = measured(actual)
    assert (deviation.kind, deviation.message) == (kind, message)


def test_last_bit_counts() -> None:
    deviation = measured(np.array([np.nextafter(np.float64(1), 2)]), np.array([1.0]))
    assert (deviation.kind, deviation.largest) == ("value", "2.22045e-16")


def test_first_index_and_largest_are_those_of_different_elements() -> None:
    deviation = measured(changed(_0_0_2=2.5, _0_1_0=-7, _0_1_2=6))
    assert deviation.evidence() == {"count": 3, "size": 6, "index": (0, 0, 2), "largest": "10"}


def test_nonfinite_values_count_and_the_largest_is_finite() -> None:
    deviation = measured(changed(_0_0_0=np.nan, _0_1_0=np.inf, _0_1_1=6))
    assert deviation.evidence() == {"count": 3, "size": 6, "index": (0, 0, 0), "largest": "2"}


def test_evidence_of_a_shape_is_in_its_message() -> None:
    assert measured(EXPECTED[0]).evidence() == {}


@given(st.sets(st.integers(0, 5), min_size=1))
def test_every_changed_element_is_counted(places: set[int]) -> None:
    actual = EXPECTED.copy()
    actual.flat[list(places)] += 1
    deviation = measured(actual)
    assert deviation.count == len(places)
    assert deviation.index == tuple(map(int, np.unravel_index(min(places), EXPECTED.shape)))


arrays = st.lists(st.integers(-5, 5), min_size=12, max_size=12).map(
    lambda values: np.array(values, np.float32).reshape(2, 3, 2)
)


@pytest.mark.parametrize(
    "same",
    [
        lambda a: np.where(a == 0, np.float32(-0.0), a),
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.ascontiguousarray(a[::-1])[::-1],
    ],
    ids=["negative zero", "column order", "strided", "reversed twice"],
)
@given(array=arrays)
def test_fingerprint_is_of_values(same: Callable[[Array], Array], array: Array) -> None:
    assert fingerprint(same(array)) == fingerprint(array)


@given(arrays, st.integers(0, 11))
def test_fingerprint_sees_every_element(array: Array, place: int) -> None:
    other = array.copy()
    other.flat[place] = np.nextafter(other.flat[place], np.float32(9))
    assert fingerprint(other) != fingerprint(array)


@pytest.mark.parametrize(
    "other",
    [EXPECTED.astype(np.float64), EXPECTED.reshape(2, 1, 3), EXPECTED.reshape(6), EXPECTED.view(np.int32), -EXPECTED],
    ids=["dtype", "axes", "rank", "bits", "signs"],
)
def test_fingerprint_sees_dtype_and_shape(other: Array) -> None:
    assert fingerprint(other) != fingerprint(EXPECTED)


def test_fingerprint_is_pinned() -> None:
    assert fingerprint(EXPECTED) == "5db2052e49c0190a"


def test_fingerprint_leaves_the_array_as_it_was() -> None:
    array = np.array([-0.0])
    fingerprint(array)
    assert np.signbit(array[0])
