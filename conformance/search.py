"""The search for what explains an array: every set of so many statements, all at once, at the window where it fits."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance import statements
from conformance.landing import Table, extents, land, products, rows
from conformance.problem import Ints, Window
from conformance.question import Question
from conformance.statements import Placing, Statement

Array = NDArray[Any]
T = TypeVar("T")
Way = tuple[int, ...]

AT_ONCE = 2**18
"""Numbers that the candidates which are tried together may take."""
LARGEST_PLANE = 2**22
"""Positions of a stamp, and around it, above which no window is searched for."""


class Explanation(NamedTuple):
    """Statements without the window, and the window at which they give the array."""

    said: tuple[str, ...]
    window: Window


class _Variant(NamedTuple, Generic[T]):
    """A value that statements make of an operand, and every set of so many of them that makes it, in words."""

    value: T
    ways: tuple[Way, ...]
    said: tuple[tuple[str, ...], ...]


class _Variants(Generic[T]):
    """The different values that statements make of an operand, by number of statements; made when asked for.

    What fewer statements make already is left out, and what is the same for this data is one variant.
    """

    def __init__(self, value: T, statements: Iterator[Statement[T]], key: Callable[[T], Hashable]) -> None:
        self._statements = tuple(statements)
        self._key = key
        self._seen = {key(value)}
        self._by_size = [[_Variant(value, ((),), ((),))]]

    def of_size(self, size: int) -> list[_Variant[T]]:
        while len(self._by_size) <= size:
            self._by_size.append(self._grown())
        return self._by_size[size]

    def _grown(self) -> list[_Variant[T]]:
        made: dict[Hashable, tuple[T, list[Way]]] = {}
        for variant in self._by_size[-1]:
            for number, statement in enumerate(self._statements):
                ways = [(*way, number) for way in variant.ways if self._extends(way, number)]
                if ways:
                    value = statement.change(variant.value)
                    made.setdefault(self._key(value), (value, []))[1].extend(ways)
        fresh = {key: each for key, each in made.items() if key not in self._seen}
        self._seen.update(fresh)
        return [_Variant(value, tuple(ways), tuple(map(self._words, ways))) for value, ways in fresh.values()]

    def _extends(self, way: Way, number: int) -> bool:
        """Whether a statement comes after those of a way, so that each set comes once, and is of another family."""
        family = self._statements[number].family
        return not way or (way[-1] < number and all(self._statements[each].family != family for each in way))

    def _words(self, way: Way) -> tuple[str, ...]:
        return tuple(self._statements[each].text for each in way)


class _Candidate(NamedTuple):
    """One variant of each operand."""

    x: _Variant[Array]
    weight: _Variant[Array]
    placing: _Variant[Placing]
    bias: _Variant[Array]

    @property
    def said(self) -> Iterator[tuple[str, ...]]:
        """Every way to say it; more than one where the data cannot tell them apart."""
        for x, weight, placing, bias in product(*(each.said for each in self)):
            yield (*weight, *x, *placing, *bias)


class _Region(NamedTuple):
    """A box of a stamp: where it begins, which may be before the stamp, and its extents."""

    start: Ints
    extents: Ints


@dataclass(frozen=True, slots=True)
class _Spot:
    """An element of the array that a candidate must give first."""

    batch: int
    channel: int
    at: Ints
    value: float


class Search:
    """The explanations of one question, by number of statements."""

    def __init__(self, question: Question) -> None:
        problem = question.problem
        self._question = question
        self._x = _Variants(question.x, statements.of_input(problem), _bytes)
        self._weight = _Variants(question.weight, statements.of_weight(problem), _bytes)
        self._bias = _Variants(question.bias, statements.of_bias(problem), _bytes)
        right = Placing(problem.stride, problem.dilation)
        self._placing = _Variants(right, statements.of_placing(problem), self._landing)
        self._out = question.actual.shape[2:]
        self._spots = _spots(question, self._given(next(self._right), _lows(problem.window)))
