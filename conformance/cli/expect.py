"""conformance expect: known divergences and refusals, held against what runs recorded."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from conformance.analysis.exactness import Explain, Finding, Flaw, asked, check, propose, unjudged, unknown
from conformance.cli.diff import Build, explainer, read_builds
from conformance.cli.options import EXPECTATIONS, QUIET
from conformance.io.atomic import write_atomically
from conformance.io.bounded import read_named_text
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.terminal import echo, progress
from conformance.predicates.induction import Rule
from conformance.records.evidence import ANSWERED
from conformance.records.record import Record, Run
from conformance.records.reproduction import reproduction
from conformance.runner import selection
from conformance.suites.expectation_files import ExpectationError, give, path, require_asked
from conformance.suites.expectations import (
    Expectation,
    expected_of,
    known,
    lack,
    read_expectations,
    read_floors,
    unkept,
)

RECORDS = click.option(
    "--records", default="reports/records", show_default=True, type=Path, help="A folder of record files, or one."
)  # fmt: skip


@click.group()
def command() -> None:
    """Compare known divergences and refusals with records: check, explain, propose, prune."""


class _Runs:
    """The runs of a folder by framework, and repetitions of them; what is expected of them may be in other files."""

    def __init__(self, folder: Path, expectations: Sequence[str]) -> None:
        self.by_framework: dict[str, list[Run]] = defaultdict(list)
        self.repeats: dict[str, list[Run]] = defaultdict(list)
        self._builds = list(read_builds(folder).values())
        for build in self._builds:
            framework = build.runs[0].header.framework
            self.by_framework[framework].append(build.runs[0])
            self.repeats[framework] += build.runs[1:]
        require_asked(give(expectations), self.by_framework.keys())

    def findings(self, framework: str, expectations: Sequence[Expectation]) -> tuple[list[Finding], list[str]]:
        """What is wrong with expectations, and the ids of those that these runs alone cannot judge."""
        builds = [build for build in self._builds if build.runs[0].header.framework == framework]
        with ExitStack() as stack:
            explain = explainer(builds, stack)
            findings = check(
                expectations, self.by_framework[framework], self.repeats[framework], day=today(), explain=explain
            )
        return asked(findings, expectations, absent=self.absent(framework))

    def absent(self, framework: str) -> list[str]:
        """The lanes and suites of a night that no run is of."""
        return selection.absent(framework, [run.header for run in self.by_framework[framework]])

    @property
    def incomplete(self) -> Iterator[str]:
        """Runs that did not come to their own end, in words."""
        for run in (run for runs in self.by_framework.values() for run in runs):
            if not run.complete or not run.records:
                have = f"{len(run.records):,} of {run.header.expected:,}"
                yield f"{run.header.lane}, {run.header.suite}: {have} records: run it again"


Held = tuple[str, list[Finding], list[str]]


def held(runs: Sequence[Run], folder: Path) -> Iterator[Held]:
    """Of each framework what is wrong with its expectations on the runs, and the ids of those that were not asked.

    Arrays are those beside the record files in a folder; the day is that of the last run.
    """
    day = max((run.header.started[:10] for run in runs), default="")
    for framework in sorted({run.header.framework for run in runs}):
        own = [run for run in runs if run.header.framework == framework]
        builds = [Build((run.path or run.header.path(folder),), (run,)) for run in own]
        expectations = read_expectations(framework)
        with ExitStack() as stack:
            findings = check(expectations, own, day=_day(day), explain=explainer(builds, stack))
        lacking = selection.absent(framework, [run.header for run in own])
        yield framework, *asked(findings, expectations, absent=lacking)


def _day(text: str) -> date:
    """A date, or the first of all where there is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min


