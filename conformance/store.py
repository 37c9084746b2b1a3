"""Runs over time, in one SQLite file: of every run its header, and of its records only what was not so before.

A night rarely changes anything, so a year of nights is little more than one of them, and "since when" is one query.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from conformance.change import plain
from conformance.record import Key, Run

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
where r.lane = ? and r.suite = ? order by a.run
"""
_ALL = """
select r.lane, r.suite, a."case", a.dtype, a.pass, r.started, r.version, r.environment, a.problem, a.verdict, a.kind,
    a.actual, a.message
from answers a join runs r on r.id = a.run {where} order by r.lane, r.suite, a."case", a.dtype, a.pass, a.run
"""
Answer = tuple[str, ...]


class StoreError(ValueError):
    """A store, or a run for it, that cannot be used; the message names it and the next step."""


@dataclass(frozen=True, slots=True)
class Since:
    """From which run on a case is what it is; `flaky` where the run before was of the very same build."""

    started: str
    version: str
    problem: str
    verdict: str
    kind: str
    message: str
    flaky: bool


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
        said = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(self.counts.items())) or "no case"
        return said + (f" ({self.flaky:,} flaky)" if self.flaky else "")


class Store:
    """A history file, made where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        try:
            version = self._db.execute("pragma user_version").fetchone()[0]
            if version == 0 and not self._db.execute("select * from sqlite_master").fetchone():
                self._db.executescript(f"begin; {_TABLES} pragma user_version = {FORMAT}; commit;")
                version = FORMAT
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(f"{path}: no history ({error}): give another file, or move it away") from None
        if version != FORMAT:
            self._db.close()
            raise StoreError(f"{path}: a history of format {version}, this version has {FORMAT}: give another file")

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, run: Run) -> int | None:
        """Keep a run; how many answers are new with it, and None where it is there already.

        Raises StoreError for a run that is incomplete, a part, or older than what is there.
        """
        header = run.header
        name = f"{header.lane}, {header.suite}, {header.started or 'without a date'}"
        if not run.complete or not run.records or header.selection or header.shard != (1, 1) or not header.started:
            raise StoreError(f"{name}: incomplete, narrowed or a shard: only whole runs are kept")
        with self._db:  # one transaction: a run is there whole or not at all
            same = "select started from runs where lane = ? and suite = ?"
            there = [row[0] for row in self._db.execute(same, (header.lane, header.suite))]
            if header.started in there:
                return None
            if there and header.started < max(there):
                raise StoreError(
                    f"{name}: older than the last one, of {max(there)}: add runs in the order of their dates"
                )
            last, now = self._last(header.lane, header.suite), dict(_answers(run))
            changed = {key: answer for key, answer in now.items() if last.get(key) != answer}
            gone = {
                key: ("", ABSENT, "", "", "") for key, answer in last.items() if key not in now and answer[1] != ABSENT
            }
            environment = json.dumps(dict(header.environment), sort_keys=True)
            row = (header.lane, header.suite, header.started, header.environment.get(header.framework, ""), environment,
                   header.oracle)  # fmt: skip
            statement = (
                "insert into runs (lane, suite, started, version, environment, oracle) values (?, ?, ?, ?, ?, ?)"
            )
            number = self._db.execute(statement, row).lastrowid
            self._db.executemany(
                "insert into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, *key, *answer) for key, answer in (changed | gone).items()],
            )
        return len(changed | gone)

    def until(self, runs: Iterable[Run]) -> "Store":
        """A copy in memory that ends with some runs: what was kept later is not in it. A run in part is not kept."""
        copy = Store(Path(":memory:"))
        self._db.backup(copy._db)
        later = "(select id from runs where lane = ? and suite = ? and started > ?)"
        for run in sorted(runs, key=lambda run: run.header.started):
            of = (run.header.lane, run.header.suite, run.header.started)
            copy._db.execute(f"delete from answers where run in {later}", of)
            copy._db.execute(f"delete from runs where id in {later}", of)
            with suppress(StoreError):
                copy.add(run)
        return copy

    def _last(self, lane: str, suite: str) -> dict[Key, Answer]:
        with closing(self._db.execute(_LAST, (lane, suite))) as rows:
            return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def lines(self, case: str = "") -> Iterator[Line]:
        """The life of a case on every lane, or of every case."""
        where, values = ('where a."case" = ?', (case,)) if case else ("", ())
        rows = self._db.execute(_ALL.format(where=where), values)
        for (lane, suite, *key), states in groupby(rows, key=lambda row: row[:5]):
            yield Line(lane, suite, (key[0], key[1], key[2]), tuple(_states(states)))

    def runs(self) -> Iterator[tuple[str, str, str, str]]:
        """Lane, suite, start and version of every run, in the order that they were kept in."""
        yield from self._db.execute("select lane, suite, started, version from runs order by id")


def nights(lines: Sequence[Line]) -> Iterator[Night]:
    """What became of some cases of a lane, from each run on in which the verdict of one of them changed."""
    events = sorted((state.started, state.version, at, state.verdict, state.flaky)
                    for at, line in enumerate(lines) for state in line.states)  # fmt: skip
    now: dict[int, str] = {}
    before: Counter[str] | None = None
    for (started, version), same in groupby(events, key=lambda event: event[:2]):
        changed = list(same)
        now |= {at: verdict for _, _, at, verdict, _ in changed}
        counts = Counter(each for each in now.values() if each != ABSENT)
        flaky = sum(each[4] for each in changed)
        if counts != before or flaky:
            yield Night(started, version, counts, flaky)
        before = counts


def _answers(run: Run) -> Iterator[tuple[Key, Answer]]:
    for each in run.records:
        yield each.key, (each.problem, each.verdict.value, each.kind, each.answer, plain(each.message))


def _states(rows: Iterator[tuple[Any, ...]]) -> Iterator[Since]:
    builds: set[str] = set()
    for _, _, _, _, _, started, version, environment, problem, verdict, kind, _, message in rows:
        yield Since(started, version, problem, verdict, kind, message, environment in builds)
        builds.add(environment)
