"""Two scans of one model, as before and after it was exported or converted: which layers mean another thing now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from conformance.idioms.base import with_window
from conformance.io.terminal import one_line
from conformance.problem import Problem
from conformance.suites.scans import file as scan_file
from conformance.suites.scans.file import Row
from conformance.suites.scans.weights import Array, bias_of, canonical

SAME = "the same"


@dataclass(frozen=True, slots=True)
class Compared:
    """A layer of both scans: its names, and what is not the same in meaning, size and weights, each in words.

    `bias` says why the biases are not compared; empty where they are, or there are none.
    """

    old: str
    new: str
    differences: tuple[str, ...]
    bias: str = ""

    @property
    def line(self) -> str:
        """The layer in a line."""
        name = self.old if self.old == self.new else f"{self.old or 'nothing'} -> {self.new or 'nothing'}"
        said = "; ".join(self.differences) or SAME
        return one_line(f"{name}: {said}{f'; biases are not compared: {self.bias}' if self.bias else ''}")


def compare(old: Path, new: Path) -> list[Compared]:
    """The layers of two scans: those of one name are a pair, and the others as they stand in order."""
    before, after = (_layers(scan_file.read(path).rows) for path in (old, new))
    weights = [_weights(path) for path in (old, new)]
    return [
        Compared(
            one,
            other,
            tuple(_differences(before.get(one, ()), after.get(other, ()), weights, (one, other))),
            _uncompared(before.get(one, ()), after.get(other, ()), weights, (one, other)),
        )
        for one, other in _pairs(before, after)
    ]


def _layers(rows: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    layers: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        layers[row.layer] = (*layers.get(row.layer, ()), row)
    return layers


def _pairs(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    ours, theirs = ([name for name in names if name not in others]
                    for names, others in ((before, after), (after, before)))  # fmt: skip
    other = dict(zip_longest(ours, theirs[: len(ours)], fillvalue=""))
    yield from ((name, name if name in after else other[name]) for name in before)
    yield from (("", name) for name in theirs[len(ours) :])


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
    biases = [arrays.get(bias_of(name)) for arrays, name in zip(weights, names, strict=True)]
    if all(map(_is_biased, (old, new))) and (said := _of_biases(biases)):
        yield said
    if old[0].provenance != new[0].provenance:
        yield f"weight {old[0].provenance or 'of no known source'}, now {new[0].provenance or 'of no known source'}"


def _is_biased(rows: Sequence[Row]) -> bool:
    return any(row.known.bias for row in rows if row.known is not None)


def _uncompared(
    old: Sequence[Row], new: Sequence[Row], weights: Sequence[Mapping[str, Array]], names: tuple[str, str]
) -> str:
    """Why the biases of a layer are not compared; empty where they are, or there is nothing to compare."""
    biased = [_is_biased(rows) for rows in (old, new)]
    if not old or not new or not any(biased):
        return ""
    if not all(biased):
        return f"only the {'old' if biased[0] else 'new'} layer has one, as a converter may move it behind"
    kept = all(bias_of(name) in arrays for arrays, name in zip(weights, names, strict=True))
    return "" if kept else "scan both with --weights"


def _of_biases(biases: Sequence[Array | None]) -> str:
    """How far biases moved, where both scans kept them; empty where they did not."""
    made = [array.astype(np.float64) for array in biases if array is not None]
    if len(made) < len(biases) or np.array_equal(made[0], made[1], equal_nan=True):
        return ""
    if made[0].shape != made[1].shape:
        return f"a bias of {made[0].shape}, now of {made[1].shape}"
    moved = np.abs(made[0] - made[1])
    return f"another bias in {int((made[0] != made[1]).sum())} of {moved.size} numbers, at most by {moved.max():.2g}"


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
