"""python -m benchmarks.overhead FRAMEWORK: evaluating a suite in-process against bare loops over its native calls.

A bare loop makes the very calls that the adapter translates to, one after another: the same function, options and
arrays, nothing compared and nothing recorded.

    call      on operands that are the framework's own tensors already; the result stays one
    array     from the same NumPy arrays to a NumPy array, which is what anybody has to do who wants an answer
    harness   what a worker does with its items, without pytest
    warm      the same once more, with what a framework keeps on disk from the first time (JAX's compiled programs)

With --pass, the calls are those of a gradient: of the forward pass and the derivative, as its adapter makes them.

Each side runs in a fresh process, in turn, several times, since frameworks keep what they prepared for a shape.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import numpy as np

from benchmarks.memory import peak_kilobytes
from conformance import adapters
from conformance.adapters.base import Adapter, Call, Lane, Unsupported, differentiated
from conformance.numerics.gradients import passes_of
from conformance.numerics.operands import DTYPES
from conformance.problem import FORWARD, PASSES
from conformance.records.record import Verdict
from conformance.run import Job, evaluate
from conformance.suites import cases
from conformance.suites.expectations import Expectation, read_expectations
from conformance.suites.reference_cache import References
from conformance.suites.references import compute

SIDES = ("call", "array", "harness", "warm")


@click.command()
@click.argument("framework", type=click.Choice(adapters.frameworks()))
@click.option("--suite", default="core", show_default=True)
@click.option("--pass", "direction", default=FORWARD, show_default=True, type=click.Choice(PASSES))
@click.option("--jobs", default=0, help="Only about so many jobs, evenly spread (default: all).")
@click.option("--rounds", default=3, show_default=True, help="How often each side runs.")
@click.option(
    "--clock", default="wall", show_default=True, type=click.Choice(("wall", "cpu")),
    help="What is measured: a clock on the wall, or the time of the process on all cores, for a machine that is busy.",
)  # fmt: skip
@click.option("--side", type=click.Choice(SIDES), hidden=True, help="Measure one side in this process.")
def command(framework: str, suite: str, direction: str, jobs: int, rounds: int, clock: str, side: str | None) -> None:
    """Print each side's time a job, and the harness's ratio to each bare loop."""
    if side is not None:
        click.echo(json.dumps(measure(framework, suite, direction, jobs, clock, side)))
        return
    sides = [each for each in SIDES if each != "warm" or adapters.block(framework) > 1]
    measured: dict[str, list[dict[str, float]]] = {each: [] for each in sides}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for each in sides:
                measured[each].append(_in_a_fresh_process(framework, suite, direction, jobs, clock, each, cache))
    count = int(measured["harness"][0]["jobs"])
    of = "" if direction == FORWARD else f" by {direction}"
    click.echo(f"{framework}: {count} jobs of {suite}{of}, median of {rounds} rounds, each in a fresh process, {clock}")
    for each in sides:
        seconds = [run["seconds"] for run in measured[each]]
        grown = max(run["kilobytes"] for run in measured[each])
        ratios = [
            statistics.median(a["seconds"] / b["seconds"] for a, b in zip(measured[each], measured[bare], strict=True))
            for bare in ("call", "array")
        ]
        click.echo(
            f"  {each:8} {statistics.median(seconds) / count * 1e6:9.1f} us a job   {ratios[0]:5.2f} x call   "
            f"{ratios[1]:5.2f} x array   {grown / count:6.2f} KB a job"
        )


def _in_a_fresh_process(
    framework: str, suite: str, direction: str, jobs: int, clock: str, side: str, cache: str
) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.overhead", framework, f"--suite={suite}", f"--jobs={jobs}"]
    command += [f"--pass={direction}", f"--clock={clock}"]
    process = subprocess.run(
        [*command, f"--side={side}"], env=os.environ | {"CONFORMANCE_CACHE": cache}, check=True, stdout=subprocess.PIPE
    )
    result: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return result


def measure(framework: str, suite: str, direction: str, limit: int, clock: str, side: str) -> dict[str, float]:
    """One side's seconds and memory growth in this process; imports, arrays and expected arrays come before."""
    lane = adapters.lane(framework)
    adapter = adapters.load(lane)
    jobs = list(survivable(lane, suite, direction, limit))
    work = harness(lane, adapter, jobs) if side in ("harness", "warm") else bare(lane, adapter, jobs, side)
    before = peak_kilobytes()
    now = time.process_time if clock == "cpu" else time.perf_counter
    started = now()
    work()
    return {"seconds": now() - started, "jobs": len(jobs), "kilobytes": peak_kilobytes() - before}


