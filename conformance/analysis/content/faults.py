"""Faults of a run: what fails alike, the diagnosis and the predicate of each, its smallest witness and reproducers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, idioms, oracle
from conformance.analysis.content.snippets import LARGEST as WRITTEN
from conformance.analysis.content.snippets import (
    of_call,
    of_gradient,
    of_negative,
    of_problem,
    of_record,
    repeated,
    same_window,
    too_large,
)
from conformance.analysis.groups import Others, by_cause, others, witnessed
from conformance.calls import suites
from conformance.diagnosis.explain import Cause, Explained, explain_run
from conformance.idioms.base import ClaimedCall, Refusal
from conformance.idioms.expression import ExpressionError
from conformance.io.terminal import progress
from conformance.numerics import gradients, upstream
from conformance.numerics.operands import Arrays as Operands
from conformance.numerics.operands import DataError, draw, drawn_for
from conformance.predicates.comparisons import facts, problem_of, smallest
from conformance.predicates.induction import Rule, where
from conformance.problem import FORWARD, Problem
from conformance.records import calls
from conformance.records.arrays import actual, open_beside
from conformance.records.calls import RecordedCallError
from conformance.records.messages import label_of, skeleton
from conformance.records.record import NEGATIVE, PORTS, Key, Record, Run, SubjectKind, Verdict
from conformance.report.content.faults import Answer, Arrays, Fault, Snippet, Where
from conformance.suites import cases

MOST = 12
"""Groups of a framework that are told apart; the smaller ones stand together."""
LARGEST = 2**16
"""Elements of an array that is kept for drawing."""
REST = "other messages, few records each"

Evidence = Mapping[tuple[str, Key], Any]


class Alike(NamedTuple):
    """Failing records that are alike: by the cause of their arrays, or where there are none by what their lanes said.

    `also` counts those that other causes explain as well.
    """

    records: Sequence[Record]
    cause: Cause | None = None
    also: Others = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Finder:
    """Everything that faults are found in: records by lane, arrays of the diverging ones, and who expected which."""

    runs: Sequence[Run]
    arrays: Evidence
    known: Any
    answered: Mapping[Key, Sequence[Record]]


def read_arrays(folder: Path, runs: Iterable[Run]) -> dict[tuple[str, Key], Any]:
    """The diverging arrays beside record files, by lane and key. Raises RecordError where some are missing."""
    by_key: dict[tuple[str, Key], Any] = {}
    for run in runs:
        diverging = [record for record in run.records if _has_arrays(record)]
        if not diverging:
            continue
        with open_beside(run.path or run.header.path(folder), len(diverging)) as arrays:
            by_key |= {(record.lane, record.key): actual(record, arrays) for record in diverging}
    return by_key


def _has_arrays(record: Record) -> bool:
    """Whether a record diverges on data of its problem."""
    return record.verdict is Verdict.DIVERGES and record.redrawn


def find_faults(runs: Sequence[Run], arrays: Evidence, known: Any, frameworks: Collection[str] = ()) -> Iterator[Fault]:
    """The faults of some runs, framework by framework, the new ones first, then the largest.

    `known` says which expectation knew of a record, or None. `frameworks` are those that are asked for, or all.
    """
    answered: dict[Key, list[Record]] = defaultdict(list)
    for run in runs:
        for record in run.records if run.header.suite != PORTS else ():
            answered[record.key].append(record)
    finder = Finder(runs, arrays, known, answered)
    asked = sorted(frameworks or {run.header.framework for run in runs})
    for framework in progress(asked, "faults", "frameworks"):
        own = [run for run in runs if run.header.framework == framework]
        yield from sorted(
            _faults_of_framework(framework, own, finder), key=lambda fault: (not fault.new, -len(fault.records))
        )


def fault_of(records: Sequence[Record], arrays: Evidence, known: Any, runs: Sequence[Run]) -> Fault:
    """What some records of one framework, and the answers to the smallest of them in all runs, come to as one fault.

    They may conform, too. Why the witness's array is what it is, is looked for; where others are like it is not.
    """
    witness = smallest(records)
    answered = {witness.key: [record for run in runs for record in run.records if record.key == witness.key]}
    finder = Finder(runs, arrays, known, answered)
    alike = Alike(records)
    if _has_arrays(witness):
        (explained,) = explain_run([witness], [witness], lambda record: arrays[record.lane, record.key])
        ((cause, those),) = by_cause([explained])
        alike = Alike(records, witnessed(cause, those), others(cause, those))
    return _fault(witness.framework, alike, (), finder)


def _faults_of_framework(framework: str, runs: Sequence[Run], finder: Finder) -> Iterator[Fault]:
    failing = [record for run in runs for record in run.records if record.fails]
    explained = {(found.record.lane, found.record.key): found for run in runs for found in _explained(run, finder)}
    groups: list[Alike] = []
    apart: dict[Any, list[Record]] = defaultdict(list)
    for record in failing:
        known = finder.known(record)
        words = record.redrawn if record.verdict is Verdict.DIVERGES else skeleton(record.message)
        apart[record.verdict, known and known.id, record.subject is SubjectKind.PROBLEM, words].append(record)
    for (verdict, *_), records in apart.items():
        if verdict is Verdict.DIVERGES and all(map(_has_arrays, records)):
            members = [explained[record.lane, record.key] for record in records]
            groups += [Alike([member.record for member in those], witnessed(cause, those), others(cause, those))
                       for cause, those in by_cause(members, explained.values())]  # fmt: skip
        else:
            groups.append(Alike(records))
    groups.sort(key=lambda group: -len(group.records))
    for group in groups[:MOST]:
        yield _fault(framework, group, runs, finder)
    rest: dict[Any, list[Record]] = defaultdict(list)
    for group in groups[MOST:]:
        for record in group.records:
            known = finder.known(record)
            rest[record.verdict, known and known.id].append(record)
    for records in rest.values():
        title = _title(None, records) if len({skeleton(one_record.message) for one_record in records}) == 1 else REST
        yield replace(_fault(framework, Alike(records), (), finder), title=title, where=())


def _explained(run: Run, finder: Finder) -> list[Explained]:
    """What explains the arrays of a run."""
    diverging = [record for record in run.records if _has_arrays(record)]
    return explain_run(diverging, run.records, lambda record: finder.arrays[record.lane, record.key])


def _fault(framework: str, alike: Alike, runs: Sequence[Run], finder: Finder) -> Fault:
    records, cause = alike.records, alike.cause
    witness = smallest(records)
    answers = [witness, *(record for record in finder.answered[witness.key] if record.lane != witness.lane)]
    drawn, known = _drawn(witness, cause), finder.known(witness)
    snippets: Iterable[Snippet] = _snippets(witness, drawn, finder.runs)
    if known and known.chance:
        snippets = (repeated(each) if each.framework == framework else each for each in snippets)
    return Fault(
        framework, witness.verdict, _title(cause, records), cause.words if cause else "",
        {str(other): len(keys) for other, keys in alike.also.items()}, tuple(_wheres(records, runs)),
        tuple(records), known, witness, str(drawn.problem), drawn.arrays,
        tuple(Answer(answer, finder.arrays.get((answer.lane, answer.key))) for answer in answers),
        tuple(snippets), misread=bool(cause and cause.misreadings),
    )  # fmt: skip


def _title(cause: Cause | None, records: Sequence[Record]) -> str:
    if cause and not cause.explained:
        return f"no misreading explains it: {_said(records)}"
    if records[0].rounding and records[0].verdict is Verdict.DIVERGES:
        return "errs by more than rounding can, in long sums"
    called = sorted({record.fault for record in records})
    if records[0].kind and all(called):
        kind = records[0].kind if records[0].kind in ("shape", "dtype") else "answer"
        return f"another {kind}: {', '.join(called)}"
    return cause.words if cause else _said(records)


def _said(records: Sequence[Record]) -> str:
    """What records say that fail alike; of values, that some differ: how many and which is in each record's message."""
    return "some values differ" if records[0].kind in ("value", "nonfinite") else label_of(records)


