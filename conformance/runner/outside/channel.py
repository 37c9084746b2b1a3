"""A process that answers, and its three streams, none of which is waited for without a limit."""

import fcntl
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.processes import wire
from conformance.processes.isolation import Death, death_of
from conformance.processes.tree import POLL, Watch, die_with, end_strays, end_tree, end_watched
from conformance.processes.wire import ViolationError
from conformance.records.record import Verdict

Array = NDArray[Any]

START = 120.0
"""Seconds that a lane process may take to import what it answers with."""
LONGEST_WORDS = 1 << 16
"""Bytes that are kept of what a process prints, the last ones."""
CHUNK = 1 << 18
"""Bytes that pass through a stream at once, if the kernel allows."""
HIDDEN = "CONFORMANCE_"
"""The environment variables that a lane process does not get, but for its adapters: where cases and answers lie."""


_LIVING: set[int] = set()
"""The lane processes of this one, which are no strays."""


class DiedError(Exception):
    """The process does not answer any more."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.message)
        self.death = death


def opened(lane: Lane, python: str = sys.executable) -> "subprocess.Popen[bytes]":
    """The process of a lane: of its adapter, in the environment of an interpreter, or of its program."""
    shown = {name: value for name, value in os.environ.items()
             if not name.startswith(HIDDEN) or name == "CONFORMANCE_ADAPTERS"}  # fmt: skip
    pipe, program = subprocess.PIPE, adapters.program(lane.framework)
    if program is None:
        return _started(python, "conformance.processes.lane_process", shown)
    return subprocess.Popen(
        program.command, cwd=program.folder, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0,
        env=shown | adapters.settings(lane), start_new_session=True, preexec_fn=partial(die_with, os.getpid()),
    )  # fmt: skip


def trusted(
    module: str, python: str = sys.executable, variables: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """The process of a framework of this package, in whose environment a module evaluates what it is asked."""
    return _started(python, module, os.environ if variables is None else variables)


def _started(python: str, module: str, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    pipe, command = subprocess.PIPE, [python, "-m", module, str(os.getpid())]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, bufsize=0)


class Channel:
    """A lane process and its three streams, none of which is waited for without a limit."""

    def __init__(self, process: Any) -> None:
        """`process` is a Popen, or like one."""
        self._process = process
        self.pid = self._process.pid
        _LIVING.add(self.pid)
        self._given, self._words, self._unsent = bytearray(), bytearray(), memoryview(b"")
        self.longest = wire.LONGEST_LINE
        self._seconds, self._watch = START, Watch(self.pid, START)
        self._selector = selectors.DefaultSelector()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(stream.fileno(), False)
            with suppress(OSError):  # the user has so much in pipes already
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, CHUNK)
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._receive)
        self._selector.register(self._process.stderr, selectors.EVENT_READ, self._listen)

    def ask(self, question: bytes, seconds: float) -> None:
        """Send a question, each message of whose answer may take so long.

        Raises ViolationError where the process said something before it was asked.
        """
        self._seconds, self._watch = seconds, Watch(self.pid, seconds)
        self._pump(0.0)
        if self._given:
            raise ViolationError(f"{len(self._given)} bytes before it was asked")
        self._unsent = memoryview(question)
        self._selector.register(self._process.stdin, selectors.EVENT_WRITE, self._send)

    def message(self) -> tuple[Mapping[str, Any], list[Array]]:
        """The next message and its arrays. Raises ViolationError, or DiedError."""
        message = wire.decode(self._line())
        arrays = []
        for dtype, shape, size, content in wire.buffers(message):
            while content is None and len(self._given) < size:
                self._pump(POLL)
            arrays.append(np.frombuffer(self._take(size) if content is None else content, dtype).reshape(shape))
        self._watch = Watch(self.pid, self._seconds)
        return message, arrays

    def line(self) -> bytes:
        """The next line, as it is; the one behind it may take as long again. Raises ViolationError, or DiedError."""
        line = self._line()
        self._watch = Watch(self.pid, self._seconds)
        return line

    def require_ready(self) -> None:
        """Raises ViolationError where the process says anything else than that it is ready to be asked."""
        message, arrays = self.message()
        if message != {"ready": True} or arrays:
            raise ViolationError("more than was asked for")

    def stop(self, lane: Lane) -> None:
        """Start a process and tell it to stop. Raises ViolationError where it does not say so, or DiedError."""
        self.ask(wire.encode(wire.Start(lane.framework, lane.variant)), START)
        wire.started(self.message()[0])
        self.require_ready()
        self.ask(wire.encode(wire.Stop()), START)
        if self.message() != ({"bye": True}, []):
            raise ViolationError('something else than {"bye": true}')

    def end(self) -> None:
        """End the process with all that came of it."""
        end_tree(self.pid)
        self._process.wait()
        _LIVING.discard(self.pid)
        end_strays(*_LIVING)
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):
                stream.close()

    def _line(self) -> bytes:
        while (end := self._given.find(b"\n")) < 0:
            if len(self._given) > self.longest:
                raise ViolationError(f"a line of more than {self.longest} bytes")
            self._pump(POLL)
        return self._take(end + 1)

    def _take(self, size: int) -> bytes:
        with memoryview(self._given) as given:
            taken = bytes(given[:size])
        del self._given[:size]
        return taken

    def _pump(self, seconds: float) -> None:
        """Let bytes pass, without waiting for any stream longer than that. Raises DiedError at the end or a limit."""
        ready = self._ready(seconds)
        if self._receive not in ready and self._process.poll() is not None:
            ready = self._ready(0.0)  # what it wrote last
            if self._receive not in ready:
                raise DiedError(self._death(""))  # and what it left behind holds its output open
        for serve in ready:
            serve()
        if passed := self._watch.exceeded:
            raise DiedError(self._death(passed))

    def _ready(self, seconds: float) -> list[Callable[[], None]]:
        """What serves each stream that is ready, within so many seconds."""
        return [key.data for key, _ in self._selector.select(seconds)]

    def _receive(self) -> None:
        assert self._process.stdout is not None
        content = os.read(self._process.stdout.fileno(), CHUNK)
        if not content:
            raise DiedError(self._death(""))
        self._given += content

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
        _LIVING.discard(self.pid)
        end_strays(*_LIVING)
        before = -1
        while before != len(self._words) and self._process.stderr in self._selector.get_map():
            before = len(self._words)
            self._listen()
        words = self._words.decode(errors="replace")
        if lives and not passed and status == -signal.SIGKILL:
            return Death(Verdict.CRASHED, "closed its output and went on", death_of(0, words, "").trace)
        return death_of(status, words, passed)