def today() -> date:
    """The day by which an expectation expires."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one framework's expectations: faults, runs that answer too little, and what was not judged.

    `unjudged` are expectations about other machines, `unasked` those that only runs of `absent` could judge.
    """

    framework: str
    summary: str
    findings: Sequence[Finding]
    silent: Sequence[str]
    without_floor: Sequence[Run]
    unjudged: Mapping[str, str]
    unasked: Sequence[str]
    absent: Sequence[str]

    @property
    def faults(self) -> int:
        return len(self.findings) + len(self.silent)

    def lines(self) -> Iterator[str]:
        """It for people."""
        yield f"{self.framework}: {self.summary}"
        for finding in self.findings:
            yield from (f"  {line}" for line in finding.lines())
        yield from (f"  {facts}" for facts in self.silent)
        for run in self.without_floor:
            yield f"  no floor: {run.header.lane} {run.header.suite}: `conformance expect propose` states one"
        for name, why in self.unjudged.items():
            yield f"  not judged here: {name}: it is about machines where {why}"
        if self.unasked:
            yield f"  not asked: {', '.join(self.unasked)}: there is no whole run of {', '.join(self.absent)}"

    def as_data(self) -> dict[str, Any]:
        """It by the keys that docs/running.md documents."""
        findings = [
            {"subject": finding.subject, "fault": finding.fault.value, "facts": finding.facts,
             "predicate": finding.where.predicate if finding.where and finding.where.is_of_enough else None,
             "command": reproduction(finding.witness) if finding.witness else None}
            for finding in self.findings
        ]  # fmt: skip
        return {
            "framework": self.framework, "summary": self.summary, "findings": findings, "silent": list(self.silent),
            "without_floor": [f"{run.header.lane} {run.header.suite}" for run in self.without_floor],
            "not_judged": dict(self.unjudged), "not_asked": list(self.unasked), "absent": list(self.absent),
        }  # fmt: skip


@command.command("check")
@RECORDS
@EXPECTATIONS
@QUIET
@click.option("--json", "json_", is_flag=True, help="One JSON object per framework, each on its own line.")
def check_(records: Path, expectations: tuple[str, ...], json_: bool) -> int:
    """Check that every expectation is exact, that every failure is expected, and that every lane answers enough.

    If there are records only of some suites or lanes, expectations about the others are counted as not asked. Exit
    status: 0 all is as expected, 1 not, 2 usage, 3 a run is incomplete.
    """
    runs = _Runs(records, expectations)
    frameworks = progress(sorted(runs.by_framework), "expectations", "frameworks")
    outcomes = [_checked(runs, framework) for framework in frameworks]
    for checked in outcomes:
        echo(json.dumps(checked.as_data()) if json_ else "\n".join(checked.lines()))
    if missing := list(runs.incomplete):
        echo("\n".join(missing), err=True)
        return INCOMPLETE
    return DIVERGED if any(checked.faults for checked in outcomes) else OK


def _checked(runs: _Runs, framework: str) -> Checked:
    stated, own = read_expectations(framework), runs.by_framework[framework]
    findings, unasked = runs.findings(framework, stated)
    return Checked(framework, summary(own, stated), findings, list(silent(own)), list(without_floor(own)),
                   unjudged(stated, own), unasked, runs.absent(framework))  # fmt: skip


def silent(runs: Iterable[Run]) -> Iterator[str]:
    """Runs that are no evidence, or answer less than they must, and why."""
    for run in runs:
        if facts := lack(run.header, run.verdicts):
            yield f"{run.header.lane} {run.header.suite} {facts}"


def without_floor(runs: Iterable[Run]) -> Iterator[Run]:
    """Whole runs of which nothing says how much of them must be answered."""
    for run in runs:
        header = run.header
        whole = run.complete and run.records and header.shard == (1, 1) and not header.selection
        if whole and (header.variant, header.suite) not in read_floors(header.framework):
            yield run


