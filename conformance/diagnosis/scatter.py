"""Where the products of a stamp land: which input position and tap meet at which output position, axis by axis.

A landing is a table (full extent, most that meet); an entry is input*kernel + tap, or input*kernel for nothing. One
element, one window and a whole plane of a stamp are the same sum over different rows of it, for any number of operands
at once.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.problem import Ints

Array = NDArray[Any]
Rule = Literal["all", "first", "last", "every dilation-th", "repeated"]
Part = Literal["input elements", "taps"]
Table = NDArray[np.intp]


FURTHEST = 16
"""Positions by which a part is put elsewhere at most."""


class Axis(NamedTuple):
    """An axis of a problem."""

    extent: int
    kernel: int
    stride: int
    dilation: int

    @property
    def full(self) -> int:
        """The extent of the stamp."""
        return (self.extent - 1) * self.stride + self.dilation * (self.kernel - 1) + 1


class Shift(NamedTuple):
    """Part of an axis put elsewhere: the input elements, or the taps, from a place on, so many positions later."""

    axis: int
    of: Part
    start: int
    by: int


class Box(NamedTuple):
    """Part of a stamp: where it begins, which may be before the stamp, and its extents."""

    start: Ints
    extents: Ints


@lru_cache(maxsize=512)
def landing(extent: int, kernel: int, stride: int, dilation: int, rule: Rule = "all") -> Table:
    """The table of one axis.

    Rules: "all" is right; "first" and "last" keep one input position where stamps overlap; "every dilation-th" is what
    MXNet's native column-to-image step meets (pack_col2patch): input positions from a start of its own in steps of the
    dilation, and the tap by a division that is not checked to be even; "repeated" puts an input element at every
    position up to the next one.
    """
    if rule == "repeated":
        return _repeated(extent, kernel, stride, dilation)
    reach = dilation * (kernel - 1) + 1
    at = np.arange((extent - 1) * stride + reach)
    start, step = np.maximum((at - reach + stride) // stride, 0), 1
    if rule == "every dilation-th":
        start, step = np.where(at < reach, at % dilation, start), dilation
    end = np.minimum(at // stride, extent - 1)
    position = start[:, None] + step * np.arange(max(1, int((end - start).max()) // step + 1))
    tap, between = np.divmod(at[:, None] - position * stride, dilation)
    meets = (position <= end[:, None]) & ((between == 0) | (step > 1))
    if rule in ("first", "last"):
        one = np.where(meets, position, extent).min(1) if rule == "first" else np.where(meets, position, -1).max(1)
        meets &= position == one[:, None]
    return _table(position * kernel + tap, meets, extent * kernel)


def _repeated(extent: int, kernel: int, stride: int, dilation: int) -> Table:
    tap = np.arange(kernel)
    first = np.arange(Axis(extent, kernel, stride, dilation).full)[:, None] - tap * dilation
    position = first // stride
    return _table(position * kernel + tap, (position >= 0) & (position < extent), extent * kernel)


def _table(entries: Array, meets: Array, nothing: int) -> Table:
    """Entries that meet, in order, without room for more than the most that do."""
    met = np.sort(np.where(meets, entries, nothing), axis=1)
    table: Table = np.ascontiguousarray(met[:, : max(1, int(meets.sum(axis=1).max()))])
    table.flags.writeable = False
    return table


@lru_cache(maxsize=512)
def shifted_landing(extent: int, kernel: int, stride: int, dilation: int, shift: Shift) -> Table:
    """The table of an axis of which a part is put elsewhere; what leaves the stamp is lost."""
    position, tap = np.divmod(np.arange(extent * kernel), kernel)
    moved = (position if shift.of == "input elements" else tap) >= shift.start
    at = position * stride + tap * dilation + shift.by * moved
    full = Axis(extent, kernel, stride, dilation).full
    kept = np.flatnonzero((at >= 0) & (at < full))
    kept = kept[np.argsort(at[kept], kind="stable")]
    counts = np.bincount(at[kept], minlength=full)
    slots = np.arange(kept.size) - np.repeat(np.cumsum(counts) - counts, counts)
    table: Table = np.full((full, max(1, int(counts.max()))), extent * kernel)
    table[at[kept], slots] = kept
    table.flags.writeable = False
    return table


def shifted_values(line: Array, at: int, axis: Axis, of: Part) -> Array:
    """What a position of an axis gets where a part is put elsewhere: by (how much later, from where on).

    `line` are the products of the axis's elements and taps. How much later is -FURTHEST to FURTHEST, as an index.
    """
    position, tap = np.divmod(np.arange(axis.extent * axis.kernel), axis.kernel)
    later = at - position * axis.stride - tap * axis.dilation
    near = np.flatnonzero((np.abs(later) <= FURTHEST) & (0 <= at < axis.full))
    part, count = (position, axis.extent) if of == "input elements" else (tap, axis.kernel)
    before = np.zeros((2 * FURTHEST + 1, count + 1))
    np.add.at(before, (later[near], part[near] + 1), line[near])
    before = before.cumsum(axis=1)
    values: Array = before[0] + before[:, -1:] - before
    return values


def meeting(tables: Sequence[Table], sizes: Ints) -> Array:
    """How many products meet at each position of a box of tables, whose entry for nothing is the axis's size."""
    counts = np.ones(())
    for table, size in zip(tables, sizes, strict=True):
        counts = np.multiply.outer(counts, np.count_nonzero(table < size, axis=1))
    return counts


