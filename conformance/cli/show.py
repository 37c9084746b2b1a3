"""conformance show: a case, a claim, an expectation, a fault or a record, with what every lane made of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import adapters
from conformance.claims import ledger
from conformance.cli.claims import about
from conformance.cli.expect import RECORDS
from conformance.io.bounded import read_bytes, require_no_path
from conformance.io.terminal import columns, echo, plural, wrapped
from conformance.predicates.comparisons import smallest
from conformance.records import record_file
from conformance.records.record import NEGATIVE, ROUNDING, Record
from conformance.suites import cases
from conformance.suites.case import Case
from conformance.suites.expectations import Expectation, known, read_expectations

if TYPE_CHECKING:
    from conformance.report.content.faults import Fault

APART = ("core", "extreme", "models", ROUNDING, NEGATIVE)
"""Suites that have every case between them."""

WITNESSES = 5
"""How many records of an expectation are named."""


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("case", metavar="[CASE]", required=False)
@RECORDS
def command(name: str, case: str | None, records: Path) -> None:
    """Show what NAME is, and what the record files in a folder say about it.

    NAME is the id of a case, of a claim or of an expectation. It can also be the name of a fault's page in the report,
    such as fault-mxnet-taps-reversed-12ab34, or a record file, with a CASE of this file. For a case it shows why the
    case is there, and its verdict in each lane. For an expectation it shows where it holds, why, the report upstream,
    and how many records it covers. For everything except a case it shows the verdict, the diagnosis, the smallest
    witness with its command and its script, and the page of the report.
    """
    if name.endswith(".jsonl"):
        lines = _of_file(Path(name), case)
    elif Path(name).is_dir() or case is not None:
        require_no_path(name, "give a record file, which ends in .jsonl, and a case of it")
        raise click.UsageError(f"{name!r} is no record file, and takes no CASE: leave {case!r} out")
    elif name.startswith("fault-"):
        lines = _of_fault(name, records)
    elif ledger.ID.fullmatch(name):
        lines = _of_claim(name, records)
    elif (expectation := _expectations().get(name)) is not None:
        lines = _of_expectation(*expectation, _files(records))
    else:
        lines = iter(_of_case(name, records))
    echo("\n".join(lines))


def _files(records: Path) -> list[Path]:
    return [records] if records.is_file() else sorted(records.glob("*.jsonl"))


def _expectations() -> dict[str, tuple[str, Expectation]]:
    """Every known expectation with its framework, by id."""
    return {
        expectation.id: (framework, expectation)
        for framework in adapters.frameworks()
        for expectation in read_expectations(framework)
    }


def _of_case(name: str, records: Path) -> list[str]:
    """Why a case is there, and what every lane made of it. Raises CaseError where neither is known."""
    known_cases = {case.id: case for suite in APART for case in cases.read_suite(suite).cases}
    case, verdicts = known_cases.get(name), list(_verdicts(name, _files(records)))
    if case is None and not verdicts:
        near = cases.nearest(name, [*known_cases, *_expectations()])
        raise cases.CaseError(
            f"no case and no known fault is called {name!r}{near}: `conformance cases list` lists the cases, and the "
            "site that `conformance report` writes has every fault"
        )
    page = _page(records, f"case.html#{name}") if verdicts else []
    return [*(_about(case) if case else [name]), "", *(verdicts or [f"{records} has no record of it"]), *page]


def _of_claim(name: str, records: Path) -> Iterator[str]:
    """What a claim says, how it is checked, and what every lane made of it."""
    claim = ledger.find(name)
    yield from about(claim)
    if verdicts := list(_verdicts(claim.id, _files(records))):
        yield from ("", *verdicts)


def _about(case: Case) -> list[str]:
    return [f"{case.id} ({case.source})", case.descriptor, *wrapped(case.why), f"probes: {', '.join(case.probes)}"]


def _verdicts(name: str, files: Sequence[Path]) -> Iterator[str]:
    """A line for each record of a case, and the expectation that knew of it."""
    rows = []
    for file in files:
        for record in _records(file, f'"case":{json.dumps(name)}'):
            knew = known(record, read_expectations(record.framework)) if record.fails else None
            said = f"{record.verdict}{f': {record.message}' if record.message else ''}"
            rows.append((record.lane, record.dtype, f"{said}{f'  [known: {knew.id}]' if knew else ''}"))
    yield from columns(rows)


def _of_expectation(framework: str, expectation: Expectation, files: Sequence[Path]) -> Iterator[str]:
    yield f"{expectation.id}: {framework}, {expectation.verdict}, since {expectation.since}"
    yield from wrapped(f"where {' '.join(expectation.when.text.split())}", hanging="  ")
    yield from wrapped(f"because {' '.join(expectation.reason.split())}", hanging="  ")
    for label in ("partly", "chance"):
        if text := getattr(expectation, label):
            yield from wrapped(f"{label}: {' '.join(text.split())}", hanging="  ")
    yield f"upstream: {expectation.upstream}"
    covered = [
        (record, file) for file in files if file.name.startswith(f"{framework}-")
        for record in _records(file, f'"verdict":"{expectation.verdict}"') if expectation.covers(record)
    ]  # fmt: skip
    shown = f", the {min(WITNESSES, len(covered))} smallest:" if covered else ""
    yield f"\n{plural(len(covered), 'record')} of it{shown}"
    least = sorted(covered, key=lambda found: (len(found[0].problem), found[0].problem))[:WITNESSES]
    yield from columns(((record.lane, record.dtype, f"{record.case}: '{record.problem}'") for record, _ in least), "  ")
    if covered:
        witness = smallest([record for record, _ in covered])
        yield "\nthe smallest of them:"
        yield from _of_records(next(file for record, file in covered if record is witness), [witness])


def _of_file(file: Path, case: str | None) -> Iterator[str]:
    """Every record of a case in a record file. Raises CaseError where there is none."""
    run = record_file.read(file)
    found = [record for record in run.records if record.case == case]
    if not found:
        near = cases.nearest(case, [record.case for record in run.records]) if case else ""
        raise cases.CaseError(
            f"{file}: has no case {case!r}{near}: give the id of one of its {len(run.records):,} records"
            if case
            else f"{file}: is a record file: give the id of a case of it, too"
        )
    yield from _of_records(file, found)


def _of_records(file: Path, records: Sequence[Record]) -> Iterator[str]:
    """Records of a case with their diagnoses and commands, and a script of the first that fails, or else of the first.

    They differ in dtype or pass alone.
    """
    from conformance.analysis.content.faults import fault_of, read_arrays
    from conformance.analysis.content.site import expected
    from conformance.report import plain

    run = replace(record_file.read(file), records=tuple(records))
    arrays, (_, knew) = read_arrays(file.parent, [run]), expected([run])
    faults = [replace(fault_of([record], arrays, knew, [run]), where=()) for record in records]
    for fault in faults:
        yield from plain.facts(fault)
    yield from plain.script(next((fault for fault in faults if fault.witness.fails), faults[0]))
    yield from _page(file.parent, f"case.html#{records[0].case}")


def _of_fault(name: str, folder: Path) -> Iterator[str]:
    """The fault whose page in the report has a name. Raises CaseError where there is none."""
    from conformance.report import plain

    faults = {fault.name: fault for fault in _faults(name, folder)}
    if name not in faults:
        raise cases.CaseError(
            f"{folder}: has no fault {name!r}{cases.nearest(name, list(faults))}: the address of a fault's page in the "
            "report has its name"
        )
    yield from plain.facts(faults[name])
    yield from plain.script(faults[name])
    yield from _page(folder, f"{name}.html")


def _faults(name: str, folder: Path) -> "Iterator[Fault]":
    """The faults of the framework that a fault's name is of, as the report has them."""
    from conformance.analysis.content.faults import find_faults, read_arrays
    from conformance.analysis.content.site import expected

    runs = record_file.read_folder(folder)
    frameworks = {run.header.framework for run in runs if name.startswith(f"fault-{run.header.framework}-")}
    own = [run for run in runs if run.header.framework in frameworks]
    _, knew = expected(runs)
    return find_faults(runs, read_arrays(folder, own), knew, frameworks) if frameworks else iter(())


def _page(records: Path, page: str) -> list[str]:
    """Where the report that was made of record files has a page."""
    site = records.resolve().parent / "site"
    if not site.is_dir():
        return ["\npage: `conformance report` writes it"]
    return [f"\npage: {site.as_uri()}/{page}"]


def _records(file: Path, text: str) -> Iterator[Record]:
    """The records of a file whose lines contain some text."""
    for line in read_bytes(file).decode().splitlines()[1:-1]:
        if text in line:
            yield record_file.parse(line)
