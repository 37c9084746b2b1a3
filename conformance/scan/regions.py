"""What is known of a model's layers in each lane, by the regions of `cases/expectations`; no framework is run."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.calls.known_faults import KnownFault, faults_of_problem
from conformance.problem import Problem
from conformance.scan.layer import ScanError
from conformance.suites.scans.file import Row

ALL = "all"
DTYPES = ("bfloat16", "float16", "float32", "float64")
"""Those that something can be known of."""


def lanes(names: Sequence[str]) -> list[Lane]:
    """The lanes of some names, such as torch-eager; a framework stands for its lanes. Raises ScanError for no lane."""
    known = adapters.lanes()
    chosen: list[Lane] = []
    for name in names:
        found = [lane for lane in known if name in (ALL, str(lane), lane.framework)]
        if not found:
            raise ScanError(f"--lane {name}: there is no such lane: give all, or one of {', '.join(map(str, known))}")
        chosen += [lane for lane in found if lane not in chosen]
    return chosen


def computing(lanes: Sequence[Lane], dtype: str) -> list[Lane]:
    """Those of lanes whose framework is asked in a dtype."""
    return [lane for lane in lanes if dtype in adapters.dtypes(lane.framework)]


def known(row: Row, lanes: Sequence[Lane]) -> Mapping[Lane, list[KnownFault]]:
    """What each lane is known to do with a row's problem other than to answer; none of a row without a problem."""
    problem = row.known
    return (
        {}
        if problem is None or row.dtype not in DTYPES
        else {lane: list(_faults(problem, lane, row.dtype)) for lane in lanes}
    )


@lru_cache(maxsize=2**12)
def _faults(problem: Problem, lane: Lane, dtype: str) -> tuple[KnownFault, ...]:
    return tuple(faults_of_problem(problem, lane, dtype))


def regions(problem: Problem, dtype: str) -> frozenset[tuple[str, str]]:
    """The regions that hold a problem, in any lane."""
    return frozenset((str(lane), fault.id) for lane in adapters.lanes() for fault in _faults(problem, lane, dtype))
