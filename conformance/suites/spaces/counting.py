"""Numbers for the choices of one item a place whose costs multiply to no more than there is to spend.

Items are sorted by cost. How many choices there are for the places that are left is known for each budget that can be
left, so that a number becomes a choice by a bisection a place, and a choice a number in the same way.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from conformance.suites.spaces.rows import Class


class Choices:
    """Every choice of an item at each place, by the classes of the items there, of which the cheapest comes first."""

    def __init__(self, places: Sequence[Sequence[Class]], budget: int) -> None:
        self._places, self._budget = places, budget
        self._ends = lru_cache(maxsize=None)(self._count_ends)
        self.size = self._count(0, budget)

    def at(self, number: int) -> list[int]:
        """The choice of a number below `size`, as the item at each place."""
        budget, choice = self._budget, []
        for place, classes in enumerate(self._places):
            ends = self._ends(place, budget)
            at = bisect_right(ends, number)
            number -= ends[at - 1] if at else 0
            cost, first, _ = classes[at]
            budget //= cost
            item, number = divmod(number, self._count(place + 1, budget))
            choice.append(first + item)
        return choice

    def index(self, choice: Sequence[int]) -> int | None:
        """The number of a choice; None for one that costs too much."""
        budget, number = self._budget, 0
        for place, item in enumerate(choice):
            classes, ends = self._places[place], self._ends(place, budget)
            at = bisect_right(classes, item, key=lambda of: of.first) - 1
            if at >= len(ends):
                return None
            number += ends[at - 1] if at else 0
            budget //= classes[at].cost
            number += (item - classes[at].first) * self._count(place + 1, budget)
        return number

    def _count(self, place: int, budget: int) -> int:
        """How many choices there are for a place and those behind it."""
        if place == len(self._places):
            return 1
        ends = self._ends(place, budget)
        return ends[-1] if ends else 0

    def _count_ends(self, place: int, budget: int) -> list[int]:
        """How many choices there are up to each class of items at a place, as far as they can be paid."""
        paid = (of for of in self._places[place] if of.cost <= budget)
        return list(accumulate(of.rows * self._count(place + 1, budget // of.cost) for of in paid))
