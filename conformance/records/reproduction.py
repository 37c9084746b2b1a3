"""The shell command that judges a record again."""

import shlex

from conformance.records.calls import RecordedCallError, parse
from conformance.records.record import IDIOMS, NEGATIVE, PORTS, ROUNDING, Record, SubjectKind


def reproduction(record: Record) -> str:
    """The shell command that judges a record's case again, on the same data, in its lane and dtype."""
    lane = ["--variant", record.variant]
    if record.subject is SubjectKind.CLAIM:
        return _shell("claims", "check", record.case, "--framework", record.framework, *lane)
    lane += ["--dtype", record.dtype, "--case", record.case]
    if record.fault or record.rounding:
        return _run(record, NEGATIVE if record.fault else ROUNDING)
    if record.subject is SubjectKind.PROBLEM:
        return _shell("one", record.framework, record.problem, *lane)
    source = record.ported_from
    try:
        call = parse(record.call)
    except RecordedCallError:
        return _run(record, PORTS if source else IDIOMS)
    words = [call.text, *(word for shape in call.words for word in ("--shape", shape))]
    if source:
        return _shell("port", *words, "--from", source, "--to", record.framework, *lane[:2], "--verify")
    return _shell("call", record.framework, *words, *lane)


def _run(record: Record, suite: str) -> str:
    words = ("--variant", record.variant, "--suite", suite, "--case", record.case, "--dtype", record.dtype)
    return _shell("run", record.framework, *words)


def _shell(*words: str) -> str:
    """A command of ours for a POSIX shell."""
    return shlex.join(["conformance", *words])
