"""Blocks of a lane from outside: its process answers arrays alone, and is judged here."""

from conformance import adapters
from conformance.numerics.operands import DataError
from conformance.processes.attempt import failed
from conformance.run import Job, record_of
from conformance.runner import outside
from conformance.runner.sweeps.taken import Taken
from conformance.runner.sweeps.task import Sweep, Swept, Task
from conformance.suites.case import Asked
from conformance.suites.references import compute_small


class OutsideBlocks:
    """Evaluates the blocks of a sweep of a lane from outside, one after the other."""

    def __init__(self, sweep: Sweep, seconds: float) -> None:
        self._sweep = sweep
        self._process = outside.LaneProcess(sweep.lane, seconds)
        self._machine = adapters.machine(sweep.lane)

    def swept(self, task: Task) -> Swept:
        """What comes of a block."""
        lane, dtype, taken = self._sweep.lane, self._sweep.dtype, Taken(task)
        together = adapters.block(lane.framework)
        for first in range(task.start, task.stop, together):
            cases = [taken.asked(number).case for number in range(first, min(first + together, task.stop))]
            jobs, lacking = [], {}
            for case in cases:
                try:
                    jobs.append(Job(case, dtype, compute_small(case, dtype)))
                except DataError as error:
                    ended = failed("drawing", error)
                    lacking[case.id] = record_of(lane, Asked(case, dtype), ended.verdict, message=ended.message)
            results = iter(outside.evaluate(self._process, lane, jobs))
            for case in cases:
                taken.add_record(lacking[case.id] if case.id in lacking else next(results).record)
        return taken.swept(0, self._process.environment, self._machine)

    def stop(self) -> None:
        """End the process of the lane."""
        self._process.stop()
