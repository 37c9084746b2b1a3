"""Whether expectations are exact: every case in a region shows the verdict, and no case outside does the same.

What is not so is named, with the predicate that would be right on the records at hand.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from conformance.analysis.groups import by_cause
from conformance.diagnosis.explain import NOT_SOUGHT, Cause, Explained
from conformance.io.terminal import plural
from conformance.predicates.comparisons import facts, smallest
from conformance.predicates.induction import Rule, induce
from conformance.records.messages import without_numbers
from conformance.records.record import Record, Run, SubjectKind, Verdict
from conformance.records.reproduction import reproduction
from conformance.regression.change import plain
from conformance.regression.comparison import no_diagnosis
from conformance.suites.expectations import Expectation, known

Explain = Callable[[Record], tuple[Cause, ...]]
"""Every smallest cause of a diverging record; none where there is no evidence."""


class Flaw(StrEnum):
    """What is wrong with an expectation, or with there being none."""

    STALE = "stale"
    NARROWER = "narrower"
    WIDER = "wider"
    EMPTY = "empty"
    OVERLAP = "overlap"
    EXPIRED = "expired"
    FLAKY = "flaky"
    UNKNOWN = "unknown"
    OTHERWISE = "otherwise"


_OF_ALL_RUNS = (Flaw.EMPTY, Flaw.STALE)
"""What is found because nothing in any run speaks against it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of an expectation: the facts, one record to see it on, and the predicate that the records speak for."""

    fault: Flaw
    subject: str
    facts: str
    witness: Record | None = None
    where: Rule | None = None

    def lines(self) -> Iterator[str]:
        """The finding for people."""
        yield f"{self.subject}: {self.fault}: {self.facts}"
        if self.where and not self.where.is_of_enough:
            yield f"    {self.where.sentence}"
        elif self.where:
            yield f"    the records show it {self.where.sentence}"
            yield f"      covers {self.where.covered:,} of {self.where.of:,}, and {self.where.wrong:,} of the " + (
                f"{self.where.outside:,} others"
            )
        if self.witness:
            yield f"    {reproduction(self.witness)}"


def check(
    expectations: Sequence[Expectation],
    runs: Sequence[Run],
    repeats: Sequence[Run] = (),
    *,
    day: date = date.min,
    explain: Explain = no_diagnosis,
) -> list[Finding]:
    """Every fault of one framework's expectations on runs of its lanes, all of one version, and repetitions of them."""
    version = runs[0].header.version if runs else ""
    findings = [
        Finding(
            Flaw.EXPIRED,
            expectation.id,
            f"it was to hold until {expectation.expires}: look whether it still does, and renew it",
        )
        for expectation in expectations
        if expectation.expires is not None and day > expectation.expires
    ]
    about = [each for each in expectations if each.applies(version, date.min) and not each.of_property]
    current = [expectation for expectation in about if not unjudged([expectation], runs)]
    records = [record for run in runs for record in run.records]
    inside = {
        expectation.id: _region(expectation, _records_on_its_machines(expectation, runs)) for expectation in current
    }
    shown = {
        expectation.id: [record for record in inside[expectation.id] if expectation.shows(record)]
        for expectation in current
    }
    strays = _strays(unknown(runs, about), current, shown)
    for entry in current:
        findings += _findings_of_expectation(
            entry, inside[entry.id], shown[entry.id], strays.pop(entry.id, []), records
        )
        findings += _otherwise(entry, shown[entry.id], explain)
    findings += _overlaps(current, inside)
    findings += _flaky(current, runs, repeats)
    findings += [_unknown(text, those, records) for text, those in sorted(strays.items())]
    return findings


def unjudged(expectations: Sequence[Expectation], runs: Sequence[Run]) -> dict[str, str]:
    """The expectations that are about none of some runs because of the machines that these ran on, each with why."""
    machines = [run.header.machine for run in runs]
    return {
        expectation.id: f"{machine.text}, but {' or '.join(dict.fromkeys(map(machine.why_not, machines)))}"
        for expectation in expectations
        if (machine := expectation.machine) and machines and not any(map(expectation.holds_on, machines))
    }


def unknown(runs: Iterable[Run], expectations: Sequence[Expectation]) -> list[Record]:
    """The failing records that no expectation covers which is about their run's machine."""
    findings = []
    for run in runs:
        here = [expectation for expectation in expectations if expectation.holds_on(run.header.machine)]
        findings += [record for record in run.records if record.fails and known(record, here) is None]
    return findings


