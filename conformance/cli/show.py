"""conformance show: a case or an expectation, with what every lane made of it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.cli.expect import RECORDS
from conformance.io.bounded import read_bytes
from conformance.io.terminal import echo
from conformance.records import record_file
from conformance.records.record import NEGATIVE, ROUNDING, Record
from conformance.suites import cases
from conformance.suites.case import Case
from conformance.suites.expectations import Expectation, known, read_expectations

APART = ("core", "extreme", "models", ROUNDING, NEGATIVE)
"""Suites that have every case between them."""

WITNESSES = 5
"""How many records of an expectation are named."""


@click.command()
@click.argument("name", metavar="NAME")
@RECORDS
def command(name: str, records: Path) -> None:
    """Show the case or the expectation whose id is NAME, and what the record files in a folder have of it.

    For a case: why it is there, and its verdict in each lane. For an expectation: where it holds, why, what is known
    upstream, and how many records it covers.
    """
    files = sorted(records.glob("*.jsonl"))
    if (expectation := _expectations().get(name)) is not None:
        echo("\n".join(_of_expectation(*expectation, files)))
        return
    case = _cases().get(name)
    lines = list(_verdicts(name, files))
    if case is None and not lines:
        near = cases.nearest(name, [*_cases(), *_expectations()])
        raise cases.CaseError(
            f"no case or expectation is called {name!r}{near}: `conformance cases list` has the cases, and "
            "`conformance report` shows the rest"
        )
    echo("\n".join([*(_of_case(case) if case else [name]), "", *(lines or [f"{records} has no record of it"])]))


def _expectations() -> dict[str, tuple[str, Expectation]]:
    """Every known expectation with its framework, by id."""
    return {
        expectation.id: (framework, expectation)
        for framework in adapters.frameworks()
        for expectation in read_expectations(framework)
    }


def _cases() -> dict[str, Case]:
    """The cases that are the same for every lane, by id."""
    return {case.id: case for suite in APART for case in cases.read_suite(suite).cases}


def _of_case(case: Case) -> Iterator[str]:
    yield f"{case.id} ({case.source})"
    yield case.descriptor
    yield case.why
    yield f"probes: {', '.join(case.probes)}"


def _verdicts(name: str, files: Sequence[Path]) -> Iterator[str]:
    """A line for each record of a case, and the expectation that knew of it."""
    for file in files:
        for record in _records(file, f'"case":{json.dumps(name)}'):
            knew = known(record, read_expectations(record.framework)) if record.fails else None
            said = f"{record.verdict}{f': {record.message}' if record.message else ''}"
            yield f"{record.lane:18} {record.dtype:9} {said}{f'  [known: {knew.id}]' if knew else ''}"


def _of_expectation(framework: str, expectation: Expectation, files: Sequence[Path]) -> Iterator[str]:
    yield f"{expectation.id}: {framework}, {expectation.verdict}, since {expectation.since}"
    yield f"where {expectation.when.text.strip()}"
    yield f"because {' '.join(expectation.reason.split())}"
    for label in ("partly", "chance"):
        if text := getattr(expectation, label):
            yield f"{label}: {' '.join(text.split())}"
    yield f"upstream: {expectation.upstream}"
    covered = [
        record for file in files if file.name.startswith(f"{framework}-")
        for record in _records(file, f'"verdict":"{expectation.verdict}"') if expectation.covers(record)
    ]  # fmt: skip
    yield f"\n{len(covered):,} records show it" + (f", {min(WITNESSES, len(covered))} of them:" if covered else "")
    for record in sorted(covered, key=lambda record: (len(record.problem), record.problem))[:WITNESSES]:
        yield f"  {record.lane:18} {record.dtype:9} {record.case}: '{record.problem}'"


def _records(file: Path, text: str) -> Iterator[Record]:
    """The records of a file whose lines contain some text."""
    for line in read_bytes(file).decode().splitlines()[1:-1]:
        if text in line:
            yield record_file.parse(line)
