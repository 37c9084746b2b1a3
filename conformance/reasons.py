"""What expectations are worth on records, and what other commands left beside them, as reasons why a night is red."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.bounded import read_json, read_text
from conformance.exactness import Fault, Finding
from conformance.record import Run, reproduction
from conformance.report.outcome import COMMAND, NEW, PROPERTY, UNCONFIRMED, Reason

PROPERTIES, CONFIRMED, STATUS = "properties", "confirmed", "status"
"""Folders beside that of record files; `toxfile.py` writes the last one, how each environment's commands ended."""

JUDGED = (0, 1, 3)
"""Exit statuses of a command that has said in a file what it found."""

Document = Mapping[str, Any]
Reasons = Iterator[Reason]


class ReasonError(ValueError):
    """A file beside record files that is not as its command writes it."""


def of_expectations(framework: str, found: Iterable[Finding]) -> Reasons:
    """What is wrong with a framework's expectations."""
    for each in found:
        kind = NEW if each.fault is Fault.UNKNOWN else each.fault.value
        said = each.facts if each.fault is Fault.UNKNOWN else f"{each.fault}: {each.facts}"
        where = f"; the records show {each.where.predicate}" if each.where and each.where.exact else ""
        command = reproduction(each.witness) if each.witness else "conformance expect check"
        lane = each.witness.lane if each.witness else ""
        yield Reason(kind, each.subject, f"{said}{where}", command, framework, lane, each.witness)


def beside(records: Path, runs: Sequence[Run]) -> Reasons:
    """What the files beside the folder of the record files say against the runs."""
    yield from _of_each(records.parent / PROPERTIES, _properties)
    yield from _of_each(records.parent / CONFIRMED, lambda found: _unconfirmed(records, found))
    started = {run.header.framework: run.header.started for run in sorted(runs, key=lambda run: run.header.started)}
    yield from _of_each(records.parent / STATUS, lambda found: _commands(found, started))


def _of_each(folder: Path, reasons: Callable[[Document], Reasons]) -> Reasons:
    for path in sorted(folder.glob("*.json")):
        try:
            yield from list(reasons(read_json(read_text(path))))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ReasonError(
                f"{path}: not as this version writes it ({error}): write it again, or move it away"
            ) from None


def _properties(found: Document) -> Reasons:
    lane, suite, dtype = (str(found[name]) for name in ("lane", "suite", "dtype"))
    framework, _, variant = lane.partition("-")
    command = shlex.join(
        ["conformance", "properties", framework, "--variant", variant, "--suite", suite, "--dtype", dtype]
    )
    if not any(counts["holds"] for counts in found["counts"].values()):
        yield Reason(PROPERTY, lane, f"no property held on {suite}, so nothing was shown", command, framework, lane)
    unknown = Counter(each["property"] for each in found["findings"] if "known" in each and each["known"] is None)
    for name, count in sorted(unknown.items()):
        facts = f"the property {name} fails in {count:,} findings on {suite}, and nobody knew of it"
        yield Reason(PROPERTY, lane, facts, command, framework, lane)


def _unconfirmed(records: Path, found: Document) -> Reasons:
    lane, suite = str(found["lane"]), str(found["suite"])
    if count := sum(not each["by_chance"] for each in found["others"]):
        facts = f"{count:,} of {found['taken']:,} divergences in {suite} are not confirmed by plain framework code"
        command = shlex.join(["conformance", "confirm", str(records / f"{lane}-{suite}.jsonl")])
        yield Reason(UNCONFIRMED, lane, facts, command, lane.partition("-")[0], lane)


def _commands(found: Document, started: Mapping[str, str]) -> Reasons:
    """How an environment ended, as far as no record file is newer and no other file tells it."""
    name, commands = str(found["environment"]), found["commands"]
    if started.get(name, "") > found["ended"]:
        return
    again = shlex.join(["tox", "run", "-e", name])
    if not commands:
        yield Reason(COMMAND, name, "its environment could not be installed, so nothing was run", again, name)
    for each in commands:
        status, command = int(each["status"]), str(each["command"])
        if status not in JUDGED or (status and not command.startswith("conformance ")):
            said = f": {each['said']}" if each["said"] else ""
            yield Reason(COMMAND, name, f"`{command}` ended with exit status {status}{said}", again, name)
