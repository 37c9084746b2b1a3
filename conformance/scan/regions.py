"""What is known of a problem in each lane, by the regions of `cases/expectations`; no framework is run."""

from functools import cache

from conformance import adapters
from conformance.problem import Problem
from conformance.records.record import FORWARD, Verdict
from conformance.suites.expectations import Expectation, read_expectations


@cache
def _expectations() -> tuple[tuple[str, str, Expectation], ...]:
    """Every expectation of a problem in whatever call, with the lanes that it may be of."""
    return tuple(
        (lane.framework, lane.variant, expectation)
        for lane in adapters.lanes()
        for expectation in read_expectations(lane.framework)
        if not expectation.idiom and expectation.verdict is not Verdict.ACCEPTS_INVALID
    )


def regions(problem: Problem, dtype: str = "float32") -> frozenset[tuple[str, str, str]]:
    """The regions that hold a problem: framework, variant and the expectation's id."""
    return frozenset(
        (framework, variant, expectation.id)
        for framework, variant, expectation in _expectations()
        if expectation.when(
            problem, framework=framework, variant=variant, dtype=dtype, direction=FORWARD, claimed="", fault=""
        )
    )
