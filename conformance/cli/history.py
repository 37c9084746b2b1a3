"""conformance history: since when a case, or a region of cases, is what it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance.cli.diff import read_builds
from conformance.io.exit_status import OK
from conformance.io.terminal import echo
from conformance.predicates.comparisons import NO_PROBLEM, parsed
from conformance.predicates.predicate import Predicate
from conformance.records.messages import with_kind
from conformance.regression.history import DEFAULT, Line, Since, Store, StoreError, nights


@click.command()
@click.argument("subject", required=False)
@click.option("--add", "records", type=Path, help="First keep these runs: a record file, or a folder of some.")
@click.option("--store", default=DEFAULT, show_default=True, type=Path, help="The history file.")
@click.option("--lane", help="Only this lane.")
@click.option("--runs", "listed", is_flag=True, help="List the runs that are kept.")
@click.option("--drop", "dropped", multiple=True, metavar="TIME",
              help="First forget the runs of that time or day (and --lane); repeatable.")  # fmt: skip
def command(
    subject: str | None, records: Path | None, store: Path, lane: str | None, listed: bool, dropped: tuple[str, ...]
) -> int:
    """Say since when SUBJECT is what it is: a case by its id, or a cluster by its predicate.

    Runs are kept in whatever order. A change between two runs of one build on one machine is flaky.
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
            for run in sorted(build.runs, key=lambda run: run.header.started):
                new = history.add(run)
                outcome = "is there already" if new is None else f"{new:,} answers are new"
                echo(f"{run.header.lane}, {run.header.suite}, {run.header.started}: {outcome}")
        if listed:
            for lane_, suite, started, version in history.runs():
                echo(f"{lane_}, {suite}, {started}: {version or 'version not recorded'}")
        if not subject:
            return OK
        lines = [line for line in history.lines("" if predicate else subject) if lane in (None, line.lane)]
        entries = list(_region(lines, predicate) if predicate else _case(lines))
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


def _case(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        yield f"{line.lane} {line.suite} {line.key[1]} '{next(s.problem for s in line.states if s.problem)}'"
        for state in line.states:
            outcome = " ".join(filter(None, [state.verdict, with_kind(state.kind, state.message)]))
            yield f"  since {state.started}, {state.version}: {outcome}{_how(state)}"


def _how(state: Since) -> str:
    """What a change may come from, where the build is none of it."""
    if state.flaky:
        return " (flaky)"
    return " (another machine)" if state.moved else ""


def _region(lines: Sequence[Line], predicate: Predicate) -> Iterator[str]:
    """How many cases of a region had which verdict, from every run on in which a number changed."""
    inside: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        framework, _, variant = line.lane.partition("-")
        problem = parsed(next(state.problem for state in line.states if state.problem))
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
    for (lane, suite), those in inside.items():
        yield f"{lane} {suite}: {len(those):,} cases"
        yield from (f"  since {night.started}, {night.version}: {night}" for night in nights(those))
