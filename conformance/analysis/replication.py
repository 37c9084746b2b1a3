"""Explanations of several statements, asked again of the same problems on redrawn operands, while a lane is at hand."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.diagnosis.explain import Cause, Explained, causes
from conformance.diagnosis.misreadings import WHOLE, restricted
from conformance.predicates.comparisons import problem_of, size
from conformance.processes.isolation import Isolation, Limits
from conformance.records.record import Header, Record, SubjectKind, Verdict
from conformance.run import Result
from conformance.runner import outside
from conformance.runner.isolated import isolated
from conformance.runner.outside import START, LaneProcess
from conformance.suites.case import Asked, Case

MOST = 64
"""Records of a run that are asked again."""

Evaluate = Callable[[Case, str], Result]


def lane_at_hand(header: Header) -> Lane | None:
    """The lane of a run where it is installed here in the same version; else None."""
    try:
        lane = adapters.lane(header.framework, header.variant)
    except adapters.AdapterError:
        return None
    here = _version_here(lane)
    return lane if here and here == header.version else None


def _version_here(lane: Lane) -> str:
    """The version that is installed here, which an implementation from outside says itself; empty where none is."""
    if not adapters.is_outside(lane.framework):
        return adapters.installed_version(lane.framework)
    process = LaneProcess(lane, START)
    process.start()
    process.stop()
    return process.environment.get(lane.framework, "")


@contextmanager
def by_lane(lane: Lane) -> Iterator[Evaluate]:
    """What evaluates cases on a lane: each in a process of its own, or from outside in one that all share."""
    if not adapters.is_outside(lane.framework):
        isolation = Isolation(lane)
        yield lambda case, dtype: isolated(isolation, lane, case, dtype)
        return
    process = LaneProcess(lane, Limits().seconds)
    try:
        yield lambda case, dtype: outside.evaluated(process, lane, Asked(case, dtype))
    finally:
        process.stop()


def candidates(explained: Iterable[Explained]) -> list[Explained]:
    """The records of problems that several statements explain and that were not asked again, the smallest ones.

    No more than `MOST` records of a run are asked.
    """
    every = sorted(explained, key=lambda member: size(member.record))
    asked = sum(member.record.replicated is not None for member in every)
    first = [
        member
        for member in every
        if member.record.subject is SubjectKind.PROBLEM
        and member.record.redrawn
        and member.record.replicated is None
        and any(cause.candidate for cause in member.causes)
    ]
    return first[: max(0, MOST - asked)]


def replicated(members: Sequence[Explained], evaluate: Evaluate) -> list[Record]:
    """The records of candidates, each with which of its explanations held on redrawn operands."""
    asked = ((member, evaluate(_redrawn(member.record), member.record.dtype)) for member in members)
    return [
        replace(member.record, replicated=_held([cause for cause in member.causes if cause.candidate], result))
        for member, result in asked
        if result.record.verdict is Verdict.CONFORMS or "actual" in result.arrays
    ]  # fmt: skip


def _redrawn(record: Record) -> Case:
    """The problem of a record as a case of another id, by which other operands are drawn."""
    return Case(f"{record.case}-redrawn", problem_of(record), record.problem, "", (), "")


def _held(asked: Sequence[Cause], result: Result) -> dict[str, bool]:
    """Whether each explanation gives the answer on redrawn operands, on which some of its statements may not show."""
    if result.record.verdict is Verdict.CONFORMS:
        return dict.fromkeys(map(str, asked), False)
    every = causes(result.record, lambda _: result.arrays["actual"])
    return {str(cause): cause in every or _holds_in_part(cause, every, result) for cause in asked}


def _holds_in_part(cause: Cause, every: Sequence[Cause], result: Result) -> bool:
    space = restricted(WHOLE, frozenset(cause.kind.misreadings))
    some = causes(result.record, lambda _: result.arrays["actual"], space=space)
    return any(part.misreadings and set(part.misreadings) <= set(cause.misreadings) for part in (*every, *some))
