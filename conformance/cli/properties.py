"""conformance audit properties: what must hold of a framework whatever the oracle says."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.audit.properties.checking import (
    CRASHED,
    FAILS,
    HOLDS,
    REFUSED,
    Check,
    Finding,
    check,
    check_outside,
    checks_of,
)
from conformance.audit.properties.stated import PROPERTIES
from conformance.cli.options import QUIET, each_variant
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.terminal import echo, numbers, plural, progress
from conformance.numerics.operands import DTYPES
from conformance.predicates.induction import Facts, induce
from conformance.problem import FORWARD, Problem
from conformance.processes.isolation import Death, Isolation
from conformance.records.record import Record, Verdict
from conformance.runner.outside import LaneProcess
from conformance.runner.selection import parse_shard
from conformance.suites import cases
from conformance.suites.expectations import Expectation, expected_here, known

OUTCOMES = (HOLDS, FAILS, CRASHED, REFUSED)
TOGETHER = 8
"""Problems whose questions are put in one process."""
SECONDS = 120.0
"""What such a process may take, in which a framework may have to compile all of it."""


@click.command()
@click.argument("framework")
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option("--suite", default="smoke", show_default=True, help="The suite that the problems come from.")
@QUIET
@click.option("--shard", default="1/1", metavar="I/N", help="Only every N-th problem, from the I-th on.")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(DTYPES),
              help="The dtype of operands and answer.")  # fmt: skip
@click.option("--to", "folder", default="reports/properties", show_default=True, type=Path, help="Where results go.")
def command(framework: str, variant: str | None, suite: str, shard: str, dtype: str, folder: Path) -> int:
    """Check on FRAMEWORK alone, without the oracle, what transposed convolution must satisfy.

    The properties are adjointness with its own convolution, linearity, groups, permutations of batch and channels,
    translation, dilation and rank. The framework computes both sides, on whole numbers, and they must be equal in every
    bit. Exit status: 0 all properties hold, or fail where an expectation says so; 1 a property fails; 2 usage; 3 no
    property held, so nothing was shown.
    """
    adapters.require_installed(framework)
    first, step = parse_shard(shard)
    if variant is None:
        words = [framework, f"--suite={suite}", f"--shard={shard}", f"--dtype={dtype}", f"--to={folder}"]
        return each_variant(framework, "audit", "properties", *words)
    lane, chosen = adapters.lane(framework, variant), cases.read_suite(suite).cases[first - 1 :: step]
    path = folder / f"{lane}-{suite}-{dtype}.json"
    require_our_file(path, '{\n "lane": "')
    whole = [check for case in chosen for check in checks_of(case.id, case.problem)]
    asked = progress(_findings(lane, dtype, whole), f"{lane}", "checks", len(whole))
    findings = [_as_expected(finding, lane, dtype) for finding in asked]
    echo(f"\n{lane} {dtype}, {plural(len(chosen), 'problem')} of {suite}: {path}")
    echo("\n".join(_table(findings)))
    failing = {finding: _known(finding, lane, dtype) for finding in findings if finding.outcome in (FAILS, CRASHED)}
    write_atomically(path, _document(lane, suite, dtype, findings, failing))
    for line in _failures(findings, failing):
        echo(line)
    if not any(finding.outcome == HOLDS for finding in findings):
        return INCOMPLETE
    return DIVERGED if None in failing.values() else OK


def _as_expected(finding: Finding, lane: Lane, dtype: str) -> Finding:
    """A finding; one that holds where an exact expectation says that it does not, as a failure."""
    if finding.outcome != HOLDS:
        return finding
    (record,) = _records(finding._replace(problems=(finding.problem,)), lane, dtype)
    broken = next((each for each in expected_here(lane) if each.of_property and each.exact
                   and each.reaches(record, finding.property)), None)  # fmt: skip
    message = f"holds, and the expectation {broken.id} says that it does not: fix it" if broken else ""
    return finding._replace(outcome=FAILS, message=message) if broken else finding


def _findings(lane: Lane, dtype: str, checks: Sequence[Check]) -> Iterator[Finding]:
    """Findings of checks; a lane from outside answers in a process in which nothing is compared."""
    together = TOGETHER * len(PROPERTIES)
    if not adapters.is_outside(lane.framework):
        yield from _checked(Isolation(lane), lane, dtype, checks, together)
        return
    process = LaneProcess(lane, SECONDS)
    try:
        for start in range(0, len(checks), together):
            part = checks[start : start + together]
            yield from check_outside(process, adapters.block(lane.framework), part, dtype)
    finally:
        process.stop()


def _checked(isolation: Isolation, lane: Lane, dtype: str, checks: Sequence[Check], together: int) -> Iterator[Finding]:
    """Findings of checks, so many in a process; where one dies, those of each property on each problem apart."""
    for start in range(0, len(checks), together):
        part = checks[start : start + together]
        replies = isolation.call(check, lane, part, dtype, seconds=SECONDS)
        if not isinstance(replies, Death):
            yield from replies
        elif len(part) > 1:
            yield from _checked(isolation, lane, dtype, part, 1 if together <= len(PROPERTIES) else len(PROPERTIES))
        else:
            (problem,) = {str(check.problem) for check in part}
            yield Finding(part[0].property, problem, CRASHED, replies.message, (problem,))


def _document(
    lane: Lane, suite: str, dtype: str, findings: Sequence[Finding], failing: dict[Finding, Expectation | None]
) -> bytes:
    """All findings as JSON; `known` is the id of the expectation that a failing one is known by, if any."""
    counts = Counter((finding.property, finding.outcome) for finding in findings)
    listed = [
        finding._asdict() | ({"known": expectation and expectation.id} if finding in failing else {})
        for finding in findings for expectation in [failing.get(finding)]
    ]  # fmt: skip
    document = {
        "lane": str(lane), "suite": suite, "dtype": dtype,
        "counts": {name: {outcome: counts[name, outcome] for outcome in OUTCOMES} for name in PROPERTIES},
        "findings": listed,
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    found = Counter((finding.property, finding.outcome) for finding in findings)
    rows = [[name, *(f"{found[name, outcome]:,}" for outcome in OUTCOMES)] for name in PROPERTIES]
    return numbers(["property", *OUTCOMES], rows)


def _failures(findings: Sequence[Finding], failing: dict[Finding, Expectation | None]) -> Iterator[str]:
    """Where each property fails: how often where nothing was known, the region, and the smallest problem."""
    for name in PROPERTIES:
        those = [finding for finding in failing if finding.property == name]
        if not those:
            continue
        unknown = [finding for finding in those if failing[finding] is None]
        holding = [finding for finding in findings if finding.property == name and finding.outcome == HOLDS]
        where = induce(*([Facts(Problem.parse(finding.problem)) for finding in some] for some in (those, holding)))
        least = min(unknown or those, key=lambda finding: (Problem.parse(finding.problem).multiplies, finding.problem))
        yield f"{name}: {len(those)} fail, {len(unknown)} of them new, {where}"
        yield f'  "{least.problem}": {least.message}'


def _known(finding: Finding, lane: Lane, dtype: str) -> Expectation | None:
    """The expectation that one of the problems asked is known to diverge, or to end the process, by."""
    expectations = expected_here(lane)
    found = (known(record, expectations, finding.property) for record in _records(finding, lane, dtype))
    return next(filter(None, found), None)


def _records(finding: Finding, lane: Lane, dtype: str) -> Iterator[Record]:
    """A finding as records of the problems that were asked, as expectations are about."""
    verdict = Verdict.CRASHED if finding.outcome == CRASHED else Verdict.DIVERGES
    for problem in finding.problems:
        yield Record(lane.framework, lane.variant, "", dtype, FORWARD, problem, verdict, message=finding.message)
