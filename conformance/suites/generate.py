"""The generated cases: an exhaustive boundary grid on one axis, covering arrays for what axes share.

Index arithmetic is separable per axis, so one axis is where it can be exhausted. How axes, channels, groups, batch and
bias combine is sampled by covering arrays: every valid combination of any 2 (smoke) or 3 (covering) levels occurs.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from conformance.io.bounded import read_named_bytes
from conformance.problem import Problem, broken_rule
from conformance.suites.case import EXACT, Case, Rounded, Subject
from conformance.suites.cases import dump_jsonl
from conformance.suites.covering import covering_array
from conformance.suites.generated import pairs, sizes

Levels = Mapping[str, Sequence[int]]

GRID: Levels = {"i": (1, 2, 3, 5), "k": range(1, 6), "s": range(1, 5), "d": range(1, 4)}
PAST_KERNEL = 1
"""How far the grid's padding goes beyond the effective kernel."""


T = TypeVar("T")


class Axis(NamedTuple, Generic[T]):
    """The parameters of one axis: their levels, or one value each."""

    i: T
    k: T
    s: T
    d: T
    begin: T
    end: T
    op: T


class Shared(NamedTuple, Generic[T]):
    """The parameters that axes share, named as `Problem` names them."""

    groups: T
    in_channels: T
    out_channels: T
    batch: T
    bias: T


Values = Sequence[int]
SHARED: Shared[Values] = Shared((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1))
SMOKE: Mapping[int, Axis[Values]] = {
    1: Axis((1, 3, 5), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 2), (0, 1, 3), (0, 1)),
    2: Axis((1, 3, 4), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 2), (0, 1, 3), (0, 1)),
    3: Axis((1, 3), (1, 2, 3), (1, 2, 3), (1, 2), (0, 2), (0, 1), (0, 1)),
}
LONG: Mapping[int, Axis[Values]] = {
    1: Axis((1, 8, 33), (1, 3, 4, 9), (1, 2, 3), (1, 2), (0, 1), (0, 1), (0, 1)),
    2: Axis((1, 6, 9), (1, 2, 3, 5), (1, 2), (1, 2), (0, 1), (0, 1), (0, 1)),
    3: Axis((1, 4), (1, 3), (1, 2), (1,), (0, 1), (0, 1), (0, 1)),
}
LONG_SHARED: Shared[Values] = Shared((1, 2), (1, 16, 64, 200), (1, 8, 24), (1, 2), (0, 1))
"""Channels that make sums long, and select blocked kernels."""
COVERING: Mapping[int, Axis[Values]] = {
    1: Axis((1, 2, 4, 7), (1, 2, 3, 5), (1, 2, 3), (1, 2, 3), (0, 1, 2, 4), (0, 1, 3), (0, 1, 2)),
    2: Axis((1, 2, 3, 5), (1, 2, 3, 4), (1, 2, 3), (1, 2, 3), (0, 1, 2, 4), (0, 1, 3), (0, 1, 2)),
    3: Axis((1, 2, 4), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 2), (0, 1, 3), (0, 1)),
}


def grid() -> Iterator[tuple[str, Problem]]:
    """Every valid single-axis problem up to just past each boundary."""
    for i, k, s, d in product(*GRID.values()):
        for p in range(d * (k - 1) + 2 + PAST_KERNEL):
            for op in range(max(s, d)):
                problem = Problem.of(i, k, s, p, op, d)
                if broken_rule(problem) is None:
                    yield f"grid-i{i}-k{k}-s{s}-d{d}-p{p}-op{op}", problem


def covering(rank: int, axis: Axis[Values], strength: int, shared: Shared[Values] = SHARED) -> list[Problem]:
    """A covering array over `rank` separate axes and the shared parameters; invalid combinations left out."""
    axes, together = axis_combinations(axis), shared_combinations(shared, chosen=True)
    rows = covering_array([np.array(axes)] * rank + [np.array(together)], strength, key=rank)
    return [to_problem(row.tolist(), rank) for row in rows]


def axis_combinations(axis: Axis[Values]) -> list[tuple[int, ...]]:
    """Every valid choice of a level for each parameter of an axis."""
    return [levels for levels in product(*axis) if _fits(*levels)]


def shared_combinations(shared: Shared[Values], *, chosen: bool) -> list[tuple[int, ...]]:
    """Every choice of a level for each parameter that axes share; only those that cases are made of, if chosen."""
    return [levels for levels in product(*shared) if not chosen or _unequal(*levels)]


