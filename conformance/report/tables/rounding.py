"""How well lanes add up: the errors of the answers that no dtype holds exactly, all of them within bounds."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from conformance.records.record import Record, Run, Verdict


@dataclass(frozen=True, slots=True)
class Rounded:
    """A lane's conforming answers in a dtype: errors in units of u * (convT(|x|, |w|) + |bias|), and of their bound.

    `longest` is the number of terms of the longest sum; `worst` is the record with the largest error.
    """

    lane: str
    dtype: str
    cases: int
    longest: int
    median: float
    largest: float
    share: float
    worst: Record


def rounded(runs: Sequence[Run]) -> Iterator[Rounded]:
    """A row for each lane and dtype that has such answers."""
    rows: dict[tuple[str, str], list[tuple[float, float, float, Record]]] = defaultdict(list)
    for record in (record for run in runs for record in run.records):
        if record.rounding and record.verdict is Verdict.CONFORMS:
            measured = record.rounding
            rows[record.lane, record.dtype].append((measured["rho"], measured["share"], measured["terms"], record))
    for (lane, dtype), those in sorted(rows.items()):
        rho, share, terms, _ = zip(*those, strict=True)
        worst = max(those, key=lambda row: (row[0], row[3].key))[3]
        yield Rounded(lane, dtype, len(those), int(max(terms)), median(rho), max(rho), max(share), worst)