def summary(runs: Sequence[Run], expectations: Sequence[Expectation]) -> str:
    """How much the expectations cover, in a line."""
    records = [record for run in runs for record in run.records]
    failing = [record for record in records if record.fails]
    covered = len(failing) - len(unknown(runs, expectations))
    exact = sum(expectation.exact for expectation in expectations)
    return (
        f"{len(expectations)} expectations, {exact} of them exact, cover {covered:,} of {len(failing):,} records that "
        f"do not hold, of {len(records):,}"
    )


@command.command()
@click.argument("case")
@RECORDS
@EXPECTATIONS
def explain(case: str, records: Path, expectations: tuple[str, ...]) -> int:
    """Show what was recorded of CASE in every lane, and which expectation covers it."""
    proposed_any = False
    for run in (run for runs in _Runs(records, expectations).by_framework.values() for run in runs):
        expected = expected_of(run)
        for record in (record for record in run.records if record.case == case):
            proposed_any = True
            echo("\n".join(_explained(record, expected)))
    if not proposed_any:
        raise ExpectationError(f"{records}: no record of the case {case!r}: `conformance cases list` has the ids")
    return OK


def _explained(record: Record, expectations: Sequence[Expectation]) -> Iterator[str]:
    yield f"{record.lane} {record.dtype} '{record.problem}': {record.verdict} {record.message}".rstrip()
    reason, broken = known(record, expectations), unkept(record, expectations)
    if broken:
        yield f"  FAILS: {broken.id} says {broken.verdict} {broken.message}".rstrip()
    elif reason:
        yield f"  known: {reason.id}, since {reason.since}: {' '.join(reason.reason.split())}"
        yield f"  where {reason.when.text}"
        yield f"  upstream: {reason.upstream}"
    elif record.fails:
        yield "  FAILS: no expectation is about it"
    else:
        yield "  as it is to be, without any expectation"


@command.command("propose")
@click.argument("record_files", metavar="RECORD...", nargs=-1, required=True, type=Path)
@EXPECTATIONS
def propose_(record_files: tuple[Path, ...], expectations: tuple[str, ...]) -> int:
    """Print entries for failures in RECORD files of a framework that no expectation covers, and for missing floors.

    A floor says how many records of a suite a lane must answer. The proposed floor is the number that the lane
    answered. Complete the entries yourself: an entry without a reason is refused. Exit status: 0 nothing to propose, 1
    entries are proposed.
    """
    builds = [build for file in record_files for build in read_builds(file).values()]
    runs = [build.runs[0] for build in builds]
    if len(frameworks := {run.header.framework for run in runs}) > 1:
        raise ExpectationError(f"records of {' and '.join(sorted(frameworks))}: give those of one framework at a time")
    require_asked(give(expectations), frameworks)
    with ExitStack() as stack:
        entries = [*floors_for(runs), *entries_for(runs, today(), explainer(builds, stack))]
    echo("\n".join(entries) if entries else "nothing fails that is not expected, and every floor is stated")
    return DIVERGED if entries else OK


def floors_for(runs: Sequence[Run]) -> Iterator[str]:
    """TOML for how much each lane must answer, in suites for which nothing says it yet."""
    lines: dict[str, list[str]] = defaultdict(list)
    for run in without_floor(runs):
        if count := sum(1 for record in run.records if record.verdict in ANSWERED) - _unsteady(run):
            stated = f"{{answered = {count}, of = {len(run.records)}}}"
            lines[run.header.variant].append(f"{run.header.suite} = {stated}")
    for variant, suites in sorted(lines.items()):
        name = variant if re.fullmatch(r"[\w-]+", variant, re.ASCII) else _toml(variant)
        yield "\n".join([f"[floor.{name}]", *sorted(suites)]) + "\n"


def _unsteady(run: Run) -> int:
    """Records that are answered here, and by chance or on another machine are not: no floor counts them."""
    elsewhere = [
        expectation for expectation in read_expectations(run.header.framework)
        if (expectation.chance or expectation.machine) and expectation.verdict not in ANSWERED
    ]  # fmt: skip
    return sum(
        record.verdict in ANSWERED and any(expectation.reaches(record) for expectation in elsewhere)
        for record in run.records
    )


