"""Process mutants: what a framework can do to its process, done to a run of real workers."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance.audit import mutants
from conformance.audit.kills import DTYPE
from conformance.records import record, record_file
from conformance.records.record import Record, Verdict
from conformance.suites import cases

STRUCK = "smoke-2d-05"
"""The case on which a process mutant strikes."""
TIMEOUT = 3.0
"""Seconds that a case of a process mutant may take; a late answer takes two more."""

PROCESS = {
    "raises": (Verdict.ERRORED, "KeyError: 'a fault of its own'"),
    "exits": (Verdict.CRASHED, "exited with status 7"),
    "segfaults": (Verdict.CRASHED, "killed by SIGSEGV"),
    "hangs": (Verdict.TIMED_OUT, "no answer after"),
    "prints": (Verdict.CONFORMS, ""),
    "exhausts": (Verdict.INCONCLUSIVE, "memory ran out"),
    "late": (Verdict.TIMED_OUT, "no answer after"),
}
"""What the struck case's record must say of each process mutant. To print is no wrong answer, and must harm none."""


@dataclass(frozen=True, slots=True)
class Struck:
    """What became of a process mutant's run: the struck case's record, and what else is not as it must be, if any."""

    fault: str
    verdict: str
    message: str
    wrong: str


def process_mutants(faults: Sequence[str] = tuple(PROCESS)) -> list[Struck]:
    """Every process mutant, run as a framework in worker processes of its own."""
    with ThreadPoolExecutor(max_workers=len(faults)) as pool:  # most of the time they wait
        return list(pool.map(_strike, faults))


def _strike(fault: str) -> Struck:
    (case,) = cases.find(cases.read_suite("smoke"), [STRUCK]).cases
    environment = os.environ | {
        "CONFORMANCE_ADAPTERS": str(mutants.ADAPTERS), "MUTANT_PROBLEM": case.descriptor,
        "MUTANT_SECONDS": str(TIMEOUT + 2),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        arguments = ["--framework=process", f"--variant={fault}", "--suite=smoke", f"--records={folder}",
                     "-n1", f"--timeout={TIMEOUT}", "-q"]  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        path = record.path(Path(folder), f"process-{fault}", "smoke")
        if not path.exists():
            return Struck(fault, "none", "", f"no record file: {done.stdout[-300:]} {done.stderr[-300:]}")
        return _struck(fault, record_file.read(path))


def _struck(fault: str, run: record.Run) -> Struck:
    struck, others = _split_struck(run.records)
    verdict, message = PROCESS[fault]
    harmed = [other for other in others if other.verdict is not Verdict.CONFORMS]
    wrong = [
        *(["the run is incomplete"] if not run.complete else []),
        *(f"{record.case} {record.dtype}: {record.verdict} {record.message}" for record in harmed[:3]),
        *([f"must be {verdict}: {message}"] if struck.verdict != verdict or message not in struck.message else []),
    ]
    return Struck(fault, struck.verdict, struck.message, "; ".join(wrong))


def _split_struck(records: Sequence[Record]) -> tuple[Record, Sequence[Record]]:
    """The struck case's record, and all others."""
    (struck,) = (record for record in records if (record.case, record.dtype) == (STRUCK, DTYPE))
    return struck, [record for record in records if record is not struck]
