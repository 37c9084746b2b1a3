"""What a set of cases has in common and others have not: the smallest predicate that tells them apart.

Conjunctions of comparisons that cover the whole set are grown, comparison by comparison, until one covers nothing else.
Where none does, conjunctions, and pairs of them, are weighed by how many cases they get wrong. The counts beside the
predicate are of the columns that it was made from, which are what `Predicate` says of every case (tests/predicates).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.predicates.comparisons import Facts, Named, of_axes, of_cases
from conformance.predicates.foretelling import foretells
from conformance.predicates.rule import ENOUGH, HOPELESS, MATTER, Rule, chance, simplicity, weight
from conformance.problem import Problem

__all__ = ["ENOUGH", "Facts", "Rule", "induce", "where"]

Bits = NDArray[np.uint64]
Counts = NDArray[Any]
Parts = tuple[tuple[int, str], ...]
"""Comparisons, each with its place in the order that they are written in."""

MOST = 4
"""Comparisons in a conjunction."""
KEPT = 300
"""Conjunctions of a size that are grown further: those that cover the fewest other cases."""
MANY = 8 * KEPT
"""Those that are weighed before the ones that hold for the same cases are left out."""
LIKELY = 40
"""Comparisons of an axis that are tried together where nothing is exact."""
UNBOUNDED = 10**6
"""Comparisons of a predicate that may have any number of them."""
ALWAYS = "rank > 0"
_SET = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
_LONGEST = 10**4
_LATE = 10**6  # comparisons of one axis together are written after those of a case


class _Sizes(NamedTuple):
    """How many cases there are inside the set and outside, and how many comparisons and chance words a predicate of
    them may have."""

    inside: int
    outside: int
    most: int


class _Terms(NamedTuple):
    """Conjunctions of comparisons, and where each holds, in bits: (terms, words), inside the set and outside.

    Where the bits are (terms, axes, words), a conjunction is of comparisons of one and the same axis.
    """

    parts: list[Parts]
    inside: Bits
    outside: Bits

    def take(self, which: Any) -> "_Terms":
        """Some of them, by numbers or a mask."""
        numbers = np.arange(len(self.parts))[which]
        return _Terms([self.parts[number] for number in numbers], self.inside[numbers], self.outside[numbers])

    def texts(self) -> list[str]:
        return [" and ".join(text for _, text in parts) for parts in self.parts]


def induce(inside: Sequence[Facts], outside: Sequence[Facts]) -> Rule:
    """The smallest predicate that covers every case inside and none outside; else the one that errs least.

    A predicate of more comparisons than the problems carry, made from some of them, must foretell the others; else it
    is left for the longest that they carry and that does, or for one comparison. Raises ValueError where nothing is
    inside.
    """
    if not inside:
        raise ValueError("there is nothing to cover: give at least one case inside")
    if not outside:
        return _everywhere(inside, outside)
    problems = _problems(inside, outside)
    found = replace(_induced(inside, outside), problems=problems)
    if not found.is_of_enough or found.is_carried or foretells(inside, outside, _induced):
        return found
    fewer = (partial(_induced, most=most) for most in range(problems // ENOUGH, 1, -1))
    search = next((each for each in fewer if foretells(inside, outside, each)), partial(_induced, most=1))
    return replace(search(inside, outside), problems=problems)


def where(inside: Sequence[Facts], outside: Sequence[Facts]) -> Rule:
    """The rule of `induce` where there are enough cases to say where; else one that says that they are too few."""
    few = _problems(inside, outside) < ENOUGH
    return _everywhere(inside, outside) if few else induce(inside, outside)


def _problems(*sides: Sequence[Facts]) -> int:
    """Of how many different problems the side is that has fewer; no more are counted than matter."""
    fewest = MATTER
    for side in sides:
        seen: set[Problem] = set()
        for each in side:
            seen.add(each.problem)
            if len(seen) >= fewest:
                break
        fewest = min(fewest, len(seen))
    return fewest


def _everywhere(inside: Sequence[Facts], outside: Sequence[Facts]) -> Rule:
    return Rule(ALWAYS, len(inside), len(inside), len(outside), len(outside), _problems(inside, outside))


def _induced(inside: Sequence[Facts], outside: Sequence[Facts], most: int = UNBOUNDED) -> Rule:
    facts, sizes = [*inside, *outside], _Sizes(len(inside), len(outside), most)
    there, conditions = of_axes(facts)
    of_axis = _packed(conditions, sizes.inside)
    of_case = list(of_cases(facts))
    absent = _packed([("", ~there)], sizes.inside)
    every = _all_of(_packed(of_case, sizes.inside), *_aggregated(of_axis, absent, first=len(of_case)))
    single = _without_duplicates(every)
    covering = list(_covering(single, of_axis, sizes))
    exact = _carried(covering[-1].take(_counts(covering[-1].outside) == 0), sizes)
    if exact.parts:
        return Rule(min(exact.texts(), key=simplicity), sizes.inside, sizes.inside, 0, sizes.outside)
    return _least_wrong(covering, single, of_axis, sizes)


def _packed(named: Sequence[Named], split: int) -> _Terms:
    columns = np.stack([column for _, column in named])
    inside, outside = _words(columns[..., :split]), _words(columns[..., split:])
    return _Terms([((number, text),) for number, (text, _) in enumerate(named)], inside, outside)


def _words(truths: NDArray[np.bool_]) -> Bits:
    """Truth values as bits, in whole words."""
    packed = np.packbits(truths, axis=-1)
    room = np.zeros((*packed.shape[:-1], -(-packed.shape[-1] // 8) * 8), np.uint8)
    room[..., : packed.shape[-1]] = packed
    return room.view(np.uint64)


def _aggregated(of_axis: _Terms, absent: _Terms, first: int) -> Iterator[_Terms]:
    """Whether each comparison holds on any axis, then whether on all but the absent ones; numbered from `first` on."""
    every = of_axis._replace(inside=of_axis.inside | absent.inside, outside=of_axis.outside | absent.outside)
    for name, terms, over in (("any", of_axis, np.bitwise_or), ("all", every, np.bitwise_and)):
        parts: list[Parts] = [((first + at, f"{name}({text})"),) for at, text in enumerate(terms.texts())]
        yield _Terms(parts, over.reduce(terms.inside, axis=1), over.reduce(terms.outside, axis=1))
        first += len(parts)


def _unpacked(bits: Bits) -> NDArray[np.uint8]:
    return np.unpackbits(bits.view(np.uint8), axis=-1)


def _without_duplicates(terms: _Terms) -> _Terms:
    """Of terms that hold for the same cases, the one in words of the arguments, the shortest, or the first of them."""
    return terms.take(_different(terms.inside, terms.outside, _lengths(terms)))


def _lengths(terms: _Terms) -> Counts:
    return np.array([sum(_length(text) for _, text in parts) for parts in terms.parts], np.int64)


@cache
def _length(text: str) -> int:
    """Of a comparison, where a chance word is longer than all others."""
    return len(text) + _LONGEST * chance(text)


def _different(inside: Bits, outside: Bits, lengths: Counts) -> Counts:
    """Of rows with the same bits, the first of the shortest; in the order in which bits are first seen."""
    first: dict[bytes, int] = {}
    rows = np.concatenate([bits.reshape(len(bits), math.prod(bits.shape[1:])) for bits in (inside, outside)], axis=1)
    same = np.array([first.setdefault(row.tobytes(), number) for number, row in enumerate(rows)], np.int64)
    order = np.lexsort((lengths, same))  # stable, so that the first of the shortest leads its own
    chosen: Counts = order[np.flatnonzero(np.diff(same[order], prepend=-1))]
    return chosen


def _covering(single: _Terms, of_axis: _Terms, sizes: _Sizes) -> Iterator[_Terms]:
    """Conjunctions that cover the whole set, by size, up to the first size of which one covers nothing else.

    Of one comparison alone where all of them together cover too many others for any to come near.
    """
    whole = _words(np.ones(sizes.inside, bool))
    terms = single.take((single.inside == whole).all(axis=1))
    of_axis = of_axis.take((_any_axis(of_axis.inside) == whole).all(axis=1))
    yield terms
    least = int(_counts(_shared(terms.outside) & _any_axis(_shared(of_axis.outside)))[0])
    if not _counts(terms.outside).all() or sizes.inside / (sizes.inside + least) < HOPELESS:
        return
    groups = of_axis = _strongest(_without_duplicates(of_axis))
    terms = single = _strongest(terms)
    for _ in range(MOST - 1):
        groups = _joined(groups, of_axis, whole)
        terms = _fewest(_without_duplicates(_all_of(_joined(terms, single, whole), _grouped(groups))))
        yield terms
        if not _counts(terms.outside).all():
            return


def _shared(bits: Bits) -> Bits:
    """Where all of them hold, as one row."""
    shared: Bits = np.bitwise_and.reduce(bits, axis=0, keepdims=True)  # of none, everywhere
    return shared


def _strongest(terms: _Terms) -> _Terms:
    """Those that no simpler one replaces, which holds where they do inside, and only where they do outside."""
    terms = _fewest(terms)
    simplicity = np.argsort(np.argsort(_lengths(terms), kind="stable"))
    inside, outside = (bits.reshape(len(bits), math.prod(bits.shape[1:])) for bits in (terms.inside, terms.outside))
    holds, less = _within(inside), _within(outside).T
    return terms.take(~(holds & less & (simplicity < simplicity[:, None])).any(axis=1))


def _within(bits: Bits) -> NDArray[np.bool_]:
    """Whether each term holds only where another does, (terms, terms), from the cases that are different to them."""
    if not len(bits):
        return np.ones((0, 0), np.bool_)
    columns = np.ascontiguousarray(np.packbits(_unpacked(bits), axis=0).T)
    different = np.unique(columns.view(f"V{columns.shape[1]}")).view(np.uint8).reshape(-1, columns.shape[1])
    rows = _words(np.unpackbits(different.T, axis=0, count=len(bits)).astype(bool))
    within: NDArray[np.bool_] = _products(rows, rows) == _counts(rows)[:, None]
    return within


def _joined(terms: _Terms, more: _Terms, whole: Bits) -> _Terms:
    """Each term with one comparison more, where that still covers the whole set, and less outside; the fewest."""
    counts = _counts(_any_axis(terms.outside))
    pairs = _pairs_of_axes(terms, more, whole) if terms.inside.ndim == 3 else _pairs(terms, more, counts)
    first, second, wrong = pairs
    fewest = np.argsort(wrong, kind="stable")[:MANY]
    first, second = first[fewest], second[fewest]
    inside, outside = terms.inside[first] & more.inside[second], terms.outside[first] & more.outside[second]
    kept = _different(inside, outside, _lengths(terms)[first] + _lengths(more)[second])
    kept = kept[_order_of_fewest(outside[kept])]
    parts = [_with(terms.parts[a], more.parts[b]) for a, b in zip(first[kept], second[kept], strict=True)]
    return _Terms(parts, inside[kept], outside[kept])


def _pairs(terms: _Terms, more: _Terms, counts: Counts) -> tuple[Counts, Counts, Counts]:
    """Which terms and comparisons hold together for fewer cases outside, and for how many; all cover the whole set."""
    wrong = _products(terms.outside, more.outside)
    first, second = np.nonzero(wrong < counts[:, None])
    return first, second, wrong[first, second]


def _pairs_of_axes(terms: _Terms, more: _Terms, whole: Bits) -> tuple[Counts, Counts, Counts]:
    """The same of one and the same axis, on which together they may not cover the whole set."""
    first, second, wrong = [], [], []
    for number in range(len(terms.parts)):
        beyond = terms.outside[number] & more.outside
        less = np.flatnonzero((beyond != terms.outside[number]).reshape(len(beyond), -1).any(axis=1))
        less = less[(_any_axis(terms.inside[number] & more.inside[less]) == whole).all(axis=1)]
        first.append(np.full(len(less), number))
        second.append(less)
        wrong.append(_counts(_any_axis(beyond[less])))
    nothing = np.zeros(0, np.int64)
    every = (np.concatenate([nothing, *some]) for some in (first, second, wrong))
    return next(every), next(every), next(every)


def _with(parts: Parts, more: Parts) -> Parts:
    return tuple(sorted({*parts, *more}))


def _any_axis(bits: Bits) -> Bits:
    """Where it holds on some axis, for bits that have axes."""
    return bits if bits.ndim == 2 else np.bitwise_or.reduce(bits, axis=1)


def _grouped(correlated: _Terms) -> _Terms:
    """Comparisons of one and the same axis, as one part."""
    parts: list[Parts] = [
        ((_LATE + first[0][0], f"any({text})"),)
        for first, text in zip(correlated.parts, correlated.texts(), strict=True)
    ]
    return _Terms(parts, _any_axis(correlated.inside), _any_axis(correlated.outside))


def _all_of(*several: _Terms) -> _Terms:
    parts = [part for terms in several for part in terms.parts]
    return _Terms(
        parts,
        np.concatenate([terms.inside for terms in several]),
        np.concatenate([terms.outside for terms in several]),
    )


def _fewest(terms: _Terms) -> _Terms:
    """Those that cover the fewest other cases."""
    return terms.take(_order_of_fewest(terms.outside))


def _order_of_fewest(outside: Bits) -> NDArray[np.intp]:
    return np.argsort(_counts(_any_axis(outside)), kind="stable")[:KEPT]


def _counts(bits: Bits) -> Counts:
    """How many bits are set in each row."""
    counts: Counts = _set_bits(bits).sum(axis=-1, dtype=np.int64)
    return counts


def _set_bits_by_table(bits: Bits) -> NDArray[np.uint8]:
    return _SET[bits.view(np.uint16)]


_set_bits = getattr(np, "bitwise_count", _set_bits_by_table)
"""How many bits are set: NumPy has no function for it before 2.0."""


def _least_wrong(covering: Sequence[_Terms], single: _Terms, of_axis: _Terms, sizes: _Sizes) -> Rule:
    """The rule that comes nearest: a conjunction, or two of them that cover nothing else.

    Conjunctions of three are looked for where one of two comes near.
    """
    correlated = _grouped(_correlated(_most_separating(of_axis, sizes, LIKELY)))
    likely = _most_separating(single, sizes, KEPT)
    pairs = _all_of(_extended(likely, likely, sizes), correlated)
    rules = [*_rules(_all_of(*covering, likely, pairs), sizes), *_either(_all_of(single, pairs), sizes)]
    if max(rule.nearness for rule in rules) >= HOPELESS:
        rules += _rules(_extended(pairs, likely, sizes), sizes)
    return min(rules, key=lambda rule: (-rule.nearness, simplicity(rule.predicate)))


def _rules(terms: _Terms, sizes: _Sizes) -> list[Rule]:
    """The rules of the terms that come nearest."""
    terms = _carried(terms, sizes)
    covered, wrong = _counts(terms.inside), _counts(terms.outside)
    nearness = _nearness(covered, wrong, sizes)
    best = np.flatnonzero(nearness == nearness.max(initial=0))
    return [
        Rule(text, int(covered[number]), sizes.inside, int(wrong[number]), sizes.outside)
        for number, text in zip(best, terms.take(best).texts(), strict=True)
    ]


def _carried(terms: _Terms, sizes: _Sizes) -> _Terms:
    """Those that have no more comparisons and chance words than they may."""
    return terms.take([weight(text) <= sizes.most for text in terms.texts()]) if sizes.most < UNBOUNDED else terms


def _nearness(hits: Counts, wrong: Counts, sizes: _Sizes) -> Counts:
    """The share that is covered rightly of all that is covered or is to be: 1 for what is exact, 0 for no hit."""
    nearness: Counts = hits / (sizes.inside + wrong)
    return nearness


def _most_separating(terms: _Terms, sizes: _Sizes, most: int) -> _Terms:
    """Those that hold inside most more often than outside."""
    inside, outside = _counts(_any_axis(terms.inside)), _counts(_any_axis(terms.outside))
    return terms.take(np.argsort(outside / sizes.outside - inside / sizes.inside, kind="stable")[:most])


def _extended(terms: _Terms, more: _Terms, sizes: _Sizes) -> _Terms:
    """Of each term with each comparison more: the nearest, and those that cover most and nothing else."""
    hits, wrong = _products(terms.inside, more.inside), _products(terms.outside, more.outside)
    best = np.union1d(_largest(_nearness(hits, wrong, sizes)), _largest(np.where(wrong == 0, hits, 0)))
    a, b = np.divmod(best, len(more.parts))
    parts = [_with(terms.parts[i], more.parts[j]) for i, j in zip(a, b, strict=True)]
    return _Terms(parts, terms.inside[a] & more.inside[b], terms.outside[a] & more.outside[b])


def _largest(scores: Counts) -> NDArray[np.intp]:
    count = min(KEPT, scores.size)
    return np.argpartition(-scores.ravel(), count - 1)[:count]


def _correlated(of_axis: _Terms) -> _Terms:
    """Every two comparisons, of one and the same axis."""
    a, b = np.triu_indices(len(of_axis.parts), 1)
    parts = [_with(of_axis.parts[i], of_axis.parts[j]) for i, j in zip(a, b, strict=True)]
    return _Terms(parts, of_axis.inside[a] & of_axis.inside[b], of_axis.outside[a] & of_axis.outside[b])


def _products(left: Bits, right: Bits) -> Counts:
    """For how many cases both hold: (left terms, right terms)."""
    both: Counts = np.zeros((len(left), len(right)), np.int64)
    for number, row in enumerate(left):  # of bits, since a product of matrices starts threads beside those of workers
        both[number] = _counts(row & right)
    return both


def _either(terms: _Terms, sizes: _Sizes) -> list[Rule]:
    """The nearest pairs of terms that cover nothing outside."""
    pure = _without_duplicates(terms.take(_counts(terms.outside) == 0))
    pure = _carried(pure, sizes)
    pure = pure.take(np.argsort(-_counts(pure.inside), kind="stable")[:KEPT])
    count, texts = _counts(pure.inside), pure.texts()
    together = count[:, None] + count - _products(pure.inside, pure.inside)
    most = together.max(initial=0)
    return [
        Rule(f"{texts[a]} or {texts[b]}", int(most), sizes.inside, 0, sizes.outside)
        for a, b in np.argwhere(together == most) if a < b and weight(f"{texts[a]} or {texts[b]}") <= sizes.most
    ]  # fmt: skip