def asked(
    reported: Iterable[Finding], expectations: Sequence[Expectation], *, absent: Collection[str]
) -> tuple[list[Finding], list[str]]:
    """The findings that hold whatever the absent runs would show, and the ids of expectations that need those runs.

    Where no run is absent, all findings hold.
    """
    findings, by_id = list(reported), {expectation.id: expectation for expectation in expectations}
    open_ = [finding.subject for finding in findings if absent and _needs_all_runs(finding, by_id.get(finding.subject))]
    return [finding for finding in findings if finding.subject not in open_ or finding.fault not in _OF_ALL_RUNS], open_


def _needs_all_runs(finding: Finding, of: Expectation | None) -> bool:
    """Whether a run that is absent may show what was not found."""
    if of is None or finding.fault not in _OF_ALL_RUNS:
        return False
    only_negative = finding.witness is not None and finding.witness.fault and "fault" not in of.when.text
    return finding.fault is Flaw.EMPTY or not of.exact or bool(only_negative)


def _records_on_its_machines(expectation: Expectation, runs: Iterable[Run]) -> list[Record]:
    """The records of those runs whose machine an expectation is about."""
    return [record for run in runs if expectation.holds_on(run.header.machine) for record in run.records]


def _region(expectation: Expectation, records: Sequence[Record]) -> list[Record]:
    """The records of a region; negative ones, of which nothing exact is stated, where there are no others."""
    reached = [record for record in records if expectation.reaches(record)]
    return [record for record in reached if not record.fault] or reached


def _is_plain(record: Record) -> bool:
    """Whether a record is about a problem alone, so that a predicate can tell it from others."""
    return not record.fault and record.subject is not SubjectKind.CLAIM


def _findings_of_expectation(
    expectation: Expectation,
    inside: Sequence[Record],
    shown: Sequence[Record],
    more: Sequence[Record],
    records: Sequence[Record],
) -> Iterator[Finding]:
    if not inside:
        yield Finding(
            Flaw.EMPTY, expectation.id, "no record is in its region: run the suite that has one, or fix the region"
        )
        return
    others = [record for record in inside if not expectation.shows(record)]
    if not shown and not expectation.chance:
        verdicts = ", ".join(sorted({record.verdict.value for record in inside}))
        all_ = f"all {len(inside):,} cases of its region have" if len(inside) > 1 else "the only case of its region has"
        yield Finding(Flaw.STALE, expectation.id, f"{all_} another verdict: {verdicts}", inside[0])
    elif others and expectation.exact and _is_plain(inside[0]):
        verdicts = f"{len(others):,} of the {len(inside):,} cases in its region gave another verdict"
        yield Finding(Flaw.NARROWER, expectation.id, verdicts, smallest(others), _rule_for([*shown, *more], records))
    if more:
        verdicts = f"{plural(len(more), 'case')} outside its region did the same as those inside"
        yield Finding(Flaw.WIDER, expectation.id, verdicts, smallest(more), _rule_for([*shown, *more], records))


def _otherwise(expectation: Expectation, shown: Sequence[Record], explain: Explain) -> Iterator[Finding]:
    """Whether what is expected to be wrong is wrong in another way than is stated."""
    explained = [(record, explain(record)) for record in shown if expectation.diagnosis and record.redrawn]
    others = [
        (record, causes[0])
        for record, causes in explained
        if causes and not any(expectation.diagnosis in (f"{cause}; {cause.kind}") for cause in causes)
    ]
    if others:
        first = smallest([record for record, _ in others])
        instead = next(cause for record, cause in others if record is first)
        share = f"{len(others):,} of {len(shown):,} cases"
        contradiction = f"the diagnosis of {share} is {str(instead)!r}, not {expectation.diagnosis!r}"
        yield Finding(Flaw.OTHERWISE, expectation.id, contradiction, first)


def _strays(
    unknown: Iterable[Record], expectations: Sequence[Expectation], shown: Mapping[str, Sequence[Record]]
) -> dict[str, list[Record]]:
    """Failing records that no expectation describes, by one whose records are alike, or by what they say."""
    alike = {
        (likeness(record), record.subject is SubjectKind.PROBLEM): expectation.id
        for expectation in expectations
        for record in shown[expectation.id]
    }
    strays: dict[str, list[Record]] = defaultdict(list)
    for record in unknown:
        strays[alike.get((likeness(record), record.subject is SubjectKind.PROBLEM), likeness(record))].append(record)
    return strays


