"""How well lanes add up: the errors of the answers that no dtype holds exactly, all of them within bounds."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from conformance.records.record import Record, Run, Verdict
from conformance.regression.change import CLASSES, accumulation


@dataclass(frozen=True, slots=True)
class Rounded:
    """A lane's conforming answers in a dtype: errors in units of u * (convT(|x|, |w|) + |bias|), and of their bound.

    `longest` is the number of terms of the longest sum; `worst` is the record with the largest error, and `errors` are
    all, sorted. `declared` is the class of accumulation that the adapter declares, and `measured` the first that all of
    the answers are within, with `outlier`, a record that is within none before it.
    """

    lane: str
    dtype: str
    cases: int
    longest: int
    median: float
    largest: float
    share: float
    worst: Record
    errors: tuple[float, ...]
    declared: str
    measured: str
    outlier: Record


def rounded(runs: Sequence[Run]) -> Iterator[Rounded]:
    """A row for each lane and dtype that has such answers."""
    rows: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in (record for run in runs for record in run.records):
        if record.rounding and record.verdict is Verdict.CONFORMS:
            rows[record.lane, record.dtype].append(record)
    for (lane, dtype), those in sorted(rows.items()):
        yield _row(lane, dtype, those)


def _row(lane: str, dtype: str, those: Sequence[Record]) -> Rounded:
    measured = [record.rounding or {} for record in those]
    errors = sorted(each["rho"] for each in measured)
    worst = max(those, key=lambda record: ((record.rounding or {})["rho"], record.key))
    declared = next((record.accumulation["declared"] for record in those if record.accumulation), "")
    outlier = max(those, key=lambda record: (_place(record), (record.rounding or {})["rho"], record.key))
    return Rounded(
        lane, dtype, len(those), int(max(each["terms"] for each in measured)), median(errors), errors[-1],
        max(each["share"] for each in measured), worst, tuple(errors), declared, accumulation(outlier), outlier,
    )  # fmt: skip


def _place(record: Record) -> int:
    """Where the class of an answer stands, the least rounded first; one that is not known before all."""
    return CLASSES.index(accumulation(record)) if accumulation(record) else -1
