"""Files: read where they are regular, written whole, and never over what is not ours; on real pipes and full disks."""

import errno
import fcntl
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance import report
from conformance.io.array_files import Archive, read_array
from conformance.io.atomic import (
    LIST,
    OverwriteError,
    explain,
    replace_folder,
    require_our_file,
    require_our_folder,
    staged,
    write_atomically,
    write_together,
)
from conformance.io.bounded import read_bytes
from conformance.records import record, record_file
from conformance.records.journal import Journal
from conformance.suites import cases, expectation_files, expectations
from tests.cli.test_cli import Ended
from tests.records.test_record import RUN

PROGRAM = [sys.executable, "-m", "conformance"]
LIMIT = 4096
"""Bytes that a file may have where the disk is as good as full."""


def ended(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """A command that has ended, with standard error as text."""
    words = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]  # options of subprocess.run


def tree(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture(params=["pipe", "socket", "folder", "device"])
def irregular(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Something that is no regular file, where one is looked for."""
    monkeypatch.chdir(tmp_path)  # a socket's path has a limit
    path = tmp_path / "torch-eager-smoke.jsonl"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        if request.param == "socket":
            server.bind(path.name)
        yield path


READERS: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "bytes": (read_bytes, OSError),
    "records": (record_file.read, record.RecordError),
    "case file": (lambda path: list(cases.read_file(path)), cases.CaseError),
    "expectations": (expectations.read_file, expectation_files.ExpectationError),
    ".npy": (read_array, OSError),
    ".npz": (Archive, OSError),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_at_once_what_is_no_regular_file(reader: str, irregular: Path) -> None:
    read, error = READERS[reader]
    with pytest.raises(error, match=r"is a (pipe|socket|folder|device), not a regular file"):
        read(irregular)


@pytest.mark.parametrize("verb", [("report", "--records=."), ("merge", "torch-eager-smoke.jsonl"), ("diff", ".", "."),
                                  ("diagnose", "torch-eager-smoke.jsonl"), ("coverage", "--records=.")])  # fmt: skip
def test_a_pipe_named_like_a_record_file_is_one_line(
    verb: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "torch-eager-smoke.jsonl")
    monkeypatch.chdir(tmp_path)
    done = Ended(verb, monkeypatch, capfd)
    assert done.status == 2
    assert "torch-eager-smoke.jsonl: cannot be read: is a pipe, not a regular file" in done.err
    assert done.err.count("\n") == 1


def test_a_link_that_leads_nowhere_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "torch-eager-smoke.jsonl").symlink_to("nowhere")
    with pytest.raises(record.RecordError, match=r"cannot be read: No such file"):
        record_file.read(tmp_path / "torch-eager-smoke.jsonl")


# written whole


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_only_a_regular_file_is_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OverwriteError, match=r"out: is a .*, and a file is to be written: give another name"):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208  # a pipe among them
    assert Path("/dev/null").is_char_device()


def test_all_of_some_files_are_written_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_together({first: b"new", second: broken()})
    assert tree(tmp_path) == {"a": b"old"}
    write_together({first: None, second: b"new"})
    assert tree(tmp_path) == {"b": b"new"}


def test_what_a_killed_process_left_is_swept_at_once_and_what_another_one_writes_is_not(tmp_path: Path) -> None:
    left, locked = tmp_path / ".a.jsonl.00000000", tmp_path / ".a.jsonl.11111111"
    for each in (left, locked):
        each.write_bytes(b"half")
    with locked.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "a.jsonl", b"new")
    assert tree(tmp_path).keys() == {"a.jsonl", locked.name}


def test_files_that_wait_to_be_replaced_are_swept_by_no_other_writer(tmp_path: Path) -> None:
    with staged({tmp_path / "a": b"first"}) as replace:
        write_atomically(tmp_path / "a", b"second")
        replace()
    assert tree(tmp_path) == {"a": b"first"}


def test_a_folder_is_replaced_by_any_number_of_processes_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from conformance.io.atomic import replace_folder\n"
        "for n in range(40): replace_folder(Path('site'), [('a', sys.argv[1].encode())], {Path('a'): b'front'})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path) for name in "xyz"]
    while None in [each.poll() for each in writers]:
        assert not (tmp_path / "a").exists() or (tmp_path / "site" / "a").read_bytes() in (b"x", b"y", b"z")
    assert [each.returncode for each in writers] == [0, 0, 0]
    assert tree(tmp_path).keys() == {"a", "site/a", f"site/{LIST}"}


def test_a_folder_that_was_taken_away_as_the_process_was_killed_comes_back(tmp_path: Path) -> None:
    before = tmp_path / ".site.abcdefgh" / "before"
    replace_folder(before, [("a", b"1")])
    os.utime(before.parent, (time.time() - 3600,) * 2)

    def fails() -> Iterator[tuple[str, bytes]]:
        yield "b", b"2"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace_folder(tmp_path / "site", fails())
    assert tree(tmp_path) == {"site/a": b"1", f"site/{LIST}": (tmp_path / "site" / LIST).read_bytes()}


# nothing of the user's is touched


def test_a_file_is_ours_by_its_mark_or_by_being_empty(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    require_our_file(path, "MARK")
    for content in ("", "# about\nMARK\n"):
        path.write_text(content)
        require_our_file(path, "MARK")
    path.write_text("my notes, " * 1000 + "MARK")
    with pytest.raises(OverwriteError, match=r"notes\.md: was not written by this command: move it away"):
        require_our_file(path, "MARK")


def test_a_folder_is_ours_as_long_as_nothing_else_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    require_our_folder(folder, lambda _: False)
    folder.mkdir()
    require_our_folder(folder, lambda _: False)
    replace_folder(folder, [("a.html", b"1"), ("data/b.js", b"2")])
    require_our_folder(folder, lambda _: False)
    (folder / "data" / "notes.txt").write_text("mine")
    with pytest.raises(OverwriteError, match=r"site: holds data/notes\.txt, which was not written by this command"):
        require_our_folder(folder, lambda _: True)


def test_a_site_of_an_earlier_version_is_ours(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "summary.json").write_text('{\n "format": "conformance-summary/1",\n')
    (tmp_path / "index.html").write_text("<html><title>Overview &middot; conformance</title>")
    report.require_ours(tmp_path / "index.html")


@pytest.mark.parametrize(
    ("to", "page"),
    [
        ("out", "out/index.html"),
        ("out.html", "out.html"),
        ("there.html", "there.html/index.html"),
        ("a.b", "a.b/index.html"),
    ],
)
def test_a_folder_means_the_front_page_in_it(to: str, page: str, tmp_path: Path) -> None:
    (tmp_path / "there.html").mkdir()
    assert report.front_page(tmp_path / to) == tmp_path / page


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with files of the user's, wherever a verb might write."""
    for name in ("out/site/thesis.tex", "out.html", "out.md", "out.xml", "out.json", "out/torch-eager-smoke.jsonl",
                 "out/torch-eager-smoke.npz", "out/torch.html", "out/s.json", "file"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    record_file.write(tmp_path / "records" / "torch-eager-smoke.jsonl", RUN)
    record_file.write(tmp_path / "s.jsonl", RUN)
    return tmp_path


@pytest.mark.parametrize(
    "verb",
    [
        "report --records records --to out", "report --records records --to out.html",
        "report --records records --to file", "report --records nowhere --to out",
        "diff s.jsonl s.jsonl --html out.html", "diff s.jsonl s.jsonl --markdown out.md",
        "diff s.jsonl s.jsonl --junit out.xml", "diff s.jsonl s.jsonl --html new.html --junit out.xml",
        "diff s.jsonl s.jsonl --html out", "merge s.jsonl --to out", "conventions --to out.md",
        "claims errata --to out.md", "history --add records --store out.json", "confirm s.jsonl --to out",
    ],
)  # fmt: skip
def test_no_verb_replaces_what_it_did_not_write(
    verb: str, work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = tree(work)
    monkeypatch.chdir(work)
    done = Ended(verb.split(), monkeypatch, capfd)
    assert done.status == 2, done.err
    assert done.err.count("\n") == 1, done.err
    assert tree(work) == before


def test_what_a_verb_wrote_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record_file.write(tmp_path / "s.jsonl", RUN)
    words = ["diff", "s.jsonl", "s.jsonl", "--html", "a.html", "--markdown", "a.md", "--junit", "a.xml"]
    assert [Ended(words, monkeypatch, capfd).err for _ in range(2)] == ["", ""]


# full disks


def full() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


@pytest.mark.parametrize(
    "verb",
    ["merge s.jsonl --to out", "claims errata --to out/a.md", "diff s.jsonl s.jsonl --html out/a.html",
     "history --add records --store out/h"],
)  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_the_old_file(verb: str, tmp_path: Path) -> None:
    many = tuple(replace(each, case=f"{each.case}-{n}") for n in range(40) for each in RUN.records
                 if each.verdict is not record.Verdict.DIVERGES)  # fmt: skip
    run = record.Run(replace(RUN.header, expected=len(many)), many, complete=True)
    for path in (tmp_path / "s.jsonl", tmp_path / "records" / "torch-eager-smoke.jsonl"):
        record_file.write(path, run)
    (tmp_path / "out").mkdir()
    before = tree(tmp_path)
    done = ended(*verb.split(), cwd=tmp_path, preexec_fn=full)
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"conformance: \S*out/\S+: .*\n", done.stderr), done.stderr
    assert {name for name in tree(tmp_path) if not name.endswith("/h")} == before.keys()
    assert not list(tmp_path.rglob(".*"))


def test_a_full_disk_leaves_the_old_report(tmp_path: Path) -> None:
    write = "from conformance.report import *; import pathlib; write_report(Site(()), pathlib.Path('index.html'))"
    for limit in (None, full):
        code = f"from conformance import cli; cli.commands = lambda **_: exec({write!r}); cli.main()"
        program = [sys.executable, "-c", code]
        done = subprocess.run(program, cwd=tmp_path, preexec_fn=limit, stderr=subprocess.PIPE, text=True, check=False)
        if limit is None:
            before = tree(tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"conformance: \S*/site: File too large: .*\n", done.stderr), done.stderr
    assert tree(tmp_path) == before
    assert len(before) > 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
@pytest.mark.parametrize("verb", ["cases list --suite smoke", "claims list", "--help"])
def test_full_standard_output_is_one_line(verb: str) -> None:
    with open("/dev/full", "w") as sink:  # noqa: PTH123  # a device
        done = ended(*verb.split(), stdout=sink)
    assert done.returncode == 2
    assert done.stderr == (
        "conformance: standard output: No space left on device: make room on that disk and run this again\n"
    )


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EACCES])
def test_every_failure_of_a_disk_has_a_next_step_of_its_own(code: int) -> None:
    line = explain(OSError(code, os.strerror(code), "a/b"))
    assert line.startswith(f"a/b: {os.strerror(code)}: ")
    others = (explain(OSError(each, os.strerror(code), "a/b")) for each in (errno.EACCES, errno.ENOSPC) if each != code)
    assert line not in others


def test_an_array_is_read_from_a_regular_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2]


def test_a_record_that_a_full_disk_does_not_take_is_not_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            journal.add(RUN.records[0], {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.filename == str(tmp_path / "journal")
    assert len(journal) == 0
    journal.leave()


def test_a_working_folder_that_was_deleted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(OSError, match="No such file") as raised:
        Path.cwd()
    assert explain(raised.value) == "the working folder: it was deleted: go to another one"