def cropped(table: Table, extent: int, kernel: int) -> tuple[slice, Table]:
    """The input positions that a table meets, and the table as it is for these alone."""
    position, tap = np.divmod(table, kernel)
    met = position < extent
    first, last = int(position[met].min(initial=extent)), int(position[met].max(initial=0)) + 1
    first = min(first, last - 1)
    return slice(first, last), np.where(met, (position - first) * kernel + tap, (last - first) * kernel)


def rows(table: Table, start: int, count: int, nothing: int) -> Table:
    """So many rows of a table from a position on, which may lie outside the stamp: nothing lands there."""
    if start >= 0 and start + count <= len(table):
        return table[start : start + count]
    at = np.arange(start, start + count)
    inside = (at >= 0) & (at < len(table))
    return np.where(inside[:, None], table[np.minimum(np.maximum(at, 0), len(table) - 1)], nothing)


def products(x: Array, weight: Array, rank: int) -> Array:
    """Every input element times every tap, summed over in channels; with a zero after each axis, for `nothing`.

    x is (..., in, *input), weight (..., in, out, *kernel) with leading axes that broadcast; the result is
    (..., out, *(input*kernel + 1)).
    """
    inputs, (out, *taps) = x.shape[-rank:], weight.shape[-rank - 1 :]
    flat_x = x.reshape(*x.shape[:-rank], -1).swapaxes(-1, -2)
    every = flat_x @ weight.reshape(*weight.shape[: -rank - 1], -1)
    lead = every.shape[:-2]
    paired = [axis for pair in range(rank) for axis in (pair, rank + 1 + pair)]
    order = [*range(len(lead)), *(len(lead) + axis for axis in (rank, *paired))]
    every = every.reshape(*lead, *inputs, out, *taps).transpose(order)
    padded = np.zeros((*lead, out, *(i * k + 1 for i, k in zip(inputs, taps, strict=True))), every.dtype)
    inner: tuple[Any, ...] = (..., *[slice(-1)] * rank)
    padded[inner] = every.reshape(padded[inner].shape)
    return padded


def land(made: Array, tables: tuple[Table, ...]) -> Array:
    """The sums of products over the rows of a table an axis: (..., *(input*kernel + 1)) to (..., *rows)."""
    for axis, table in enumerate(tables, start=-len(tables)):
        landed = made.take(table[:, 0], axis)
        for slot in range(1, table.shape[1]):
            landed += made.take(table[:, slot], axis)
        made = landed
    return made


def extents(tables: tuple[Table, ...]) -> Ints:
    """Extents of the whole stamp."""
    return tuple(map(len, tables))


def added_to(bias: Array, stamp: Ints, box: Box) -> Array:
    """What a bias (2, ...) adds to a box, broadcastable to (..., *box): inside the stamp, and beyond it."""
    inner: Array
    outer: Array
    inner, outer = bias.reshape(*bias.shape, *[1] * len(stamp))
    if np.array_equal(inner, outer):
        return inner
    inside = np.ones((), bool)
    for full, start, count in zip(stamp, *box, strict=True):
        at = np.arange(start, start + count)
        inside = inside[..., None] & (at >= 0) & (at < full)
    return np.where(inside, inner, outer)