def likeness(record: Record) -> str:
    """What records of one fault have in common: verdict, kind, and message but for its numbers."""
    message = "" if record.verdict is Verdict.DIVERGES else without_numbers(plain(record.message))
    return " ".join(filter(None, [record.verdict, record.kind, message]))


def _unknown(text: str, those: Sequence[Record], records: Sequence[Record]) -> Finding:
    return Finding(
        Flaw.UNKNOWN,
        text,
        f"{plural(len(those), 'failing case')} without an expectation",
        smallest(those),
        _rule_for(those, records),
    )


def _overlaps(expectations: Sequence[Expectation], inside: Mapping[str, Sequence[Record]]) -> Iterator[Finding]:
    for a, b in combinations(expectations, 2):
        if not (a.exact or b.exact):
            continue  # of what is one thing or another by chance
        theirs = {(record.lane, record.key) for record in inside[b.id] if _is_plain(record)}
        if both := [record for record in inside[a.id] if (record.lane, record.key) in theirs]:
            overlap = f"its region and that of {b.id} share {plural(len(both), 'case')}: narrow one of the two"
            yield Finding(Flaw.OVERLAP, a.id, overlap, smallest(both))


def _flaky(expectations: Sequence[Expectation], runs: Sequence[Run], repeats: Sequence[Run]) -> Iterator[Finding]:
    """Expectations that hold in one run and not in another of the same build, and do not say so."""
    again: dict[tuple[str, tuple[str, str, str]], list[Record]] = defaultdict(list)
    for record in (record for run in repeats for record in run.records):
        again[record.lane, record.key].append(record)
    for expectation in expectations:
        unsteady = [
            record
            for record in _records_on_its_machines(expectation, runs)
            if not expectation.chance
            and any(expectation.covers(other) != expectation.covers(record) for other in again[record.lane, record.key])
        ]
        if unsteady:
            cases = plural(len(unsteady), "case")
            gap = f"{cases} showed it in one run of a build and not in another: add chance, and a reason"
            yield Finding(Flaw.FLAKY, expectation.id, gap, smallest(unsteady))


def _rule_for(those: Sequence[Record], records: Sequence[Record]) -> Rule | None:
    """What tells some records from all others of the same lanes and suites, in the adapter's own words or in idioms'.

    None where no predicate could: of negative cases and of claims.
    """
    those, records = (
        [record for record in those if _is_plain(record)],
        [record for record in records if _is_plain(record)],
    )
    if not those:
        return None
    keys, about = {(record.lane, record.key) for record in those}, those[0].subject is SubjectKind.PROBLEM
    others = [
        record
        for record in records
        if (record.subject is SubjectKind.PROBLEM) == about and (record.lane, record.key) not in keys
    ]
    return induce([facts(record) for record in those], [facts(other) for other in others])


class Proposal(NamedTuple):
    """What fails without an expectation: one likeness and cause, and the predicate that tells it from all the rest.

    There is no predicate for negative cases, which are told by their fault.
    """

    records: list[Record]
    cause: Cause
    where: Rule | None


def propose(
    runs: Sequence[Run], expectations: Sequence[Expectation], explain: Explain = no_diagnosis
) -> list[Proposal]:
    """What fails in runs and no expectation describes. A claim of the ledger is never to be expected otherwise."""
    records = [record for run in runs for record in run.records if record.subject is not SubjectKind.CLAIM]
    alike: dict[tuple[str, bool], list[Explained]] = defaultdict(list)
    for record in unknown(runs, expectations):
        if record.subject is not SubjectKind.CLAIM:
            causes = explain(record) if record.verdict is Verdict.DIVERGES and record.redrawn else ()
            alike[likeness(record), bool(record.fault)].append(Explained(record, causes or (NOT_SOUGHT,)))
    grouped = [group for _, those in sorted(alike.items()) for group in by_cause(those)]
    alike_by_cause = [(cause, [explained.record for explained in those]) for cause, those in grouped]
    return [Proposal(those, cause, _rule_for(those, records)) for cause, those in alike_by_cause]
