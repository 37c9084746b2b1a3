"""Which combinations of parameter levels a lane was never seen to answer, and why, from its records alone.

The levels are those that the covering cases combine: every parameter of an axis, and those that axes share. A
combination of two or three of them counts once for each choice of axes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from conformance.covering import Codes, Rows, achievable
from conformance.generate import (
    COVERING,
    SHARED,
    Axis,
    Shared,
    axis_combinations,
    of_axis,
    of_shared,
    shared_combinations,
)
from conformance.problem import Problem
from conformance.record import Record, Verdict

ANSWERED = "answered"
REASONS = ("refused", "unsupported", "failed", "left out", "missing", "invalid")
"""Why a combination has no answer; the first that holds. Nothing valid has an invalid one."""

_KIND = {
    Verdict.CONFORMS: ANSWERED, Verdict.DIVERGES: ANSWERED, Verdict.ACCEPTS_INVALID: ANSWERED,
    Verdict.INCONCLUSIVE: ANSWERED, Verdict.REJECTS: "refused", Verdict.UNSUPPORTED: "unsupported",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many combinations of a strength were answered and were not, for one rank; `worst` names what is absent.

    `worst` maps a reason to the pairs or triples of parameters, axes left out, with the most combinations of it.
    """

    rank: int
    strength: int
    counts: Mapping[str, int]
    worst: Mapping[str, Sequence[tuple[str, int]]]


def coverage(records: Sequence[Record], rank: int, strength: int) -> Coverage:
    """The coverage of a lane's records of one rank."""
    columns = np.array(list(combinations(range(rank * len(Axis._fields) + len(Shared._fields)), strength)))
    levels = [*COVERING[rank]] * rank + [*SHARED]
    codes = Codes(columns, 1 + max(map(len, levels)))
    seen = {kind: codes.seen(_rows(those, levels)) for kind, those in _by_kind(records, rank).items()}
    valid, chosen = achievable(_units(rank, chosen=False), codes), achievable(_units(rank, chosen=True), codes)
    left = ~seen.pop(ANSWERED, np.zeros(len(valid), np.bool_))
    counts, absent = {ANSWERED: int((~left & valid).sum())}, {}
    for reason in ("refused", "unsupported", "failed"):
        absent[reason] = left & valid & seen.get(reason, np.zeros(len(valid), np.bool_))
        left = left & ~absent[reason]
    absent["left out"], absent["missing"] = left & valid & ~chosen, left & chosen
    absent["invalid"] = codes.all(levels) & ~valid
    counts |= {reason: int(absent[reason].sum()) for reason in REASONS}
    names = [*Axis._fields] * rank + [*Shared._fields]
    return Coverage(rank, strength, counts, {reason: _worst(absent[reason], codes, names) for reason in REASONS})


def _by_kind(records: Sequence[Record], rank: int) -> Mapping[str, list[Problem]]:
    """The problems of a rank that were answered, refused, and so on; each once."""
    found: dict[str, dict[str, Problem]] = defaultdict(dict)
    for each in records:
        problem = Problem.parse(each.problem)
        if problem.rank == rank:
            found[_KIND.get(each.verdict, "failed")][each.problem] = problem
    return {kind: list(problems.values()) for kind, problems in found.items()}


def _rows(problems: Sequence[Problem], levels: Sequence[Sequence[int]]) -> Rows:
    """Numbers of levels, -1 for a value that is none of a parameter's, (problems, columns)."""
    values = [[value for axis in range(each.rank) for value in of_axis(each, axis)] + [*of_shared(each)]
              for each in problems]  # fmt: skip
    numbers = [{value: number for number, value in enumerate(every)} for every in levels]
    rows = [[number.get(value, -1) for number, value in zip(numbers, row, strict=True)] for row in values]
    return np.array(rows, np.int64).reshape(-1, len(levels))


def _units(rank: int, *, chosen: bool) -> list[Rows]:
    """The valid combinations of an axis and of what axes share, as numbers of levels; the chosen ones, if asked."""
    axes = _numbered(axis_combinations(COVERING[rank]), COVERING[rank])
    return [axes] * rank + [_numbered(shared_combinations(SHARED, chosen=chosen), SHARED)]


def _numbered(rows: Sequence[Sequence[int]], levels: Sequence[Sequence[int]]) -> Rows:
    return np.array([[list(every).index(value) for every, value in zip(levels, row, strict=True)] for row in rows])


def _worst(absent: NDArray[np.bool_], codes: Codes, names: Sequence[str]) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for columns, count in zip(codes.columns, absent.reshape(len(codes.columns), -1).sum(axis=1), strict=True):
        if count:
            counts[" x ".join(sorted(names[column] for column in columns))] += int(count)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def table(lane: str, found: Sequence[Coverage]) -> Iterator[str]:
    """A lane's coverage, a rank and strength a row, as Markdown, and what is absent most by reason."""
    yield f"| {lane} | {ANSWERED} | " + " | ".join(REASONS) + " |"
    yield "|---|" + "---:|" * (1 + len(REASONS))
    for each in found:
        numbers = " | ".join(f"{each.counts[reason]:,}" for reason in (ANSWERED, *REASONS))
        yield f"| {each.rank}-D, {each.strength}-way | {numbers} |"
    for each in found:
        for reason in REASONS[:-1]:
            named = ", ".join(f"{name} ({count:,})" for name, count in each.worst[reason][:3])
            if named:
                yield f"  {each.rank}-D, {each.strength}-way, {reason}: mostly {named}"
