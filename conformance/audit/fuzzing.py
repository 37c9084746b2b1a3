"""The first problem of a space that a lane does not do as expected, shrunk; each is run like any case."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.adapters.base import Lane
from conformance.problem import BIAS, FORWARD, Problem
from conformance.processes.isolation import Isolation
from conformance.run import Result
from conformance.runner.isolated import isolated
from conformance.suites.borders import asked_of, case_of, shrunk
from conformance.suites.case import Asked, Case
from conformance.suites.expectations import Expectation, known
from conformance.suites.references import lacks_data
from conformance.suites.spaces.space import Space

CHUNK = 200
"""Problems after which it is told how far a search came."""
SHRINKS = 2000
"""Problems that are run to shrink one that fails."""


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest problem that fails, as a case, with its result; `number` is that of the problem that was shrunk."""

    case: Case
    result: Result
    number: int


def search(
    lane: Lane,
    dtype: str,
    space: Space,
    *,
    direction: str = FORWARD,
    first: int,
    seconds: float,
    expectations: Sequence[Expectation] = (),
    reached: Callable[[int], None] = lambda number: None,
) -> Found | None:
    """The first failure that is not among the expectations, shrunk; None where time ran out, or the space.

    Problems are run by their numbers, from `first` on. `reached` is told the number of the next one, now and then and
    when time runs out.
    """
    isolation, until = Isolation(lane), time.monotonic() + seconds
    for number in range(first, space.size):
        if time.monotonic() > until:
            reached(number)
            return None
        asked = asked_of(space[number], dtype, direction)
        result = _failing(isolation, lane, asked, expectations)
        if result is not None:
            return _shrunk(isolation, lane, Found(asked.case, result, number), asked, expectations)
        if (number + 1 - first) % CHUNK == 0:
            reached(number + 1)
    return None


def _shrunk(isolation: Isolation, lane: Lane, found: Found, asked: Asked, expectations: Sequence[Expectation]) -> Found:
    """The smallest problem found that has the same verdict, and is not expected either."""
    results = {found.case.problem: found.result}

    def alike(problem: Problem) -> bool:
        if asked.direction == BIAS and not problem.bias:
            return False
        result = _failing(isolation, lane, asked._replace(case=case_of(problem)), expectations)
        if result is None or result.record.verdict is not found.result.record.verdict:
            return False
        results[problem] = result
        return True

    least = shrunk(found.case.problem, alike, SHRINKS)
    return Found(case_of(least), results[least], found.number)


def _failing(isolation: Isolation, lane: Lane, asked: Asked, expectations: Sequence[Expectation]) -> Result | None:
    """The result of a problem that fails, and is not expected to; None of any other, and where no data is exact."""
    result = isolated(isolation, lane, *asked)
    unknown = result.record.fails and known(result.record, expectations) is None
    return result if unknown and not lacks_data(result.record) else None
