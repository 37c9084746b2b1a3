"""What transposed convolution is, three ways that share no arithmetic; the first is the expected answer.

`conv_transpose` stamps (scatters), `by_zero_insertion` gathers from a stretched input, `by_matrix` multiplies with the
transpose of an ordinary convolution's matrix. Integers give exact int64 answers, floats are computed in float64.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from conformance.problem import PerAxis, Problem, ProblemError

Array = NDArray[Any]
Index = tuple[Any, ...]


def conv_transpose(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: PerAxis | Sequence[Sequence[int]] = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Array:
    """Transposed convolution by its definition: every input element stamps the kernel, a window is cut out.

    x is (batch, in_channels, *spatial), weight (in_channels, out_channels // groups, *kernel), bias (out_channels,),
    of any rank. `padding` is an int, one int per axis, or one (begin, end) pair per axis; it may be negative, which
    extends the stamp with zeros before the bias is added. Returns (batch, out_channels, *output), int64 for whole
    numbers and float64 for floats. Raises ProblemError for shapes that do not fit each other.
    """
    x, weight, bias = _numbers(x), _numbers(weight), None if bias is None else _numbers(bias)
    if x.ndim < 3 or weight.ndim != x.ndim:
        raise ProblemError(f"x {x.shape} and weight {weight.shape} must have two axes and the same spatial ones after")
    if groups < 1 or x.shape[1] % groups:
        raise ProblemError(f"x {x.shape} has {x.shape[1]} channels, which {groups} groups do not divide")
    problem = Problem.of(
        x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation,
        batch=x.shape[0], groups=groups, in_channels=x.shape[1] // groups, out_channels=weight.shape[1],
        bias=bias is not None,
    )  # fmt: skip
    for name, array, shape in (("weight", weight, problem.weight_shape), ("bias", bias, problem.bias_shape)):
        if array is not None and array.shape != shape:
            raise ProblemError(f"{name} is {array.shape}, x {x.shape} in {groups} groups takes {shape}")
    for name in ("stride", "dilation"):
        if min(getattr(problem, name)) < 1:
            raise ProblemError(f"{name} is {getattr(problem, name)}: it must be at least 1 on every axis")
    if min(problem.output) < 0:
        raise ProblemError(f"the window {problem.window} cuts more than the full extents {problem.full}")
    return expected(problem, x, weight, bias)


def expected(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer to a problem: the stamp, then its window; arrays shaped as `Problem` says, int64 or float64."""
    return _window(problem, _stamp(problem, x, weight), bias)


def _stamp(problem: Problem, x: Array, weight: Array) -> Array:
    """full[n, g*OC + oc, i*stride + k*dilation] += x[n, g*IC + ic, i] * weight[g*IC + ic, oc, k]."""
    x, weight = _grouped(problem, x, weight)
    full = np.zeros((problem.batch, problem.groups, problem.out_channels, *problem.full), np.result_type(x, weight))
    for k in np.ndindex(problem.kernel):
        at: Index = tuple(
            slice(tap * d, tap * d + (i - 1) * s + 1, s)
            for tap, d, i, s in zip(k, problem.dilation, problem.input, problem.stride, strict=True)
        )
        full[..., *at] += np.einsum("ngi...,gio->ngo...", x, weight[..., *k])
    return full.reshape(problem.batch, -1, *problem.full)


def _window(problem: Problem, full: Array, bias: Array | None) -> Array:
    """Extend with zeros, crop, and only then add the bias: the order that is right for every signed window."""
    extend = [(max(-lo, 0), max(-hi, 0)) for lo, hi in problem.window]
    crop = [slice(max(lo, 0), max(lo, 0) + out) for (lo, _), out in zip(problem.window, problem.output, strict=True)]
    index: Index = (..., *crop)
    return _biased(np.pad(full, [(0, 0), (0, 0), *extend])[index], bias)


def by_zero_insertion(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer as an ordinary stride-1 convolution: stretch x by zeros, pad, correlate with the reversed kernel.

    The padding is d*(k - 1) - lo and d*(k - 1) - hi; where it is negative the stretched input is cropped.
    """
    x, weight = _grouped(problem, x, weight)
    stretched = np.zeros(
        (*x.shape[:3], *((i - 1) * s + 1 for i, s in zip(problem.input, problem.stride, strict=True))), x.dtype
    )
    inputs: Index = (..., *(slice(None, None, s) for s in problem.stride))
    stretched[inputs] = x
    for axis, (ke, (lo, hi)) in enumerate(zip(problem.effective_kernel, problem.window, strict=True), start=3):
        stretched = _widen(stretched, axis, ke - 1 - lo, ke - 1 - hi)
    spatial = tuple(range(3, 3 + problem.rank))
    patches = np.lib.stride_tricks.sliding_window_view(stretched, problem.effective_kernel, spatial)
    taps: Index = (..., *(slice(None, None, d) for d in problem.dilation))
    names = "xyz"[: problem.rank]
    y: Array = np.einsum(f"ngi...{names},gio{names}->ngo...", patches[taps], np.flip(weight, spatial))
    return _biased(y.reshape(problem.batch, -1, *problem.output), bias)


def _widen(array: Array, axis: int, begin: int, end: int) -> Array:
    """The array with zeros before and after along one axis; a negative amount cuts instead."""
    zeros = [(0, 0)] * array.ndim
    zeros[axis] = (max(begin, 0), max(end, 0))
    array = np.pad(array, zeros)
    kept: Index = (*[slice(None)] * axis, slice(max(-begin, 0), array.shape[axis] - max(-end, 0)))
    return array[kept]


def by_matrix(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer as y = C^T x, where C is the matrix of the ordinary convolution that the problem transposes."""
    rows = x.reshape(problem.batch, problem.groups, -1)
    y: Array = np.einsum("ngr,grc->ngc", rows, matrix(problem, weight))
    return _biased(y.reshape(problem.batch, -1, *problem.output), bias)


def matrix(problem: Problem, weight: Array) -> Array:
    """C per group, (groups, inputs, outputs): the ordinary convolution that maps outputs y back onto inputs x."""
    weight = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    operands: list[Any] = [weight]
    subscripts = ["gio" + "klm"[: problem.rank]]
    for i, k, s, d, (lo, _), out, names in zip(
        problem.input, problem.kernel, problem.stride, problem.dilation, problem.window, problem.output,
        ("xku", "ylv", "zmw"), strict=False,
    ):  # fmt: skip
        at = s * np.arange(i)[:, None, None] + d * np.arange(k)[:, None] - lo
        operands.append((at == np.arange(out)).astype(weight.dtype))
        subscripts.append(names)
    rows_and_columns = "gi" + "xyz"[: problem.rank] + "o" + "uvw"[: problem.rank]
    full: Array = np.einsum(f"{','.join(subscripts)}->{rows_and_columns}", *operands, optimize=True)
    return full.reshape(problem.groups, problem.in_channels * math.prod(problem.input), -1)


def _biased(y: Array, bias: Array | None) -> Array:
    """y plus one bias an output channel."""
    return y if bias is None else np.add(y, bias.reshape(-1, *[1] * (y.ndim - 2)))


def _numbers(array: ArrayLike) -> Array:
    """An array in the type that the oracle computes in: int64 for whole numbers, float64 for the rest."""
    array = np.asarray(array)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)


def _grouped(problem: Problem, x: Array, weight: Array) -> tuple[Array, Array]:
    """x as (batch, groups, in, *input) and weight as (groups, in, out, *kernel): groups get an axis of their own."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    return x.reshape(problem.batch, g, ic, *problem.input), weight.reshape(g, ic, oc, *problem.kernel)
