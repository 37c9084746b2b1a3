"""The search for what explains an array: every set of so many statements, all at once, at the window where it fits."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import prod
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis import misreadings
from conformance.diagnosis.misreadings import Placing, Statement
from conformance.diagnosis.observation import Observation
from conformance.diagnosis.scatter import Table, extents, land, products, rows
from conformance.problem import Ints, Window

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
    """A value that statements make of an operand, and every set of so many of them that makes it, by number."""

    value: T
    ways: tuple[Way, ...]
    texts: tuple[str, ...]

    @property
    def said(self) -> Iterator[tuple[str, ...]]:
        """Every set of statements in words; more than one where the data cannot tell them apart."""
        return (tuple(self.texts[number] for number in way) for way in self.ways)


class _Variants(Generic[T]):
    """The different values that statements make of an operand, by number of statements; made when asked for.

    What fewer statements make already is left out, and what is the same for this data is one variant.
    """

    def __init__(self, value: T, catalogue: Iterator[Statement[T]], key: Callable[[T], Hashable]) -> None:
        self._statements = tuple(catalogue)
        self._families = tuple(statement.family for statement in self._statements)
        self._texts = tuple(statement.text for statement in self._statements)
        self._key = key
        self._seen = {key(value)}
        self._values: dict[Way, T] = {(): value}
        self._by_size = [[_Variant(value, ((),), self._texts)]]

    def of_size(self, size: int) -> list[_Variant[T]]:
        while len(self._by_size) <= size:
            self._by_size.append(self._grown(len(self._by_size)))
        return self._by_size[size]

    def _grown(self, size: int) -> list[_Variant[T]]:
        """The variants of so many statements, each from one of fewer and one statement more."""
        ways: dict[Hashable, list[Way]] = {}
        for way in _ways(self._families, size):
            if way[:-1] in self._values:
                value = self._statements[way[-1]].change(self._values[way[:-1]])
                key = self._key(value)
                if key not in self._seen:
                    ways.setdefault(key, []).append(way)
                    self._values[way] = value
        self._seen.update(ways)
        return [_Variant(self._values[same[0]], tuple(same), self._texts) for same in ways.values()]


@lru_cache(maxsize=4096)
def _ways(families: tuple[str, ...], size: int) -> tuple[Way, ...]:
    """Every choice of so many statements, by number, of which no two are of one family."""
    chosen = combinations(range(len(families)), size)
    return tuple(way for way in chosen if len({families[member] for member in way}) == size)


class _Candidate(NamedTuple):
    """One variant of each operand."""

    x: _Variant[Array]
    weight: _Variant[Array]
    placing: _Variant[Placing]
    bias: _Variant[Array]

    @property
    def said(self) -> Iterator[tuple[str, ...]]:
        """Every way to say it; more than one where the data cannot tell them apart."""
        for x, weight, placing, bias in product(*(statement.said for statement in self)):
            yield (*weight, *x, *placing, *bias)


class _Box(NamedTuple):
    """Part of a stamp: where it begins, which may be before the stamp, and its extents."""

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

    def __init__(self, question: Observation) -> None:
        problem = question.problem
        self._question = question
        self._claimed = tuple(lo for lo, _ in problem.window)
        self._out = question.actual.shape[2:]
        self._x = _Variants(question.x, misreadings.of_input(problem), _bytes)
        self._weight = _Variants(question.weight, misreadings.of_weight(problem), _bytes)
        self._bias = _Variants(question.bias, misreadings.of_bias(problem), _bytes)
        placing = Placing(problem.stride, problem.dilation)
        self._placing = _Variants(placing, misreadings.of_placing(problem), self._landing)
        (x,), (weight,) = self._x.of_size(0), self._weight.of_size(0)
        (as_asked,), (bias,) = self._placing.of_size(0), self._bias.of_size(0)
        right = _Candidate(x, weight, as_asked, bias)
        self._right = self._given(right, self._claimed) if self._claims(problem.full) else None
        self._strongest_difference = _strongest_difference(question, self._right)

    def of_size(self, size: int) -> Iterator[Explanation]:
        """Explanations by so many statements at the claimed window, then by one fewer at another, the nearest first."""
        yield from self._explain(self._fitting(size, self._strongest_difference, self._at_claimed))
        strongest = _strongest(self._question, self._strongest_difference)
        if size == 0 or (size > 1 and strongest.value in (0, self._question.bias[0, strongest.channel])):
            return  # what stands wherever no tap reaches fits in too many places to tell anything
        moved = self._fitting(size - 1, strongest, self._anywhere)
        explained = self._explain(
            candidate for candidate in moved if self._window(*candidate) not in self._question.windows
        )
        yield from sorted(
            explained,
            key=lambda explanation: sum(
                abs(lo - c) for (lo, _), c in zip(explanation.window, self._claimed, strict=True)
            ),
        )

    def _explain(self, fitting: Iterator[tuple[_Candidate, Ints]]) -> Iterator[Explanation]:
        for candidate, lows in fitting:
            if np.array_equal(self._given(candidate, lows), self._question.actual):
                for statements in candidate.said:
                    yield Explanation(statements, self._window(candidate, lows))

    def _fitting(
        self, size: int, spot: _Spot, box_of: Callable[[_Spot, Ints], _Box | None]
    ) -> Iterator[tuple[_Candidate, Ints]]:
        """Candidates of so many statements that give the spot's value at some place of a box, with their windows."""
        for operands in range(size + 1):
            for pairs in self._pairs(operands):
                made = self._products(pairs, spot)
                for placing, biases in self._beside(size - operands):
                    tables = placing.value.tables(self._question.problem)
                    box = box_of(spot, extents(tables))
                    if box is None:
                        continue
                    values = land(made, self._cut(tables, box))
                    for bias in biases:
                        wanted = spot.value - _added(bias.value[:, spot.channel], extents(tables), box)
                        for number, *place in np.argwhere(values == wanted).tolist():
                            lows = tuple(s + p - a for s, p, a in zip(box.start, place, spot.at, strict=True))
                            yield _Candidate(*pairs[number], placing, bias), lows

    def _pairs(self, size: int) -> Iterator[list[tuple[_Variant[Array], _Variant[Array]]]]:
        """Inputs and weights with so many statements together, in batches that memory holds."""
        pairs = [
            (x, weight)
            for count in range(size + 1)
            for weight in self._weight.of_size(size - count)
            for x in self._x.of_size(count)
        ]
        problem = self._question.problem
        room = prod(i * k + o for i, k, o in zip(problem.input, problem.kernel, self._out, strict=True))
        step = max(1, AT_ONCE // (room + problem.in_channels * (prod(problem.input) + prod(problem.kernel))))
        return (pairs[start : start + step] for start in range(0, len(pairs), step))

    def _beside(self, size: int) -> Iterator[tuple[_Variant[Placing], list[_Variant[Array]]]]:
        """Placings, each with the biases that make up so many statements with it."""
        for count in range(size + 1):
            if biases := self._bias.of_size(size - count):
                for placing in self._placing.of_size(count):
                    yield placing, biases

    def _products(self, pairs: list[tuple[_Variant[Array], _Variant[Array]]], spot: _Spot) -> Array:
        """The products that reach the spot's batch and channel: (pairs, *(input*kernel + 1))."""
        group, channel = divmod(spot.channel, self._question.problem.out_channels)
        x = np.array([variant.value[spot.batch, group] for variant, _ in pairs])
        weight = np.array([variant.value[group, :, channel : channel + 1] for _, variant in pairs])
        return products(x, weight, len(self._out))[:, 0]

    def _given(self, candidate: _Candidate, lows: Ints) -> Array:
        """The whole array that a candidate gives at a window."""
        problem = self._question.problem
        tables, box = candidate.placing.value.tables(problem), _Box(lows, self._out)
        made = products(candidate.x.value, candidate.weight.value, problem.rank)
        sums = land(made, self._cut(tables, box)).reshape(problem.batch, -1, *self._out)
        return sums + _added(candidate.bias.value, extents(tables), box)

    def _cut(self, tables: tuple[Table, ...], box: _Box) -> tuple[Table, ...]:
        sizes = (i * k for i, k in zip(self._question.problem.input, self._question.problem.kernel, strict=True))
        return tuple(rows(*row) for row in zip(tables, *box, sizes, strict=True))

    def _at_claimed(self, spot: _Spot, stamp: Ints) -> _Box | None:
        """The one place of the spot at the claimed window, where that leaves an array of the right extents."""
        if not self._claims(stamp):
            return None
        return _Box(tuple(lo + at for lo, at in zip(self._claimed, spot.at, strict=True)), (1,) * len(stamp))

    def _anywhere(self, spot: _Spot, stamp: Ints) -> _Box | None:
        """Where the spot is at any window that keeps some of the stamp."""
        box = _Box(
            tuple(at - o + 1 for at, o in zip(spot.at, self._out, strict=True)),
            tuple(full + o - 1 for full, o in zip(stamp, self._out, strict=True)),
        )
        return box if prod(box.extents) <= LARGEST_PLANE else None

    def _claims(self, stamp: Ints) -> bool:
        return self._ends(stamp, self._claimed) in self._question.windows

    def _window(self, candidate: _Candidate, lows: Ints) -> Window:
        return self._ends(extents(candidate.placing.value.tables(self._question.problem)), lows)

    def _ends(self, stamp: Ints, lows: Ints) -> Window:
        return tuple((lo, full - o - lo) for lo, full, o in zip(lows, stamp, self._out, strict=True))

    def _landing(self, placing: Placing) -> Hashable:
        return tuple((table.shape, table.tobytes()) for table in placing.tables(self._question.problem))


def _bytes(array: Array) -> bytes:
    return array.tobytes()


def _added(bias: Array, stamp: Ints, box: _Box) -> Array:
    """What a bias (2, ...) adds to a box, broadcastable to (..., *box): inside the stamp, and beyond it."""
    inner: Array
    outer: Array
    inner, outer = bias.reshape(*bias.shape, *[1] * len(stamp))
    if np.array_equal(inner, outer):
        return inner
    inside = np.ones((), bool)
    for full, start, count in zip(stamp, *box, strict=True):
        at = np.arange(start, start + count)
        inside = inside[..., None] & (at >= 0) & (at < full)
    return np.where(inside, inner, outer)


def _strongest_difference(question: Observation, right: Array | None) -> _Spot:
    """The element that differs most from the right one; where the extents differ, the strongest of all."""
    if right is None:
        return _spot(question.actual, _strength(question))
    return _spot(question.actual, np.abs(question.actual - right))


def _strongest(question: Observation, beside: _Spot) -> _Spot:
    """The strongest element in the plane of another spot."""
    strength = _strength(question)
    plane = np.zeros_like(strength)
    plane[beside.batch, beside.channel] = strength[beside.batch, beside.channel] + 1
    return _spot(question.actual, plane)


def _strength(question: Observation) -> Array:
    """How far each element is from zero and from the bias, which stand wherever no tap reaches."""
    bias = question.bias[0].reshape(-1, *[1] * question.problem.rank)
    strength: Array = np.minimum(np.abs(question.actual), np.abs(question.actual - bias))
    return strength


def _spot(actual: Array, weight: Array) -> _Spot:
    batch, channel, *at = map(int, np.unravel_index(weight.argmax(), weight.shape))
    return _Spot(batch, channel, tuple(at), float(actual[(batch, channel, *at)]))
