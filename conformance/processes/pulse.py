"""A worker's pulse: whether it is at work, and on which piece, told in a file to the one who watches it."""

import os
from pathlib import Path
from types import TracebackType

_SIZE = 8


class Pulse:
    """A count that goes up when a piece of work begins and when it ends: odd while at work."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self._count = 0
        self._tell()

    def __enter__(self) -> None:
        self._count += 1
        self._tell()

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._count += 1
        self._tell()

    def _tell(self) -> None:
        os.pwrite(self._file, self._count.to_bytes(_SIZE, "big"), 0)


def read_pulse(path: Path) -> int:
    """The count as it is now; 0 where there is none yet."""
    try:
        return int.from_bytes(path.read_bytes()[:_SIZE], "big")
    except OSError:
        return 0
