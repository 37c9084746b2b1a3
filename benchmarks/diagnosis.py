"""python -m benchmarks.diagnosis [FRAMEWORK]: diagnosing 1,000 divergences against evaluating the very same cases.

With a framework, in its environment, the divergences are its own: those of its float64 records of a suite. Without one
they are planted in the oracle by the mutants, a few cases each. Both sides run in this process, in turn, several times.

    call      the native call, the comparison and the record, from data and expected arrays that are at hand
    evaluate  the same with the data drawn and the expected array computed
    diagnose  the search for the smallest explanation of each array
    induce   the smallest predicate for all of them, against every case that conforms
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from benchmarks.overhead import survivable
from conformance import adapters
from conformance.adapters.base import Adapter, Lane
from conformance.diagnosis.diagnose import diagnose
from conformance.numerics.deviation import measure_deviation
from conformance.predicates.induction import Facts, induce
from conformance.records.record import Verdict
from conformance.run import Job, evaluate
from conformance.suites import cases, references

TESTS = Path(__file__).parents[1] / "tests"
STEP = 7919  # a prime, so that every mutant meets cases from everywhere in the suite


class Divergence(NamedTuple):
    """A job with the array that diverges."""

    job: Job
    actual: Any


class Side(NamedTuple):
    """Divergences of a lane, and its jobs that conform."""

    lane: Lane
    adapter: Adapter
    divergences: Sequence[Divergence]
    conforming: Sequence[Job]


@click.command()
@click.argument("framework", required=False)
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--suite", default="core", show_default=True)
@click.option("--count", default=1000, show_default=True, help="How many divergences.")
@click.option("--rounds", default=3, show_default=True)
def command(framework: str | None, variant: str | None, suite: str, count: int, rounds: int) -> None:
    """Print the time of each side for one divergence, and their ratio."""
    side = of_lane(adapters.lane(framework, variant), suite, count) if framework else of_mutants(suite, count)
    work = {"call": call, "evaluate": from_scratch, "diagnose": explain, "cluster": gather}
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, each in work.items():
            started = time.perf_counter()
            each(side)
            seconds[name].append(time.perf_counter() - started)
    count = len(side.divergences)
    explained = sum(bool(diagnose(job.case.problem, job.reference.arrays, actual)) for job, actual in side.divergences)
    click.echo(f"{side.lane}: {count} divergences of {suite}, {explained} explained, median of {rounds} rounds")
    for name, every in seconds.items():
        click.echo(f"  {name:8} {statistics.median(every) / count * 1e3:8.3f} ms each")
    for name in ("call", "evaluate"):
        ratio = statistics.median(a / b for a, b in zip(seconds["diagnose"], seconds[name], strict=True))
        click.echo(f"  diagnose is {ratio:.2f} x {name}")


def of_lane(lane: Lane, suite: str, count: int) -> Side:
    """A framework's own divergences in float64."""
    adapter = adapters.load(lane)
    found: list[Divergence] = []
    conforming: list[Job] = []
    for job in survivable(lane, suite):
        if job.dtype == "float64" and len(found) < count:
            (result,) = evaluate(lane, adapter, [job])
            if result.record.verdict is Verdict.DIVERGES:
                found.append(Divergence(job, result.arrays["actual"]))
            elif result.record.verdict is Verdict.CONFORMS:
                conforming.append(job)
    if not found:
        raise click.UsageError(f"{lane} has no divergence in {suite}: give another --variant, or no framework")
    return Side(lane, adapter, found, conforming)


def of_mutants(suite: str, count: int) -> Side:
    """Divergences that the mutants have, evenly over them; the oracle is the framework that is called."""
    from conformance.audit.mutants import FUNCTIONS

    adapters.__path__.append(str(TESTS / "adapters"))
    adapters.frameworks.cache_clear()  # so that it is found there
    lane = adapters.lane("oracle_adapter")
    jobs = [Job(case, "float64", references.compute(case)) for case in cases.read_suite(suite).cases]
    found: list[Divergence] = []
    for number in range(40 * count):
        job, mutant = jobs[number * STEP % len(jobs)], FUNCTIONS[number % len(FUNCTIONS)]
        actual = mutant.make()(job.case.problem, *job.reference.arrays.astype("float64"))
        wrong = measure_deviation(actual, job.reference.expected.astype(np.float64))
        if len(found) < count and wrong is not None and actual.dtype == np.float64:
            found.append(Divergence(job, actual))
    return Side(lane, adapters.load(lane), found, jobs)


def call(side: Side) -> None:
    """Evaluate the divergences' jobs."""
    for job, _ in side.divergences:
        evaluate(side.lane, side.adapter, [job])


def from_scratch(side: Side) -> None:
    """Evaluate the divergences' jobs as a worker does that has no cache of data."""
    for job, _ in side.divergences:
        evaluate(side.lane, side.adapter, [job._replace(reference=references.compute(job.case))])


def explain(side: Side) -> None:
    """Diagnose every divergence."""
    for job, actual in side.divergences:
        diagnose(job.case.problem, job.reference.arrays, actual)


def gather(side: Side) -> None:
    """Tell all divergences from all that conforms."""
    induce(
        [Facts(each.job.case.problem) for each in side.divergences],
        [Facts(job.case.problem) for job in side.conforming],
    )


if __name__ == "__main__":
    command()
