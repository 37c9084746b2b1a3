"""The stamp of floats as products of matrices, in blocks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from conformance.oracle._arrays import Array, Index, landing
from conformance.problem import Axis, Phases, Problem

Work = Callable[[], Iterable[tuple[Index, Array]]]
"""A part of the answer that is still to be computed: places, and the sums there."""
SHARES = 4
"""Blocks that each of several threads has at least."""
BLOCK = 1 << 21
"""Numbers that an operand and the answer of one product of matrices have, if a column has no more of them."""
COPIED, ADDED = 50, 100
"""Products of matrices that take as long as copying a number into one, and as adding one to an answer."""


def by_matrices(problem: Problem, x: Array, weight: Array, threads: int) -> Iterator[Work]:
    """The stamp of floats, for so many threads: what gives places of the answer, each of them once, and the sums there.

    Elements and taps change roles, and so do batch and channels out, where that is less work.
    """
    axes, spatial = problem.axes, prod(problem.input) * prod(problem.kernel)
    turned = [axis.turned for axis in axes]
    added = spatial * (1 + ADDED / max(1, problem.in_channels))
    gathered = _gathered(axes, problem.out_channels), _gathered(turned, problem.batch)
    by_tap = prod(problem.kernel) <= prod(problem.input) if added < min(gathered) else gathered[0] <= gathered[1]
    way = _stamped if added < min(gathered) else _in_phases
    if by_tap:
        return way(axes, x, weight, threads)
    works = way(turned, np.moveaxis(weight, 2, 0), np.moveaxis(x, 0, 2), threads)
    return (partial(_turned, work) for work in works)


def _turned(work: Work) -> Iterator[tuple[Index, Array]]:
    """What some work gives with batch and channels out in each other's place."""
    for (out, groups, batch, *to), sums in work():
        yield (batch, groups, out, *to), sums.swapaxes(0, 2)


def _gathered(axes: Sequence[Axis], out: int) -> float:
    """What `_in_phases` takes for each channel in and out, in products."""
    phases = prod(min(axis.every, axis.kernel) for axis in axes)
    return prod(axis.work for axis in axes) * (1 + COPIED / max(1, out * phases))


