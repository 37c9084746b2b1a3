"""Which small misreading of a problem gives an array exactly: "taps reversed on axis 0, window (2, 1) for (1, 2)".

A misreading is up to three statements. All but the window are tried; the window that would then explain the array is
not tried but found, by laying the array over the whole stamp in every position. Only exact equality explains.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.compare import measure_deviation
from conformance.data import Arrays
from conformance.problem import Problem, Window

Array = NDArray[Any]
Index = tuple[Any, ...]

MOST_STATEMENTS = 3
LARGEST_STAMP = 200_000
"""Elements of the widened stamp above which an array is not searched for."""


class DiagnosisError(ValueError):
    """Arrays that are not of the problem they are said to be of; the message says what they must be."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A problem with its operands as some framework may have read them."""

    problem: Problem
    x: Array
    weight: Array
    bias: Array | None


Change = Callable[[Reading], Reading]
ArrayChange = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Statement:
    """One way to misread: `family` is what it misreads, and a diagnosis has at most one statement of each."""

    family: str
    text: str
    change: Change


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Statements that together give an array exactly, and the window at which they do."""

    statements: tuple[str, ...]
    window: Window

    def __str__(self) -> str:
        return "equals the oracle with " + " and ".join(self.statements) if self.statements else "equals the oracle"


def diagnose(problem: Problem, arrays: Arrays, actual: Array) -> tuple[Diagnosis, ...]:
    """Every smallest diagnosis of an array, simplest first; none where nothing tried explains it.

    `actual` is (batch, channels, *output) with as many axes as the problem; its extents may be any. Several diagnoses
    of one size mean that the data cannot tell them apart. Raises DiagnosisError where operands do not fit the problem.
    """
    _require_shapes(problem, arrays)
    if actual.ndim != problem.rank + 2 or actual.shape[:2] != problem.output_shape[:2]:
        return ()
    reading = Reading(problem, *map(_exact, arrays))
    statements = list(_statements(problem))
    for size in range(MOST_STATEMENTS + 1):
        found = [
            each
            for count in (size, size - 1)
            if count >= 0
            for each in _of_size(reading, statements, count, size, actual)
        ]
        if found:
            return tuple(dict.fromkeys(found))
    return ()


def difference(problem: Problem, arrays: Arrays, actual: Array) -> str:
    """Where and how an array differs from the expected one, in words."""
    _require_shapes(problem, arrays)
    expected = oracle.expected(problem, *map(_exact, arrays)).astype(actual.dtype)
    deviation = measure_deviation(actual, expected)
    return deviation.message if deviation else "nothing differs"


def _exact(array: Array | None) -> Any:
    """Floats in float64, so that the stamp is not rounded to a narrower type; None as it is."""
    return array if array is None or array.dtype.kind in "iu" else array.astype(np.float64)


def _require_shapes(problem: Problem, arrays: Arrays) -> None:
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape if problem.bias else None)
    for name, array, shape in zip(Arrays._fields, arrays, shapes, strict=True):
        actual = None if array is None else array.shape
        if actual != shape:
            raise DiagnosisError(f"{name} is {actual}, '{problem}' takes {shape}: give that, or another descriptor")


def _of_size(
    reading: Reading, statements: list[Statement], count: int, size: int, actual: Array
) -> Iterator[Diagnosis]:
    """Diagnoses of `count` statements, and a window beside them where that makes `size`."""
    for chosen in combinations(statements, count):
        if len({each.family for each in chosen}) < count:
            continue
        read = reading
        for each in chosen:
            read = each.change(read)
        claimed = reading.problem.window
        for window in windows(read, actual):
            moved = window != claimed
            if count + moved == size:
                texts = tuple(each.text for each in chosen)
                yield Diagnosis((*texts, _moved(window, claimed)) if moved else texts, window)


def windows(reading: Reading, actual: Array) -> Iterator[Window]:
    """Every window of a reading's stamp that equals the array, the nearest to the claimed one first."""
    problem, out = reading.problem, actual.shape[2:]
    margins = [max(o, -lo, -hi) for o, (lo, hi) in zip(out, problem.window, strict=True)]  # the claimed one is inside
    wide = replace(problem, pads=tuple((-m, -m) for m in margins), output_padding=(0,) * problem.rank)
    if actual.size == 0 or min(problem.full) < 1 or prod(wide.output_shape) > LARGEST_STAMP:
        return
    stamp = oracle.expected(wide, reading.x, reading.weight, reading.bias)
    claimed = [lo for lo, _ in problem.window]
    lows = (tuple(at - m for at, m in zip(place, margins, strict=True)) for place in _places(stamp, actual))
    for low in sorted(lows, key=lambda low: sum(abs(lo - claim) for lo, claim in zip(low, claimed, strict=True))):
        yield tuple((lo, full - o - lo) for lo, full, o in zip(low, problem.full, out, strict=True))


def _places(stamp: Array, actual: Array) -> Iterator[list[int]]:
    """Where in the stamp the array lies: first where its largest element fits, then where all of it does."""
    batch, channel, *anchor = np.unravel_index(np.abs(actual).argmax(), actual.shape)
    room: Index = tuple(
        slice(at, at + wide - o + 1) for at, wide, o in zip(anchor, stamp.shape[2:], actual.shape[2:], strict=True)
    )
    fits = stamp[batch, channel][room] == actual[(batch, channel, *anchor)]
    for place in np.argwhere(fits).tolist():
        region: Index = (..., *(slice(at, at + o) for at, o in zip(place, actual.shape[2:], strict=True)))
        if np.array_equal(stamp[region], actual):
            yield place


