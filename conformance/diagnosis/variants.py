"""The values that statements make of an operand: by number of statements, each value once."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from hashlib import sha256
from itertools import combinations, product
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.bounds import LARGEST_OPERAND, MOST_STATEMENTS
from conformance.diagnosis.misreadings import Placing, Statement

Array = NDArray[Any]
T = TypeVar("T")
Way = tuple[int, ...]


ROOM = 2**26
"""Bytes of the values of one operand that are kept; the others are made again where they are asked for."""


@dataclass(frozen=True, slots=True)
class Variant(Generic[T]):
    """A value that statements make of an operand, and every set of so many of them that makes it, by number."""

    make: Callable[[], T]
    ways: tuple[Way, ...]
    texts: tuple[str, ...]

    @property
    def value(self) -> T:
        """The value, which is made anew at each request where there is no room to keep it."""
        return self.make()

    @property
    def said(self) -> Iterator[tuple[str, ...]]:
        """Every set of statements in words; more than one where the data cannot tell them apart."""
        return (tuple(self.texts[number] for number in way) for way in self.ways)


class Variants(Generic[T]):
    """The different values that statements make of an operand, by number of statements; made when asked for.

    What fewer statements make already is left out, what is the same for this data is one variant, and what has no key
    is none. There are none of more than `most` statements.
    """

    def __init__(
        self, value: T, catalogue: Iterator[Statement[T]], key: Callable[[T], Hashable | None], most: int
    ) -> None:
        self._catalogue = catalogue
        self._key = key
        self._most = most
        self._values: dict[Way, T] = {(): value}
        self._room = ROOM
        self._made: set[Way] = {()}
        self._by_size = [[Variant(partial(self._value, ()), ((),), ())]]

    @cached_property
    def _statements(self) -> tuple[Statement[T], ...]:
        return tuple(self._catalogue)

    @cached_property
    def _seen(self) -> set[Hashable | None]:
        """The keys of what was made; there is none of what is left out."""
        return {None, self._key(self._values[()])}

    def of_size(self, size: int) -> list[Variant[T]]:
        if size > self._most:
            return []
        while len(self._by_size) <= size:
            self._by_size.append(self._grown(len(self._by_size)))
        return self._by_size[size]

    def _grown(self, size: int) -> list[Variant[T]]:
        """The variants of so many statements, each from one of fewer and one statement more."""
        ways: dict[Hashable, list[Way]] = {}
        for way in _ways(tuple(statement.family for statement in self._statements), size):
            if way[:-1] in self._made:
                value = self._value(way)
                key = self._key(value)
                if key not in self._seen:
                    self._keep(way, value)
                    ways.setdefault(key, []).append(way)
        self._seen.update(ways)
        texts = tuple(statement.text for statement in self._statements)
        return [Variant(partial(self._value, same[0]), tuple(same), texts) for same in ways.values()]

    def _value(self, way: Way) -> T:
        """What statements make of the operand, one after the other."""
        return self._values[way] if way in self._values else self._statements[way[-1]].change(self._value(way[:-1]))

    def _keep(self, way: Way, value: T) -> None:
        self._made.add(way)
        self._room -= getattr(value, "nbytes", 0)
        if self._room >= 0:
            self._values[way] = value


def variants_of(operand: Array, catalogue: Iterator[Statement[Array]]) -> Variants[Array]:
    """The variants of an operand: of a large one those of one statement alone, since each is a copy of it."""
    most = MOST_STATEMENTS if operand.size <= LARGEST_OPERAND else 1
    return Variants(operand, catalogue, lambda array: sha256(np.ascontiguousarray(array).data).digest(), most)


class Candidate(NamedTuple):
    """One variant of each operand."""

    x: Variant[Array]
    weight: Variant[Array]
    placing: Variant[Placing]
    bias: Variant[Array]

    @property
    def said(self) -> Iterator[tuple[str, ...]]:
        """Every way to say it; more than one where the data cannot tell them apart."""
        for x, weight, placing, bias in product(*(variant.said for variant in self)):
            yield (*weight, *x, *placing, *bias)


@lru_cache(maxsize=4096)
def _ways(families: tuple[str, ...], size: int) -> tuple[Way, ...]:
    """Every choice of so many statements, by number, of which no two are of one family."""
    chosen = combinations(range(len(families)), size)
    return tuple(way for way in chosen if len({families[member] for member in way}) == size)
