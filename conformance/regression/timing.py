"""Whether a case became slower or faster: only where the best of its times moved by more than one build varies.

The noise is measured, not assumed: the repetitions of each build are dealt into two halves, and the largest ratio
between the best times of the halves, over all cases, is what can happen without a change. A machine that was slower
throughout one of the two builds moves the middle of all ratios, which is taken out. With fewer than two runs of either
build nothing is known of the noise, and so nothing is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

SHORTEST = 1e-6
"""Seconds that a clock tells apart."""


@dataclass(frozen=True, slots=True)
class Pace:
    """By how much cases moved, by their number, 2 for twice as slow; beyond `noise` and apart from `drift`.

    `drift` is the middle ratio of all cases, which the machine may have had its part in.
    """

    noise: float
    drift: float
    moved: Mapping[int, float]


def measure_pace(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> Pace | None:
    """Of the times that each case took in the runs of two builds; None where either build ran only once."""
    timed = [
        at for at, (a, b) in enumerate(zip(old, new, strict=True)) if min(len(a), len(b)) > 1 and min(*a, *b) > SHORTEST
    ]
    if not timed:
        return None
    noise = max(_ratio_of_halves(times[at]) for times in (old, new) for at in timed)
    ratios = {at: min(new[at]) / min(old[at]) for at in timed}
    drift = median(ratios.values())
    moved = {at: ratio / drift for at, ratio in ratios.items() if not 1 / noise <= ratio / drift <= noise}
    return Pace(noise, drift, moved)


def _ratio_of_halves(times: Sequence[float]) -> float:
    """The ratio of the best times of two halves, 1 or more."""
    a, b = min(times[::2]), min(times[1::2])
    return max(a / b, b / a)
