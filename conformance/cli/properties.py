"""conformance properties: what must hold of a framework whatever the oracle says."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance import adapters, cases
from conformance.adapters import Lane
from conformance.atomic import write_atomically
from conformance.cases import Case
from conformance.cluster import Facts, cluster
from conformance.exit_status import DIVERGED, OK
from conformance.expectations import Expectation, known, read_expectations
from conformance.isolation import Death, Isolation
from conformance.problem import Problem
from conformance.properties import FAILS, HOLDS, PROPERTIES, REFUSED, Finding, check
from conformance.record import Record, Verdict
from conformance.selection import DTYPES, FORWARD, parse_shard

CRASHED = "crashed"


@click.command()
@click.argument("framework")
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option("--suite", default="smoke", show_default=True, help="Whose problems to try.")
@click.option("--shard", default="1/1", metavar="I/N", help="Only every N-th problem, from the I-th on.")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(DTYPES))
@click.option("--to", "folder", default="reports/properties", show_default=True, type=Path, help="Where results go.")
def command(framework: str, variant: str | None, suite: str, shard: str, dtype: str, folder: Path) -> int:
    """Check on FRAMEWORK alone, without the oracle, what transposed convolution must satisfy.

    Adjointness with its own convolution, linearity, groups, permutations of batch and channels, translation, dilation
    and rank: both sides are the framework's, on whole numbers, and must be equal in every bit. Each problem runs in a
    process of its own. Exit status: 0 all hold or fail where the framework is known to, 1 one fails.
    """
    adapters.require_installed(framework)
    first, step = parse_shard(shard)
    if variant is None:  # each in a process of its own, since a framework reads its environment once
        words = [framework, f"--suite={suite}", f"--shard={shard}", f"--dtype={dtype}", f"--to={folder}"]
        program = [sys.executable, "-c", "from conformance.cli import main; main()", "properties", *words]
        return max(subprocess.call([*program, f"--variant={each}"]) for each in adapters.variants(framework))
    lane, chosen = adapters.lane(framework, variant), cases.read_suite(suite).cases[first - 1 :: step]
    findings = list(_checked(lane, chosen, dtype))
    path = folder / f"{lane}-{suite}-{dtype}.json"
    content = {"lane": str(lane), "dtype": dtype, "findings": [finding._asdict() for finding in findings]}
    write_atomically(path, json.dumps(content, indent=1).encode())
    click.echo(f"\n{lane} {dtype}, {len(chosen)} problems of {suite}: {path}")
    for line in _table(findings):
        click.echo(line)
    new = False
    for name in PROPERTIES:
        failing = [each for each in findings if each.property == name and each.outcome in (FAILS, CRASHED)]
        unknown = [each for each in failing if _known(each, lane, dtype, read_expectations(framework)) is None]
        new = new or bool(unknown)
        for line in _failures(name, failing, unknown, findings):
            click.echo(line)
    return DIVERGED if new else OK


def _checked(lane: Lane, chosen: Sequence[Case], dtype: str) -> Iterator[Finding]:
    """Findings of all properties on every case; where a process dies, of each property in one of its own."""
    isolation, names = Isolation(lane), tuple(PROPERTIES)
    for case in chosen:
        found = isolation.call(check, lane, case.id, case.problem, dtype, names)
        if not isinstance(found, Death):
            yield from found
            continue
        for name in names:
            found = isolation.call(check, lane, case.id, case.problem, dtype, (name,))
            died = isinstance(found, Death)
            yield from [Finding(name, case.descriptor, CRASHED, found.message, (case.descriptor,))] if died else found


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    counts = Counter((finding.property, finding.outcome) for finding in findings)
    outcomes = (HOLDS, FAILS, CRASHED, REFUSED)
    yield f"| {'property':12} | " + " | ".join(outcomes) + " |"
    yield f"|{'-' * 14}|" + "---:|" * len(outcomes)
    for name in PROPERTIES:
        yield f"| {name:12} | " + " | ".join(str(counts[name, each]).rjust(len(each)) for each in outcomes) + " |"


def _failures(
    name: str, failing: Sequence[Finding], unknown: Sequence[Finding], findings: Sequence[Finding]
) -> Iterator[str]:
    """Where a property fails: how often where nothing was known, the region, and the smallest problem."""
    if not failing:
        return
    holding = [finding for finding in findings if finding.property == name and finding.outcome == HOLDS]
    where = cluster(*([Facts(Problem.parse(each.problem)) for each in those] for those in (failing, holding)))
    least = min(unknown or failing, key=lambda each: (Problem.parse(each.problem).multiplies, each.problem))
    yield f"{name}: {len(failing)} fail, {len(unknown)} of them new, where {where}"
    yield f'  "{least.problem}": {least.message}'


def _known(finding: Finding, lane: Lane, dtype: str, expectations: Sequence[Expectation]) -> Expectation | None:
    """The expectation that one of the problems asked is known to diverge, or to end the process, by."""
    verdict = Verdict.CRASHED if finding.outcome == CRASHED else Verdict.DIVERGES
    records = (
        Record(lane.framework, lane.variant, "", dtype, FORWARD, problem, verdict) for problem in finding.problems
    )
    return next((found for record in records if (found := known(record, expectations))), None)
