"""The front page's answer, and the matrix under it: what each lane made of each suite."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conformance.io.terminal import plural
from conformance.records.record import NEGATIVE, Record, Run, SubjectKind, Verdict

NAMED = 3
"""How many lanes a sentence names, if there are at least two more."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A lane in a suite: its verdicts, how many records are right, and how many were to come.

    A record is right that conforms, or refuses what is to be refused.
    """

    suite: str
    verdicts: Mapping[str, int]
    right: int
    recorded: int
    expected: int


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A lane, with a cell for each suite of the matrix; None for one that it did not run."""

    lane: str
    framework: str
    version: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Lanes by suites."""

    suites: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that occur in it."""
        present = {name for row in self.rows for cell in row.cells if cell for name in cell.verdicts}
        return tuple(verdict for verdict in Verdict if verdict in present)


def matrix(runs: Sequence[Run]) -> Matrix:
    """The matrix of some runs; the suite with the most records is the first column, hostile calls are the last."""
    parts: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    sizes: Counter[str] = Counter()
    for run in runs:
        parts[run.header.lane][run.header.suite].append(run)
        sizes[run.header.suite] += len(run.records)
    suites = tuple(sorted(sizes, key=lambda suite: (suite == NEGATIVE, -sizes[suite], suite)))
    return Matrix(suites, tuple(_row(lane, by_suite, suites) for lane, by_suite in parts.items()))


def _row(lane: str, by_suite: Mapping[str, Sequence[Run]], suites: Sequence[str]) -> MatrixRow:
    header = next(iter(by_suite.values()))[0].header
    cells = tuple(_cell(suite, by_suite[suite]) if suite in by_suite else None for suite in suites)
    return MatrixRow(lane, header.framework, header.version or "not recorded", cells)


def _cell(suite: str, runs: Sequence[Run]) -> Cell:
    counts = Counter[str]()
    for run in runs:
        counts.update(run.verdicts)
    ordered = {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}
    records = [record for run in runs for record in run.records]
    return Cell(suite, ordered, sum(map(is_right, records)), len(records), sum(run.header.expected for run in runs))


def is_right(record: Record) -> bool:
    """Whether a record is what is hoped for: the right answer, or the refusal of a call that is to be refused."""
    return not record.fails and record.verdict not in (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE)


def answer(runs: Sequence[Run]) -> str:
    """Whether the lanes of some runs agree on valid calls, in at most three sentences."""
    lanes = _valid_calls(runs)
    if not lanes:
        return "These records hold no valid call, so they do not say whether the frameworks agree."
    wrong = _most_first({lane: (counts.wrong, counts.calls) for lane, counts in lanes.items()})
    silent = _most_first({
        lane: (counts.unanswered, counts.calls) for lane, counts in lanes.items() if not counts.wrong
    })  # fmt: skip
    right = [lane for lane, counts in lanes.items() if not (counts.unanswered or counts.wrong)]
    if wrong:
        text = (
            f"No: {len(wrong)} of {plural(len(lanes), 'lane')} {_verb(wrong, 'gives', 'give')} another answer than "
            f"expected to some valid calls: {_list(wrong)}."
        )
    elif len(lanes) == 1:
        (only,) = lanes
        text = f"Only {only} was run. It gives no other answer than expected to a valid call."
    else:
        text = "Yes, where they answer: no lane gives another answer than expected to a valid call."
    if silent:
        text += f" Never wrong, but without an answer to some: {_list(silent)}."
    if right:
        text += f" Right every time: {_list(right)}."
    return text


def _most_first(counts: Mapping[str, tuple[int, int]]) -> list[str]:
    """Lanes with how many of their calls are counted, the most of these first; lanes with none are left out."""
    lanes = sorted((lane for lane, (some, _) in counts.items() if some), key=lambda lane: -counts[lane][0])
    return [f"{lane} ({counts[lane][0]:,} of {counts[lane][1]:,})" for lane in lanes]


@dataclass(slots=True)
class _Valid:
    """What a lane made of valid calls, in counts."""

    calls: int = 0
    wrong: int = 0
    unanswered: int = 0


def _valid_calls(runs: Iterable[Run]) -> dict[str, _Valid]:
    lanes: dict[str, _Valid] = defaultdict(_Valid)
    for run in runs:
        for record in run.records:
            if not _is_valid_call(record):
                continue
            counts = lanes[run.header.lane]
            counts.calls += 1
            if not is_right(record):
                counts.wrong += record.verdict in (Verdict.DIVERGES, Verdict.ACCEPTS_INVALID)
                counts.unanswered += record.verdict not in (Verdict.DIVERGES, Verdict.ACCEPTS_INVALID)
    return lanes


def _is_valid_call(record: Record) -> bool:
    """Whether a right answer exists and can be told; it cannot where no operands are exact."""
    refused = record.fault or record.claimed == Verdict.REJECTS
    return not (refused or record.undrawn or record.subject is SubjectKind.CLAIM)


def _verb(lanes: Sequence[str], one: str, many: str) -> str:
    return one if len(lanes) == 1 else many


def _list(names: Sequence[str]) -> str:
    """The first names in a row, and how many others there are."""
    if len(names) > NAMED + 1:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
