"""What is said of each lane's records that are not simply right, before any markup: groups that say the same."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from conformance.io.terminal import plural, verdict_count
from conformance.records.messages import label_of, line, skeleton
from conformance.records.record import Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report.tables.counts import precision

Reason = Callable[[Record], str]
"""Why a record was expected to be what it is; empty for one that was not."""

FIRST_ROWS = 8
"""Rows of a group that are shown; a search finds the rest."""

_COUNTED = {
    Verdict.REJECTS: "refused",
    Verdict.ACCEPTS_INVALID: "answered though invalid",
    Verdict.TIMED_OUT: "timed out",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One record that does not conform; `message` is empty where the group's label says all of it."""

    case: str
    dtype: str
    problem: str
    message: str
    call: str
    composed: str
    command: str


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one lane with the same verdict, kind and message but for its numbers; `known` says why, if known.

    `count` records, of which the first `rows` stand here.
    """

    verdict: Verdict
    kind: str
    known: str
    label: str
    count: int
    rows: tuple[Row, ...]
    fails: bool

    @property
    def new(self) -> bool:
        """Whether it fails a run: its records do, and no expectation describes them."""
        return self.fails and not self.known


@dataclass(frozen=True, slots=True)
class LaneGroups:
    """A lane's groups: first the verdicts that fail a run, then the rest, the largest of each first."""

    lane: str
    framework: str
    recorded: int
    groups: tuple[Group, ...]

    @property
    def found(self) -> int:
        """Number of records that do not conform."""
        return sum(group.count for group in self.groups)


def ordered(runs: Iterable[Run]) -> list[Run]:
    """Runs in the one order that the report has them in, whatever order they come in."""
    return sorted(runs, key=lambda run: (run.header.lane, run.header.suite, run.header.shard, run.header.started))


def summary(runs: Sequence[Run], lanes: Sequence[LaneGroups]) -> str:
    """How many records there are of each verdict, those of invalid calls included, and whether failing ones are new."""
    named = {run.header.lane for run in runs}
    counts: Counter[Verdict] = Counter()
    for run in runs:
        counts.update({Verdict(name): count for name, count in run.verdicts.items()})
    parts = [_counted(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]]
    text = f"{plural(len(named), 'lane')}, {plural(counts.total(), 'record')}, invalid calls included"
    return f"{text}{': ' if parts else ''}{', '.join(parts)}. {news(lanes)}".strip()


def _counted(verdict: Verdict, count: int) -> str:
    return f"{count:,} {_COUNTED[verdict]}" if verdict in _COUNTED else verdict_count(count, verdict)


def news(lanes: Iterable[LaneGroups]) -> str:
    """What fails a run, in a sentence; nothing where nothing could."""
    failing = [group for lane in lanes for group in lane.groups if group.fails]
    new = sum(group.count for group in failing if group.new)
    if not failing:
        return ""
    return (
        f"{plural(new, 'failing record')} {'is' if new == 1 else 'are'} new." if new else "Nothing that fails is new."
    )


def lane_groups(runs: Sequence[Run], known: Reason) -> Iterator[LaneGroups]:
    """Each lane's records whose verdict is not the one that is hoped for, in groups that say the same."""
    records: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for run in runs:
        records[run.header.lane, run.header.framework] += run.records
    for (lane, framework), entries in records.items():
        groups = _groups(
            (record for record in entries if record.verdict != (record.claimed or Verdict.CONFORMS)), known
        )
        yield LaneGroups(lane, framework, len(entries), tuple(groups))


def _groups(records: Iterable[Record], known: Reason) -> list[Group]:
    alike: dict[tuple[Verdict, bool, str, str, tuple[str, ...]], list[Record]] = defaultdict(list)
    for record in records:
        alike[record.verdict, record.fails, record.kind, known(record), skeleton(record.message)].append(record)
    groups = (_group(verdict, kind, reason, same) for (verdict, _, kind, reason, _), same in alike.items())
    order = list(Verdict)
    return sorted(groups, key=lambda group: (
        not group.new, not group.fails, order.index(group.verdict), -group.count, group.kind, group.label
    ))  # fmt: skip


def _group(verdict: Verdict, kind: str, known: str, records: Sequence[Record]) -> Group:
    label = label_of(records)
    first = sorted(records, key=lambda record: record.key)[:FIRST_ROWS]
    rows = tuple(_row(record, label) for record in first)
    return Group(verdict, kind, known, label, len(records), rows, records[0].fails)


def _row(record: Record, label: str) -> Row:
    message = line(record.message)
    return Row(
        case=record.case,
        dtype=precision(record.dtype, record.direction),
        problem=record.problem,
        message="" if message == label else message,
        call=line(record.call),
        composed=", ".join(record.composed),
        command=reproduction(record),
    )
