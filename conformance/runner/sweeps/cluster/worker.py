"""A worker of a cluster: `python -m conformance.runner.sweeps.cluster.worker OFFER`, started again when it ends.

It offers lanes as resources, and does a block in the lane process that is idle, or in one more.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from conformance.processes.tree import die_with
from conformance.runner.sweeps.cluster.client import Tls, security
from conformance.runner.sweeps.process import BlockProcess, spawned
from conformance.runner.sweeps.task import Sweep, Swept, Task
from conformance.suites.references import oracle_digest

PAUSE = 1.0
"""Seconds between the end of a worker and the start of the next one."""


class Offer(msgspec.Struct, frozen=True):
    """What a worker offers to a scheduler: interpreters by lane, and how many processes of each."""

    address: str
    pythons: dict[str, str]
    processes: int
    parent: int
    tls: Tls | None = None


class Pool:
    """The lane processes of a worker, each with the sweep that it is of."""

    def __init__(self) -> None:
        self.pythons: dict[str, str] = {}
        self._idle: defaultdict[Sweep, list[BlockProcess]] = defaultdict(list)
        self._taking = threading.Lock()

    def swept(self, task: Task, seconds: float) -> Swept:
        """What comes of a block."""
        with self._process(task.sweep, seconds) as process:
            return process.swept(task)

    @contextmanager
    def _process(self, sweep: Sweep, seconds: float) -> Iterator[BlockProcess]:
        with self._taking:
            for other in [other for other in self._idle if other != sweep]:  # of a sweep before this one
                for process in self._idle.pop(other):
                    process.stop()
            idle = self._idle[sweep]
            process = idle.pop() if idle else BlockProcess(sweep, spawned(self.pythons[str(sweep.lane)]), seconds)
        try:
            yield process
        except BaseException:
            process.stop()
            raise
        with self._taking:
            self._idle[sweep].append(process)


POOL = Pool()


def supervise(offer: Offer) -> None:
    """Start a worker, and another one whenever it ends, until this process ends."""
    while True:
        command = [
            sys.executable,
            "-m",
            "conformance.runner.sweeps.cluster.worker",
            msgspec.json.encode(offer).decode(),
        ]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        time.sleep(PAUSE)


async def work(offer: Offer) -> None:
    """Be a worker until the scheduler is gone."""
    from distributed import Worker

    lanes = len(offer.pythons)
    resources = dict.fromkeys(offer.pythons, float(offer.processes))
    async with Worker(
        offer.address, nthreads=lanes * offer.processes, resources=resources, security=security(offer.tls),
        dashboard=False, memory_limit=0, death_timeout=30,
    ) as worker:  # fmt: skip
        await worker.finished()


def main(text: str) -> None:
    """Offer what a text says."""
    offer = msgspec.json.decode(text, type=Offer)
    die_with(offer.parent)
    from conformance.runner.sweeps.cluster import worker  # which `client.swept_text` imports, and not __main__

    worker.POOL.pythons = offer.pythons
    oracle_digest()  # once, before threads want it: the parser of Python 3.11 is not for several at once
    asyncio.run(work(offer))


if __name__ == "__main__":
    main(sys.argv[1])
