"""What is right but for a part of the array, or but for an order of channels or axes that nobody named.

Rows that were never written; out channels in any order, found by laying planes over planes; in channels in any order,
found by solving for the matrix that mixes them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, permutations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.answers.axes import AXES
from conformance.diagnosis.answers.channels import of_each_channel
from conformance.diagnosis.answers.inputs import of_moved_input
from conformance.diagnosis.answers.ranges import narrowed
from conformance.diagnosis.answers.slices import FEW, listed, never_written, taken_from_another
from conformance.diagnosis.answers.slices import place as slices_in_words
from conformance.diagnosis.kept import Kept, Rounded, Sums, tells
from conformance.diagnosis.misreadings import UNSIGNED, Placing
from conformance.diagnosis.observation import Observation
from conformance.diagnosis.search import Search
from conformance.layout import DATA, spelt
from conformance.problem import Ints, Window

Array = NDArray[Any]

MOST_MIXED = 1024
"""Pairs of a weight's in channel and an input's channel up to which an order is solved for."""
OUT_OF_ORDER, IN_OUT_OF_ORDER = "out channels in another order", "in channels in another order"
"""Kinds of statements about orders, which take long to look for."""
LEAST, CLEAR = 4, 256
"""Values from which a plain factor can be told, half of all at least, and by how many times each is larger than what
rounding can do; another factor takes the square of them."""
MOST_ORDERED = 4096
"""Out channels up to which an order of them is sought."""
MOST_PARTS = 1024
"""The largest denominator of a factor that is a plain number."""


def partly_right(asked: Observation, search: Search) -> Iterator[tuple[str, Array, Sums]]:
    """Sentences that hold of an array of the right shape, each with the array and the sums that fit."""
    kept, right, actual = search.kept, search.right, asked.actual
    if right is None or not tells(kept, right):
        return
    for of_part in (_at_narrow_coordinates, _of_slices_or_values):
        if found := [*of_part(asked, kept, right)]:
            yield from found
            return
    yield from ((text, actual, sums) for text, sums in of_each_channel(actual, kept, right))
    yield from ((text, actual, sums) for text, sums in of_moved_input(asked, kept, right))
    if search.space.has(OUT_OF_ORDER) and (order := _order_of_outputs(asked, kept, right)):
        yield f"out channels in the order {listed(order)}", actual, _taken(right, order)
    if search.space.has(IN_OUT_OF_ORDER):
        for text, sums in _orders_of_inputs(asked, kept):
            yield text, actual, sums


def _of_slices_or_values(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Array, Sums]]:
    """What slices of an axis hold, and what was done to each value: zeros can be of either."""
    yield from islice(_of_slices(asked, kept, right), 1)
    yield from islice(_of_values(asked.actual, kept, right), 1)


def _of_slices(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Array, Sums]]:
    """What slices of an axis hold that is not theirs, where all the rest is right."""
    for text, written in (*never_written(asked, kept, right), *taken_from_another(asked, kept, right)):
        yield text, np.where(written, asked.actual, right.values), right


def _of_values(actual: Array, kept: Kept, right: Sums) -> Iterator[tuple[str, Array, Sums]]:
    """What was done to each value of a right answer."""
    for text, sums in (*_value_by_value(actual, kept, right), *narrowed(actual, kept, right)):
        if kept.fits(actual, sums).all():
            yield text, actual, sums


def in_another_order(asked: Observation, search: Search, given: str) -> Iterator[tuple[str, Array, Sums]]:
    """The orders of axes in which the values are the right ones: of the array, or of memory that was read otherwise.

    They are said of the array as it was given, in a layout such as "n k c".
    """
    shape, letters = asked.problem.output_shape, spelt(DATA, asked.problem.rank)
    expected = spelt(given, asked.problem.rank)
    if len(expected) != len(letters):
        expected = letters  # an axis that the call leaves out was added to the array
    if asked.actual.size != prod(shape) or asked.actual.ndim != len(shape):
        return
    if asked.actual.shape != shape:
        search = Search(replace(asked, actual=np.zeros(shape)), search.kept)
    kept, right = search.kept, search.right
    if right is None or not tells(kept, right):
        return
    as_given = [letters.index(letter) for letter in expected]
    actual, seen = asked.actual.transpose(as_given), set()
    for order in permutations(as_given):
        ordered, long = tuple(shape[axis] for axis in order), tuple(axis for axis in order if shape[axis] > 1)
        if list(order) == as_given or long in seen or actual.shape not in (ordered, tuple(shape[a] for a in as_given)):
            continue
        back = actual.reshape(ordered).transpose(np.argsort(order))
        if kept.fits(back, right).all():
            seen.add(long)
            yield _as_ordered("".join(letters[axis] for axis in order), expected, actual.shape, ordered), back, right


def _as_ordered(named: str, expected: str, shape: Ints, ordered: Ints) -> str:
    """What is said of an array that has its axes, or its memory, in another order."""
    back = tuple(named.index(letter) for letter in expected)
    if shape == ordered:
        return f"{AXES} {named} where {expected} is expected (np.transpose(actual, {back}) is right)"
    return f"its memory as {named} where {expected} is expected (actual.reshape{ordered}.transpose{back} is right)"


def beyond_stamp(window: Window, output: Ints, *, bias: bool) -> Iterator[str]:
    """What is to be said of rows that no tap reaches, since the window extends the stamp."""
    held = "the bias alone" if bias else "zeros"
    for axis, (ends, extent) in enumerate(zip(window, output, strict=True)):
        beyond = np.zeros(extent, bool)
        for end, rows in zip(ends, (slice(max(-ends[0], 0)), slice(extent - max(-ends[1], 0), None)), strict=True):
            beyond[rows] |= end < 0
        if beyond.any():
            places = slices_in_words(axis + 2, beyond)
            yield f"{places} beyond the stamp, where no tap reaches: the definition has {held} there"


def _value_by_value(actual: Array, kept: Kept, right: Sums) -> Iterator[tuple[str, Sums]]:
    """What can have been done to each value of a right answer, with the sums that it then has."""
    right = right._replace(within=np.broadcast_to(right.within, right.values.shape),
                           magnitudes=np.broadcast_to(right.magnitudes, right.values.shape))  # fmt: skip
    values = right.values
    below, above = values < -CLEAR * right.within, values > CLEAR * right.within
    clear = np.count_nonzero(below | above)
    if clear < max(LEAST, np.count_nonzero(values) / 2) or not np.isfinite(actual).all():
        return
    for number in _factors(actual, right, below | above):
        said = "every value negated" if number == -1 else f"every value times {number:.9g}"
        yield said, _times(right, np.full(values.shape, number), kept)
    if not below.any() or not above.any():
        return
    yield "negative values clipped to 0 (a ReLU)", _clipped(right, 0, np.inf)
    yield "values clipped to 0 and 6 (a ReLU6)", _clipped(right, 0, 6)
    for number in _factors(actual, right, below):
        yield (f"negative values times {number:.9g} (a leaky ReLU)",
               _times(right, np.where(values < 0, number, 1.0), kept))  # fmt: skip


def _factors(actual: Array, right: Sums, where: Array) -> Iterator[float]:
    """The numbers that can be the quotient of an array and the values there: a plain one, or that of the largest, in as
    many digits as its rounding leaves."""
    at = np.unravel_index(np.where(where, np.abs(right.values), 0).argmax(), right.values.shape)
    quotient, unsure = float(actual[at] / right.values[at]), float(right.within[at] / abs(right.values[at]))
    if not quotient or not np.isfinite(quotient):
        return
    near = max(2 * unsure, 1e-9) * abs(quotient)
    plain = float(Fraction(quotient).limit_denominator(MOST_PARTS))
    several = [
        plain,
        *(float(f"{quotient:.{digits}g}") for digits in range(1, 10) if np.count_nonzero(where) >= LEAST**2),
    ]
    yield from dict.fromkeys(number for number in several if number not in (0, 1) and abs(number - quotient) <= near)


def _times(right: Sums, factor: Array, kept: Kept) -> Sums:
    """The sums, each times a factor that is itself rounded, as is the product."""
    size = np.abs(factor)
    values = right.values * factor
    unit = 0.0 if not isinstance(kept, Rounded) else kept.answer.unit
    rounding = np.where(factor == 1, 0, 4 * unit * np.abs(values))
    return right._replace(values=values, magnitudes=right.magnitudes * size, within=right.within * size + rounding)


def _clipped(right: Sums, low: float, high: float) -> Sums:
    return right._replace(values=np.clip(right.values, low, high))


def _at_narrow_coordinates(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Array, Sums]]:
    """That coordinates of the array wrapped around."""
    actual = asked.actual
    if not kept.exact:
        return
    for axis, (name, limit) in product(range(2, actual.ndim), UNSIGNED.items()):
        if actual.shape[axis] > limit:
            wrapped = right._replace(values=right.values.take(np.arange(actual.shape[axis]) % limit, axis))
            if kept.fits(actual, wrapped).all():
                yield f"output coordinates kept in {name} on axis {axis - 2}", actual, wrapped
            added = right._replace(values=_added_up(right.values, asked.bias[0], axis, limit))
            if kept.fits(actual, added).all():
                yield f"products added up at output coordinates kept in {name} on axis {axis - 2}", actual, added


def _added_up(right: Array, bias: Array, axis: int, limit: int) -> Array:
    """A right answer whose products are all added up at coordinates of an axis modulo a limit."""
    along = bias.reshape(-1, *[1] * (right.ndim - 2))
    sums = np.zeros_like(right)
    for start in range(0, right.shape[axis], limit):
        part = np.moveaxis(right - along, axis, 0)[start : start + limit]
        np.moveaxis(sums, axis, 0)[: len(part)] += part
    total: Array = sums + along
    return total


def place(differs: Array) -> str:
    """Where all differences are, if there are some in few slices of an axis alone; else nothing."""
    for axis in range(differs.ndim):
        wrong = np.asarray(differs.any(axis=tuple(other for other in range(differs.ndim) if other != axis)))
        if 4 * np.count_nonzero(wrong) <= wrong.size and _is_run(wrong):
            return f"; they are all in {slices_in_words(axis, wrong)}"
    return ""


def _is_run(wrong: Array) -> bool:
    places = np.flatnonzero(wrong)
    return len(places) <= FEW or bool(places[-1] - places[0] + 1 == len(places))


def _taken(sums: Sums, order: Sequence[int]) -> Sums:
    """Sums with their out channels in another order; what all channels share has no axis for them."""
    return Sums(*(part.take(order, 1) if part.ndim == sums.values.ndim else part for part in sums))


def _order_of_outputs(asked: Observation, kept: Kept, right: Sums) -> list[int] | None:
    """The expected channel that each channel of the array is, where it is an order of them."""
    channels, actual = asked.actual.shape[1], asked.actual
    if not 2 <= channels <= MOST_ORDERED:
        return None
    probe = np.argmax(np.ptp(right.values, axis=1).ravel())  # where channels differ most
    batch, *at = map(int, np.unravel_index(probe, (actual.shape[0], *actual.shape[2:])))
    across: Any = (batch, slice(None), *at)
    order: list[int] = []
    free = np.ones(channels, bool)
    for channel in range(channels):
        off = np.abs(right.values[across] - actual[(batch, channel, *at)])
        near = np.argsort(off, kind="stable")
        fitting = (int(other) for other in near[free[near]])
        match = next((other for other in fitting if _plane_fits(kept, actual, right, channel, other)), None)
        if match is None:
            return None
        order.append(match)
        free[match] = False
    return order


def _plane_fits(kept: Kept, actual: Array, right: Sums, channel: int, other: int) -> bool:
    plane = _taken(right, [other])
    return bool(kept.fits(actual[:, [channel]], plane).all())


def _orders_of_inputs(asked: Observation, kept: Kept) -> Iterator[tuple[str, Sums]]:
    """The input's channel that each in channel of the weight meets, where it is an order of them."""
    problem = asked.problem
    channels = problem.groups * problem.in_channels
    if channels < 2 or problem.in_channels * channels > MOST_MIXED:
        return
    order: list[int] = []
    for group in range(problem.groups):
        mixing = _mixing(asked, group)
        if mixing is None:
            return
        order += mixing.argmax(axis=1).tolist()
    if sorted(order) != list(range(channels)) or order == list(range(channels)):
        return
    x = asked.x.reshape(asked.x.shape[0], channels, *asked.x.shape[3:])[:, order].reshape(asked.x.shape)
    sums = Search(replace(asked, x=x), kept).right
    if sums is not None and kept.fits(asked.actual, sums).all():
        yield f"in channels in the order {listed(order)}", sums


