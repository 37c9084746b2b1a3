"""Problems that nobody thought of: drawn by Hypothesis, run like any case, and shrunk where the answer is another.

Hypothesis is an optional dependency; only what draws needs it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky

from conformance.adapters.base import Lane
from conformance.problem import Problem
from conformance.processes.isolation import Isolation
from conformance.run import Result
from conformance.runner.isolated import isolated
from conformance.suites.borders import case_of
from conformance.suites.case import Case
from conformance.suites.expectations import Expectation, known
from conformance.suites.references import lacks_data

CHUNK = 200
"""Problems that one seed draws; the next chunk has the next seed."""


@st.composite
def problems(draw: st.DrawFn, ranks: tuple[int, ...] = (1, 2, 3)) -> Problem:
    """Valid problems, small enough for loops in Python; windows cut, extend and shift the stamp on either side."""
    rank = draw(st.sampled_from(ranks))
    largest = {1: 5, 2: 3}.get(rank, 2)
    axes = []
    for _ in range(rank):
        i, k = draw(st.integers(1, largest)), draw(st.integers(1, largest))
        s, d = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        op = draw(st.integers(0, max(s, d) - 1))
        full = (i - 1) * s + d * (k - 1) + 1
        begin = draw(st.integers(-2, full + op + 1))
        end = draw(st.integers(-2, full + op - 1 - begin))
        axes.append((i, k, s, (begin, end), op, d))
    i_, k_, s_, pads, op_, d_ = zip(*axes, strict=True)
    g, ic, oc, n = (draw(st.integers(1, most)) for most in (3, 3, 3, 2))
    return Problem(i_, k_, s_, pads, op_, d_, g, ic, oc, n, draw(st.booleans()))


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest problem that fails, as a case, with its result and how many problems were run."""

    case: Case
    result: Result
    tried: int


def search(
    lane: Lane,
    dtype: str,
    *,
    first: int,
    seconds: float,
    database: Path,
    expectations: Sequence[Expectation] = (),
    chunk: Callable[[int, int], None] = lambda number, tried: None,
) -> Found | None:
    """The first divergence that is not among the expectations, shrunk; None where time ran out.

    Chunk after chunk is drawn, each from its own seed, from `first` on; `chunk` is told of each that is done. What
    failed before is in the database, and is tried first.
    """
    isolation, tried = Isolation(lane), 0
    deadline = time.monotonic() + seconds
    results: dict[str, Result] = {}

    def failing(problem: Problem) -> Result | None:
        nonlocal tried
        case = case_of(problem)
        if case.id not in results:
            tried += 1
            results[case.id] = isolated(isolation, lane, case, dtype)
        record = results[case.id].record
        if lacks_data(record):
            reject()
        return results[case.id] if record.fails and known(record, expectations) is None else None

    number = first
    while time.monotonic() < deadline:
        problem = _chunk(number, failing, database, deadline)
        if problem is not None:
            return Found(case_of(problem), results[case_of(problem).id], tried)
        if time.monotonic() > deadline:
            break  # the chunk is not whole, so that the next search begins with it
        results.clear()
        number += 1
        chunk(number, tried)
    return None


def _chunk(number: int, failing: Callable[[Problem], Any], database: Path, deadline: float) -> Problem | None:
    """The smallest problem of a chunk that fails; None where none does."""
    least: list[Problem] = []

    @seed(number)
    @settings(
        max_examples=CHUNK, deadline=None, database=DirectoryBasedExampleDatabase(database), verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate, Phase.shrink),
        report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    @given(problems())
    def conforms(problem: Problem) -> None:
        if time.monotonic() > deadline and not least:
            return
        if failing(problem) is not None:
            least.append(problem)
            raise AssertionError(problem)

    try:
        conforms()
    except (AssertionError, Flaky):  # the last that failed is the smallest, which Hypothesis runs once more
        return least[-1]
    return None
