"""What the report is handed about modes of execution."""

from collections.abc import Sequence
from typing import NamedTuple


class Asked(NamedTuple):
    """How many calls of a suite a lane made in a mode, and how many of them were as in eager execution."""

    lane: str
    suite: str
    mode: str
    dtype: str
    asked: int
    as_eager: int


class Otherwise(NamedTuple):
    """What a mode did otherwise than eager execution, how often, and why; without a `reason` nobody stated it.

    `smallest` is the problem with the fewest products that shows it, and `said` what a refusal said there.
    """

    lane: str
    mode: str
    dtype: str
    does: str
    calls: int
    smallest: str
    said: str
    reason: str
    command: str


class Modes(NamedTuple):
    """All that was seen of modes."""

    asked: Sequence[Asked]
    otherwise: Sequence[Otherwise]
