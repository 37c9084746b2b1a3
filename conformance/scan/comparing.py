"""Two scans of one model, as before and after it was exported or converted: which layers mean another thing now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from conformance.idioms.base import with_window
from conformance.problem import Problem
from conformance.suites.scans import file as scan_file
from conformance.suites.scans.file import Row
from conformance.suites.scans.weights import Array, canonical

SAME = "the same"


@dataclass(frozen=True, slots=True)
class Compared:
    """A layer of both scans: its names, and what is not the same in meaning, size and weights, each in words."""

    old: str
    new: str
    differences: tuple[str, ...]

    @property
    def line(self) -> str:
        """The layer in a line."""
        name = self.old if self.old == self.new else f"{self.old or 'nothing'} -> {self.new or 'nothing'}"
        return f"{name}: {'; '.join(self.differences) or SAME}"


def compare(old: Path, new: Path) -> list[Compared]:
    """The layers of two scans: those of one name are a pair, or else those of one place in the order."""
    before, after = (_layers(scan_file.read(path).rows) for path in (old, new))
    weights = [_weights(path) for path in (old, new)]
    named = [name for name in before if name in after]
    pairs = [(name, name) for name in named] if len(named) == len(before) == len(after) else [*_in_order(before, after)]
    return [
        Compared(one, other, tuple(_differences(before.get(one, ()), after.get(other, ()), weights, (one, other))))
        for one, other in pairs
    ]


def _layers(rows: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    layers: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        layers[row.layer] = (*layers.get(row.layer, ()), row)
    return layers


def _in_order(before: dict[str, tuple[Row, ...]], after: dict[str, tuple[Row, ...]]) -> Iterator[tuple[str, str]]:
    ours, theirs = [*before], [*after]
    for at in range(max(len(ours), len(theirs))):
        yield (ours[at] if at < len(ours) else ""), (theirs[at] if at < len(theirs) else "")


def _weights(path: Path) -> dict[str, Array]:
    kept = scan_file.weights_beside(path)
    return load_file(kept) if kept.is_file() else {}


def _differences(
    old: Sequence[Row], new: Sequence[Row], weights: Sequence[dict[str, Array]], names: tuple[str, str]
) -> Iterator[str]:
    if not old or not new:
        yield "is in one of them alone"
        return
    yield from _of_meaning(old, new)
    if old[0].dtype != new[0].dtype:
        yield f"computed in {old[0].dtype}, now in {new[0].dtype}"
    if old[0].digest != new[0].digest or not old[0].digest:
        yield _of_weights(old[0], new[0], [weights[0].get(names[0]), weights[1].get(names[1])])
    if old[0].provenance != new[0].provenance:
        yield f"weight {old[0].provenance or 'of no known source'}, now {new[0].provenance or 'of no known source'}"


def _of_meaning(old: Sequence[Row], new: Sequence[Row]) -> Iterator[str]:
    problems = [[row.known for row in rows] for rows in (old, new)]
    if None in problems[0] or None in problems[1]:
        if problems[0] != problems[1]:
            yield "the extents of one of them are not known: scan both with --input"
        return
    ours, theirs = ([each for each in part if each is not None] for part in problems)
    if len(ours) != len(theirs):
        yield f"{len(ours)} sizes, now {len(theirs)}: scan both at the same sizes"
        return
    for one, other in zip(ours, theirs, strict=True):
        if _plain(one) != _plain(other):
            yield f"'{one}' was meant, now '{other}'"


def _plain(problem: Problem) -> str:
    """A problem by its window, without its bias, which a converter may add behind it."""
    made = with_window(problem, problem.window)
    return str(made).removesuffix(" bias")


def _of_weights(old: Row, new: Row, arrays: Sequence[Array | None]) -> str:
    """How far weights moved, where both scans kept them."""
    known = [row.known for row in (old, new)]
    if not old.digest or not new.digest:
        return "the weight of one of them is not known"
    if any(array is None for array in arrays) or any(problem is None for problem in known):
        return "another weight: scan both with --weights to know by how much"
    made = [
        canonical(array, problem, row.weight, reverse=row.taps == "reversed").astype(np.float64)
        for array, problem, row in zip(arrays, known, (old, new), strict=True)
        if array is not None and problem is not None
    ]
    if made[0].shape != made[1].shape:
        return f"a weight of {made[0].shape}, now of {made[1].shape}"
    moved = np.abs(made[0] - made[1])
    share = float(moved.max()) / max(float(np.abs(made[0]).max()), 1e-300)
    return f"another weight in {int((moved > 0).sum())} of {moved.size} numbers, at most by {share:.2g} of the largest"
