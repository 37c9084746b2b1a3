"""Processes that end with their parent, are watched from outside, and leave no child behind.

A limit of time is kept by who started a process, never by the process itself, which may be stopped, hold the
interpreter's lock or have cancelled every timer. It counts what the process did and not how long others kept it from
doing it: CPU time, and time in which all of its threads slept.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

POLL = 0.1
"""Seconds between two looks at a process that is watched."""
LONGEST = 20.0
"""So many times its limit a process may take by the clock, which ends one that does a little now and then."""
GRACE = 2.0
"""Seconds that a process has to write its trace before it is killed."""

ENDING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
"""The signals by which a run is asked to end."""
SAME_REQUEST = 1.0
"""Seconds in which several of them are one request."""

_DEATH_SIGNAL, _SUBREAPER = 1, 36  # of prctl
_TICKS = os.sysconf("SC_CLK_TCK")
_LIBC = ctypes.CDLL(None)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; at once where that has happened."""
    _LIBC.prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def interrupt_on_end() -> None:
    """Let each signal that asks this process to end interrupt it as Ctrl-C does, and a second one end it.

    What comes within a second is the same request: a terminal sends it to a command and its children, and the command
    passes it on.
    """
    first = 0.0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not first:
            first = time.monotonic()
            raise KeyboardInterrupt(signal.Signals(number).name)
        if time.monotonic() - first > SAME_REQUEST:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in ENDING:
        signal.signal(number, interrupt)


def adopt_orphans() -> None:
    """Make this process the parent of what its descendants leave behind, so that `end_strays` finds it."""
    _LIBC.prctl(_SUBREAPER, 1)


def end_tree(pid: int) -> None:
    """Kill a process with all that came of it.

    It is stopped first, so that it starts no child between the look at its children and its end.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGSTOP)
    for child in _children(pid):
        end_tree(child)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def end_strays(*ours: int) -> None:
    """Kill the children of this process that have a session of their own, but for those that are ours."""
    session = os.getsid(0)
    for pid in _children(os.getpid()):
        with suppress(ProcessLookupError, PermissionError, ChildProcessError):
            if pid not in ours and os.getsid(pid) != session:
                end_tree(pid)
                os.waitpid(pid, os.WNOHANG)


def descendants(pid: int) -> Iterator[int]:
    """Children, their children and so on."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


class Watch:
    """A process under a limit of seconds, from now on.

    A look costs as much as many a call, so there are no two of them within half of `POLL` seconds.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds = pid, seconds
        self._began = self._looked = time.monotonic()
        self._first: float | None = None
        self._cpu = self._asleep = 0.0

    @property
    def exceeded(self) -> str:
        """The limit that the process has passed, in words; empty where it has passed none."""
        now = time.monotonic()
        if now - self._looked < POLL / 2:
            return ""
        cpu, runs = _activity(self._pid)
        if self._first is None:
            self._first = cpu
        elif cpu == self._cpu and not runs:
            self._asleep += now - self._looked
        self._cpu, self._looked = cpu, now
        if cpu - self._first > self._seconds:
            return f"{self._seconds:g} s of CPU time"
        if self._asleep > self._seconds:
            return f"{self._seconds:g} s asleep"
        longest = LONGEST * self._seconds
        return f"{longest:g} s" if now - self._began > longest else ""


def end_watched(pid: int) -> None:
    """Kill a process that has passed its limit, after it was given the time to write its trace: see `faulthandler`."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGABRT)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and _stat(f"/proc/{pid}/stat")[:1] not in ((), ("Z",)):
        time.sleep(0.02)
    end_tree(pid)


def _activity(pid: int) -> tuple[float, bool]:
    """CPU seconds of a process and its descendants, and whether a thread of theirs runs, or waits to."""
    ticks, runs = 0, False
    for process in (pid, *descendants(pid)):
        fields = _stat(f"/proc/{process}/stat")
        ticks += sum(map(int, fields[11:15]))  # its own, and of the children that it has waited for
        runs = runs or any(_stat(f"{task}/stat")[:1] in (("R",), ("D",)) for task in _tasks(process))
    return ticks / _TICKS, runs


def _stat(path: str) -> tuple[str, ...]:
    """The fields of a stat file from the state on; none where the process is gone."""
    try:
        return tuple(Path(path).read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split())
    except OSError:
        return ()


def _children(pid: int) -> list[int]:
    children = []
    for task in _tasks(pid):
        with suppress(OSError):
            children += (task / "children").read_text(encoding="ascii").split()
    return [int(child) for child in children]


def _tasks(pid: int) -> list[Path]:
    with suppress(OSError):
        return [*Path(f"/proc/{pid}/task").iterdir()]
    return []
