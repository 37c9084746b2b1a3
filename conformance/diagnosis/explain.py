"""Diverging records explained: each by its smallest causes."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from conformance.diagnosis.answers.gradients import explain_gradient
from conformance.diagnosis.bounds import MOST_STATEMENTS, TooLargeError, require_searchable
from conformance.diagnosis.diagnose import Diagnosis, diagnose, sentence
from conformance.diagnosis.misreadings import WHOLE, Space, kind_of, restricted
from conformance.diagnosis.observation import DiagnosisError
from conformance.io.terminal import progress
from conformance.numerics import upstream
from conformance.numerics.deviation import fingerprint
from conformance.numerics.operands import EXACT_IN, Arrays, DataError, draw, drawn_for
from conformance.predicates.comparisons import problem_of, size
from conformance.problem import BACKWARD, Problem, Window, broken_rule
from conformance.records.arrays import actual
from conformance.records.record import Key, Record

FEW = 3
"""Diagnoses that are said of one array."""
SEARCHED = 24
"""Records of one run that no single statement explains, the smallest ones, that are searched for several."""
MANY, AT_ONCE, CHUNK = 200, 64, 16
"""Records from which on they are explained on all cores, chunks of them in memory, and those of a chunk, which are sent
to a core together."""
EVERY = 16
"""Of many records every so many-th is asked about all statements, and what these have is tried on the others first."""
LEAST = 4
"""Elements of an array that is taken for another case's answer."""

Actual = Callable[[Record], Any]
"""The array that a diverging record gave."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an array diverges, in words that other problems can share; of a cause that was not looked for there are none.

    Either `misreadings` of the problem give it exactly, or it equals the oracle but for its kind of deviation
    (`but_for`), or nothing explains it, and `lack` says so. `window` is the one at which it has the array where that
    was moved: the same cause moves the window of each record to another. `replicated` says that it explained the answer
    on redrawn operands, too.
    """

    misreadings: tuple[str, ...] = ()
    but_for: str = ""
    lack: str = ""
    window: Window | None = field(default=None, compare=False)
    replicated: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return " and ".join(self.misreadings) or (
            f"equals the oracle but for its {self.but_for}" if self.but_for else self.lack
        )

    @property
    def kind(self) -> "Cause":
        """The same cause without the axes and numbers that it has in one problem."""
        return replace(self, misreadings=tuple(map(kind_of, self.misreadings)), window=None)

    @property
    def explained(self) -> bool:
        """Whether it is known."""
        return bool(self.misreadings or self.but_for)

    @property
    def candidate(self) -> bool:
        """Whether it is of several statements, of which some set may fit one array by chance."""
        return len(self.misreadings) > 1 and not self.replicated

    @property
    def words(self) -> str:
        """The cause, and what is lacking where it is a candidate."""
        return f"{self} ({CANDIDATE})" if self.candidate else str(self)

    @property
    def sentence(self) -> str:
        """What is to be said of the array."""
        if not self.misreadings:
            return str(self)
        return f"candidate: {sentence(self.misreadings)}" if self.candidate else sentence(self.misreadings)


CANDIDATE = "a candidate: not tried on other data"
NOT_SOUGHT = Cause()
UNEXPLAINED = Cause(lack="unexplained")
TOO_LARGE = Cause(lack="unexplained, too large to be searched")
ANOTHER_SHAPE = Cause(lack="unexplained, for its arrays are of another shape of problem")
BY_NO_ONE_STATEMENT = Cause(
    lack=f"unexplained by one statement; of many records the smallest {SEARCHED} alone are searched for several"
)


class _Task(NamedTuple):
    """A diverging record with its array, and what is sought of it: so many statements, of some kinds or of all.

    Where nothing of these kinds explains it, one statement of any kind is sought if `then_all`.
    """

    record: Record
    array: Any
    answers: Mapping[str, str]
    most: int = MOST_STATEMENTS
    kinds: frozenset[str] | None = None
    then_all: bool = False


class Explained(NamedTuple):
    """A diverging record, with every smallest cause of its array."""

    record: Record
    causes: tuple[Cause, ...]


def causes(
    record: Record, actual: Actual, answers: Mapping[str, str] | None = None, *,
    most: int = MOST_STATEMENTS, space: Space = WHOLE,
) -> tuple[Cause, ...]:  # fmt: skip
    """Every smallest cause of a diverging record's array, of at most so many statements of a space.

    `answers` are the cases of the same run by the hash of what is expected of them.
    """
    if record.direction in BACKWARD:
        return _causes_of_gradient(record, actual(record))
    if not record.redrawn:
        measured = (record.deviation or {}).get("cause")
        return (Cause((measured,)) if measured else UNEXPLAINED,)
    problem = Problem.parse(record.problem)
    if rule := broken_rule(problem):
        raise DiagnosisError(f"{record.case}: '{problem}': {rule}: run the lane again")
    array = actual(record)
    if array.dtype.kind == "c" and not array.imag.any():
        array = array.real
    other = (answers or {}).get(record.actual, record.case)  # which may have its own answer in another dtype
    if other != record.case and array.size >= LEAST and (array != array.flat[0]).any():
        return (Cause((f"the answer of the case {other}",)),)
    try:
        require_searchable(problem)  # before data is drawn for it
        diagnoses = diagnose(problem, draw(record.case, problem, record.dtype), array, most=most, space=space)
    except TooLargeError:
        return (TOO_LARGE,)
    return _standing(tuple(dict.fromkeys(_cause(diagnosis, record.kind) for diagnosis in diagnoses)), record)


