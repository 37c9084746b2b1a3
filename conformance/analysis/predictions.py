"""Predictions held against drawn problems: what expectations say of a problem that nobody has run yet.

Inside an exact region the verdict is to show, and where no expectation is about it a problem is to conform. A false
prediction is shrunk to the smallest problem on which it is false in the same way.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conformance.adapters.base import Lane
from conformance.analysis.exactness import Finding, Flaw, check
from conformance.io.terminal import progress
from conformance.numerics.operands import DTYPES
from conformance.predicates.comparisons import smallest
from conformance.problem import FORWARD, Problem
from conformance.records.machine import Machine
from conformance.records.record import Header, Record, Run
from conformance.suites.borders import Draw, case_of, shrunk
from conformance.suites.case import Case, Suite
from conformance.suites.expectations import Expectation, fails, unkept
from conformance.suites.references import lacks_data, oracle_digest

Evaluate = Callable[[Case, str], Record]

SUITE = "borders"
"""What a record file of drawn problems says that its suite is."""
REPEATS = 2
"""How often more a problem is run of which the answer is right by chance."""
SHRINKS = 150
"""Problems that are run to shrink one false prediction."""
_OF_DRAWS = (Flaw.STALE, Flaw.NARROWER, Flaw.WIDER, Flaw.OVERLAP, Flaw.UNKNOWN)
"""Faults that drawn problems can show; not that a region of negative cases is empty among them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a draw: its record, and those of further runs where its region is one of chance."""

    draw: Draw
    record: Record
    repeats: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class FalsePrediction:
    """Predictions that are false in one way: how many, the smallest problem, and what the expectation said of it."""

    about: str
    said: str
    count: int
    record: Record


def run(
    draws: Sequence[Draw], expectations: Sequence[Expectation], evaluate: Evaluate, seconds: float
) -> list[Outcome]:
    """The outcomes of draws, in order, until the time is over; those for which no exact data is found are left out."""
    by_id = {expectation.id: expectation for expectation in expectations}
    until, outcomes = time.monotonic() + seconds, []
    for draw in progress(draws, "borders", "problems"):
        if time.monotonic() > until:
            break
        record = evaluate(case_of(draw.problem), draw.dtype)
        if lacks_data(record):
            continue
        again = REPEATS if draw.inside and by_id[draw.about].chance else 0
        repeats = tuple(evaluate(case_of(draw.problem), draw.dtype) for _ in range(again))
        outcomes.append(Outcome(draw, record, repeats))
    return outcomes


def false_predictions(
    outcomes: Sequence[Outcome], expectations: Sequence[Expectation], evaluate: Evaluate, seconds: float
) -> list[FalsePrediction]:
    """The false predictions among outcomes, those that are false in one way together, with the smallest problem.

    `seconds` is what the search for smaller problems may take.
    """
    until = time.monotonic() + seconds
    ways: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for outcome in outcomes:
        for record in (outcome.record, *outcome.repeats):
            if fails(record, expectations):
                ways[_way(record, expectations) or (f"near {outcome.draw.about}", "conforms")].append(record)
    return [
        FalsePrediction(about, predicted, len(records), _shrunk(smallest(records), expectations, evaluate, until))
        for (about, predicted), records in ways.items()
    ]


def _way(record: Record, expectations: Sequence[Expectation]) -> tuple[str, str] | None:
    """By which expectation, and in which words, a prediction is false; None where no expectation is about it."""
    broken = unkept(record, expectations)
    return (broken.id, f"{broken.verdict} {broken.message}".strip()) if broken else None


def _shrunk(record: Record, expectations: Sequence[Expectation], evaluate: Evaluate, until: float) -> Record:
    """The record of the smallest problem found that is false in the same way."""
    way, problem = _way(record, expectations), Problem.parse(record.problem)
    records = {problem: record}

    def alike(less: Problem) -> bool:
        if time.monotonic() > until:
            return False
        again = evaluate(case_of(less), record.dtype)
        records[less] = again
        return again.verdict is record.verdict and fails(again, expectations) and _way(again, expectations) == way

    return records[shrunk(problem, alike, SHRINKS)]


def better(expectations: Sequence[Expectation], made: Run) -> list[Finding]:
    """What the drawn records say of the expectations, each with the predicate that is right on all of them."""
    return [finding for finding in check(expectations, [made]) if finding.fault in _OF_DRAWS]


def run_of(
    lane: Lane,
    outcomes: Sequence[Outcome],
    selection: str,
    started: str,
    environment: Mapping[str, str],
    machine: Machine,
) -> Run:
    """The record file of outcomes; `selection` says how they were drawn."""
    records = sorted((outcome.record for outcome in outcomes), key=lambda record: record.key)
    suite = Suite(SUITE, tuple({outcome.draw.problem: case_of(outcome.draw.problem) for outcome in outcomes}.values()))
    header = Header(
        framework=lane.framework, variant=lane.variant, suite=SUITE, dtypes=DTYPES, directions=(FORWARD,),
        cases=suite.digest, expected=len(records), oracle=oracle_digest(), selection=selection,
        environment=environment, started=started, machine=machine,
    )  # fmt: skip
    return Run(header, tuple(records), complete=True)


def frequencies(outcomes: Sequence[Outcome], about: Expectation) -> Mapping[str, int]:
    """How many calls inside a region of chance gave each verdict, repeated ones counted each."""
    inside = [outcome for outcome in outcomes if outcome.draw.inside and outcome.draw.about == about.id]
    return Counter(record.verdict.value for outcome in inside for record in (outcome.record, *outcome.repeats))
