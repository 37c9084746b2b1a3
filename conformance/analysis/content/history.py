"""What is kept of earlier runs, as the report tells it: of each fault since when, of each case what it was before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.records.record import Key, Record, Run
from conformance.regression.history import Line, Since, Store, nights
from conformance.report.content.history import Kept, Night, Past, State


@dataclass(frozen=True, slots=True)
class History:
    """What is kept, and the lives of the cases that fail in the report's runs or changed, by lane and key.

    `tonight` is when the report's run of a lane and suite began.
    """

    kept: Kept
    lines: Mapping[tuple[str, Key], Line]
    tonight: Mapping[tuple[str, str], str]


NOTHING = History(Kept(), {}, {})


def read(path: Path, runs: Sequence[Run]) -> History:
    """The history as of the night of some runs, with them. Raises StoreError where the file is none."""
    failing = {
        (run.header.lane, run.header.suite): {record.key for record in run.records if record.fails} for run in runs
    }
    with Store(path) as whole, whole.until(runs) as store:
        starts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for lane, suite, started, _ in store.runs():
            starts[lane, suite].append(started)
        lines = {
            (line.lane, line.key): line for line in store.lines()
            if (line.lane, line.suite) in failing
            and (len(line.states) > 1 or line.key in failing[line.lane, line.suite])
        }  # fmt: skip
    changed = {name: tuple(map(_state, line.states)) for name, line in lines.items() if len(line.states) > 1}
    kept = Kept({name: (those[0], len(those)) for name, those in starts.items()}, changed)
    return History(kept, lines, {(run.header.lane, run.header.suite): run.header.started for run in runs})


def _state(since: Since) -> State:
    return State(since.started, since.version, since.verdict, since.message, since.flaky)


def of_fault(records: Sequence[Record], history: History) -> Past | None:
    """Since when some records of a framework fail as they do; None where nothing is kept of them."""
    standings = [
        (history.lines[name], record) for record in records if (name := (record.lane, record.key)) in history.lines
    ]
    if not standings:
        return None
    since, begins, tonight = min(_times(*standing, history) for standing in standings)
    lines = {
        (line.lane, line.suite): [
            other for other, _ in standings if (other.lane, other.suite) == (line.lane, line.suite)
        ] for line, _ in standings
    }  # fmt: skip
    return Past(since, begins, tonight, tuple(
        Night(", ".join(name), night.started, night.version, str(night))
        for name in sorted(lines) for night in nights(lines[name])
    ))  # fmt: skip


def _times(line: Line, record: Record, history: History) -> tuple[str, str, str]:
    """Since when a record has its verdict without a break, since when there are runs, and when this one began."""
    suite = line.lane, line.suite
    since = tonight = history.tonight[suite]
    for state in reversed(line.states):
        if state.verdict != record.verdict:
            break
        since = state.started
    return since, history.kept.starts[suite][0], tonight
