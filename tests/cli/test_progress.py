"""What a terminal shows while a command works: how far it is, how fast, how long the rest takes; nothing with -q."""

import os
import re
import shutil
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from tests.runner.test_lane_run import ADAPTERS

SHOWN = re.compile(r"\d+%\|.*\| \d+/\d+ \[\d\d:\d\d<(\d\d:\d\d|\?), .*/s")
"""A share, a count, the time so far and the time that is left, and a rate."""
COMMANDS = {
    "report": ["report", "--records", "records", "--to", "site/index.html"],
    "expect check": ["expect", "check", "--records", "records"],
    "domain": ["domain", "--records", "records"],
    "domain --coverage": ["domain", "--coverage", "--records", "records"],
    "diff": ["diff", "records", "records"],
    "vectors": ["vectors", "--suite", "smoke", "--out", "vectors"],
}


def told(words: list[str], folder: Path) -> tuple[int, str]:
    """The exit status of a command, and what it tells a terminal of 100 columns beside its results."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (24, 100))
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(folder / "adapters")}
    with subprocess.Popen([sys.executable, "-m", "conformance", *words], cwd=folder, env=environment,
                          stdout=subprocess.DEVNULL, stderr=theirs) as process:  # fmt: skip
        os.close(theirs)
        said = b""
        with suppress(OSError):  # which is how Linux says that all of it was read
            while read := os.read(ours, 10_000):
                said += read
    os.close(ours)
    return process.returncode, said.decode()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder with a run, its status, and what it told."""
    folder = tmp_path_factory.mktemp("progress")
    (folder / "adapters").mkdir()
    shutil.copy(ADAPTERS / "oracle_adapter.py", folder / "adapters")
    words = ["run", "oracle_adapter", "--variant", "single", "--suite", "smoke", "-n0", "--records", "records"]
    return folder, *told(words, folder)


@pytest.mark.slow
def test_a_run_says_how_far_it_is(ran: tuple[Path, int, str]) -> None:
    _, status, said = ran
    assert status == 0
    assert SHOWN.search(said), said
    assert "120/120" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_how_far_it_is_and_nothing_where_results_alone_are_asked_for(
    name: str, ran: tuple[Path, int, str]
) -> None:
    folder = ran[0]
    status, said = told(COMMANDS[name], folder)
    assert status in (0, 1)
    assert SHOWN.search(said), said
    again, unsaid = told([*COMMANDS[name], "-q"], folder)
    assert (again, unsaid) == (status, "")


SLOW = """

def run(calls, _run=run):
    import time

    time.sleep(4)
    return _run(calls)
"""
PROBLEM = "i5 k3 s2"
LONG = {
    "on a lane": (["call", "slow_adapter", PROBLEM], r"the call on slow_adapter-\w+: 00:0[2-9]"),
    "on lanes": (["call", PROBLEM, "--lane", "slow_adapter"], r"lanes: +0%\|.*\| 0/2 \[00:0[1-9]"),
}


@pytest.mark.parametrize("name", LONG)
def test_a_single_problem_that_takes_long_says_for_how_long(name: str, tmp_path: Path) -> None:
    (tmp_path / "adapters").mkdir()
    source = (ADAPTERS / "oracle_adapter.py").read_text(encoding="utf-8")
    (tmp_path / "adapters" / "slow_adapter.py").write_text(source + SLOW, encoding="utf-8")
    words, shown = LONG[name]
    status, said = told(words, tmp_path)
    assert status == 0
    assert re.search(shown, said), said
    assert said.endswith("\r")  # nothing of it is left


def test_a_problem_that_is_computed_at_once_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "adapters").mkdir()
    shutil.copy(ADAPTERS / "oracle_adapter.py", tmp_path / "adapters")
    assert told(["call", "oracle_adapter", PROBLEM, "--variant", "single"], tmp_path) == (0, "")
