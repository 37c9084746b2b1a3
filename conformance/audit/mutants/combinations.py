"""Faults that only a combination has: many channels together with something else, in reduced precision or lost."""

from collections.abc import Mapping
from functools import partial
from itertools import product

import numpy as np

from conformance.audit.mutants.base import Array, Family, Implementation, Region, grouped, right
from conformance.audit.mutants.numerics import BF16, TF32, rounded
from conformance.problem import Problem

family = Family("combinations")
MUTANTS = family.mutants

MANY = (8, 16, 32)
COMPANIES: Mapping[str, Region] = {
    "in one dimension": lambda p: p.rank == 1,
    "in two dimensions": lambda p: p.rank == 2,
    "in three dimensions": lambda p: p.rank == 3,
    "in a batch": lambda p: p.batch > 1,
    "with dilation": lambda p: max(p.dilation) > 1,
    "in groups": lambda p: p.groups > 1,
    "with a bias": lambda p: p.bias,
    "at stride 1": lambda p: {*p.stride} == {1} and max(p.kernel) > 1,
    "with output_padding": lambda p: max(p.output_padding) > 0,
    "with one tap": lambda p: {*p.kernel} == {1},
}


def _has_many(many: int, company: Region, p: Problem) -> bool:
    return min(p.in_channels, p.out_channels) >= many and company(p)


def in_tf32(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The answer of operands rounded to TF32."""
    return right(p, rounded(x, TF32), rounded(w, TF32), b)


def in_bfloat16(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The answer of operands rounded to bfloat16."""
    return right(p, rounded(x, BF16), rounded(w, BF16), b)


for many, (name, company) in product(MANY, COMPANIES.items()):
    family.inside(f"TF32 only for {many} and more channels in and out, {name}",
                  partial(_has_many, many, company), in_tf32)  # fmt: skip
family.inside("bfloat16 only for one tap on 32 and more channels in and out",
              partial(_has_many, 32, lambda p: {*p.kernel} == {1}), in_bfloat16)  # fmt: skip
family.inside("bfloat16 only for depthwise kernels on 16 and more channels",
              lambda p: p.groups >= 16 and p.in_channels == p.out_channels == 1, in_bfloat16)  # fmt: skip

BEYOND = (64, 128, 256, 512)
BESIDE: Mapping[str, Region] = {
    "with stride": lambda p: max(p.stride) > 1 and max(p.input) > 1,
    "with dilation": lambda p: any(d > 1 and k > 1 for d, k in zip(p.dilation, p.kernel, strict=True)),
    "with padding": lambda p: any(map(any, p.pads)),
    "in a batch": lambda p: p.batch > 1,
    "with a bias": lambda p: p.bias,
    "with output_padding": lambda p: max(p.output_padding) > 0,
    "in one dimension": lambda p: p.rank == 1,
    "in two dimensions": lambda p: p.rank == 2,
    "in three dimensions": lambda p: p.rank == 3,
}


def _lost_beyond(axis: int, many: int) -> Implementation:
    def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
        weight = grouped(p, w).copy()
        np.moveaxis(weight, axis, 0)[many:] = 0
        return right(p, x, weight.reshape(w.shape), b)

    return run


def _is_beyond(axis: int, many: int, company: Region, p: Problem) -> bool:
    return (p.groups, p.in_channels, p.out_channels)[axis] > many and company(p)


for (axis, kind), many, (name, company) in product(
    enumerate(("groups", "in channels", "out channels")), BEYOND, BESIDE.items()
):
    family.inside(f"{kind} beyond {many} lost only {name}",
                  partial(_is_beyond, axis, many, company), _lost_beyond(axis, many))  # fmt: skip
