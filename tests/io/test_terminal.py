"""What a terminal is shown: no text of a file or a framework makes it do anything."""

import json
import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import conformance
from conformance.io.terminal import REST, SUBJECT, abridged, amount, first, note, one_line, printable
from conformance.records.record import Run, Verdict
from conformance.records.record_file import write
from tests.cli.test_cli import Ended
from tests.records.test_record import HEADER, RECORDS

PACKAGE = Path(str(conformance.__file__)).parent
HOSTILE = ["\x1b[31m", "\x07", "\r", "\b", "\t", "\x7f", "\x9b31m", "\u202e", "\u2066", "\ud800", "\0", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_obeys_is_an_escape(text: str) -> None:
    shown = str(printable(f"a{text}b\n"))
    assert re.fullmatch(r"a\\u[0-9a-f]{4}\S*b\n", shown)
    assert shown[:-1].isprintable()
    assert one_line(f"a{text}b\n").isprintable()


def test_other_text_stays_as_it_is() -> None:
    assert printable("größer als 3x3, 漢字, 😀\n") == "größer als 3x3, 漢字, 😀\n"


@pytest.mark.parametrize(
    "given",
    [
        ("diagnose", "x" * 99999),
        ("diagnose", "i5 k3 " + "s" * 9999, "--x", "x.npy", "--weight", "w.npy", "--actual", "y.npy"),
        ("diagnose", "torch", "f" * 9999 + "(x)", "--x", "x.npy", "--weight", "w.npy", "--actual", "y.npy"),
        ("call", "y" * 9999, "f(x)"),
        ("sizes", "torch", "--input", "1" * 9999, "--output", "3"),
        ("port", "torch", "z" * 9999, "f(x)"),
        ("report", "r" * 9999 + ".jsonl"),
        ("nothing" * 999,),
    ],
)
def test_no_verb_repeats_a_long_text_in_whole(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(given, monkeypatch, capfd)
    assert ended.status == 2
    assert ended.err.startswith("conformance: ")
    assert len(ended.err) < SUBJECT + REST + 60


def test_a_long_message_keeps_its_subject_and_its_next_step() -> None:
    message = f"'{'a' * 5000}': is none: give another"
    assert abridged(message).startswith("'aaa")
    assert abridged(message).endswith("a': is none: give another")
    assert f"({len(message) - SUBJECT - REST} characters)" in abridged(message)
    assert abridged(message[-SUBJECT:]) == message[-SUBJECT:]


def test_nothing_is_cut_where_all_is_asked_for_and_no_note_is_printed_where_results_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    long = "a" * 5000
    try:
        amount(quiet=True, whole=True)
        note("at work")
        assert abridged(long) == long
        assert first([1, 2, 3], 2) == [1, 2, 3]
    finally:
        amount(quiet=False, whole=False)
    assert capfd.readouterr() == ("", "")
    note("at work")
    assert capfd.readouterr() == ("", "at work\n")
    assert len(abridged(long)) < len(long)
    assert first([1, 2, 3], 2) == [1, 2]


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_verdicts_are_coloured_on_a_terminal_alone(variables: dict[str, str], coloured: bool) -> None:
    code = "from conformance.io.terminal import echo; echo('torch diverges \x1b[31m in core/diverges.toml')"
    plain = "torch diverges \\u001b[31m in core/diverges.toml\n"
    environment = {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm",
                   **variables}  # fmt: skip
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True)
    shown = os.read(ours, 1000).decode().replace("\r", "")
    assert shown == (plain.replace("diverges ", "\x1b[31mdiverges\x1b[0m ", 1) if coloured else plain)
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert piped.stdout == plain


def test_everything_is_printed_in_one_place() -> None:
    sources = [path for path in PACKAGE.rglob("*.py") if path.name not in ("terminal.py", "snippets.py")]
    assert len(sources) > 100  # but for those that write scripts, or stand for a broken framework
    for path in sources:
        assert not re.search(r"^\s*(click\.s?echo|print)\(", path.read_text(), re.MULTILINE), path


TEXT = "".join(HOSTILE)
"""All of it in one message."""

VERBS = [
    "diff a b", "diff a a --html out.html --markdown out.md --junit out.xml --json", "history --add a zero-1",
    "history --runs --store reports/history.sqlite3 --add a", "domain --records a", "domain --records a --markdown",
    "domain --records a --json", "coverage --records a", "expect check --records a",
    "expect explain zero-1 --records a", "expect propose a", "merge a/torch-eager-smoke.jsonl --to merged",
    "cases show " + TEXT.replace("\0", ""),
    "cases list --suite " + TEXT.replace("\0", ""), "diagnose a/torch-eager-smoke.jsonl", "claims show \x1b[31m",
    "one torch \x1b[31mi3", "call torch f(\x1b[31m)", "report --records \x1b[31m", "run \x1b[31m", "\x1b[31m",
    "diff a \x1b",
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=range(len(VERBS)))
def test_no_verb_lets_a_record_or_a_word_reach_the_terminal_raw(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = tuple(
        replace(RECORDS[0], case=f"zero-{at}", dtype="float32", verdict=verdict, message=TEXT, call=TEXT,
                composed=(TEXT,), trace=(TEXT,), kind=TEXT, problem=f"i{at} k3")
        for at, verdict in enumerate((Verdict.ERRORED, Verdict.REJECTS, Verdict.CRASHED, Verdict.CONFORMS), 1)
    )  # fmt: skip
    header = replace(HEADER, expected=len(hostile), environment={"torch": TEXT})
    later = replace(header, started="2025-01-03T03:04:05+00:00", environment={"torch": "2.1"})
    other = tuple(replace(each, verdict=Verdict.CONFORMS, message="") for each in hostile)
    write(Path("a/torch-eager-smoke.jsonl"), Run(header, hostile, complete=True))
    write(Path("b/torch-eager-smoke.jsonl"), Run(later, other, complete=True))
    ended = Ended(verb.split(" "), monkeypatch, capfd)
    assert ended.status in (0, 1, 2, 3)
    for text in (ended.out, ended.err):
        assert text.replace("\n", "").isprintable()
    if "--junit" in verb:
        ElementTree.parse("out.xml")
        json.loads(ended.out)
        for name in ("out.md", "out.html"):
            assert Path(name).read_text(encoding="utf-8").replace("\n", "").isprintable()


PROGRAM = """
from conformance.io.terminal import echo, progress
echo(sum(progress([1, 2, 3], "numbers", "numbers")))
"""


def on_a_terminal(program: str) -> tuple[str, str]:
    """What a program prints, and what a terminal of 80 columns is told by its standard error."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    done = subprocess.run([sys.executable, "-c", program], stderr=theirs, stdout=subprocess.PIPE, text=True, check=True)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # which is how Linux says that all of it was read
        while read := os.read(ours, 10_000):
            shown += read
    os.close(ours)
    return done.stdout, shown.decode()


def test_progress_is_shown_on_a_terminal_and_leaves_nothing_behind() -> None:
    printed, shown = on_a_terminal(PROGRAM)
    assert printed == "6\n"
    assert "numbers:   0%" in shown
    assert not shown.rpartition("\r")[2].strip()


def test_progress_is_not_shown_where_nobody_sees_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("6\n", "")


METER = """
import time
from conformance.io.terminal import meter
begun = time.monotonic()
with meter("torch", "B", lambda: int(1000 * (time.monotonic() - begun)), 4000):
    time.sleep(2.2)
print("made")
"""


@pytest.mark.slow
def test_what_is_measured_while_others_work_has_a_rate_and_a_remaining_time_on_a_terminal_alone() -> None:
    printed, shown = on_a_terminal(METER)
    assert printed == "made\n"
    assert re.search(r"torch: +\d+%.*k/4\.00k \[\d\d:\d\d<\d\d:\d\d, .*B/s\]", shown), shown
    assert not shown.rpartition("\r")[2].strip()
    unseen = subprocess.run([sys.executable, "-c", METER], capture_output=True, text=True, check=True)
    assert (unseen.stdout, unseen.stderr) == ("made\n", "")
