"""Every process of a run killed at random points: nothing is lost, and nothing is left running."""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conformance.processes.tree import descendants
from tests.runner.test_lane_run import ADAPTERS, RECORDS, conformance_process, descriptor, read, wait_until_it_hangs
from tests.runner.test_resume import NAME, without_times

KILLS = 25
SEEDS = (1, 2, 3, 4)
"""Four seeds of 25 kills each are 100."""
ISOLATED = "call", "command", "pytest", "server", "tracker", "worker"
"""The processes of a run whose calls are in forks."""
TOLD = re.compile(r"killed by SIG(KILL|TERM)|exited with status 255")
"""What a record says of a call that was killed each time that it was made."""
APART = 1.2
"""Seconds at most between two kills."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--max-worker-restart=1000")


def started(folder: Path, *options: str, fault: str = "slow@") -> Any:
    return conformance_process(folder, "--variant=single", "-n2", *options, fault=fault)


def role(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        for name in (b"conformance.processes.lane_process", b"pytest"):
            if name in words:
                return name.decode()
        if any(b"multiprocessing.forkserver" in word for word in words):
            return "call" if role(parent(pid)) in ("server", "call") else "server"
        if any(b"multiprocessing.resource_tracker" in word for word in words):
            return "tracker"
        return "worker" if b"-c" in words else "command"
    return "gone"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_at_random(process: Any, draw: random.Random, most: int) -> Iterator[str]:
    """The roles of the processes of a run that are killed, until it ends or so many are."""
    for _ in range(most):
        try:
            process.wait(draw.uniform(0.05, APART))
        except subprocess.TimeoutExpired:
            chosen = draw.choice([process.pid, *descendants(process.pid)])
            if (found := role(chosen)) != "gone":
                with suppress(ProcessLookupError):
                    os.kill(chosen, signal.SIGKILL)
                    yield found
        else:
            return


def require_ended(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if role(pid) != "gone" and not _is_zombie(pid)]:
        assert time.monotonic() < deadline, [(pid, role(pid)) for pid in left]
        time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(1200)
def test_a_run_whose_processes_are_killed_at_random_loses_nothing(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    started(tmp_path / "undisturbed").communicate(timeout=120)
    undisturbed = without_times(tmp_path / "undisturbed" / f"{NAME}.jsonl")
    assert len(undisturbed[1]) == RECORDS + 1, "records and a footer"
    folder = tmp_path / "killed"
    killed: list[str] = []
    whole = False
    while len(killed) < KILLS or not whole:
        process = started(folder, "--resume")
        killed += kill_at_random(process, draw, KILLS - len(killed))
        family = [*descendants(process.pid)]
        if process.poll() == -signal.SIGKILL:
            require_ended(family)
        process.communicate(timeout=120)
        whole = process.returncode == 1  # the answers of a slow one are wrong, so that there are arrays to lose
        if whole:
            assert without_times(folder / f"{NAME}.jsonl") == undisturbed
            assert {path.name for path in folder.iterdir()} == {f"{NAME}.jsonl", f"{NAME}.npz"}
    assert len(killed) == KILLS


def kill_a_role_at_random(process: Any, draw: random.Random, most: int) -> Iterator[str]:
    """As `kill_at_random`, once there is a server; each role is as likely, a call that lives for milliseconds too."""
    while most and process.poll() is None:
        time.sleep(draw.uniform(0.02, 0.5))
        pid, chosen = 0, draw.choice(ISOLATED)
        deadline = time.monotonic() + 2.0
        while not pid and process.poll() is None and time.monotonic() < deadline:
            roles = {role(each): each for each in (process.pid, *descendants(process.pid))}
            pid = roles.get(chosen, 0) if "server" in roles else 0
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, draw.choice((signal.SIGKILL, signal.SIGTERM)))
                most -= 1
                yield chosen


def isolated(folder: Path, *options: str) -> Any:
    return started(folder, "--isolated", *options)


def kill_calls_at_random(kills: int, seed: int, folder: Path) -> Counter[str]:
    """Kill processes of a run whose calls are in forks, until so many are and a run ends; their roles."""
    draw, killed, ended = random.Random(seed), Counter[str](), False
    while killed.total() < kills or not ended:
        process = isolated(folder, "--resume")
        killed.update(kill_a_role_at_random(process, draw, kills - killed.total()))
        family = [*descendants(process.pid)]
        if process.poll() == -signal.SIGKILL:
            require_ended(family)
        said, _ = process.communicate(timeout=300)
        ended = process.returncode == 1
        assert process.returncode in (1, 3, -signal.SIGKILL), said
    return killed


def require_calls_survive(kills: int, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTEST_PLUGINS", "answering_inside")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")]))
    isolated(tmp_path / "undisturbed").communicate(timeout=300)
    undisturbed = without_times(tmp_path / "undisturbed" / f"{NAME}.jsonl")
    assert len(undisturbed[1]) == RECORDS + 1, "records and a footer"
    folder = tmp_path / "killed"
    killed = kill_calls_at_random(kills, seed, folder)
    print(f"seed {seed}: {dict(killed)}")
    assert {"call", "server"} & set(killed), killed
    header, records, arrays = without_times(folder / f"{NAME}.jsonl")
    assert header == undisturbed[0]
    lost = [record for record, whole in zip(records, undisturbed[1], strict=True) if record != whole]
    if not lost:
        assert arrays == undisturbed[2]
    # a call is made twice, so two kills in a row are told as its death; the footer counts what the records say
    deaths = [record for record in lost if "verdict" in record]
    assert all(TOLD.search(record["message"]) for record in deaths), deaths
    assert len(deaths) <= (killed["call"] + killed["server"]) // 2, (deaths, killed)
    assert {path.name for path in folder.iterdir()} == {f"{NAME}.jsonl", f"{NAME}.npz"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(1200)
def test_calls_in_forks_and_their_servers_killed_at_random_lose_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_calls_survive(KILLS, seed, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_takes_all_of_its_processes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    process = started(tmp_path, fault=f"hang@{descriptor('wide-2d-078')}")
    wait_until_it_hangs(tmp_path / "hangs")
    family = [*descendants(process.pid)]
    assert {role(pid) for pid in family} >= {"pytest", "worker", "conformance.processes.lane_process"}
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    require_ended(family)
    if number != signal.SIGKILL:
        assert process.returncode == 3
        assert 0 < len(read(tmp_path).records) < RECORDS
    again = started(tmp_path, "--resume", fault="")
    again.communicate(timeout=120)
    assert (again.returncode, read(tmp_path).verdicts) == (0, {"conforms": RECORDS})


@pytest.mark.slow
def test_a_run_that_another_holds_is_told_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    process = started(tmp_path, fault=f"hang@{descriptor('wide-2d-078')}")
    wait_until_it_hangs(tmp_path / "hangs")
    (controller,) = [pid for pid in descendants(process.pid) if role(pid) == "pytest"]
    other = started(tmp_path)
    output, _ = other.communicate(timeout=60)
    process.kill()
    process.communicate(timeout=60)
    assert f"another run (pid {controller}) is writing it" in output
