"""References from the cache: what the oracle computes, whatever has happened to the file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.io.folders import cache_folder
from conformance.numerics import operands
from conformance.processes.attempt import failed
from conformance.records.record import Record
from conformance.suites import reference_cache, references
from conformance.suites.case import Case, Suite
from conformance.suites.cases import read_suite
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference, compute, oracle_digest

SMOKE = read_suite("smoke")
FEW = Suite("smoke", SMOKE.cases[:7])


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
    return tmp_path


def the_file() -> Path:
    (path,) = (cache_folder() / "answers").iterdir()
    return path


def assert_right(answer: Reference, case: Case) -> None:
    right = compute(case)
    assert (answer.largest, answer.terms) == (right.largest, right.terms)
    assert (answer.arrays.bias is None) is not case.problem.bias
    for actual, expected in zip((*answer.arrays, answer.expected), (*right.arrays, right.expected), strict=True):
        if expected is not None:
            assert actual is not None
            assert actual.dtype == expected.dtype == np.int64
            assert actual.shape == expected.shape
            np.testing.assert_array_equal(actual, expected)


def test_every_smoke_answer_is_the_oracles() -> None:
    computed, cached = References(SMOKE), References(SMOKE)
    for case in SMOKE.cases:
        assert_right(computed[case], case)
        assert_right(cached[case], case)


def test_second_time_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    References(FEW)
    before = the_file().read_bytes()
    monkeypatch.delattr(references, "compute")
    for case in FEW.cases:
        assert_right(References(FEW)[case], case)
    assert the_file().read_bytes() == before


def test_file_is_in_the_chosen_folder(empty_cache: Path) -> None:
    References(FEW)
    assert the_file().parent == empty_cache / "answers"


def test_cache_is_the_users_where_none_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", None):
        if value is None:
            monkeypatch.delenv("CONFORMANCE_CACHE")
        else:
            monkeypatch.setenv("CONFORMANCE_CACHE", value)
        assert cache_folder().is_absolute()
        assert "conformance" in cache_folder().parts


@pytest.mark.parametrize("place", [0, 31, 32, 40, 500, -1])
def test_flipped_bit_is_never_believed(place: int) -> None:
    References(FEW)
    good = the_file().read_bytes()
    bad = bytearray(good)
    bad[place] ^= 1
    the_file().write_bytes(bad)
    damaged = References(FEW)
    for case in FEW.cases:
        assert_right(damaged[case], case)
    assert the_file().read_bytes() == good


@pytest.mark.parametrize("size", [0, 1, 8, 32, 40, 101, -8, -1])
def test_truncated_file_is_never_believed(size: int) -> None:
    References(FEW)
    good = the_file().read_bytes()
    the_file().write_bytes(good[:size])
    damaged = References(FEW)
    for case in FEW.cases:
        assert_right(damaged[case], case)
    assert the_file().read_bytes() == good


@pytest.mark.parametrize("extra", [b"x", b"12345678"])
def test_lengthened_file_is_answered_right(extra: bytes) -> None:
    References(FEW)
    the_file().write_bytes(the_file().read_bytes() + extra)
    for case in FEW.cases:
        assert_right(References(FEW)[case], case)


def test_other_cases_are_another_file() -> None:
    References(FEW)
    References(Suite("smoke", FEW.cases[:3]))
    References(Suite("smoke", FEW.cases[::-1]))
    assert len(list((cache_folder() / "answers").iterdir())) == 3


def test_other_oracle_is_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    References(FEW)
    monkeypatch.setattr(reference_cache, "oracle_digest", lambda: "0" * 16)
    References(FEW)
    assert len(list((cache_folder() / "answers").iterdir())) == 2


def test_digest_is_of_the_modules_that_decide_an_answer() -> None:
    assert oracle_digest() == oracle_digest()
    assert len(oracle_digest()) == 16


SOURCE = '''"""A module."""

import math


def twice(number: int) -> int:
    """Its double."""
    return 2 * number  # exactly


LARGEST = 3
"""Of all."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [("import math", "from math import sqrt"), ("A module.", "Another."), ('    """Its double."""\n', ""),
     ("  # exactly", ""), ("Of all.", "Of few.")],
)  # fmt: skip
def test_the_digest_of_the_oracle_leaves_out_imports_docstrings_and_comments(old: str, new: str) -> None:
    assert old in SOURCE
    assert references._without_words(SOURCE.replace(old, new)) == references._without_words(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("2 * number", "3 * number"), ("LARGEST = 3", "LARGEST = 4")])
def test_the_digest_of_the_oracle_changes_with_what_it_computes(old: str, new: str) -> None:
    assert references._without_words(SOURCE.replace(old, new)) != references._without_words(SOURCE)


def test_a_record_says_that_there_were_no_exact_operands_whichever_step_found_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operands, "DRAWS", 0)
    case = SMOKE.cases[0]
    with pytest.raises(operands.DataError) as none:
        compute(case)
    ended = failed("judging", none.value)
    record = Record("torch", "eager", case.id, "float32", "forward", "i1 k1", ended.verdict, message=ended.message)
    assert references.lacks_data(record)
    assert not references.lacks_data(replace(record, message="judging: ValueError: another"))
