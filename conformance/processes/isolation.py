"""A call in a process of its own, forked from a warm server, with limits of time and memory.

The server has imported the framework and run nothing, so a fork costs milliseconds. Each call has its own process, pipe
and log: whatever it does to its process ends with it, and an answer that comes late has nowhere to arrive. The limit of
time is kept from outside (`processes.tree`), and a call that dies of a signal which others send is made once more.
"""

import faulthandler
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from conformance.adapters import AdapterError
from conformance.adapters.base import Lane
from conformance.processes.memory import MEMORY, bound_memory, exhausted
from conformance.processes.tree import POLL, Watch, adopt_orphans, die_with, end_strays, end_tree, end_watched
from conformance.records.record import Verdict

SECONDS = 10.0
"""What one call may take of CPU time, and asleep, its process's start included."""
STARTS = 5
"""Servers that may die in a row while they import the framework."""
LAST_LINES = 3
LONGEST = 400
LANE = "CONFORMANCE_WARM"
"""The environment variable that tells a server which lane to warm up, for whom: FRAMEWORK/VARIANT/SUITE/PID."""

_MOURNING = 0.5  # until a dead server can be told from a living one
_FOREIGN = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT, 255}
"""How a process ends that others kill, or their memory's shortage; 255 is what is known where the server died."""
_PREFIX = re.compile(r"^[FEIW]\d{4} \S+\s+\d+ ")  # of a line in Google's logs: a date and a process, which never recur
_FATAL = re.compile(r"^F\d{4} ")
_STACK = re.compile(
    r"^(?:Fatal Python error|Timeout \(|\*\*\* Check failure stack|Suspected Python Code|Require stack:|    at \S)",
    re.MULTILINE,
)
_NOISE = re.compile(r"^(WARNING: All log|I0000|W0000|\s*$|Extension modules:|Node\.js v)")


class Limits(NamedTuple):
    """What one call may take."""

    seconds: float = SECONDS
    memory: int = MEMORY


@dataclass(frozen=True, slots=True)
class Death:
    """How a call's process ended without an answer; `trace` holds its last words and Python's stack."""

    verdict: Verdict
    cause: str
    trace: tuple[str, ...] = ()
    foreign: bool = False
    """Whether others may have ended it, and not what was called."""

    @property
    def message(self) -> str:
        """The cause with the last line that the process wrote."""
        return ": ".join(filter(None, [self.cause, *self.trace[-1:]]))[:LONGEST]


class IsolationError(ValueError):
    """A second lane in a process whose server is warm for another."""


class HarnessError(ValueError):
    """An error of this project's own in a call's process, which is no answer of a framework, nor its death."""


class _Raised(NamedTuple):
    """What a call's process sends in place of an answer where an error of this project's own ended it."""

    name: str
    message: str


class Isolation:
    """Makes calls for one lane, each in a fork of a server that has the lane's framework imported.

    A process has one server, and a framework reads its environment once: another lane raises IsolationError. For a
    single call `once` saves the server: the call is in a fork of this process, and imports the framework itself.
    """

    _warm: Lane | None = None

    def __init__(self, lane: Lane, limits: Limits | None = None, suite: str = "", *, once: bool = False) -> None:
        if Isolation._warm not in (None, lane):
            raise IsolationError(f"{lane}: the server here is warm for {Isolation._warm}: use another process for it")
        Isolation._warm = lane
        self._lane, self.limits, self.suite = lane, limits or Limits(), suite
        adopt_orphans()
        self._context: Any = multiprocessing.get_context("fork" if once else "forkserver")
        if once:
            serve_calls()
        else:
            self._context.set_forkserver_preload(["conformance.runner.preload"])
        self._failed = 0

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float = 0.0) -> Any:
        """What the function returns in a process of its own, or the Death of that process; both must be picklable.

        `seconds`, unless 0, is what this call may take. Raises AdapterError where the lane cannot be imported, and
        HarnessError where the function raised another error of this project's own.
        """
        reply = self._call(function, arguments, seconds)
        if isinstance(reply, Death) and reply.foreign:
            reply = self._call(function, arguments, seconds)
        if isinstance(reply, _Raised):
            if reply.name == AdapterError.__name__:
                raise AdapterError(f"{self._lane}: {reply.message}")
            raise HarnessError(
                f"{self._lane}: not asked, by an error of conformance itself: {reply.name}: {reply.message}"
            )
        return reply

    def _call(self, function: Callable[..., Any], arguments: Sequence[Any], seconds: float) -> Any:
        if self._failed >= STARTS:
            cause = f"{self._failed} of {STARTS} starts used: {self._lane} is broken at import"
            return Death(Verdict.CRASHED, cause)
        limits = self.limits._replace(seconds=seconds or self.limits.seconds)
        os.environ[LANE] = "/".join([self._lane.framework, self._lane.variant, self.suite, str(os.getpid())])
        ours, theirs = self._context.Pipe(duplex=False)
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder, ours:
            log = Path(folder, "log")
            process = self._context.Process(target=_serve, args=(theirs, log, limits, function, arguments))
            try:
                process.start()
            except (OSError, EOFError):  # the server died, and the next start makes a new one
                self._failed += 1
                time.sleep(_MOURNING)
                return self._call(function, arguments, seconds)
            finally:
                theirs.close()
            assert process.pid is not None
            answered, answer, passed = _receive(ours, Watch(process.pid, limits.seconds))
            if not answered and not passed:
                process.join(1.0)
            end_watched(process.pid) if passed else end_tree(process.pid)
            process.join()
            end_strays()
            if answered:
                self._failed = 0
                return answer
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            return death_of(process.exitcode, text, passed)


