"""Faults of kernels that want whole blocks of channels, square weights, or as many groups as channels."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from math import prod

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, Index, Region, grouped, right
from conformance.problem import Problem

family = Family("whole")
MUTANTS = family.mutants

BLOCKS = (4, 8, 16)
COMPANIES: Mapping[str, Region] = {
    "in one dimension": lambda p: p.rank == 1,
    "in two dimensions": lambda p: p.rank == 2,
    "in three dimensions": lambda p: p.rank == 3,
    "in a batch": lambda p: p.batch > 1,
    "in groups": lambda p: p.groups > 1,
    "with a bias": lambda p: p.bias,
    "with dilation": lambda p: max(p.dilation) > 1,
    "with output_padding": lambda p: max(p.output_padding) > 0,
    "with one tap": lambda p: prod(p.kernel) == 1,
    "at stride 1": lambda p: {*p.stride} == {1} and max(p.kernel) > 1,
    "at stride 2": lambda p: {*p.stride} == {2} and max(p.kernel) > 1,
    "at strides that differ": lambda p: len({*p.stride}) > 1,
    "with pads that differ at the ends": lambda p: any(begin != end for begin, end in p.pads),
}


def _fills(block: int, company: Region, p: Problem) -> bool:
    """Whether in and out channels of a group are whole blocks."""
    return p.in_channels % block == 0 == p.out_channels % block and company(p)


def lanes_reversed(block: int) -> Implementation:
    """What stores the out channels of each block in reverse."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        y = right(p, x, w, b)
        return y.reshape(p.batch, -1, block, *p.output)[:, :, ::-1].reshape(y.shape)

    return run


for block, (name, company) in product(BLOCKS, COMPANIES.items()):
    family.inside(f"out channels reversed in whole blocks of {block}, {name}",
                  partial(_fills, block, company), lanes_reversed(block))  # fmt: skip


def third_block_as_first(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """What computes out channels from the third block of 8 on with the weights of the first."""
    weight = grouped(p, w).copy()
    weight[:, :, 16:24] = weight[:, :, :8]
    return right(p, x, weight.reshape(w.shape), b)


def tail_as_before(block: int) -> Implementation:
    """What reads the in channels beyond the last whole block a block before."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        read = x.reshape(p.batch, p.groups, p.in_channels, *p.input).copy()
        rest = p.in_channels % block
        read[:, :, -rest:] = read[:, :, -rest - block : -block]
        return right(p, read.reshape(x.shape), w, b)

    return run


def _tail_beside_whole(block: int, rank: int, p: Problem) -> bool:
    """Whether whole blocks of out channels meet in channels that have a rest."""
    return p.rank == rank and p.in_channels > block and p.in_channels % block > 0 == p.out_channels % block


def _has_three_blocks(rank: int, p: Problem) -> bool:
    return p.rank == rank and p.out_channels == 24


for rank in (1, 2):
    family.inside(f"a third block of 8 out channels computed as the first in {rank}-D",
                  partial(_has_three_blocks, rank), third_block_as_first)  # fmt: skip
for block, rank in product((8, 16), (1, 2)):
    family.inside(f"in channels beyond blocks of {block} misread beside whole out blocks in {rank}-D",
                  partial(_tail_beside_whole, block, rank), tail_as_before(block))  # fmt: skip


def transposed(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """What takes the in channels of a square weight for its out channels."""
    return right(p, x, np.swapaxes(grouped(p, w), 1, 2).reshape(w.shape), b)


SQUARE: Mapping[str, Region] = {
    **COMPANIES,
    "for one input position": lambda p: prod(p.input) == 1,
    "with one tap and a stride": lambda p: prod(p.kernel) == 1 and max(p.stride) > 1,
    "of 16 and more channels": lambda p: p.in_channels >= 16,
}


def _is_square(company: Region, p: Problem) -> bool:
    return p.in_channels == p.out_channels > 1 and company(p)


for name, company in SQUARE.items():
    family.inside(f"square weights read transposed, {name}", partial(_is_square, company), transposed)


def last_tap_lost(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """What leaves out the last tap."""
    weight = w.copy()
    last: Index = (..., *[-1] * p.rank)
    weight[last] = 0
    return right(p, x, weight, b)


def _of_eights(p: Problem) -> bool:
    return p.groups % 8 == 0


DEPTHWISE: Mapping[str, Region] = {
    "kernels of 25 taps": lambda p: p.rank == 2 and prod(p.kernel) == 25,
    "kernels of 17 and more in 1-D": lambda p: p.rank == 1 and p.kernel[0] > 16,
    "kernels of 3 on rows of 9 and more": lambda p: p.rank == 2 and {*p.kernel} == {3} and p.input[-1] > 8,
    "kernels of two strides of 4 and more": lambda p: min(p.stride) >= 4 and p.kernel == tuple(2 * s for s in p.stride),
    "dilation on a multiple of 8 channels": lambda p: _of_eights(p) and max(p.dilation) > 1 and max(p.kernel) > 1,
    "a multiple of 8 channels in 3-D": lambda p: _of_eights(p) and p.rank == 3,
    "a multiple of 8 channels at stride 2 in a batch": lambda p: _of_eights(p) and {*p.stride} == {2} and p.batch > 1,
}


def _is_depthwise(company: Region, p: Problem) -> bool:
    return p.in_channels == 1 < p.groups and company(p)


for name, company in DEPTHWISE.items():
    family.inside(f"last tap lost for depthwise {name}", partial(_is_depthwise, company), last_tap_lost)
