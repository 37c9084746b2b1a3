"""What a set of cases has in common and others have not: the smallest predicate that tells them apart.

Conjunctions of comparisons that cover the whole set are grown, comparison by comparison, until one covers nothing else.
Where none does, conjunctions, and pairs of them, are weighed by how many cases they get wrong. The counts beside the
predicate are its own: `Predicate` evaluates it on every case.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.predicates.comparisons import Facts, Named, of_axes, of_cases
from conformance.predicates.predicate import Predicate

__all__ = ["Facts", "Rule", "induce", "where"]

Bits = NDArray[np.uint64]
Counts = NDArray[Any]
Parts = tuple[tuple[int, str], ...]
"""Comparisons, each with its place in the order that they are written in."""

MOST = 4
"""Comparisons in a conjunction."""
KEPT = 300
"""Conjunctions of a size that are grown further: those that cover the fewest other cases."""
LIKELY = 40
"""Comparisons of an axis that are tried together where nothing is exact."""
ALWAYS = "rank > 0"
ENOUGH = 10
"""Cases inside, and outside, from which on a predicate says where something is; of fewer, many predicates are exact."""

_SET = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
_LATE = 10**6  # comparisons of one axis together are written after those of a case


@dataclass(frozen=True, slots=True)
class Rule:
    """A predicate, with how many of a set it covers, and how many of the others by mistake."""

    predicate: str
    covered: int
    of: int
    wrong: int
    outside: int

    @property
    def exact(self) -> bool:
        return self.covered == self.of and self.wrong == 0

    @property
    def is_of_enough(self) -> bool:
        """Whether there are enough cases to say where: a predicate that tells few apart is found by chance."""
        return min(self.of, self.outside) >= ENOUGH

    @property
    def sentence(self) -> str:
        """Where it is, as far as the cases can say."""
        if not self.is_of_enough:
            return f"in all {self.of:,} seen; too few to say where"
        return f"{'exactly' if self.exact else 'about'} where {self.predicate}"

    @property
    def coverage(self) -> str:
        """The counts in words."""
        return f"covers {self.covered:,} of {self.of:,}, and {self.wrong:,} of the {self.outside:,} conforming"

    def __str__(self) -> str:
        return f"{self.sentence}: {self.coverage}" if self.is_of_enough else self.sentence


class _Sizes(NamedTuple):
    """How many cases there are inside the set and outside."""

    inside: int
    outside: int


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

    Raises ValueError where nothing is inside.
    """
    if not inside:
        raise ValueError("there is nothing to cover: give at least one case inside")
    return _counted(_induced_text([*inside, *outside], len(inside)) if outside else ALWAYS, inside, outside)


def where(inside: Sequence[Facts], outside: Sequence[Facts]) -> Rule:
    """The rule of `induce` where there are enough cases to say where; else one that says that they are too few."""
    few = min(len(inside), len(outside)) < ENOUGH
    return Rule(ALWAYS, len(inside), len(inside), len(outside), len(outside)) if few else induce(inside, outside)


def _counted(text: str, inside: Sequence[Facts], outside: Sequence[Facts]) -> Rule:
    predicate = Predicate.parse(text)
    covered, wrong = (sum(facts.satisfies(predicate) for facts in every) for every in (inside, outside))
    return Rule(text, covered, len(inside), wrong, len(outside))


def _induced_text(facts: Sequence[Facts], split: int) -> str:
    there, conditions = of_axes(facts)
    of_axis = _packed(conditions, split)
    anywhere: list[Named] = [(f"any({text})", np.any(column, axis=0)) for text, column in conditions]
    everywhere: list[Named] = [(f"all({text})", np.all(column | ~there, axis=0)) for text, column in conditions]
    single = _without_duplicates(_packed([*of_cases(facts), *anywhere, *everywhere], split))
    covering = list(_covering(single, of_axis, _words(np.ones(split, bool))))
    exact = covering[-1].take(_counts(covering[-1].outside) == 0)
    if exact.parts:
        return min(exact.texts(), key=_simplicity)
    return _least_wrong(covering, single, of_axis, _Sizes(split, len(facts) - split))


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


def _unpacked(bits: Bits) -> NDArray[np.uint8]:
    return np.unpackbits(bits.view(np.uint8), axis=-1)


def _without_duplicates(terms: _Terms) -> _Terms:
    """Of terms that hold for the same cases, the shortest in words, or the first of them."""
    return terms.take(_different(terms.inside, terms.outside, _lengths(terms)))


def _lengths(terms: _Terms) -> Counts:
    return np.array([sum(len(text) for _, text in parts) for parts in terms.parts], np.int64)


