"""What the report says, before any markup: runs in, a typed page and its integrity findings out."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product, zip_longest

from conformance.record import Record, Run, Verdict, reproduction
from conformance.report.integrity import Integrity, measure_integrity

Labels = Callable[[Run, str, str], tuple[str, ...]]
Known = Callable[[Record], str]
"""Why a record was expected to be what it is; empty for one that was not."""

FIRST_ROWS = 8
"""Rows of an open group that are in view at once; the rest is folded."""
CHUNK = 500
"""Rows that unfold together, so that a browser never lays out thousands at once."""
LONGEST = 360
"""Characters of a message or call; the record file has the rest."""

GLOSSARY: Mapping[Verdict, str] = {
    Verdict.CONFORMS: "Shape, dtype and every value equal the expected answer.",
    Verdict.DIVERGES: "An answer came, and it is not the expected one.",
    Verdict.REJECTS: "The framework refused the call with a clean, catchable error.",
    Verdict.UNSUPPORTED: "The framework has no call that says this problem; the reason is given.",
    Verdict.ACCEPTS_INVALID: "An invalid problem, or a call that is claimed to be refused, got an answer.",
    Verdict.ERRORED: "An error that is no clean refusal, in the framework or in its adapter.",
    Verdict.CRASHED: "The process died, by the signal that is given.",
    Verdict.TIMED_OUT: "No answer came in time, and the process was ended.",
    Verdict.INCONCLUSIVE: "The answer cannot be judged, because the data is not exact in this dtype.",
}
KINDS: Mapping[str, str] = {
    "shape": "The answer has another shape.",
    "dtype": "The shape is right, the answer has another dtype.",
    "value": "Shape and dtype are right, some values are not, and all are finite.",
    "nonfinite": "Shape and dtype are right, some values are not, and some are NaN or infinite.",
}
NATIVE = "native"
_NUMBER = r"[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|(?<![a-z])(?:nan|inf)\b)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?:, ?|x){_NUMBER})*(?:,(?=\)))?", re.IGNORECASE)
"""A number, or a list of them as in a shape."""
_COUNTED = {
    Verdict.CONFORMS: "conform",
    Verdict.REJECTS: "refused",
    Verdict.ACCEPTS_INVALID: "answered though invalid",
    Verdict.TIMED_OUT: "timed out",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, as its header describes it."""

    lane: str
    framework: str
    variant: str
    version: str
    suite: str
    dtypes: str
    started: str
    recorded: int
    expected: int
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CountRow:
    """Counts of one lane, or of a part of it that `labels` name."""

    lane: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CountTable:
    """Counts of what occurs, a column each; a row begins with their total."""

    columns: tuple[str, ...]
    rows: tuple[CountRow, ...]


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
    """Records of one lane with the same verdict, kind and message but for its numbers; `known` says why, if known."""

    verdict: Verdict
    kind: str
    known: str
    label: str
    rows: tuple[Row, ...]
    fails: bool

    @property
    def new(self) -> bool:
        """Whether it fails a run: its records do, and nobody knew of it."""
        return self.fails and not self.known

    @property
    def first(self) -> tuple[Row, ...]:
        """The rows that are in view as soon as the group is open."""
        return self.rows[:FIRST_ROWS]

    @property
    def chunks(self) -> tuple[tuple[Row, ...], ...]:
        """The rows after the first ones, in pieces that unfold on their own."""
        return tuple(self.rows[at : at + CHUNK] for at in range(FIRST_ROWS, len(self.rows), CHUNK))


