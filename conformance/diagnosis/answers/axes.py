"""The orders of axes in which an array can be the answer that is asked for, or one that is misread besides."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from conformance.diagnosis.misreadings import Space
from conformance.diagnosis.observation import Observation
from conformance.layout import DATA, spelt

AXES = "its axes as"
"""How a statement about an order of axes begins."""


def has_orders(space: Space) -> bool:
    """Whether orders of axes are among the statements of a space."""
    return space.kinds is None or any(kind.startswith(AXES) for kind in space.kinds)


def in_other_axes(asked: Observation, given: str) -> Iterator[tuple[str, Observation]]:
    """The question about the array with its axes in each other order that leaves its batch and channels in place.

    Each comes with what is said of the array, as it was given in a layout such as "n k c".
    """
    problem, letters = asked.problem, spelt(DATA, asked.problem.rank)
    expected = spelt(given, problem.rank)
    if asked.actual.ndim != len(letters):
        return
    if len(expected) != len(letters):
        expected = letters  # an axis that the call leaves out was added to the array
    as_given = [letters.index(letter) for letter in expected]
    array, seen = asked.actual.transpose(as_given), {tuple(range(len(letters)))}
    for order in permutations(as_given):
        back = array.transpose(np.argsort(order))
        moved = tuple(axis for axis in order if back.shape[axis] > 1)
        same = tuple(axis for axis in as_given if back.shape[axis] > 1)
        if moved in seen or moved == same or back.shape[:2] != problem.output_shape[:2]:
            continue
        seen.add(moved)
        named = "".join(letters[axis] for axis in order)
        yield f"{AXES} {named} where {expected} is expected", replace(asked, actual=back)
