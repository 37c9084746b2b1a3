"""The whole flow of one lane. Read this first.

    problem -> case -> data -> (adapter || oracle) -> compare -> record

A job is one case in one dtype. The adapter sees the problem and the operands, never the expected array; whatever it
or its framework does with them ends in exactly one record.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import program
from conformance.adapters import Lane
from conformance.adapters.base import Adapter, Call, Unsupported, finish
from conformance.answers import Answer
from conformance.cases import Case
from conformance.compare import Deviation, fingerprint, measure_deviation
from conformance.data import SIGNIFICAND, Arrays, Certificate, modified
from conformance.record import CLAIM, Record, Verdict
from conformance.rounding import explain, measure_rounding
from conformance.selection import FORWARD

Array = NDArray[Any]

LONGEST_MESSAGE = 300
_NODE = re.compile(r"^\{\{.*?\}\} ")  # TensorFlow's internal name of the operation


class Job(NamedTuple):
    """One case in one dtype, with its operands and expected array."""

    case: Case
    dtype: str
    answer: Answer


class Result(NamedTuple):
    """A record, and the arrays behind it by name where they diverge."""

    record: Record
    arrays: Mapping[str, Array] = {}


class ContractError(Exception):
    """An adapter that does not keep to its protocol; never a framework's refusal."""


class Ended(NamedTuple):
    """A job that got no array: the verdict that ends it, and why."""

    verdict: Verdict
    message: str
    seconds: float = 0.0


class Answered(NamedTuple):
    """The array that a native call gave, in NC* order, and how long the call took."""

    array: Array
    seconds: float


def evaluate(lane: Lane, adapter: Adapter, jobs: Sequence[Job]) -> list[Result]:
    """The results of jobs, in order. Calls are made together, which an adapter with BLOCK > 1 turns into speed."""
    operands = [job.answer.arrays.astype(job.dtype) for job in jobs]
    before = [given.contents() for given in operands]
    trials = [_translate(adapter, job, given) for job, given in zip(jobs, operands, strict=True)]
    calls = [(job.case.refused, trial) for job, trial in zip(jobs, trials, strict=True) if isinstance(trial, Call)]
    together = iter(make(adapter, [call for refused, call in calls if not refused]))
    answers = iter([make(adapter, [call])[0] if refused else next(together) for refused, call in calls])
    return [
        _judge(lane, job, trial, _unharmed(given, then, next(answers)))
        if isinstance(trial, Call)
        else _end(lane, job, trial)
        for job, given, then, trial in zip(jobs, operands, before, trials, strict=True)
    ]


def _translate(adapter: Adapter, job: Job, arrays: Arrays) -> Call | Ended:
    try:
        if job.case.point is not None:
            return program.translate(adapter, job.case.point, program.operands(job.case.point, *arrays))
        return adapter.translate(job.case.problem, *arrays)
    except Unsupported as reason:
        return Ended(Verdict.UNSUPPORTED, str(reason))
    except Exception as error:
        return Ended(Verdict.ERRORED, f"translating: {first_line(error)}")


def make(adapter: Adapter, calls: Sequence[Call]) -> list[Answered | Ended]:
    """Make the calls together; where that fails, one by one, so that a failure ends only its own job."""
    started = time.perf_counter()
    try:
        arrays = adapter.run(calls) if calls else []
        _require_arrays(arrays, len(calls))
    except Exception as error:
        if len(calls) > 1:
            return [answer for call in calls for answer in make(adapter, [call])]
        verdict = Verdict.REJECTS if isinstance(error, adapter.REFUSALS) else Verdict.ERRORED
        return [Ended(verdict, first_line(error), time.perf_counter() - started)]
    seconds = (time.perf_counter() - started) / max(len(calls), 1)
    return [Answered(array, seconds) for array in arrays]


def _unharmed(given: Arrays, before: Sequence[bytes], answer: Answered | Ended) -> Answered | Ended:
    """The answer, unless the call wrote to an operand, which is its caller's."""
    if isinstance(answer, Answered) and (name := modified(given, before)):
        return Ended(Verdict.ERRORED, f"the call modified its operand {name}", answer.seconds)
    return answer