def survivable(lane: Lane, suite: str, direction: str = FORWARD, limit: int = 0) -> Iterator[Job]:
    """The jobs of a suite in a pass, about so many, without those that are known to end the framework's process."""
    chosen = cases.read_suite(suite)
    answers = References(chosen) if direction == FORWARD else None
    fatal = [each for each in read_expectations(lane.framework) if each.verdict is Verdict.CRASHED]
    asked = [(case, dtype) for case in chosen.cases for dtype in DTYPES
             if direction == FORWARD or direction in passes_of(case.problem)]  # fmt: skip
    for case, dtype in asked[:: max(1, len(asked) // limit)] if limit else asked:
        reference = answers[case] if answers is not None else compute(case, dtype, direction)
        job = Job(case, dtype, reference, direction)
        if not any(holds(each, lane, job) for each in fatal):
            yield job


def holds(expectation: Expectation, lane: Lane, job: Job) -> bool:
    """Whether a job is in an expectation's region."""
    run = {"framework": lane.framework, "variant": lane.variant, "dtype": job.dtype, "direction": job.direction}
    return expectation.when(job.case.problem, **run)


def harness(lane: Lane, adapter: Adapter, jobs: Sequence[Job]) -> Callable[[], None]:
    """What a worker does with its items, without pytest."""

    def loop() -> None:
        for start in range(0, len(jobs), adapter.BLOCK):
            evaluate(lane, adapter, jobs[start : start + adapter.BLOCK])

    return loop


def bare(lane: Lane, adapter: Adapter, jobs: Sequence[Job], side: str) -> Callable[[], None]:
    """A loop over the jobs' native calls, on tensors ("call") or from NumPy to NumPy ("array")."""
    calls = [call for job in jobs if (call := translated(adapter, job)) is not None]
    to_tensor, wait = foreign(lane.framework)  # a gradient may be there while its forward pass still runs
    arrays = [
        [None if operand is None else np.asarray(as_numpy(operand)) for operand in call.operands] for call in calls
    ]

    def call_loop() -> None:
        for call in calls:
            with contextlib.suppress(*adapter.REFUSALS):
                wait(call.function(*call.operands, **call.options))

    def array_loop() -> None:
        for call, operands in zip(calls, arrays, strict=True):
            with contextlib.suppress(*adapter.REFUSALS):
                tensors = [None if operand is None else to_tensor(operand) for operand in operands]
                result = call.function(*tensors, **call.options)
                as_numpy(result)
                wait(result)

    return call_loop if side == "call" else array_loop


def translated(adapter: Adapter, job: Job) -> Call | None:
    """The job's native call, if there is one."""
    try:
        call = adapter.translate(job.case.problem, *job.reference.arrays.astype(job.dtype))
        if job.reference.upstream is None:
            return call
        above = job.reference.upstream.astype(job.dtype)
        return differentiated(adapter, job.case.problem, call, job.direction, above)
    except Unsupported:
        return None


def as_numpy(tensor: Any) -> Any:
    """A framework's tensor as a NumPy array, waited for."""
    return tensor.asnumpy() if hasattr(tensor, "asnumpy") else np.asarray(tensor)


def foreign(framework: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """How users of a framework make a tensor of an array, and how they wait for a result."""
    match framework:
        case "torch":
            import torch

            return torch.from_numpy, lambda tensor: tensor
        case "tensorflow":
            import tensorflow as tf

            return tf.constant, lambda tensor: tensor
        case "mxnet":
            import mxnet as mx

            return lambda array: mx.nd.array(array, dtype=array.dtype), lambda _: mx.nd.waitall()
        case "jax":
            import jax

            jax.config.update("jax_enable_compilation_cache", False)  # one eager call after another, as users make them
            return lambda array: array, lambda tensor: tensor.block_until_ready()
    raise click.UsageError(f"{framework}: say in benchmarks/overhead.py how to make a tensor and wait for it")


if __name__ == "__main__":
    command()
