"""Explained records in groups: one cause is one group, whichever axes and numbers it has in each record."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from conformance import oracle
from conformance.diagnosis.explain import MANY, Actual, Cause, Explained
from conformance.numerics.operands import draw
from conformance.predicates.comparisons import Facts, facts, smallest
from conformance.predicates.induction import Rule, where
from conformance.problem import Problem
from conformance.records.record import Key, Record

TINY = 12
"""Elements up to which an array is printed."""

Others = Mapping[Cause, frozenset[Key]]
"""Which of a cause's records another one explains as well."""


@dataclass(frozen=True, slots=True)
class Group:
    """Diverging records that one cause explains, and what they have in common that conforming ones have not.

    `also` says which of them other causes explain as well; `forms` how many have the cause with which axes and numbers,
    where these differ; `arrays` are the witness's, where they are tiny.
    """

    cause: Cause
    records: tuple[Record, ...]
    also: Others
    forms: Mapping[str, int]
    where: Rule
    witness: Record
    arrays: Mapping[str, Any]


def by_cause(
    explained: Iterable[Explained], run: Iterable[Explained] = ()
) -> Iterator[tuple[Cause, list[Explained]]]:  # fmt: skip
    """Records by the kind of cause that explains most of those left, again and again.

    Of two that explain as many, the one comes first that explains more of the whole run, which is `run` where these are
    a part of one; then the one that shares a statement with a cause that was told before.
    """
    left = list(explained)
    everywhere = Counter(kind for member in (list(run) or left) for kind in _kinds(member))
    told: set[str] = set()
    while left:
        here = Counter(kind for member in left for kind in _kinds(member))
        order = {
            kind: (
                -count,
                -everywhere[kind],
                -len(told.intersection(kind.misreadings)),
                len(kind.misreadings),
                str(kind),
            )
            for kind, count in here.items()
        }
        most = min(order, key=order.__getitem__)
        those = [member for member in left if most in _kinds(member)]
        yield _shared(most, those), those
        told.update(most.misreadings)
        left = [member for member in left if most not in _kinds(member)]


def _kinds(member: Explained) -> tuple[Cause, ...]:
    return tuple(dict.fromkeys(cause.kind for cause in member.causes))


def _own(kind: Cause, member: Explained) -> Cause:
    """A record's own cause of a kind."""
    return next(cause for cause in member.causes if cause.kind == kind)


def _shared(kind: Cause, those: Sequence[Explained]) -> Cause:
    """What the causes of one kind have in common: all, or all but the axes and numbers."""
    own = [cause for member in those for cause in member.causes if cause.kind == kind]
    shared = own[0] if len(set(own)) == 1 else kind
    return replace(shared, replicated=any(cause.replicated for cause in own))


def groups_of(explained: Sequence[Explained], conforming: Sequence[Facts], actual: Actual) -> list[Group]:
    """The groups of explained records; where there are many, what each has in common is looked for on all cores."""
    causes = list(by_cause(explained))
    inside = [[facts(member.record) for member in those] for _, those in causes]
    if len(explained) < MANY:
        rules = [where(some, conforming) for some in inside]
    else:
        with ProcessPoolExecutor(initializer=_conforming.extend, initargs=(conforming,)) as pool:
            rules = list(pool.map(_where, inside))
    return [group_of(cause, those, found, actual) for (cause, those), found in zip(causes, rules, strict=True)]


_conforming: list[Facts] = []
"""In a worker, what conforms: sent there once, and not with each group."""


def _where(inside: Sequence[Facts]) -> Rule:
    return where(inside, _conforming)


def group_of(cause: Cause, those: Sequence[Explained], rule: Rule, actual: Actual) -> Group:
    """The records of a cause, with the smallest of them as a witness."""
    records = tuple(explained.record for explained in those)
    forms = Counter(str(_own(cause.kind, member)) for member in those)
    witness = smallest(records)
    arrays = _tiny(witness, actual(witness)) if witness.redrawn else {}
    return Group(cause, records, others(cause, those), forms if len(forms) > 1 else {}, rule, witness, arrays)


def others(cause: Cause, those: Iterable[Explained]) -> Others:
    """Which of a cause's records another one explains as well."""
    keys: dict[Cause, set[Key]] = defaultdict(set)
    for member in those:
        for kind in _kinds(member):
            if kind != cause.kind:
                keys[kind].add(member.record.key)
    return {kind: frozenset(of_kind) for kind, of_kind in keys.items()}


def witnessed(cause: Cause, those: Sequence[Explained]) -> Cause:
    """The cause of some records with the window that the smallest of them has by it."""
    witness = smallest(explained.record for explained in those)
    own = next(_own(cause.kind, explained) for explained in those if explained.record is witness)
    return replace(cause, window=own.window)


def _tiny(record: Record, actual: Any) -> dict[str, Any]:
    """The arrays of a record as lists, where each is tiny."""
    problem = Problem.parse(record.problem)
    operands = draw(record.case, problem, record.dtype)
    given = {**operands._asdict(), "actual": actual, "expected": oracle.expected(problem, *operands)}
    arrays = {name: array for name, array in given.items() if array is not None}
    if max(array.size for array in arrays.values()) > TINY:
        return {}
    return {name: (array.astype(str) if array.dtype.kind == "c" else array).tolist() for name, array in arrays.items()}
