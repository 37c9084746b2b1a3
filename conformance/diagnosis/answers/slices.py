"""Slices of an axis of an array that hold nothing of their own, where all the rest is right."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.kept import Kept, Sums
from conformance.diagnosis.observation import Observation

Array = NDArray[Any]

FEW = 8
"""Places that are listed."""
LEAST = 4
"""Elements of slices that are taken for those of others."""
ONE = "item", "out channel", "row"
"""A slice of the batch, of the channels and of any other axis."""


def never_written(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Array]]:
    """The slices of an axis that hold zeros, or the bias alone; and the rest."""
    fills = {"zeros": np.zeros(())}
    if asked.problem.bias:
        fills["the bias alone"] = asked.bias[0].reshape(-1, *[1] * asked.problem.rank)
    for axis, wrong in _wrong_slices(asked.actual, kept, right):
        others = tuple(other for other in range(asked.actual.ndim) if other != axis)
        for name, fill in fills.items():
            if (asked.actual == fill).all(axis=others)[wrong].all():
                yield f"{place(axis, wrong)} holding {name}, as if never written", _but(wrong, axis, asked.actual)
                return


def taken_from_another(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Array]]:
    """The slices of an axis that hold what belongs to another, or each to the one so many before; and the rest."""
    actual = asked.actual
    for axis, wrong in _wrong_slices(actual, kept, right):
        places = np.flatnonzero(wrong)
        if actual.size // actual.shape[axis] * len(places) < LEAST:
            continue
        first = _matches(actual, kept, right, axis, int(places[0]))
        for source in first[:FEW]:
            back = int(places[0]) - source
            if all(kept.fits(_at(actual, axis, at), _taken(right, axis, [source])).all() for at in places[1:]):
                yield (f"{place(axis, wrong)} holding what belongs to {ONE[min(axis, 2)]} {source}",
                       _but(wrong, axis, actual))  # fmt: skip
                return
            if back > 0 and all(
                kept.fits(_at(actual, axis, at), _taken(right, axis, [at - back])).all() for at in places[1:]
            ):
                yield (f"{place(axis, wrong)} each holding what belongs to the {ONE[min(axis, 2)]} {back} before",
                       _but(wrong, axis, actual))  # fmt: skip
                return


def _wrong_slices(actual: Array, kept: Kept, right: Sums) -> Iterator[tuple[int, Array]]:
    """Each axis on which some slices are wrong and some are not, with those that are."""
    fits = kept.fits(actual, right)
    for axis in range(fits.ndim):
        wrong = np.asarray(~fits.all(axis=tuple(other for other in range(fits.ndim) if other != axis)))
        if wrong.any() and not wrong.all():
            yield axis, wrong


def _matches(actual: Array, kept: Kept, right: Sums, axis: int, at: int) -> list[int]:
    """The slices of a right answer that one of the array is."""
    others = tuple(other for other in range(actual.ndim) if other != axis)
    fits = kept.fits(np.broadcast_to(_at(actual, axis, at), actual.shape), right).all(axis=others)
    return [int(place) for place in np.flatnonzero(fits)]


def _at(array: Array, axis: int, at: int) -> Array:
    return array.take([at], axis)


def _taken(sums: Sums, axis: int, order: Sequence[int]) -> Sums:
    """Sums with slices of an axis in another order; what all share has no axis for them."""
    return Sums(*(part.take(order, axis) if part.ndim == sums.values.ndim else part for part in sums))


def _but(wrong: Array, axis: int, actual: Array) -> Array:
    """Where an array is, but for some slices of an axis."""
    written = np.ones(actual.shape, bool)
    np.moveaxis(written, axis, 0)[wrong] = False
    return written


def place(axis: int, wrong: Array) -> str:
    """The slices of an axis, in words."""
    places = np.flatnonzero(wrong).tolist()
    run = len(places) > 2 and places[-1] - places[0] + 1 == len(places)
    said = f"{places[0]} to {places[-1]}" if run else listed(places, ", ")
    noun = ONE[min(axis, 2)] + "s" * (len(places) > 1)
    return f"{noun} {said}{' of the batch' if axis == 0 else ''}{f' on axis {axis - 2}' if axis > 1 else ''}"


def listed(places: Sequence[int], between: str = " ") -> str:
    """The first places, and that there are more."""
    return between.join([*map(str, places[:FEW]), *["..."] * (len(places) > FEW)])
