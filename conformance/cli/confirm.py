"""conformance audit confirm: divergences of record files, on paths that have nothing to do with the harness."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

import click

from conformance import adapters, idioms
from conformance.audit.confirm import Confirmation, Finding, confirm
from conformance.calls import verify
from conformance.cli.options import QUIET, VERBOSE
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, first, progress
from conformance.problem import FORWARD
from conformance.records import record, record_file
from conformance.records.record import CLAIMS, NEGATIVE, ROUNDING, RecordError, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.suites.expectations import Expectation, by_chance, expected_of, known
from conformance.suites.references import oracle_digest

SHOWN = 5
LEFT_OUT = (CLAIMS, NEGATIVE, ROUNDING)
"""Suites in a folder that are passed over: of their calls no script is written."""


@click.command()
@click.argument("records", nargs=-1, required=True, type=Path)
@click.option("--framework", help="Only divergences of this framework.")
@click.option("--suite", "suites", multiple=True, help="Only divergences of this suite; repeatable.")
@click.option(
    "--each",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Only every N-th divergence of a file.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    metavar="N",
    help="At most N divergences of each known fault in a file, evenly spread; all that are not known.",
)
@click.option(
    "--at-once",
    default=250,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Scripts that share a process.",
)
@click.option("--keep", type=Path, help="Keep the scripts and their arrays in this folder.")
@click.option("--python", metavar="PATH", help="An interpreter that has the framework (default: found).")
@QUIET
@VERBOSE
@click.option("--to", "folder", default="reports/confirmed", show_default=True, type=Path, help="Where results go.")
def command(
    records: tuple[Path, ...], framework: str | None, suites: tuple[str, ...], each: int,
    most: int | None, at_once: int, keep: Path | None, python: str | None, folder: Path,
) -> int:  # fmt: skip
    """Confirm the divergences in record files, or in a folder of them.

    Of a folder, the suites claims, negative and rounding are left out.

    Two other oracles confirm the expected array. For a gradient, a second derivation confirms it. A script of plain
    framework code confirms the answer: it imports nothing of this package, runs in a new process, and must give the
    same array as the record. Exit status: 0 all are confirmed, 2 usage, 1 a divergence is not confirmed. Then the
    harness has a fault, or the framework's answer varies and no expectation says so.
    """
    status = OK
    for path, run in _chosen(records, framework, suites):
        document = folder / f"{path.stem}.json"
        require_our_file(document, '{\n "lane": "')
        taken = [one for one in run.records if one.verdict is Verdict.DIVERGES and _is_drawn(one)][::each]
        expectations = expected_of(run)
        taken = _spread(taken, expectations, most) if most else taken
        findings = _confirmed(path, run, taken, at_once, keep, python)
        excused = [one for one in findings if one.finding in (Finding.VARIES, Finding.RIGHT, Finding.NOTHING)
                   and by_chance(one.record, expectations)]  # fmt: skip
        failing = [one for one in findings if one.finding is not Finding.CONFIRMED and one not in excused]
        for line in _lines(path, run, findings, excused, failing):
            echo(line)
        write_atomically(document, _document(run, findings, excused))
        status = DIVERGED if failing else status
    return status


def _is_drawn(one: record.Record) -> bool:
    """Whether its operands are drawn again, for the forward pass or for gradients."""
    return one.redrawn or replace(one, direction=FORWARD).redrawn


def _spread(taken: Sequence[record.Record], expectations: Sequence[Expectation], most: int) -> list[record.Record]:
    """All that no expectation covers, and at most so many that one covers, evenly spread; in their order."""
    faults = [found.id if (found := known(one, expectations)) else None for one in taken]
    count, seen, kept = Counter(faults), Counter[str | None](), []
    for one, fault in zip(taken, faults, strict=True):
        step = 1 if fault is None else ceil(count[fault] / most)
        if seen[fault] % step == 0:
            kept.append(one)
        seen[fault] += 1
    return kept


def _chosen(paths: Sequence[Path], framework: str | None, suites: Sequence[str]) -> Iterator[tuple[Path, Run]]:
    """The record files that are asked for. Raises RecordError where there is none."""
    confirmed_any = False
    for path in paths:
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            run = record_file.read(file)
            header, passed = run.header, LEFT_OUT if path.is_dir() else ()
            if framework in (None, header.framework) and (not suites or header.suite in suites):
                confirmed_any = True
                if header.suite not in passed:
                    yield file, run
    if not confirmed_any:
        asked = " ".join(filter(None, [framework, *suites]))
        raise RecordError(f"{', '.join(map(str, paths))}: no records of {asked or 'any lane'}: run a lane first")


def _confirmed(
    path: Path, run: Run, taken: Sequence[record.Record], at_once: int, keep: Path | None, python: str | None
) -> list[Confirmation]:
    if run.header.oracle != oracle_digest(run.header.directions):
        raise RecordError(f"{path}: was made with other data or another oracle: run the lane again")
    if not taken:
        return []
    if not adapters.is_known(run.header.framework):
        raise adapters.AdapterError(
            f"{path}: its divergences are of {run.header.framework}, whose adapter is not here: set "
            f"{adapters.FOLDERS} to the folder of its adapter, or install its package"
        )
    if run.header.framework not in idioms.frameworks():
        raise verify.VerifyError(
            f"{path}: no script of plain code can be written for {run.header.framework}, which has no idioms: "
            f"`conformance diagnose {path}` says why its records diverge"
        )
    lane = adapters.lane(run.header.framework, run.header.variant)
    interpreter = python or verify.python_for(lane.framework, {})
    if interpreter is None:
        raise verify.VerifyError(f"no environment here has {lane.framework}: give one by --python PATH")
    confirmations = confirm(lane, taken, str(interpreter), at_once=at_once, keep=keep)
    return list(progress(confirmations, f"{run.header.lane} {run.header.suite}", "scripts", len(taken)))


def _lines(
    path: Path, run: Run, findings: Sequence[Confirmation], excused: Sequence[Confirmation],
    failing: Sequence[Confirmation],
) -> Iterator[str]:  # fmt: skip
    divergences = run.verdicts.get(Verdict.DIVERGES, 0)
    counts = Counter(one.finding for one in findings)
    summary = ", ".join(f"{count} {finding}" for finding, count in counts.most_common()) or "nothing to confirm"
    by = f", {len(excused)} of them by chance, as is known" if excused else ""
    yield f"{path}: {divergences} divergences, {len(findings)} taken: {summary}{by}"
    for one in first(failing, SHOWN):
        yield f"  {one.finding}: {one.message}\n    {reproduction(one.record)}"


def _document(run: Run, findings: Sequence[Confirmation], excused: Sequence[Confirmation]) -> bytes:
    """How many divergences there are, what became of those that were taken, and each that is not confirmed."""
    others = [
        {"case": one.record.case, "dtype": one.record.dtype, "pass": one.record.direction, "finding": one.finding,
         "message": one.message, "by_chance": one in excused}
        for one in findings if one.finding is not Finding.CONFIRMED
    ]  # fmt: skip
    document = {
        "lane": run.header.lane, "suite": run.header.suite, "divergences": run.verdicts.get(Verdict.DIVERGES, 0),
        "taken": len(findings), "findings": Counter(one.finding for one in findings), "others": others,
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"
