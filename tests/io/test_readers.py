"""Every reader of what comes from elsewhere: a short run of tests/fuzz_readers.py, and the worst by hand."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.analysis.content.faults import read_arrays
from conformance.io.array_files import Archive, parse_array, read_array
from conformance.io.bounded import LARGEST_ARRAY, BoundError
from conformance.predicates.predicate import Predicate, PredicateError
from conformance.problem import Problem
from conformance.records.record import RecordError, Run, Verdict
from conformance.records.record_file import read, write
from tests.fuzz_readers import READERS, Reader, claiming, feed
from tests.records.test_record import RUN


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_only_documented_errors_come_out(reader: Reader) -> None:
    endings = feed(reader, 150)
    assert endings["read"] > 0, "nothing was read, so that little was tested"
    assert len(endings) > 1, "nothing was refused, so that little was tested"


@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.asfortranarray(np.ones((3, 2), "f4")), np.float32(2), np.zeros((0, 3))]
)
def test_an_array_is_read_as_it_was_saved(array: NDArray[Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    found = read_array(tmp_path / "a.npy")
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("shape", [(10 * 2**30 // 4,), (2**62, 4), (10**30,), (-1,), (2**32, 2**32), (1,) * 40])
def test_a_header_cannot_claim_more_than_there_is(shape: tuple[int, ...]) -> None:
    with pytest.raises(BoundError, match="claims shape"):
        parse_array(claiming(shape) if len(shape) < 40 else claiming(shape)[:-1])


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(BoundError, match="is an array of object, not of real numbers"):
        read_array(tmp_path / "a.npy")


@pytest.mark.slow
def test_a_member_that_unfolds_to_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as member,
    ):
        for _ in range(LARGEST_ARRAY // 2**24 + 1):
            member.write(bytes(2**24))
    assert path.stat().st_size < 2**24
    with Archive(path) as arrays, pytest.raises(BoundError, match="at most"):
        arrays["a"]


@pytest.mark.parametrize("name", ["../../x", "/etc", "a/b", ".hidden", "", "a\0b", "a" * 200])
@pytest.mark.parametrize("field", ["framework", "variant", "suite"])
def test_a_record_file_cannot_name_another_folder(name: str, field: str, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", RUN)
    header, *rest = (tmp_path / "a.jsonl").read_text().splitlines()
    changed = json.dumps(json.loads(header) | {field: name})
    (tmp_path / "a.jsonl").write_text("\n".join([changed, *rest]) + "\n")
    with pytest.raises(RecordError, match=field):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    "text", ["'a' * 99999999999 == 'a'", "'%999999999d' % rank == 'a'", "rank % 0 == 1", "framework < 3"]
)
def test_a_predicate_without_a_value_says_so(text: str) -> None:
    with pytest.raises(PredicateError, match="has no value"):
        Predicate.parse(text)(Problem.parse("i3 k2"), framework="f")


def test_a_predicate_does_not_count_what_it_does_not_ask_for() -> None:
    huge = Problem.parse("i999999999999 k999999999999")
    assert Predicate.parse("rank == 1 and any(input > kernel - 1)")(huge)
    with pytest.raises(PredicateError, match="too many products"):
        Predicate.parse("terms > 1")(huge)


def test_the_evidence_beside_a_record_cannot_claim_more_than_there_is(tmp_path: Path) -> None:
    header, record = RUN.header, replace(RUN.records[0], verdict=Verdict.DIVERGES, idiom="", fault="")
    evidence = header.path(tmp_path).with_suffix(".npz")
    with zipfile.ZipFile(evidence, "w") as archive:
        archive.writestr("/".join((*record.key, "actual")) + ".npy", claiming((2**40,)))
    with pytest.raises(RecordError, match=r"its array claims shape \(1099511627776,\)"):
        read_arrays(tmp_path, [Run(header, (record,), complete=True)])
