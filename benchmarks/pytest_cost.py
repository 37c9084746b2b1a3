"""python -m benchmarks.pytest_cost FRAMEWORK: what pytest adds to evaluating a suite in-process, per job.

Both sides run an eighth of the suite and all of it, each in a fresh process, so that start-up cancels: the cost is the
difference of the two slopes. With workers the slope is what the whole run takes, not the sum over workers.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.overhead import survivable
from conformance import adapters
from conformance.cli.run import BARE
from conformance.run import Job, evaluate

PARTS = ("1/8", "1/1")


@click.command()
@click.argument("framework", type=click.Choice(adapters.frameworks()))
@click.option("--suite", default="core", show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--in-process", "part", hidden=True, type=click.Choice(PARTS), help="Evaluate a part in this process.")
def command(framework: str, suite: str, rounds: int, part: str | None) -> None:
    """Print milliseconds a job for each way to run, and memory growth of the largest process."""
    if part is not None:
        in_process(framework, suite, part)
        return
    this = [sys.executable, "-m", "benchmarks.pytest_cost", framework, f"--suite={suite}", "--in-process"]
    ways = {"in-process": this} | {
        f"pytest -n{workers}": [
            sys.executable, "-m", "pytest", *BARE, f"--framework={framework}", f"--suite={suite}", f"-n{workers}",
            "--shard",
        ]
        for workers in (0, 1, 2)
    }  # fmt: skip
    jobs = len(part_of(framework, suite, "1/1")) - len(part_of(framework, suite, "1/8"))
    click.echo(f"{framework}: slope over {jobs} jobs of {suite}, median of {rounds} rounds")
    for name, way in ways.items():
        slopes = [_difference(way) for _ in range(rounds)]
        seconds, kilobytes = (statistics.median(column) for column in zip(*slopes, strict=True))
        click.echo(f"  {name:12} {seconds / jobs * 1e3:7.3f} ms a job   {kilobytes / jobs:6.2f} KB a job")


def part_of(framework: str, suite: str, part: str) -> list[Job]:
    """The jobs of a shard, as the plugin would choose them."""
    step = int(part.partition("/")[2])
    return list(survivable(adapters.lane(framework), suite))[::step]


def in_process(framework: str, suite: str, part: str) -> None:
    """Evaluate a part of a suite here."""
    lane = adapters.lane(framework)
    adapter = adapters.load(lane)
    jobs = part_of(framework, suite, part)
    for start in range(0, len(jobs), adapter.BLOCK):
        evaluate(lane, adapter, jobs[start : start + adapter.BLOCK])


def _difference(way: list[str]) -> tuple[float, int]:
    (few_seconds, few_memory), (all_seconds, all_memory) = (_measure([*way, part]) for part in PARTS)
    return all_seconds - few_seconds, all_memory - few_memory


def _measure(command: list[str]) -> tuple[float, int]:
    """Wall seconds, and the largest peak resident set in KB among the command and its direct children."""
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as records:
        extra = [f"--records={records}"] if "pytest" in command else []
        started = time.perf_counter()
        process = subprocess.Popen([*command, *extra], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            for each in (str(process.pid), *_children(process.pid)):
                peaks[each] = max(peaks.get(each, 0), _peak(each))
            time.sleep(0.01)
    return time.perf_counter() - started, max(peaks.values())


def _children(pid: int) -> list[str]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return path.read_text().split() if path.exists() else []


def _peak(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    os.environ.setdefault("CONFORMANCE_CACHE", str(Path(".cache").resolve()))
    command()
