"""A fork of this process that answers its parent, in the shape of a Popen."""

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Set

_UNKNOWN = 255
"""The exit status of a process that somebody else has waited for."""


def open_files() -> frozenset[int]:
    """The file descriptors that are open now."""
    return frozenset(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208  # no path has their numbers


class Forked:
    """A fork that runs `serve`, with pipes as its standard streams and no other file open than `kept`.

    `serve` never returns.
    """

    def __init__(self, serve: Callable[[], None], kept: Set[int]) -> None:
        pipes = [os.pipe() for _ in range(3)]
        theirs = pipes[0][0], pipes[1][1], pipes[2][1]
        ours = pipes[0][1], pipes[1][0], pipes[2][0]
        self.pid = fork()
        if self.pid == 0:
            try:
                for number, descriptor in enumerate(theirs):
                    os.dup2(descriptor, number)
                for descriptor in open_files() - kept - {0, 1, 2}:
                    closed(descriptor)
                serve()
            finally:
                os._exit(1)
        for descriptor in theirs:
            os.close(descriptor)
        self.stdin = os.fdopen(ours[0], "wb", buffering=0)
        self.stdout, self.stderr = (os.fdopen(descriptor, "rb", buffering=0) for descriptor in ours[1:])
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status; None as long as it lives."""
        return self._waited(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit status, once it has ended. Raises TimeoutExpired."""
        if timeout is None:
            return self._waited(0)
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a fork", timeout)
            time.sleep(0.01)
        return self.returncode

    def _waited(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                self.returncode = _UNKNOWN
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def fork() -> int:
    """`os.fork`, with nothing left in the buffers of standard streams; what frameworks warn of is their matter."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def closed(descriptor: int) -> None:
    """Close a descriptor, if it is open."""
    try:
        os.close(descriptor)
    except OSError:
        return
