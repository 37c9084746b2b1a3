"""The audit of the cases: which mutants they kill, and which few cases would be enough.

A case kills a mutant where a framework with its answer would not conform. Answers are looked at when a block of calls
has been made, as those of a compiling framework are. A mutant meets the cases inside of its region alone, since its
answer is right everywhere else.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.audit import mutants
from conformance.audit.mutants import Mutant
from conformance.audit.mutants.base import Implementation
from conformance.io.terminal import progress
from conformance.numerics.operands import HALVES, modified
from conformance.problem import Ints, Problem
from conformance.records.record import HALF, INTEGER
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference

Found = TypeVar("Found")
SMOKE, CORE = "smoke", "core"
SUITES = (SMOKE, "curated", "covering", "grid", "sizes", "popular", CORE)
"""Every suite whose kills the matrix counts; the last holds all the others."""

LEAST = {SMOKE: 0.75, CORE: 1.0}
"""The share of the mutants that a suite must kill."""
ENOUGH = 2
"""How many cases of core, no two of one shape, must kill a mutant."""

DTYPE = "float32"
SUITE_OF = {**dict.fromkeys(HALVES, HALF), "int8": INTEGER}
"""The suite with data of a narrower dtype, which float32 holds."""
BLOCK = 16


class Drawn(Protocol):
    """The operands and expected array of every case: `References`, or the data of vectors."""

    def __getitem__(self, case: Case) -> Reference: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of a mutant: whether smoke kills it, and cases of core that do, until they are enough."""

    mutant: Mutant
    smoke: bool
    killers: Sequence[str]


def sightings(chosen: Sequence[Mutant] = mutants.EVERY) -> list[Sighting]:
    """Every chosen mutant on all cores, on cases in the order of what is likely to kill it, until enough have."""
    References(cases.read_suite(CORE))  # once, before every process wants them
    with ProcessPoolExecutor() as pool:
        seen = pool.map(_seen, [mutants.EVERY.index(mutant) for mutant in chosen], chunksize=8)
        return [Sighting(mutant, *facts) for mutant, facts in _told(zip(chosen, seen, strict=True), len(chosen))]


def sightings_in(dtype: str, chosen: Sequence[Mutant] = mutants.EVERY) -> list[Sighting]:
    """Every chosen mutant on all cores, on the cases of the suite of a dtype with their data of it, until enough have.

    Mutants compute in float32, which holds that data and its sums.
    """
    References(cases.read_suite(SUITE_OF[dtype]), dtype)
    with ProcessPoolExecutor() as pool:
        numbers = [mutants.EVERY.index(mutant) for mutant in chosen]
        seen = pool.map(partial(_killers_in, dtype), numbers, chunksize=8)
        return [
            Sighting(mutant, smoke=False, killers=found)
            for mutant, found in _told(zip(chosen, seen, strict=True), len(chosen))
        ]


def _killers_in(dtype: str, number: int) -> Sequence[str]:
    suite, references = _suite_with_references(SUITE_OF[dtype], dtype)
    return sighting(mutants.EVERY[number], (), suite.cases, references).killers


def _seen(number: int) -> tuple[bool, Sequence[str]]:
    """What is known of a mutant, which itself cannot be sent to another process."""
    smoke, _ = _suite_with_references(SMOKE)
    core, references = _suite_with_references(CORE)
    found = sighting(mutants.EVERY[number], smoke.cases, core.cases, references)
    return found.smoke, found.killers


def sighting(mutant: Mutant, smoke: Sequence[Case], core: Sequence[Case], references: Drawn) -> Sighting:
    """A mutant on the cases of smoke, in their order, and then on the other cases of core."""
    ids = {case.id for case in smoke}
    answer = mutant.make()
    by_shape: dict[tuple[Ints, ...], str] = {}
    killed = False
    for block in chain(_blocks(mutant, smoke), _blocks(mutant, [case for case in core if case.id not in ids])):
        for case, wrong in zip(block, _wrong(answer, block, [references[case] for case in block]), strict=True):
            if wrong:
                killed |= case.id in ids
                by_shape.setdefault(shapes(case.problem), case.id)
        if len(by_shape) >= ENOUGH:
            break
    return Sighting(mutant, killed, list(by_shape.values()))


def shapes(problem: Problem) -> tuple[Ints, ...]:
    """The shapes of the operands and the answer."""
    return problem.input_shape, problem.weight_shape, problem.output_shape


