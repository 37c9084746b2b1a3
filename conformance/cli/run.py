"""conformance run: a suite on a framework, in each of its variants."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from datetime import UTC, datetime
from io import UnsupportedOperation
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import click

from conformance import adapters
from conformance.cli.options import EXPECTATIONS, PASS_HELP, QUIET, VERBOSE
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK, USAGE
from conformance.io.terminal import echo, first, is_quiet, plural, verdict_count, verdict_counts
from conformance.predicates.comparisons import smallest
from conformance.problem import PASSES
from conformance.processes.caps import CHOICES, caps_here
from conformance.processes.tree import ENDING, die_with
from conformance.records import record, record_file
from conformance.records.arrays import beside
from conformance.records.machine import measure_machine
from conformance.records.messages import label_of, skeleton, with_kind
from conformance.records.record import Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.regression.comparison import REPEATS, unsteady
from conformance.runner.plugin import TIMEOUT
from conformance.runner.selection import (
    ALL,
    OFTEN,
    Selection,
    is_for,
    named_suites,
    require_seconds,
    require_workers,
    select,
    why_not,
    with_weights,
)  # fmt: skip
from conformance.suites.expectation_files import give, require_asked
from conformance.suites.expectations import Expectation, by_chance, fails, known, lack, unkept
from conformance.suites.scans.weights import require_weights

if TYPE_CHECKING:
    from conformance.report.outcome import Outcome

SHOWN = 12
MACHINES = "machines"
"""The folder beside the record files for runs under caps, in a folder for each."""
BARE = (
    *(f"-pno:{plugin}" for plugin in ("terminal", "cacheprovider", "logging", "unraisableexception")),
    "--capture=no",
    "--assert=plain",
)
"""What a run leaves out of pytest: the last of these plugins collects garbage five times before a process ends."""


@click.command()
@click.argument("framework")
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option(
    "--suite", "suites", multiple=True, default=["core"], show_default=True,
    help=f"The suite; {' or '.join(OFTEN)} is all suites that the framework runs so often; repeatable.",
)  # fmt: skip
@click.option("--weights", is_flag=True, help="Also run a scan with the model's own weights.")
@click.option("--case", "cases", multiple=True, metavar="ID", help="Only this case; repeatable.")
@click.option(
    "--dtype", "dtypes", multiple=True, help="Only this dtype, or all that the framework computes in; repeatable."
)
@click.option("--pass", "passes", multiple=True, type=click.Choice((*PASSES, ALL)), help=PASS_HELP)
@click.option("--shard", default="1/1", metavar="I/N", help="Only every N-th case, from the I-th on.")
@click.option("-n", "--workers", default="auto", show_default=True, help="Worker processes; 0 runs without any.")
@click.option(
    "--timeout", default=TIMEOUT, show_default=True, help="Seconds of CPU time or of sleep that a case may take."
)
@click.option("--resume", is_flag=True, help="Continue the same run that was interrupted or killed.")
@click.option("--isolated", is_flag=True, help="Run each case in its own process, with bounded memory; slower.")
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1), help="Run this many times, and compare."
)
@click.option("--caps", type=click.Choice(CHOICES), help="Run again with fewer instruction sets and with two threads.")
@click.option("--records", default="reports/records", show_default=True, type=Path, help="Where record files go.")
@EXPECTATIONS
@QUIET
@VERBOSE
@click.option("--json", "json_", is_flag=True, help="The outcome as a JSON object; all else goes to stderr.")
def command(
    framework: str, variant: str | None, suites: tuple[str, ...], weights: bool, cases: tuple[str, ...],
    dtypes: tuple[str, ...], passes: tuple[str, ...], shard: str, workers: str, timeout: float, resume: bool,
    isolated: bool, repeat: int, caps: str | None, records: Path, expectations: tuple[str, ...], json_: bool,
) -> int:  # fmt: skip
    """Run a suite on FRAMEWORK and write a record file for each of its variants.

    A suite may be a scan, such as scan.jsonl, which `conformance scan MODEL --to` writes: the problems of a model's
    layers on exact data, and with --weights also with the model's own weights, within the bound of rounding.

    With --repeat, further runs go into repeats/2, repeats/3 and so on. A case that is not the same in all runs is
    flaky. It then fails, unless an expectation says that its verdict is one of chance. With --caps, further runs go
    into machines/sse4, machines/avx and so on. They run under the lowest cap of instruction sets, or under every cap
    that this CPU exceeds, and with two threads. The last lines say whether the lanes are green or red, and why.
    Expectations are compared with all records of the run. Exit status: 0 all as expected, 1 a case diverges or fails in
    another way, or an expectation is wrong, 2 usage, 3 a case has no record.
    """
    require_seconds(timeout)
    require_workers(workers)
    require_asked(give(expectations), [framework])
    suites = named_suites(framework, with_weights(suites, own=weights))
    part = {"case": cases, "dtype": dtypes, "pass": passes}
    selections = _selections(framework, variant, suites, part, shard, isolated=isolated)
    records.mkdir(parents=True, exist_ok=True)
    options = [f"--{name}={value}" for name, values in part.items() for value in values]
    options += [f"--shard={shard}", f"-n{workers}", f"--timeout={timeout}", *["--resume"] * resume]
    options += ["--isolated"] * isolated
    with redirect_stdout(sys.stderr) if json_ else nullcontext():
        status = max(_run(together, records, options) for together in _by_lane(selections))
        status = max(status, told(_whole_runs(selections, records), records))
        status = max(status, _repeated(selections, records, options, repeat))
        if caps:
            words = [*(f"--suite={suite}" for suite in suites), *[f"--variant={variant}"] * bool(variant)]
            status = max(status, _capped(caps, framework, [*words, *options], records))
    if json_:
        echo(json.dumps(_as_data(selections, records, status)))
    return status


def _selections(
    framework: str, variant: str | None, suites: Sequence[str], part: Mapping[str, Sequence[str]], shard: str,
    *, isolated: bool,
) -> list[Selection]:  # fmt: skip
    """What is asked of each variant of a framework, in each suite that is for it; says which are not."""
    variants = [variant] if variant else list(adapters.variants(framework))
    runnable = [suite for suite in suites if is_for(framework, suite)] or suites
    selections = [
        select(framework, name, suite, dtypes=part["dtype"], shard=shard, ids=part["case"],
               passes=part["pass"], isolated=isolated)
        for name in variants for suite in runnable
    ]  # fmt: skip
    require_weights(case for selection in selections[: len(runnable)] for case in selection.suite.cases)
    for suite in sorted({*suites} - {*runnable}):
        echo(f"{framework} {suite}: left out, since {why_not(framework, suite)}")
    return selections


def _repeated(selections: Sequence[Selection], records: Path, options: list[str], times: int) -> int:
    """Run the same again, and compare."""
    status = OK
    for number in range(2, times + 1):
        folder = records / REPEATS / str(number)
        status = max(status, *(_run(together, folder, options) for together in _by_lane(selections)))
    return max(status, *(_steady(selection, records) for selection in selections)) if times > 1 else status


def _as_data(selections: Sequence[Selection], folder: Path, status: int) -> dict[str, Any]:
    """What came of runs by the keys that docs/running.md documents."""
    outcome = _outcome(_whole_runs(selections, folder), folder)
    paths = [path for selection in selections if (path := _path(selection, folder)).exists()]
    runs = [(path, record_file.read(path)) for path in paths]
    return {
        "status": status, "green": status == OK, "outcome": outcome.sentence if outcome else None,
        "reasons": [{"kind": reason.kind, "subject": reason.subject, "facts": reason.facts, "command": reason.command}
                    for reason in (outcome.reasons if outcome else ())],
        "runs": [{"lane": run.header.lane, "suite": run.header.suite, "file": str(path), "complete": run.complete,
                  "verdicts": dict(run.verdicts)}
                 for path, run in runs],
    }  # fmt: skip


def _capped(choice: str, framework: str, words: Sequence[str], records: Path) -> int:
    """Run the same under caps, each in a process of its own, since a framework reads them when it starts."""
    here, status = measure_machine({}), OK
    for name, variables in caps_here(choice, here.get("isa", "").split(), int(here.get("cores", 1))).items():
        setting = " ".join(f"{variable}={value}" for variable, value in variables.items())
        echo(f"\n{framework} under the cap {name}: {setting}")
        folder = records / MACHINES / name
        command = [sys.executable, "-m", "conformance", "run", framework, *words, "--records", str(folder)]
        ended, interrupted = _finish(command, variables)
        if interrupted:
            raise click.exceptions.Exit(INCOMPLETE)
        status = max(status, ended if ended >= 0 else INCOMPLETE)
    return status


def _whole_runs(selections: Sequence[Selection], folder: Path) -> list[Run]:
    """The runs of selections, or of shards of them, that were not narrowed and came to their own end."""
    paths = [_path(selection, folder) for selection in selections if not selection.narrowed]
    runs = [record_file.read(path) for path in paths if path.exists()]
    return [run for run in runs if run.complete and not run.header.selection]


def told(runs: Sequence[Run], folder: Path) -> int:
    """Say whether runs of a framework are green or red, and why: expectations are held against all of them."""
    outcome = _outcome(runs, folder)
    if outcome is None:
        return OK
    echo()
    for line in list(outcome.lines())[:-1]:
        echo(line)
    return OK if outcome.green else DIVERGED


def _outcome(runs: Sequence[Run], folder: Path) -> "Outcome | None":
    """Whether whole runs are green or red, and why; None where there are none."""
    if not runs:
        return None
    from conformance.analysis.reasons import of_expectations, of_floors
    from conformance.cli.expect import held
    from conformance.report.integrity import Integrity, measure_integrity
    from conformance.report.outcome import outcome_of

    whole = all(run.header.shard == (1, 1) for run in runs)
    reasons = [
        reason for framework, findings, _ in held(runs, folder) for reason in of_expectations(framework, findings)
    ]
    integrity = measure_integrity(runs) if whole else Integrity((), ())
    return outcome_of(runs, integrity, (), [*reasons, *of_floors(runs)])


def _steady(selection: Selection, records: Path) -> int:
    """Whether all repetitions of a run agree, but for what is known to be by chance."""
    from conformance.cli.diff import read_builds

    path = _path(selection, records)
    if not path.exists():
        return INCOMPLETE
    (build,) = read_builds(path).values()
    changed = [record for record in unsteady(build.runs) if not by_chance(record, selection.expectations)]
    counts = f"{plural(len(build.runs), 'run')}, {plural(len(changed), 'case')} flaky"
    echo(f"{selection.lane} {selection.suite.name}: {counts}")
    for unsteady_record in first(changed, SHOWN):
        echo(f"  {unsteady_record.case} {unsteady_record.dtype}\n    {reproduction(unsteady_record)}")
    return DIVERGED if changed else OK


def _by_lane(selections: Sequence[Selection]) -> Iterator[list[Selection]]:
    """The suites of each lane, which run in one session: a framework is imported once for all of them."""
    for _, together in groupby(selections, attrgetter("lane")):
        yield list(together)


def _run(selections: Sequence[Selection], folder: Path, options: list[str]) -> int:
    """Run suites of one lane in a session, and say what came of each."""
    started, lane = datetime.now(UTC).isoformat(timespec="seconds"), selections[0].lane
    arguments = [
        f"--framework={lane.framework}", f"--variant={lane.variant}", f"--records={folder}",
        *(f"--suite={selection.suite.file or selection.suite.name}" for selection in selections),
        *["--progress"] * (not is_quiet()), *options,
    ]  # fmt: skip
    status, interrupted = _finish([sys.executable, "-m", "pytest", *BARE, *arguments])
    ended = [_ended(selection, folder, started, status, interrupted=interrupted) for selection in selections]
    if interrupted:
        raise click.exceptions.Exit(INCOMPLETE)
    return max(ended)


def _ended(selection: Selection, folder: Path, started: str, status: int, *, interrupted: bool) -> int:
    """The exit status of one suite of a session that began and ended so."""
    path = _path(selection, folder)
    if not path.exists() or (run := record_file.read(path)).header.started < started:
        if status == USAGE and not interrupted:
            return USAGE  # it has said why, and left every file as it was
        name = f"{selection.lane} {selection.suite.name}"
        echo(f"{name}: the run ended with {_ending(status)} and wrote no record: see above", err=True)
        return INCOMPLETE
    if not is_quiet():
        for line in _told(run, path, selection.expectations):
            echo(line)
    if not run.complete:
        return INCOMPLETE
    lacking = lack(run.header, run.verdicts)  # which the run has said
    return DIVERGED if lacking or any(fails(record, selection.expectations) for record in run.records) else OK


def _told(run: Run, path: Path, expectations: Sequence[Expectation]) -> Iterator[str]:
    yield f"\n{run.header.lane} {run.header.suite}: {summary(run)}\n{path}"
    yield from findings(run, expectations)
    if run.verdicts.get(Verdict.DIVERGES) and beside(path).exists():
        yield f"  why they diverge: conformance diagnose {shlex.quote(str(path))}"


def _path(selection: Selection, folder: Path) -> Path:
    suite, shard = selection.suite.name, selection.shard
    return record.path(folder, str(selection.lane), suite, shard, narrowed=selection.narrowed)


def summary(run: Run) -> str:
    """Verdict counts in a line."""
    return verdict_counts(run.verdicts) or "no records"


def findings(run: Run, expectations: Sequence[Expectation]) -> Iterator[str]:
    """The records that do not conform, or not as expected, grouped by what they say, each with a command."""
    groups: dict[tuple[bool, Verdict, str | tuple[str, tuple[str, ...]], str], list[Record]] = {}
    for entry in run.records:
        broken = unkept(entry, expectations)
        if broken or entry.verdict != (entry.claimed or Verdict.CONFORMS):
            reason = known(entry, expectations)
            alike = f"known, {reason.id}" if reason else (entry.kind, skeleton(entry.message))
            broken_by = f" (not as {broken.id} says: {broken.verdict})" if broken else ""
            groups.setdefault((fails(entry, expectations), entry.verdict, alike, broken_by), []).append(entry)
    largest = sorted(groups.items(), key=lambda group: (not group[0][0], -len(group[1])))
    shown = first(largest, SHOWN)
    for (_, verdict, alike, broken_by), records in shown:
        message = alike if isinstance(alike, str) else with_kind(records[0].kind, label_of(records))
        yield f"  {verdict_count(len(records), verdict)}: {message}{broken_by}\n    {reproduction(smallest(records))}"
    if len(largest) > len(shown):
        yield f"  and {len(largest) - len(shown)} more kinds: -v shows them, and so does `conformance report`"


def _finish(command: list[str], variables: Mapping[str, str] = MappingProxyType({})) -> tuple[int, bool]:
    """The command's exit status, and whether a signal ended it: it gets the signal too, and time to write what it has.

    It has the environment variables beside those of this process, and dies with it.
    """
    ours, signals = os.getpid(), []
    process = subprocess.Popen(
        command, preexec_fn=lambda: die_with(ours), env={**os.environ, **variables}, stdout=_descriptor(sys.stdout)
    )

    def forward(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in ENDING}
    try:
        return process.wait(), bool(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _descriptor(stream: TextIO) -> int | None:
    """The file descriptor that a stream writes to; None for one in memory."""
    try:
        return stream.fileno()
    except UnsupportedOperation:
        return None


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"pytest's exit status {status}"
