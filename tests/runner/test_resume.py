"""A killed controller: no record file is unreadable, and the next run goes on to the bytes of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.io import exit_status
from conformance.records import record_file
from conformance.records.journal import Journal
from conformance.records.machine import CAPS
from conformance.records.record import RecordError
from tests.records.test_journal import EVIDENCE
from tests.records.test_record import HEADER
from tests.records.test_record import RECORDS as ROWS
from tests.runner.test_lane_run import ADAPTERS, CASE, RECORDS, body, descriptor, inside, lane, pytest_process, read  # noqa: F401  # a fixture

KILLS = 25
SEEDS = (1, 2, 3, 4)
"""Four seeds of 25 kills each are 100."""
NAME = "oracle_adapter-single-smoke"
LONGEST = 0.6
"""Seconds after the journal is opened in which a controller is killed; it takes about as long to finish."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    for name in CAPS:
        monkeypatch.delenv(name, raising=False)


def journals(folder: Path) -> list[Path]:
    return list(folder.glob(".*.journal/records"))


def kill(process: Any, folder: Path, after: float) -> bool:
    """Kill the controller and nothing else so many seconds after it opened its journal; False if it ended before."""
    while not journals(folder) and process.poll() is None:
        time.sleep(0.005)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def without_times(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    header = json.loads(path.read_text().splitlines()[0])
    header.pop("started")
    return header, body(path), path.with_suffix(".npz").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(600)
def test_a_controller_killed_at_random_points_loses_nothing(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    lane(tmp_path / "undisturbed", "-n0", fault="slow@")
    undisturbed = without_times(tmp_path / "undisturbed" / f"{NAME}.jsonl")
    assert len(undisturbed[1]) == RECORDS + 1, "records and a footer"
    folder = tmp_path / "killed"
    lane(folder, "-n0")  # an older file, which must stay readable
    kills = finished = 0
    while kills < KILLS or not finished:
        workers = draw.choice(("-n0", "-n0", "-n1"))
        process = pytest_process(folder, workers, "--resume", fault="slow@")
        patience = draw.uniform(0, LONGEST) if kills < KILLS else 60.0
        if kill(process, folder, patience):
            kills += 1
        else:
            finished += 1
            assert without_times(folder / f"{NAME}.jsonl") == undisturbed
            assert {path.name for path in folder.iterdir()} == {f"{NAME}.jsonl", f"{NAME}.npz"}
        process.stdout.close()
        assert record_file.read(folder / f"{NAME}.jsonl").complete
    assert kills == KILLS


class TestResume:
    @pytest.mark.slow
    def test_what_was_done_is_not_run_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
        process = pytest_process(tmp_path, "-n1", fault=f"hang@{descriptor('wide-2d-078')}")
        deadline = time.monotonic() + 60
        while not (tmp_path / "hangs").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        (journal,) = journals(tmp_path)
        done = len(journal.read_text().splitlines())
        assert 0 < done < RECORDS
        _, output = lane(tmp_path, "-n1", "--resume")
        assert f"{RECORDS - done} conforms" in output
        assert (read(tmp_path).verdicts, read(tmp_path).complete) == ({"conforms": RECORDS}, True)

    @pytest.mark.slow
    @pytest.mark.usefixtures("inside")
    def test_an_incomplete_run_is_gone_on_with(self, tmp_path: Path) -> None:
        lane(tmp_path, "-n1", "--max-worker-restart=0", fault=f"segfault@{descriptor(CASE)}")
        assert not read(tmp_path).complete
        lane(tmp_path, "-n1", "--resume")
        run = read(tmp_path)
        assert run.complete
        assert run.verdicts == {"conforms": RECORDS - 1, "crashed": 1}

    @pytest.mark.slow
    @pytest.mark.usefixtures("inside")
    def test_a_run_under_other_caps_is_refused_by_name_and_waits_for_its_own_machine(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lane(tmp_path, "-n1", "--max-worker-restart=0", fault=f"segfault@{descriptor(CASE)}")
        (journal,) = journals(tmp_path)
        kept = journal.read_bytes()
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
        status, output = lane(tmp_path, "-n1", "--resume")
        assert (status, "Traceback" in output) == (exit_status.USAGE, False)
        assert "(caps was none, is ATEN_CPU_CAPABILITY=default): run without --resume" in output
        assert journal.read_bytes() == kept
        monkeypatch.delenv("ATEN_CPU_CAPABILITY")
        lane(tmp_path, "-n1", "--resume")
        assert read(tmp_path).complete

    @pytest.mark.slow
    @pytest.mark.usefixtures("inside")
    def test_without_resume_everything_is_run(self, tmp_path: Path) -> None:
        lane(tmp_path, "-n1", "--max-worker-restart=0", fault=f"segfault@{descriptor(CASE)}")
        lane(tmp_path, "-n1")
        assert read(tmp_path).verdicts == {"conforms": RECORDS}


class TestJournal:
    """What a process can find of one that was killed."""

    def left(self, folder: Path) -> None:
        taken = Journal(folder, {"cases": "a"})
        for row in ROWS[:3]:
            taken.add(row, EVIDENCE)
        taken.leave()

    @pytest.mark.parametrize("cut", range(1, 400, 7))
    def test_a_line_cut_anywhere_costs_that_record_only(self, tmp_path: Path, cut: int) -> None:
        self.left(tmp_path)
        lines = (tmp_path / "records").read_bytes()
        (tmp_path / "records").write_bytes(lines[:-cut])
        again = Journal(tmp_path, {"cases": "a"}, resume=True)
        whole = lines[:-cut].count(b"\n")
        assert list(again.keys) == [row.key for row in ROWS[:whole]]
        for row in ROWS[whole:]:
            again.add(row, {})
        again.close(tmp_path.parent / "run.jsonl", HEADER, complete=True)
        assert record_file.read(tmp_path.parent / "run.jsonl").records == ROWS

    def test_a_record_whose_arrays_are_damaged_is_made_again(self, tmp_path: Path) -> None:
        self.left(tmp_path)
        arrays = bytearray((tmp_path / "arrays").read_bytes())
        arrays[-1] ^= 1
        (tmp_path / "arrays").write_bytes(arrays)
        again = Journal(tmp_path, {"cases": "a"}, resume=True)
        assert len(again) == 2
        again.leave()

    def test_a_run_of_other_cases_is_not_gone_on_with(self, tmp_path: Path) -> None:
        self.left(tmp_path)
        with pytest.raises(RecordError, match="an unfinished run of other cases or options: run without --resume"):
            Journal(tmp_path, {"cases": "b"}, resume=True)
        again = Journal(tmp_path, {"cases": "a"}, resume=True)
        assert len(again) == 3
        again.leave()

    def test_a_run_on_another_version_is_not_gone_on_with(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path)
        journal.tell("environment", {"torch": "2.12"})
        journal.tell("environment", {"torch": "2.12"})
        with pytest.raises(RecordError, match=r"torch was 2.12, is 2.13\): run without --resume"):
            journal.tell("environment", {"torch": "2.13"})
        journal.leave()

    def test_a_run_on_another_machine_is_not_gone_on_with(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path)
        journal.tell("machine", {"cores": "2", "caps": ""})
        journal.add(ROWS[0], {})
        journal.tell("machine", {"cores": "2", "caps": ""})
        with pytest.raises(RecordError, match=r"\(caps was none, is A=1, cores was 2, is not known\)"):
            journal.tell("machine", {"caps": "A=1"})
        journal.leave()

    def test_records_of_a_machine_that_nobody_told_are_not_gone_on_with(self, tmp_path: Path) -> None:
        self.left(tmp_path)
        again = Journal(tmp_path, {"cases": "a"}, resume=True)
        with pytest.raises(RecordError, match=r"\(cores was not known, is 2\): run without --resume"):
            again.tell("machine", {"cores": "2"})
        again.leave()

    def test_two_runs_do_not_write_one_journal(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path)
        with pytest.raises(RecordError, match=rf"another run \(pid {os.getpid()}\) is writing it"):
            Journal(tmp_path)
        journal.add(ROWS[0], {})
        assert len(journal) == 1
        journal.leave()
