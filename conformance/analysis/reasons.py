"""What expectations are worth on records, and what other commands left beside them, as reasons why a night is red."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from conformance import adapters
from conformance.analysis.exactness import Finding, Flaw
from conformance.io.bounded import read_json, read_text
from conformance.io.terminal import plural
from conformance.records.evidence import absent_evidence, below_floor
from conformance.records.record import Run
from conformance.records.record_file import read
from conformance.records.reproduction import of_suites, reproduction
from conformance.report.outcome import (
    BORDER,
    COMMAND,
    MODE,
    NEW,
    PROPERTY,
    SHORT,
    SPECIAL,
    UNCONFIRMED,
    Outcome,
    Reason,
)
from conformance.suites.expectations import expected_of, fails, floor_of

PROPERTIES, SPECIALS, MODES = "properties", "specials", "modes"
BORDERS, CONFIRMED, STATUS = "borders", "confirmed", "status"
"""Folders beside that of record files; `toxfile.py` writes the last one, how each environment's commands ended."""

JUDGED = (0, 1, 3)
"""Exit statuses of a command that has said in a file what it found."""

T = TypeVar("T")
Document = Mapping[str, Any]
Reasons = Iterator[Reason]


class ReasonError(ValueError):
    """A file beside record files that is not as its command writes it."""


def of_expectations(framework: str, findings: Iterable[Finding]) -> Reasons:
    """What is wrong with a framework's expectations."""
    for finding in findings:
        kind = NEW if finding.fault is Flaw.UNKNOWN else finding.fault.value
        text = finding.facts if finding.fault is Flaw.UNKNOWN else f"{finding.fault}: {finding.facts}"
        where = (
            f"; the records show {finding.where.predicate}"
            if finding.where and finding.where.exact and finding.where.is_of_enough
            else ""
        )
        command = reproduction(finding.witness) if finding.witness else "conformance expect check"
        lane = finding.witness.lane if finding.witness else ""
        yield Reason(kind, finding.subject, f"{text}{where}", command, framework, lane, finding.witness)


def of_floors(runs: Iterable[Run]) -> Reasons:
    """The runs that answer less than their lane must; those that are no evidence at all are told as such."""
    for run in runs:
        header = run.header
        if (facts := below_floor(run.verdicts, floor_of(header))) and not absent_evidence(header, run.verdicts):
            command = of_suites(header.lane, [header.suite])
            yield Reason(SHORT, f"{header.lane}, {header.suite}", f"it {facts}", command, header.framework, header.lane)


def beside(records: Path, runs: Sequence[Run]) -> Reasons:
    """What the files beside the folder of the record files say against the runs."""
    yield from _of_each(records.parent / PROPERTIES, _properties)
    yield from _of_each(records.parent / SPECIALS, partial(_stated, "specials", SPECIAL, "special value"))
    yield from _of_each(records.parent / MODES, partial(_stated, "modes", MODE, "call in another mode"))
    for path in sorted((records.parent / BORDERS).glob("*.jsonl")):
        yield from _borders(read(path))
    yield from _of_each(records.parent / CONFIRMED, lambda document: _unconfirmed(records, document))
    yield from _commands(records, runs)


def _of_each(folder: Path, reasons: Callable[[Document], Reasons]) -> Reasons:
    for path in sorted(folder.glob("*.json")):
        yield from _reasons_in(path, reasons)


def _reasons_in(path: Path, what: Callable[[Document], Iterator[T]]) -> list[T]:
    """What a file says. Raises ReasonError for one that is not as its command writes it."""
    try:
        return list(what(read_json(read_text(path))))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReasonError(f"{path}: not as this version writes it ({error}): write it again, or move it away") from None


