"""Implementations from outside: they answer in a process of their own, and are judged here.

Whatever an adapter or a program of a folder in $CONFORMANCE_ADAPTERS does to its process, the expected arrays and the
comparison are not in it. A death, a silence or a message that is not of the protocol (`wire`) is the record of the job
that it came in; the jobs behind it get a new process.
"""

import os
import secrets
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, layout
from conformance.adapters.base import Call, Lane, transposed
from conformance.problem import Problem
from conformance.processes import wire
from conformance.processes.attempt import Answered, Ended
from conformance.processes.isolation import STARTS, Death, death_of
from conformance.processes.tree import POLL, Watch, die_with, end_strays, end_tree, end_watched
from conformance.processes.wire import Started, ViolationError
from conformance.records.record import Verdict
from conformance.run import Job, Result, judge, record_of
from conformance.runner.kinds import kind_of
from conformance.suites.case import Case
from conformance.suites.references import compute

Array = NDArray[Any]

START = 120.0
"""Seconds that a lane process may take to import what it answers with."""
LONGEST_WORDS = 1 << 16
"""Bytes that are kept of what a process prints, the last ones."""
CHUNK = 1 << 16
HIDDEN = "CONFORMANCE_"
"""The environment variables that a lane process does not get, but for its adapters: where cases and answers lie."""


class Reply(NamedTuple):
    """What became of a job in a lane process; `trace` holds its last words where it died."""

    call: Call | None
    answer: Answered | Ended
    trace: tuple[str, ...] = ()


class Asked(NamedTuple):
    """What a lane process is asked, and all that it is given: a problem, its operands, and which call of it to make.

    `call` is the name of one of `adapters.base.CALLS`.
    """

    problem: Problem
    arrays: tuple[Array, ...]
    call: str = transposed.__name__


def evaluate(process: "LaneProcess", lane: Lane, jobs: Sequence[Job]) -> list[Result]:
    """The results of jobs, in order; the counterpart of `run.evaluate`."""
    replies = process.answers([_asked_of_process(job) for job in jobs])
    return [_result(lane, job, reply) for job, reply in zip(jobs, replies, strict=True)]


def evaluate_alone(lane: Lane, case: Case, dtype: str, seconds: float) -> Result:
    """The result of a case in a process of its own, which may take so long; counterpart of `isolated.isolated`."""
    if result := unsaid(lane, case, dtype):
        return result
    process = LaneProcess(lane, seconds)
    try:
        return evaluate(process, lane, [Job(case, dtype, compute(case))])[0]
    finally:
        process.stop()


def _asked_of_process(job: Job) -> Asked:
    arrays = job.reference.arrays.astype(job.dtype)
    return Asked(job.case.problem, tuple(array for array in arrays if array is not None))


def unsaid(lane: Lane, case: Case, dtype: str) -> Result | None:
    """The result of a case whose call is written for certain frameworks; None for any other."""
    if kind_of(case).outside:
        return None
    why = f"{lane.framework} comes from outside, and has no words for a call that is written out"
    return Result(record_of(lane, case, dtype, Verdict.UNSUPPORTED, message=why))


def _result(lane: Lane, job: Job, reply: Reply) -> Result:
    if isinstance(reply.answer, Ended) and reply.answer.verdict in (Verdict.CRASHED, Verdict.TIMED_OUT):
        ended = reply.answer
        return Result(record_of(lane, job.case, job.dtype, ended.verdict, message=ended.message, trace=reply.trace))
    result = judge(lane, job, reply.call, reply.answer)
    return result._replace(record=replace(result.record, trace=reply.trace)) if reply.trace else result