@dataclass(frozen=True, slots=True)
class LaneGroups:
    """A lane's groups: first the verdicts that fail a run, then the rest, the largest of each first."""

    lane: str
    recorded: int
    groups: tuple[Group, ...]

    @property
    def found(self) -> int:
        """Number of records that do not conform."""
        return sum(len(group.rows) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the report says."""

    summary: str
    integrity: Integrity
    runs: tuple[RunRow, ...]
    verdicts: CountTable
    assistance: CountTable
    kinds: CountTable
    lanes: tuple[LaneGroups, ...]
    glossary: Mapping[Verdict, str]
    kind_glossary: Mapping[str, str]


def not_known(_record: Record) -> str:
    """No record is known."""
    return ""


def build_page(runs: Sequence[Run], expected_lanes: Sequence[str] = (), known: Known = not_known) -> Page:
    """The page about some runs, whatever order they come in."""
    runs = sorted(runs, key=lambda run: (run.header.lane, run.header.suite, run.header.shard, run.header.started))
    integrity = measure_integrity(runs, expected_lanes)
    lanes = tuple(_lanes(runs, known))
    return Page(
        summary=f"{_summary(runs, integrity)} {_news(lanes)}".strip(),
        integrity=integrity,
        runs=tuple(map(_run_row, runs)),
        verdicts=_count(runs, _by_dtype, lambda record: record.verdict, list(Verdict)),
        assistance=_count(runs, _by_dtype, _assistance, [NATIVE]),
        kinds=_count(runs, _by_lane, _kind, list(KINDS)),
        lanes=lanes,
        glossary=GLOSSARY,
        kind_glossary=KINDS,
    )


def _summary(runs: Sequence[Run], integrity: Integrity) -> str:
    lanes = {run.header.lane for run in runs}
    diverging = {run.header.lane for run in runs if Verdict.DIVERGES in run.verdicts}
    counts: Counter[Verdict] = Counter()
    for run in runs:
        counts.update({Verdict(name): count for name, count in run.verdicts.items()})
    text = f"{_plural(len(lanes), 'lane')}, {_plural(counts.total(), 'record')}: "
    if diverging:
        text += "1 lane diverges" if len(diverging) == 1 else f"{len(diverging):,} lanes diverge"
        text += f" somewhere, in {_plural(counts.pop(Verdict.DIVERGES), 'record')}"
    else:
        text += "no lane diverges"
    rest = [f"{counts[verdict]:,} {_COUNTED.get(verdict, verdict)}" for verdict in Verdict if counts[verdict]]
    text += f"; {', '.join(rest)}." if rest else "."
    if integrity.holds:
        return text
    return f"{text} The evidence has {_plural(len(integrity.findings), 'fault')}, named first."


def _news(lanes: Iterable[LaneGroups]) -> str:
    """What fails a run, in a sentence; nothing where nothing could."""
    failing = [group for lane in lanes for group in lane.groups if group.fails]
    new = sum(len(group.rows) for group in failing if group.new)
    if not failing:
        return ""
    return (
        f"{_plural(new, 'failing record')} {'is' if new == 1 else 'are'} new." if new else "Nothing that fails is new."
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _run_row(run: Run) -> RunRow:
    header = run.header
    number, shards = header.shard
    return RunRow(
        lane=header.lane,
        framework=header.framework,
        variant=header.variant,
        version=header.environment.get(header.framework, "not recorded"),
        suite=header.suite if shards == 1 else f"{header.suite}, shard {number} of {shards}",
        dtypes=", ".join(header.dtypes),
        started=header.started or "not recorded",
        recorded=len(run.records),
        expected=header.expected,
        environment=(*sorted(header.environment.items()), ("case set", header.cases), ("oracle", header.oracle)),
    )


def _count(
    runs: Sequence[Run], labels: Labels, what: Callable[[Record], str | None], order: Sequence[str]
) -> CountTable:
    """How many records of each lane, divided by `labels`, are `what`; columns as in `order`, then by name."""
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for run in runs:
        header = run.header
        for dtype, direction in product(header.dtypes, header.directions):
            counts[header.lane, *labels(run, dtype, direction)].update()
        for record in run.records:
            if name := what(record):
                counts[header.lane, *labels(run, record.dtype, record.direction)][name] += 1
    found = set(chain.from_iterable(counts.values()))
    columns = (*(name for name in order if name in found), *sorted(found - set(order)))
    rows = (
        CountRow(lane, tuple(part), (number.total(), *(number[name] for name in columns)))
        for (lane, *part), number in sorted(counts.items())
    )
    return CountTable(columns, tuple(rows))


def _by_dtype(run: Run, dtype: str, direction: str) -> tuple[str, ...]:
    return run.header.suite, _precision(dtype, direction)


def _by_lane(_run: Run, _dtype: str, _direction: str) -> tuple[str, ...]:
    return ()


def _precision(dtype: str, direction: str) -> str:
    return dtype if direction == "forward" else f"{dtype} {direction}"


def _assistance(record: Record) -> str | None:
    if record.verdict is not Verdict.CONFORMS:
        return None
    return " + ".join(record.composed) or NATIVE


def _kind(record: Record) -> str | None:
    return (record.kind or "not said") if record.verdict is Verdict.DIVERGES else None


def _lanes(runs: Sequence[Run], known: Known) -> Iterator[LaneGroups]:
    records: dict[str, list[Record]] = defaultdict(list)
    for run in runs:
        records[run.header.lane] += run.records
    for lane, found in records.items():
        groups = _groups((record for record in found if record.verdict != (record.claimed or Verdict.CONFORMS)), known)
        yield LaneGroups(lane, len(found), tuple(groups))


def _groups(records: Iterable[Record], known: Known) -> list[Group]:
    alike: dict[tuple[Verdict, bool, str, str, tuple[str, ...]], list[Record]] = defaultdict(list)
    for record in records:
        skeleton = _NUMBERS.split(_line(record.message))
        alike[record.verdict, record.fails, record.kind, known(record), tuple(skeleton)].append(record)
    groups = (_group(verdict, kind, reason, same) for (verdict, _, kind, reason, _), same in alike.items())
    order = list(Verdict)
    return sorted(groups, key=lambda group: (
        not group.new, not group.fails, order.index(group.verdict), -len(group.rows), group.kind, group.label
    ))  # fmt: skip


def _group(verdict: Verdict, kind: str, known: str, records: Sequence[Record]) -> Group:
    label = _common([_line(record.message) for record in records])
    rows = (_row(record, label) for record in sorted(records, key=lambda record: record.key))
    return Group(verdict, kind, known, label, tuple(rows), records[0].fails)


def _common(messages: Sequence[str]) -> str:
    """What messages that differ in numbers alone have in common: a number that varies becomes an ellipsis."""
    columns = zip(*map(_NUMBERS.findall, messages), strict=True)
    numbers = (values[0] if len(set(values)) == 1 else "\u2026" for values in columns)
    texts = _NUMBERS.split(messages[0])
    return "".join(chain.from_iterable(zip_longest(texts, numbers, fillvalue="")))


def _row(record: Record, label: str) -> Row:
    message = _line(record.message)
    return Row(
        case=record.case,
        dtype=_precision(record.dtype, record.direction),
        problem=record.problem,
        message="" if message == label else message,
        call=_line(record.call),
        composed=", ".join(record.composed),
        command=reproduction(record),
    )


def _line(text: str) -> str:
    """Text on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}\u2026"
