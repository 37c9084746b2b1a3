"""Implementations from outside: they answer in a process of their own, and are judged here.

Whatever an adapter or a program of a folder in $CONFORMANCE_ADAPTERS does to its process, the expected arrays and the
comparison are not in it. A death, a silence or a message that is not of the protocol (`wire`) is the record of the job
that it came in; the jobs behind it get a new process.

Operands of a case are known to whoever has read the case's files, and so are its answers. So the first right answer of
a process is asked for again on operands that were never seen before, and one in `SPARSE` of all others.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from conformance.adapters.base import Lane
from conformance.numerics.operands import DataError
from conformance.problem import FORWARD
from conformance.processes.attempt import Ended
from conformance.records.record import Verdict
from conformance.run import Job, Result, judge, record_of
from conformance.runner.kinds import kind_of
from conformance.runner.outside.channel import START, Channel, DiedError, opened
from conformance.runner.outside.process import LaneProcess, Question, Reply, question
from conformance.suites.case import Asked, Exact
from conformance.suites.references import compute

__all__ = ["SPARSE", "START", "Channel", "DiedError", "LaneProcess", "Question", "Reply", "evaluate",
           "evaluate_alone", "evaluated", "opened", "question", "unsaid"]  # fmt: skip

SPARSE = 32
"""One right answer in so many is asked for again on fresh operands."""

STEADY = 8
"""How often an answer must be right again before its operands are said to be known."""


def evaluate(process: "LaneProcess", lane: Lane, jobs: Sequence[Job]) -> list[Result]:
    """The results of jobs, in order; the counterpart of `run.evaluate`."""
    replies = process.answers([_asked_of_process(job) for job in jobs])
    results = [_result(lane, job, reply) for job, reply in zip(jobs, replies, strict=True)]
    return [
        _asked_anew(process, lane, job, result) if _is_doubted(process, job, result) else result
        for job, result in zip(jobs, results, strict=True)
    ]


def _is_doubted(process: LaneProcess, job: Job, result: Result) -> bool:
    """Whether a right answer is asked for again: the first of its lane here, and now and then another."""
    if result.record.verdict is not Verdict.CONFORMS or not isinstance(job.case.subject, Exact):
        return False
    first, process.trusted = not process.trusted, True
    return first or not secrets.randbelow(SPARSE)


def _asked_anew(process: LaneProcess, lane: Lane, job: Job, result: Result) -> Result:
    """A result, unless the same problem on operands that nobody has seen before is answered otherwise.

    Where the case's own operands are not always answered alike, the first wrong answer to them is the result.
    """
    fresh = replace(job.case, id=secrets.token_hex(16))
    try:
        anew = Job(fresh, job.dtype, compute(fresh))
    except DataError:  # of a problem for which few operands are exact
        return result
    (reply,) = process.answers([_asked_of_process(anew)])
    again = _result(lane, anew, reply).record
    if again.verdict is Verdict.CONFORMS:
        return result
    process.trusted = False
    for reply in process.answers([_asked_of_process(job)] * STEADY):  # it may be right now and then, which is no deceit
        other = _result(lane, job, reply)
        if other.record.verdict is not Verdict.CONFORMS:
            return other
    how = f"{again.verdict} in {again.kind}" if again.kind else str(again.verdict)
    message = f"right on the operands of the case, and {how} on others of the same shapes"
    asked = Asked(job.case, job.dtype)
    return Result(record_of(lane, asked, Verdict.ERRORED, message=message, call=result.record.call))


def evaluate_alone(lane: Lane, asked: Asked, seconds: float) -> Result:
    """The result of a case in a process of its own, which may take so long; counterpart of `isolated.isolated`."""
    process = LaneProcess(lane, seconds)
    try:
        return evaluated(process, lane, asked)
    finally:
        process.stop()


def evaluated(process: LaneProcess, lane: Lane, asked: Asked) -> Result:
    """The result of one case in a process, which is not started where the lane cannot be asked for it."""
    return unsaid(lane, asked) or evaluate(process, lane, [Job(asked.case, asked.dtype, compute(asked.case))])[0]


def _asked_of_process(job: Job) -> Question:
    arrays = job.reference.arrays.astype(job.dtype)
    return Question(job.case.problem, tuple(array for array in arrays if array is not None))


def unsaid(lane: Lane, asked: Asked) -> Result | None:
    """The result of a gradient, and of a case whose call is written for certain frameworks; None for any other."""
    if asked.direction != FORWARD:
        why = f"{lane.framework} comes from outside, and the protocol has no gradients"
    elif not kind_of(asked.case).outside:
        why = f"{lane.framework} comes from outside, and has no words for a call that is written out"
    else:
        return None
    return Result(record_of(lane, asked, Verdict.UNSUPPORTED, message=why))


def _result(lane: Lane, job: Job, reply: Reply) -> Result:
    if isinstance(reply.answer, Ended) and reply.answer.verdict in (Verdict.CRASHED, Verdict.TIMED_OUT):
        ended = reply.answer
        asked = Asked(job.case, job.dtype)
        return Result(record_of(lane, asked, ended.verdict, message=ended.message, trace=reply.trace))
    result = judge(lane, job, reply.call, reply.answer)
    return result._replace(record=replace(result.record, trace=reply.trace)) if reply.trace else result
