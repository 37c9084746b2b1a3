"""The calls of two builds timed in turn, each by a lane process in its own environment.

First a few pairs of every case, and some more of what looks slower or faster. What still does is measured again, by new
processes. So a run in which nothing moved is short, and one that says that something did rests on measurements that did
not raise the suspicion.
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
PAIRS, QUICK_PAIRS, QUICK = 3, 9, 0.01
"""Pairs of every case at first; more of one that is quicker than so many seconds, since it varies more."""
MORE_PAIRS = (4, 8)
"""How many more pairs of what is suspect then, and of what still is."""
AGAIN, PAIRS_AGAIN = 8, 12
"""How many new pairs of processes measure what is suspect at most, and how many pairs of times each takes."""
SAMPLE, SAMPLE_AGAIN = 0.004, 0.02
"""Seconds that a sample takes at least, at first and of what is suspect, of as many calls as that needs; the quickest
counts, and the more there are, the less the others tell of what else the machine did."""
MOST_CALLS, FIRST = 64, 5
"""Calls of a sample at most, and by how many times the first call may be longer than the others."""
PLACING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16)}
"""By this glibc gives a large array pages of its own. Else it lies as what was freed before left room, and two copies
of one build were seen to differ by 1.4 for that alone."""
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
        times = {asked: _screened(clocks, asked) for asked in cases}
    again: dict[Asked, list[list[float]]] = {asked: [] for asked, pairs in times.items() if is_suspect(_ratios(pairs))}
    for number in range(AGAIN):
        suspects = [asked for asked, samples in again.items() if not samples or is_open(samples)]
        if not suspects:
            break
        say(f"{sides[0].lane}: {len(suspects)} of {len(cases)} timed again, by new processes")
        with _clocks(sides, turned=number % 2 == 0) as clocks:
            for asked in suspects:
                pairs = _pairs(clocks, asked, PAIRS_AGAIN, SAMPLE_AGAIN)
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


def _screened(clocks: Sequence["_Clock"], asked: Asked) -> list[Pair]:
    """The first pairs of a call, and more as long as they are suspect."""
    pairs = _pairs(clocks, asked)
    for count in MORE_PAIRS:
        if not is_suspect(_ratios(pairs)):
            break
        pairs += _pairs(clocks, asked, count)
    return pairs


def _pairs(clocks: Sequence["_Clock"], asked: Asked, count: int = 0, sample: float = SAMPLE) -> list[Pair]:
    """Pairs of times of a call, whichever of the builds goes first taking turns; by default as many as it is long."""
    for clock in clocks:
        clock.ask(asked, 1)  # what is compiled, allocated and read for the first time: by both at once
    long = max([clock.taken(asked) for clock in clocks])
    if long < FIRST * SAMPLE:
        long = clocks[0].seconds(asked, 1)
    calls = min(MOST_CALLS, ceil(sample / long))
    pairs = []
    for number in range(count or (PAIRS if long > QUICK else QUICK_PAIRS)):
        order = (0, 1) if number % 2 else (1, 0)
        taken = {at: clocks[at].seconds(asked, calls) for at in order}
        pairs.append((taken[0], taken[1]))
    return pairs


class _Clock:
    """A lane process that says how long calls take."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._channel = Channel(trusted(LANE, side.python, {**side.variables, **PLACING}))

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
        self.ask(asked, calls)
        return self.taken(asked)

    def ask(self, asked: Asked, calls: int) -> None:
        """Ask for the times of so many calls. Raises PaceError."""
        with self._named(asked):
            self._channel.ask(wire.encode(wire.Timed(*asked, calls)), LIMIT)

    def taken(self, asked: Asked) -> float:
        """The least of the times that were asked for. Raises PaceError."""
        with self._named(asked):
            said, _ = self._channel.message()
            self._channel.require_ready()
        return max(min(map(float, said["seconds"])), 1e-9)

    @contextmanager
    def _named(self, asked: Asked) -> Iterator[None]:
        try:
            yield
        except (DiedError, ViolationError) as error:
            raise PaceError(f"{self._side.lane}: {asked.case} cannot be timed: {error}") from None

    def end(self) -> None:
        """End the process."""
        self._channel.end()


@contextmanager
def _clocks(sides: Sides, *, turned: bool = False) -> Iterator[list[_Clock]]:
    """Lane processes of both builds, started together, the new one first if `turned`."""
    clocks: list[_Clock] = []
    try:
        for side in reversed(sides) if turned else sides:
            clocks.append(_Clock(side))
        for clock in clocks:
            clock.start()
        yield clocks[::-1] if turned else clocks
    finally:
        for clock in clocks:
            clock.end()
