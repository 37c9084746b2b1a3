"""Which combinations of parameter levels a lane was never seen to answer, and why, from its records alone.

The levels are those that the covering cases combine: every parameter of an axis, and those that axes share. A
combination of two or three of them counts once for each choice of axes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.analysis.content.constants import constant
from conformance.io.terminal import progress
from conformance.predicates.comparisons import problem_of
from conformance.problem import Problem
from conformance.records.record import CLAIMS, PORTS, Record, Run, Verdict
from conformance.report.content.coverage import ANSWERED, REASONS, Coverage
from conformance.suites.covering import Codes, Rows, achievable
from conformance.suites.generate import axis_combinations, shared_combinations
from conformance.suites.spaces.files import levels_of
from conformance.suites.spaces.levels import Axis, Shared, of_axis, of_shared

SPACE = "covering"
"""Whose levels are looked at."""
RANKS, STRENGTHS = (1, 2, 3), (2, 3)
NAMED = 60
"""Combinations of a reason up to which each is named with its values."""

_KIND = {
    Verdict.CONFORMS: ANSWERED, Verdict.DIVERGES: ANSWERED, Verdict.ACCEPTS_INVALID: ANSWERED,
    Verdict.INCONCLUSIVE: ANSWERED, Verdict.REJECTS: "refused", Verdict.UNSUPPORTED: "unsupported",
}  # fmt: skip


def of_lanes(runs: Iterable[Run]) -> dict[str, list[Coverage]]:
    """The coverage of each lane of some runs, for every rank and strength."""
    of_lane: dict[str, list[Record]] = defaultdict(list)
    for run in runs:
        if run.header.suite not in (CLAIMS, PORTS):
            of_lane[run.header.lane] += run.records
    return {
        lane: [coverage(records, rank, strength) for rank in RANKS for strength in STRENGTHS]
        for lane, records in progress(sorted(of_lane.items()), "coverage", "lanes")
    }


def coverage(records: Sequence[Record], rank: int, strength: int) -> Coverage:
    """The coverage of a lane's records of one rank."""
    levels, codes, valid, chosen, every = space = _space(rank, strength)
    seen = {kind: codes.seen(_rows(those, levels)) for kind, those in _by_kind(records, rank).items()}
    left = ~seen.pop(ANSWERED, np.zeros(len(valid), np.bool_))
    counts, absent = {ANSWERED: int((~left & valid).sum())}, {}
    for reason in ("refused", "unsupported", "failed"):
        absent[reason] = left & valid & seen.get(reason, np.zeros(len(valid), np.bool_))
        left = left & ~absent[reason]
    absent["left out"], absent["missing"] = left & valid & ~chosen, left & chosen
    absent["invalid"] = every & ~valid
    counts |= {reason: int(absent[reason].sum()) for reason in REASONS}
    names = [*Axis._fields] * rank + [*Shared._fields]
    worst = {reason: _worst(absent[reason], codes, names) for reason in REASONS}
    named = {reason: _named(absent[reason], space, rank) if counts[reason] <= NAMED else () for reason in REASONS}
    return Coverage(rank, strength, counts, worst, named)


class _Space(NamedTuple):
    """All combinations of a strength: each column's levels, and which codes are valid, chosen, and there at all."""

    levels: Sequence[Sequence[int]]
    codes: Codes
    valid: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    every: NDArray[np.bool_]


@cache
def _space(rank: int, strength: int) -> _Space:
    columns = np.array(list(combinations(range(rank * len(Axis._fields) + len(Shared._fields)), strength)))
    axes, shared = levels_of(SPACE)
    levels = [*axes[rank]] * rank + [*shared]
    codes = Codes(columns, 1 + max(map(len, levels)))
    flags = constant(f"coverage-{rank}-{strength}", lambda: _flags(rank, levels, codes))
    return _Space(levels, codes, *np.frombuffer(flags, np.bool_).reshape(3, -1))


