"""The search for what explains an array: every set of so many statements, all at once, at the window where it fits."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.bounds import LARGEST_PLANE, LONGEST, MOST_STATEMENTS, NEAR, is_large
from conformance.diagnosis.kept import Exact, Kept, Rounded, Sums, tells
from conformance.diagnosis.misreadings import MOVED, WHOLE, Placing, Space
from conformance.diagnosis.observation import Observation, Spot, spot_of
from conformance.diagnosis.scatter import (
    Axis,
    Box,
    Part,
    Table,
    added_to,
    cropped,
    extents,
    land,
    meeting,
    products,
    rows,
    shifted_values,
)
from conformance.diagnosis.variants import Candidate, Variant, Variants, variants_of
from conformance.numerics.by_taps import stamped
from conformance.problem import Ints, Window

Array = NDArray[Any]
Pair = tuple[Variant[Array], Variant[Array]]

AROUND = 4
"""Rows of an axis, around the element that must fit first, that must fit next."""
AT_ONCE = 2**18
"""Numbers that the candidates which are tried together may take."""


class Explanation(NamedTuple):
    """Statements without the window, the window at which they give the array, and what they give."""

    said: tuple[str, ...]
    window: Window
    sums: Sums


class _Planes(NamedTuple):
    """Part of an answer: of the batch, of the groups, and of each group's out channels."""

    batch: slice = slice(None)
    groups: slice = slice(None)
    channels: slice = slice(None)


EVERY = _Planes()


