"""The process that answers for a lane: asked, started again where it died, and read with distrust."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from conformance import adapters, layout
from conformance.adapters.base import Call, Lane, transposed
from conformance.problem import Problem
from conformance.processes import wire
from conformance.processes.attempt import Answered, Ended
from conformance.processes.isolation import STARTS, Death
from conformance.processes.wire import Started, ViolationError
from conformance.records.record import Verdict
from conformance.runner.outside.channel import START, Array, Channel, DiedError, opened


class Reply(NamedTuple):
    """What became of a job in a lane process; `trace` holds its last words where it died."""

    call: Call | None
    answer: Answered | Ended
    trace: tuple[str, ...] = ()


class Question(NamedTuple):
    """What a lane process is asked, and all that it is given: a problem, its operands, and which call of it to make.

    `call` is the name of one of `adapters.base.CALLS`.
    """

    problem: Problem
    arrays: tuple[Array, ...]
    call: str = transposed.__name__


class LaneProcess:
    """The process that answers for a lane, or the next one where it died; a job may take `seconds`."""

    def __init__(self, lane: Lane, seconds: float, start: Callable[[], Any] | None = None) -> None:
        """`start` gives another process than that of the lane's adapter or program: a Popen, or what is like one."""
        self._lane, self._seconds = lane, seconds
        self._open = start or partial(opened, lane)
        program = adapters.program(lane.framework)
        self._is_program = program is not None
        self._install = f"`{program.install}` brings what it needs" if program and program.install else ""
        self._channel: Channel | None = None
        self._started_as = Started({})
        self._failed, self._why = 0, ""
        self.environment: Mapping[str, str] = {}
        self.trusted = False
        """Whether it has answered on operands that it could not have seen before."""

    def answers(self, jobs: Sequence[Question]) -> list[Reply]:
        """The replies to jobs, which the adapter is given together; one by one where its process dies of them."""
        if not jobs:
            return []
        replies, ended = self._asked_again_if_foreign(jobs)
        if ended is None:
            return replies
        if not replies and len(jobs) > 1:
            return [reply for job in jobs for reply in self.answers([job])]
        return [*replies, ended, *self.answers(jobs[len(replies) + 1 :])]

    def start(self) -> None:
        """Start the process now; the first job tells where it does not come to it."""
        with suppress(DiedError):
            self._started()

    def stop(self) -> None:
        """End the process, if there is one; the next job gets a new one."""
        if self._channel is not None:
            self._channel.end()
            self._channel = None

    def _asked_again_if_foreign(self, jobs: Sequence[Question]) -> tuple[list[Reply], Reply | None]:
        """The replies that came, and how the process ended if it did; once more if by a signal that others send."""
        replies, ended = self._ask(jobs)
        if isinstance(ended, Death) and ended.foreign and not replies:
            replies, ended = self._ask(jobs)
        if isinstance(ended, Death):
            return replies, Reply(None, Ended(ended.verdict, ended.message), ended.trace)
        return replies, None if ended is None else Reply(None, ended)

    def _ask(self, jobs: Sequence[Question]) -> tuple[list[Reply], Death | Ended | None]:
        replies: list[Reply] = []
        try:
            channel = self._started()
            unsaid = [_unsaid(job, self._started_as) if self._is_program else "" for job in jobs]
            asked = {secrets.token_hex(8): job for job, why in zip(jobs, unsaid, strict=True) if not why}
            if asked:
                channel.ask(question(asked, self._started_as), self._seconds)
            names, default = iter(asked), self._started_as.data if self._is_program else None
            for job, why in zip(jobs, unsaid, strict=True):
                replies.append(
                    Reply(None, Ended(Verdict.UNSUPPORTED, why)) if why
                    else _reply(next(names), job, *channel.message(), default)
                )  # fmt: skip
            if asked:
                channel.require_ready()
        except ViolationError as violation:
            self.stop()
            return replies[: len(jobs) - 1], Ended(Verdict.ERRORED, f"its process gave {violation}")
        except DiedError as died:
            self.stop()
            return replies[: len(jobs) - 1], died.death
        return replies, None

    def _started(self) -> "Channel":
        """A process that is ready to be asked. Raises DiedError where so many in a row did not come to it."""
        while self._channel is None:
            if self._failed >= STARTS:
                fault = "does not start" if self._is_program else "is broken at import"
                cause = f"{self._failed} of {STARTS} starts used: {self._lane} {fault}"
                raise DiedError(Death(Verdict.CRASHED, ": ".join(filter(None, [cause, self._why, self._install]))))
            self._failed += 1
            try:
                self._start(Channel(self._open()))
            except (DiedError, ViolationError) as error:
                self._why = str(error)
        return self._channel

    def _start(self, channel: "Channel") -> None:
        start = wire.Start(self._lane.framework, self._lane.variant)
        try:
            channel.ask(wire.encode(start), START)
            said = wire.started(channel.message()[0])
            channel.require_ready()
        except BaseException:
            channel.end()
            raise
        own = adapters.harness() if self._is_program else {}
        if said.encoding == "base64":  # an array is in the line
            channel.longest += 2 * wire.LARGEST_ARRAY
        self._channel, self._started_as, self._failed = channel, said, 0
        self.environment = {**said.environment, **own}


def _unsaid(job: Question, started: Started) -> str:
    """Why a program is not asked for a job, if it is not."""
    if job.call != transposed.__name__:
        return "a program is asked for transposed convolutions alone"
    if job.problem.groups > 1 and "g" not in started.weight:
        return f"its layout of the weight, {started.weight!r}, has no groups"
    return ""


def question(asked: Mapping[str, Question], started: Started) -> bytes:
    """The jobs as a message, with their operands in the layouts and the encoding that a process asked for."""
    jobs: list[wire.Asked] = []
    contents: list[Array] = []
    for name, job in asked.items():
        arrays = _arranged(job, started)
        described = tuple(wire.describe(array, started.encoding) for array in arrays)
        descriptor, attributes = _in_words(job.problem)
        jobs.append(wire.Asked(name, descriptor, job.call, attributes, described))
        contents += arrays
    return wire.encode(wire.Run(tuple(jobs)), contents if started.encoding == "bytes" else [])


@lru_cache  # a problem is asked for in each dtype
def _in_words(problem: Problem) -> tuple[str, wire.Attributes]:
    return str(problem), wire.attributes(problem)


def _arranged(job: Question, started: Started) -> list[Array]:
    """The operands of a job in the layouts that a process asked for."""
    x, weight, *bias = job.arrays
    problem = job.problem
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    data = layout.arrange(x, layout.DATA, started.data)
    return [data, layout.arrange(grouped, layout.WEIGHT, started.weight), *bias]


def _reply(name: str, job: Question, message: Mapping[str, Any], arrays: Sequence[Array], default: str | None) -> Reply:
    if message.get("job") != name:
        raise ViolationError("an answer to another job")
    call, answer = wire.answered(message, arrays, job.problem.rank, default)
    if call is not None and call.bias is None and message.get("bias"):
        call = replace(call, bias=job.arrays[2] if job.problem.bias else None)
    return Reply(call, answer)
