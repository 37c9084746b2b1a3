"""The last words of a tox run, by tox itself on a small project with this project's plugin."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent / "toxfile.py"
SETTINGS = """
[tox]
no_package = true
labels =
    nightly = good, bad, gone, report
[testenv]
ignore_errors = true
commands = python -c "print('as expected')"
[testenv:good]
description = all well
[testenv:bad]
commands =
    python -c "import sys; print('before'); print('Red, 1 reason:'); print('  far: stale'); sys.exit(1)"
    python -c "import sys; sys.exit('Odd: no module')"
[testenv:gone]
deps = {tox_root}{/}none-0.whl
[testenv:report]
depends = good, bad, gone
commands = python -c "from pathlib import Path; print('Red, 2 reasons:', len(list(Path('reports/status').iterdir())))"
"""


def tox(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Runs tox in a folder; its exit status, and all lines behind its own summary."""
    (folder / "tox.ini").write_text(SETTINGS)
    shutil.copy(PLUGIN, folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOX", "VIRTUALENV"))}
    environment = kept | {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    ended = subprocess.run(
        [sys.executable, "-m", "tox", "run", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    lines = ended.stdout.splitlines()
    last = max(at for at, line in enumerate(lines) if line.startswith(("  evaluation failed", "  congratulations")))
    return ended.returncode, lines[last + 1 :]


@pytest.mark.slow
def test_a_night_ends_with_what_the_report_said_and_each_environment_leaves_how_it_ended(tmp_path: Path) -> None:
    status, said = tox(tmp_path, "-m", "nightly")
    assert (status, said) == (1, ["Red, 2 reasons: 3"])
    assert (tmp_path / "summary.md").read_text() == "```\nRed, 2 reasons: 3\n```\n"
    left = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "reports" / "status").iterdir()}
    assert [each["status"] for each in left["bad"]["commands"]] == [1, 1]
    assert [each["said"] for each in left["bad"]["commands"]] == ["", "Odd: no module"]
    assert left["bad"]["commands"][0]["command"].startswith("python -c ")
    assert left["gone"]["commands"] == []
    assert [each["status"] for each in left["good"]["commands"]] == [0]


@pytest.mark.slow
def test_environments_of_their_own_end_with_each_command_that_failed(tmp_path: Path) -> None:
    status, said = tox(tmp_path, "-e", "good,bad,gone")
    assert status == 1
    assert said[0] == "Red: gone: its environment could not be installed, so nothing was run: tox run -e gone"
    assert said[1].startswith("Red: bad: `python -c ")
    assert said[1].endswith("` ended with exit status 1")
    assert said[2:4] == ["  Red, 1 reason:", "    far: stale"]
    assert said[-1] == "  Odd: no module"
    assert tox(tmp_path, "-e", "good") == (0, ["Green: good"])


@pytest.mark.slow
def test_what_only_installs_says_and_leaves_nothing(tmp_path: Path) -> None:
    assert tox(tmp_path, "-e", "good", "--notest") == (0, [])
    assert tox(tmp_path, "-e", "good", "--override", "testenv:good.commands=") == (0, [])
    assert not (tmp_path / "reports").exists()


def test_every_test_of_lanes_is_run_under_test() -> None:
    source = PLUGIN.read_text()
    files = {path.stem.removeprefix("lane_") for path in Path(__file__).parent.glob("lane_*.py")}
    assert files == set(ast.literal_eval(re.search(r"^_TESTS = (\(.*?\))$", source, re.M | re.S)[1]))  # type: ignore[index]  # there
