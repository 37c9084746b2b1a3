"""Whether calls became slower from one build to another, by pairs of times that were taken one after the other.

A pair's ratio is free of all that the machine does for longer than a pair takes. Of how times vary nothing is assumed:
where the middle ratio is no more than `LEAST`, each is above that with a probability of one half at most, so that the
number of those above is bounded by tosses of a coin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

LEAST = 1.2
"""The ratio that has to be exceeded: two processes of one build differ by less, such as for where memory lies."""
SUSPICIOUS = 1.15
"""The ratio beyond which a few pairs ask for more."""
APART = 1.1
"""The ratio that the least times have to exceed."""
LEAST_PROCESSES, CONTRARY = 3, 1 / 4
"""How many new pairs of processes have to say that a call moved, and which share of them may say the contrary."""
CHANCE = 1e-6
"""What a false alarm may come by, for one case that is looked at once; a run has some 50, looked at four times."""


@dataclass(frozen=True, slots=True)
class Times:
    """What a call takes in two builds, in seconds, and by which factor it moved; 1 where that is not beyond chance."""

    old: float
    new: float
    factor: float = 1.0


def is_suspect(ratios: Sequence[float]) -> bool:
    """Whether ratios ask for more of them, taken anew, since their middle is beyond `SUSPICIOUS`."""
    return not 1 / SUSPICIOUS <= median(ratios) <= SUSPICIOUS


def is_open(samples: Sequence[Sequence[float]]) -> bool:
    """Whether more ratios may still say that a call moved: they do in their middle, and not yet beyond chance."""
    return factor(samples) == 1 and is_suspect([ratio for ratios in samples for ratio in ratios])


def factor(samples: Sequence[Sequence[float]]) -> float:
    """By which factor a call moved, from the ratios of each pair of processes; 1 where chance can do the same.

    The middle pair of processes has to say so, few others may say the contrary, and all ratios together have to be
    beyond `CHANCE`.
    """
    together = [ratio for ratios in samples for ratio in ratios]
    for ratios in (samples, [[1 / ratio for ratio in part] for part in samples]):
        middles = [median(part) for part in ratios]
        contrary = sum(middle <= 1 for middle in middles)
        agreed = len(middles) >= LEAST_PROCESSES and contrary <= CONTRARY * len(middles) and median(middles) > LEAST
        if agreed and chance([ratio for part in ratios for ratio in part]) < CHANCE:
            return median(together)
    return 1.0


def times(old: Sequence[float], new: Sequence[float], moved: float) -> Times:
    """What a call takes at least, and the factor that its ratios say, where the least times moved that way as well.

    On a busy machine what two processes wait for is CPU time, too, and one of them may wait for longer than all its
    pairs take. A call that takes longer for itself does so at its best.
    """
    least = min(old), min(new)
    apart = max(least[1] / least[0], 1.0) if moved > 1 else max(least[0] / least[1], 1.0)
    return Times(*least, moved if apart > APART else 1.0)


def chance(ratios: Sequence[float]) -> float:
    """How likely it is at most that so many are above `LEAST` where their middle is not."""
    above, count = sum(ratio > LEAST for ratio in ratios), len(ratios)
    return sum(comb(count, each) for each in range(above, count + 1)) / 2.0**count
