"""The generated cases: an exhaustive boundary grid on one axis, covering arrays for what axes share.

Index arithmetic is separable per axis, so one axis is where it can be exhausted. How axes, channels, groups, batch and
bias combine is sampled by covering arrays: every valid combination of any 2 (smoke) or 3 (covering) levels occurs. The
levels are those of the spaces of these names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from conformance.io.bounded import read_named_bytes
from conformance.problem import Problem, broken_rule
from conformance.suites.case import EXACT, Case, Rounded, Subject
from conformance.suites.cases import dump_jsonl
from conformance.suites.covering import covering_array
from conformance.suites.generated import pairs, sizes
from conformance.suites.spaces.files import levels_of
from conformance.suites.spaces.levels import Axis, Shared, Values, fits, to_problem

GRID: Mapping[str, Values] = {"i": (1, 2, 3, 5), "k": range(1, 6), "s": range(1, 5), "d": range(1, 4)}
_SHARED = ("window", "stride", "dilation", "output-padding", "groups", "channels", "bias", "batch", "rank")
Made = tuple[str, Callable[[], str]]
"""A file's name, and what makes its text."""
PAST_KERNEL = 1
"""How far the grid's padding goes beyond the effective kernel."""


def grid() -> Iterator[tuple[str, Problem]]:
    """Every valid single-axis problem up to just past each boundary."""
    for i, k, s, d in product(*GRID.values()):
        for p in range(d * (k - 1) + 2 + PAST_KERNEL):
            for op in range(max(s, d)):
                problem = Problem.of(i, k, s, p, op, d)
                if broken_rule(problem) is None:
                    yield f"grid-i{i}-k{k}-s{s}-d{d}-p{p}-op{op}", problem


def covering(rank: int, axis: Axis[Values], shared: Shared[Values], strength: int) -> list[Problem]:
    """A covering array over `rank` separate axes and the shared parameters; invalid combinations left out."""
    axes, together = axis_combinations(axis), shared_combinations(shared, chosen=True)
    rows = covering_array([np.array(axes)] * rank + [np.array(together)], strength, key=rank)
    return [to_problem(row.tolist(), rank) for row in rows]


def axis_combinations(axis: Axis[Values]) -> list[tuple[int, ...]]:
    """Every valid choice of a level for each parameter of an axis."""
    return [levels for levels in product(*axis) if fits(Axis(*levels))]


def shared_combinations(shared: Shared[Values], *, chosen: bool) -> list[tuple[int, ...]]:
    """Every choice of a level for each parameter that axes share; only those that cases are made of, if chosen."""
    return [levels for levels in product(*shared) if not chosen or _unequal(*levels)]


def _unequal(groups: int, in_channels: int, out_channels: int, *_: int) -> bool:
    """Equal channel counts hide a swap of the channel axes; depthwise, one to one in several groups, has no swap."""
    return in_channels != out_channels or (in_channels == out_channels == 1 and groups > 1)


def files(shown: Callable[[Sequence[Made]], Iterable[Made]] = list) -> Mapping[str, str]:
    """Name and text of every generated case file; `shown` counts the files as they are made."""
    made: tuple[Made, ...] = (
        ("rounding.jsonl", _rounding), ("smoke.jsonl", _smoke), ("covering.jsonl", _covering), ("sizes.jsonl", _sizes),
        ("grid.jsonl", _grid), ("negative/pairs.jsonl", pairs.text),
    )  # fmt: skip
    return {name: text() for name, text in shown(made)}


def _rounding() -> str:
    return _dump(
        [*_arrays("rounding", "rounding", 2, 2), *_arrays("rounding", "rounding-plain", 2, 2, plain=True)],
        "Operands fill the significand, so that products and sums round: sums of one term to some thousands.",
        ("rounding", "channels", "rank"),
        Rounded(),
    )


def _smoke() -> str:
    return _dump(
        _arrays("smoke", "smoke", 2, 2),
        "Every valid pair of parameter levels occurs, in one, two and three dimensions.",
        _SHARED,
    )


def _covering() -> str:
    return _dump(
        [*_arrays("covering", "cover", 3, 3), *_arrays("covering", "plain", 3, 3, plain=True)],
        "Every valid triple of parameter levels occurs, anisotropic, in one, two and three dimensions; and once "
        "more without dilation and groups, which some frameworks refuse.",
        _SHARED,
    )


def _sizes() -> str:
    return _dump(
        sizes.cases(),
        "One size is beyond a block, or beyond what 8 or 16 bits hold; channels fill whole blocks; stamps cross a "
        "tile's border; and every affordable triple of wide levels occurs, which small levels do not reach.",
        (*_SHARED, "extent"),
    )


def _grid() -> str:
    return _dump(
        grid(),
        "The index arithmetic of one axis is exhausted up to just past each boundary.",
        ("window", "stride", "dilation", "output-padding", "taps", "extent"),
    )


def _arrays(
    space: str, prefix: str, strength: int, digits: int, *, plain: bool = False
) -> Iterator[tuple[str, Problem]]:
    """A covering array of a space's levels for each rank, with names; without dilation and groups if plain."""
    axes, shared = levels_of(space)
    for rank, axis in axes.items():
        chosen = (axis._replace(d=(1,)), shared._replace(groups=(1,))) if plain else (axis, shared)
        for number, problem in enumerate(covering(rank, *chosen, strength), 1):
            yield f"{prefix}-{rank}d-{number:0{digits}}", problem


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
