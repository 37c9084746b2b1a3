"""What verbs print with `--json` has the keys that docs/running.md documents, and no others."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runner.test_lane_run import ADAPTERS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
LANE = "oracle_adapter-single"


def documented(verb: str) -> set[str]:
    """Every name that the document has in the item of a verb."""
    (item,) = re.findall(rf"^- `conformance {verb} --json`[ \w]*:(.*?)(?=^- |^$)", DOCUMENT, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", item))


def keys(value: Any) -> set[str]:
    """The names of the fields of an object, and of those of objects in its lists."""
    names = set(value)
    for part in value.values():
        if isinstance(part, list):
            names |= set().union(*(keys(entry) for entry in part if isinstance(entry, dict)))
    return names


def conformance(*words: str, folder: Path, wrong: bool = False) -> tuple[int, list[Any], str]:
    """A command's exit status, the JSON values of its lines, and what it says on stderr."""
    adapter = {"CONFORMANCE_ADAPTERS": str(ADAPTERS)} if "oracle_adapter" in words else {}
    faults = {"FAULT": "wrong@"} if wrong else {}
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words, "--json"], cwd=folder, timeout=300, capture_output=True,
        text=True, check=False, env=os.environ | adapter | faults,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a lane that is wrong in float32 runs in."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def ran(folder: Path) -> tuple[int, Any, str]:
    words = ("run", "oracle_adapter", "--variant", "single", "--suite", "smoke", "-n0")
    status, (outcome,), errors = conformance(*words, folder=folder, wrong=True)
    return status, outcome, errors


@pytest.mark.slow
def test_a_run_prints_its_outcome_alone_and_all_else_on_stderr(ran: tuple[int, Any, str], folder: Path) -> None:
    status, outcome, errors = ran
    assert keys(outcome) == documented("run")
    assert (status, outcome["status"], outcome["green"]) == (1, 1, False)
    (run,) = outcome["runs"]
    assert (run["lane"], run["suite"], run["complete"]) == (LANE, "smoke", True)
    assert run["verdicts"] == {"conforms": 60, "diverges": 60}
    assert (folder / run["file"]).is_file()
    assert f"{LANE} smoke:" in errors
    assert [reason["kind"] for reason in outcome["reasons"]] == ["new"]


@pytest.mark.usefixtures("ran")
def test_expect_check_prints_an_object_a_framework(folder: Path) -> None:
    status, (checked,), _ = conformance("expect", "check", folder=folder)
    assert status == 1
    assert keys(checked) <= documented("expect check") | {"framework", "absent"}
    assert documented("expect check") - {"command", "subject", "fault", "facts", "predicate"} <= keys(checked)
    assert checked["framework"] == "oracle_adapter"
    assert checked["without_floor"] == [f"{LANE} smoke"]


@pytest.mark.slow
@pytest.mark.usefixtures("ran")
def test_history_prints_an_object_a_line_for_runs_a_case_and_a_region(folder: Path) -> None:
    status, (kept,), errors = conformance("history", "--add", "reports/records", "--runs", folder=folder)
    assert (status, kept["lane"], kept["suite"]) == (0, LANE, "smoke")
    assert "answers are new" in errors
    record = json.loads((folder / "reports/records" / f"{LANE}-smoke.jsonl").read_text().splitlines()[1])
    _, (case, double), _ = conformance("history", record["case"], folder=folder)
    assert (case["case"], case["problem"]) == (record["case"], record["problem"])
    assert (case["dtype"], double["dtype"]) == ("float32", "float64")
    assert [state["verdict"] for state in case["states"]] == ["diverges"]
    _, (region,), _ = conformance("history", "rank > 0", folder=folder)
    assert region["records"] == sum(region["states"][0]["verdicts"].values()) >= region["cases"] > 0
    assert keys(kept) | keys(case) | keys(region) == documented("history")


@pytest.mark.slow
def test_lanes_cases_and_claims_print_an_object_a_line(folder: Path) -> None:
    for words in (("lanes",), ("cases", "list"), ("claims", "list")):
        _, lines, _ = conformance(*words, folder=folder)
        assert lines
        assert all(set(line) == documented(" ".join(words)) for line in lines)


@pytest.mark.slow
def test_a_quiet_run_prints_its_outcome_alone(folder: Path) -> None:
    words = [sys.executable, "-m", "conformance", "run", "oracle_adapter", "--variant", "single", "--suite", "smoke",
             "-n0", "--records", "quiet", "--case", "smoke-1d-01"]  # fmt: skip
    said = [
        subprocess.run([*words, *option], cwd=folder, timeout=300, capture_output=True, text=True, check=False,
                       env=os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": "wrong@"})
        for option in ([], ["-q"])
    ]  # fmt: skip
    assert {done.returncode for done in said} == {1}
    assert "diverges" in said[0].stdout
    assert (said[1].stdout, said[1].stderr) == ("", "")


def test_one_prints_the_record_and_the_arrays() -> None:
    status, (evaluated,), errors = conformance("one", "oracle_adapter", "i3 k2", folder=Path.cwd(), wrong=True)
    assert (status, errors) == (1, "")
    assert set(evaluated) == documented("call")
    assert evaluated["record"]["verdict"] == "diverges"
    assert evaluated["output"] == [1, 1, 4]
    assert set(evaluated["arrays"]) >= {"x", "weight", "expected", "actual"}


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["claims list", "lanes", "cases list"])
def test_a_list_has_an_object_a_line(verb: str, tmp_path: Path) -> None:
    status, entries, _ = conformance(*verb.split(), folder=tmp_path)
    assert status == 0
    assert len(entries) > 5
    assert all(set(entry) == documented(verb) for entry in entries)
