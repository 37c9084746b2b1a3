"""What a lane accepts, and where its domain ends: regions of problems that are refused or go wrong, as predicates.

A region is what records with one outcome and one message have in common that records
with a right answer have not; where a call's operands or words are at fault, and not its problem, it is named by that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from conformance.predicates.comparisons import MOST_AXES, Facts, facts, problem_of, smallest
from conformance.predicates.induction import Rule
from conformance.predicates.induction import where as told_apart
from conformance.processes.memory import exhausted
from conformance.records.messages import is_beyond_a_rule, without_numbers
from conformance.records.record import CLAIMS, IDIOMS, NEGATIVE, PORTS, Key, Record, Run, Verdict
from conformance.suites import cases
from conformance.suites.case import departure_of
from conformance.suites.expectations import Expectation

RIGHT, PAST, WRONG, INVALID = "answers", "answers past the rule", "answers wrongly", "answers the invalid"
REFUSES, FAILS, CRASHES, HANGS, MEMORY = "refuses", "fails uncleanly", "crashes", "hangs", "exhausts memory"
UNSAID, UNJUDGED = "cannot say", "unjudged"
OUTCOMES = (RIGHT, PAST, WRONG, INVALID, REFUSES, FAILS, CRASHES, HANGS, MEMORY, UNSAID, UNJUDGED)
"""What a lane can make of a call, in the order of a table."""

_OF_VERDICT = {
    Verdict.DIVERGES: WRONG, Verdict.ACCEPTS_INVALID: INVALID, Verdict.REJECTS: REFUSES, Verdict.ERRORED: FAILS,
    Verdict.CRASHED: CRASHES, Verdict.TIMED_OUT: HANGS, Verdict.UNSUPPORTED: UNSAID, Verdict.INCONCLUSIVE: UNJUDGED,
}  # fmt: skip
_OF_MEMORY = (Verdict.REJECTS, Verdict.ERRORED, Verdict.CRASHED, Verdict.INCONCLUSIVE)
"""Verdicts of a call for which memory ran out: the last one, or in older record files one of the others."""
_OF_KIND = {"shape": "another shape", "dtype": "another dtype"}
_LONGEST = 110


Known = Callable[[Record], Expectation | None]
"""Which expectation knew of a record."""


def nobody_knew(_: Record) -> None:
    """No expectation."""


class LaneDomain(NamedTuple):
    """A lane's domain: how often each outcome occurs, and the regions of all outcomes but the right one."""

    name: str
    counts: Mapping[str, int]
    regions: tuple["Region", ...]


@dataclass(frozen=True, slots=True)
class Region:
    """Records of one outcome with one message: where they are, by problem, and by fault where no problem says it.

    `known` is the expectation that all of them are of. Its region is held by every run, so that no predicate is sought.
    """

    outcome: str
    message: str
    count: int
    where: Rule | None
    faults: tuple[str, ...]
    witness: Record
    known: Expectation | None = None


def outcome(record: Record) -> str:
    """What a record says that the lane did."""
    if record.verdict is Verdict.CONFORMS:
        return PAST if is_beyond_a_rule(record) else RIGHT
    if record.verdict in _OF_MEMORY and exhausted(record.message):
        return MEMORY
    return _OF_VERDICT[record.verdict]


def by_lane(runs: Iterable[Run], *, idioms: bool = False) -> dict[str, list[Record]]:
    """The records that say what each lane accepts, or each idiom of a lane; a case in several suites once a dtype."""
    by_lane: dict[str, dict[Key, Record]] = defaultdict(dict)
    for run in runs:
        if (run.header.suite == IDIOMS) is idioms and run.header.suite not in (CLAIMS, PORTS):
            for record in run.records:
                by_lane[f"{record.lane} {record.idiom}".strip()][record.key] = record
    return {name: list(records.values()) for name, records in sorted(by_lane.items())}


def departing() -> set[str]:
    """The ids of the cases whose problem does not say all that is called."""
    every = ((case.id, departure_of(case)) for case in cases.read_suite(NEGATIVE).cases)
    return {id for id, bad in every if (bad.shapes or bad.dtypes or bad.view or bad.values or bad.calls)}


def pattern(record: Record) -> str:
    """What a record says without its numbers, so that those of one kind are the same; of a wrong answer its kind."""
    if record.kind and not record.rounding:
        return _OF_KIND.get(record.kind, "other values")
    return without_numbers(record.message)[:_LONGEST].strip()


