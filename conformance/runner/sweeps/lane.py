"""The lane process of a sweep: `python -m conformance.runner.sweeps.lane PARENT`, in the framework's own environment.

It speaks the protocol of every lane process (`wire`). A framework's own lane is trusted: it draws, computes what is
expected, calls and compares here, and answers a record a problem.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import cast

from conformance import adapters
from conformance.adapters.base import Adapter, Convolving, Lane
from conformance.numerics.operands import DataError
from conformance.problem import PASSES
from conformance.processes import wire
from conformance.processes.attempt import failed
from conformance.processes.lane_process import serve
from conformance.records.record import Record
from conformance.run import Job, evaluate, record_of
from conformance.suites.borders import asked_of
from conformance.suites.case import Asked
from conformance.suites.references import compute_small, oracle_digest
from conformance.suites.spaces.space import Space

LOCAL = 32
"""Problems that go through each step together, whose code then stays in the processor's cache."""

ORACLE = "oracle"
"""Under which a lane process says, beside its environment, what it compares with."""

space_of = lru_cache(maxsize=4)(Space.of_text)
"""The space of a text and a seed, of which a process sees one or a few."""


def lines(lane: Lane, adapter: Adapter, block: wire.Block) -> Iterator[bytes]:
    """A record a problem of a block, each as a line without what two runs of one build may disagree on."""
    space = space_of(block.space, block.seed)
    together = 1 if block.alone else max(adapter.BLOCK, LOCAL)
    for first in range(block.start, block.stop, together):
        numbers = range(first, min(first + together, block.stop))
        asked = [asked_of(space[number], block.dtype, block.direction) for number in numbers]
        for record in _records(lane, adapter, asked):
            yield line(record)


def line(record: Record) -> bytes:
    """A record without the time of its call, as a line."""
    return replace(record, seconds=0.0).to_json().encode() + b"\n"


def _records(lane: Lane, adapter: Adapter, every: list[Asked]) -> Iterator[Record]:
    """The records of what is asked; where there is no data, that there is none."""
    made = {asked.key: _job(asked) for asked in every}
    jobs = [job for job in made.values() if isinstance(job, Job)]
    results = iter(evaluate(lane, adapter, jobs, adapter.BLOCK))
    for asked in every:
        job = made[asked.key]
        if isinstance(job, Job):
            yield next(results).record
        else:
            ended = failed("drawing", job)
            yield record_of(lane, asked, ended.verdict, message=ended.message)


def _job(asked: Asked) -> Job | DataError:
    try:
        return Job(asked.case, asked.dtype, compute_small(*asked), asked.direction)
    except DataError as error:
        return error


def load(lane: Lane) -> Convolving:
    """The adapter of a lane, in a process that meets no problem twice."""
    os.environ.update(adapters.unrepeated(lane.framework))
    return cast(Convolving, adapters.load(lane))


def main(parent: int) -> None:
    """Answer with the adapter that the parent names."""
    serve(parent, load, lines, {ORACLE: oracle_digest(PASSES)})


if __name__ == "__main__":
    main(int(sys.argv[1]))