def _wheres(records: Sequence[Record], runs: Sequence[Run]) -> Iterator[Where]:
    """Where it happens, lane by lane, since lanes differ in what they get right.

    Of negative cases only what is exact: there are few, and what is wrong with their calls has names.
    """
    for place in _every_where(records, runs):
        if place.exact or not all(record.fault for record in records):
            yield place


def _every_where(records: Sequence[Record], runs: Sequence[Run]) -> Iterator[Where]:
    for lane in sorted({record.lane for record in records}):
        own = [record for record in records if record.lane == lane]
        yield _where_it_happens(own, [run for run in runs if run.header.lane == lane])


def _where_it_happens(records: Sequence[Record], runs: Sequence[Run]) -> Where:
    """The smallest predicate that tells records from the conforming ones of the same runs, and of the same idioms."""
    keys, names = {record.key for record in records}, {record.idiom for record in records}
    outside = [
        one_record
        for run in runs
        if any(record.key in keys for record in run.records)
        for one_record in run.records
        if one_record.verdict is Verdict.CONFORMS and one_record.idiom in names
    ]
    rule = where([facts(record) for record in records], [facts(record) for record in outside])
    return where_of(records[0].lane, rule)


def where_of(lane: str, rule: Rule) -> Where:
    """A rule as the report shows it: with too few records without its predicate."""
    predicate = rule.predicate if rule.is_of_enough else ""
    return Where(lane, predicate, rule.coverage, rule.exact and rule.is_of_enough, rule.sentence)


