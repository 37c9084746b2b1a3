"""Counts of what runs recorded: rows of lanes and suites, columns of verdicts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, product

from conformance.problem import PASSES
from conformance.records.machine import line
from conformance.records.record import Record, Run, SubjectKind, Verdict

Labels = Callable[[Run, str, str], tuple[str, ...]]

NATIVE = "native"


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


def run_row(run: Run) -> RunRow:
    """A run's header as a row."""
    header = run.header
    number, shards = header.shard
    return RunRow(
        lane=header.lane,
        framework=header.framework,
        variant=header.variant,
        version=header.version or "not recorded",
        suite=header.suite if shards == 1 else f"{header.suite}, shard {number} of {shards}",
        dtypes=", ".join(header.dtypes),
        started=header.started or "not recorded",
        recorded=len(run.records),
        expected=header.expected,
        environment=(
            *sorted(header.environment.items()),
            ("case set", header.cases),
            ("oracle", header.oracle),
            ("machine", line(header.machine)),
        ),
    )


def verdicts(runs: Sequence[Run]) -> CountTable:
    """How many records of each verdict, by lane, suite and dtype."""
    return _count(runs, _by_dtype, lambda record: record.verdict, list(Verdict))


def by_pass(runs: Sequence[Run]) -> CountTable:
    """How many records of each verdict, by lane, pass and dtype, over all suites of problems in the adapter's words.

    A case that several suites have counts once; invalid calls, and what is claimed of idioms, are left out.
    """
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    of_problems = {
        (record.lane, record.key): record
        for run in runs for record in run.records
        if record.subject is SubjectKind.PROBLEM and not record.fault
    }  # fmt: skip
    for record in of_problems.values():
        counts[record.lane, record.direction, record.dtype][record.verdict] += 1
    columns = tuple(verdict for verdict in Verdict if any(number[verdict] for number in counts.values()))
    rows = sorted(counts.items(), key=lambda row: (row[0][0], PASSES.index(row[0][1]), row[0][2]))
    return CountTable(
        columns,
        tuple(
            CountRow(lane, (direction, dtype), (number.total(), *(number[name] for name in columns)))
            for (lane, direction, dtype), number in rows
        ),
    )


def assistance(runs: Sequence[Run]) -> CountTable:
    """How many conforming records came from the native call alone, and how many with what help."""
    return _count(runs, _by_dtype, _assistance, [NATIVE])


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
    present = set(chain.from_iterable(counts.values()))
    columns = (*(name for name in order if name in present), *sorted(present - set(order)))
    rows = (
        CountRow(lane, tuple(part), (number.total(), *(number[name] for name in columns)))
        for (lane, *part), number in sorted(counts.items())
    )
    return CountTable(columns, tuple(rows))


def _by_dtype(run: Run, dtype: str, direction: str) -> tuple[str, ...]:
    return run.header.suite, precision(dtype, direction)


def precision(dtype: str, direction: str) -> str:
    """A dtype, with the pass where it is not the forward one."""
    return dtype if direction == "forward" else f"{dtype} {direction}"


def _assistance(record: Record) -> str | None:
    if record.verdict is not Verdict.CONFORMS:
        return None
    return " + ".join(record.composed) or NATIVE