def _properties(document: Document) -> Reasons:
    lane, suite, dtype = (str(document[name]) for name in ("lane", "suite", "dtype"))
    framework, _, variant = lane.partition("-")
    command = shlex.join(
        ["conformance", "audit", "properties", framework, "--variant", variant, "--suite", suite, "--dtype", dtype]
    )
    if not any(counts["holds"] for counts in document["counts"].values()):
        yield Reason(PROPERTY, lane, f"no property held on {suite}, so nothing was shown", command, framework, lane)
    unknown = Counter(
        finding["property"] for finding in document["findings"] if "known" in finding and finding["known"] is None
    )
    for name, count in sorted(unknown.items()):
        facts = f"{plural(count, 'unexpected failure')} of the property {name} on {suite}"
        yield Reason(PROPERTY, lane, facts, command, framework, lane)


def _stated(form: str, kind: str, what: str, document: Document) -> Reasons:
    """What a form of `conformance audit` found that is not as stated."""
    lane, suite = str(document["lane"]), str(document["suite"])
    framework, _, variant = lane.partition("-")
    command = shlex.join(["conformance", "audit", form, framework, "--variant", variant, "--suite", suite])
    if not document["measured"]:
        yield Reason(kind, lane, f"no {what} was answered on {suite}", command, framework, lane)
    for facts in document["departures"]:
        yield Reason(kind, lane, str(facts), command, framework, lane)


def _borders(run: Run) -> Reasons:
    """What drawn problems showed that no expectation predicts."""
    expectations, header = expected_of(run), run.header
    if wrong := [record for record in run.records if fails(record, expectations)]:
        facts = f"{len(wrong):,} of {len(run.records):,} drawn problems are not as predicted"
        command = f"conformance fuzz --borders {header.framework} --variant {header.variant} {header.selection}"
        yield Reason(BORDER, header.lane, facts, command, header.framework, header.lane)


def _unconfirmed(records: Path, document: Document) -> Reasons:
    lane, suite = str(document["lane"]), str(document["suite"])
    if count := sum(not other["by_chance"] for other in document["others"]):
        facts = f"{count:,} of {document['taken']:,} divergences in {suite} are not confirmed by plain framework code"
        command = shlex.join(["conformance", "audit", "confirm", str(records / f"{lane}-{suite}.jsonl")])
        yield Reason(UNCONFIRMED, lane, facts, command, lane.partition("-")[0], lane)


def unexplained(records: Path, runs: Sequence[Run], outcome: Outcome) -> Reasons:
    """Commands that failed, of frameworks of which nothing else is a reason to be red."""
    explained = {reason.framework or reason.lane.partition("-")[0] for reason in outcome.reasons}
    for name, ended in _ended(records, runs):
        if name not in explained and ended and _is_judged(ended) and ended["status"]:
            yield _failed(name, ended)


def _commands(records: Path, runs: Sequence[Run]) -> Reasons:
    """What failed before it could say what it found."""
    for name, reason in _ended(records, runs):
        if not reason:
            facts = "its environment could not be installed, so nothing was run"
            yield Reason(COMMAND, name, facts, f"tox run -e {name}", name)
        elif reason["status"] and not _is_judged(reason):
            yield _failed(name, reason)


def _is_judged(document: Document) -> bool:
    """Whether a command told in a file of its own what it found."""
    return document["command"].startswith("conformance ") and document["status"] in JUDGED


def _failed(name: str, document: Document) -> Reason:
    detail = f": {document['said']}" if document["said"] else ""
    facts = f"`{document['command']}` ended with exit status {document['status']}{detail}"
    return Reason(COMMAND, name, facts, f"tox run -e {name}", name)


def _ended(records: Path, runs: Sequence[Run]) -> Iterator[tuple[str, Document]]:
    """How the commands of each framework's environment ended, unless a record file is newer.

    Nothing stands for the commands of an environment that was not installed.
    """
    for framework in adapters.frameworks():
        path = records.parent / STATUS / f"{framework}.json"
        started = max((run.header.started for run in runs if run.header.framework == framework), default="")
        if path.exists():
            yield from ((framework, reason) for reason in _reasons_in(path, partial(_statuses, started)))


def _statuses(started: str, document: Document) -> Iterator[Document]:
    if document["ended"] < started:
        return
    for command in document["commands"]:
        yield {"command": str(command["command"]), "status": int(command["status"]), "said": str(command["said"])}
    if not document["commands"]:
        yield {}
