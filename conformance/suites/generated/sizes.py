"""Generated cases of one size each that matters, cheap elsewhere: wide levels, blocks, tiles, widths of integers."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, product
from math import prod

import numpy as np

from conformance.problem import Problem, broken_rule
from conformance.suites.covering import covering_array
from conformance.suites.spaces.files import levels_of
from conformance.suites.spaces.levels import Axis, Shared, Values, fits, to_problem

Named = tuple[str, Problem]

MULTIPLIES, ELEMENTS = 1 << 16, 1 << 14
"""What a row of a covering array may cost."""

BLOCKS = (4, 8, 16, 32, 64, 256)
LONG_SUMS = (128, 384, 512)
MANY = (9, 17, 33)
COMPANIES = ("k1", "k2", "k2 n2", "k2 d2", "k2 g2", "k2 bias", "k3 p1 n3", "k2 s2 op1 g3")
"""What goes with many channels in and out, on each axis."""
POSITIONS: Mapping[int, Sequence[str]] = {
    16: ("17", "31", "3x6", "5x5", "3x3x2", "2x3x5"),
    64: ("65", "101", "9x8", "7x11", "5x4x4", "3x5x7"),
    256: ("257", "303", "17x16", "9x31", "7x6x7", "5x8x9"),
    1024: ("1025", "1101", "33x32", "11x97", "11x10x10", "3x19x19"),
}
"""Input extents a little above so many positions."""

NARROW, WIDE = (128, 256), (1 << 15, 1 << 16)
"""The first numbers that 8 and 16 bits do not hold, with a sign and without."""
EACH_WIDTH = (
    "i{1} k1", "i2x{2} k2x1 ic2", "i1 k{1} p{0}:0", "i2x1 k{2}x1 p{0}:1x0 oc2", "i{1} k2 p{0}:0",
    "i1x{2} k1x3 p0x{0}:1",
    "i{1} k2 p0:{0}", "i{2}x1 k3x2 p1:{0}x0 bias", "i1 k1 ic{1} oc2", "i1x2 k2x1 ic{2}", "i1 k2 ic2 oc{1}",
    "i2x1 k1x2 oc{2} bias", "i2 k2 n{1}", "i1x2 k2x1 ic2 n{2}", "i1 k2 d{1}", "i1x2 k2 d1x{2} bias",
)  # fmt: skip
"""Problems in which one number is a limit, {0}, or one or two more."""
NARROW_ALONE = (
    "i2 k2 s{0}", "i2x3 k1x2 s1x{1} ic2", "i3x2x1 k2x1x1 s{2}x1x1 bias", "i2 k2 d{0}", "i1x2x1 k1x2x2 d1x{1}x1 oc2",
    "i2 k1 s{1} op{0} bias", "i2x1 k2x1 s{2}x1 p0:{0}x0 op{1}x0 ic2", "i1 k2 op{1} d{2} bias", "i2 k2 g{1}",
    "i1x2 k2x1 g{2} bias", "i1 k3 g{1} oc2", "i1x2x1 k2x1x1 g{1} n2", "i{1}x1x1 k1x2x1", "i1x1x{2} k1x1x2 ic2",
    "i1x1x2 k{1}x1x1 p{0}:0x0x0", "i1x2x1 k1x1x2 ic{1}", "i1x1x2 k2x1x1 oc{1} n2", "i1x1x2 k1x2x1 n{1} bias",
)  # fmt: skip

WHOLE: Mapping[int, Sequence[Sequence[str]]] = {
    1: (("k1 s2", "k2 s2", "k3 p1", "k4 s2 p1", "k3 d2 p1"),
        ("ic8 oc8", "ic16 oc16", "ic8 oc24", "ic17 oc16", "g2 ic8 oc8", "g8"),
        ("i1", "i2", "i7", "i17"), ("", "n2", "bias", "n3 bias")),
    2: (("k1", "k1 s2", "k2 s2", "k3 p1", "k3 s2 p1 op1", "k4 s2 p1", "k3 p0:1x2:1", "k3 s1x2 p1", "k5 s2 p2", "k4 p2",
         "k3 d2 p1"),
        ("ic4 oc4", "ic8 oc8", "ic16 oc16", "ic8 oc24", "ic32 oc16", "ic17 oc16", "g2 ic8 oc8", "g8"),
        ("i1x1", "i2x3", "i4x5", "i2x9"), ("", "n2", "bias", "n3 bias")),
    3: (("k1", "k2 s2", "k3 p1", "k3 s2 p1 op1", "k1x3x3 p0x1x1"),
        ("ic4 oc4", "ic8 oc8", "ic16 oc16", "g2 ic4 oc4", "g8"),
        ("i1x1x1", "i2x1x3", "i2x3x5"), ("", "n2", "bias")),
}  # fmt: skip
"""Geometries, channels, extents and company, by rank: channels that fill blocks of 4, 8 and 16, and square weights."""
WHOLE_MULTIPLIES, STEPS_MULTIPLIES = 1 << 17, 1 << 11

TILES = (16, 32)
EACH_TILE = (
    "i{1} k3 s2 p1", "i{2} k3 d2 oc2", "i{1}x1 k3x1 s2x1 ic2", "i1x{2} k1x5 s1x2 p0x2", "i2x{1} k2x3 d1x2 oc2",
    "i{3}x2 k5x2 p2x0", "i1x{3} k2x5 oc2",
)  # fmt: skip
"""Problems whose stamps overlap, or are dilated, where a tile of {0} inputs ends: {1} is one more, {3} three."""
ALONE = (
    "i65 k3 s2 ic2", "i66 k5 s2 d3 oc2", "i2x3 k3 p1 ic12", "i1x2 k2 s2 ic8 n2", "i5x6 k5 p2 g8 n2",
    "i4x3 k5 s2 p2 op1 g4", "i2x9 k3 p1 g4", "i9 k17 p8 g4 n2", "i5 k33 g3", "i3x4 k8 s4 p2 g3", "i2x3 k8 s4 p2 g4 n2",
    "i1 k1 ic65", "i1x1 k1 ic130", "i1x1 k4 ic72 oc3", "i2 k7 ic130", "i1x1 k3 ic128 oc3", "i1 k1 ic66 oc65",
    "i1x2 k1 ic72 oc80 n2", "i6x5 k3 p3x0 ic2", "i2x6 k3 p0x3:4 oc2 bias", "i3 k2 s2 p-3:0", "i2x1 k2 s3 p-4:1x0 ic2",
    "i2 k1 p-129:0", "i1x2 k1x2 p0x-130:0 bias", "i43 k2 s41", "i1x49 k1x2 s1x47 oc2", "i2 k640 s641 p0:1",
    "i1x2 k1x640 s1x641 p0x0:3 oc2", "i2x1x3 k1 ic8 oc8 bias",
    "i1x2x1 k1 ic16 oc16 n2", "i3x1x2 k1 ic8 oc16", "i36x35 k3x6", "i2x1 k2x1 g2 ic16 oc16",
    "i3 k2 g2 ic16 oc16 n2", "i35 k2 d3 ic2", "i1x36 k1x3 s1x2 p0x1 oc2", "i35x37 k3 s2 d2",
    "i1x2x1 k2x1x1 d2x1x1 oc515", "i2x1 k1x2 d1x3 ic515 n2", "i1x2 k2x1 d4x1 g513 bias",
    "i3 k3 s2 p1 op1 d2 ic513 n2 bias", "i2x3 k3x2 s2 p1:0 op1x0 d2 oc514 n2 bias",
    "i2x1x2 k2 s2 p0:1 op1 d2 g516 n2 bias", "i3x2 k2x11 s5x10 d3x4", "i2x3 k8x2 s7x10 d5x7 oc2",
    "i3x2 k7x2 s5x7 d4x3 n2", "i2x2x2 k2x8x11 s5x7x10 d3x4x5", "i2x3x2 k5x2x2 s5x7x10 d7x3x4 ic2",
    "i3x2x2 k7x7x10 s5x7x10 d5x7x3", "i2x1x1 k2x1x1 s2x1x1 p0:1x0x0 op1x0x0 d2x1x1 ic513 oc514 n2 bias",
    "i3 k6 s10 p-1:0 op3 d4 g5 ic2 n9 bias", "i2x3 k6x7 s10x7 p-1:0x0 op3x0 d4x5 g5 ic2 n9 bias",
    "i2 k7 s7 d5 oc520", "i2x1x1 k11x1x1 s10x1x1 oc2", "i1x2x2 k2x8x5 s1x10x5 p0x-1:0x0 op0x3x0 d3x4x7 g5 ic2 n9 bias",
)  # fmt: skip
"""Depthwise kernels of many taps, sums beyond a block for one place or one channel, windows wider than a stamp, strides
whose reciprocal rounds down, and many channels with everything else."""

PARTS: Mapping[str, Sequence[Sequence[str]]] = {
    "beyond": (
        ("k1", "k2 s2", "k2 s3 p1:0", "k3 p1", "k3 s2 p1 op1", "k2 d3", "k1 s3 op2"),
        ("ic65", "ic129 oc2", "ic257", "ic514", "oc66", "oc130", "oc260 ic2", "oc513", "ic66 oc67", "g2 ic65", "g66",
         "g130 ic2", "g257", "g520"),
        ("i2", "i2x3", "i3x1x2"), ("", "n2", "bias", "n3 bias"),
    ),
    "steps": (
        ("k2 s5", "k5 s5", "k7 s5", "k2 s7", "k7 s7", "k8 s7", "k3 s10", "k10 s10", "k11 s10", "k2 s3", "k3 s3",
         "k4 s3", "k2 d3", "k3 d4", "k2 d5", "k3 d7"),
        ("", "ic2", "oc2", "g2"), ("i2", "i3", "i3x1", "i1x2", "i2x1x2", "i1x2x1"), ("", "n2", "bias", "p1:0"),
    ),
}  # fmt: skip
"""Many channels with one other thing, and steps between those of the wide levels.

