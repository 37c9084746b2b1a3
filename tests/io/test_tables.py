"""Tables: whole lines where nobody looks, and lines that a terminal holds where somebody does, with nothing cut."""

import os
import pty
import re
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from conformance.io.terminal import columns, numbers, wrapped
from conformance.records.record import Run
from conformance.records.record_file import write
from tests.records.test_record import HEADER, RECORDS


def without_size() -> dict[str, str]:
    """The environment without the size of a terminal, which readline and pytest-xdist put there."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}


def printed(words: str, folder: Path, width: int | None) -> str:
    """What a verb prints to a terminal of some width, or into a pipe."""
    command = [sys.executable, "-m", "conformance", *words.split()]
    environment = without_size() | {"NO_COLOR": "1", "TERM": "xterm"}
    if width is None:
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False).stdout
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (40, width))
    read: list[bytes] = []
    reader = Thread(target=_read, args=(ours, read))
    reader.start()
    subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment, cwd=folder, check=False)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return b"".join(read).decode().replace("\r\n", "\n")


def _read(end: int, read: list[bytes]) -> None:
    try:
        while part := os.read(end, 65536):
            read.append(part)
    except OSError:  # the other end is closed
        return


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with records below it."""
    write(tmp_path / "a" / "torch-eager-smoke.jsonl",
          Run(replace(HEADER, expected=len(RECORDS)), RECORDS, complete=True))  # fmt: skip
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    "lanes", "cases list", "cases count", "claims list", "doctor", "replay --list", "show jax-eigen-negative-padding",
    "domain --records a",
])  # fmt: skip
@pytest.mark.parametrize("width", [60, 80])
def test_a_terminal_is_shown_lines_that_it_holds_and_a_pipe_gets_whole_ones(
    words: str, width: int, folder: Path
) -> None:
    shown, piped = printed(words, folder, width), printed(words, folder, None)
    lines = shown.splitlines()
    assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []  # a word is never broken
    assert len(lines) > len(piped.splitlines()) or max(map(len, piped.splitlines())) <= width
    if not words.startswith("domain"):  # whose head is of two lines there
        assert re.sub(r"\d", "", shown).split() == re.sub(r"\d", "", piped).split()  # free disk changes meanwhile


ROWS = [("torch-eager", "1", "a text of some words"), ("jax", "22", "b")]


def test_columns_are_as_wide_as_their_widest_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(columns(ROWS, "  ")) == ["  torch-eager  1   a text of some words", "  jax          22  b"]
    assert list(columns([])) == []
    assert wrapped("one two", "- ") == ["- one two"]


def in_terminal(code: str, width: int) -> list[str]:
    """What code prints to a terminal of some width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (40, width))
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True, env=without_size())
    shown = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(theirs)
    os.close(ours)
    return shown.splitlines()


def test_the_last_column_is_wrapped_and_stands_below_where_there_is_no_room_beside() -> None:
    code = f"from conformance.io.terminal import columns, echo; echo('\\n'.join(columns({ROWS!r})))"
    assert in_terminal(code, 42)[:1] == ["torch-eager  1   a text of some words"]
    assert in_terminal(code, 30) == ["torch-eager  1", "    a text of some words", "jax          22  b"]


def test_numbers_stand_below_their_heads_and_are_a_sentence_where_there_is_no_room() -> None:
    head, rows = ["lane", "answers wrongly", "refuses"], [["torch", "1,000", "2"]]
    assert list(numbers(head, rows)) == ["lane   answers wrongly  refuses", "torch            1,000        2"]
    code = f"from conformance.io.terminal import numbers, echo; echo('\\n'.join(numbers({head!r}, {rows!r})))"
    assert in_terminal(code, 26) == ["       answers", "lane   wrongly  refuses", "torch    1,000        2"]
    assert in_terminal(code, 22) == ["torch: answers wrongly", "    1,000, refuses 2"]
    assert not re.search(r"\s$", "\n".join(in_terminal(code, 26)))
