"""What became of a case from one run to another: its answer in each, and the change that the pair of the two is.

A case is right, refused, wrong or dead in each run.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from conformance.records.record import Record, Verdict


class Change(StrEnum):
    """What became of a case, the worst first, and what is better before what is only said otherwise."""

    CRASH = "crash"
    BROKEN = "broken"
    NEWLY_REFUSED = "newly-refused"
    VANISHED = "vanished"
    APPEARED = "appeared"
    CHANGED_VALUE = "changed-value"
    FLAKY = "flaky"
    LESS_PRECISE = "less-precise"
    DRIFT = "drift"
    SLOWER = "slower"
    FIXED = "fixed"
    CONTAINED = "contained"
    NEWLY_ACCEPTED = "newly-accepted"
    MORE_PRECISE = "more-precise"
    FASTER = "faster"
    CHANGED_MESSAGE = "changed-message"
    OLD_ONLY = "old-only"
    NEW_ONLY = "new-only"


MEANING: Mapping[Change, str] = {
    Change.CRASH: "the process died or was ended, and did not before",
    Change.BROKEN: "right, or refused, before, and now wrong",
    Change.NEWLY_REFUSED: "right before, and now refused",
    Change.VANISHED: "only the old run has the case, although both name the same case set",
    Change.APPEARED: "only the new run has the case, although both name the same case set",
    Change.CHANGED_VALUE: "wrong before, and now wrong in another way",
    Change.FLAKY: "repeated runs of one build do not agree",
    Change.LESS_PRECISE: "right as before, but it rounds more of its sums: another class of accumulation",
    Change.DRIFT: "right as before, within rounding, but further from the exact answer",
    Change.SLOWER: "slower by more than repeated runs of one build vary",
    Change.FIXED: "wrong, or dead, before, and now right",
    Change.CONTAINED: "wrong before, and now refused",
    Change.NEWLY_ACCEPTED: "refused before, and now right",
    Change.MORE_PRECISE: "right as before, and it rounds less of its sums: another class of accumulation",
    Change.FASTER: "faster by more than repeated runs of one build vary",
    Change.CHANGED_MESSAGE: "refused or dead as before, in other words",
    Change.OLD_ONLY: "only the old run was to have the case",
    Change.NEW_ONLY: "only the new run was to have the case",
}
WORSE = (
    Change.CRASH, Change.BROKEN, Change.NEWLY_REFUSED, Change.VANISHED, Change.APPEARED, Change.CHANGED_VALUE,
    Change.FLAKY, Change.LESS_PRECISE, Change.DRIFT, Change.SLOWER,
)  # fmt: skip

MENDED = (Change.FIXED, Change.CONTAINED, Change.NEWLY_ACCEPTED)
"""What is no longer wrong, or no longer refused: the region of a fault that one build has."""

OF_THE_MACHINE = (Change.LESS_PRECISE, Change.MORE_PRECISE, Change.DRIFT, Change.SLOWER, Change.FASTER)
"""What another machine alone does to the same build: it rounds otherwise, and takes another time."""

DRIFT = 2.0
"""The factor by which an error must grow, beyond a single rounding, to be told."""

_RIGHT, REFUSED, _WRONG, _DEAD = "right", "refused", "wrong", "dead"
_CHANGES: Mapping[tuple[str, str], Change] = {
    (_RIGHT, REFUSED): Change.NEWLY_REFUSED,
    (_RIGHT, _WRONG): Change.BROKEN,
    (REFUSED, _WRONG): Change.BROKEN,
    (REFUSED, _RIGHT): Change.NEWLY_ACCEPTED,
    (_WRONG, _RIGHT): Change.FIXED,
    (_DEAD, _RIGHT): Change.FIXED,
    (_WRONG, REFUSED): Change.CONTAINED,
    (_DEAD, REFUSED): Change.CONTAINED,
    (_DEAD, _WRONG): Change.CHANGED_VALUE,
    (_RIGHT, _DEAD): Change.CRASH,
    (REFUSED, _DEAD): Change.CRASH,
    (_WRONG, _DEAD): Change.CRASH,
}


def classify(old: Record, new: Record, drift: float = DRIFT) -> Change | None:
    """What became of a case; None where nothing did, and no error within bounds grew by more than a factor."""
    was, now = state_of(old), state_of(new)
    if was != now:
        return _CHANGES[was, now]
    if was == _WRONG and (old.verdict, old.kind, old.actual) != (new.verdict, new.kind, new.actual):
        return Change.CHANGED_VALUE
    if answer_of(old) != answer_of(new):
        return Change.CHANGED_MESSAGE
    was, now = accumulation(old), accumulation(new)
    if was != now and was and now and state_of(new) == _RIGHT:
        return Change.LESS_PRECISE if CLASSES.index(now) > CLASSES.index(was) else Change.MORE_PRECISE
    return Change.DRIFT if rho(new) > drift * max(rho(old), 1) else None  # a single rounding is as good as none


CLASSES = "ASBC"
"""The classes of accumulation, each of which allows what the one before it allows."""


def accumulation(record: Record) -> str:
    """The class by which an answer was added up, as measured; empty where that is not known."""
    measured = (record.accumulation or {}).get("measured", "")
    return measured if measured in CLASSES else ""


def rho(record: Record) -> float:
    """How far an answer that cannot be exact was rounded; 0 for any other."""
    return (record.rounding or {}).get("rho", 0)


def state_of(record: Record) -> str:
    """Whether a case is right, refused, wrong or dead."""
    if record.verdict == (record.claimed or Verdict.CONFORMS):
        return _RIGHT
    if record.verdict in (Verdict.REJECTS, Verdict.UNSUPPORTED):
        return REFUSED
    return _DEAD if record.verdict in (Verdict.CRASHED, Verdict.TIMED_OUT) else _WRONG


def answer_of(record: Record) -> tuple[str, ...]:
    """All of a record that two runs of the same build agree on, but for chance."""
    message = plain(record.message)
    if state_of(record) == _DEAD:  # the innermost Python function is a clue for people, and no answer
        message = message.partition(" in ")[0]
    return record.verdict, record.kind, record.answer, message


_VOLATILE = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b\d{1,2}:\d{2}:\d{2}(\.\d+)?\b"), "…"),
    (re.compile(r"(?<![\w.])/?(?:[\w.@+-]+/)+([\w.@+-]+)"), r"\1"),
    (re.compile(r"(\.(?:cc|h|cpp|cu|py|inl|hpp)):\d+"), r"\1"),
    (re.compile(r"\b([a-z]+)\d+(_[a-z]+)\d*\b"), r"\1…\2"),
    (re.compile(r"\b([a-z][a-z0-9_]*_)\d+\b"), r"\1…"),
)
"""What differs between two builds, or two runs, without a change: addresses, times, folders, line numbers, and the
names that a framework makes by counting, such as conv17_deconvolution0 and conv2d_transpose_4."""


def plain(message: str) -> str:
    """A message without what means nothing in another run, such as addresses, folders and lines of source."""
    for pattern, instead in _VOLATILE:
        message = pattern.sub(instead, message)
    return message