def _standing(causes: Sequence[Cause], record: Record) -> tuple[Cause, ...]:
    """The causes that may be said of a record: of several statements, once asked, those that held when redrawn."""
    if record.replicated is None:
        return tuple(causes) or (UNEXPLAINED,)
    held = {text for text, holds in record.replicated.items() if holds}
    standing = (
        replace(cause, replicated=True) if str(cause) in held else cause
        for cause in causes if len(cause.misreadings) < 2 or str(cause) in held
    )  # fmt: skip
    return tuple(standing) or (UNEXPLAINED,)


def _causes_of_gradient(record: Record, array: Any) -> tuple[Cause, ...]:
    problem = Problem.parse(record.problem)
    drawn = upstream.draw(record.case, problem, drawn_for(record.dtype))
    found = explain_gradient(problem, record.direction, *drawn, array)
    return tuple(Cause((text,)) for text in found) or (UNEXPLAINED,)


def _cause(diagnosis: Diagnosis, kind: str) -> Cause:
    if not diagnosis.statements:
        return Cause(but_for=kind)
    return Cause(diagnosis.moves, window=None if diagnosis.claimed is None else diagnosis.window)


def expected_of_others(records: Sequence[Record]) -> Mapping[str, str]:
    """The cases of a run by the hash of what is expected of them, as far as that is one case's alone."""
    by_hash: dict[str, set[str]] = {}
    for record in records:
        if record.expected:
            by_hash.setdefault(record.expected, set()).add(record.case)
    return {name: next(iter(cases)) for name, cases in by_hash.items() if len(cases) == 1}


Causes = dict[Key, tuple[Cause, ...]]
"""The causes of records by their keys."""
Ask = Callable[[list[Explained]], Mapping[Key, Record]]
"""What asks explanations of redrawn operands, and gives the records that learnt something from it."""


def explain_run(
    records: Sequence[Record], run: Sequence[Record], actual: Actual, ask: Ask = lambda explained: {}
) -> list[Explained]:
    """The diverging records of a run, explained with what is found for each other.

    One statement is sought for each record. Where none is found, several are sought for the smallest records, and what
    these have is tried on the others. `ask` gives records anew that have learnt whether explanations of several
    statements hold on redrawn operands. What does not hold is replaced, until nothing more is learnt.
    """
    sought = partial(_asked_once, actual, expected_of_others(run))
    found = _by_one(records, sought)
    by_several = _Several(sought)
    while True:
        causes = {record.key: _standing(found[record.key], record) for record in records}
        causes |= by_several(sorted((each for each in records if causes[each.key] == (UNEXPLAINED,)), key=size))
        explained = [Explained(record, causes[record.key]) for record in records]
        learnt = ask(explained)
        if not learnt:
            return explained
        records = [learnt.get(record.key, record) for record in records]


class _Several:
    """The causes of records by several statements: whatever is learnt of them, each record is searched once."""

    def __init__(self, sought: Callable[..., Causes]) -> None:
        self._sought = sought
        self._found: dict[frozenset[str] | None, Causes] = {}

    def __call__(self, left: Sequence[Record]) -> Causes:
        several = self._causes(left[:SEARCHED], None)
        known = _kinds(several)
        others = self._causes(left[SEARCHED:], known) if known else {}
        for record in left[SEARCHED:]:
            some = others.get(record.key, (UNEXPLAINED,))
            several[record.key] = (BY_NO_ONE_STATEMENT,) if some == (UNEXPLAINED,) else some
        return several

    def _causes(self, records: Sequence[Record], kinds: frozenset[str] | None) -> Causes:
        found = self._found.setdefault(kinds, {})
        found |= self._sought([record for record in records if record.key not in found], kinds=kinds)
        return {record.key: _standing(found[record.key], record) for record in records}


def _by_one(records: Sequence[Record], sought: Callable[..., Causes]) -> Causes:
    """The causes of records by one statement, or that there is none.

    Of many records some are asked about all statements, and the kinds that explain these are tried on each of the
    others; all kinds are on those that no such kind explains. So what the data cannot tell apart is counted among the
    kinds that explain the first ones.
    """
    alike = sorted(records, key=_likeness)
    first = alike[::EVERY] if len(alike) >= MANY else alike
    asked = {record.key for record in first}
    found = sought(first, most=1)
    known = _kinds(found)
    others = [record for record in alike if record.key not in asked]
    found |= sought(others, kinds=known, most=1, then_all=True)
    return found