def _receive(pipe: Connection, watch: Watch) -> tuple[bool, Any, str]:
    """Whether an answer came, the answer, and which limit was passed before one could."""
    try:
        while not pipe.poll(POLL):
            if passed := watch.exceeded:
                return False, None, passed
        return True, pipe.recv(), ""
    except (EOFError, OSError):
        return False, None, ""


def _serve(pipe: Connection, log: Path, limits: Limits, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """In the process of a call: bound it, let it write into its log alone, and send what the function returns."""
    die_with(_server)
    os.setsid()
    adopt_orphans()
    with log.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
        faulthandler.enable(stream)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        bound_memory(limits.memory)
        pipe.send(_answer(function, arguments))
        pipe.close()
        os._exit(0)  # a framework may hang while it is torn down; the answer is there


def _answer(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """What the function returns; an error that this project defines as a message, any other ends the process."""
    try:
        return function(*arguments)
    except Exception as error:
        if type(error).__module__.partition(".")[0] != __package__.partition(".")[0]:
            raise
        return _Raised(type(error).__name__, str(error))


_server = 0
"""The process that the calls are forked from, known to itself and to them."""


def serve(parent: int) -> None:
    """Make this process, which is a server, end with its parent, and its calls with itself."""
    die_with(parent)
    serve_calls()


def serve_calls() -> None:
    """Let calls that are forked from this process end with it."""
    global _server
    _server = os.getpid()


def death_of(status: int | None, text: str, passed: str) -> Death:
    """How a process died, from its exit status, what it printed, and the limit that it passed, if it did."""
    words, stack = last_words(text), innermost(text)
    if passed:
        return Death(Verdict.TIMED_OUT, f"no answer after {passed}{stack}", words)
    if status is not None and status < 0:
        cause = f"killed by {signal.Signals(-status).name}{stack}"
    else:
        cause = f"exited with status {status}{stack}"
    if exhausted(text):
        cause = f"out of memory, {cause}"
    return Death(Verdict.CRASHED, cause, words, foreign=status in _FOREIGN)


def last_words(text: str) -> tuple[str, ...]:
    """The last lines that are of the framework, without the stacks of Python, of native code and of JavaScript.

    A fatal line of Google's logs is the last one: what follows it are details.
    """
    before = _STACK.split(text, maxsplit=1)[0].splitlines()
    fatal = next((at for at, line in enumerate(before, 1) if _FATAL.match(line)), len(before))
    lines = [_PREFIX.sub("", line.strip()) for line in before[:fatal] if not _NOISE.match(line)]
    return tuple(lines[-LAST_LINES:])


def innermost(text: str) -> str:
    """The innermost Python function of the trace that faulthandler left."""
    stack = (text.partition("Current thread")[2] or text).partition("most recent call first")[2]
    frame = re.search(r'File ".*", line \d+ in (\S+)', stack)
    return f" in {frame[1]}" if frame else ""
