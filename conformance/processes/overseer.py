"""Watches the workers of a run from outside: one that does not come to the end of its piece of work is killed."""

import threading
from pathlib import Path
from typing import Any

from conformance.processes.pulse import Beat, read_pulse
from conformance.processes.tree import Watch, end_watched

PERIOD = 0.5
"""Seconds between two looks at a worker."""


class Overseer:
    """A thread that looks at workers, each with a limit of seconds a piece of work."""

    def __init__(self) -> None:
        self.passed: dict[str, str] = {}
        """The limits that workers were killed for, by their names."""
        self._workers: dict[str, tuple[Any, Path]] = {}
        self._watches: dict[str, tuple[int, Watch]] = {}
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, name: str, process: Any, pulse: Path, seconds: float) -> None:
        """Watch a worker, which is a Popen, from now on."""
        self._workers[name] = process, pulse
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, args=(seconds,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, seconds: float) -> None:
        while not self._done.wait(PERIOD):
            for name, (process, pulse) in list(self._workers.items()):
                if process.poll() is not None:
                    del self._workers[name]
                elif passed := self._exceeded(name, process.pid, read_pulse(pulse), seconds):
                    self.passed[name] = passed
                    end_watched(process.pid)

    def _exceeded(self, name: str, pid: int, beat: Beat, seconds: float) -> str:
        """The limit that a worker has passed in its present piece of work, if any."""
        if beat.number % 2 == 0:
            self._watches.pop(name, None)
            return ""
        if self._watches.get(name, (0,))[0] != beat.number:
            self._watches[name] = beat.number, Watch(pid, beat.seconds or seconds)
        return self._watches[name][1].exceeded
