"""The arrays beside a record file are found by the record's key, or the error names the file and the next step."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from conformance.records.arrays import actual, beside, has_actual, member, open_beside
from conformance.records.record import Record, RecordError, Verdict

RECORD = Record("torch", "eager", "a", "float32", "forward", "i3 k2", Verdict.DIVERGES)
OTHER = Record("torch", "eager", "b", "float32", "forward", "i3 k2", Verdict.DIVERGES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A record file with the array of one of two records beside it."""
    with zipfile.ZipFile(tmp_path / "lane.npz", "w") as archive, archive.open(f"{member(RECORD.key)}.npy", "w") as file:
        np.save(file, np.arange(3))
    return tmp_path / "lane.jsonl"


def test_an_array_is_found_by_its_record(path: Path) -> None:
    with open_beside(path, 1) as arrays:
        assert has_actual(RECORD, arrays)
        assert actual(RECORD, arrays).tolist() == [0, 1, 2]


def test_an_array_that_is_missing_is_named_by_its_case(path: Path) -> None:
    with open_beside(path, 2) as arrays:
        assert not has_actual(OTHER, arrays)
        with pytest.raises(RecordError, match="b float32: its arrays are not beside the record: run the lane again"):
            actual(OTHER, arrays)


def test_a_missing_file_is_named_with_how_many_records_need_it(path: Path) -> None:
    beside(path).unlink()
    with pytest.raises(RecordError, match=r"lane\.npz: the arrays of 7 diverging records are not there: keep it"):
        open_beside(path, 7)


@pytest.mark.parametrize("content", [b"", b"PK nothing", b"no archive"])
def test_a_file_that_is_no_archive_is_named(path: Path, content: bytes) -> None:
    beside(path).write_bytes(content)
    with pytest.raises(
        RecordError, match=r"lane\.npz: not an array file \(is not an archive of arrays\): run the lane again"
    ):
        open_beside(path, 1)


def test_an_answer_may_be_complex(tmp_path: Path) -> None:
    answer = np.array([1 + 2j])
    with (
        zipfile.ZipFile(tmp_path / "complex.npz", "w") as archive,
        archive.open(f"{member(RECORD.key)}.npy", "w") as file,
    ):
        np.save(file, answer)
    with open_beside(tmp_path / "complex.jsonl", 1) as arrays:
        assert actual(RECORD, arrays) == answer
