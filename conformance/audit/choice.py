"""Which cases of core become test vectors: few and small ones that kill every mutant that core kills.

Small curated cases and those of smoke come first, then for each known fault the smallest cases that tell it. For each
mutant that these do not kill often enough, the smallest cases that kill it are added. Then those go that are not
needed, the largest first. What kills is the data of the vectors, which is not that of the cases where there is much of
it. A mutant may depend on the calls before, so the list is tried in its own order until nothing is to be added.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.audit import mutants
from conformance.audit.kills import CORE, ENOUGH, SMOKE, Sighting, killers, shapes, sighting
from conformance.io.terminal import progress
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.vectors.chosen import chosen
from conformance.vectors.data import data, size
from conformance.vectors.faults import known

WHY = """\
Written by `conformance generate --vectors`. The cases of core that test vectors are made of: the smallest that tell
each known fault, small curated cases and those of smoke, and the smallest that kill each mutant. Every mutant that core
kills is killed by two of them that differ in shape."""
T = TypeVar("T")
LARGE = 2**14
"""Bytes of a vector above which it has to be needed."""


def seen_by_vectors() -> list[Sighting]:
    """Every mutant on the vectors as they are chosen now, in their order, until enough have killed it."""
    return _sightings([case.id for case in chosen().cases])


def choose() -> list[str]:
    """The ids of the cases, the smallest first."""
    first = _in_order(_first())
    return _completed(_needed(_in_order([*first, *_missing(first)])))


def text() -> str:
    """What the file of chosen cases holds."""
    listed = textwrap.fill(", ".join(map(json.dumps, choose())), 116, initial_indent="    ", subsequent_indent="    ",
                           break_on_hyphens=False)  # fmt: skip
    return f'why = """\n{WHY}\n"""\ncases = [\n{listed},\n]\n'


def _completed(ids: list[str]) -> list[str]:
    """The cases, with those that are missing."""
    while missing := _missing(ids):
        ids = _in_order([*ids, *missing])
    return ids


def _first() -> Iterator[str]:
    """The cases that are tried before others."""
    seeds = (case for name in ("curated", SMOKE) for case in cases.read_suite(name).cases)
    yield from (case.id for case in seeds if size(case) <= LARGE)
    yield from _telling()


@cache
def _telling() -> frozenset[str]:
    """The smallest cases that tell each known fault."""
    return frozenset(
        case.id
        for fault in known()
        for case in islice((case for case in _core() if fault.reaches(case.problem)), ENOUGH)
    )


def _missing(ids: Sequence[str]) -> list[str]:
    """Cases that kill the mutants which these do not kill often enough, though core does."""
    data()  # once, before every process wants it
    with ProcessPoolExecutor() as pool:
        added = pool.map(partial(_added, ids), range(len(mutants.EVERY)), chunksize=8)
        return [case for more in _shown(added, "missing", len(mutants.EVERY)) for case in more]


def _added(ids: Sequence[str], number: int) -> list[str]:
    """The smallest cases that kill a mutant by as many shapes as are missing."""
    mutant = mutants.EVERY[number]
    if mutant.equivalent:
        return []
    here = sighting(mutant, (), _cases(ids), data())
    if len(here.killers) >= ENOUGH:
        return []
    known_shapes = {shapes(case.problem) for case in _cases(here.killers)}
    left = set(ids)
    others = [
        case for case in _core()
        if case.id not in left and not (known_shapes and shapes(case.problem) in known_shapes)
    ]  # fmt: skip
    return [*sighting(mutant, (), others, data()).killers][: ENOUGH - len(here.killers)]


def _needed(ids: Sequence[str]) -> list[str]:
    """The cases without those that no mutant needs, the largest taken out first; the first of all are kept."""
    listed, first = _cases(ids), frozenset(_first())
    needing = [
        number for number, seen in enumerate(_sightings(_in_order(first)))
        if len(seen.killers) < ENOUGH and not seen.mutant.equivalent
    ]  # fmt: skip
    with ProcessPoolExecutor() as pool:
        kills = [*_shown(pool.map(partial(_kills, ids), needing), "needed", len(needing))]
    numbers = {shape: number for number, shape in enumerate(dict.fromkeys(shapes(case.problem) for case in listed))}
    shape = np.array([numbers[shapes(case.problem)] for case in listed])
    kept = np.ones(len(listed), bool)
    for at in reversed(range(len(listed))):
        if listed[at].id not in first:
            kept[at] = False
            kept[at] = any(len(set(shape[row & kept])) < min(ENOUGH, len(set(shape[row]))) for row in kills)
    return [case.id for case, keep in zip(listed, kept, strict=True) if keep]


def _kills(ids: Sequence[str], number: int) -> NDArray[np.bool_]:
    return killers(mutants.EVERY[number], Suite("vectors", tuple(_cases(ids))), data())


def _sightings(ids: Sequence[str]) -> list[Sighting]:
    data()  # once, before every process wants it
    with ProcessPoolExecutor() as pool:
        seen = pool.map(partial(_seen, ids), range(len(mutants.EVERY)), chunksize=8)
        shown = _shown(seen, "killed", len(mutants.EVERY))
        return [Sighting(mutant, False, killers) for mutant, killers in zip(mutants.EVERY, shown, strict=True)]


def _shown(answers: Iterable[T], what: str, total: int) -> Iterator[T]:
    return progress(answers, f"vectors: {what}", "mutant", total)


def _seen(ids: Sequence[str], number: int) -> Sequence[str]:
    return sighting(mutants.EVERY[number], (), _cases(ids), data()).killers


def _cases(ids: Iterable[str]) -> list[Case]:
    """The cases of some ids, the smallest first."""
    wanted = set(ids)
    return [case for case in _core() if case.id in wanted]


def _in_order(ids: Iterable[str]) -> list[str]:
    return [case.id for case in _cases(ids)]


@cache
def _core() -> Sequence[Case]:
    """The cases of core, the smallest first."""
    return sorted(cases.read_suite(CORE).cases, key=size)