Each has geometries, channels, extents and company.
"""


def cases() -> Iterator[Named]:
    """Every case of `sizes.jsonl`."""
    axes, shared = levels_of("sizes")
    for rank, axis in axes.items():
        plain = axis._replace(d=(1,)), shared._replace(groups=(1,))
        for kind, chosen in (("wide", (axis, shared)), ("wide-plain", plain)):
            yield from ((f"{kind}-{rank}d-{n:03}", problem) for n, problem in enumerate(wide(rank, *chosen), 1))
    yield from _blocks()
    yield from _widths()
    for rank in WHOLE:
        yield from (_named("whole", descriptor) for descriptor in whole(WHOLE[rank], 50 + rank, WHOLE_MULTIPLIES))
    for tile, template in product(TILES, EACH_TILE):
        yield _named("tile", template.format(tile, tile + 1, tile + 2, tile + 3))
    yield from (_named("alone", descriptor) for descriptor in ALONE)
    for key, (kind, parts) in enumerate(PARTS.items(), 60):
        most = STEPS_MULTIPLIES if kind == "steps" else WHOLE_MULTIPLIES
        yield from (_named(kind, descriptor) for descriptor in whole(parts, key, most))


def whole(levels: Sequence[Sequence[str]], key: int, most: int) -> list[str]:
    """A covering array of strength 2 over parts of descriptors, without dear rows and strides that nothing shows."""

    def descriptor(row: Sequence[int]) -> str:
        geometry, channels, extents, company = (parts[at] for parts, at in zip(levels, row, strict=True))
        return f"{extents} {geometry} {channels} {company}"

    def cheap(row: Sequence[int]) -> bool:
        problem = Problem.parse(descriptor(row))
        steps = prod(problem.input) > 1 or max(problem.stride) == 1
        dear = max(problem.multiplies, prod(problem.output_shape)) > most
        return steps and broken_rule(problem) is None and not dear

    units = [np.arange(len(parts))[:, None] for parts in levels]
    return [descriptor(row.tolist()) for row in covering_array(units, 2, key, candidates=64, cheap=cheap)]


def wide(rank: int, axis: Axis[Values], shared: Shared[Values]) -> list[Problem]:
    """A covering array of strength 3, without the rows that are dear."""
    levels = [*axis] * rank + [*shared]

    def problem(row: Sequence[int]) -> Problem:
        return to_problem([several[at] for several, at in zip(levels, row, strict=True)], rank)

    def cheap(row: Sequence[int]) -> bool:
        made = problem(row)
        return made.multiplies <= MULTIPLIES and prod(made.output_shape) <= ELEMENTS

    def valid(row: Sequence[int]) -> bool:
        return fits(Axis(*(several[at] for several, at in zip(axis, row, strict=True))))

    units = [list(filter(valid, product(*map(_places, axis))))] * rank + [list(product(*map(_places, shared)))]
    rows = covering_array([np.array(unit) for unit in units], 3, 40 + rank, candidates=64, cheap=cheap)
    return [problem(row.tolist()) for row in rows]


def _places(levels: Values) -> range:
    return range(len(levels))


def _blocks() -> Iterator[Named]:
    """Channels, groups and positions that are a block and a little more."""
    shapes = ("i2 k2", "i1x2 k2x1", "i2x1x1 k1x1x2", "i3 k1", "i1x1 k2", "i1x2x1 k2x1x1")
    turn = count()
    for block in (*BLOCKS, *LONG_SUMS):
        for more in (1, block // 2 + 1):
            size = block + more
            kinds = [f"ic{size}"]
            if block in BLOCKS:
                kinds += [f"oc{size}", f"g2 ic{size}", f"g2 oc{size} bias", f"g{size}", f"g{size} ic2", f"ic{size} n2"]
            for kind in kinds:
                yield _named("block", f"{shapes[next(turn) % len(shapes)]} {kind}")
    for many, company, extents in product(MANY, COMPANIES, ("2", "1x2", "1x2x1")):
        yield _named("many", f"i{extents} {company} ic{many} oc{many + 1}")
    for extents in (extents for several in POSITIONS.values() for extents in several):
        yield _named("positions", f"i{extents} k{'x'.join(['2', '1', '1'][: extents.count('x') + 1])} ic2")


def _widths() -> Iterator[Named]:
    """One number that 8 or 16 bits do not hold."""
    for limit in (*NARROW, *WIDE):
        for template in (*EACH_WIDTH, *(NARROW_ALONE if limit in NARROW else ())):
            yield _named("width", template.format(limit, limit + 1, limit + 2))


def _named(kind: str, descriptor: str) -> Named:
    """A problem under an id that is made of what it says."""
    problem = Problem.parse(descriptor)
    said = str(problem).replace(":", "to").replace("-", "minus").replace(" ", "-")
    return f"{kind}-{said}", problem