def _likeness(record: Record) -> tuple[Any, ...]:
    """By which records that are alike stand together."""
    problem = problem_of(record)
    several = (*(max(values) > 1 for values in (problem.kernel, problem.stride, problem.dilation)), problem.bias,
               problem.batch > 1, problem.groups > 1, problem.in_channels > 1, problem.out_channels > 1)  # fmt: skip
    return record.kind, problem.rank, several, size(record)


def _kinds(found: Causes) -> frozenset[str]:
    """The kinds of the statements that explain some records."""
    return frozenset(
        text for some in found.values() for cause in some for text in cause.kind.misreadings
    )  # fmt: skip


def _asked_once(
    actual: Actual, answers: Mapping[str, str], records: Sequence[Record], **bounds: Any
) -> Causes:  # fmt: skip
    """The causes of records; what is one question in several dtypes and variants is asked once."""
    first: dict[tuple[Any, ...], Key] = {}
    same: dict[Key, Key] = {}

    def tasks() -> Iterator[_Task]:
        for record in progress(records, "diagnosis", "records"):
            other, array = answers.get(record.actual), actual(record)
            same[record.key] = first.setdefault(_question(record, array, other), record.key)
            if same[record.key] == record.key:
                asked = replace(record, replicated=None)  # what is found does not depend on what was learnt of it
                yield _Task(asked, array, {record.actual: other} if other else {}, **bounds)

    found = _all_sought(tasks(), len(records))
    return {key: found[asked] for key, asked in same.items()}


def _question(record: Record, array: Any, other: str | None) -> tuple[Any, ...]:
    """What a diagnosis depends on: data that are exact in float32 are float64's too, and so can be the array."""
    if not record.redrawn or drawn_for(record.dtype) != EXACT_IN:
        return record.key
    held = fingerprint(array.astype(np.float64)) if array.dtype in (np.float32, np.float64) else record.actual
    return record.case, record.problem, record.direction, record.kind, other, held


def _all_sought(tasks: Iterator[_Task], count: int) -> Causes:
    """The causes of so many tasks, by the records' keys: of many on all cores."""
    if count < MANY:
        return dict(map(_sought, tasks))
    found: Causes = {}
    waiting: deque[Future[Causes]] = deque()
    # A process a core: threads of theirs in linear algebra would take the cores from each other.
    with ProcessPoolExecutor(initializer=threadpool_limits, initargs=(1,)) as pool:
        while chunk := list(islice(tasks, CHUNK)):
            waiting.append(pool.submit(_each_sought, chunk))
            if len(waiting) >= AT_ONCE:  # arrays of all of them need not fit into memory
                found |= waiting.popleft().result()
        for chunk_sought in waiting:
            found |= chunk_sought.result()
    return found


def _each_sought(tasks: Sequence[_Task]) -> Causes:
    return dict(map(_sought, tasks))


def _sought(task: _Task) -> tuple[Key, tuple[Cause, ...]]:
    """A record's key, and its causes."""

    def causes_in(kinds: frozenset[str] | None) -> tuple[Cause, ...]:
        return causes(task.record, lambda _: task.array, task.answers, most=task.most, space=restricted(WHOLE, kinds))

    try:
        some = causes_in(task.kinds)
        if task.then_all and some == (UNEXPLAINED,):
            some = causes_in(None)
    except (DataError, DiagnosisError):
        some = (ANOTHER_SHAPE,)
    return task.record.key, some


def gradient_sentences(
    problem: Problem, direction: str, arrays: Arrays, above: Any, array: Any
) -> Iterator[str]:  # fmt: skip
    """What gives a wrong gradient exactly, in at most `FEW` sentences; or that nothing is found to."""
    found = explain_gradient(problem, direction, arrays, above, array)
    yield from (sentence((text,)) for text in found[:FEW])
    if not found:
        yield str(UNEXPLAINED)


def sentences(problem: Problem, arrays: Arrays, array: Any) -> Iterator[str]:
    """What gives an array that is wrong exactly, in at most `FEW` sentences; or that nothing is found to."""
    try:
        diagnoses = diagnose(problem, arrays, array)
    except DiagnosisError as error:
        yield f"not diagnosed: {error}"
        return
    for diagnosis in diagnoses[:FEW]:
        yield f"candidate: {diagnosis}" if len(diagnosis.statements) > 1 else str(diagnosis)
    if not diagnoses:
        yield str(UNEXPLAINED)


def among(arrays: Mapping[str, Any]) -> Actual:
    """The array of each record from an archive of them."""
    return lambda record: actual(record, arrays)