class Search:
    """The explanations of one question, for one way in which the array is kept, by number of statements."""

    def __init__(self, question: Observation, kept: Kept | None = None, space: Space = WHOLE) -> None:
        problem = question.problem
        self.question = question
        self.kept = kept or Exact()
        self.space = space
        self._large = is_large(problem)
        self._claimed = tuple(lo for lo, _ in problem.window)
        self._out = question.actual.shape[2:]
        self._sizes = tuple(i * k for i, k in zip(problem.input, problem.kernel, strict=True))
        self._x = variants_of(question.x, space.x(problem))
        self._weight = variants_of(question.weight, space.weight(problem))
        self._bias = variants_of(question.bias, space.bias(problem))
        self._placed: dict[Placing, tuple[Table, ...]] = {}
        placing = Placing(problem.stride, problem.dilation)
        self._placing = Variants(placing, space.placing(problem), self._landing, MOST_STATEMENTS)
        self._more = [_rounded(self.kept, operand) for operand in (question.x, question.weight, question.bias)]
        (x,), (weight,) = self._x.of_size(0), self._weight.of_size(0)
        (as_asked,), (bias,) = self._placing.of_size(0), self._bias.of_size(0)
        self._candidate = Candidate(x, weight, as_asked, bias)

    @cached_property
    def right(self) -> Sums | None:
        """What the definition gives; None where the array has other extents."""
        return self._sums(self._candidate, self._claimed) if self._claims(self.question.problem.full) else None

    def within(self, space: Space) -> "Search":
        """The search of the same question among other statements."""
        search = Search(self.question, self.kept, space)
        search.right = self.right  # which is not computed again
        search.strongest_difference = self.strongest_difference
        return search

    def equal(self) -> Sums | None:
        """What the definition gives, where the array is that."""
        right = self.right
        return right if right is not None and self._holds(right, self.question.actual) else None

    def of_size(self, size: int) -> Iterator[Explanation]:
        """Explanations by so many statements at the claimed window, then by one fewer at another, the nearest first."""
        yield from self.claimed(size)
        if self.space.has(MOVED):
            yield from self._moved(size)

    def claimed(self, size: int) -> Iterator[Explanation]:
        """Explanations by so many statements at the claimed window."""
        yield from self._explain(self._fitting(size, self.strongest_difference, self._at_claimed))

    def _moved(self, size: int) -> Iterator[Explanation]:
        strongest = self._find_strongest()
        if size == 0 or (size > 1 and strongest.value in (0, self.question.bias[0, strongest.channel])):
            return  # what stands wherever no tap reaches fits in too many places to tell anything
        moved = self._fitting(size - 1, strongest, self._anywhere)
        explained = self._explain(
            candidate for candidate in moved if self._window(*candidate) not in self.question.windows
        )
        yield from sorted(
            explained,
            key=lambda explanation: sum(
                abs(lo - c) for (lo, _), c in zip(explanation.window, self._claimed, strict=True)
            ),
        )

    def may_be_elsewhere(self, axis: int, of: Part) -> Array | None:
        """Whether a part that is so much later, from a place on, can make the element that differs most what it is.

        None where all may.
        """
        return None if self._large or not self.kept.exact else self._fits_elsewhere(axis, of)

    def _fits_elsewhere(self, axis: int, of: Part) -> Array:
        problem, spot, candidate = self.question.problem, self.strongest_difference, self._candidate
        at = tuple(lo + place for lo, place in zip(self._claimed, spot.at, strict=True))
        cut = list(self._cut(self._tables(candidate.placing.value), Box(at, (1,) * len(at))))
        cut[axis] = np.arange(self._sizes[axis] + 1)[:, None]
        made, _ = self._products([(candidate.x, candidate.weight)], spot, (...,))
        placed = Axis(problem.input[axis], problem.kernel[axis], problem.stride[axis], problem.dilation[axis])
        values = shifted_values(land(made, tuple(cut)).ravel(), at[axis], placed, of)
        fits: Array = self.kept.fits(
            np.asarray(spot.value), Sums(values + self.question.bias[0, spot.channel], *[_NONE] * 4)
        )
        return fits

    def _explain(self, fitting: Iterator[tuple[Candidate, Ints]]) -> Iterator[Explanation]:
        spot = self.strongest_difference
        group, channel = divmod(spot.channel, self.question.problem.out_channels)
        plane = _Planes(slice(spot.batch, spot.batch + 1), slice(group, group + 1), slice(channel, channel + 1))
        of_plane = self.question.actual[spot.batch, spot.channel][None, None]
        in_steps = self._large or not isinstance(self.kept, Exact)
        for candidate, lows in fitting:
            if in_steps and not (
                self._fits_around(spot, candidate, lows)
                and self.kept.fits(of_plane, self._sums(candidate, lows, plane)).all()
            ):
                continue
            sums = self._sums(candidate, lows)
            if self._holds(sums, self.question.actual):
                for statements in candidate.said:
                    yield Explanation(statements, self._window(candidate, lows), sums)

    def _fits_around(self, spot: Spot, candidate: Candidate, lows: Ints) -> bool:
        """Whether a candidate gives a few rows around the spot, in its plane."""
        starts = [min(max(at - AROUND // 2, 0), max(o - AROUND, 0)) for at, o in zip(spot.at, self._out, strict=True)]
        counts = tuple(min(AROUND, o) for o in self._out)
        tables = self._tables(candidate.placing.value)
        box = Box(tuple(lo + start for lo, start in zip(lows, starts, strict=True)), counts)
        sums = self._landed([(candidate.x, candidate.weight)], spot, None, self._cut(tables, box))
        sums = self._with_bias(sums, added_to(candidate.bias.value[:, spot.channel], extents(tables), box))
        rows: Any = tuple(slice(start, start + count) for start, count in zip(starts, counts, strict=True))
        return bool(self.kept.fits(self.question.actual[spot.batch, spot.channel][rows], sums).all())

    def _holds(self, sums: Sums, actual: Array) -> bool:
        """Whether an array is what became of sums, and could not as well be zeros."""
        return bool(self.kept.fits(actual, sums).all()) and tells(self.kept, sums)

    def _fitting(
        self, size: int, spot: Spot, box_of: Callable[[Spot, Ints], Box | None]
    ) -> Iterator[tuple[Candidate, Ints]]:
        """Candidates of so many statements that give the spot's value at some place of a box, with their windows."""
        for operands in range(size + 1):
            for pairs in self._pairs(operands):
                made = None if self._large else self._products(pairs, spot, (...,))
                for placing, biases in self._beside(size - operands):
                    tables = self._tables(placing.value)
                    box = box_of(spot, extents(tables))
                    if box is None:
                        continue
                    sums = self._landed(pairs, spot, made, self._cut(tables, box))
                    for bias in biases:
                        added = added_to(bias.value[:, spot.channel], extents(tables), box)
                        given = self._with_bias(sums, added)
                        for number, *place in np.argwhere(self._fits_in_box(spot, given)).tolist():
                            if self._fits_plane(spot, given, number, place):
                                lows = tuple(s + p - a for s, p, a in zip(box.start, place, spot.at, strict=True))
                                yield Candidate(*pairs[number], placing, bias), lows

    def _fits_plane(self, spot: Spot, sums: Sums, number: int, place: Sequence[int]) -> bool:
        """Whether the spot's plane fits as far as it lies in a box, by what a pair gives there."""
        values = sums.values
        if not self.kept.exact:
            return True
        kept: list[slice] = []
        met: list[slice] = []
        for at, put, out, extent in zip(spot.at, place, self._out, values.shape[-len(place) :], strict=True):
            first, last = max(put - at, 0), min(put - at + out, extent)
            met.append(slice(first, last))
            kept.append(slice(first - put + at, last - put + at))
        plane: Any = (spot.batch, spot.channel, *kept)
        made: Any = (number, *met)
        return bool(self.kept.fits(self.question.actual[plane], sums._replace(values=values[made])).all())

    def _fits_in_box(self, spot: Spot, sums: Sums) -> Array:
        """Where in a box the spot's value fits, and its neighbours' beside it."""
        fits = self.kept.fits(np.asarray(spot.value), sums)
        rank = len(spot.at)
        for axis, step, value in spot.beside if fits.size and max(fits.shape[-rank:]) > 1 else ():
            after = (slice(None),) * (rank - 1 - axis)
            here: Any = (..., slice(max(-step, 0), min(-step, 0) or None), *after)
            there: Any = (..., slice(max(step, 0), min(step, 0) or None), *after)
            fits[here] &= self.kept.fits(np.asarray(value), sums)[there]
        return fits

    def _landed(
        self, pairs: list[Pair], spot: Spot, made: tuple[Array, Array] | None, cut: tuple[Table, ...]
    ) -> Sums:  # fmt: skip
        """What pairs give in a box of the spot's plane, without a bias."""
        problem, met = self.question.problem, cut
        if made is None:
            parts = [cropped(*axis) for axis in zip(cut, problem.input, problem.kernel, strict=True)]
            made = self._products(pairs, spot, (..., *(part for part, _ in parts)))
            cut = tuple(table for _, table in parts)
        if self.kept.exact:
            return Sums(land(made[0], cut), *[_NONE] * 4)
        stamps = meeting(met, self._sizes)
        return Sums(land(made[0], cut), land(made[1], cut), stamps * problem.in_channels, stamps, _NONE)

    def _with_bias(self, sums: Sums, added: Array) -> Sums:
        """Sums with what a bias adds to them."""
        if not isinstance(self.kept, Rounded):
            return sums._replace(values=sums.values + added)
        taken = self.question.taken
        once, alone = self.question.problem.bias + sum(self._more) + bool(taken), self._more[-1] + bool(taken)
        terms, stamps = (np.where(count > 0, count + once, alone) for count in (sums.terms, sums.stamps))
        made = sums.values + added, sums.magnitudes + (np.abs(added) + taken), terms, stamps
        return Sums(*made, self.kept.within(*made))

    def _pairs(self, size: int) -> Iterator[list[Pair]]:
        """Inputs and weights with so many statements together, in batches that memory holds."""
        pairs = [
            (x, weight)
            for count in range(size + 1)
            for weight in self._weight.of_size(size - count)
            for x in self._x.of_size(count)
        ]
        problem = self.question.problem
        room = prod(i * k + o for i, k, o in zip(problem.input, problem.kernel, self._out, strict=True))
        step = max(1, AT_ONCE // (room + problem.in_channels * (prod(problem.input) + prod(problem.kernel))))
        return (pairs[start : start + step] for start in range(0, len(pairs), step))

    def _beside(self, size: int) -> Iterator[tuple[Variant[Placing], list[Variant[Array]]]]:
        """Placings, each with the biases that make up so many statements with it."""
        for count in range(size + 1):
            if biases := self._bias.of_size(size - count):
                for placing in self._placing.of_size(count):
                    yield placing, biases

    def _products(self, pairs: list[Pair], spot: Spot, part: tuple[Any, ...]) -> tuple[Array, Array]:
        """The products that reach the spot's batch and channel: (pairs, *(input*kernel + 1)); of magnitudes, too."""
        group, channel = divmod(spot.channel, self.question.problem.out_channels)
        x = np.array([variant.value[spot.batch, group][part] for variant, _ in pairs])
        weight = np.array([variant.value[group, :, channel : channel + 1] for _, variant in pairs])
        made = products(x, weight, len(self._out))[:, 0]
        return made, made if self.kept.exact else products(np.abs(x), np.abs(weight), len(self._out))[:, 0]

    def _sums(self, candidate: Candidate, lows: Ints, planes: _Planes = EVERY) -> Sums:
        """What a candidate gives at a window, whole or in part."""
        placing = candidate.placing.value
        tables, box = self._tables(placing), Box(lows, self._out)
        batch, groups, channels = planes
        x, weight = candidate.x.value[batch, groups], candidate.weight.value[groups, :, channels]
        bias = candidate.bias.value.reshape(2, self.question.problem.groups, -1)[:, groups, channels].reshape(2, -1)
        added, cut = added_to(bias, extents(tables), box), self._cut(tables, box)
        values = self._stamped(x, weight, placing, lows, cut)
        if self.kept.exact:
            return self._with_bias(Sums(values, *[_NONE] * 4), added)
        magnitudes = self._stamped(np.abs(x), np.abs(weight), placing, lows, cut)
        stamps = meeting(cut, self._sizes)
        terms = stamps * self.question.problem.in_channels
        return self._with_bias(Sums(values, magnitudes, terms, stamps, _NONE), added)

    def _stamped(self, x: Array, weight: Array, placing: Placing, lows: Ints, cut: tuple[Table, ...]) -> Array:
        """Operands, whole or in part, put down: (batch, channels, *out)."""
        if not self._large:
            sums = land(products(x, weight, len(self._out)), cut)
        elif placing.plain:
            sums = stamped(x, weight, placing.stride, placing.dilation, lows, self._out)
        else:
            planes = [
                land(products(x[n : n + 1], weight[:, :, c : c + 1], len(self._out)), cut)
                for n in range(x.shape[0]) for c in range(weight.shape[2])
            ]  # fmt: skip
            sums = np.stack(planes).reshape(x.shape[0], weight.shape[2], x.shape[1], *self._out).swapaxes(1, 2)
        return sums.reshape(x.shape[0], -1, *self._out)

    def _cut(self, tables: tuple[Table, ...], box: Box) -> tuple[Table, ...]:
        return tuple(rows(*row) for row in zip(tables, *box, self._sizes, strict=True))

    def _at_claimed(self, spot: Spot, stamp: Ints) -> Box | None:
        """The one place of the spot at the claimed window, where that leaves an array of the right extents."""
        if not self._claims(stamp):
            return None
        return Box(tuple(lo + at for lo, at in zip(self._claimed, spot.at, strict=True)), (1,) * len(stamp))

    def _anywhere(self, spot: Spot, stamp: Ints) -> Box | None:
        """Where the spot is at any window that keeps some of the stamp; at one nearby where the problem is large."""
        if self._large:
            near = NEAR[len(stamp)]
            start = tuple(lo + at - near for lo, at in zip(self._claimed, spot.at, strict=True))
            return Box(start, (2 * near + 1,) * len(stamp))
        box = Box(
            tuple(at - o + 1 for at, o in zip(spot.at, self._out, strict=True)),
            tuple(full + o - 1 for full, o in zip(stamp, self._out, strict=True)),
        )
        return box if prod(box.extents) <= LARGEST_PLANE else None

    def _claims(self, stamp: Ints) -> bool:
        return self._ends(stamp, self._claimed) in self.question.windows

    def _window(self, candidate: Candidate, lows: Ints) -> Window:
        return self._ends(extents(self._tables(candidate.placing.value)), lows)

    def _ends(self, stamp: Ints, lows: Ints) -> Window:
        return tuple((lo, full - o - lo) for lo, full, o in zip(lows, stamp, self._out, strict=True))

    def _landing(self, placing: Placing) -> Hashable | None:
        """What tells placings apart; nothing where a stamp is longer than any that is searched."""
        if max(placing.full(self.question.problem)) > LONGEST:
            return None
        return tuple((table.shape, table.tobytes()) for table in self._tables(placing))

    def _tables(self, placing: Placing) -> tuple[Table, ...]:
        """The landing of each axis, looked up once."""
        if placing not in self._placed:
            self._placed[placing] = placing.tables(self.question.problem)
        return self._placed[placing]

    @cached_property
    def strongest_difference(self) -> Spot:
        """The element that differs most from the right one; where the extents differ, the strongest of all."""
        question, right = self.question, self.right
        weight = (
            self._find_strength()
            if right is None
            else np.where(self.kept.fits(question.actual, right), 0, np.abs(question.actual - right.values))
        )
        return spot_of(question.actual, np.where(self.kept.telling(question.actual), weight, 0))

    def _find_strongest(self) -> Spot:
        """The strongest element in the plane of the one that differs most."""
        strength, beside = self._find_strength(), self.strongest_difference
        plane = np.zeros_like(strength)
        plane[beside.batch, beside.channel] = strength[beside.batch, beside.channel] + 1
        return spot_of(self.question.actual, np.where(self.kept.telling(self.question.actual), plane, 0))

    def _find_strength(self) -> Array:
        """How far each element is from zero and from the bias, which stand wherever no tap reaches."""
        actual, bias = self.question.actual, self.question.bias[0].reshape(-1, *[1] * self.question.problem.rank)
        strength: Array = np.minimum(np.abs(actual), np.abs(actual - bias))
        return strength


_NONE = np.zeros(())


def _rounded(kept: Kept, operand: Array) -> bool:
    """Whether an operand had to be rounded before anything was computed with it."""
    return isinstance(kept, Rounded) and not kept.sums.holds(operand)


class Searches:
    """The searches of a diagnosis by what is searched, so that the definition is computed once for each.

    At most so many statements of a space are made at once.
    """

    def __init__(self, space: Space = WHOLE, most: int = MOST_STATEMENTS) -> None:
        self.space = space
        self.most = most
        self._made: dict[tuple[int, Kept], Search] = {}

    def keep(self, search: Search) -> None:
        self._made[id(search.question), search.kept] = search  # an id is one question's while its search is kept

    def of(self, question: Observation, kept: Kept) -> Search:
        if (id(question), kept) not in self._made:
            self.keep(Search(question, kept, self.space))
        return self._made[id(question), kept]
