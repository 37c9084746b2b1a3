"""How numbers are shared out between parts of different sizes: in rounds, in which each part has its share.

Once a part has been used up, the others go on in rounds without it.
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple


class _Phase(NamedTuple):
    """Numbers from `start` on: whole rounds, of which each part has `(part, first, share)`, its own first number."""

    start: int
    rounds: int
    parts: tuple[tuple[int, int, int], ...]

    @property
    def width(self) -> int:
        return sum(share for _, _, share in self.parts)

    @property
    def end(self) -> int:
        return self.start + self.rounds * self.width


class Shares:
    """The numbers of some parts, by name: each with its size, and its share of a round."""

    def __init__(self, parts: Mapping[int, tuple[int, int]]) -> None:
        self._phases = _phases(parts)
        self._starts = [phase.start for phase in self._phases]
        self.size = sum(size for size, _ in parts.values())

    def __getitem__(self, number: int) -> tuple[int, int]:
        """Which part a number is of, and its number there."""
        phase = self._phases[bisect_right(self._starts, number) - 1]
        turn, rest = divmod(number - phase.start, phase.width)
        for part, first, share in phase.parts:
            if rest < share:
                return part, first + turn * share + rest
            rest -= share
        raise IndexError(number)

    def index(self, part: int, number: int) -> int:
        """The number of a part's own number."""
        for phase in self._phases:
            before = 0
            for name, first, share in phase.parts:
                if name == part and first <= number < first + phase.rounds * share:
                    turn, rest = divmod(number - first, share)
                    return phase.start + turn * phase.width + before + rest
                before += share
        raise IndexError(number)


def _phases(parts: Mapping[int, tuple[int, int]]) -> list[_Phase]:
    """Rounds until a part has less left than its share, then what is left of it, and so on with the others."""
    phases: list[_Phase] = []
    start, used = 0, dict.fromkeys(parts, 0)
    left = dict(parts)
    while left:
        rounds = min((size - used[part]) // share for part, (size, share) in left.items())
        phase = _Phase(start, rounds, tuple((part, used[part], share) for part, (_, share) in left.items()))
        used |= {part: used[part] + rounds * share for part, (_, share) in left.items()}
        short = [part for part, (size, share) in left.items() if size - used[part] < share]
        phases.append(phase)
        start = phase.end
        for part in short:
            size, _ = left.pop(part)
            if rest := size - used[part]:
                phases.append(_Phase(start, 1, ((part, used[part], rest),)))
                start += rest
    whole = [phase for phase in phases if phase.rounds]
    assert all(one.end == other.start for one, other in pairwise(whole))
    return whole
