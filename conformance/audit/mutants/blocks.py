"""Faults of blocked kernels: channels, sums and positions that fill no whole block, or lie beyond the first."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from math import prod

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, grouped, right
from conformance.problem import Problem

family = Family("blocks")
MUTANTS = family.mutants

BLOCKS = (4, 8, 16, 32, 64, 256)
COUNTS: Mapping[str, Callable[[Problem], int]] = {
    "in channels": lambda p: p.in_channels if p.groups == 1 else 0,
    "out channels": lambda p: p.out_channels if p.groups == 1 else 0,
    "in channels of each group": lambda p: p.in_channels if p.groups > 1 else 0,
    "out channels of each group": lambda p: p.out_channels if p.groups > 1 else 0,
    "depthwise channels": lambda p: p.groups if p.in_channels == p.out_channels == 1 else 0,
    "groups of several channels": lambda p: p.groups if p.in_channels > 1 else 0,
}


def tail_lost(axis: int, block: int) -> Implementation:
    """What loses the channels beyond the last whole block of an axis of the grouped weight."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        weight = grouped(p, w).copy()
        np.moveaxis(weight, axis, 0)[weight.shape[axis] // block * block :] = 0
        return right(p, x, weight.reshape(w.shape), b)

    return run


def has_tail(count: str, block: int, p: Problem) -> bool:
    """Whether there is a whole block of channels, and a rest."""
    return COUNTS[count](p) > block and COUNTS[count](p) % block > 0


for count, block in product(COUNTS, BLOCKS):
    axis = {"in": 1, "out": 2}.get(count.split()[0], 0)
    family.inside(f"{count} beyond the last whole block of {block} lost",
                  partial(has_tail, count, block), tail_lost(axis, block))  # fmt: skip


def first_blocks_overwritten(block: int) -> Implementation:
    """What begins a sum anew at its last block of in channels, as a matrix product with a wrong beta does."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        weight = grouped(p, w).copy()
        weight[:, : (p.in_channels - 1) // block * block] = 0
        return right(p, x, weight.reshape(w.shape), b)

    return run


def is_longer(block: int, p: Problem) -> bool:
    """Whether a sum over in channels takes several blocks."""
    return p.in_channels > block


for block in (32, 64, 128, 256, 384, 512):
    family.inside(f"sums begun anew after every {block} in channels",
                  partial(is_longer, block), first_blocks_overwritten(block))  # fmt: skip


def positions_lost(block: int) -> Implementation:
    """What loses the positions of the input beyond the last whole block."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        flat = x.reshape(*x.shape[:2], -1).copy()
        flat[..., flat.shape[-1] // block * block :] = 0
        return right(p, flat.reshape(x.shape), w, b)

    return run


def has_positions(rank: int, block: int, p: Problem) -> bool:
    """Whether there is a whole block of input positions, and a rest."""
    return p.rank == rank and prod(p.input) > block and prod(p.input) % block > 0


for rank, block in product((1, 2, 3), (16, 64, 256, 1024)):
    family.inside(f"input positions beyond the last whole block of {block} lost in {rank}-D",
                  partial(has_positions, rank, block), positions_lost(block))  # fmt: skip


def bias_added_by_block(block: int) -> Implementation:
    """What adds the bias once for every block of in channels."""

    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        times = -(-p.in_channels // block)
        return right(p, x, w, None if b is None else (b * times).astype(b.dtype))

    return run


def is_longer_with_bias(block: int, p: Problem) -> bool:
    """Whether a sum over in channels takes several blocks, and a bias is added."""
    return p.bias and is_longer(block, p)


for block in (8, 16, 32, 64, 128, 256, 512):
    family.inside(f"the bias added once for every {block} in channels",
                  partial(is_longer_with_bias, block), bias_added_by_block(block))  # fmt: skip