def _mixing(asked: Observation, group: int) -> Array | None:
    """The matrix (in, all channels) by which a group's weight meets the input's channels, from the array's values.

    None where there are fewer values than unknowns, or the values leave some of them open.
    """
    problem = asked.problem
    channels = problem.groups * problem.in_channels
    x = asked.x.reshape(asked.x.shape[0], channels, -1)
    weight = asked.weight[group].reshape(problem.in_channels, problem.out_channels, -1)
    rows, values = [], []
    for batch, out, at, met in _samples(asked, 2 * problem.in_channels * channels + channels):
        inputs, taps = met
        rows.append((weight[:, out, taps] @ x[batch][:, inputs].T).ravel())
        channel = group * problem.out_channels + out
        values.append(asked.actual[(batch, channel, *at)] - asked.bias[0, channel])
    matrix = np.array(rows)
    if len(rows) < problem.in_channels * channels:
        return None
    try:  # what is solved badly is no order, or does not fit
        solved = np.linalg.solve(matrix.T @ matrix, matrix.T @ np.array(values))
    except np.linalg.LinAlgError:
        return None
    return solved.reshape(problem.in_channels, channels)


def _samples(asked: Observation, count: int) -> Iterator[tuple[int, int, tuple[int, ...], tuple[Array, Array]]]:
    """Elements of a group, spread over the array, with the input positions and taps that meet there."""
    problem = asked.problem
    tables = Placing(problem.stride, problem.dilation).tables(problem)
    shape = (problem.batch, problem.out_channels, *asked.actual.shape[2:])
    size = int(np.prod(shape))
    for flat in np.unique(np.linspace(0, size - 1, min(count, size)).astype(np.int64)).tolist():
        batch, out, *at = map(int, np.unravel_index(flat, shape))
        positions, taps = np.zeros(1, np.int64), np.zeros(1, np.int64)
        for table, place, (lo, _), extent, kernel in zip(
            tables, at, problem.window, problem.input, problem.kernel, strict=True
        ):
            row = table[place + lo] if 0 <= place + lo < len(table) else table[:0, 0]
            position, tap = np.divmod(row[row < extent * kernel], kernel)
            positions = np.add.outer(positions * extent, position).ravel()
            taps = np.add.outer(taps * kernel, tap).ravel()
        yield batch, out, tuple(at), (positions, taps)
