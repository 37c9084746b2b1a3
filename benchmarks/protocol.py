"""python -m benchmarks.protocol: what the protocol costs a case with the program in C, against a bare loop over pipes.

    pipe      the same bytes are written to the program and read from it, blocking, one job after another
    harness   `LaneProcess.answers`, as a run gives jobs to a program: messages made and checked, time and death watched

Both sides move the same arrays through the same program, in turn, several times; the difference is the protocol's own.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click
import numpy as np

from conformance import adapters
from conformance.io.folders import templates_folder
from conformance.processes import wire
from conformance.runner.outside import LaneProcess, Question, question
from conformance.suites import cases
from conformance.suites.reference_cache import References

FRAMEWORK = "loops"


@click.command()
@click.option("--suite", default="core", show_default=True)
@click.option("--jobs", default=1000, show_default=True, help="About so many jobs, evenly spread over the suite.")
@click.option("--rounds", default=5, show_default=True, help="How often each side runs.")
def command(suite: str, jobs: int, rounds: int) -> None:
    """Print each side's time a job, their difference, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = build(Path(name))
        adapters.__path__.append(name)
        asked = questions(suite, jobs)
        pipe, harness = [], []
        for _ in range(rounds):
            pipe.append(bare(folder, asked))
            harness.append(watched(asked))
    click.echo(f"{len(asked)} jobs of {suite}, median of {rounds} rounds")
    for side, spent in (("pipe", pipe), ("harness", harness)):
        clock, cpu = (statistics.median(times) / len(asked) * 1e6 for times in zip(*spent, strict=True))
        click.echo(f"  {side:8} {clock:8.1f} us a job, {cpu:8.1f} us of it CPU time of the caller")
    more = [statistics.median(b[at] - a[at] for a, b in zip(pipe, harness, strict=True)) for at in (0, 1)]
    ratio = statistics.median(b[0] / a[0] for a, b in zip(pipe, harness, strict=True))
    clock, cpu = (seconds / len(asked) * 1e6 for seconds in more)
    click.echo(f"  the protocol adds {clock:.1f} us a job, {cpu:.1f} us of it CPU time: {ratio:.2f} x pipe")


def build(folder: Path) -> Path:
    """The program in C, built in a folder."""
    for suffix in (".c", ".toml"):
        source = templates_folder() / "c" / f"{FRAMEWORK}{suffix}"
        (folder / source.name).write_bytes(source.read_bytes())
    subprocess.run(["cc", "-O2", "-o", FRAMEWORK, f"{FRAMEWORK}.c"], cwd=folder, check=True)
    return folder


def questions(suite: str, jobs: int) -> Sequence[Question]:
    """Jobs in float32, evenly spread over a suite."""
    chosen = cases.read_suite(suite)
    references = References(chosen)
    step = max(1, len(chosen.cases) // jobs)
    return [
        Question(case.problem, tuple(array for array in references[case].arrays.astype("float32") if array is not None))
        for case in chosen.cases[::step]
    ]


def watched(asked: Sequence[Question]) -> tuple[float, float]:
    """Seconds, and CPU seconds, in which the harness has all answers."""
    process = LaneProcess(adapters.lane(FRAMEWORK), 60.0)
    process.answers(asked[:1])
    started, busy = time.perf_counter(), time.process_time()
    for job in asked:
        process.answers([job])
    spent = time.perf_counter() - started, time.process_time() - busy
    process.stop()
    return spent


def bare(folder: Path, asked: Sequence[Question]) -> tuple[float, float]:
    """Seconds, and CPU seconds, in which a plain loop has all answers."""
    with subprocess.Popen(
        [folder / FRAMEWORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20
    ) as process:
        assert process.stdin
        assert process.stdout
        turn(process.stdin, process.stdout, wire.encode(wire.Start(FRAMEWORK, "program")), 0)
        messages = [
            (question({"0" * 16: job}, wire.Started({})), 4 * int(np.prod(job.problem.output_shape))) for job in asked
        ]
        started, busy = time.perf_counter(), time.process_time()
        for message, size in messages:
            turn(process.stdin, process.stdout, message, size)
        spent = time.perf_counter() - started, time.process_time() - busy
        process.stdin.close()
    return spent


def turn(source: IO[bytes], target: IO[bytes], message: bytes, size: int) -> None:
    """Write a message, and read the line, the bytes and the line that come back."""
    source.write(message)
    source.flush()
    target.readline()
    target.read(size)
    target.readline()


if __name__ == "__main__":
    command()
