"""The published faults that a vector tells: known divergences whose region has its problem."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from conformance import adapters
from conformance.numerics.operands import DTYPES
from conformance.problem import Problem
from conformance.records.record import Verdict
from conformance.suites.expectation_files import path
from conformance.suites.expectations import Expectation, read_file

WRONG = (Verdict.DIVERGES, Verdict.CRASHED, Verdict.TIMED_OUT)
"""The verdicts of an implementation that is wrong; one that refuses a problem says so itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A known fault of a framework."""

    framework: str
    expectation: Expectation

    def reaches(self, problem: Problem) -> bool:
        """Whether a problem is inside of the fault's region in some variant and dtype of the framework."""
        variants = adapters.variants(self.framework) if self.framework in adapters.frameworks() else [""]
        return any(
            self.expectation.when(
                problem,
                framework=self.framework,
                variant=variant,
                dtype=dtype,
                direction="forward",
                claimed="",
                fault="",
            )
            for variant in variants
            for dtype in DTYPES
        )


@cache
def known() -> tuple[Fault, ...]:
    """Every known fault that is about problems, whatever the call. Raises ExpectationError.

    A death by chance is none, since no vector tells it.
    """
    return tuple(_known())


def _known() -> Iterator[Fault]:
    for file in sorted(path("").parent.glob("*.toml")):
        for expectation in read_file(file):
            dies_by_chance = expectation.chance and expectation.verdict is Verdict.CRASHED
            if expectation.verdict in WRONG and not expectation.idiom and not dies_by_chance:
                yield Fault(file.stem, expectation)


def told_by(problem: Problem) -> tuple[Fault, ...]:
    """The faults that a problem tells."""
    return tuple(fault for fault in known() if fault.reaches(problem))