def _moved(window: Window, claimed: Window) -> str:
    return f"window {_ends(window)} for {_ends(claimed)}"


def _ends(window: Window) -> str:
    return " x ".join(map(str, window))


def _statements(problem: Problem) -> Iterator[Statement]:
    """Every statement that would change this problem's answer."""
    return chain(_taps(problem), _channels(problem), _geometry(problem), _bias(problem), _order(problem))


def _taps(problem: Problem) -> Iterator[Statement]:
    long = [axis for axis, k in enumerate(problem.kernel) if k > 1]
    for count in range(1, len(long) + 1):
        for axes in combinations(long, count):
            flip = partial(np.flip, axis=tuple(axis + 2 for axis in axes))
            yield Statement("taps", f"taps reversed on {_axes(axes)}", _weight(flip))
    for axis in long:
        for name, tap in (("first", 0), ("last", -1)):
            yield Statement("taps", f"the {name} tap lost on axis {axis}", _weight(partial(_without, axis + 2, tap)))
    for a, b in combinations(long, 2):
        if problem.kernel[a] == problem.kernel[b]:
            swap = partial(np.swapaxes, axis1=a + 2, axis2=b + 2)
            yield Statement("taps", f"kernel axes {a} and {b} swapped", _weight(swap))


def _channels(problem: Problem) -> Iterator[Statement]:
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    if ic == oc > 1:
        text = "in and out channels of the weight swapped"
        yield Statement("channels", text, _grouped(problem, lambda w: w.swapaxes(1, 2)))
    if g > 1:
        yield Statement("channels", "groups in reverse order", _grouped(problem, lambda w: w[::-1]))
    if g > 1 and ic > 1:
        yield Statement("channels", "in channels dealt to groups in turn", _x(lambda x: _dealt(x, g)))
    if g * ic > 1:
        yield Statement("channels", "in channels in reverse order", _x(lambda x: x[:, ::-1]))
    if oc > 1:
        yield Statement("channels", "out channels in reverse order", _grouped(problem, lambda w: w[:, :, ::-1]))


def _geometry(problem: Problem) -> Iterator[Statement]:
    ones = (1,) * problem.rank
    if problem.dilation != ones:
        yield Statement("dilation", "dilation ignored", _problem(dilation=ones))
    if problem.stride != ones:
        yield Statement("stride", "stride ignored", _problem(stride=ones))
    if problem.stride != problem.dilation:
        swap = _problem(stride=problem.dilation, dilation=problem.stride)
        yield Statement("stride", "stride and dilation swapped", swap)
    for name in ("stride", "dilation"):
        values = getattr(problem, name)
        if values != values[::-1]:
            yield Statement(name, f"{name} in reverse order of axes", _problem(**{name: values[::-1]}))


def _bias(problem: Problem) -> Iterator[Statement]:
    if problem.bias:
        yield Statement("bias", "bias ignored", lambda reading: replace(reading, bias=None))
        yield Statement("bias", "bias added twice", _bias_as(lambda bias: 2 * bias))
        if problem.groups * problem.out_channels > 1:
            yield Statement("bias", "bias in reverse order", _bias_as(lambda bias: bias[::-1]))


def _order(problem: Problem) -> Iterator[Statement]:
    if problem.batch > 1:
        yield Statement("batch", "batch in reverse order", _x(lambda x: x[::-1]))
        yield Statement("batch", "the first of the batch for all", _x(lambda x: np.broadcast_to(x[:1], x.shape)))
    for axis, extent in enumerate(problem.input):
        if extent > 1:
            yield Statement("input", f"input reversed on axis {axis}", _x(partial(np.flip, axis=axis + 2)))


def _weight(change: ArrayChange) -> Change:
    return lambda reading: replace(reading, weight=change(reading.weight))


def _x(change: ArrayChange) -> Change:
    return lambda reading: replace(reading, x=change(reading.x))


def _bias_as(change: ArrayChange) -> Change:
    return lambda reading: reading if reading.bias is None else replace(reading, bias=change(reading.bias))


def _problem(**fields: Any) -> Change:
    return lambda reading: replace(reading, problem=replace(reading.problem, **fields))


def _grouped(problem: Problem, change: ArrayChange) -> Change:
    """A change of the weight as (groups, in, out, *kernel)."""
    shape = (problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    return _weight(lambda weight: change(weight.reshape(shape)).reshape(weight.shape))


def _dealt(x: Array, groups: int) -> Array:
    """Channels taken as if channel c belonged to group c % groups."""
    return x.reshape(x.shape[0], -1, groups, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def _without(axis: int, tap: int, weight: Array) -> Array:
    """The weight with one tap of an axis set to zero."""
    weight = weight.copy()
    np.moveaxis(weight, axis, 0)[tap] = 0
    return weight


def _axes(axes: tuple[int, ...]) -> str:
    return ("axis " if len(axes) == 1 else "axes ") + " and ".join(map(str, axes))
