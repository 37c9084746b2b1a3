"""A worker's pulse: whether it is at work, on which piece, and for how long it may be, in a file for who watches it."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_BEAT = struct.Struct(">Qd")


class Beat(NamedTuple):
    """A number that goes up when a piece of work begins and when it ends: odd while at work.

    `seconds`, unless 0, is what this piece may take.
    """

    number: int = 0
    seconds: float = 0.0


class Pulse:
    """The beats of this process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self._count = 0
        self._tell()

    @contextmanager
    def at_work(self, seconds: float = 0.0) -> Iterator[None]:
        """A piece of work that may take so many seconds, or as many as any other."""
        self._tell(1, seconds)
        try:
            yield
        finally:
            self._tell(1)

    def _tell(self, more: int = 0, seconds: float = 0.0) -> None:
        self._count += more
        os.pwrite(self._file, _BEAT.pack(self._count, seconds), 0)


def read_pulse(path: Path) -> Beat:
    """The beat as it is now; the first one where there is none yet."""
    try:
        return Beat(*_BEAT.unpack(path.read_bytes()))
    except (OSError, struct.error):
        return Beat()
