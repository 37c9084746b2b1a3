"""Two more ways to the answer, which share no arithmetic with the definition: zero insertion, and the matrix."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from conformance.oracle._arrays import Array, biased, grouped, joined, zeros
from conformance.problem import Problem


def by_zero_insertion(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer as an ordinary convolution of stride 1 over x with zeros inserted, which are never stored.

    Output o and tap k meet element (o + lo - k*dilation) / stride: a zero where that is no whole number, or outside.
    """
    x, weight = grouped(problem, x, weight)
    y = zeros(problem, np.result_type(x, weight))
    for k in np.ndindex(problem.kernel):
        y += np.einsum("ngi...,gio->ngo...", _met(problem, x, k), weight[(..., *k)])
    return biased(joined(problem, y), bias)


def _met(problem: Problem, x: Array, tap: Sequence[int]) -> Array:
    """What a tap meets at every output, (batch, groups, in, *output)."""
    for axis, (k, (i, s, _, d, lo, out)) in enumerate(zip(tap, problem.axes, strict=True), start=3):
        element, rest = np.divmod(np.arange(out) + (lo - k * d), s)
        there = (rest == 0) & (element >= 0) & (element < i)
        taken = np.take(x, np.where(there, element, 0), axis)
        x = np.where(there.reshape(-1, *[1] * (x.ndim - axis - 1)), taken, 0)
    return x


def by_matrix(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer as y = C^T x, where C is the matrix of the ordinary convolution, of which only entries are stored."""
    row, tap, column = _entries(problem)
    grouped_x, grouped_weight = grouped(problem, x, weight)
    elements = grouped_x.reshape(*grouped_x.shape[:3], -1)[..., row]
    taps = grouped_weight.reshape(*grouped_weight.shape[:3], -1)[..., tap]
    y = zeros(problem, np.result_type(x, weight))
    flat = y.reshape(*y.shape[:3], prod(problem.output))
    into: Any = (..., column)
    np.add.at(flat, into, np.einsum("ngie,gioe->ngoe", elements, taps))
    return biased(joined(problem, y), bias)


def matrix(problem: Problem, weight: Array) -> Array:
    """C per group, (groups, inputs, outputs): the ordinary convolution that maps outputs y back onto inputs x."""
    row, tap, column = _entries(problem)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    full = np.zeros((g, ic, prod(problem.input), oc, prod(problem.output)), weight.dtype)
    full[:, :, row, :, column] = np.moveaxis(weight.reshape(g, ic, oc, -1)[..., tap], -1, 0)
    return full.reshape(g, ic * prod(problem.input), -1)


def _entries(problem: Problem) -> tuple[Array, Array, Array]:
    """Where C is not zero by its form: the numbers of input, tap and output, each counted over all axes."""
    row, tap, column = (np.zeros(1, np.int64) for _ in range(3))
    for i, s, k, d, lo, out in problem.axes:
        at = s * np.arange(i)[:, None] + d * np.arange(k) - lo
        element, through = np.nonzero((at >= 0) & (at < out))
        row = np.add.outer(row * i, element).ravel()
        tap = np.add.outer(tap * k, through).ravel()
        column = np.add.outer(column * out, at[element, through]).ravel()
    return row, tap, column
