"""The shell command that judges a record again."""

import shlex
from collections.abc import Sequence

from conformance.problem import FORWARD
from conformance.records.calls import RecordedCallError, parse
from conformance.records.record import FUNCTION, IDIOMS, NEGATIVE, PORTS, ROUNDING, Record, SubjectKind

SCANNED = "SCAN.jsonl:weights"
"""What stands for the scan of a model that a case with the model's own weights is of."""


def reproduction(record: Record) -> str:
    """The shell command that judges a record's case again, on the same data, in its lane and dtype.

    Of a function, which no command knows, it is the line of Python.
    """
    if record.variant == FUNCTION:
        return f"conformance.check({record.framework}, cases=[{record.case!r}], dtypes=[{record.dtype!r}])"
    lane = ["--variant", record.variant]
    if record.subject is SubjectKind.CLAIM:
        return _shell("claims", "check", record.case, "--framework", record.framework, *lane)
    lane += ["--dtype", record.dtype, "--case", record.case]
    lane += [] if record.direction == FORWARD else ["--pass", record.direction]
    if (record.rounding or {}).get("learnt"):
        return _run(record, SCANNED)
    if record.fault or record.rounding:
        return _run(record, NEGATIVE if record.fault else ROUNDING)
    if record.subject is SubjectKind.PROBLEM:
        return _shell("call", record.framework, record.problem, *lane)
    source = record.ported_from
    try:
        call = parse(record.call)
    except RecordedCallError:
        return _run(record, PORTS if source else IDIOMS)
    words = [call.text, *(word for shape in call.words for word in ("--shape", shape))]
    if source:
        return _shell("port", *words, "--from", source, "--to", record.framework, *lane[:2], "--verify")
    return _shell("call", record.framework, *words, *lane)


def of_suites(lane: str, suites: Sequence[str]) -> str:
    """What runs suites on a lane: a shell command, or the lines of Python of a function."""
    framework, _, variant = lane.partition("-")
    if variant == FUNCTION:
        calls = [f"conformance.check({framework}, suite={suite!r})" for suite in suites or ("core",)]
        return "; ".join(f"{call}.write(FOLDER)" for call in calls)
    return _shell("run", framework, "--variant", variant, *(word for suite in suites for word in ("--suite", suite)))


def _run(record: Record, suite: str) -> str:
    words = ("--variant", record.variant, "--suite", suite, "--case", record.case, "--dtype", record.dtype)
    return _shell("run", record.framework, *words)


def _shell(*words: str) -> str:
    """A command of ours for a POSIX shell."""
    return shlex.join(["conformance", *words])
