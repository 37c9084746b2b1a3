"""Suites of calls that are kept: the same ones, read and not run, whatever has happened to the file."""

import hashlib
import pickle
from itertools import islice
from pathlib import Path

import pytest

from conformance.calls import kept, suites
from conformance.calls.kept import kept_suite
from conformance.suites.case import Suite


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def some() -> Suite:
    """Calls and ports, refused ones among them."""
    calls = [case for case in suites._cases("torch", "eager") if case.refused][:9]
    return Suite(
        "some", (*islice(suites._cases("torch", "eager"), 40), *calls, *islice(suites._ported("jax", "jit"), 5))
    )


def never() -> Suite:
    raise AssertionError("it was made, and not read")


def the_file(folder: Path) -> Path:
    (path,) = (folder / "calls").iterdir()
    return path


def test_kept_suite_is_the_one_that_was_made(some: Suite) -> None:
    assert kept_suite("some", "torch", "eager", lambda: some) is some
    again = kept_suite("some", "torch", "eager", never)
    assert again == some
    assert [str(case.subject) for case in again.cases] == [str(case.subject) for case in some.cases]
    assert again.digest == some.digest


def test_suite_of_another_name_lane_or_source_is_another_file(
    some: Suite, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [("some", "torch", "eager"), ("more", "torch", "eager"), ("some", "jax", "eager"), ("some", "torch", "jit")]
    for words in asked:
        kept_suite(*words, lambda: some)
    monkeypatch.setattr(kept, "_source_digest", lambda: "another")
    kept_suite(*asked[0], lambda: some)
    assert len([*(empty_cache / "calls").iterdir()]) == 5


def test_source_is_every_module_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PACKAGE", tmp_path)
    digests = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", ""), ("c/d.py", "")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        kept._source_digest.cache_clear()
        digests.add(kept._source_digest())
    kept._source_digest.cache_clear()
    assert len(digests) == 4


@pytest.mark.parametrize("place", [0, 31, 32, 500, -1])
def test_damaged_file_is_made_anew(some: Suite, empty_cache: Path, place: int) -> None:
    kept_suite("some", "torch", "eager", lambda: some)
    good = the_file(empty_cache).read_bytes()
    bad = bytearray(good)
    bad[place] ^= 1
    the_file(empty_cache).write_bytes(bad)
    assert kept_suite("some", "torch", "eager", lambda: some) is some
    assert the_file(empty_cache).read_bytes() == good


class _Writes:
    """What a file of somebody else's can hold: it runs a function when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


def test_nothing_in_a_file_is_run(some: Suite, empty_cache: Path) -> None:
    kept_suite("some", "torch", "eager", lambda: some)
    body = pickle.dumps(_Writes(empty_cache / "run"))
    the_file(empty_cache).write_bytes(hashlib.sha256(body).digest() + body)
    assert kept_suite("some", "torch", "eager", lambda: some) is some
    assert not (empty_cache / "run").exists()


def test_folder_that_cannot_be_written_is_no_reason_to_stop(some: Suite, empty_cache: Path) -> None:
    (empty_cache / "calls").write_text("a file where the folder would be", encoding="utf-8")
    assert kept_suite("some", "torch", "eager", lambda: some) is some
