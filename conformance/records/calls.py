"""The call of a record as text: an expression and the shapes of its tensors, as in `f(x, name="a with b") with x=1,2`.

The shapes are behind the last " with ", since an expression may hold one of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]

SCALAR = "()"
"""How the shape without an axis is written."""

_SHAPE = r"[^\W\d][\w.]*=(?:\d{1,18}(?:,\d{1,18})*|\(\))"
_CALL = re.compile(rf"(.+) with ({_SHAPE}(?: {_SHAPE})*)", re.DOTALL)


class RecordedCallError(ValueError):
    """Text that is no call with shapes; the message quotes it."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """An expression, and the shapes of its tensors by name."""

    text: str
    shapes: Shapes

    def __str__(self) -> str:
        return f"{self.text} with {' '.join(self.words)}"

    @property
    def words(self) -> list[str]:
        """The shapes as words, such as x=1,2."""
        return [f"{name}={','.join(map(str, shape)) or SCALAR}" for name, shape in self.shapes.items()]


def parse(call: str) -> RecordedCall:
    """The inverse of a RecordedCall's text. Raises RecordedCallError."""
    match = _CALL.fullmatch(call)
    if match is None:
        raise RecordedCallError(f"{call[:60]!r} is no call with the shapes of its tensors, as in 'f(x) with x=1,2'")
    pairs = (word.split("=") for word in match[2].split(" "))
    return RecordedCall(match[1], {name: _extents(dims) for name, dims in pairs})


def _extents(dims: str) -> tuple[int, ...]:
    return () if dims == SCALAR else tuple(map(int, dims.split(",")))
