"""Runs over time, in one SQLite file: of every run its header, and of its records only what was not so before.

A night rarely changes anything, so a year of nights is little more than one of them, and "since when" is one query.
"""

import json
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

from conformance.io.terminal import verdict_counts
from conformance.records.record import Key, Run
from conformance.regression.change import plain

FORMAT = 1
DEFAULT = Path("reports/history.sqlite3")
"""Where the history is unless another file is named."""
ABSENT = "absent"
"""The verdict of a case that a run does not have any more."""

_TABLES = """
create table runs (
    id integer primary key, lane text, suite text, started text, version text, environment text, oracle text,
    unique (lane, suite, started)
);
create table answers (
    run integer references runs, "case" text, dtype text, pass text, problem text, verdict text, kind text, actual text,
    message text, primary key (run, "case", dtype, pass)
) without rowid;
create index answers_of_a_case on answers ("case");
"""
_LAST = """
select a."case", a.dtype, a.pass, a.problem, a.verdict, a.kind, a.actual, a.message
from answers a join runs r on r.id = a.run
where r.lane = ? and r.suite = ? and r.started <= ? order by r.started
"""
_ALL = """
select r.lane, r.suite, a."case", a.dtype, a.pass, r.started, r.version, r.environment, a.problem, a.verdict, a.kind,
    a.actual, a.message
from answers a join runs r on r.id = a.run {where} order by r.lane, r.suite, a."case", a.dtype, a.pass, r.started
"""
_RUNS = "select lane, suite, started, environment from runs order by started"
Row = tuple[str, ...]
Stood = tuple[str, str]
"""A run's build and machine, as text."""
GONE: Row = ("", ABSENT, "", "", "")
"""The answer of a case that a run does not have any more."""

MEMORY = ":memory:"
PATIENCE = 5.0
"""Seconds to wait for another process that writes."""

_DAMAGED = "is damaged, or no history ({}): move it away, and keep the runs again with `conformance history --add`"
_ERRORS = {
    sqlite3.SQLITE_BUSY: "another process is writing it: wait for that one and run this again",
    sqlite3.SQLITE_LOCKED: "another process is writing it: wait for that one and run this again",
    sqlite3.SQLITE_FULL: "the disk is full, nothing was changed: make room and run this again",
    sqlite3.SQLITE_IOERR: "cannot be read or written ({}): see to the disk and its room, and run this again",
    sqlite3.SQLITE_READONLY: "is read only: check its permissions and those of its folder",
    sqlite3.SQLITE_PERM: "is not to be opened: check its permissions and those of its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the path, its permissions and those of its folder",
    sqlite3.SQLITE_NOMEM: "there is no memory left: end something else and run this again",
}
"""What follows from SQLite's errors; from all others, that the file is damaged."""


class StoreError(ValueError):
    """A store, or a run for it, that cannot be used; the message names it and the next step."""


