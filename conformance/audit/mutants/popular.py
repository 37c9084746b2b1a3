"""Faults at the geometries that well-known architectures have, and nowhere else: a kernel of their own is optimised."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import NamedTuple

from conformance.audit.mutants.base import Array, Family, Region, everywhere, right
from conformance.problem import Problem

family = Family("popular")
MUTANTS = family.mutants


class Geometry(NamedTuple):
    """Kernel, stride, pads and output_padding, the same on every axis."""

    kernel: int
    stride: int = 1
    pads: tuple[int, int] = (0, 0)
    output_padding: int = 0

    def __str__(self) -> str:
        begin, end = self.pads
        return (f"kernel {self.kernel}, stride {self.stride}, padding {begin if begin == end else f'{begin}:{end}'}"
                + (f", output_padding {self.output_padding}" if self.output_padding else ""))  # fmt: skip


IMAGES = (
    Geometry(2, 2), Geometry(4, 2, (1, 1)), Geometry(4), Geometry(3, 2, (1, 1), 1), Geometry(3, 2, (0, 1)),
    Geometry(3, 2, (1, 1)), Geometry(3, 2), Geometry(3, 1, (1, 1)), Geometry(5, 2, (2, 2), 1), Geometry(5, 2, (1, 2)),
    Geometry(5, 1, (2, 2)), Geometry(7, 1, (3, 3)), Geometry(7), Geometry(8, 4, (2, 2)), Geometry(16, 8, (4, 4)),
    Geometry(9, 3, (4, 4), 2), Geometry(6, 2),
)  # fmt: skip
SOUNDS = (
    Geometry(2, 2), Geometry(4, 2, (1, 1)), Geometry(16, 8, (4, 4)), Geometry(8, 4), Geometry(25, 4, (11, 11), 1),
    Geometry(10, 5, (3, 3), 1), Geometry(11, 5, (3, 3)), Geometry(16, 8), Geometry(9, 4, (4, 4), 3),
)  # fmt: skip
VOLUMES = (
    Geometry(2, 2), Geometry(4, 2, (1, 1)), Geometry(4), Geometry(3, 2, (1, 1), 1), Geometry(3, 1, (1, 1)),
)  # fmt: skip
COMPANIES: Mapping[str, Region] = {
    "several channels": lambda p: p.in_channels > 1 and p.out_channels > 1,
    "a batch": lambda p: p.batch > 1,
}  # fmt: skip


def _has(geometry: Geometry, rank: int, company: Region, p: Problem) -> bool:
    return (
        p.rank == rank and {*p.kernel} == {geometry.kernel} and {*p.stride} == {geometry.stride}
        and {*p.pads} == {geometry.pads} and {*p.output_padding} == {geometry.output_padding} and company(p)
    )  # fmt: skip


def first_column_lost(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The answer with zeros at the begin of the last axis."""
    y = right(p, x, w, b)
    y[..., :1] = 0
    return y


for rank, geometries in ((1, SOUNDS), (2, IMAGES), (3, VOLUMES)):
    for geometry, (name, company) in product(geometries, COMPANIES.items()):
        family.inside(f"first column lost only in {rank}-D for {geometry}, with {name}",
                      partial(_has, geometry, rank, company), first_column_lost)  # fmt: skip

family.inside(f"first column lost only in 2-D for {Geometry(4, 2, (1, 1))}",
              partial(_has, Geometry(4, 2, (1, 1)), 2, everywhere), first_column_lost)  # fmt: skip
family.inside("first column lost only for images of 16x16 and more at stride 1",
              lambda p: p.rank == 2 and min(p.input) >= 16 and {*p.stride} == {1}, first_column_lost)  # fmt: skip
family.inside("first column lost only for images of 16x16 and more at stride 2",
              lambda p: p.rank == 2 and min(p.input) >= 16 and {*p.stride} == {2}, first_column_lost)  # fmt: skip
family.inside("first column lost only for volumes of 8x8x8 and more",
              lambda p: p.rank == 3 and min(p.input) >= 8, first_column_lost)  # fmt: skip
family.inside("first column lost only for 3x3 kernels in groups",
              lambda p: p.kernel == (3, 3) and {*p.stride} == {1} and p.groups > 1, first_column_lost)  # fmt: skip
family.inside("first column lost only for depthwise 3x3 kernels on more than 8 channels",
              lambda p: p.kernel == (3, 3) and p.groups > 8, first_column_lost)  # fmt: skip
family.inside("first column lost only for square kernels of 7 and more",
              lambda p: p.rank == 2 and min(p.kernel) >= 7, first_column_lost)  # fmt: skip