def domain(name: str, records: Sequence[Record], departing: Collection[str], known: Known = nobody_knew) -> LaneDomain:
    """The domain of a lane. `departing` are the ids of the cases whose problem does not say what is called."""
    departing = {*departing, *(record.case for record in records if problem_of(record).rank > MOST_AXES)}
    right = [facts(record) for record in records if outcome(record) in (RIGHT, PAST) and record.case not in departing]
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if outcome(record) not in (RIGHT, UNSAID):
            groups[outcome(record), pattern(record)].append(record)
    ordered = sorted(groups.items(), key=lambda group: (OUTCOMES.index(group[0][0]), -len(group[1]), group[0][1]))
    counts = Counter(map(outcome, records))
    return LaneDomain(name, counts, tuple(_region(*key, those, right, departing, known) for key, those in ordered))


def _region(
    kind: str,
    message: str,
    records: Sequence[Record],
    right: Sequence[Facts],
    departing: Collection[str],
    known: Known,
) -> Region:
    stated = [record for record in records if record.case not in departing]
    faults = dict.fromkeys(record.fault for record in records if record.case in departing)
    witness = smallest(records)
    expectation = known(witness)
    about = expectation if expectation and all(known(record) is expectation for record in records) else None
    sought = about is None and kind != PAST and stated and right
    where = told_apart([facts(record) for record in stated], right) if sought else None
    return Region(kind, message, len(records), where, tuple(sorted(faults)), witness, about)


def table(lanes: Sequence[LaneDomain]) -> Iterator[str]:
    """How often each outcome occurs, a lane a row, as Markdown."""
    present = [name for name in OUTCOMES if any(lane.counts.get(name) for lane in lanes)]
    yield "| lane | " + " | ".join(present) + " |"
    yield "|---|" + "---:|" * len(present)
    for lane in lanes:
        yield f"| {lane.name} | " + " | ".join(f"{lane.counts.get(name, 0):,}" for name in present) + " |"


def boundary(lane: LaneDomain) -> Iterator[str]:
    """Every region of a lane: outcome, message, where it is, and how exactly that tells it from right answers."""
    for region in lane.regions:
        yield f"{region.count:5} {region.outcome}: {region.message or 'no message'}"
        if region.known is not None:
            yield f"        expected where {region.known.when.text}  ({region.known.id})"
        elif region.where is not None:
            beside = "" if region.where.exact or not region.where.is_of_enough else f"  ({region.where.coverage})"
            yield f"        {region.where.sentence}{beside}"
        if region.faults:
            yield f"        with {', '.join(region.faults)}"


def regions(lanes: Mapping[str, Sequence[Record]], known: Mapping[str, Sequence[Expectation]]) -> Iterator[str]:
    """Where each lane does not answer valid problems rightly, as one Markdown table.

    The predicate is that of the lane's expectation, where there is one, which a run holds to be so; or else the
    smallest that tells these records from the answered ones. `known` are the expectations of each framework.
    """
    yield "| lane | outcome | records | where | and of those answered rightly, there | |"
    yield "|---|---|---:|---|---:|---|"
    for name, records in lanes.items():
        valid = [record for record in records if not record.fault]
        right = [record for record in valid if outcome(record) is RIGHT]
        yield f"| {name} | {RIGHT} | {len(right):,} | everywhere else | | |"
        for (kind, about), those in _by_reason(valid, known[records[0].framework]).items():
            yield f"| {name} | {kind} | {len(those):,} | {_where(about, those, right)} |"


def _where(about: Expectation | str, those: Sequence[Record], right: Sequence[Record]) -> str:
    """Where records are that are not right, how many right answers are there, and why, as cells of a table."""
    if isinstance(about, Expectation):
        return f"`{about.when.text}` | {sum(about.reaches(record) for record in right):,} | {about.id}"
    rule = told_apart([facts(record) for record in those], [facts(record) for record in right])
    return f"`{rule.predicate}` | {rule.wrong:,} | {about}" if rule.is_of_enough else f"{rule.sentence} | | {about}"


def _by_reason(
    records: Sequence[Record], known: Sequence[Expectation]
) -> Mapping[tuple[str, Expectation | str], list[Record]]:
    """The records that are not right answers, by outcome, and by the expectation that covers them or by message."""
    groups: dict[tuple[str, Expectation | str], list[Record]] = defaultdict(list)
    for record in records:
        if outcome(record) is not RIGHT:
            reason = next((one for one in known if one.covers(record)), None)
            groups[outcome(record), reason or pattern(record)].append(record)
    return dict(sorted(groups.items(), key=lambda group: (OUTCOMES.index(group[0][0]), -len(group[1]))))


def limits(lanes: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """What each lane makes of the calls at and past each limit, a fault of the call a row, as Markdown."""
    made: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, records in lanes.items():
        for record in records:
            if record.fault:
                made[record.fault][name].add(outcome(record))
    if not made:
        return
    yield f"| fault | {' | '.join(lanes)} |"
    yield "|---|" + "---|" * len(lanes)
    for fault in sorted(made):
        cells = [", ".join(sorted(made[fault][name], key=OUTCOMES.index)) for name in lanes]
        yield f"| {fault} | {' | '.join(cells)} |"