def _blocks(mutant: Mutant, suite: Sequence[Case]) -> Iterable[Sequence[Case]]:
    """The cases inside a mutant's region, as many at once as are called before their answers are looked at."""
    inside = [case for case in suite if mutant.region(case.problem)]
    return (inside[start : start + BLOCK] for start in range(0, len(inside), BLOCK))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which case kills which function mutant: `kills` is (mutants, cases)."""

    mutants: Sequence[Mutant]
    cases: Sequence[Case]
    kills: NDArray[np.bool_]

    @property
    def unbounded(self) -> list[bool]:
        """Which mutants are no fault of a region from parameters."""
        return [mutant in mutants.FUNCTIONS for mutant in self.mutants]

    def of(self, suite: Suite) -> NDArray[np.bool_]:
        """The columns of a suite's cases."""
        ids = {case.id for case in suite.cases}
        return self.kills[:, [case.id in ids for case in self.cases]]


def kill_matrix(suite: Suite, chosen: Sequence[Mutant] = mutants.EVERY) -> Matrix:
    """Every chosen mutant on every case of a suite, on all cores."""
    References(suite)
    with ProcessPoolExecutor() as pool:
        rows = pool.map(partial(_row, suite.name), [mutants.EVERY.index(mutant) for mutant in chosen])
        return Matrix(chosen, suite.cases, np.array(list(_told(rows, len(chosen)))))


def _told(found: Iterable[Found], count: int) -> Iterator[Found]:
    """What is found of so many mutants, with a bar while it is."""
    return progress(found, "audit", "mutants", count)


def _row(name: str, number: int) -> NDArray[np.bool_]:
    return killers(mutants.EVERY[number], *_suite_with_references(name))


def killers(mutant: Mutant, suite: Suite, references: Drawn) -> NDArray[np.bool_]:
    """For each case of a suite, whether a mutant is seen to be wrong by it.

    It is where `run.evaluate` would not find it conforming; records are left out, which are what takes time there.
    """
    answer, killing = mutant.make(), set[str]()
    for block in _blocks(mutant, suite.cases):
        wrong = _wrong(answer, block, [references[case] for case in block])
        killing |= {case.id for case, is_wrong in zip(block, wrong, strict=True) if is_wrong}
    return np.array([case.id in killing for case in suite.cases])


def _wrong(answer: Implementation, block: Sequence[Case], drawn: Sequence[Reference]) -> list[bool]:
    operands = [reference.arrays.astype(DTYPE) for reference in drawn]
    before = [given.contents() for given in operands]
    actual = [answer(case.problem, *given) for case, given in zip(block, operands, strict=True)]
    return [
        y.dtype != DTYPE or not np.array_equal(y, reference.expected) or modified(given, then) is not None
        for y, reference, given, then in zip(actual, drawn, operands, before, strict=True)
    ]


@cache
def _suite_with_references(name: str, dtype: str = DTYPE) -> tuple[Suite, References]:
    suite = cases.read_suite(name)
    return suite, References(suite, dtype)


def smallest_cover(kills: NDArray[np.bool_]) -> list[int]:
    """The fewest cases that kill every mutant that any kills, exactly; the first such set in the order of cases."""
    killable = kills[kills.any(axis=1)]
    masks: dict[int, int] = {}
    for case, column in enumerate(killable.T):
        masks.setdefault(int.from_bytes(np.packbits(column).tobytes(), "big"), case)
    largest = _undominated(masks)
    everything = int.from_bytes(np.packbits(np.ones(len(killable), bool)).tobytes(), "big")
    for size in range(len(killable) + 1):
        if (cover := _cover(largest, everything, size)) is not None:
            return sorted(masks[mask] for mask in cover)
    raise AssertionError("as many cases as mutants always are enough")


def _undominated(masks: Iterable[int]) -> list[int]:
    """The sets that are no part of another one, the largest first."""
    kept: list[int] = []
    for mask in sorted(masks, key=int.bit_count, reverse=True):
        if mask and not any(mask & ~other == 0 for other in kept):
            kept.append(mask)
    return kept


def _cover(masks: Sequence[int], left: int, size: int) -> list[int] | None:
    """At most `size` of the sets that hold everything that is left: one of them holds the bit that fewest hold."""
    if not left:
        return []
    most = max(((mask & left).bit_count() for mask in masks), default=0)
    if left.bit_count() > size * most:
        return None
    bits = [1 << at for at in range(left.bit_length()) if left >> at & 1]
    rarest = min(bits, key=lambda bit: sum(bit & mask != 0 for mask in masks))
    for mask in masks:
        if mask & rarest and (rest := _cover(masks, left & ~mask, size - 1)) is not None:
            return [mask, *rest]
    return None