def _stamped(axes: Sequence[Axis], x: Array, weight: Array, threads: int) -> Iterator[Work]:
    """The stamp of each group, channel out and batch, where there is a thread for it."""
    extents = len(weight), weight.shape[2], len(x)
    for groups, out, batch in _blocks(extents, -(-prod(extents) // threads)):
        part = partial(_stamped_part, axes, x[batch, groups], weight[groups, :, out])
        yield partial(_at, (batch, groups, out), part)


def _at(place: Index, part: Callable[[], Array]) -> Iterator[tuple[Index, Array]]:
    yield place, part()


def _stamped_part(axes: Sequence[Axis], x: Array, weight: Array) -> Array:
    """The stamp as products of matrices, (taps and out, in) times (in, elements), in blocks, added where taps land."""
    out, taps, elements = weight.shape[2], weight.shape[3:], x.shape[3:]
    rows = np.moveaxis(weight, (1, 2), (-1, -2)).reshape(len(weight), prod(taps) * out, -1)
    y = np.zeros((len(weight), out, *(axis.output for axis in axes), len(x)), x.dtype)
    most = max(1, BLOCK // max(1, *rows.shape[1:]))
    for groups, batch, *block in _blocks((len(weight), len(x), *elements), most):
        columns = np.moveaxis(x[(batch, groups, slice(None), *block)], 0, -1)
        sums = rows[groups] @ columns.reshape(*columns.shape[:2], -1)
        sums = sums.reshape(len(columns), *taps, out, *columns.shape[2:])
        for tap in np.ndindex(*taps):
            offsets = [k * axis.dilation - axis.lo for k, axis in zip(tap, axes, strict=True)]
            kept, to = landing(axes, offsets, block)
            y[(groups, slice(None), *to, batch)] += sums[(slice(None), *tap, slice(None), *kept)]
    return np.moveaxis(y, -1, 0)


def _in_phases(axes: Sequence[Axis], x: Array, weight: Array, threads: int) -> Iterator[Work]:
    """The stamp as products of matrices, (phases and out, in and taps) times (in and taps, places), in blocks."""
    for chosen in product(*(axis.phases for axis in axes)):
        pairs = [*zip(axes, chosen, strict=True)]
        rows, met = _rows(pairs, weight), _met_by_phases(pairs, x)
        extents = len(rows), len(x), *(some.end - some.begin for some in chosen)
        most = max(1, BLOCK // max(1, *rows.shape[1:]))
        for block in _blocks(extents, min(most, -(-prod(extents) // (SHARES * threads))) if threads > 1 else most):
            yield partial(_phases_of_block, pairs, rows, met, block)


def _phases_of_block(
    pairs: Sequence[tuple[Axis, Phases]], rows: Array, met: Array, at: Index
) -> Iterator[tuple[Index, Array]]:  # fmt: skip
    groups, batch, *block = at
    phases = [some.number for _, some in pairs]
    columns = met[(groups, ..., batch, *block)]
    sums = rows[groups] @ columns.reshape(len(columns), rows.shape[2], -1)
    sums = sums.reshape(len(columns), *phases, rows.shape[1] // prod(phases), *columns.shape[-len(block) - 1 :])
    for phase in np.ndindex(*phases):
        offsets = [
            some.begin * axis.stride + (some.first + at) * axis.dilation - axis.lo
            for at, (axis, some) in zip(phase, pairs, strict=True)
        ]
        kept, to = landing([axis for axis, _ in pairs], offsets, block)
        yield (batch, groups, slice(None), *to), np.moveaxis(sums[(slice(None), *phase, ..., *kept)], 2, 0)


def _rows(pairs: Sequence[tuple[Axis, Phases]], weight: Array) -> Array:
    """A weight as (groups, phases and out, in and taps), the last tap first."""
    counts, taps = [some.number for _, some in pairs], [some.taps for _, some in pairs]
    rows = np.empty((*weight.shape[:2], *taps, *counts, weight.shape[2]), weight.dtype)
    for place in np.ndindex(*taps):
        firsts = [some.first + axis.every * (some.taps - 1 - at) for at, (axis, some) in zip(place, pairs, strict=True)]
        of_tap: Index = (..., *(slice(first, first + count) for first, count in zip(firsts, counts, strict=True)))
        rows[(slice(None), slice(None), *place)] = np.moveaxis(weight[of_tap], 2, -1)
    return rows.reshape(len(rows), weight.shape[1] * prod(taps), -1).swapaxes(1, 2)


def _met_by_phases(pairs: Sequence[tuple[Axis, Phases]], x: Array) -> Array:
    """What taps, the last one first, meet at places: (groups, in, *taps, batch, *places), a view of x and zeros."""
    reaches = [(some.taps - 1) * axis.apart for axis, some in pairs]
    ends = [(some.begin - reach, some.end - axis.input) for reach, (axis, some) in zip(reaches, pairs, strict=True)]
    kept: Index = (..., *(slice(max(0, first), min(0, last) or None) for first, last in ends))
    padded = np.pad(x[kept], [(0, 0)] * 3 + [(max(0, -first), max(0, last)) for first, last in ends])
    spatial = tuple(range(3, x.ndim))
    windows = sliding_window_view(padded, [reach + 1 for reach in reaches], spatial)
    every: Index = (..., *(slice(None, None, axis.apart) for axis, _ in pairs))
    return windows[every].transpose(1, 2, *range(x.ndim, windows.ndim), 0, *spatial)


def _blocks(extents: Sequence[int], most: int) -> Iterator[Index]:
    """Slices of an array of these extents, each of at most so many elements."""
    first, *rest = extents
    step = max(1, most // max(1, prod(rest)))
    for at in range(0, first, step):
        inner = [(slice(0, extent) for extent in rest)] if prod(rest) <= most else _blocks(rest, most)
        yield from ((slice(at, min(at + step, first)), *others) for others in inner)
