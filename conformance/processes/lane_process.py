"""A process that answers for one lane, on its parent's word: `python -m conformance.processes.lane_process PARENT`.

It has the adapter and is given problems and operands; it never has an expected array, nor compares. Its standard output
is the protocol (`wire`) alone: what libraries print goes to standard error. Its parent is `outside.LaneProcess`.
"""

import faulthandler
import fcntl
import os
import resource
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, BinaryIO, cast

import numpy as np

from conformance import adapters
from conformance.adapters.base import CALLS, Call, Convolving, Lane
from conformance.problem import Problem
from conformance.processes import wire
from conformance.processes.attempt import Answered, Ended, begin, failed, make
from conformance.processes.memory import MEMORY, bound_memory
from conformance.processes.tree import adopt_orphans, die_with

READY = {"ready": True}
"""Said when a message is done with; who has answered and does not come to it is not ready to be asked again."""
_ABOVE = 512  # where the protocol's streams lie, so that a call that closes what it did not open leaves them alone


def main(parent: int) -> None:
    """Answer with the adapter that the parent names."""
    serve(parent, lambda lane: cast(Convolving, adapters.load(lane)))


def serve(parent: int, load: Callable[[Lane], Convolving]) -> None:
    """Answer until told to stop, or until nobody asks any more, and end this process."""
    die_with(parent)
    os.setsid()
    adopt_orphans()
    source, target = _streams()
    faulthandler.enable(2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    adapter = None
    while line := source.readline():
        message = wire.decode(line)
        match message["do"]:
            case "start":
                adapter = load(Lane(message["framework"], message["variant"]))
                bound_memory(MEMORY)
                _send(target, {"environment": dict(adapters.environment(adapter))})
                _send(target, READY)
            case "run":
                assert adapter is not None, "started first"
                _run(adapter, [(job, _arrays(source, job)) for job in message["jobs"]], target)
                _send(target, READY)
            case "stop":
                _send(target, {"bye": True})
                break
    os._exit(0)  # a framework may hang while it is torn down


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """Copies of standard input and output for the protocol; those that libraries know lead nowhere and to stderr."""
    source, target = (os.fdopen(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE), mode)
                      for number, mode in ((0, "rb"), (1, "wb")))  # fmt: skip
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return source, target  # type: ignore[return-value]  # of a mode that is not a literal


def _run(adapter: Convolving, jobs: Sequence[tuple[Any, Sequence[Any]]], target: BinaryIO) -> None:
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
            _send(target, {"job": job["job"], **reply}, arrays)


def _translate(adapter: Convolving, job: Any, arrays: Sequence[Any]) -> Call:
    x, weight, *bias = arrays
    return CALLS[job["call"]](adapter, _problem(job["problem"]), x, weight, bias[0] if bias else None)


_problem = lru_cache(Problem.parse)  # each is asked for in every dtype


def _text(call: Call | Ended) -> str:
    """A call as a line, also where an operand or an option has no text."""
    if isinstance(call, Ended):
        return ""
    try:
        return str(call)
    except Exception as error:
        return failed("a call without a text", error).message


def _arrays(source: BinaryIO, job: Any) -> list[Any]:
    return [np.frombuffer(source.read(size), dtype).reshape(shape).copy() for dtype, shape, size in wire.sizes(job)]


def _send(target: BinaryIO, message: Any, arrays: Sequence[Any] = ()) -> None:
    target.write(wire.encode(message, arrays))
    target.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
