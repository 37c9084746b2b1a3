"""The definition of transposed convolution: every input element stamps the kernel, and a window is cut out."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from conformance.oracle._arrays import Array, biased, contracted, grouped, joined, landing, zeros
from conformance.oracle._matrices import Work, by_matrices
from conformance.oracle._threads import each, threads_for
from conformance.problem import PerAxis, Problem, ProblemError, whole

HOLDS = {np.float32: 24, np.float64: 53}
"""Bits of the whole numbers that floats hold, so that sums of them are exact."""
MANY = 1 << 18
"""Products from which on they are taken as products of matrices."""


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
    x, weight = _numbers("x", x), _numbers("weight", weight)
    bias = None if bias is None else _numbers("bias", bias)
    if x.ndim < 3 or weight.ndim != x.ndim:
        raise ProblemError(f"x {x.shape} and weight {weight.shape} must have two axes and the same spatial ones after")
    groups = whole("groups", groups)
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
    if min(problem.output_padding) < 0:
        raise ProblemError(f"output_padding is {problem.output_padding}: it must not be negative on any axis")
    if min(problem.output) < 0:
        raise ProblemError(f"the window {problem.window} cuts more than the full extents {problem.full}")
    return of_any_size(problem, x, weight, bias)


def of_any_size(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer to a problem on numbers of any size and type: in int64 of whole ones, else in float64.

    Raises ProblemError for what are no numbers, and where whole ones do not fit int64.
    """
    numbers = _numbers("x", x), _numbers("weight", weight), None if bias is None else _numbers("bias", bias)
    return _fitting(expected(problem, *_wide_enough(problem, *numbers)))