def entries_for(runs: Sequence[Run], day: date, explain: Explain) -> Iterator[str]:
    """TOML for what no expectation describes, with an empty reason."""
    header = runs[0].header
    about = [
        expectation for expectation in read_expectations(header.framework)
        if expectation.applies(header.version, _day(header.started[:10]))
    ]  # fmt: skip
    for number, (records, cause, where) in enumerate(propose(runs, about, explain), 1):
        first = records[0]
        idioms = sorted({record.idiom for record in records})
        message = "" if first.verdict == "diverges" else _shared(record.message for record in records)
        lines = [
            "[[expectation]]",
            f"id = {_toml(f'{first.framework}-unknown-{number}')}",
            _when(records, where),
            *([f"idiom = [{', '.join(map(_toml, idioms))}]"] if idioms != [""] else []),
            f"verdict = {_toml(first.verdict)}",
            *([f"message = {_toml(message)}"] if message else []),
            *([f"diagnosis = {_toml(str(cause))}"] if cause.explained else []),
            'reason = ""',
            *([] if where is None or where.exact else ['partly = ""']),
            'upstream = ""',
            f"since = {day.isoformat()}",
        ]
        yield "\n".join(lines) + "\n"


def _when(records: Sequence[Record], where: Rule | None) -> str:
    """The region of some records, with its coverage; that of negative cases by their faults."""
    if where is None:
        faults = sorted({record.fault for record in records})
        return f"when = {_toml(' or '.join(f'fault == {_toml(fault)}' for fault in faults))}"
    few = "" if where.is_of_enough else f"; {where.sentence.partition('; ')[2]}, so look at more cases first"
    return f"when = {_toml(where.predicate)}  # {where.coverage.replace('conforming', 'others')}{few}"


def _shared(messages: Iterator[str]) -> str:
    """The longest run of words without a number that all messages have."""
    first, *rest = list(dict.fromkeys(messages))
    parts = sorted(re.split(r"\d+|0x[0-9a-f]+", first), key=len, reverse=True) if rest else [first]
    return next((part.strip() for part in parts if part.strip() and all(part.strip() in clause for clause in rest)), "")


def _toml(text: str) -> str:
    """A TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


@command.command()
@RECORDS
@EXPECTATIONS
def prune(records: Path, expectations: tuple[str, ...]) -> int:
    """Remove expectations that no record shows any longer from their file.

    Exit status: 0, or 3 if a run is incomplete; then nothing is written.
    """
    runs = _Runs(records, expectations)
    if missing := list(runs.incomplete):
        echo("\n".join(missing), err=True)
        return INCOMPLETE
    stale = {
        framework: [finding.subject for finding in runs.findings(framework, read_expectations(framework))[0]
                    if finding.fault is Flaw.STALE]
        for framework in runs.by_framework
    }  # fmt: skip
    for framework, ids in stale.items():
        for entry in ids:
            echo(f"{path(framework)}: {entry} taken out: no record shows it any longer")
        if ids:
            write_atomically(path(framework), without(read_named_text(path(framework)), ids).encode())
    if not any(stale.values()):
        echo("nothing is stale")
    return OK


def without(text: str, ids: Sequence[str]) -> str:
    """An expectation file's text without the tables of some ids; all else as it is."""
    pieces = re.split(r"(?m)^(?=\[\[expectation\]\]\s*$|\[floor\.)", text)
    by_id: Mapping[str, str] = {_id(piece): piece for piece in pieces}
    taken = {by_id[entry] for entry in ids}
    return "".join(piece for piece in pieces if piece not in taken).rstrip() + "\n"


def _id(piece: str) -> str:
    match = re.search(r"(?m)^id\s*=\s*[\"'](.*)[\"']", piece)
    return match[1] if match else ""
