"""What the report is handed about earlier runs: plain values, and the sentences that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.records.record import Key

SHOWN = 10
"""Runs of a fault's history that are shown: the first, and the last of those in which it changed."""


@dataclass(frozen=True, slots=True)
class State:
    """What a case was from a run on; `flaky` where nothing else had changed."""

    started: str
    version: str
    verdict: str
    message: str
    flaky: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: of each lane and suite the first run and how many, of each case that changed all that it was."""

    starts: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    changed: Mapping[tuple[str, Key], tuple[State, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Night:
    """What a fault's cases of a lane and suite were from a run on, counted."""

    of: str
    started: str
    version: str
    counts: str


@dataclass(frozen=True, slots=True)
class Past:
    """The history of a fault: the first run of those in which a case fails so, without a break until tonight.

    `begins` is the first run that is kept at all; `nights` are those from which on a number is another.
    """

    since: str
    begins: str
    tonight: str
    nights: tuple[Night, ...]

    def __str__(self) -> str:
        if self.since == self.begins:
            return f"as long as the history goes back, which is to {day(self.begins)}"
        return "for the first time in this run" if self.since >= self.tonight else f"since {day(self.since)}"


def day(started: str) -> str:
    """A run's start, to the minute."""
    return started[:16].replace("T", " ")
