"""Faults at the borders of tiles, in kernels of transforms, and where places are divided by a stride."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from math import prod

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, Index, Region, begun_at, begun_one_late, right
from conformance.problem import Problem

family = Family("tiles")
MUTANTS = family.mutants


def torn(axis: int, tile: int) -> Implementation:
    """What loses the stamps that reach over the border behind a tile of the input, and halves the overlap there."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        border = min(max(tile * p.stride[axis] - p.window[axis][0], 0), p.output[axis])
        first, second = (np.arange(p.input[axis]) < tile, np.arange(p.output[axis]) < border)
        shape = [-1 if at == axis else 1 for at in range(p.rank)]
        before, here = first.reshape(shape), second.reshape(shape)
        return np.where(here, right(p, x * before, w, b), right(p, x * ~before, w, b)).astype(x.dtype)

    return run


def _crosses(axis: int, rank: int, tile: int, overlap: Region, p: Problem) -> bool:
    """Whether stamps reach over the border behind a tile."""
    return p.rank == rank and p.input[axis] > tile and p.effective_kernel[axis] > p.stride[axis] and overlap(p)


OVERLAPS: Mapping[str, Region] = {
    "at stride 1": lambda p: {*p.stride} == {1},
    "with stride": lambda p: max(p.stride) > 1,
    "with dilation": lambda p: max(p.dilation) > 1,
}
AXES = {(1, 0): "in 1-D", (2, 0): "on the first axis in 2-D", (2, 1): "on the last axis in 2-D"}

for tile, ((rank, axis), place), (name, overlap) in product((16, 32), AXES.items(), OVERLAPS.items()):
    if (axis, rank, name) != (0, 2, "with dilation"):
        family.inside(f"stamps lost that cross the border of a tile of {tile}, {place}, {name}",
                      partial(_crosses, axis, rank, tile, overlap), torn(axis, tile))  # fmt: skip
family.inside("stamps lost that cross the border of a tile of 64, in 1-D, with stride",
              partial(_crosses, 0, 1, 64, OVERLAPS["with stride"]), torn(0, 64))  # fmt: skip


def _squares_of_3(p: Problem) -> bool:
    """Whether a kernel is one that Winograd's transforms are for."""
    return p.rank == 2 and {*p.kernel} == {3} and {*p.stride} == {1} and {*p.dilation} == {1} and p.groups == 1


TRANSFORMS: Mapping[str, Region] = {
    "3x3 kernels at stride 1 whose pads differ, on 4 and more channels": lambda p: (
        _squares_of_3(p) and p.in_channels >= 4 and any(lo != hi for lo, hi in p.window)
    ),
    "3x3 kernels at stride 1 with pads wider than 2": lambda p: _squares_of_3(p) and max(map(max, p.window)) > 2,
    "3x3 kernels at strides 1x2 on 16 and more channels": lambda p: (
        p.kernel == (3, 3) and p.stride == (1, 2) and p.in_channels >= 16
    ),
    "even kernels at stride 1 with pads of half of them": lambda p: (
        p.rank == 2
        and {*p.stride} == {1}
        and all(k > 2 and k == 2 * lo for k, (lo, _) in zip(p.kernel, p.window, strict=True))
    ),
    "windows that begin more than a stride early": lambda p: any(
        lo < -s < -1 for (lo, _), s in zip(p.window, p.stride, strict=True)
    ),
    "uneven answers of stride 2, on 16 and more channels with a bias": lambda p: (
        p.rank == 2 and {*p.stride} == {2} and all(out % 2 for out in p.output) and p.in_channels >= 16 and p.bias
    ),
}

for name, region in TRANSFORMS.items():
    family.inside(f"one late only for {name}", region, begun_one_late)


def begun_in_a_byte(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """What keeps a negative begin in 8 bits with a sign."""
    return right(begun_at(p, [lo if lo >= -128 else lo % 128 for lo, _ in p.window]), x, w, b)


family.inside("a window's negative begin in int8", lambda p: min(lo for lo, _ in p.window) < -128, begun_in_a_byte)


def _misplaced(stride: int, extent: int, bits: int) -> Array:
    """Which places of an axis are another multiple of the stride by its reciprocal: a float, or one of `bits` bits."""
    places = np.arange(extent)
    if bits:
        quotient = places * (-(-(1 << bits) // stride)) >> bits
    else:
        quotient = np.floor(places.astype(np.float32) * (np.float32(1) / np.float32(stride))).astype(np.int64)
    misplaced: Array = quotient != places // stride
    return misplaced


def divided(bits: int) -> Implementation:
    """What loses the outputs at misplaced places."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, None)
        for axis, (stride, extent) in enumerate(zip(p.stride, p.output, strict=True), start=2):
            at: Index = (*[slice(None)] * axis, _misplaced(stride, extent, bits))
            y[at] = 0
        return y if b is None else y + b.reshape(-1, *[1] * p.rank)

    return run


def _is_misplaced(bits: int, p: Problem) -> bool:
    """Whether the division goes wrong somewhere, in an answer for which a table of places is small."""
    axes = list(zip(p.stride, p.output, strict=True))
    return prod(p.output) < 1 << 20 and any(s > 1 and _misplaced(s, out, bits).any() for s, out in axes)


family.inside("places divided by the stride with a float reciprocal", partial(_is_misplaced, 0), divided(0))
family.inside("places divided by the stride with a reciprocal of 16 bits", partial(_is_misplaced, 16), divided(16))
