"""Which lanes agree: for every two of them, the cases that both answered, and how many of those alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from conformance.records.record import Key, Run, SubjectKind


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