def of_axis(problem: Problem, axis: int) -> Axis[int]:
    """The parameters of one axis of a problem."""
    (begin, end), at = problem.pads[axis], axis
    return Axis(
        problem.input[at], problem.kernel[at], problem.stride[at], problem.dilation[at], begin, end,
        problem.output_padding[at],
    )  # fmt: skip


def of_shared(problem: Problem) -> Shared[int]:
    """The parameters that a problem's axes share."""
    return Shared(problem.groups, problem.in_channels, problem.out_channels, problem.batch, int(problem.bias))


def to_problem(row: Sequence[int], rank: int) -> Problem:
    """The problem that a covering array's row of levels means: the parameters of each axis, then the shared ones."""
    width = len(Axis._fields)
    axes = [Axis(*row[n * width : (n + 1) * width]) for n in range(rank)]
    i, k, s, d, begin, end, op = zip(*axes, strict=True)
    shared = Shared(*row[rank * width :])
    return Problem(
        i, k, s, tuple(zip(begin, end, strict=True)), op, d, **shared._asdict() | {"bias": bool(shared.bias)}
    )


def _fits(i: int, k: int, s: int, d: int, begin: int, end: int, op: int) -> bool:
    return broken_rule(Problem.of(i, k, s, ((begin, end),), op, d)) is None


def _unequal(groups: int, in_channels: int, out_channels: int, *_: int) -> bool:
    """Equal channel counts hide a swap of the channel axes; depthwise, one to one in several groups, has no swap."""
    return in_channels != out_channels or (in_channels == out_channels == 1 and groups > 1)


def files() -> Mapping[str, str]:
    """Name and text of every generated case file."""
    smoke = [(f"smoke-{r}d-{n:02}", p) for r, axis in SMOKE.items() for n, p in enumerate(covering(r, axis, 2), 1)]
    core = [(f"cover-{r}d-{n:03}", p) for r, axis in COVERING.items() for n, p in enumerate(covering(r, axis, 3), 1)]
    for r, axis in COVERING.items():
        plain = covering(r, axis._replace(d=(1,)), 3, SHARED._replace(groups=(1,)))
        core += [(f"plain-{r}d-{n:03}", problem) for n, problem in enumerate(plain, 1)]
    long = [
        (f"rounding-{r}d-{n:02}", p)
        for r, axis in LONG.items()
        for n, p in enumerate(covering(r, axis, 2, LONG_SHARED), 1)
    ]
    for r, axis in LONG.items():
        plain = covering(r, axis._replace(d=(1,)), 2, LONG_SHARED._replace(groups=(1,)))
        long += [(f"rounding-plain-{r}d-{n:02}", problem) for n, problem in enumerate(plain, 1)]
    return {
        "rounding.jsonl": _dump(
            long,
            "Operands fill the significand, so that products and sums round: sums of one term to some thousands.",
            ("rounding", "channels", "rank"),
            Rounded(),
        ),
        "smoke.jsonl": _dump(
            smoke,
            "Every valid pair of parameter levels occurs, in one, two and three dimensions.",
            ("window", "stride", "dilation", "output-padding", "groups", "channels", "bias", "batch", "rank"),
        ),
        "covering.jsonl": _dump(
            core,
            "Every valid triple of parameter levels occurs, anisotropic, in one, two and three dimensions; and once "
            "more without dilation and groups, which some frameworks refuse.",
            ("window", "stride", "dilation", "output-padding", "groups", "channels", "bias", "batch", "rank"),
        ),
        "sizes.jsonl": _dump(
            sizes.cases(),
            "One size is beyond a block, or beyond what 8 or 16 bits hold; channels fill whole blocks; stamps cross a "
            "tile's border; and every affordable triple of wide levels occurs, which small levels do not reach.",
            ("window", "stride", "dilation", "output-padding", "groups", "channels", "bias", "batch", "rank", "extent"),
        ),
        "grid.jsonl": _dump(
            grid(),
            "The index arithmetic of one axis is exhausted up to just past each boundary.",
            ("window", "stride", "dilation", "output-padding", "taps", "extent"),
        ),
        "negative/pairs.jsonl": pairs.text(),
    }


def differences(cases: Path, generated: Mapping[str, str]) -> list[str]:
    """Generated files in `cases` that are missing or not what they are to be, byte for byte."""
    return [
        name
        for name, text in generated.items()
        if not (cases / name).is_file() or read_named_bytes(cases / name) != text.encode()
    ]


def _dump(problems: Any, why: str, probes: tuple[str, ...], subject: Subject = EXACT) -> str:
    cases = [Case(name, problem, str(problem), why, probes, "", subject) for name, problem in problems]
    return dump_jsonl(cases, why=why, probes=probes)
