"""Diverging records explained: each by its smallest causes, then grouped by the one that explains most of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance import oracle
from conformance.diagnosis.bounds import TooLargeError, require_searchable
from conformance.diagnosis.diagnose import Diagnosis, diagnose, sentence
from conformance.diagnosis.observation import DiagnosisError
from conformance.numerics.operands import Arrays, draw
from conformance.predicates.comparisons import Facts, facts, smallest
from conformance.predicates.induction import Rule, induce
from conformance.problem import Problem, Window, broken_rule
from conformance.records.arrays import actual
from conformance.records.record import Record

FEW = 3
"""Diagnoses that are said of one array."""
TINY = 12
"""Elements up to which an array is printed."""

Actual = Callable[[Record], Any]
"""The array that a diverging record gave."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an array diverges, in words that other problems can share; of a cause that was not looked for there are none.

    Either `misreadings` of the problem give it exactly, or it equals the oracle but for its kind of deviation
    (`but_for`), or nothing explains it, and `lack` says so. `window` is the one at which it has the array where that
    was moved: the same cause moves the window of each record to another.
    """

    misreadings: tuple[str, ...] = ()
    but_for: str = ""
    lack: str = ""
    window: Window | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return " and ".join(self.misreadings) or (
            f"equals the oracle but for its {self.but_for}" if self.but_for else self.lack
        )

    @property
    def explained(self) -> bool:
        """Whether it is known."""
        return bool(self.misreadings or self.but_for)

    @property
    def sentence(self) -> str:
        """What is to be said of the array."""
        return sentence(self.misreadings) if self.misreadings else str(self)


NOT_SOUGHT = Cause()
UNEXPLAINED = Cause(lack="unexplained")
TOO_LARGE = Cause(lack="unexplained, too large to be searched")
ANOTHER_SHAPE = Cause(lack="unexplained, for its arrays are of another shape of problem")


class Explained(NamedTuple):
    """A diverging record, with every smallest cause of its array."""

    record: Record
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Diverging records that one cause explains, and what they have in common that conforming ones have not.

    `also` counts those that other causes explain as well; `arrays` are the witness's, where they are tiny.
    """

    cause: Cause
    records: tuple[Record, ...]
    also: Mapping[Cause, int]
    where: Rule
    witness: Record
    arrays: Mapping[str, Any]


def causes(record: Record, actual: Actual) -> tuple[Cause, ...]:
    """Every smallest cause of a diverging record's array."""
    if not record.redrawn:
        measured = (record.deviation or {}).get("cause")
        return (Cause((measured,)) if measured else UNEXPLAINED,)
    problem = Problem.parse(record.problem)
    if rule := broken_rule(problem):
        raise DiagnosisError(f"{record.case}: '{problem}': {rule}: run the lane again")
    try:
        require_searchable(problem)  # before data is drawn for it
        diagnoses = diagnose(problem, draw(record.case, problem), actual(record))
    except TooLargeError:
        return (TOO_LARGE,)
    return tuple(dict.fromkeys(_cause(diagnosis, record.kind) for diagnosis in diagnoses)) or (UNEXPLAINED,)


def _cause(diagnosis: Diagnosis, kind: str) -> Cause:
    if not diagnosis.statements:
        return Cause(but_for=kind)
    return Cause(diagnosis.moves, window=None if diagnosis.claimed is None else diagnosis.window)


def sentences(problem: Problem, arrays: Arrays, array: Any) -> Iterator[str]:
    """What gives an array that is wrong exactly, in at most `FEW` sentences; or that nothing is found to."""
    try:
        diagnoses = diagnose(problem, arrays, array)
    except DiagnosisError as error:
        yield f"not diagnosed: {error}"
        return
    yield from map(str, diagnoses[:FEW] or [UNEXPLAINED])


def among(arrays: Mapping[str, Any]) -> Actual:
    """The array of each record from an archive of them."""
    return lambda record: actual(record, arrays)


def by_cause(explained: Iterable[Explained]) -> Iterator[tuple[Cause, list[Explained]]]:
    """Records by the cause that explains most of those left, again and again."""
    left = list(explained)
    while left:
        counts = Counter(cause for member in left for cause in member.causes)
        most, _ = min(counts.items(), key=lambda item: (-item[1], len(item[0].misreadings), str(item[0])))
        yield most, [member for member in left if most in member.causes]
        left = [member for member in left if most not in member.causes]


def group_of(cause: Cause, those: Sequence[Explained], conforming: Sequence[Facts], actual: Actual) -> Group:
    """The records of a cause, with the smallest of them as a witness."""
    records = tuple(explained.record for explained in those)
    where = induce([facts(record) for record in records], conforming)
    witness = smallest(records)
    return Group(cause, records, others(cause, those), where, witness, _tiny(witness, actual(witness)))


def others(cause: Cause, those: Iterable[Explained]) -> Mapping[Cause, int]:
    """How many of a cause's records another one explains as well."""
    return Counter(other for explained in those for other in explained.causes if other != cause)


def _tiny(record: Record, actual: Any) -> dict[str, Any]:
    """The arrays of a record as lists, where each is tiny."""
    problem = Problem.parse(record.problem)
    operands = draw(record.case, problem)
    given = {**operands._asdict(), "actual": actual, "expected": oracle.expected(problem, *operands)}
    arrays = {name: array for name, array in given.items() if array is not None}
    return {name: array.tolist() for name, array in arrays.items() if max(a.size for a in arrays.values()) <= TINY}
