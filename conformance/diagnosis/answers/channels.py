"""What can have been done to each out channel of a right answer: a factor, or a factor and an offset.

Both are taken from the array, so that what they are off by counts among what rounding can do.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.kept import Kept, Rounded, Sums

Array = NDArray[Any]

LEAST, CLEAR = 8, 256
"""Values that a channel has at least, each so many times larger than what rounding can do."""
FEW = 6
"""Numbers that are listed."""
ROUNDINGS = 4
"""Of a factor, a product, an offset and a sum."""


class _Line(NamedTuple):
    """A factor and an offset, and how far each can be off."""

    factor: float
    offset: float
    unsure: tuple[float, float]


def of_each_channel(actual: Array, kept: Kept, right: Sums) -> Iterator[tuple[str, Sums]]:
    """What can have been done to every channel, with the sums that it then has."""
    if not isinstance(kept, Rounded) or actual.shape[1] < 2 or not np.isfinite(actual).all():
        return
    if 2 * np.count_nonzero(~kept.fits(actual, right)) <= actual.size:
        return  # what is done to every value leaves few of them right
    within, magnitudes = (np.broadcast_to(part, actual.shape) for part in (right.within, right.magnitudes))
    whole = right._replace(within=within, magnitudes=magnitudes)
    for said, line_of in (
        ("every out channel times a factor of its own ({0}), as by a scale of each channel", _factor),
        ("every out channel times a factor of its own ({0}) and moved by an offset ({1}), as by a batch norm", _affine),
    ):
        lines = [_line(actual, whole, channel, kept.answer.unit, line_of) for channel in range(actual.shape[1])]
        plain = [line for line in lines if line is not None]
        if len(plain) == len(lines):
            listed = _listed([line.factor for line in plain]), _listed([line.offset for line in plain])
            yield said.format(*listed), _drawn(whole, plain, kept.answer.unit)
            return


Estimate = Callable[[Array, Array, Array, float], _Line]


def _line(actual: Array, right: Sums, channel: int, unit: float, line_of: Estimate) -> _Line | None:
    """The factor and offset of a channel; None where it has none, or too few values to tell."""
    values, within, given = (part[:, channel].ravel() for part in (right.values, right.within, actual))
    if np.count_nonzero(np.abs(values) > CLEAR * within) < max(LEAST, np.count_nonzero(values) / 2):
        return None
    line = line_of(values, within, given, unit)
    if not np.isfinite(line.factor) or not line.factor:
        return None
    off = np.abs(given - line.factor * values - line.offset)
    return line if (off <= _allowed(values, within, line, unit)).all() else None


def _factor(values: Array, within: Array, given: Array, unit: float) -> _Line:
    """The quotient at the largest value."""
    at = np.abs(values).argmax()
    factor = float(given[at] / values[at])
    return _Line(factor, 0.0, (abs(factor) * (float(within[at] / abs(values[at])) + ROUNDINGS * unit), 0.0))


def _affine(values: Array, within: Array, given: Array, unit: float) -> _Line:
    """The line through the largest and the smallest value."""
    high, low = values.argmax(), values.argmin()
    apart = float(values[high] - values[low])
    if not apart:
        return _Line(np.nan, 0.0, (0.0, 0.0))
    factor = float(given[high] - given[low]) / apart
    rounding = ROUNDINGS * unit * float(abs(given[high]) + abs(given[low]))
    unsure = (abs(factor) * float(within[high] + within[low]) + rounding) / apart
    offset = float(given[high] - factor * values[high])
    return _Line(factor, offset, (unsure, abs(factor) * float(within[high]) + rounding + abs(values[high]) * unsure))


def _allowed(values: Array, within: Array, line: _Line, unit: float) -> Array:
    """How far the values of a channel can be from a line."""
    rounding = ROUNDINGS * unit * (np.abs(line.factor * values) + abs(line.offset))
    allowed: Array = abs(line.factor) * within + np.abs(values) * line.unsure[0] + line.unsure[1] + rounding
    return allowed


def _drawn(right: Sums, lines: list[_Line], unit: float) -> Sums:
    """The sums with each channel on its line."""
    channels = range(len(lines))
    values = [lines[c].factor * right.values[:, c] + lines[c].offset for c in channels]
    within = [_allowed(right.values[:, c], right.within[:, c], lines[c], unit) for c in channels]
    magnitudes = [abs(lines[c].factor) * right.magnitudes[:, c] + abs(lines[c].offset) for c in channels]
    made = (np.stack(part, axis=1) for part in (values, magnitudes, within))
    new_values, new_magnitudes, new_within = made
    return right._replace(values=new_values, magnitudes=new_magnitudes, within=new_within)


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers[:FEW]) + (", ..." if len(numbers) > FEW else "")