def _flags(rank: int, levels: Sequence[Sequence[int]], codes: Codes) -> bytes:
    """Which codes are valid, then which are chosen, then which are there at all: a byte each."""
    units = [_units(rank, chosen=chosen) for chosen in (False, True)]
    return b"".join(flags.tobytes() for flags in (*(achievable(those, codes) for those in units), codes.all(levels)))


def _by_kind(records: Sequence[Record], rank: int) -> Mapping[str, list[Problem]]:
    """The problems of a rank that were answered, refused, and so on; each once."""
    examples: dict[str, dict[str, Problem]] = defaultdict(dict)
    for record in records:
        problem = problem_of(record)
        if problem.rank == rank:
            examples[_KIND.get(record.verdict, "failed")][record.problem] = problem
    return {kind: list(problems.values()) for kind, problems in examples.items()}


def _rows(problems: Sequence[Problem], levels: Sequence[Sequence[int]]) -> Rows:
    """Numbers of levels, -1 for a value that is none of a parameter's, (problems, columns)."""
    values = [[value for axis in range(problem.rank) for value in of_axis(problem, axis)] + [*of_shared(problem)]
              for problem in problems]  # fmt: skip
    numbers = [{value: number for number, value in enumerate(every)} for every in levels]
    rows = [[number.get(value, -1) for number, value in zip(numbers, row, strict=True)] for row in values]
    return np.array(rows, np.int64).reshape(-1, len(levels))


def _units(rank: int, *, chosen: bool) -> list[Rows]:
    """The valid combinations of an axis and of what axes share, as numbers of levels; the chosen ones, if asked."""
    shared = levels_of(SPACE).shared
    return [_axes(rank)] * rank + [_numbered(shared_combinations(shared, chosen=chosen), shared)]


@cache
def _axes(rank: int) -> Rows:
    """The valid combinations of an axis, as numbers of levels; asked for by every space of the rank."""
    axis = levels_of(SPACE).axes[rank]
    return _numbered(axis_combinations(axis), axis)


def _numbered(rows: Sequence[Sequence[int]], levels: Sequence[Sequence[int]]) -> Rows:
    return np.array([[list(every).index(value) for every, value in zip(levels, row, strict=True)] for row in rows])


def _worst(absent: NDArray[np.bool_], codes: Codes, names: Sequence[str]) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for columns, count in zip(codes.columns, absent.reshape(len(codes.columns), -1).sum(axis=1), strict=True):
        if count:
            counts[" x ".join(sorted(names[column] for column in columns))] += int(count)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _named(absent: NDArray[np.bool_], space: _Space, rank: int) -> tuple[str, ...]:
    """Combinations with their values, such as "op 2 on axis 1, in_channels 3"."""
    every = (space.codes.levels(int(code)) for code in np.flatnonzero(absent))
    return tuple(
        ", ".join(f"{_name(column, rank)[0]} {space.levels[column][level]}{_name(column, rank)[1]}"
                  for column, level in combination.items())
        for combination in every
    )  # fmt: skip


def _name(column: int, rank: int) -> tuple[str, str]:
    """The parameter of a column, and on which axis, where there are several."""
    axis, at = divmod(column, len(Axis._fields))
    if axis >= rank:
        return Shared._fields[column - rank * len(Axis._fields)], ""
    return Axis._fields[at], f" on axis {axis}" if rank > 1 else ""


def table(lane: str, parts: Sequence[Coverage]) -> Iterator[str]:
    """A lane's coverage, a rank and strength a row, as Markdown, and what is absent most by reason."""
    yield f"| {lane} | {ANSWERED} | " + " | ".join(REASONS) + " |"
    yield "|---|" + "---:|" * (1 + len(REASONS))
    for part in parts:
        numbers = " | ".join(f"{part.counts[reason]:,}" for reason in (ANSWERED, *REASONS))
        yield f"| {part.rank}-D, {part.strength}-way | {numbers} |"
    for part in parts:
        for reason in [*REASONS][:-1]:
            named = ", ".join(f"{name} ({count:,})" for name, count in part.worst[reason][:3])
            if named:
                yield f"  {part.rank}-D, {part.strength}-way, {reason}: mostly {named}"
