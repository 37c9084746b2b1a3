"""The valid choices of one level a column, each of which is a number, the cheapest first: some bytes a choice."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Class(NamedTuple):
    """Rows of one cost: the number of the first of them, and how many."""

    cost: int
    first: int
    rows: int


class Rows:
    """The rows of levels, sorted by cost, and where each stands. A row is kept as its place among all choices."""

    def __init__(self, levels: Sequence[Sequence[int]], costs: NDArray[Any]) -> None:
        """`costs` has an axis for each column, along its sorted levels; 0 is of a choice that is none."""
        self._levels = [sorted(set(map(int, each))) for each in levels]
        flat = costs.ravel()
        places = np.flatnonzero(flat).astype(np.int32)
        self._places = places[np.argsort(flat[places], kind="stable")]
        values, firsts, counts = np.unique(flat[self._places], return_index=True, return_counts=True)
        self.classes = [Class(*of) for of in zip(values.tolist(), firsts.tolist(), counts.tolist(), strict=True)]

    def __getitem__(self, number: int) -> list[int]:
        """The levels of a row."""
        place, row = int(self._places[number]), []
        for levels in reversed(self._levels):
            place, at = divmod(place, len(levels))
            row.append(levels[at])
        return row[::-1]

    def index(self, row: Sequence[int]) -> int | None:
        """The number of a row; None for one that is not there."""
        place = 0
        for value, levels in zip(row, self._levels, strict=True):
            at = bisect_right(levels, value) - 1
            if at < 0 or levels[at] != value:
                return None
            place = place * len(levels) + at
        order = self._order
        at = int(np.searchsorted(self._places, np.int32(place), sorter=order))
        return int(order[at]) if at < len(order) and self._places[order[at]] == place else None

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._places)
