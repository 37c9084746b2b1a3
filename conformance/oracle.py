"""What transposed convolution is, three ways that share no arithmetic; the first is the expected answer.

`conv_transpose` stamps (scatters), `by_zero_insertion` gathers from a stretched input, `by_matrix` multiplies with the
transpose of an ordinary convolution's matrix. None of them stores what the window cuts away, nor a zero in between.
Integers give exact int64 answers, floats are computed in float64.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from conformance.problem import Axis, PerAxis, Phases, Problem, ProblemError, whole

Array = NDArray[Any]
Index = tuple[Any, ...]

HOLDS = {np.float32: 24, np.float64: 53}
"""Bits of the whole numbers that floats hold, so that sums of them are exact."""
MANY = 1 << 18
"""Products from which on they are taken as products of matrices."""
BLOCK = 1 << 21
"""Numbers that an operand and the answer of one product of matrices have, if a column has no more of them."""
COPIED, ADDED = 50, 100
"""Products of matrices that take as long as copying a number into one, and as adding one to an answer."""


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
    return _biased(_stamp(problem, x, weight), bias)


def _stamp(problem: Problem, x: Array, weight: Array) -> Array:
    """y[n, g*OC + oc, i*stride + k*dilation - lo] += x[n, g*IC + ic, i] * weight[g*IC + ic, oc, k], inside the window.

    Of whole numbers and many products, the sums are taken in floats, part by part, which hold each of them exactly.
    """
    if x.dtype != np.int64 or weight.dtype != np.int64 or problem.multiplies < MANY:
        return _joined(problem, _walked(problem, *_grouped(problem, x, weight)))
    y = _zeros(problem, np.int64)
    for shift, *parts in _parts(problem, x, weight):
        for place, sums in _by_matrices(problem, *_grouped(problem, *parts)):
            y[place] = y[place] + (sums.astype(np.int64) << shift) if shift else sums
    return _joined(problem, y)


def _walked(problem: Problem, x: Array, weight: Array) -> Array:
    """The stamp by a sum over channels. Taps are walked one by one and elements all at once, or the other way round
    where there are fewer elements."""
    y = _zeros(problem, np.result_type(x, weight))
    by_tap = prod(problem.kernel) <= prod(problem.input)
    axes = problem.axes if by_tap else [axis.turned for axis in problem.axes]
    for place in np.ndindex(*(axis.kernel for axis in axes)):
        offsets = [at * axis.dilation - axis.lo for at, axis in zip(place, axes, strict=True)]
        kept, to = _landing(axes, offsets, [slice(0, axis.input) for axis in axes])
        one, many = (..., *place), (..., *kept)
        y[(..., *to)] += _contracted(x[many], weight[one]) if by_tap else _contracted(x[one], weight[many])
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


def _by_matrices(problem: Problem, x: Array, weight: Array) -> Iterator[tuple[Index, Array]]:
    """The stamp of floats: places of the answer, each of them once, and the sums there.

    Elements and taps change roles, and so do batch and channels out, where that is less work.
    """
    axes, spatial = problem.axes, prod(problem.input) * prod(problem.kernel)
    turned = [axis.turned for axis in axes]
    added = spatial * (1 + ADDED / max(1, problem.in_channels))
    gathered = _gathered(axes, problem.out_channels), _gathered(turned, problem.batch)
    by_tap = prod(problem.kernel) <= prod(problem.input) if added < min(gathered) else gathered[0] <= gathered[1]
    way = _stamped if added < min(gathered) else _in_phases
    if by_tap:
        yield from way(axes, x, weight)
    else:
        for (out, groups, batch, *to), sums in way(turned, np.moveaxis(weight, 2, 0), np.moveaxis(x, 0, 2)):
            yield (batch, groups, out, *to), sums.swapaxes(0, 2)


def _gathered(axes: Sequence[Axis], out: int) -> float:
    """What `_in_phases` takes for each channel in and out, in products."""
    phases = prod(min(axis.every, axis.kernel) for axis in axes)
    return prod(axis.work for axis in axes) * (1 + COPIED / max(1, out * phases))


def _stamped(axes: Sequence[Axis], x: Array, weight: Array) -> Iterator[tuple[Index, Array]]:
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
            kept, to = _landing(axes, offsets, block)
            y[(groups, slice(None), *to, batch)] += sums[(slice(None), *tap, slice(None), *kept)]
    yield (slice(None),) * y.ndim, np.moveaxis(y, -1, 0)


def _landing(axes: Sequence[Axis], offsets: Sequence[int], block: Sequence[slice]) -> tuple[Index, Index]:
    """Which of a block's places n have an output at n*stride + offset, counted from the block's first; and which."""
    kept, to = zip(*(
        _inside(offset + part.start * axis.stride, axis.stride, part.stop - part.start, axis.output)
        for axis, offset, part in zip(axes, offsets, block, strict=True)
    ), strict=True)  # fmt: skip
    return kept, to


def _in_phases(axes: Sequence[Axis], x: Array, weight: Array) -> Iterator[tuple[Index, Array]]:
    """The stamp as products of matrices, (phases and out, in and taps) times (in and taps, places), in blocks."""
    for chosen in product(*(axis.phases for axis in axes)):
        pairs = [*zip(axes, chosen, strict=True)]
        rows, met = _rows(pairs, weight), _met_by_phases(pairs, x)
        places, phases = [some.end - some.begin for some in chosen], [some.number for some in chosen]
        for groups, batch, *block in _blocks((len(rows), len(x), *places), max(1, BLOCK // max(1, *rows.shape[1:]))):
            columns = met[(groups, ..., batch, *block)]
            sums = rows[groups] @ columns.reshape(len(columns), rows.shape[2], -1)
            sums = sums.reshape(len(columns), *phases, weight.shape[2], *columns.shape[-len(block) - 1 :])
            for phase in np.ndindex(*phases):
                offsets = [
                    some.begin * axis.stride + (some.first + at) * axis.dilation - axis.lo
                    for at, (axis, some) in zip(phase, pairs, strict=True)
                ]
                kept, to = _landing(axes, offsets, block)
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


def _inside(offset: int, step: int, count: int, extent: int) -> tuple[slice, slice]:
    """Which of the places offset + n*step, n < count, are in [0, extent): the numbers n, and the places."""
    first, end = max(0, -(offset // step)), min(count, (extent - 1 - offset) // step + 1)
    if first >= end:
        return slice(0), slice(0)
    return slice(first, end), slice(offset + first * step, offset + (end - 1) * step + 1, step)


def _contracted(x: Array, weight: Array) -> Array:
    """(batch, groups, in, ...) times (groups, in, out, ...), summed over in; one of them may have no further axes."""
    if x.dtype != object:
        product: Array = np.einsum("ngi...,gio...->ngo...", x, weight)
        return product
    x = x.reshape(*x.shape[:3], 1, *(x.shape[3:] or [1] * (weight.ndim - 3)))
    whole: Array = (x * weight.reshape(*weight.shape[:3], *(weight.shape[3:] or [1] * (x.ndim - 4)))).sum(axis=2)
    return whole


def by_zero_insertion(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The answer as an ordinary convolution of stride 1 over x with zeros inserted, which are never stored.

    Output o and tap k meet element (o + lo - k*dilation) / stride: a zero where that is no whole number, or outside.
    """
    x, weight = _grouped(problem, x, weight)
    y = _zeros(problem, np.result_type(x, weight))
    for k in np.ndindex(problem.kernel):
        y += np.einsum("ngi...,gio->ngo...", _met(problem, x, k), weight[(..., *k)])
    return _biased(_joined(problem, y), bias)


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
    grouped_x, grouped_weight = _grouped(problem, x, weight)
    elements = grouped_x.reshape(*grouped_x.shape[:3], -1)[..., row]
    taps = grouped_weight.reshape(*grouped_weight.shape[:3], -1)[..., tap]
    y = _zeros(problem, np.result_type(x, weight))
    flat = y.reshape(*y.shape[:3], prod(problem.output))
    into: Any = (..., column)
    np.add.at(flat, into, np.einsum("ngie,gioe->ngoe", elements, taps))
    return _biased(_joined(problem, y), bias)


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


def _zeros(problem: Problem, dtype: Any) -> Array:
    """An answer of zeros, (batch, groups, out, *output)."""
    return np.zeros((problem.batch, problem.groups, problem.out_channels, *problem.output), dtype)


def _joined(problem: Problem, y: Array) -> Array:
    """An answer whose groups have an axis of their own, in the output's shape."""
    return y.reshape(problem.output_shape)


def _biased(y: Array, bias: Array | None) -> Array:
    """y plus one bias an output channel."""
    return y if bias is None else np.add(y, bias.reshape(-1, *[1] * (y.ndim - 2)))


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


def _grouped(problem: Problem, x: Array, weight: Array) -> tuple[Array, Array]:
    """x as (batch, groups, in, *input) and weight as (groups, in, out, *kernel): groups get an axis of their own."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    return x.reshape(problem.batch, g, ic, *problem.input), weight.reshape(g, ic, oc, *problem.kernel)
