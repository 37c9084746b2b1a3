"""The whole flow of one lane. Read this first.

    problem -> case -> data -> (adapter || oracle) -> compare -> record

A job is one case in one dtype. The adapter sees the problem and the operands, never the expected array; whatever it
or its framework does with them ends in exactly one record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, NamedTuple, cast

from numpy.typing import NDArray

from conformance.adapters.base import (
    Adapter,
    Call,
    Casting,
    Lane,
    accumulation,
    differentiated,
    finish,
    require_dtype,
)
from conformance.calls import native
from conformance.idioms.base import ClaimedCall
from conformance.numerics.accumulation import CLASSES, judges, sums_of
from conformance.numerics.deviation import Deviation, digest, fingerprint, measure_deviation
from conformance.numerics.operands import HALVES, SIGNIFICAND, Arrays, Certificate, held_in, modified
from conformance.numerics.rounding import class_of, explain, measured
from conformance.problem import FORWARD
from conformance.processes.attempt import Answered, Ended, begin, failed, make, plain
from conformance.records.record import Record, Verdict
from conformance.suites.case import Asked, Case, Rounded
from conformance.suites.references import Reference

Array = NDArray[Any]


class Job(NamedTuple):
    """One case in one dtype and pass, with its operands and expected array."""

    case: Case
    dtype: str
    reference: Reference
    direction: str = FORWARD


class Result(NamedTuple):
    """A record, and the arrays behind it by name where they diverge."""

    record: Record
    arrays: Mapping[str, Array] = {}


class _Exposed(NamedTuple):
    """What a call in this process could write to: operands, and their bytes and the expected array's before it.

    `upstream` is the gradient that a gradient's call is given from above.
    """

    operands: Arrays
    before: Sequence[bytes]
    expected: bytes
    upstream: Array | None
    upstream_before: bytes


@dataclass(slots=True)
class _Trial:
    """A job on its way; nothing is `exposed` to a call that was made in another process.

    `accumulation` is the class that the adapter declares for the dtype.
    """

    job: Job
    call: Call | None
    answer: Answered | Ended
    exposed: _Exposed | None = None
    accumulation: str = "A"


_UNCALLED = Ended(Verdict.ERRORED, "was not called")


def evaluate(lane: Lane, adapter: Adapter, jobs: Sequence[Job], at_once: int | None = None) -> list[Result]:
    """The results of jobs, in order. Calls are made together, which an adapter with BLOCK > 1 turns into speed.

    Calls that are claimed to be refused are made alone, since a refusal ends its block. `at_once` is how many of the
    others are made together, if not all.
    """
    trials = [_begin(adapter, job) for job in jobs]
    called = [trial for trial in trials if trial.call is not None]
    others = [trial for trial in called if not trial.job.case.refused]
    size = at_once or max(1, len(others))
    blocks = [others[start : start + size] for start in range(0, len(others), size)]
    blocks += [[trial] for trial in called if trial.job.case.refused]
    for block in blocks:
        answers = make(adapter, [trial.call for trial in block if trial.call is not None])
        for trial, answer in zip(block, answers, strict=True):
            trial.answer = answer
    return [_end(lane, trial) if isinstance(trial.answer, Ended) else _judge(lane, trial) for trial in trials]


def judge(lane: Lane, job: Job, call: Call | None, answer: Answered | Ended) -> Result:
    """The result of a job whose call was made in another process, on copies of its operands."""
    trial = _Trial(job, call, answer)
    return _end(lane, trial) if isinstance(answer, Ended) else _judge(lane, trial)


def _begin(adapter: Adapter, job: Job) -> _Trial:
    operands = job.reference.arrays.astype(job.dtype)
    given = job.reference.upstream
    upstream = None if given is None else given.astype(held_in(job.dtype))
    seen = b"" if upstream is None else upstream.tobytes()
    exposed = _Exposed(operands, operands.contents(), job.reference.expected.tobytes(), upstream, seen)
    call = begin(lambda: _translate(adapter, job, operands, upstream))
    ended = call if isinstance(call, Ended) else _UNCALLED
    made = call if isinstance(call, Call) else None
    return _Trial(job, made, ended, exposed, accumulation(adapter, job.dtype))


def _translate(adapter: Adapter, job: Job, arrays: Arrays, upstream: Array | None) -> Call:
    require_dtype(adapter, job.dtype)
    if isinstance(claimed := job.case.subject, ClaimedCall):
        call = native.translate(adapter, claimed, native.operands(claimed, *arrays))
    else:
        call = adapter.translate(job.case.problem, *arrays)
    if upstream is not None:
        call = differentiated(adapter, job.case.problem, call, job.direction, upstream)
    return call if held_in(job.dtype) == job.dtype else cast(Casting, adapter).cast(call, job.dtype)


def _judge(lane: Lane, trial: _Trial) -> Result:
    """The result of a job that was answered; a failure to judge it is its own verdict."""
    answer = trial.answer
    assert isinstance(answer, Answered)
    try:
        trial.answer = _objection(trial, answer) or answer
        return _end(lane, trial) if isinstance(trial.answer, Ended) else _compare(lane, trial, trial.answer)
    except Exception as error:
        trial.answer = failed("judging", error, answer.seconds)
        return _end(lane, trial)


def _objection(trial: _Trial, answer: Answered) -> Ended | None:
    """Why an array is not even compared, if it is not."""
    job, seconds = trial.job, answer.seconds
    if trial.exposed is not None and (what := _written_to(trial.exposed, job)):
        return Ended(Verdict.ERRORED, f"the call modified {what}", seconds)
    if job.case.refused:
        facts = f"answered {answer.array.shape}, claimed to be refused: {job.case.refused}"
        return Ended(Verdict.ACCEPTS_INVALID, facts, seconds)
    certificate = _certificate(job)
    if isinstance(job.case.subject, Rounded):
        name, terms = trial.accumulation, job.reference.terms
        if not judges(name, job.dtype, terms):
            facts = f"class {name} has no bound for a sum of {terms} products in {job.dtype}: zeros would be within it"
            return Ended(Verdict.INCONCLUSIVE, facts)
    elif not certificate.holds:
        return Ended(Verdict.INCONCLUSIVE, f"data is not exact in {job.dtype}: {certificate}")
    return None


def _written_to(exposed: _Exposed, job: Job) -> str:
    """What a call wrote to that is its caller's, in words; empty where it wrote to nothing."""
    if name := modified(exposed.operands, exposed.before):
        return f"its operand {name}"
    if exposed.upstream is not None and exposed.upstream.tobytes() != exposed.upstream_before:
        return "the upstream gradient"
    return "" if job.reference.expected.tobytes() == exposed.expected else "the expected array"