Array = NDArray[Any]


class _Witness(NamedTuple):
    """A witness's problem, its operands, and all of its arrays; None where there are none, or they are too large.

    Of a gradient that is known, `gradient` is what is expected.
    """

    problem: Problem
    operands: Operands | None
    arrays: Arrays | None
    gradient: Array | None = None


def _drawn(witness: Record, cause: Cause | None) -> _Witness:
    problem = problem_of(witness)
    if witness.direction != FORWARD and witness.subject is SubjectKind.PROBLEM:
        return _drawn_of_gradient(witness, problem)
    if not witness.redrawn:
        return _Witness(problem, None, None)
    point, source = _written_call(witness)
    drawn = suites.case_of(point, source).drawn if point else problem
    try:
        operands = draw(witness.case, drawn, witness.dtype)
    except DataError:
        return _Witness(problem, None, None)
    if witness.claimed == "rejects" or problem.multiplies > LARGEST or np.prod(problem.full) > LARGEST:
        return _Witness(problem, operands, None)
    whole = replace(problem, pads=((0, 0),) * problem.rank, output_padding=(0,) * problem.rank, bias=False)
    full, expected = oracle.expected(whole, *operands[:2], None), oracle.expected(problem, *operands)
    moved = cause.window if cause else None
    return _Witness(problem, operands, Arrays(*operands, full, expected, problem.window, moved))


def _drawn_of_gradient(witness: Record, problem: Problem) -> _Witness:
    try:
        drawn = upstream.draw(witness.case, problem, drawn_for(witness.dtype))
    except DataError:
        return _Witness(problem, None, None)
    return _Witness(problem, drawn.arrays, None, gradients.expected(problem, witness.direction, *drawn))


def _snippets(witness: Record, drawn: _Witness, runs: Sequence[Run]) -> Iterator[Snippet]:
    """A script for each framework of the runs, the witness's own first; its own only, where it is to be refused."""
    expected = drawn.arrays.expected if drawn.arrays and drawn.arrays.expected.size <= WRITTEN else None
    names = sorted({run.header.framework for run in runs} & set(idioms.frameworks()))
    names.sort(key=lambda name: name != witness.framework)
    if witness.framework not in names:
        yield Snippet(
            witness.framework, witness.lane, "", f"no script of {witness.framework} is written: use the command"
        )
    point, source = _written_call(witness)
    negative = {case.id: case for case in cases.read_suite(NEGATIVE).cases} if witness.fault else {}
    for name in names:
        own = name == witness.framework and witness.variant in adapters.variants(name)
        lane = adapters.lane(name, witness.variant if own else None)
        if witness.case in negative:
            yield of_negative(lane, negative[witness.case], witness.dtype)
        elif drawn.gradient is not None:
            if own:
                yield of_gradient(lane, witness, drawn.gradient)
        elif drawn.operands is None:
            yield Snippet(name, str(lane), "", f"{_why_none(witness)}: use the command")
        elif witness.verdict is Verdict.DIVERGES and expected is None:
            yield too_large(lane)
        elif witness.subject is SubjectKind.PROBLEM:
            refused = own and witness.call and witness.verdict is not Verdict.DIVERGES
            yield (of_record(lane, witness, expected) if refused else
                   of_problem(lane, drawn.problem, drawn.operands, expected, witness.dtype))  # fmt: skip
        elif point is not None and (own or not point.claim.refused) and same_window(point, drawn.problem):
            yield of_call(lane, point, source, drawn.operands, expected, witness.dtype)


def _why_none(witness: Record) -> str:
    """Why there are no operands for a script."""
    if witness.subject is SubjectKind.CLAIM:
        return "several calls check a claim"
    if witness.direction != FORWARD:
        return "it is a gradient"
    return "its answer is compared with a bound" if witness.rounding else "its data is no longer on file"


def _written_call(witness: Record) -> tuple[ClaimedCall | None, str]:
    """The call of an idiom's record, read again, and the framework that it is of; None for any other record."""
    source = witness.framework
    if witness.subject is SubjectKind.PROBLEM:
        return None, source
    source = witness.ported_from or source
    try:
        call = calls.parse(witness.call)
    except RecordedCallError:
        return None, source
    variant = witness.variant if source == witness.framework else adapters.lane(source).variant
    try:
        return idioms.read(source, call.text, call.shapes, variant), source
    except Refusal:  # a call that was copied from elsewhere, and says no problem here
        copied = suites.copied(source, variant) if source == witness.framework else ()
        return next((point for point in copied if suites.case_of(point, source).id == witness.case), None), source
    except (idioms.IdiomError, ExpressionError):
        return None, source
