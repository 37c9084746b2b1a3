"""One problem on many lanes: who gives the same answer, and what is told of lanes that cannot be asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.cli.one import everywhere as asked_everywhere
from conformance.runner.outside import everywhere
from conformance.runner.outside.everywhere import Answer
from tests.runner.test_lane_run import ADAPTERS

RIGHT = {"verdict": "conforms", "actual": "f00", "seconds": 0.002}
REFUSED = {"verdict": "rejects", "message": "ValueError: output_padding (1) is too large", "seconds": 0.001}
LANES = {name: Lane(name, "x") for name in "abcdef"}


def lines(*answers: Answer) -> list[str]:
    return list(everywhere.lines(answers))


def test_lanes_that_answer_alike_have_one_letter_and_are_named_together() -> None:
    wrong = {"verdict": "diverges", "kind": "value", "actual": "f01", "message": "3 of 4 values differ", "seconds": 0.1}
    other = {**REFUSED, "message": "ValueError: output_padding (7) is too large"}
    said = lines(Answer(LANES["a"], RIGHT), Answer(LANES["b"], REFUSED), Answer(LANES["c"], wrong, ["taps reversed"]),
                 Answer(LANES["d"], RIGHT), Answer(LANES["e"], other))  # fmt: skip
    assert said[0].split()[:3] == ["lane", "alike", "verdict"]
    assert [line.split()[:3] for line in said[1:6]] == [
        ["a-x", "A", "conforms"], ["b-x", "B", "rejects"], ["c-x", "C", "diverges"], ["d-x", "A", "conforms"],
        ["e-x", "B", "rejects"],
    ]  # fmt: skip
    assert said[3].endswith("100.0 ms  taps reversed")
    assert said[6:] == ["A: the same answer: a-x, d-x", "B: rejects in the same words: b-x, e-x"]


def test_a_lane_that_is_not_installed_is_named_with_the_command_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everywhere, "python_for", lambda framework, chosen: None)
    (answer,) = everywhere.ask([Lane("torch", "eager")], "i3 k2", "float32")
    assert lines(answer) == ["  torch-eager  not installed: `tox run -e torch --notest`"]
    assert not answer.fails


def test_a_question_that_no_lane_could_be_asked_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(everywhere, "python_for", lambda framework, chosen: None)
    with pytest.raises(adapters.AdapterError, match="no lane could be asked: install one"):
        asked_everywhere(["torch"], ["i3 k2"], "float32", "forward", json_=False)
    assert "torch-eager  not installed" in capsys.readouterr().out


def test_a_lane_that_cannot_start_says_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everywhere, "python_for", lambda framework, chosen: sys.executable)
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", "/nowhere")
    (answer,) = everywhere.ask([Lane("torch", "eager")], "i3 k2", "float32")
    assert "/nowhere" in answer.missing


def test_a_lane_whose_environment_is_older_than_the_package_has_the_command_that_installs_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'stamps'\" >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(everywhere, "python_for", lambda framework, chosen: str(python))
    (answer,) = everywhere.ask([Lane("torch", "eager")], "i3 k2", "float32")
    assert answer.missing == (
        "ModuleNotFoundError: No module named 'stamps': `tox run -e torch --notest` installs what is missing"
    )


def test_names_are_of_lanes_of_frameworks_or_all() -> None:
    assert everywhere.named(["mxnet"]) == [Lane("mxnet", "onednn"), Lane("mxnet", "native")]
    assert everywhere.named(["mxnet-native", "mxnet"]) == [Lane("mxnet", "native"), Lane("mxnet", "onednn")]
    assert set(everywhere.named(["all"])) == set(adapters.lanes())
    with pytest.raises(adapters.AdapterError, match="mxnet has no variant 'gpu'"):
        everywhere.named(["mxnet-gpu"])


def one(*words: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "conformance", "one", *words], timeout=120, check=False, text=True,
                          env=os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS)}, capture_output=True)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_command_asks_each_lane_in_a_process_of_its_own() -> None:
    status, out, err = one("i3 k2", "--lane", "oracle_adapter", "--lane", "block_adapter")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith("A: the same answer: oracle_adapter-")
    status, out, _ = one("i3 k2", "--lane", "oracle_adapter-single", "--json")
    assert [(each["lane"], each["record"]["verdict"]) for each in json.loads(out)] == [
        ("oracle_adapter-single", "conforms")
    ]


def test_a_pass_is_asked_of_each_lane() -> None:
    lanes = ("--lane", "oracle_adapter-single", "--lane", "block_adapter")
    status, out, err = one("i3 k2 bias", *lanes, "--pass", "bias", "--json")
    assert (status, err) == (0, "")
    records = [each["record"] for each in json.loads(out)]
    assert {(record["pass"], record["verdict"]) for record in records} == {("bias", "unsupported")}
    assert all("has no gradients" in record["message"] for record in records)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["i3 k2", "--lane", "all", "--pass", "bias"], "'i3 k2' has no bias, so that there is no gradient of one"),
        (["i3 k2"], "give FRAMEWORK and DESCRIPTOR"),
        (["torch", "i3"], "kernel"),
        (["torch", "i3 k2", "--lane", "all"], "leave out 'i3 k2'"),
        (["i3 k2 op9", "--lane", "all"], "output_padding"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake_in_one_line(words: list[str], message: str) -> None:
    status, out, err = one(*words)
    assert (status, out) == (2, "")
    assert message in err