@dataclass(frozen=True, slots=True)
class Since:
    """From which run on a case is what it is; `flaky` where the very same build and machine last answered otherwise.

    `moved` where only the same build on another machine did.
    """

    started: str
    version: str
    problem: str
    verdict: str
    kind: str
    message: str
    flaky: bool
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The life of one case on one lane, oldest first."""

    lane: str
    suite: str
    key: Key
    states: tuple[Since, ...]


@dataclass(frozen=True, slots=True)
class Night:
    """How many of some cases had which verdict from a run on; `flaky` of them changed though the build did not."""

    started: str
    version: str
    counts: Counter[str]
    flaky: int

    def __str__(self) -> str:
        counted = verdict_counts(dict(sorted(self.counts.items()))) or "no case"
        return counted + (f" ({self.flaky:,} flaky)" if self.flaky else "")


class Store:
    """A history file, made where there is none. Whatever SQLite finds wrong with it raises StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        memory = str(path) == MEMORY
        if not memory and path.exists() and not path.is_file():
            raise StoreError(f"{path}: is no regular file: give another name")
        with self._guarded():
            if not memory:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=PATIENCE)
        try:
            with self._guarded():
                version = self._version()
        except StoreError:
            self._db.close()
            raise
        if version != FORMAT:
            self._db.close()
            raise StoreError(f"{path}: a history of format {version}, this version has {FORMAT}: give another file")

    def _version(self) -> int:
        version: int = self._db.execute("pragma user_version").fetchone()[0]
        if version == 0 and not self._db.execute("select * from sqlite_master").fetchone():
            self._db.executescript(f"begin; {_TABLES} pragma user_version = {FORMAT}; commit;")
            return FORMAT
        return version

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Each of SQLite's errors as a line with its own next step."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says where in SQLite
            raise StoreError(f"{self.path}: {_ERRORS.get(code, _DAMAGED).format(error)}") from None

    def add(self, run: Run) -> int | None:
        """Keep a run, in whatever order of dates; how many answers changed with it, and None where it is there already.

        Raises StoreError for a run that is incomplete or a part.
        """
        header = run.header
        name = f"{header.lane}, {header.suite}, {header.started or 'without a date'}"
        if not run.complete or not run.records or header.selection or header.shard != (1, 1) or not header.started:
            raise StoreError(f"{name}: incomplete, narrowed or a shard: only whole runs are kept")
        of = header.lane, header.suite, header.started
        with self._guarded(), self._db:  # one transaction: a run is there whole or not at all
            if self._db.execute("select 1 from runs where (lane, suite, started) = (?, ?, ?)", of).fetchone():
                return None
            before, now = self._answers(*of), dict(_answers(run))
            later = self._next(*of)
            after = self._answers(*of[:2], later[1]) if later else {}
            environment = json.dumps([dict(header.environment), dict(header.machine)], sort_keys=True)
            row = _storable((*of, header.version, environment, header.oracle))
            number = self._db.execute(
                "insert into runs (lane, suite, started, version, environment, oracle) values (?, ?, ?, ?, ?, ?)", row
            ).lastrowid
            if later:
                self._keep(later[0], now, after)
            return self._keep(number, before, now)

    def drop(self, lane: str, suite: str, started: str) -> None:
        """Forget a run, as if it had never been kept."""
        with self._guarded(), self._db:
            later = self._next(lane, suite, started)
            after = self._answers(lane, suite, later[1]) if later else {}
            number = "(select id from runs where (lane, suite, started) = (?, ?, ?))"
            self._db.execute(f"delete from answers where run = {number}", (lane, suite, started))
            self._db.execute(f"delete from runs where id = {number}", (lane, suite, started))
            if later:
                self._keep(later[0], self._answers(lane, suite, started), after)

    def until(self, runs: Iterable[Run]) -> "Store":
        """A copy in memory that ends with some runs: what was kept later is not in it. A run in part is not kept."""
        copy = Store(Path(MEMORY))
        with self._guarded():
            self._db.backup(copy._db)
            later = "(select id from runs where lane = ? and suite = ? and started > ?)"
            for run in sorted(runs, key=lambda run: run.header.started):
                of = (run.header.lane, run.header.suite, run.header.started)
                copy._db.execute(f"delete from answers where run in {later}", of)
                copy._db.execute(f"delete from runs where id in {later}", of)
                with suppress(StoreError):
                    copy.add(run)
        return copy

    def _next(self, lane: str, suite: str, started: str) -> tuple[int, str] | None:
        """Number and start of the run that follows a time."""
        statement = "select id, started from runs where lane = ? and suite = ? and started > ? order by started limit 1"
        row: tuple[int, str] | None = self._db.execute(statement, (lane, suite, started)).fetchone()
        return row

    def _answers(self, lane: str, suite: str, started: str) -> dict[Key, Row]:
        """What every case was at a time; where it was not any more, it is absent."""
        with closing(self._db.execute(_LAST, (lane, suite, started))) as rows:
            return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def _keep(self, run: int | None, before: Mapping[Key, Row], now: Mapping[Key, Row]) -> int:
        """Keep of a run what was not so before, instead of what is kept of it; how many answers."""
        changed = {key: answer for key, answer in now.items() if before.get(key, GONE) != answer}
        changed |= {key: GONE for key, answer in before.items() if key not in now and answer != GONE}
        self._db.execute("delete from answers where run = ?", (run,))
        self._db.executemany(
            "insert into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(run, *key, *answer) for key, answer in changed.items()],
        )
        return len(changed)

    def lines(self, case: str = "") -> Iterator[Line]:
        """The life of a case on every lane, or of every case."""
        where, values = ('where a."case" = ?', (case,)) if case else ("", ())
        with self._guarded():
            runs = self._stood()
            rows = self._db.execute(_ALL.format(where=where), values)
            for (lane, suite, *key), states in groupby(rows, key=lambda row: row[:5]):
                yield Line(lane, suite, (key[0], key[1], key[2]), tuple(_states(list(states), runs[lane, suite])))

    def _stood(self) -> Mapping[tuple[str, str], Sequence[tuple[str, Stood]]]:
        """When every run of a lane and suite was made, and on what, oldest first."""
        stood: dict[tuple[str, str], list[tuple[str, Stood]]] = defaultdict(list)
        for lane, suite, started, environment in self._db.execute(_RUNS):
            stood[lane, suite].append((started, _stood(environment)))
        return stood

    def runs(self) -> Iterator[tuple[str, str, str, str]]:
        """Lane, suite, start and version of every run, oldest first."""
        with self._guarded():
            yield from self._db.execute("select lane, suite, started, version from runs order by started, id")


