"""Faults that need two things together, each of which alone is computed right."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from math import gcd
from operator import eq, gt, lt

from conformance.audit.mutants.base import Family, Region, begun_one_late
from conformance.problem import Problem

family = Family("joint")
MUTANTS = family.mutants


def _extended(p: Problem) -> bool:
    return any(min(ends) < 0 for ends in p.pads)


def _in_rank(rank: int, region: Region, p: Problem) -> bool:
    return p.rank == rank and region(p)


REGIONS: Mapping[str, Region] = {
    "stride and dilation with a common factor, neither of which divides the other": lambda p: any(
        gcd(s, d) > 1 and s % d and d % s for s, d in zip(p.stride, p.dilation, strict=True)
    ),
    "a stride of 6 and more with dilation": lambda p: max(p.stride) >= 6 and max(p.dilation) > 1,
    "a stride of 6 and more in groups": lambda p: max(p.stride) >= 6 and p.groups > 1,
    "a stride of 6 and more in a batch": lambda p: max(p.stride) >= 6 and p.batch > 1,
    "a stride of 8 and more": lambda p: max(p.stride) >= 8,
    "a dilation of 5 and more with stride": lambda p: max(p.dilation) >= 5 and max(p.stride) > 1,
    "negative padding in a batch": lambda p: _extended(p) and p.batch > 1,
    "negative padding with output_padding": lambda p: _extended(p) and max(p.output_padding) > 0,
    "negative padding with a bias": lambda p: _extended(p) and p.bias,
    "negative padding with stride": lambda p: _extended(p) and max(p.stride) > 1,
    "4 and more in a batch with a bias": lambda p: p.batch >= 4 and p.bias,
    "8 and more in a batch": lambda p: p.batch >= 8,
    "4 and more groups in a batch": lambda p: p.groups >= 4 and p.batch > 1,
    "4 and more groups with dilation": lambda p: p.groups >= 4 and max(p.dilation) > 1,
    "4 and more groups of several channels with a bias": lambda p: p.groups >= 4 and p.in_channels > 1 and p.bias,
    "a kernel of 6 and more with dilation": lambda p: max(p.kernel) >= 6 and max(p.dilation) > 1,
    "a kernel of 6 and more in groups": lambda p: max(p.kernel) >= 6 and p.groups > 1,
    "output_padding of 3 and more": lambda p: max(p.output_padding) >= 3,
}

for rank, (name, region) in product((1, 2, 3), REGIONS.items()):
    family.inside(f"one late only in {rank}-D for {name}", partial(_in_rank, rank, region), begun_one_late)

STRIDES, DILATIONS = (3, 5, 7, 10), (3, 4, 5, 7)
BESIDE: Mapping[str, Callable[[int, int], bool]] = {"smaller": lt, "equal": eq, "larger": gt}
"""How a kernel's extent stands to the stride of its axis."""


def _steps(stride: int, compare: Callable[[int, int], bool], p: Problem) -> bool:
    axes = zip(p.input, p.kernel, p.stride, strict=True)
    return any(i > 1 and s == stride and compare(k, s) for i, k, s in axes)


def _spreads(dilation: int, p: Problem) -> bool:
    return any(k > 1 and d == dilation for k, d in zip(p.kernel, p.dilation, strict=True))


for rank, stride, (name, compare) in product((1, 2, 3), STRIDES, BESIDE.items()):
    family.inside(f"one late only in {rank}-D for a stride of {stride} and a {name} kernel",
                  partial(_in_rank, rank, partial(_steps, stride, compare)), begun_one_late)  # fmt: skip
for rank, dilation in product((1, 2, 3), DILATIONS):
    family.inside(f"one late only in {rank}-D for a dilation of {dilation}",
                  partial(_in_rank, rank, partial(_spreads, dilation)), begun_one_late)  # fmt: skip
