"""The calls of two builds timed in turn, each by a lane process in its own environment.

First a few pairs of every case; what looks slower or faster then is measured again, by new processes. So a run in which
nothing moved is short, and one that says that something did rests on measurements that did not raise the suspicion.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from conformance.adapters.base import Lane
from conformance.processes import wire
from conformance.processes.wire import ViolationError
from conformance.regression import side_by_side
from conformance.regression.side_by_side import Times, factor, is_open, is_suspect
from conformance.runner.outside.channel import START, Channel, DiedError, trusted

LANE = "conformance.runner.pace.lane"
PAIRS = 7
"""Pairs of every case at first."""
AGAIN, PAIRS_AGAIN = 5, 18
"""How many new pairs of processes measure what is suspect at most, and how many pairs of times each takes."""
SAMPLE = 0.004
"""Seconds that a sample takes at least, of as many calls as that needs; the quickest counts."""
LEAST_CALLS, MOST_CALLS = 2, 64
LIMIT = 600.0
"""Seconds that a sample may take, as long as a process of the machine's gets nothing to do."""


class PaceError(ValueError):
    """A lane process that cannot be timed; the message says which, and why."""


class Asked(NamedTuple):
    """A case of a suite in a dtype."""

    suite: str
    case: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of two builds: a lane, the interpreter that has it, and the environment variables that it is started with."""

    lane: Lane
    python: str
    variables: Mapping[str, str]


Sides = tuple[Side, Side]


def measure(sides: Sides, cases: Sequence[Asked], say: Callable[[str], None]) -> dict[Asked, Times]:
    """What each case takes in two builds, and by which factor it moved. Raises PaceError."""
    with _clocks(sides) as clocks:
        times = {asked: _pairs(clocks, asked, PAIRS) for asked in cases}
    again: dict[Asked, list[list[float]]] = {asked: [] for asked, pairs in times.items() if is_suspect(_ratios(pairs))}
    for _ in range(AGAIN):
        suspects = [asked for asked, samples in again.items() if not samples or is_open(samples)]
        if not suspects:
            break
        say(f"{sides[0].lane}: {len(suspects)} of {len(cases)} timed again, by new processes")
        with _clocks(sides) as clocks:
            for asked in suspects:
                pairs = _pairs(clocks, asked, PAIRS_AGAIN)
                times[asked] += pairs
                again[asked].append(_ratios(pairs))
    return {
        asked: side_by_side.times(
            [old for old, _ in pairs], [new for _, new in pairs], factor(again[asked]) if asked in again else 1.0
        )
        for asked, pairs in times.items()
    }


Pair = tuple[float, float]


def _ratios(pairs: Sequence[Pair]) -> list[float]:
    return [new / old for old, new in pairs]


def _pairs(clocks: Sequence["_Clock"], asked: Asked, count: int) -> list[Pair]:
    """Pairs of times of a call, whichever of the builds goes first taking turns."""
    for clock in clocks:
        clock.seconds(asked, 1)  # what is compiled, allocated and read for the first time
    calls = min(MOST_CALLS, max(LEAST_CALLS, ceil(SAMPLE / max(clocks[0].seconds(asked, 1), 1e-6))))
    pairs = []
    for number in range(count):
        order = (0, 1) if number % 2 else (1, 0)
        taken = {at: clocks[at].seconds(asked, calls) for at in order}
        pairs.append((taken[0], taken[1]))
    return pairs


class _Clock:
    """A lane process that says how long calls take."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._channel = Channel(trusted(LANE, side.python, side.variables))

    def start(self) -> None:
        """Wait for its framework. Raises PaceError."""
        lane = self._side.lane
        try:
            self._channel.ask(wire.encode(wire.Start(lane.framework, lane.variant)), START)
            wire.started(self._channel.message()[0])
            self._channel.require_ready()
        except (DiedError, ViolationError) as error:
            raise PaceError(f"{lane}: its lane process does not start in {self._side.python}: {error}") from None

    def seconds(self, asked: Asked, calls: int) -> float:
        """What a call takes, as the least of so many. Raises PaceError."""
        try:
            self._channel.ask(wire.encode(wire.Timed(*asked, calls)), LIMIT)
            said, _ = self._channel.message()
            self._channel.require_ready()
        except (DiedError, ViolationError) as error:
            raise PaceError(f"{self._side.lane}: {asked.case} cannot be timed: {error}") from None
        return max(min(map(float, said["seconds"])), 1e-9)

    def end(self) -> None:
        """End the process."""
        self._channel.end()


@contextmanager
def _clocks(sides: Sides) -> Iterator[list[_Clock]]:
    """Lane processes of both builds, started together."""
    clocks: list[_Clock] = []
    try:
        for side in sides:
            clocks.append(_Clock(side))
        for clock in clocks:
            clock.start()
        yield clocks
    finally:
        for clock in clocks:
            clock.end()
