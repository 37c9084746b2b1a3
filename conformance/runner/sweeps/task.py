"""What a block is asked and answered by: plain values, which any engine can send to another machine."""

from typing import Literal

from msgspec import Struct

from conformance.adapters.base import Lane

Keep = Literal["all", "notable"]
"""Which records are kept: all, or those alone that do not conform."""


class SweepError(ValueError):
    """A sweep that cannot be begun or go on; the message says what would help. Nothing that is done is lost."""


class Sweep(Struct, frozen=True):
    """What a sweep is about: the levels of a space with the seed of its order, a lane, a dtype, and a pass."""

    space: str
    seed: int
    framework: str
    variant: str
    dtype: str
    keep: Keep = "notable"
    direction: str = "forward"

    @property
    def lane(self) -> Lane:
        return Lane(self.framework, self.variant)


class Task(Struct, frozen=True):
    """A block of a sweep: the problems from the number `start` to before `stop`."""

    sweep: Sweep
    start: int
    stop: int


class Swept(Struct, frozen=True):
    """What came of a block: how many records of each verdict, the digest of all of them, and those that are kept.

    `kept` are lines. `deaths` is how often a lane process died. The environment, the oracle's digest and the machine
    are those that it ran with.
    """

    start: int
    stop: int
    verdicts: dict[str, int]
    digest: str
    kept: bytes
    deaths: int
    environment: dict[str, str]
    machine: dict[str, str]
    oracle: str
