"""Commands that write, killed at random: what stands there is the old or the new, and the next command goes on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from conformance.records.journal import Journal
from conformance.records.record import Record, Run
from conformance.regression.history import Store
from conformance.runner.items import npy
from tests.regression.test_comparison import RECORDS, diverging, run

KILLS = 13
"""Of each command and seed: two seeds and four commands are 104."""
NUMBERS = np.arange(4000.0)

State = Mapping[str, bytes]


def python(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def keep(path: Path, made: Run) -> None:
    """A record file with the arrays of what diverges in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path.parent / f"{path.stem}.taken")
    for each in made.records:
        journal.add(each, {name: npy(NUMBERS) for name in ("actual", "expected")} if each.deviation else {})
    journal.close(path, made.header, complete=True)


def wrong(record: Record) -> Record:
    return replace(diverging(record), deviation={"count": 1})


FEW = RECORDS[:200]
OLD = run(records=FEW)
NEW = run(wrong, records=FEW, started="2026-11-23T00:00:00+00:00")


def shards(made: Run) -> list[Run]:
    return [
        Run(replace(made.header, shard=(at + 1, 2), expected=len(part)), part, complete=True)
        for at, part in enumerate((made.records[::2], made.records[1::2]))
    ]


def files(folder: Path) -> State:
    """Every file that is not on its way, by name."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if not any(p[:1] == "." for p in name.split("/"))}


def answers(folder: Path) -> State:
    """What a history tells, run by run."""
    with Store(folder / "kept.sqlite") as store:
        runs = [" ".join(each) for each in store.runs()]
        return {**dict.fromkeys(runs, b""), "lines": repr(sorted(map(repr, store.lines("")))).encode()}


@dataclass(frozen=True)
class Writer:
    """A command, what stands there before it, and the parts of what it leaves, each of which is whole at any time."""

    words: Sequence[str]
    prepare: Callable[[Path], object]
    state: Callable[[Path], State]
    parts: Sequence[str]
    writes: str
    """Files that appear as it begins to write, as a pattern."""


def records_of(folder: Path, made: Run) -> None:
    keep(folder / "records" / "mxnet-native-core.jsonl", made)


def before_report(folder: Path) -> None:
    records_of(folder, OLD)
    python(folder, *REPORT).communicate(timeout=120)
    records_of(folder, NEW)


def before_merge(folder: Path) -> None:
    for made in (OLD, NEW):
        for at, part in enumerate(shards(made), 1):
            keep(folder / "shards" / f"{at}.jsonl", part)
        if made is OLD:
            python(folder, *MERGE).communicate(timeout=120)


def before_adding(folder: Path) -> None:
    with Store(folder / "kept.sqlite") as store:
        store.add(OLD)
    records_of(folder, NEW)


def before_dropping(folder: Path) -> None:
    with Store(folder / "kept.sqlite") as store:
        store.add(OLD)
        store.add(NEW)


WRITE = """
from pathlib import Path
from conformance.records.record_file import read_folder
from conformance.report import Site, write_report

write_report(Site(read_folder(Path("records")), ("mxnet-native",)), Path("out/index.html"))
"""
"""The part of `conformance report` that writes."""

COMMAND = "-m", "conformance"
REPORT = "-c", WRITE
MERGE = *COMMAND, "merge", "shards/1.jsonl", "shards/2.jsonl", "--to", "out"
ADD = *COMMAND, "history", "--add", "records", "--store", "kept.sqlite"
DROP = *COMMAND, "history", "--drop", "2026-11-23", "--store", "kept.sqlite"
WRITERS = {
    "report": Writer(REPORT, before_report, lambda folder: files(folder / "out"), ("index.html", "site/"), "out/.*"),
    "merge": Writer(MERGE, before_merge, lambda folder: files(folder / "out"), (".jsonl", ".npz"), "out/.*"),
    "history --add": Writer(ADD, before_adding, answers, (), "kept.sqlite-*"),
    "history --drop": Writer(DROP, before_dropping, answers, (), "kept.sqlite-*"),
}  # fmt: skip


def part(state: State, name: str) -> State:
    return {path: content for path, content in state.items() if name in path}


def strike(process: "subprocess.Popen[str]", folder: Path, writes: str, draw: random.Random) -> bool:
    """Kill a command at a random moment, half of the times one of its writing; False if it ended before."""
    deadline = time.monotonic() + draw.uniform(0.2, 1.5)
    if draw.random() < 0.5:
        while process.poll() is None and not [*folder.glob(writes)]:
            time.sleep(0.001)
        deadline = time.monotonic() + draw.uniform(0.0, 0.1)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.kill(process.pid, draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        process.communicate(timeout=60)
        return True
    process.communicate(timeout=60)
    return False


KILL_AT = """
import os
import signal
import sys

