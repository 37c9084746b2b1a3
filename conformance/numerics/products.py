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

    `outputs` are the outputs that anything meets at, `most` is how many meet at one.
    """

    elements: Array
    taps: Array
    starts: Array
    outputs: Array
    most: int


def sums_of(problem: Problem, arrays: Arrays) -> Sums:
    """The sums of a problem's int64 operands, whatever its size."""
    axes = _axes(problem)
    if prod(len(axis.elements) for axis in axes) * _shared(problem) > MOST:
        return stamped(problem, arrays)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    x = arrays.x.reshape(problem.batch, g, ic, 1, -1)[..., _places([axis.elements for axis in axes], problem.input)]
    weight = arrays.weight.reshape(g, ic, oc, -1)[..., _places([axis.taps for axis in axes], problem.kernel)]
    products = x * weight
    signed, unsigned = products.sum(axis=2), np.abs(products).sum(axis=2)
    for at, axis in enumerate(axes, start=3):
        if len(axis.starts) < len(axis.elements):
            signed, unsigned = (np.add.reduceat(part, axis.starts, axis=at) for part in (signed, unsigned))
    y, magnitudes = (_placed(problem, axes, part) for part in (signed, unsigned))
    if arrays.bias is None:
        return Sums(y, int(magnitudes.max()))
    bias = arrays.bias.reshape(-1, *[1] * problem.rank)
    return Sums(y + bias, int((magnitudes + np.abs(bias)).max()))


def terms_of(problem: Problem) -> int:
    """`Problem.terms`, by the same tables."""
    return problem.in_channels * prod(axis.most for axis in _axes(problem))


def _shared(problem: Problem) -> int:
    return problem.batch * problem.groups * problem.in_channels * problem.out_channels


def _axes(problem: Problem) -> list[_Axis]:
    fields = (problem.input, problem.kernel, problem.stride, problem.dilation, problem.window, problem.output)
    return [_axis(i, k, s, d, lo, out) for i, k, s, d, (lo, _), out in zip(*fields, strict=True)]


@lru_cache(maxsize=1 << 14)
def _axis(i: int, k: int, s: int, d: int, lo: int, out: int) -> _Axis:
    """The table of an axis."""
    at = (s * np.arange(i)[:, None] + d * np.arange(k) - lo).ravel()
    order = np.argsort(at, kind="stable")
    order = order[(at[order] >= 0) & (at[order] < out)]
    elements, taps = np.divmod(order, k)
    outputs, starts, counts = np.unique(at[order], return_index=True, return_counts=True)
    return _Axis(elements, taps, starts, outputs, int(counts.max(initial=0)))


def _places(along: list[Array], extents: tuple[int, ...]) -> Array:
    """Places on each axis as places in an array whose axes are one."""
    flat = along[0]
    for places, extent in zip(along[1:], extents[1:], strict=True):
        flat = np.add.outer(flat * extent, places)
    return flat


def _placed(problem: Problem, axes: list[_Axis], part: Array) -> Array:
    """Sums at the outputs that anything meets at, with zeros at the others, in the output's shape."""
    if part.shape[3:] == problem.output:
        return part.reshape(problem.output_shape)
    whole = np.zeros((*part.shape[:3], *problem.output), part.dtype)
    if part.size:
        into: Any = (..., *np.ix_(*(axis.outputs for axis in axes)))
        whole[into] = part
    return whole.reshape(problem.output_shape)