def _certificate(job: Job) -> Certificate:
    return Certificate(job.reference.largest, job.dtype, job.reference.terms)


def _compare(lane: Lane, trial: _Trial, answer: Answered) -> Result:
    job, call = trial.job, trial.call
    assert call is not None
    try:
        actual = finish(call, answer.array)
    except Exception as error:
        trial.answer = failed("finishing", error, answer.seconds)
        return _end(lane, trial)
    expected = job.reference.expected.astype(held_in(job.dtype))
    deviation = measure_deviation(actual, expected)
    if answer.widened != (job.dtype if held_in(job.dtype) != job.dtype else ""):
        deviation = Deviation("dtype", f"dtype is {answer.widened or actual.dtype}, expected {job.dtype}")
    sign = digest(expected)
    evidence: dict[str, Any] = {"actual": sign if deviation is None else fingerprint(actual), "expected": sign}
    if isinstance(job.case.subject, Rounded):
        deviation, more = _beyond_rounding(trial, actual, deviation)
        evidence |= {**more, "rounding": {**job.case.evidence["rounding"], **more.get("rounding", {})}}
    record = record_of(
        lane, _asked(job), Verdict.CONFORMS, composed=call.composed + answer.assisted(job.dtype),
        certificate=_certificate(job).evidence(), seconds=round(answer.seconds, 6), **evidence,
    )  # fmt: skip
    if deviation is None:
        return Result(record)
    return Result(
        replace(
            record, verdict=Verdict.DIVERGES, kind=deviation.kind, message=deviation.message,
            call=_call_text(job.case, call), deviation=deviation.evidence(),
        ),
        {"actual": actual, "expected": expected},
    )  # fmt: skip


def _beyond_rounding(
    trial: _Trial, actual: Array, deviation: Deviation | None
) -> tuple[Deviation | None, Mapping[str, Any]]:
    """What is left of a deviation that rounding may have made, and what a record keeps of how it was rounded."""
    if deviation is not None and deviation.kind != "value":
        return deviation, {}
    job, call = trial.job, trial.call
    assert call is not None
    problem, arrays, exact = job.case.problem, job.reference.arrays, job.reference.expected
    name, dtype = trial.accumulation, job.dtype
    late = SIGNIFICAND[actual.dtype.name] * (call.bias is not None)
    sums = sums_of(problem, arrays, exact, late)
    rounding = measured(dtype, name, sums, actual, exact)
    found, cause = class_of(dtype, sums, actual, exact), ""
    if rounding.count:
        cause = "" if found else explain(problem, arrays, actual, dtype, name)
        found = found or ("C" if cause else "")
    kept = {
        "rounding": rounding.evidence(),
        "accumulation": {"declared": name, **({"measured": found} if found else {})},
    }
    if not rounding.count:
        return None, kept
    what = f"class {name} ({CLASSES[name]}) allows" if dtype in HALVES else "any order of summation can"
    worst = f"by {rounding.share:.3g} times as much" if isfinite(rounding.share) else "where nothing is to round"
    cause = cause or (f"within class {found} ({CLASSES[found]})" if found else "")
    message = (
        f"{rounding.count} of {rounding.size} values err by more than {what}, "
        f"worst at {rounding.index} {worst}{', ' if cause else ''}{cause}"
    )
    kind = "precision" if found else "value"
    return Deviation(kind, message, rounding.count, rounding.size, rounding.index, rounding.largest, cause), kept


def _end(lane: Lane, trial: _Trial) -> Result:
    """The result of a job that ended without an array to compare."""
    ended, job, call = trial.answer, trial.job, trial.call
    assert isinstance(ended, Ended)
    made: dict[str, Any] = {} if call is None else {"call": _call_text(job.case, call), "composed": call.composed}
    if ended.verdict is Verdict.INCONCLUSIVE and not (certificate := _certificate(job)).holds:
        made["certificate"] = certificate.evidence()
    seconds = round(ended.seconds, 6)
    return Result(record_of(lane, _asked(job), ended.verdict, message=ended.message, seconds=seconds, **made))


def _asked(job: Job) -> Asked:
    return Asked(job.case, job.dtype, job.direction)


def _call_text(case: Case, call: Call) -> str:
    """A call as a line: as it is written in its case, or as it was made; also where an option of it has no text."""
    if isinstance(case.subject, ClaimedCall):
        return str(case.subject)
    try:
        return plain(str(call))
    except Exception as error:
        return failed("a call without a text", error).message


def record_of(lane: Lane, asked: Asked, verdict: Verdict, **evidence: Any) -> Record:
    """The record of what was asked, with what is known of it before it runs."""
    known = {**asked.case.evidence, **evidence}
    return Record(lane.framework, lane.variant, *asked.key, asked.case.descriptor, verdict, **known)