left = {}


def count(event, arguments):
    global left
    if event in ("os.rename", "shutil.rmtree") or event == "ctypes.dlsym" and arguments[1] == "renameat2":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(count)
"""
"""The beginning of a script that is killed before one of the steps in which it replaces what stands there."""


def killed_at(step: int, words: Sequence[str], folder: Path) -> bool:
    """Whether a command was killed before a step; False if it has not so many."""
    program = WRITE if words is REPORT else f"sys.argv[1:] = {words[2:]}; from conformance.cli import main; main()"
    process = python(folder, "-c", KILL_AT.format(step) + program)
    said, _ = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode < 0


def kill(name: str, seed: int, kills: int, tmp_path: Path) -> int:
    """Kill a command so many times; the number of times that the new stood there already."""
    writer, draw, finished = WRITERS[name], random.Random(f"{name} {seed}"), 0
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    writer.prepare(before)
    shutil.copytree(before, after)
    python(after, *writer.words).communicate(timeout=120)
    old, new = writer.state(before), writer.state(after)
    assert old != new
    killed = 0
    while killed < kills:
        folder = tmp_path / f"{killed}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder)
        if not strike(python(folder, *writer.words), folder, writer.writes, draw):
            continue
        killed += 1
        _require_old_or_new(folder, writer, old, new)
        finished += writer.state(folder) == new
        _, again = python(folder, *writer.words).communicate(timeout=120), writer.state(folder)
        assert again == new
        assert left_behind(folder) == []
        shutil.rmtree(folder)
    return finished


def _require_old_or_new(folder: Path, writer: Writer, old: State, new: State) -> None:
    state = writer.state(folder)
    for name in writer.parts or ("",):
        found = part(state, name)
        assert found in (part(old, name), part(new, name)), (name, sorted(found))


def left_behind(folder: Path) -> list[Path]:
    """What is on its way, or was: files and folders that are hidden, and journals of SQLite."""
    return [*folder.rglob(".*"), *folder.rglob("*.sqlite-*")]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.timeout(1200)
def test_a_command_that_is_killed_leaves_the_old_or_the_new_and_is_run_again(
    name: str, seed: int, tmp_path: Path
) -> None:
    kill(name, seed, KILLS, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_command_that_is_killed_once_leaves_the_old_or_the_new(name: str, tmp_path: Path) -> None:
    kill(name, 0, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("report", 3), ("merge", 2)])
def test_old_and_new_stand_together_only_between_the_last_two_steps(name: str, steps: int, tmp_path: Path) -> None:
    """No system call replaces two names at once, so that there is one such moment, and the next command ends it."""
    writer, before, after = WRITERS[name], tmp_path / "before", tmp_path / "after"
    before.mkdir()
    writer.prepare(before)
    shutil.copytree(before, after)
    python(after, *writer.words).communicate(timeout=120)
    old, new = writer.state(before), writer.state(after)
    found = []
    for step in range(steps):
        shutil.copytree(before, folder := tmp_path / f"{step}")
        assert killed_at(step, writer.words, folder)
        _require_old_or_new(folder, writer, old, new)
        found.append({str(old): "old", str(new): "new"}.get(str(writer.state(folder)), "both"))
        python(folder, *writer.words).communicate(timeout=120)
        assert (writer.state(folder), left_behind(folder)) == (new, [])
    assert not killed_at(steps, writer.words, before)
    assert found == ["old", "both", "new"][:steps]
