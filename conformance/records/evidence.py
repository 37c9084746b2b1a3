"""Whether a run is evidence: how much of it was answered, and how much of it must be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from conformance.io.terminal import plural, verdict_counts
from conformance.records.record import Header, Verdict

ANSWERED = (Verdict.CONFORMS, Verdict.DIVERGES, Verdict.ACCEPTS_INVALID)
"""The verdicts of records for which an array came."""


class Floor(NamedTuple):
    """How many records of a suite a lane must answer: `answered` of as many as the whole suite had then."""

    answered: int
    of: int

    def least(self, recorded: int) -> int:
        """How many of so many records must be answered; in a part of the suite, all that the whole may lack may be."""
        return max(0, self.answered - max(0, self.of - recorded))


def answered(verdicts: Mapping[Any, int]) -> int:
    """How many records got an array, whether it is right or not."""
    return sum(verdicts.get(verdict, 0) for verdict in ANSWERED)


def absent_evidence(header: Header, verdicts: Mapping[Any, int]) -> str:
    """Why a run that has records is no evidence, in words that follow its name; empty where it is.

    A shard or a narrowed run may hold nothing but what the framework refuses, so that neither is judged.
    """
    if header.selection or header.shard != (1, 1) or not (total := sum(verdicts.values())):
        return ""
    if verdicts.get(Verdict.UNSUPPORTED) == total:
        return f"answers nothing: 0 of {plural(total, 'record')}, all of them are unsupported"
    if not verdicts.get(Verdict.CONFORMS):
        counts = verdict_counts({verdict: verdicts.get(verdict, 0) for verdict in Verdict})
        return f"conforms nowhere: 0 of {plural(total, 'record')}: {counts}"
    return ""


def below_floor(verdicts: Mapping[Any, int], floor: Floor | None) -> str:
    """That a run, or a part of one, answers less than it must, in words that follow its name; else empty."""
    total, count = sum(verdicts.values()), answered(verdicts)
    if floor is None or count >= (least := floor.least(total)):
        return ""
    whole = "" if total == floor.of else f", since its suite's is {floor.answered:,} of {floor.of:,}"
    return f"answers {count:,} of {plural(total, 'record')}, its floor is {least:,}{whole}"