def _different(inside: Bits, outside: Bits, lengths: Counts) -> Counts:
    """Of rows with the same bits, the first of the shortest; in the order in which bits are first seen."""
    first: dict[bytes, int] = {}
    rows = np.concatenate([bits.reshape(len(bits), math.prod(bits.shape[1:])) for bits in (inside, outside)], axis=1)
    same = np.array([first.setdefault(row.tobytes(), number) for number, row in enumerate(rows)], np.int64)
    order = np.lexsort((lengths, same))  # stable, so that the first of the shortest leads its own
    chosen: Counts = order[np.flatnonzero(np.diff(same[order], prepend=-1))]
    return chosen


def _covering(single: _Terms, of_axis: _Terms, whole: Bits) -> Iterator[_Terms]:
    """Conjunctions that cover the whole set, by size, up to the first size of which one covers nothing else."""
    terms = single.take((single.inside == whole).all(axis=1))
    yield terms
    if not _counts(terms.outside).all():
        return
    groups = of_axis = _strongest(_without_duplicates(of_axis.take((_any_axis(of_axis.inside) == whole).all(axis=1))))
    terms = single = _strongest(terms)
    for _ in range(MOST - 1):
        groups = _joined(groups, of_axis, whole)
        terms = _fewest(_without_duplicates(_all_of(_joined(terms, single, whole), _grouped(groups))))
        yield terms
        if not _counts(terms.outside).all():
            return


def _strongest(terms: _Terms) -> _Terms:
    """Those that no simpler one replaces, which holds where they do inside, and only where they do outside."""
    terms = _fewest(terms)
    simplicity = np.argsort(np.argsort([len(text) for text in terms.texts()], kind="stable"))
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
    before, after, inside, outside = [], [], [more.inside[:0]], [more.outside[:0]]
    for number in range(len(terms.parts)):
        beyond = terms.outside[number] & more.outside
        less = np.flatnonzero((beyond != terms.outside[number]).reshape(len(beyond), -1).any(axis=1))
        within = terms.inside[number] & more.inside[less]
        covers = (_any_axis(within) == whole).all(axis=1)
        after.append(less[covers])
        before.append(np.full(len(after[-1]), number))
        inside.append(within[covers])
        outside.append(beyond[after[-1]])
    first, second = (np.concatenate(numbers or [np.zeros(0, np.int64)]) for numbers in (before, after))
    every, rest = np.concatenate(inside), np.concatenate(outside)
    kept = _different(every, rest, _lengths(terms)[first] + _lengths(more)[second])
    kept = kept[_order_of_fewest(rest[kept])]
    parts = [_with(terms.parts[a], more.parts[b]) for a, b in zip(first[kept], second[kept], strict=True)]
    return _Terms(parts, every[kept], rest[kept])


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
    counts: Counts = _SET[bits.view(np.uint16)].sum(axis=-1, dtype=np.int64)
    return counts


def _least_wrong(covering: Sequence[_Terms], single: _Terms, of_axis: _Terms, sizes: _Sizes) -> str:
    """The predicate that comes nearest: a conjunction, or two of them that cover nothing else."""
    correlated = _grouped(_correlated(_most_separating(of_axis, sizes, LIKELY)))
    likely = _most_separating(single, sizes, KEPT)
    pairs = _all_of(_extended(likely, likely, sizes), correlated)
    conjunctions = _all_of(*covering, likely, pairs, _extended(pairs, likely, sizes))
    nearness = _nearness(_counts(conjunctions.inside), _counts(conjunctions.outside), sizes)
    candidates = [*zip(nearness.tolist(), conjunctions.texts(), strict=True), *_either(_all_of(single, pairs), sizes)]
    return min(candidates, key=lambda candidate: (-candidate[0], _simplicity(candidate[1])))[1]


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
    a, b = (_unpacked(bits).astype(np.float32) for bits in (left, right))
    both: Counts = a @ b.T
    return both


def _either(terms: _Terms, sizes: _Sizes) -> list[tuple[float, str]]:
    """The nearest pairs of terms that cover nothing outside."""
    pure = _without_duplicates(terms.take(_counts(terms.outside) == 0))
    pure = pure.take(np.argsort(-_counts(pure.inside), kind="stable")[:KEPT])
    count, texts = _counts(pure.inside), pure.texts()
    together = count[:, None] + count - _products(pure.inside, pure.inside)
    most = together.max(initial=0)
    return [(most / sizes.inside, f"{texts[a]} or {texts[b]}") for a, b in np.argwhere(together == most) if a < b]


def _simplicity(text: str) -> tuple[int, int, str]:
    """Few comparisons first, then short ones."""
    return 1 + text.count(" and ") + text.count(" or "), len(text), text
