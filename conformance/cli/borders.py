"""conformance fuzz --borders: problems drawn in and around every known region, to hold what is predicted there."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.analysis.predictions import (
    FalsePrediction,
    Outcome,
    better,
    false_predictions,
    frequencies,
    run,
    run_of,
)
from conformance.cli.options import QUIET, each_variant
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.terminal import echo, plural, verdict_counts
from conformance.processes.isolation import Death, Isolation, Limits
from conformance.records import record_file
from conformance.records.messages import with_kind
from conformance.records.record import Record
from conformance.records.reproduction import reproduction
from conformance.runner.isolated import isolated
from conformance.runner.items import environment_of
from conformance.suites import cases
from conformance.suites.borders import draw, is_drawn_for
from conformance.suites.case import Case
from conformance.suites.expectations import Expectation, expected_here

START = ("smoke", "core", "extreme")
"""Suites whose problems a walk to a region begins with."""

LIMITS = Limits(seconds=30.0)
"""What a drawn problem may take: less than a second, on a machine that does nothing else."""


@click.command()
@click.argument("framework")
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option("--seed", type=int, help="The seed of the problems (default: the date, as in 20261128).")
@QUIET
@click.option("--draws", default=20, show_default=True, type=click.IntRange(1), help="Problems for each region.")
@click.option(
    "--seconds", default=40.0, show_default=True, type=click.FloatRange(0, 86400),
    help="Begin no problem after this time.",
)  # fmt: skip
@click.option("--to", "folder", default="reports/borders", show_default=True, type=Path, help="Where records go.")
def command(framework: str, variant: str | None, seed: int | None, draws: int, seconds: float, folder: Path) -> int:
    """Draw problems in and around every known region of FRAMEWORK, and check the prediction for each.

    Each problem runs in its own process. Inside an exact region it must have the verdict of the region. Outside of all
    regions it must conform. In a region where the verdict is one of chance, it is run several times. A false prediction
    is shown with its smallest problem, and with the predicate that is right for all drawn problems. Exit status: 0
    every prediction is true, 1 a prediction is false, 2 usage, 3 nothing was run.
    """
    adapters.require_installed(framework)
    seed = int(f"{datetime.now(UTC):%Y%m%d}") if seed is None else seed
    if variant is None:
        words = [framework, f"--seed={seed}", f"--draws={draws}", f"--seconds={seconds}", f"--to={folder}"]
        return each_variant(framework, "fuzz", "--borders", *words)
    lane = adapters.lane(framework, variant)
    expectations = expected_here(lane)
    started, isolation = datetime.now(UTC).isoformat(timespec="seconds"), Isolation(lane, LIMITS)
    environment = isolation.call(environment_of, lane)  # which imports the framework, before any time is counted

    def evaluate(case: Case, dtype: str) -> Record:
        return isolated(isolation, lane, case, dtype).record

    start = [case.problem for name in START for case in cases.read_suite(name).cases]
    drawn = draw(lane, expectations, start, seed=seed, count=draws)
    before = time.monotonic()
    outcomes = run(drawn, expectations, evaluate, seconds)
    wrong = false_predictions(outcomes, expectations, evaluate, seconds / 2)
    took, selection = time.monotonic() - before, f"--seed {seed} --draws {draws}"
    facts = {} if isinstance(environment, Death) else environment
    made = run_of(lane, outcomes, selection, started, facts, adapters.machine(lane))
    path = folder / f"{lane}.jsonl"
    record_file.write(path, made)
    echo(f"\n{lane} borders, seed {seed}: {len(outcomes)} of {len(drawn)} drawn problems in {took:.0f} s\n{path}")
    echo("\n".join(_regions(lane, expectations, outcomes)))
    if not wrong:
        return OK if outcomes or not drawn else INCOMPLETE
    echo("\n".join([f"Red, {plural(len(wrong), 'reason')}:", *_false(wrong)]))
    for finding in better(expectations, made):
        echo("\n".join(f"  {line}" for line in finding.lines()))
    echo(f"  again: conformance fuzz --borders {framework} --variant {variant} {selection}")
    return DIVERGED


def _regions(lane: Lane, expectations: Sequence[Expectation], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """For each region, how many problems were run inside and around it; and those of which none could be drawn."""
    sides = Counter((outcome.draw.about, outcome.draw.inside) for outcome in outcomes)
    for expectation in expectations:
        inside, around = sides[expectation.id, True], sides[expectation.id, False]
        if inside or around:
            kind = "exact" if expectation.exact else "chance" if expectation.chance else "partly"
            counts = frequencies(outcomes, expectation) if expectation.chance else {}
            calls = f"; calls inside: {verdict_counts(counts)}" if counts else ""
            yield f"  {expectation.id} ({kind}): {inside} inside, {around} around{calls}"
    drawn = {expectation.when.text for expectation in expectations if sides[expectation.id, True]}
    if without := [
        expectation.id
        for expectation in expectations
        if is_drawn_for(expectation) and expectation.when.text not in drawn
    ]:
        yield f"  no problem of {lane} was drawn inside {', '.join(without)}"


def _false(wrong: Sequence[FalsePrediction]) -> Iterator[str]:
    for false in wrong:
        outcome = f"{false.record.verdict} {with_kind(false.record.kind, false.record.message)}".strip()
        yield f"  FALSE {false.about}, {false.count} times: predicted {false.said}, found {outcome}"
        yield f"    {reproduction(false.record)}"
