"""The lines of a block as they come: counted, digested, and kept where they are to be."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from conformance.processes.isolation import Death
from conformance.processes.wire import ViolationError
from conformance.records.record import Record, Verdict
from conformance.run import record_of
from conformance.runner.sweeps.lane import line, space_of
from conformance.runner.sweeps.task import Swept, Task
from conformance.suites.borders import asked_of
from conformance.suites.case import Asked
from conformance.suites.references import oracle_digest


class _Line(msgspec.Struct):
    """What is read of a record's line here."""

    verdict: Verdict


_VERDICT = msgspec.json.Decoder(_Line)


class Taken:
    """The lines of a block so far."""

    def __init__(self, task: Task) -> None:
        self._task, self.next = task, task.start
        self._verdicts: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self._kept: list[bytes] = []

    def add(self, line: bytes) -> None:
        """The next line, as it came."""
        try:
            verdict = _VERDICT.decode(line).verdict
        except msgspec.DecodeError as error:
            raise ViolationError(f"a line that is no record: {line[:60]!r} {error}") from None
        self._add(verdict, line, line)

    def add_death(self, death: Death) -> None:
        """The next line, of a problem that killed its process."""
        sweep = self._task.sweep
        record = record_of(sweep.lane, self.asked(self.next), death.verdict, message=death.cause)
        self.add_record(replace(record, trace=death.trace))

    def add_record(self, record: Record) -> None:
        """The next line, of a record that was made here; what a process said last counts in no digest."""
        self._add(record.verdict, line(replace(record, trace=())), line(record))

    def asked(self, number: int) -> Asked:
        """What is asked under a number."""
        sweep = self._task.sweep
        return asked_of(space_of(sweep.space, sweep.seed)[number], sweep.dtype, sweep.direction)

    def _add(self, verdict: Verdict, told: bytes, kept: bytes) -> None:
        self.next += 1
        self._verdicts[verdict] += 1
        self._digest.update(told)
        if self._task.sweep.keep == "all" or verdict is not Verdict.CONFORMS:
            self._kept.append(kept)

    def swept(self, deaths: int, environment: Mapping[str, str], machine: Mapping[str, str]) -> Swept:
        """What came of the block."""
        return Swept(
            self._task.start, self._task.stop, dict(sorted(self._verdicts.items())), self._digest.hexdigest(),
            b"".join(self._kept), deaths, dict(environment), dict(machine),
            oracle_digest((self._task.sweep.direction,)),
        )  # fmt: skip
