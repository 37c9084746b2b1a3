"""A process that answers for one lane, on its parent's word: `python -m conformance.processes.lane_process PARENT`.

It has the adapter and is given problems and operands; it never has an expected array, nor compares. Its standard output
is the protocol (`wire`) alone: what libraries print goes to standard error. Its parent is `outside.LaneProcess`.
"""

import faulthandler
import fcntl
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import BufferedReader, BufferedWriter
from typing import Any, cast

import numpy as np

from conformance import adapters
from conformance.adapters.base import CALLS, Call, Convolving, Lane
from conformance.layout import Array
from conformance.processes import wire
from conformance.processes.attempt import Answered, Ended, begin, failed, make, plain
from conformance.processes.memory import MEMORY, bound_memory
from conformance.processes.tree import adopt_orphans, die_with

READY = {"ready": True}
"""Said when a message is done with; who has answered and does not come to it is not ready to be asked again."""
TOGETHER = 16
"""Lines of a block that are sent together."""
_ABOVE = 512  # where the protocol's streams lie, so that a call that closes what it did not open leaves them alone


def main(parent: int) -> None:
    """Answer with the adapter that the parent names."""
    serve(parent, lambda lane: cast(Convolving, adapters.load(lane)))


Lines = Callable[[Lane, Convolving, wire.Block], Iterator[bytes]]
"""What evaluates a block: a line a problem."""
Clock = Callable[[Convolving, wire.Timed], bytes]
"""What times the calls of a case: the line that says how long they took."""


def serve(
    parent: int, load: Callable[[Lane], Convolving], lines: Lines | None = None, said: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> None:  # fmt: skip
    """Answer until told to stop, or until nobody asks any more, and end this process.

    `lines` answers blocks, and `clock` what is to be timed; `said` is told of this process beside its adapter's
    environment.
    """
    die_with(parent)
    os.setsid()
    adopt_orphans()
    source, target = _streams()
    faulthandler.enable(2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    adapter = None
    while line := source.readline():
        match wire.question(line):
            case wire.Start(framework, variant):
                lane = Lane(framework, variant)
                adapter = load(lane)
                bound_memory(MEMORY)
                _send(target, {"environment": {**adapters.environment(adapter), **(said or {})}})
                _send(target, READY)
            case wire.Run(jobs):
                assert adapter is not None, "started first"
                _run(adapter, [(job, [_array(source, array) for array in job.arrays]) for job in jobs], target)
                _send(target, READY)
            case wire.Block() as block:
                assert adapter is not None, "started first"
                assert lines is not None, "asked by who started what evaluates blocks"
                for number, answer in enumerate(lines(lane, adapter, block), 1):
                    target.write(answer)
                    if block.alone or number % TOGETHER == 0:
                        target.flush()
                _send(target, READY)
            case wire.Timed() as timed:
                assert adapter is not None, "started first"
                assert clock is not None, "asked by who started what times calls"
                target.write(clock(adapter, timed))
                _send(target, READY)
            case wire.Stop():
                _send(target, {"bye": True})
                break
    os._exit(0)  # a framework may hang while it is torn down


def _streams() -> tuple[BufferedReader, BufferedWriter]:
    """Copies of standard input and output for the protocol; those that libraries know lead nowhere and to stderr."""
    source, target = (fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for number in (0, 1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return os.fdopen(source, "rb"), os.fdopen(target, "wb")


def _run(adapter: Convolving, jobs: Sequence[tuple[wire.Asked, Sequence[Array]]], target: BufferedWriter) -> None:
    """Make the calls of jobs, as many together as the adapter takes, and answer them one by one."""
    process = os.getpid()
    for start in range(0, len(jobs), adapter.BLOCK):
        block = jobs[start : start + adapter.BLOCK]
        calls = [begin(partial(_translate, adapter, job, arrays)) for job, arrays in block]
        answers = iter(make(adapter, [call for call in calls if isinstance(call, Call)]))
        if os.getpid() != process:  # a call forked, and came back twice
            os._exit(0)
        for (job, _), call in zip(block, calls, strict=True):
            answer: Answered | Ended = call if isinstance(call, Ended) else next(answers)
            reply, arrays = wire.answer_of(None if isinstance(call, Ended) else call, answer, _text(call))
            _send(target, {"job": job.job, **reply}, arrays)


def _translate(adapter: Convolving, job: wire.Asked, arrays: Sequence[Array]) -> Call:
    x, weight, *bias = arrays
    return CALLS[job.call](adapter, wire.problem_of(job.attributes), x, weight, bias[0] if bias else None)


def _text(call: Call | Ended) -> str:
    """A call as a line, also where an operand or an option has no text."""
    if isinstance(call, Ended):
        return ""
    try:
        return plain(str(call))
    except Exception as error:
        return failed("a call without a text", error).message


def _array(source: BufferedReader, described: wire.Described) -> Array:
    """An operand, from the bytes that follow; it can be written to."""
    array: Array = np.empty(described.shape, described.dtype)
    source.readinto(array.data)
    return array


def _send(target: BufferedWriter, message: Any, arrays: Sequence[Any] = ()) -> None:
    target.writelines(wire.parts(message, arrays))
    target.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
