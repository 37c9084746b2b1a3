"""The parent of a lane process that evaluates blocks: it names the problem of each death, and goes on behind it."""

import gc
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from conformance import adapters
from conformance.problem import PASSES
from conformance.processes import wire
from conformance.processes.isolation import STARTS, Death
from conformance.processes.wire import ViolationError
from conformance.runner.outside.channel import START, Channel, DiedError, trusted
from conformance.runner.outside.forked import Forked
from conformance.runner.sweeps.lane import ORACLE, load, main, space_of
from conformance.runner.sweeps.taken import Taken
from conformance.runner.sweeps.task import Sweep, SweepError, Swept, Task
from conformance.suites.borders import asked_of
from conformance.suites.references import compute_small, oracle_digest

CAREFUL = 64
"""Problems behind a death that are evaluated one by one."""
WARM = 256
"""Problems that are drawn before forks, which then share what is imported and tabled for them."""
LANE = "conformance.runner.sweeps.lane"
Start = Callable[[], Any]
"""What starts a lane process: a Popen, or what is like one."""


def spawned(python: str) -> Start:
    """What starts a lane process in the environment of an interpreter."""
    return partial(trusted, LANE, python)


def forked(sweep: Sweep) -> Start:
    """What starts a lane process as a fork of this one, which has the framework imported and makes no call of it.

    A fork takes some milliseconds, and shares the memory of the framework and of the space.
    """
    load(sweep.lane)
    space = space_of(sweep.space, sweep.seed)
    for number in range(min(WARM, space.size)):
        compute_small(*asked_of(space[number], sweep.dtype, sweep.direction))
    gc.collect()
    gc.freeze()  # what is collected is written to, and would no longer be shared
    parent = os.getpid()
    return lambda: Forked(partial(main, parent), frozenset())


class BlockProcess:
    """The lane process of one sweep, or the next one where it died; a problem may take so many seconds."""

    def __init__(self, sweep: Sweep, start: Start, seconds: float) -> None:
        self._sweep, self._seconds = sweep, seconds
        self._open = start
        self._channel: Channel | None = None
        self._environment: Mapping[str, str] = {}
        self._machine = adapters.machine(sweep.lane)

    def swept(self, task: Task) -> Swept:
        """What comes of a block. Raises SweepError where no lane process starts."""
        taken = Taken(task)
        careful, deaths, again = False, 0, True
        while taken.next < task.stop:
            upto = min(taken.next + CAREFUL, task.stop) if careful else task.stop
            before = taken.next
            death = self._ask(taken, upto, alone=careful)
            again = again or taken.next > before
            if death is None:
                careful = False
                continue
            deaths += 1
            if death.foreign and again:  # others may have ended it
                again = False
            elif careful:
                taken.add_death(death)
                again = True
            else:
                careful = True
        return taken.swept(deaths, self._environment, self._machine)

    def stop(self) -> None:
        """End the process, if there is one; the next block gets a new one."""
        if self._channel is not None:
            self._channel.end()
            self._channel = None

    def _ask(self, taken: Taken, stop: int, *, alone: bool) -> Death | None:
        """Take the lines of problems up to a number, one by one if alone; how the process died, if it did."""
        sweep = self._sweep
        asked = wire.Block(sweep.space, sweep.seed, sweep.dtype, taken.next, stop, alone, sweep.direction)
        channel = self._started()
        try:
            channel.ask(wire.encode(asked), self._seconds)
            while taken.next < stop:
                taken.add(channel.line())
            channel.require_ready()
        except DiedError as died:
            self.stop()
            return died.death
        except ViolationError as violation:
            self.stop()
            raise SweepError(f"{sweep.lane}: its lane process gave {violation}: this is a bug, report it") from None
        return None

    def _started(self) -> Channel:
        """A process that is ready to be asked. Raises SweepError where so many in a row did not come to it."""
        why = ""
        for _ in range(STARTS):
            if self._channel is not None:
                return self._channel
            channel = Channel(self._open())
            try:
                channel.ask(wire.encode(wire.Start(self._sweep.framework, self._sweep.variant)), START)
                said = dict(wire.started(channel.message()[0]).environment)
                channel.require_ready()
                self._require_oracle(channel, said.pop(ORACLE, "none"))
                self._environment = said
                self._channel = channel
            except (DiedError, ViolationError) as error:
                channel.end()
                why = str(error)
        if self._channel is not None:
            return self._channel
        raise SweepError(f"{self._sweep.lane}: its lane process does not start: {why}")

    def _require_oracle(self, channel: Channel, oracle: str) -> None:
        """Raises SweepError where a lane process compares with another oracle than is known here."""
        if oracle != (ours := oracle_digest(PASSES)):
            channel.end()
            raise SweepError(f"{self._sweep.lane}: its environment has another version of this package, whose "
                             f"oracle is {oracle}, and not {ours}: install the same there")  # fmt: skip