def expected(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer to a problem: what its window holds of the stamp; arrays shaped as `Problem` says, int64 or float64.

    It takes the memory of the operands and of the answer, whatever the window cuts away.
    """
    return biased(_stamp(problem, x, weight), bias)


def _stamp(problem: Problem, x: Array, weight: Array) -> Array:
    """y[n, g*OC + oc, i*stride + k*dilation - lo] += x[n, g*IC + ic, i] * weight[g*IC + ic, oc, k], inside the window.

    Of whole numbers and many products, the sums are taken in floats, part by part, which hold each of them exactly.
    """
    if x.dtype != np.int64 or weight.dtype != np.int64 or problem.multiplies < MANY:
        return joined(problem, _walked(problem, *grouped(problem, x, weight)))
    y, count = zeros(problem, np.int64), threads_for(problem.multiplies)

    def put(shift: int, work: Work) -> None:
        for place, sums in work():
            y[place] = y[place] + (sums.astype(np.int64) << shift) if shift else sums

    for shift, *parts in _parts(problem, x, weight):
        each(by_matrices(problem, *grouped(problem, *parts), count), partial(put, shift), count)
    return joined(problem, y)


def _walked(problem: Problem, x: Array, weight: Array) -> Array:
    """The stamp by a sum over channels. Taps are walked one by one and elements all at once, or the other way round
    where there are fewer elements."""
    y = zeros(problem, np.result_type(x, weight))
    by_tap = prod(problem.kernel) <= prod(problem.input)
    axes = problem.axes if by_tap else [axis.turned for axis in problem.axes]
    for place in np.ndindex(*(axis.kernel for axis in axes)):
        offsets = [at * axis.dilation - axis.lo for at, axis in zip(place, axes, strict=True)]
        kept, to = landing(axes, offsets, [slice(0, axis.input) for axis in axes])
        one, many = (..., *place), (..., *kept)
        y[(..., *to)] += contracted(x[many], weight[one]) if by_tap else contracted(x[one], weight[many])
    return y


def _parts(problem: Problem, x: Array, weight: Array) -> Iterator[tuple[int, Array, Array]]:
    """Operands as sums of parts in floats, with the power of two that a product of two counts: no sum of products that
    an output has leaves the whole numbers that the floats hold, so that each order of summation is exact."""
    count, held = problem.in_channels * prod(axis.most for axis in problem.axes), 1 << HOLDS[np.float32]
    most = [max(map(abs, _ends(array)), default=0) for array in (x, weight)]
    if most[1] * count < held:
        narrow = weight.astype(np.float32)
        if prod(most) * count <= held or most[0] * _meeting(problem, narrow) <= held:
            yield 0, x.astype(np.float32), narrow
            return
    bits, room = [number.bit_length() for number in most], HOLDS[np.float64] - count.bit_length()
    pieces = [(a, b) for a in range(1, 64) for b in range(1, 64) if -(-bits[0] // a) + -(-bits[1] // b) <= room]
    cuts = min(pieces, key=lambda piece: (piece[0] * piece[1], piece))
    for shift_x, part_x in _cut(x, -(-bits[0] // cuts[0]), cuts[0]):
        for shift_weight, part_weight in _cut(weight, -(-bits[1] // cuts[1]), cuts[1]):
            yield shift_x + shift_weight, part_x, part_weight


def _meeting(problem: Problem, weight: Array) -> int:
    """The largest sum of magnitudes of a weight that an output can have: of taps whose distances are multiples of the
    stride, in the channels of a group."""
    taps = np.abs(weight).reshape(problem.groups, problem.in_channels, *weight.shape[1:]).sum(axis=1)
    every, axes = [axis.every for axis in problem.axes], tuple(range(2, taps.ndim))
    return max(
        int(taps[(..., *(slice(at, None, step) for at, step in zip(first, every, strict=True)))].sum(axes).max())
        for first in np.ndindex(*map(min, every, problem.kernel))
    )


def _cut(array: Array, bits: int, count: int) -> Iterator[tuple[int, Array]]:
    """Whole numbers as parts of so many bits, the last one with the sign."""
    for at in range(count):
        rest = array >> (bits * at)
        yield bits * at, (rest if at == count - 1 else rest & ((1 << bits) - 1)).astype(np.float64)


def _numbers(name: str, given: ArrayLike) -> Array:
    """An operand in the type that the oracle computes in: int64 for whole numbers, float64 for the rest.

    Whole numbers that int64 does not hold are Python's. Raises ProblemError for what is neither.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise ProblemError(f"{name} is a masked array: give one in which every value counts")
    array = np.asarray(given)
    if array.dtype.kind == "O" and all(type(value) is int for value in array.flat):
        return array
    if array.dtype.kind in "OcmMSU" or array.dtype.names:
        raise ProblemError(f"{name} is of {array.dtype}: give whole numbers or floats")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 1 << 63:
        return array.astype(object)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)


def _wide_enough(problem: Problem, x: Array, weight: Array, bias: Array | None) -> tuple[Array, Array, Array | None]:
    """The operands as Python's numbers where they are whole, and a sum of them may not fit int64."""
    operands = [x, weight, *([] if bias is None else [bias])]
    if any(array.dtype.kind == "f" for array in operands):
        return _floats("x", x), _floats("weight", weight), None if bias is None else _floats("bias", bias)
    most_x, most_weight, *most_bias = (max(map(abs, _ends(array)), default=0) for array in operands)
    terms = problem.in_channels * min(prod(problem.input), prod(problem.kernel))
    if all(array.dtype != object for array in operands) and most_x * most_weight * terms + sum(most_bias) < 1 << 63:
        return x, weight, bias
    return x.astype(object), weight.astype(object), None if bias is None else bias.astype(object)


def _floats(name: str, array: Array) -> Array:
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ProblemError(f"{name} holds a whole number that no float holds: give smaller numbers") from None


def _ends(array: Array) -> list[int]:
    """The least and the greatest whole number of an array."""
    return [int(array.min()), int(array.max())] if array.size else []


def _fitting(y: Array) -> Array:
    """An answer in Python's numbers as int64. Raises ProblemError where it does not fit."""
    if y.dtype != object:
        return y
    for value in _ends(y):
        if not -(1 << 63) <= value < 1 << 63:
            raise ProblemError(f"the answer holds {value}, which int64 does not: give smaller numbers, or floats")
    return y.astype(np.int64)
