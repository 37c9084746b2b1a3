"""The gradients of a transposed convolution, two ways that share no arithmetic; the first is the expected answer.

With an upstream gradient g of the answer's shape, L = sum(g * y) and y[o] = sum(x[i] * w[k]) over i*stride + k*dilation
= o + lo,

    dL/dx[i] = sum over k of w[k] * g[i*stride + k*dilation - lo]      an ordinary convolution of g, through the window
    dL/dw[k] = sum over i of x[i] * g[i*stride + k*dilation - lo]      the correlation of x and g
    dL/db    = sum of g                                                over the batch and all positions

What lies outside of the window counts as zero. Integers give exact int64 answers, floats are computed in their type.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import Arrays
from conformance.problem import BACKWARD, BIAS, INPUT, WEIGHT, Ints, Problem

Array = NDArray[Any]

OPERAND: Mapping[str, str] = {INPUT: "x", WEIGHT: "weight", BIAS: "bias"}
"""The operand, as a field of `Arrays`, that each gradient is with respect to."""


def passes_of(problem: Problem) -> tuple[str, ...]:
    """The gradients that a problem has: that of a bias only where there is one."""
    return BACKWARD if problem.bias else (INPUT, WEIGHT)


def shape_of(problem: Problem, direction: str) -> Ints:
    """The shape of a gradient, which is that of its operand."""
    return {INPUT: problem.input_shape, WEIGHT: problem.weight_shape, BIAS: problem.bias_shape}[direction]


def expected(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Array:
    """The gradient with respect to an operand, tap by tap; the other operands and the upstream gradient decide it."""
    if direction == BIAS:
        summed: Array = upstream.reshape(*upstream.shape[:2], -1).sum(axis=(0, 2))
        return summed
    x, weight, g = _grouped(problem, arrays, upstream)
    gradient = np.zeros_like(x if direction == INPUT else weight)
    for tap in np.ndindex(problem.kernel):
        met = [_met(problem, axis, k) for axis, k in enumerate(tap)]
        elements: Any = (..., *(elements for elements, _ in met))
        outputs: Any = (..., *(outputs for _, outputs in met))
        if direction == INPUT:
            gradient[elements] += np.einsum("ngo...,gio->ngi...", g[outputs], weight[(..., *tap)])
        else:
            gradient[(..., *tap)] += _correlated(x[elements], g[outputs])
    return gradient.reshape(shape_of(problem, direction))


def _met(problem: Problem, axis: int, tap: int) -> tuple[slice, slice]:
    """Which elements of an axis a tap puts inside of the window, and where."""
    stride, (lo, _), extent = problem.stride[axis], problem.window[axis], problem.output[axis]
    offset = tap * problem.dilation[axis] - lo
    first = max(0, -(offset // stride))
    count = min(problem.input[axis], (extent - 1 - offset) // stride + 1) - first
    if count <= 0:
        return slice(0), slice(0)
    begin = first * stride + offset
    return slice(first, first + count), slice(begin, begin + (count - 1) * stride + 1, stride)


def _correlated(x: Array, g: Array) -> Array:
    """The products of (batch, groups, in, ...) and (batch, groups, out, ...), summed over batch and places."""
    products: Array = np.einsum("ngip,ngop->gio", x.reshape(*x.shape[:3], -1), g.reshape(*g.shape[:3], -1))
    return products


def by_canvas(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Array:
    """The gradient from the whole canvas: g put back where the window cut, then every patch that an element stamped."""
    if direction == BIAS:
        ones = np.ones((problem.batch, prod(problem.output)), upstream.dtype)
        summed: Array = np.einsum("ncp,np->c", upstream.reshape(*upstream.shape[:2], -1), ones)
        return summed
    x, weight, _ = _grouped(problem, arrays, upstream)
    canvas = _canvas(problem, upstream).reshape(problem.batch, problem.groups, problem.out_channels, *problem.full)
    axes = tuple(range(3, 3 + problem.rank))
    patches = np.lib.stride_tricks.sliding_window_view(canvas, problem.effective_kernel, axes)
    steps: Any = (
        ...,
        *(slice(None, None, s) for s in problem.stride),
        *(slice(None, None, d) for d in problem.dilation),
    )
    patches = patches[steps]
    spatial, taps = "abc"[: problem.rank], "uvw"[: problem.rank]
    if direction == INPUT:
        gradient: Array = np.einsum(f"ngo{spatial}{taps},gio{taps}->ngi{spatial}", patches, weight)
    else:
        gradient = np.einsum(f"ngo{spatial}{taps},ngi{spatial}->gio{taps}", patches, x)
    return gradient.reshape(shape_of(problem, direction))


def _canvas(problem: Problem, upstream: Array) -> Array:
    """The upstream gradient in the full extents: zeros where the window cut, nothing where it reached beyond."""
    index = [np.arange(full) - lo for full, (lo, _) in zip(problem.full, problem.window, strict=True)]
    canvas = upstream
    for axis, (at, out) in enumerate(zip(index, problem.output, strict=True), start=2):
        inside = (at >= 0) & (at < out)
        taken = np.take(canvas, np.where(inside, at, 0), axis)
        canvas = np.where(inside.reshape(-1, *[1] * (canvas.ndim - axis - 1)), taken, 0)
    return canvas


def by_differences(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Array:
    """The gradient as differences of answers, which are exact: one element of the operand is moved by 1 at a time.

    As many answers as the operand has elements.
    """
    name = OPERAND[direction]
    operand: Array = getattr(arrays, name)
    gradient = np.zeros_like(operand)
    before = oracle.by_zero_insertion(problem, *arrays)
    for at in np.ndindex(operand.shape):
        moved = operand.copy()
        moved[at] += 1
        after = oracle.by_zero_insertion(problem, *arrays._replace(**{name: moved}))
        gradient[at] = ((after - before) * upstream).sum()
    return gradient


def magnitudes(problem: Problem, direction: str, arrays: Arrays, upstream: Array) -> Array:
    """The sums of the products' magnitudes, which no partial sum of the same element exceeds."""
    bias = None if arrays.bias is None else np.abs(arrays.bias)
    return expected(problem, direction, Arrays(np.abs(arrays.x), np.abs(arrays.weight), bias), np.abs(upstream))


def terms(problem: Problem, direction: str) -> int:
    """The largest number of products that are summed into one element of a gradient."""
    if direction == BIAS:
        return problem.batch * prod(problem.output)
    count = problem.out_channels if direction == INPUT else problem.batch
    for i, s, k, d, lo, out in problem.axes:
        at = s * np.arange(i)[:, None] + d * np.arange(k) - lo
        inside = (at >= 0) & (at < out)
        count *= int(inside.sum(axis=1 if direction == INPUT else 0).max())
    return count


def _grouped(problem: Problem, arrays: Arrays, upstream: Array) -> tuple[Array, Array, Array]:
    """x as (batch, groups, in, *input), weight as (groups, in, out, *kernel), g as (batch, groups, out, *output)."""
    n, g, ic, oc = problem.batch, problem.groups, problem.in_channels, problem.out_channels
    return (
        arrays.x.reshape(n, g, ic, *problem.input),
        arrays.weight.reshape(g, ic, oc, *problem.kernel),
        upstream.reshape(n, g, oc, *problem.output),
    )
