"""A case of any kind in a process of its own, and cases tried once more in that way.

A case is tried again, when everything else has been run, if its worker passed a limit of time, which a busy machine may
have caused and no expectation says, or died of a signal that others send.
"""

from collections.abc import Callable
from dataclasses import replace

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.calls.suites import case_of
from conformance.idioms.base import ClaimedCall, Shapes
from conformance.problem import FORWARD
from conformance.processes.isolation import Death, Isolation, Limits
from conformance.records.record import Record
from conformance.run import Result, record_of
from conformance.runner import negative, outside
from conformance.runner.kinds import kind_of
from conformance.runner.selection import MADE, Selection
from conformance.suites.case import Asked, Case
from conformance.suites.cases import find
from conformance.suites.departure import Departure
from conformance.suites.references import compute


def isolated(isolation: Isolation, lane: Lane, case: Case, dtype: str, direction: str = FORWARD) -> Result:
    """The result of any case in a process of its own; of a death, a record of how the process died."""
    seconds, asked = case.seconds, Asked(case, dtype, direction)
    if adapters.is_outside(lane.framework):
        return outside.evaluate_alone(lane, asked, seconds or isolation.limits.seconds)
    if not isinstance(case.subject, ClaimedCall):
        result = isolation.call(judge, lane, asked, seconds=seconds)
    elif isolation.suite:  # a call has functions, so that no other process can be given it
        result = isolation.call(judge_named, lane, isolation.suite, case.id, dtype)
    else:
        call = case.subject
        result = isolation.call(judge_text, lane, call.text, dict(call.shapes), case.id, dtype)
    if isinstance(result, Death):
        return Result(ended(lane, asked, result))
    assert isinstance(result, Result)
    return result


def ended(lane: Lane, asked: Asked, death: Death) -> Record:
    """The record of a case whose process died."""
    call = {"call": negative.last_call(lane, asked.case)} if isinstance(asked.case.subject, Departure) else {}
    return record_of(lane, asked, death.verdict, message=death.message, trace=death.trace, **call)


def judge_named(lane: Lane, suite: str, case: str, dtype: str) -> Result:
    """The result of a case of a suite that is made for a lane, in this process."""
    made = MADE[suite](lane.framework, lane.variant)
    return judge(lane, Asked(find(made, [case]).cases[0], dtype))


def judge_text(lane: Lane, text: str, shapes: Shapes, case: str, dtype: str) -> Result:
    """The result of a call that is in no suite, on the data of a case's id, in this process."""
    call = idioms.read(lane.framework, text, shapes, lane.variant, dtype=dtype)
    return judge(lane, Asked(replace(case_of(call, lane.framework), id=case), dtype))


def judge(lane: Lane, asked: Asked) -> Result:
    """The result of a case, in this process."""
    (result,) = kind_of(asked.case).evaluate(lane, adapters.load(lane), [asked], compute)
    return result


def trial(selection: Selection, seconds: float) -> Callable[[Asked], Result]:
    """What tries a case of a selection."""
    isolation = Isolation(selection.lane, Limits(seconds=seconds), selection.suite.name)
    return lambda asked: isolated(isolation, selection.lane, *asked)


def noted(result: Result, why: str) -> Result:
    """A result with the reason for which it was tried again, if there is one to tell."""
    if not why:
        return result
    words = "; ".join(filter(None, [result.record.message, f"tried again alone: {why} before"]))
    return result._replace(record=replace(result.record, message=words))