class LaneProcess:
    """The process that answers for a lane, or the next one where it died; a job may take `seconds`."""

    def __init__(self, lane: Lane, seconds: float) -> None:
        self._lane, self._seconds = lane, seconds
        self._is_program = adapters.program(lane.framework) is not None
        self._channel: Channel | None = None
        self._started_as = Started({})
        self._failed, self._why = 0, ""
        self.environment: Mapping[str, str] = {}

    def answers(self, jobs: Sequence[Asked]) -> list[Reply]:
        """The replies to jobs, which the adapter is given together; one by one where its process dies of them."""
        if not jobs:
            return []
        replies, ended = self._asked_again_if_foreign(jobs)
        if ended is None:
            return replies
        if not replies and len(jobs) > 1:
            return [reply for job in jobs for reply in self.answers([job])]
        return [*replies, ended, *self.answers(jobs[len(replies) + 1 :])]

    def stop(self) -> None:
        """End the process, if there is one; the next job gets a new one."""
        if self._channel is not None:
            self._channel.end()
            self._channel = None

    def _asked_again_if_foreign(self, jobs: Sequence[Asked]) -> tuple[list[Reply], Reply | None]:
        """The replies that came, and how the process ended if it did; once more if by a signal that others send."""
        replies, ended = self._ask(jobs)
        if isinstance(ended, Death) and ended.foreign and not replies:
            replies, ended = self._ask(jobs)
        if isinstance(ended, Death):
            return replies, Reply(None, Ended(ended.verdict, ended.message), ended.trace)
        return replies, None if ended is None else Reply(None, ended)

    def _ask(self, jobs: Sequence[Asked]) -> tuple[list[Reply], Death | Ended | None]:
        replies: list[Reply] = []
        try:
            channel = self._started()
            unsaid = [_unsaid(job, self._started_as) if self._is_program else "" for job in jobs]
            asked = {secrets.token_hex(8): job for job, why in zip(jobs, unsaid, strict=True) if not why}
            if asked:
                channel.ask(question(asked, self._started_as), Watch(channel.pid, self._seconds))
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
                raise DiedError(Death(Verdict.CRASHED, ": ".join(filter(None, [cause, self._why]))))
            self._failed += 1
            try:
                self._start(Channel(self._lane))
            except (DiedError, ViolationError) as error:
                self._why = str(error)
        return self._channel

    def _start(self, channel: "Channel") -> None:
        start = wire.Start(self._lane.framework, self._lane.variant)
        try:
            channel.ask(wire.encode(start), Watch(channel.pid, START))
            said = wire.started(channel.message()[0])
            channel.require_ready()
        except BaseException:
            channel.end()
            raise
        own = adapters.harness() if self._is_program else {}
        channel.longest = wire.longest_line(said.encoding)
        self._channel, self._started_as, self._failed = channel, said, 0
        self.environment = {**said.environment, **own}


def _unsaid(job: Asked, started: Started) -> str:
    """Why a program is not asked for a job, if it is not."""
    if job.call != transposed.__name__:
        return "a program is asked for transposed convolutions alone"
    if job.problem.groups > 1 and "g" not in started.weight:
        return f"its layout of the weight, {started.weight!r}, has no groups"
    return ""


def question(asked: Mapping[str, Asked], started: Started) -> bytes:
    """The jobs as a message, with their operands in the layouts and the encoding that a process asked for."""
    jobs, contents = [], []
    for name, job in asked.items():
        arrays = _arranged(job, started)
        described = tuple(wire.describe(array, started.encoding) for array in arrays)
        jobs.append(wire.Asked(name, str(job.problem), job.call, wire.attributes(job.problem), described))
        contents += [array.tobytes() for array in arrays]
    return wire.encode(wire.Run(tuple(jobs))) + b"".join(contents if started.encoding == "bytes" else [])


def _arranged(job: Asked, started: Started) -> list[Array]:
    """The operands of a job in the layouts that a process asked for."""
    x, weight, *bias = job.arrays
    problem = job.problem
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    data = layout.arrange(x, layout.DATA, started.data)
    return [data, layout.arrange(grouped, layout.WEIGHT, started.weight), *bias]


def _reply(name: str, job: Asked, message: Mapping[str, Any], arrays: Sequence[Array], default: str | None) -> Reply:
    if message.get("job") != name:
        raise ViolationError("an answer to another job")
    call, answer = wire.answered(message, arrays, job.problem.rank, default)
    if call is not None and call.bias is None and message.get("bias"):
        call = replace(call, bias=job.arrays[2] if job.problem.bias else None)
    return Reply(call, answer)


