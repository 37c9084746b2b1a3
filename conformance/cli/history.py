"""conformance history: since when a case, or a region of cases, is what it is."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import click

from conformance.cli.diff import read_builds
from conformance.cli.options import QUIET
from conformance.io.exit_status import OK
from conformance.io.terminal import echo, plural, progress, wrapped
from conformance.predicates.comparisons import NO_PROBLEM, parsed
from conformance.predicates.predicate import Predicate
from conformance.records.messages import with_kind
from conformance.regression.history import DEFAULT, Line, Since, Store, StoreError, nights


@click.command()
@click.argument("subject", required=False)
@click.option("--add", "records", type=Path, help="First add these runs: a record file, or a folder of record files.")
@click.option("--store", default=DEFAULT, show_default=True, type=Path, help="The history file.")
@QUIET
@click.option("--lane", help="Only this lane.")
@click.option("--runs", "listed", is_flag=True, help="List the runs that are kept.")
@click.option("--drop", "dropped", multiple=True, metavar="TIME",
              help="First remove the runs of this time or day, of --lane if given; repeatable.")  # fmt: skip
@click.option(
    "--json",
    "json_",
    is_flag=True,
    help="The answer about SUBJECT, or the list of --runs, as JSON objects, one per line.",
)
def command(
    subject: str | None, records: Path | None, store: Path, lane: str | None, listed: bool, dropped: tuple[str, ...],
    json_: bool,
) -> int:  # fmt: skip
    """Say since when SUBJECT has its verdict: a case by its id, or a group of cases by a predicate.

    Runs may be added in any order. If two runs of one build on one machine differ, the change is flaky.
    """
    if not (subject or records or listed or dropped):
        raise StoreError("nothing is asked: give a case, a predicate such as 'rank == 3 and groups > 1', --add, --runs "
                         "or --drop")  # fmt: skip
    if not records and not store.exists():
        raise StoreError(
            f"{store}: there is no history yet: keep a run with `conformance history --add reports/records`"
        )
    builds = read_builds(records) if records else {}  # all are read before any is kept
    predicate = Predicate.parse(subject) if subject and not _is_id(subject) else None
    with Store(store) as history:
        for time in dropped:
            _drop(history, time, lane)
        for build in builds.values():
            for run in progress(sorted(build.runs, key=lambda run: run.header.started), "history", "runs"):
                new = history.add(run)
                outcome = "is there already" if new is None else f"{new:,} answers are new"
                echo(f"{run.header.lane}, {run.header.suite}, {run.header.started}: {outcome}", err=json_)
        for kept in history.runs() if listed else ():
            echo(_run_as_json(*kept) if json_ else _run_in_words(*kept))
        if not subject:
            return OK
        lines = [line for line in history.lines("" if predicate else subject) if lane in (None, line.lane)]
        entries = list(_entries(lines, predicate, as_json=json_))
    if not entries:
        raise StoreError(f"{store}: nothing is kept of {subject!r}: `conformance cases list` has the ids")
    echo("\n".join(entries))
    return OK


def _drop(history: Store, time: str, lane: str | None) -> None:
    """Forget the runs of a time or day. Raises StoreError where there is none."""
    matching = [run for run in history.runs() if time in (run[2], run[2][:10]) and lane in (None, run[0])]
    if not matching:
        raise StoreError(f"{history.path}: no run of {time!r} is kept{f' of {lane}' if lane else ''}: "
                         "`conformance history --runs` lists those that are")  # fmt: skip
    for name, suite, started, _ in matching:
        history.drop(name, suite, started)
        echo(f"{name}, {suite}, {started}: dropped")


def _is_id(subject: str) -> bool:
    return "-" in subject and all(c.isalnum() or c == "-" for c in subject)


def _run_in_words(lane: str, suite: str, started: str, version: str) -> str:
    return f"{lane}, {suite}, {started}: {version or 'version not recorded'}"


def _run_as_json(lane: str, suite: str, started: str, version: str) -> str:
    return json.dumps({"lane": lane, "suite": suite, "started": started, "version": version or None})


def _entries(lines: Sequence[Line], predicate: Predicate | None, *, as_json: bool) -> Iterator[str]:
    """What is kept of one case, or of a region."""
    if predicate is None:
        return map(_case_as_json, lines) if as_json else _cases(lines)
    regions = _regions(lines, predicate)
    return starmap(_region_as_json, regions) if as_json else _regions_in_words(regions)


def _cases(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        yield f"{line.lane} {line.suite} {line.key[1]} '{_problem(line)}'"
        for state in line.states:
            outcome = " ".join(filter(None, [state.verdict, with_kind(state.kind, state.message)]))
            yield from wrapped(f"{_since(state)}: {outcome}{_how(state)}", "  ", "      ")


def _case_as_json(line: Line) -> str:
    case, dtype, direction = line.key[:3]
    states = [
        {"since": state.started, "version": state.version or None, "verdict": state.verdict, "kind": state.kind,
         "message": state.message, "flaky": state.flaky, "another_machine": state.moved}
        for state in line.states
    ]  # fmt: skip
    return json.dumps({"lane": line.lane, "suite": line.suite, "case": case, "dtype": dtype, "pass": direction,
                       "problem": _problem(line), "states": states})  # fmt: skip


def _problem(line: Line) -> str:
    return next(state.problem for state in line.states if state.problem)


def _how(state: Since) -> str:
    """What a change may come from, where the build is none of it."""
    if state.flaky:
        return " (flaky)"
    return " (another machine)" if state.moved else ""


Regions = Iterable[tuple[tuple[str, str], Sequence[Line]]]


def _regions(lines: Sequence[Line], predicate: Predicate) -> Regions:
    """The cases of a region, by lane and suite."""
    inside: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        framework, _, variant = line.lane.partition("-")
        problem = parsed(_problem(line))
        if problem is NO_PROBLEM:
            continue
        run = {
            "framework": framework,
            "variant": variant,
            "dtype": line.key[1],
            "direction": line.key[2],
            "claimed": "",
        }
        if predicate(problem, **run):
            inside[line.lane, line.suite].append(line)
    return inside.items()


def _regions_in_words(regions: Regions) -> Iterator[str]:
    """How many records of a region had which verdict, from every run on in which a number changed."""
    for (lane, suite), those in regions:
        yield f"{lane} {suite}: {plural(len(those), 'record')} of {plural(_cases_of(those), 'case')}"
        for night in nights(those):
            yield from wrapped(f"{_since(night)}: {night}", "  ", "      ")


def _cases_of(lines: Sequence[Line]) -> int:
    """How many cases lines are of: each has a line in every dtype and pass."""
    return len({line.key[0] for line in lines})


def _since(state: Any) -> str:
    """From which run on, and of which version, if one is recorded."""
    return f"since {', '.join(filter(None, [state.started, state.version]))}"


def _region_as_json(name: tuple[str, str], lines: Sequence[Line]) -> str:
    lane, suite = name
    states = [{"since": night.started, "version": night.version or None, "verdicts": dict(night.counts),
               "flaky": night.flaky} for night in nights(lines)]  # fmt: skip
    return json.dumps(
        {"lane": lane, "suite": suite, "cases": _cases_of(lines), "records": len(lines), "states": states}
    )
