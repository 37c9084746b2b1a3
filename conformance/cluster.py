"""What a set of cases has in common and others have not: the smallest predicate that tells them apart.

Conjunctions of comparisons that cover the whole set are grown, comparison by comparison, until one covers nothing else.
Where none does, conjunctions, and pairs of them, are weighed by how many cases they get wrong. The counts beside the
predicate are its own: `Predicate` evaluates it on every case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.comparisons import Facts, Named, of_axes, of_cases
from conformance.predicate import Predicate

__all__ = ["Cluster", "Facts", "cluster"]

Bits = NDArray[np.uint8]
Parts = tuple[tuple[int, str], ...]
"""Comparisons, each with its place in the order that they are written in."""

MOST = 4
"""Comparisons in a conjunction."""
KEPT = 300
"""Conjunctions of a size that are grown further: those that cover the fewest other cases."""
LIKELY = 40
"""Comparisons of an axis that are tried together where nothing is exact."""
ALWAYS = "rank > 0"

_SET = np.array([number.bit_count() for number in range(256)], np.uint8)
_LATE = 10**6  # comparisons of one axis together are written after those of a case


@dataclass(frozen=True, slots=True)
class Cluster:
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
    def coverage(self) -> str:
        """The counts in words."""
        return f"covers {self.covered:,} of {self.of:,}, and {self.wrong:,} of the {self.outside:,} conforming"

    def __str__(self) -> str:
        return f"{self.predicate}: {self.coverage}"


class _Sizes(NamedTuple):
    """How many cases there are inside the set and outside."""

    inside: int
    outside: int


class _Terms(NamedTuple):
    """Conjunctions of comparisons, and where each holds, in bits: (terms, bytes), inside the set and outside.

    Where the bits are (terms, axes, bytes), a conjunction is of comparisons of one and the same axis.
    """

    parts: list[Parts]
    inside: Bits
    outside: Bits

    def take(self, which: Any) -> "_Terms":
        """Some of them, by numbers or a mask."""
        numbers = np.arange(len(self.parts))[which]
        return _Terms([self.parts[each] for each in numbers], self.inside[numbers], self.outside[numbers])

    def texts(self) -> list[str]:
        return [" and ".join(text for _, text in parts) for parts in self.parts]


def cluster(inside: Sequence[Facts], outside: Sequence[Facts]) -> Cluster:
    """The smallest predicate that covers every case inside and none outside; else the one that errs least.

    Raises ValueError where nothing is inside.
    """
    if not inside:
        raise ValueError("there is nothing to cover: give at least one case inside")
    return _counted(_found([*inside, *outside], len(inside)) if outside else ALWAYS, inside, outside)


def _counted(text: str, inside: Sequence[Facts], outside: Sequence[Facts]) -> Cluster:
    predicate = Predicate.parse(text)
    covered, wrong = (sum(each.satisfies(predicate) for each in every) for every in (inside, outside))
    return Cluster(text, covered, len(inside), wrong, len(outside))


def _found(facts: Sequence[Facts], split: int) -> str:
    there, conditions = of_axes(facts)
    of_axis = _packed(conditions, split)
    anywhere: list[Named] = [(f"any({text})", np.any(column, axis=0)) for text, column in conditions]
    everywhere: list[Named] = [(f"all({text})", np.all(column | ~there, axis=0)) for text, column in conditions]
    single = _once(_packed([*of_cases(facts), *anywhere, *everywhere], split))
    covering = list(_covering(single, of_axis, np.packbits(np.ones(split, bool))))
    exact = covering[-1].take(_counts(covering[-1].outside) == 0)
    if exact.parts:
        return min(exact.texts(), key=_simplicity)
    return _least_wrong(covering, single, of_axis, _Sizes(split, len(facts) - split))


def _packed(named: Sequence[Named], split: int) -> _Terms:
    columns = np.stack([column for _, column in named])
    inside, outside = np.packbits(columns[..., :split], axis=-1), np.packbits(columns[..., split:], axis=-1)
    return _Terms([((number, text),) for number, (text, _) in enumerate(named)], inside, outside)


def _once(terms: _Terms) -> _Terms:
    """Of terms that hold for the same cases, the first."""
    seen: dict[bytes, int] = {}
    for number, (inside, outside) in enumerate(zip(terms.inside, terms.outside, strict=True)):
        seen.setdefault(inside.tobytes() + outside.tobytes(), number)
    return terms.take(list(seen.values()))


def _covering(single: _Terms, of_axis: _Terms, whole: Bits) -> Iterator[_Terms]:
    """Conjunctions that cover the whole set, by size, up to the first size of which one covers nothing else."""
    single = single.take((single.inside == whole).all(axis=1))
    of_axis = _once(of_axis.take((_any_axis(of_axis.inside) == whole).all(axis=1)))
    terms, groups = single, of_axis
    for size in range(1, MOST + 1):
        if size > 1:
            groups = _fewest(_joined(groups, of_axis, whole))
            terms = _fewest(_once(_all_of(_joined(terms, single, whole), _grouped(groups))))
        yield terms
        if not terms.parts or not _counts(terms.outside).all():
            return


def _joined(terms: _Terms, more: _Terms, whole: Bits) -> _Terms:
    """Each term with one comparison more, where that still covers the whole set, and less outside."""
    parts, inside, outside = [], [more.inside[:0]], [more.outside[:0]]
    for number, before in enumerate(terms.parts):
        within, beyond = terms.inside[number] & more.inside, terms.outside[number] & more.outside
        less = (beyond != terms.outside[number]).reshape(len(beyond), -1).any(axis=1)
        useful = less & (_any_axis(within) == whole).all(axis=1)
        parts += [_with(before, more.parts[each]) for each in np.flatnonzero(useful)]
        inside.append(within[useful])
        outside.append(beyond[useful])
    return _once(_Terms(parts, np.concatenate(inside), np.concatenate(outside)))


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
    parts = [each for terms in several for each in terms.parts]
    return _Terms(
        parts,
        np.concatenate([terms.inside for terms in several]),
        np.concatenate([terms.outside for terms in several]),
    )


def _fewest(terms: _Terms) -> _Terms:
    """Those that cover the fewest other cases."""
    return terms.take(np.argsort(_counts(_any_axis(terms.outside)), kind="stable")[:KEPT])


def _counts(bits: Bits) -> NDArray[np.int64]:
    """How many bits are set in each row."""
    counts: NDArray[np.int64] = _SET[bits].sum(axis=-1, dtype=np.int64)
    return counts


def _simplicity(text: str) -> tuple[int, int, str]:
    """Few comparisons first, then short ones."""
    return 1 + text.count(" and ") + text.count(" or "), len(text), text


def _least_wrong(covering: Sequence[_Terms], single: _Terms, of_axis: _Terms, sizes: _Sizes) -> str:
    """The predicate that errs least on both sides: a conjunction, or two of them that cover nothing else."""
    likely = of_axis.take(np.argsort(_errors(of_axis, sizes), kind="stable")[:LIKELY])
    pairs = _all_of(_promising(single, single, sizes), _grouped(_correlated(likely)))
    conjunctions = _all_of(*covering, single, pairs, _promising(pairs, single, sizes))
    found = [*zip(_errors(conjunctions, sizes).tolist(), conjunctions.texts(), strict=True)]
    found += _either(_all_of(single, pairs), sizes)
    return min(found, key=lambda each: (each[0], _simplicity(each[1])))[1]


def _errors(terms: _Terms, sizes: _Sizes) -> NDArray[np.int64]:
    """How many cases each gets wrong: those inside that it misses, and those outside that it covers."""
    missed = sizes.inside - _counts(_any_axis(terms.inside))
    return missed + _counts(_any_axis(terms.outside))


def _promising(terms: _Terms, more: _Terms, sizes: _Sizes) -> _Terms:
    """Of each term with each comparison more: those that err least, and those that cover most and nothing else."""
    hits = _products(terms.inside, more.inside, sizes.inside)
    wrong = _products(terms.outside, more.outside, sizes.outside)
    errs, covers = (sizes.inside - hits + wrong).ravel(), np.where(wrong == 0, hits, 0).ravel()
    count = min(KEPT, errs.size)
    best = np.union1d(np.argpartition(errs, count - 1)[:count], np.argpartition(-covers, count - 1)[:count])
    a, b = np.divmod(best, len(more.parts))
    parts = [_with(terms.parts[i], more.parts[j]) for i, j in zip(a, b, strict=True)]
    return _Terms(parts, terms.inside[a] & more.inside[b], terms.outside[a] & more.outside[b])


def _correlated(of_axis: _Terms) -> _Terms:
    """Every two comparisons, of one and the same axis."""
    a, b = np.triu_indices(len(of_axis.parts), 1)
    parts = [_with(of_axis.parts[i], of_axis.parts[j]) for i, j in zip(a, b, strict=True)]
    return _Terms(parts, of_axis.inside[a] & of_axis.inside[b], of_axis.outside[a] & of_axis.outside[b])


def _products(left: Bits, right: Bits, count: int) -> NDArray[np.float32]:
    """For how many cases both hold: (left terms, right terms)."""
    a, b = (np.unpackbits(bits, axis=-1, count=count).astype(np.float32) for bits in (left, right))
    both: NDArray[np.float32] = a @ b.T
    return both


def _either(terms: _Terms, sizes: _Sizes) -> list[tuple[int, str]]:
    """Pairs of terms that cover nothing outside, with how many inside neither covers."""
    pure = _once(terms.take(_counts(terms.outside) == 0))
    pure = pure.take(np.argsort(-_counts(pure.inside), kind="stable")[:KEPT])
    count, texts = _counts(pure.inside), pure.texts()
    missed = sizes.inside - (count[:, None] + count - _products(pure.inside, pure.inside, sizes.inside))
    least = missed.min(initial=sizes.inside)
    return [(int(least), f"{texts[a]} or {texts[b]}") for a, b in np.argwhere(missed == least).tolist() if a < b]