class DiedError(Exception):
    """The process does not answer any more."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.message)
        self.death = death


class Channel:
    """A lane process and its three streams, none of which is waited for without a limit."""

    def __init__(self, lane: Lane) -> None:
        pipe = subprocess.PIPE
        shown = {name: value for name, value in os.environ.items()
                 if not name.startswith(HIDDEN) or name == "CONFORMANCE_ADAPTERS"}  # fmt: skip
        program = adapters.program(lane.framework)
        if program is None:
            command = [sys.executable, "-m", "conformance.processes.lane_process", str(os.getpid())]
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=shown, bufsize=0)
        else:
            self._process = subprocess.Popen(
                program.command, cwd=program.folder, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0,
                env=shown | adapters.settings(lane), start_new_session=True, preexec_fn=partial(die_with, os.getpid()),
            )  # fmt: skip
        self.pid = self._process.pid
        self._given, self._words, self._unsent = bytearray(), bytearray(), memoryview(b"")
        self.longest = wire.LONGEST_LINE
        self._watch = Watch(self.pid, START)
        self._selector = selectors.DefaultSelector()
        for stream, events in (
            (self._process.stdout, selectors.EVENT_READ),
            (self._process.stderr, selectors.EVENT_READ),
        ):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, events)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    def ask(self, question: bytes, watch: Watch) -> None:
        """Send a question. Raises ViolationError where the process said something before it was asked."""
        self._watch = watch
        self._pump(0.0)
        if self._given:
            raise ViolationError(f"{len(self._given)} bytes before it was asked")
        self._unsent = memoryview(question)
        self._selector.register(self._process.stdin, selectors.EVENT_WRITE)  # type: ignore[arg-type]  # it is a pipe

    def message(self) -> tuple[Mapping[str, Any], list[Array]]:
        """The next message and its arrays. Raises ViolationError, or DiedError."""
        while (end := self._given.find(b"\n")) < 0:
            if len(self._given) > self.longest:
                raise ViolationError(f"a line of more than {self.longest} bytes")
            self._pump(POLL)
        message = wire.decode(self._take(end + 1))
        arrays = []
        for (dtype, shape, size), content in zip(wire.sizes(message), wire.inline(message), strict=True):
            while content is None and len(self._given) < size:
                self._pump(POLL)
            arrays.append(np.frombuffer(self._take(size) if content is None else content, dtype).reshape(shape))
        return message, arrays

    def require_ready(self) -> None:
        """Raises ViolationError where the process says anything else than that it is ready to be asked."""
        message, arrays = self.message()
        if message != {"ready": True} or arrays:
            raise ViolationError("more than was asked for")

    def stop(self, lane: Lane) -> None:
        """Start a process and tell it to stop. Raises ViolationError where it does not say so, or DiedError."""
        self.ask(wire.encode(wire.Start(lane.framework, lane.variant)), Watch(self.pid, START))
        wire.started(self.message()[0])
        self.require_ready()
        self.ask(wire.encode(wire.Stop()), Watch(self.pid, START))
        if self.message() != ({"bye": True}, []):
            raise ViolationError('something else than {"bye": true}')

    def end(self) -> None:
        """End the process with all that came of it."""
        end_tree(self.pid)
        self._process.wait()
        end_strays()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):
                stream.close()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._given[:size])
        del self._given[:size]
        return taken

    def _pump(self, seconds: float) -> None:
        """Let bytes pass, without waiting for any stream longer than that. Raises DiedError at the end or a limit."""
        died = self._process.poll() is not None  # asked before its last bytes are read
        streams = self._selector.select(seconds)
        if died and self._process.stdout not in [key.fileobj for key, _ in streams]:
            raise DiedError(self._death(""))  # and what it left behind holds its output open
        for key, _ in streams:
            if key.fileobj is self._process.stdin:
                self._send()
            elif key.fileobj is self._process.stderr:
                self._listen()
            elif content := os.read(key.fd, CHUNK):
                self._given += content
            else:
                raise DiedError(self._death(""))
        if passed := self._watch.exceeded:
            raise DiedError(self._death(passed))

    def _send(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            self._unsent = self._unsent[os.write(stream.fileno(), self._unsent[:CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # its death is seen where it is read from
            self._unsent = memoryview(b"")
        if not self._unsent:
            self._selector.unregister(stream)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        try:
            words = os.read(self._process.stderr.fileno(), CHUNK)
        except BlockingIOError:
            return
        self._words = (self._words + words)[-LONGEST_WORDS:]
        if not words:
            self._selector.unregister(self._process.stderr)

    def _death(self, passed: str) -> Death:
        """How the process ends that has passed a limit, or that has closed its output."""
        if passed:
            end_watched(self.pid)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        lives = self._process.poll() is None
        end_tree(self.pid)
        status = self._process.wait()
        end_strays()
        before = -1
        while before != len(self._words) and self._process.stderr in self._selector.get_map():
            before = len(self._words)
            self._listen()
        words = self._words.decode(errors="replace")
        if lives and not passed and status == -signal.SIGKILL:
            return Death(Verdict.CRASHED, "closed its output and went on", death_of(0, words, "").trace)
        return death_of(status, words, passed)
