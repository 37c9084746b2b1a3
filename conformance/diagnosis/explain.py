"""Diverging records explained: each by its smallest diagnoses, then grouped by the one that explains most of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from conformance import oracle
from conformance.diagnosis.diagnose import DiagnosisError, TooLargeError, diagnose, require_searchable
from conformance.io.bounded import BoundError
from conformance.numerics.operands import draw
from conformance.predicates.comparisons import Facts, facts, size
from conformance.predicates.induction import Cluster, cluster
from conformance.problem import Problem, broken_rule
from conformance.records.record import Record

TINY = 12
"""Elements up to which an array is printed."""
UNEXPLAINED = "unexplained"


class Explained(NamedTuple):
    """A diverging record, with every smallest diagnosis of it in words that other problems can share."""

    record: Record
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Diverging records that one diagnosis explains, and what they have in common that conforming ones have not.

    `also` counts those that other diagnoses explain as well; `arrays` are the witness's, where they are tiny.
    """

    diagnosis: str
    records: tuple[Record, ...]
    also: Mapping[str, int]
    where: Cluster
    witness: Record
    arrays: Mapping[str, Any]


def kinds(each: Record, arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """Every smallest diagnosis of a record."""
    if not each.redrawn:
        return ((each.deviation or {}).get("cause") or UNEXPLAINED,)
    problem = Problem.parse(each.problem)
    if rule := broken_rule(problem):
        raise DiagnosisError(f"{each.case}: '{problem}': {rule}: run the lane again")
    try:
        require_searchable(problem)  # before data is drawn for it
        found = diagnose(problem, draw(each.case, problem), actual(each, arrays))
    except TooLargeError:
        return (f"{UNEXPLAINED}, too large to be searched",)
    if not found:
        return (UNEXPLAINED,)
    same = f"equals the oracle but for its {each.kind}"
    return tuple(dict.fromkeys(diagnosis.kind if diagnosis.statements else same for diagnosis in found))


def actual(each: Record, arrays: Mapping[str, Any]) -> Any:
    """The array that a diverging record gave. Raises DiagnosisError where it is not among the evidence."""
    name = "/".join((*each.key, "actual"))
    try:
        return arrays[name]
    except KeyError:
        raise DiagnosisError(
            f"{each.case} {each.dtype}: its arrays are not beside the record: run the lane again"
        ) from None
    except BoundError as error:
        raise DiagnosisError(f"{each.case} {each.dtype}: its array {error}") from None


def by_diagnosis(explained: Iterable[Explained]) -> Iterator[tuple[str, list[Explained]]]:
    """Records by the diagnosis that explains most of those left, again and again."""
    left = list(explained)
    while left:
        counts = Counter(kind for each in left for kind in each.kinds)
        most, _ = min(counts.items(), key=lambda item: (-item[1], item[0].count(" and "), item[0]))
        yield most, [each for each in left if most in each.kinds]
        left = [each for each in left if most not in each.kinds]


def group_of(text: str, those: Sequence[Explained], conforming: Sequence[Facts], arrays: Mapping[str, Any]) -> Group:
    """The records of a diagnosis, with the smallest of them as a witness."""
    records = tuple(each.record for each in those)
    where = cluster([facts(each) for each in records], conforming)
    witness = smallest(records)
    return Group(text, records, others(text, those), where, witness, _tiny(witness, actual(witness, arrays)))


def others(text: str, those: Iterable[Explained]) -> Mapping[str, int]:
    """How many of a diagnosis's records another one explains as well."""
    return Counter(kind for each in those for kind in each.kinds if kind != text)


def smallest(records: Iterable[Record]) -> Record:
    """The record whose problem is the least to compute, and then to read."""
    return min(records, key=size)


def _tiny(each: Record, actual: Any) -> dict[str, Any]:
    """The arrays of a record as lists, where each is tiny."""
    problem = Problem.parse(each.problem)
    operands = draw(each.case, problem)
    given = {**operands._asdict(), "actual": actual, "expected": oracle.expected(problem, *operands)}
    arrays = {name: array for name, array in given.items() if array is not None}
    return {name: array.tolist() for name, array in arrays.items() if max(a.size for a in arrays.values()) <= TINY}
