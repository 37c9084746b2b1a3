"""Journals: records come in any order, one file comes out whole; and what atomic writing promises."""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from conformance.io.atomic import write_atomically
from conformance.records.journal import Journal, joined_arrays
from conformance.records.record import RecordError
from conformance.records.record_file import read, write
from conformance.runner.items import npy
from tests.records.test_record import HEADER, RECORDS, RUN

ARRAYS = {"actual": np.arange(3.0), "expected": np.ones((1, 2), np.float32)}
EVIDENCE = {name: npy(array) for name, array in ARRAYS.items()}


def journal(folder: Path, order: tuple[int, ...] = (0, 1, 2, 3), evidence: tuple[int, ...] = ()) -> Path:
    """The file of a journal that took records in that order, with arrays for some."""
    taken = Journal(folder / "journal")
    for index in order:
        taken.add(RECORDS[index], EVIDENCE if index in evidence else {})
    taken.close(folder / "run.jsonl", HEADER, complete=True)
    return folder / "run.jsonl"


def test_journal_is_read_back(tmp_path: Path) -> None:
    assert read(journal(tmp_path)) == RUN


def test_bytes_do_not_depend_on_the_order_of_adding(tmp_path: Path) -> None:
    write(tmp_path / "written.jsonl", RUN)
    for order in permutations(range(4)):
        assert journal(tmp_path, order).read_bytes() == (tmp_path / "written.jsonl").read_bytes()


def test_array_bytes_do_not_depend_on_the_order_of_adding(tmp_path: Path) -> None:
    files = [
        journal(tmp_path / name, order, evidence=(1, 2)) for name, order in [("a", (0, 1, 2, 3)), ("b", (3, 2, 1, 0))]
    ]
    first, second = (file.with_suffix(".npz").read_bytes() for file in files)
    assert first == second


def test_arrays_are_read_without_pickle(tmp_path: Path) -> None:
    path = journal(tmp_path, evidence=(2,)).with_suffix(".npz")
    key = "/".join(RECORDS[2].key)
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {f"{key}/actual", f"{key}/expected"}
        for name, array in ARRAYS.items():
            assert arrays[f"{key}/{name}"].dtype == array.dtype
            np.testing.assert_array_equal(arrays[f"{key}/{name}"], array)


def test_array_members_carry_no_time(tmp_path: Path) -> None:
    with zipfile.ZipFile(journal(tmp_path, evidence=(1,)).with_suffix(".npz")) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_joined_arrays_are_those_of_one_run(tmp_path: Path) -> None:
    whole = journal(tmp_path / "whole", evidence=(0, 2, 3)).with_suffix(".npz")
    parts = [journal(tmp_path / name, evidence=of).with_suffix(".npz") for name, of in [("a", (2,)), ("b", (0, 3))]]
    for sources in (parts, parts[::-1]):
        (tmp_path / "joined.npz").write_bytes(joined_arrays(sources))
        assert (tmp_path / "joined.npz").read_bytes() == whole.read_bytes()


def test_arrays_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    assert journal(tmp_path, evidence=(1,)).with_suffix(".npz").exists()
    assert not journal(tmp_path).with_suffix(".npz").exists()


def test_only_the_results_are_left(tmp_path: Path) -> None:
    journal(tmp_path, evidence=(1,))
    assert {path.name for path in tmp_path.iterdir()} == {"run.jsonl", "run.npz"}


def test_second_record_of_a_key_is_refused(tmp_path: Path) -> None:
    taken = Journal(tmp_path / "journal")
    taken.add(RECORDS[0], {})
    with pytest.raises(RecordError, match="grid-i1 float32 forward: recorded a second time"):
        taken.add(replace(RECORDS[0], message="again"), {})
    assert len(taken) == 1
    taken.close(tmp_path / "run.jsonl", replace(HEADER, expected=1), complete=True)
    assert read(tmp_path / "run.jsonl").records == RECORDS[:1]


def test_counts_and_contains_what_was_added(tmp_path: Path) -> None:
    taken = Journal(tmp_path / "journal")
    assert RECORDS[0].key not in taken
    taken.add(RECORDS[0], {})
    assert RECORDS[0].key in taken
    assert RECORDS[1].key not in taken
    assert dict(taken.verdicts) == {RECORDS[0].verdict: 1}
    taken.close(tmp_path / "run.jsonl", HEADER, complete=False)


def test_unfinished_run_says_so(tmp_path: Path) -> None:
    taken = Journal(tmp_path / "journal")
    taken.add(RECORDS[0], {})
    taken.close(tmp_path / "run.jsonl", HEADER, complete=False)
    run = read(tmp_path / "run.jsonl")
    assert (run.complete, len(run.records), run.header.expected) == (False, 1, 4)


def test_file_has_one_line_a_record_between_header_and_footer(tmp_path: Path) -> None:
    lines = journal(tmp_path).read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 6
    assert json.loads(lines[0])["format"] == "conformance-record/1"
    assert json.loads(lines[-1])["complete"] is True


class InterruptionError(Exception):
    """Stands for whatever ends a process in the middle of writing."""


def interrupted() -> Iterator[bytes]:
    yield b"half"
    raise InterruptionError


def test_interrupted_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(InterruptionError):
        write_atomically(path, interrupted())
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_interrupted_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        write_atomically(tmp_path / "file", interrupted())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"new", [b"n", b"ew"], iter([b"new"])])
def test_write_replaces_the_file_and_makes_its_folder(tmp_path: Path, content: bytes | list[bytes]) -> None:
    path = tmp_path / "some" / "folder" / "file"
    write_atomically(path, b"the old content")
    write_atomically(path, content)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_written_file_is_for_those_whom_the_umask_lets_see_it(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_reader_sees_the_old_file_while_the_new_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    seen = []

    def content() -> Iterator[bytes]:
        yield b"new"
        seen.append(path.read_bytes())

    write_atomically(path, content())
    assert seen == [b"old"]


def test_reader_that_opened_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"


@pytest.mark.slow
def test_a_run_whose_records_another_run_writes_is_a_user_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance", "run", "oracle_adapter", "--variant=single", "-n0"]
    variables = os.environ | {"CONFORMANCE_ADAPTERS": str(Path(__file__).parents[1] / "adapters"), "FAULT": "hang@"}
    options = ["--suite=smoke", "--case=smoke-1d-01", "--timeout=60", f"--records={tmp_path}"]
    first = subprocess.Popen([*command, *options], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not any(each.stat().st_size for each in tmp_path.glob(".*.journal/lock")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.1)
        done = subprocess.run([*command, *options], env=variables, capture_output=True, text=True, check=False)
    finally:
        first.terminate()
        first.communicate()
    assert (done.returncode, done.stdout) == (2, "")
    assert "is writing it: wait for it, or give another --records" in done.stderr
    assert len(done.stderr.splitlines()) == 1
