"""An input that was moved by one number, such as a zero point that was not subtracted."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.kept import Exact, Kept, Requantised, Sums
from conformance.diagnosis.observation import Observation
from conformance.diagnosis.search import Search

Array = NDArray[Any]

LEAST = 8
"""Values that tell the number."""


def of_moved_input(asked: Observation, kept: Kept, right: Sums) -> Iterator[tuple[str, Sums]]:
    """The whole number that every element of the input is more by, where one gives the array, with its sums."""
    if not isinstance(kept, Exact | Requantised) or not np.isfinite(asked.actual).all():
        return
    ones = replace(asked, x=np.ones_like(asked.x), bias=np.zeros_like(asked.bias))
    of_one = Search(ones, kept).right
    told = kept.telling(asked.actual)
    if of_one is None or np.count_nonzero(of_one.values * told) < LEAST:
        return
    apart = np.where(told, _undone(asked.actual, kept) - right.values, 0)
    steps = np.where(told, of_one.values, 0)
    number = float(np.rint((apart * steps).sum() / (steps * steps).sum()))
    if not number or not np.isfinite(number):
        return
    moved = Search(replace(asked, x=asked.x + number), kept).right
    if moved is not None and kept.fits(asked.actual, moved).all():
        more = f"{abs(number):.0f} {'more' if number > 0 else 'less'}"
        yield f"every element of the input {more}, as without its zero point", moved


def _undone(actual: Array, kept: Exact | Requantised) -> Array:
    """About what the sums were."""
    return actual if isinstance(kept, Exact) else (actual - kept.by.zero_point) * kept.by.scale