def _require_arrays(arrays: Any, count: int) -> None:
    """Raises ContractError unless an adapter gave one array for each call."""
    if not isinstance(arrays, Sequence) or len(arrays) != count:
        raise ContractError(
            f"the adapter gave {type(arrays).__name__} for {count} calls: give a list of as many arrays"
        )
    for array in arrays:
        if not isinstance(array, np.ndarray):
            raise ContractError(f"the adapter gave a {type(array).__name__} as an answer: give a NumPy array")


def _judge(lane: Lane, job: Job, call: Call, answer: Answered | Ended) -> Result:
    if isinstance(answer, Ended):
        return _end(lane, job, answer, call)
    if job.case.refused:
        facts = f"answered {answer.array.shape}, claimed to be refused: {job.case.refused}"
        return _end(lane, job, Ended(Verdict.ACCEPTS_INVALID, facts, answer.seconds), call)
    certificate = Certificate(job.answer.largest, SIGNIFICAND[job.dtype], job.answer.terms)
    if not certificate.holds and not job.case.rounds:
        return _end(lane, job, Ended(Verdict.INCONCLUSIVE, f"data is not exact in {job.dtype}: {certificate}"), call)
    try:
        actual = finish(call, answer.array)
    except Exception as error:
        return _end(lane, job, Ended(Verdict.ERRORED, f"finishing: {first_line(error)}", answer.seconds), call)
    expected = job.answer.expected.astype(job.dtype)
    deviation = measure_deviation(actual, expected)
    digest = fingerprint(actual)
    evidence: dict[str, Any] = {"actual": digest, "expected": digest}
    if job.case.rounds:
        deviation, evidence["rounding"] = _beyond_rounding(job, actual, deviation)
        evidence["expected"] = fingerprint(expected)
    record = record_of(
        lane, job.case, job.dtype, Verdict.CONFORMS,
        composed=call.composed, certificate=certificate.evidence(), seconds=round(answer.seconds, 6), **evidence,
    )  # fmt: skip
    if deviation is None:
        return Result(record)
    return Result(
        replace(
            record, verdict=Verdict.DIVERGES, kind=deviation.kind, message=deviation.message,
            call=record.call or str(call), deviation=deviation.evidence(), expected=fingerprint(expected),
        ),
        {"actual": actual, "expected": expected},
    )  # fmt: skip


def _beyond_rounding(
    job: Job, actual: Array, deviation: Deviation | None
) -> tuple[Deviation | None, Mapping[str, float]]:
    """What is left of a deviation that rounding may have made, and how far the answer was rounded."""
    if deviation is not None and deviation.kind != "value":
        return deviation, {}
    problem, arrays = job.case.problem, job.answer.arrays
    found = measure_rounding(problem, arrays, job.answer.expected, actual)
    if not found.count:
        return None, found.evidence()
    cause = explain(problem, arrays, actual)
    worst = f"by {found.share:.3g} times as much" if isfinite(found.share) else "where nothing is to round"
    message = (
        f"{found.count} of {found.size} values err by more than any order of summation can, worst at {found.index} "
        f"{worst}{', ' if cause else ''}{cause}"
    )
    return Deviation("value", message, found.count, found.size, found.index, found.largest, cause), found.evidence()


def _end(lane: Lane, job: Job, ended: Ended, call: Call | None = None) -> Result:
    said = {} if call is None else {"call": str(call), "composed": call.composed}
    seconds = round(ended.seconds, 6)
    return Result(record_of(lane, job.case, job.dtype, ended.verdict, message=ended.message, seconds=seconds, **said))


def record_of(lane: Lane, case: Case, dtype: str, verdict: Verdict, **evidence: Any) -> Record:
    """The record of a case in a dtype, with what is known of it before it runs."""
    if case.hostile is not None:
        evidence["fault"] = case.hostile.fault
    if case.point is not None:
        evidence |= {"idiom": case.point.name, "claimed": case.claimed, "call": str(case.point)}
    if case.claim:
        evidence |= {"idiom": CLAIM}
    if case.rounds:
        evidence["rounding"] = {"terms": case.problem.terms} | evidence.get("rounding", {})
    return Record(lane.framework, lane.variant, case.id, dtype, FORWARD, case.descriptor, verdict, **evidence)


def first_line(error: Exception) -> str:
    """The exception's class and its message's first line; the last one of a framework's own traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    name = f"{type(error).__name__}: "
    return name + _NODE.sub("", line).removeprefix(name).removesuffix(" name:")[:LONGEST_MESSAGE]
