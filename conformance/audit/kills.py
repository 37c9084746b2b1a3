"""The audit of the cases: which mutants they kill, which few cases would be enough, and what a process can do to a run.

A mutant meets the cases in their order; a case kills it where a framework with its answer would not conform. Answers
are looked at when a block of calls has been made, as those of a compiling framework are.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.audit import mutants
from conformance.audit.mutants import Mutant
from conformance.audit.mutants.base import Implementation
from conformance.numerics.operands import modified
from conformance.records import record, record_file
from conformance.records.record import Record, Verdict
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference

SUITES = ("smoke", "curated", "covering", "grid", "core")
"""Every suite whose kills are counted; the last holds all the others."""

LEAST = {"smoke": 0.95, "core": 1.0}
"""The share of the mutants that a suite must kill."""

DTYPE = "float32"
BLOCK = 16

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
class Matrix:
    """Which case kills which function mutant: `kills` is (mutants, cases)."""

    mutants: Sequence[Mutant]
    cases: Sequence[Case]
    kills: NDArray[np.bool_]

    def of(self, suite: Suite) -> NDArray[np.bool_]:
        """The columns of a suite's cases."""
        ids = {case.id for case in suite.cases}
        return self.kills[:, [case.id in ids for case in self.cases]]


def kill_matrix(suite: Suite, chosen: Sequence[Mutant] = mutants.FUNCTIONS) -> Matrix:
    """Every chosen mutant on every case of a suite, on all cores."""
    References(suite)  # once, before every process wants them
    with ProcessPoolExecutor() as pool:
        rows = pool.map(partial(_row, suite.name), [mutants.FUNCTIONS.index(mutant) for mutant in chosen])
        return Matrix(chosen, suite.cases, np.array(list(rows)))


def killers(answer: Implementation, suite: Suite, references: References) -> NDArray[np.bool_]:
    """For each case of a suite, whether an implementation is seen to be wrong by it.

    It is where `run.evaluate` would not find it conforming; records are left out, which are what takes time there.
    """
    drawn = [references[case] for case in suite.cases]
    blocks = (slice(start, start + BLOCK) for start in range(0, len(drawn), BLOCK))
    return np.array([wrong for block in blocks for wrong in _wrong(answer, suite.cases[block], drawn[block])])


def _wrong(answer: Implementation, block: Sequence[Case], drawn: Sequence[Reference]) -> list[bool]:
    operands = [reference.arrays.astype(DTYPE) for reference in drawn]
    before = [given.contents() for given in operands]
    actual = [answer(case.problem, *given) for case, given in zip(block, operands, strict=True)]
    return [
        y.dtype != DTYPE or not np.array_equal(y, reference.expected) or modified(given, then) is not None
        for y, reference, given, then in zip(actual, drawn, operands, before, strict=True)
    ]


def _row(name: str, number: int) -> NDArray[np.bool_]:
    return killers(mutants.FUNCTIONS[number].make(), *_suite_with_references(name))


@cache
def _suite_with_references(name: str) -> tuple[Suite, References]:
    suite = cases.read_suite(name)
    return suite, References(suite)


def smallest_cover(kills: NDArray[np.bool_]) -> list[int]:
    """The fewest cases that kill every mutant that any kills, exactly; the first such set in the order of cases."""
    killable = kills[kills.any(axis=1)]
    masks: dict[int, int] = {}
    for case, column in enumerate(killable.T):
        masks.setdefault(int.from_bytes(np.packbits(column).tobytes(), "big"), case)
    largest = _undominated(masks)
    everything = int.from_bytes(np.packbits(np.ones(len(killable), bool)).tobytes(), "big")
    for size in range(len(killable) + 1):
        if (cover := _cover(largest, everything, size)) is not None:
            return sorted(masks[mask] for mask in cover)
    raise AssertionError("as many cases as mutants always are enough")


def _undominated(masks: Iterable[int]) -> list[int]:
    """The sets that are no part of another one, the largest first."""
    kept: list[int] = []
    for mask in sorted(masks, key=int.bit_count, reverse=True):
        if mask and not any(mask & ~other == 0 for other in kept):
            kept.append(mask)
    return kept


def _cover(masks: Sequence[int], left: int, size: int) -> list[int] | None:
    """At most `size` of the sets that hold everything that is left: one of them holds the bit that fewest hold."""
    if not left:
        return []
    most = max(((mask & left).bit_count() for mask in masks), default=0)
    if left.bit_count() > size * most:
        return None
    bits = [1 << at for at in range(left.bit_length()) if left >> at & 1]
    rarest = min(bits, key=lambda bit: sum(bit & mask != 0 for mask in masks))
    for mask in masks:
        if mask & rarest and (rest := _cover(masks, left & ~mask, size - 1)) is not None:
            return [mask, *rest]
    return None


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
