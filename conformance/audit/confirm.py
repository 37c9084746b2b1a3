"""Divergences confirmed on paths of their own: by the other oracles, and by a literal script in a fresh process.

A divergence that only this harness sees would be a fault of the harness. The expected array must be that of all three
oracles, and of a gradient that of both derivations; the script, which is plain framework code, must give the very array
that the record has.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, oracle
from conformance.adapters.base import Lane
from conformance.calls import reproducer
from conformance.calls.reproducer import Reproducer
from conformance.io.array_files import read_array
from conformance.io.bounded import BoundError, read_named_text
from conformance.numerics import gradients, operands, upstream
from conformance.numerics.deviation import fingerprint, measure_deviation
from conformance.problem import FORWARD, Problem
from conformance.records.record import Record

Array = NDArray[Any]

TIMEOUT = 600
"""Seconds for the scripts of one process; one that has no answer then is run again alone."""
RUNNER = """
import os, runpy, sys, traceback
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        runpy.run_path("reproduce.py")
    except Exception:
        open("error", "w", encoding="utf-8", errors="replace").write(traceback.format_exc())
"""
"""Runs some scripts in one process. Neither it nor they import anything of this package."""


class Finding(StrEnum):
    """What became of a divergence."""

    CONFIRMED = "confirmed"
    VARIES = "wrong, but not as recorded"
    ORACLES = "the oracles differ"
    RIGHT = "the script gives the expected array"
    NOTHING = "the script gave no array"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A diverging record, and what its confirmation found."""

    record: Record
    finding: Finding
    message: str = ""


def confirm(
    lane: Lane, records: Sequence[Record], python: str, *, at_once: int = 250, keep: Path | None = None
) -> Iterator[Confirmation]:
    """Confirm diverging records of a lane, so many scripts a process. `keep` is where scripts and arrays stay."""
    for start in range(0, len(records), at_once):
        with tempfile.TemporaryDirectory(prefix="conformance-") as name:
            yield from _confirm(lane, records[start : start + at_once], python, (keep or Path(name)).resolve())


def _confirm(lane: Lane, records: Sequence[Record], python: str, folder: Path) -> Iterator[Confirmation]:
    scripts = {_place(folder, record): reproducer.write(record) for record in records}
    for place, script in scripts.items():
        _put(place, script)
    _run(lane, python, list(scripts))
    for place in scripts:
        if (
            not (place / "y.npy").exists() and not (place / "error").exists()
        ):  # another one ended the process, or took its time
            _run(lane, python, [place])
    for record, (place, script) in zip(records, scripts.items(), strict=True):
        yield _judge(record, script, place)


def _place(folder: Path, record: Record) -> Path:
    return folder / record.lane / "-".join(part.replace("/", "-").replace("..", "-") for part in record.key)


def _put(place: Path, script: Reproducer) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for stale in ("y.npy", "error"):
        (place / stale).unlink(missing_ok=True)
    (place / "reproduce.py").write_text(script.text, encoding="utf-8")
    for name, array in script.operands.items():
        np.save(place / f"{name}.npy", np.ascontiguousarray(array))


def _run(lane: Lane, python: str, places: Sequence[Path]) -> None:
    settings = adapters.settings(lane)
    command = [python, "-I", "-c", RUNNER, *map(str, places)]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=os.environ | settings, capture_output=True, timeout=TIMEOUT, check=False)


def _expected(record: Record, problem: Problem) -> tuple[Array, list[tuple[str, Array]]]:
    """The expected array of a record, and what other derivations give, by their names."""
    if record.direction == FORWARD:
        arrays = operands.draw(record.case, problem, record.dtype)
        others = (oracle.by_zero_insertion, oracle.by_matrix)
        return oracle.expected(problem, *arrays), [(other.__name__, other(problem, *arrays)) for other in others]
    drawn = upstream.draw(record.case, problem, operands.drawn_for(record.dtype))
    by_canvas = gradients.by_canvas(problem, record.direction, *drawn)
    return gradients.expected(problem, record.direction, *drawn), [("by_canvas", by_canvas)]


def _judge(record: Record, script: Reproducer, place: Path) -> Confirmation:
    expected, others = _expected(record, script.problem)
    for name, other in others:
        if not np.array_equal(expected, other):
            return Confirmation(record, Finding.ORACLES, name)
    expected = expected.astype(operands.held_in(record.dtype))
    if fingerprint(expected) != record.expected:
        return Confirmation(record, Finding.ORACLES, "the record's expected array is another")
    try:
        actual = script.canonical(read_array(place / "y.npy"))
    except (OSError, BoundError, ValueError):
        ended = f"it died, or gave no answer in {TIMEOUT} s"
        error = read_named_text(place / "error").strip() if (place / "error").exists() else ""
        return Confirmation(record, Finding.NOTHING, (error or ended).splitlines()[-1])
    if fingerprint(actual) == record.actual:
        return Confirmation(record, Finding.CONFIRMED)
    deviation = measure_deviation(actual, expected)
    if deviation is None:
        return Confirmation(record, Finding.RIGHT)
    return Confirmation(record, Finding.VARIES, deviation.message)
