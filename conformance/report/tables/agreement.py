"""Which lanes agree: for every two of them, the cases that both answered, and how many of those alike.

Lanes that refuse the very same problems are likely to run the same kernel, and are named together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from conformance.records.record import Key, Record, Run, SubjectKind, Verdict

FEWEST = 10
"""Refusals that tell a kernel: a few in common are also those of lanes that follow the same text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lanes: the cases that both answered, how many alike to the last bit, and the first that differs, if any."""

    one: str
    other: str
    both: int
    alike: int
    first: str = ""

    @property
    def differ(self) -> int:
        return self.both - self.alike


def agreement(runs: Sequence[Run]) -> tuple[tuple[str, ...], dict[tuple[str, str], Pair]]:
    """The lanes, and each ordered pair of them. A lane's own calls are no case of another's, so that they do not count.

    An answer is compared by its fingerprint, so that a dtype or a shape counts like a value; answers that may round are
    left out.
    """
    answers: dict[str, dict[Key, str]] = {}
    for run in runs:
        answers.setdefault(run.header.lane, {}).update(
            (record.key, record.answer)
            for record in run.records
            if record.answer and record.subject is SubjectKind.PROBLEM
        )
    lanes = tuple(sorted(answers))
    pairs = {}
    for one, other in combinations(lanes, 2):
        both = answers[one].keys() & answers[other].keys()
        differing = [key for key in both if answers[one][key] != answers[other][key]]
        first = min(differing, default=("",))[0]
        pairs[one, other] = Pair(one, other, len(both), len(both) - len(differing), first)
        pairs[other, one] = Pair(other, one, len(both), len(both) - len(differing), first)
    return lanes, pairs


@dataclass(frozen=True, slots=True)
class Kin:
    """Lanes that refuse the same problems, each of which any of them refuses and all can say."""

    lanes: tuple[str, ...]
    refused: int


def kin(runs: Sequence[Run]) -> list[Kin]:
    """The lanes of several frameworks that refuse the same problems, largest group first.

    A problem counts for two lanes where both answered or refused it.
    """
    refused: dict[str, dict[Key, bool]] = {}
    for run in runs:
        refused.setdefault(run.header.lane, {}).update(
            (record.key, record.verdict is Verdict.REJECTS)
            for record in run.records
            if record.subject is SubjectKind.PROBLEM and _is_of_the_kernel(record)
        )
    groups: list[list[str]] = []
    for lane in sorted(refused):
        group = next((group for group in groups if all(_alike(refused[lane], refused[one]) for one in group)), None)
        if group is None:
            groups.append([lane])
        else:
            group.append(lane)
    several = [group for group in groups if len({lane.partition("-")[0] for lane in group}) > 1]
    found = [Kin(tuple(group), min(sum(refused[lane].values()) for lane in group)) for group in several]
    return sorted(found, key=lambda each: (-len(each.lanes), each.lanes))


def _is_of_the_kernel(record: Record) -> bool:
    return bool(record.answer) or record.verdict is Verdict.REJECTS


def _alike(one: dict[Key, bool], other: dict[Key, bool]) -> bool:
    """Whether two lanes refuse the same of what both can say, and enough of it."""
    both = one.keys() & other.keys()
    return sum(one[key] for key in both) >= FEWEST and all(one[key] == other[key] for key in both)
