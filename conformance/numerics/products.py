"""The sums of a small problem in one pass over its products: `operands.stamped` gives the same, more slowly.

On each axis, which elements and taps meet at which output is a table that many problems share. The products of a
problem are taken along these tables and added up axis by axis, once with their signs and once without.
"""

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.numerics.operands import Arrays, Sums, stamped
from conformance.problem import Problem

Array = NDArray[Any]

MOST = 1 << 17
"""Products up to which all of them are held at once."""


class _Axis(NamedTuple):
    """Which element and tap meet at which output of an axis, by outputs: where those begin that have the same one.

    `outputs` are the outputs that anything meets at, all of them or with regular gaps as a slice, of which there are
    `extent`; `most` is how many meet at one.
    """

    elements: Array
    taps: Array
    starts: Array
    outputs: Array | slice
    extent: int
    most: int


def sums_of(problem: Problem, arrays: Arrays) -> Sums:
    """The sums of a problem's int64 operands, as `draw` gives them: no sum of theirs leaves what float64 holds."""
    axes = _axes(problem)
    if prod(len(axis.elements) for axis in axes) * _shared(problem) > MOST:
        return stamped(problem, arrays)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    x = arrays.x.astype(np.float64).reshape(problem.batch, g, ic, 1, -1)
    weight = arrays.weight.astype(np.float64).reshape(g, ic, oc, -1)
    products = (
        x[..., _places([axis.elements for axis in axes], problem.input)]
        * weight[..., _places([axis.taps for axis in axes], problem.kernel)]
    )
    signed, unsigned = _summed(axes, products), _summed(axes, np.abs(products))
    y, most = _placed(axes, signed), np.maximum.reduce(unsigned, (0, *range(3, unsigned.ndim)), initial=0)
    if arrays.bias is not None:
        bias = arrays.bias.reshape(g, oc)
        y += bias.reshape(g, oc, *[1] * problem.rank)
        most = most + np.abs(bias)
    shape = (problem.batch, g * oc, *y.shape[3:])
    return Sums(y.reshape(shape).astype(np.int64), int(np.maximum.reduce(most, None)))


def _summed(axes: list[_Axis], products: Array) -> Array:
    """Products (batch, groups, in, out, ...), added up over in, and over what meets at the same output."""
    part = products[:, :, 0] if products.shape[2] == 1 else np.add.reduce(products, 2)
    for at, axis in enumerate(axes, start=3):
        if len(axis.starts) < len(axis.elements):
            part = np.add.reduceat(part, axis.starts, at)
    return part


def terms_of(problem: Problem) -> int:
    """`Problem.terms`, by the same tables."""
    return problem.in_channels * prod(axis.most for axis in _axes(problem))


def _shared(problem: Problem) -> int:
    return problem.batch * problem.groups * problem.in_channels * problem.out_channels


def _axes(problem: Problem) -> list[_Axis]:
    fields = (problem.input, problem.kernel, problem.stride, problem.dilation, problem.pads, problem.output_padding)
    return [_axis(i, k, s, d, lo, end - op) for i, k, s, d, (lo, end), op in zip(*fields, strict=True)]


def _axis(i: int, k: int, s: int, d: int, lo: int, hi: int) -> _Axis:
    """The table of an axis: what its window keeps of the table of its stamp."""
    stamp, extent = _stamp(i, k, s, d), (i - 1) * s + d * (k - 1) + 1 - lo - hi
    first, end = stamp.outputs.searchsorted((lo, lo + extent)).tolist()
    starts = stamp.starts[first:end]
    begin, stop = int(stamp.starts[first]), int(stamp.starts[end])
    outputs: Array | slice = stamp.outputs[first:end] - lo
    if stamp.step:
        at = int(stamp.outputs[first]) - lo if end > first else 0
        outputs = slice(at, at + (end - first - 1) * stamp.step + 1, stamp.step) if end > first else slice(0)
    most = int(stamp.counts[first:end].max(initial=0))
    return _Axis(stamp.elements[begin:stop], stamp.taps[begin:stop], starts - begin, outputs, extent, most)


class _Stamp(NamedTuple):
    """An axis before its window: `starts` has the end, too; `step` is the gap of outputs where all are the same."""

    elements: Array
    taps: Array
    outputs: Array
    starts: Array
    counts: Array
    step: int


@lru_cache(maxsize=1 << 12)
def _stamp(i: int, k: int, s: int, d: int) -> _Stamp:
    """The table of a stamp."""
    at = np.add.outer(np.arange(0, i * s, s), np.arange(0, k * d, d)).ravel()
    order = np.argsort(at, kind="stable")
    elements, taps = np.divmod(order, k)
    outputs, starts, counts = np.unique(at[order], return_index=True, return_counts=True)
    gaps = np.unique(np.diff(outputs))
    step = int(gaps[0]) if len(gaps) == 1 else int(len(outputs) == 1)
    return _Stamp(elements, taps, outputs, np.append(starts, len(order)), counts, step)


def _places(along: list[Array], extents: tuple[int, ...]) -> Array:
    """Places on each axis as places in an array whose axes are one."""
    flat = along[0]
    for places, extent in zip(along[1:], extents[1:], strict=True):
        flat = np.add.outer(flat * extent, places)
    return flat


def _placed(axes: list[_Axis], part: Array) -> Array:
    """Sums at the outputs that anything meets at, with zeros at the others."""
    output = tuple(axis.extent for axis in axes)
    if part.shape[3:] == output:
        return part
    whole = np.zeros((*part.shape[:3], *output), part.dtype)
    if part.size:
        outputs: Any = [axis.outputs for axis in axes]
        if not all(isinstance(places, slice) for places in outputs):
            outputs = np.ix_(*(np.arange(axis.extent)[axis.outputs] for axis in axes))
        whole[(..., *outputs)] = part
    return whole