def nights(lines: Sequence[Line]) -> Iterator[Night]:
    """What became of some cases of a lane, from each run on in which the verdict of one of them changed."""
    events = sorted((state.started, state.version, at, state.verdict, state.flaky)
                    for at, line in enumerate(lines) for state in line.states)  # fmt: skip
    now: dict[int, str] = {}
    before: Counter[str] | None = None
    for (started, version), same in groupby(events, key=lambda event: event[:2]):
        changed = list(same)
        now |= {at: verdict for _, _, at, verdict, _ in changed}
        counts = Counter(verdict for verdict in now.values() if verdict != ABSENT)
        flaky = sum(row[4] for row in changed)
        if counts != before or flaky:
            yield Night(started, version, counts, flaky)
        before = counts


def _answers(run: Run) -> Iterator[tuple[Key, Row]]:
    for record in run.records:
        yield (
            _storable(record.key),
            _storable((record.problem, record.verdict.value, record.kind, record.answer, plain(record.message))),
        )


def _storable(texts: tuple[str, ...]) -> Any:
    """Texts without lone surrogates, which SQLite does not keep."""
    return tuple(text.encode("utf-8", "backslashreplace").decode() for text in texts)


def _states(rows: Sequence[tuple[Any, ...]], runs: Sequence[tuple[str, Stood]]) -> Iterator[Since]:
    """The changes of a case, with what each may come from, which the runs between them tell too."""
    last: dict[Stood, Row] = {}
    for row, later in zip_longest(rows, rows[1:]):
        started, version, environment, *answer = row[5:]
        problem, verdict, kind, _, message = answer
        build, machine = stood = _stood(environment)
        otherwise = {place for place, known in last.items() if known != tuple(answer)}
        flaky = stood in otherwise
        moved = not flaky and machine != "{}" and any(place == build and at != "{}" for place, at in otherwise)
        yield Since(started, version, problem, verdict, kind, message, flaky, moved)
        if later:
            first, end = (bisect_left(runs, time, key=itemgetter(0)) for time in (started, later[5]))
            last |= dict.fromkeys((run for _, run in runs[first:end]), tuple(answer))


@cache
def _stood(environment: str) -> Stood:
    """A run's build and machine as text; a row that was kept before there were machines has the build alone."""
    kept = json.loads(environment)
    build, machine = kept if isinstance(kept, list) else (kept, {})
    return json.dumps(build, sort_keys=True), json.dumps(machine, sort_keys=True)
