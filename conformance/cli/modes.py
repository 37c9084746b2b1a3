"""conformance audit modes: what a framework's modes of execution make of problems, beside eager execution."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.adapters import modes
from conformance.adapters.base import Lane
from conformance.audit.modes.measuring import DOES, EAGER, Measured, Named, measured
from conformance.audit.modes.statements import STATED
from conformance.audit.stated import held, stated_here, unshown
from conformance.cli.held import asked, tell
from conformance.cli.options import QUIET, each_variant
from conformance.io.exit_status import OK
from conformance.io.terminal import echo, numbers
from conformance.numerics.operands import DTYPES
from conformance.problem import FORWARD, Problem
from conformance.records.record import Record, Verdict
from conformance.runner.selection import require_computed
from conformance.suites.expectations import expected_here, known


@click.command()
@click.argument("framework", required=False)
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option("--suite", default="smoke", show_default=True, help="The suite that the problems come from.")
@click.option("--shard", default="1/1", metavar="I/N", help="Only every N-th problem, from the I-th on.")
@click.option("--dtype", "dtypes", multiple=True, default=DTYPES, show_default=True, help="The dtype of operands.")
@click.option("--mode", "chosen", multiple=True, help="Only this mode; repeatable.")
@click.option("--slow", is_flag=True, help="Also run the modes that compile or export each call.")
@QUIET
@click.option("--to", "folder", default="reports/modes", show_default=True, type=Path, help="Where results go.")
def command(
    framework: str | None, variant: str | None, suite: str, shard: str, dtypes: tuple[str, ...],
    chosen: tuple[str, ...], slow: bool, folder: Path,
) -> int:  # fmt: skip
    """Make calls of FRAMEWORK in other modes of execution, and compare the answers with the eager ones.

    A mode is another way to execute the same call, for example with other kernels, with operands in another memory
    layout, or in a traced or compiled function. Its answer must equal the eager answer in every bit. A mode that only
    infers shapes must infer the shape of the eager answer. cases/modes.toml states where a mode does something else.
    Without FRAMEWORK the command prints this file as a table. Exit status: 0 all is as stated; 1 a mode does something
    else; 2 usage; 3 nothing was answered.
    """
    if framework is None:
        echo("\n".join(STATED.table()))
        return OK
    _require_modes(framework, chosen)
    for dtype in dtypes:
        require_computed(framework, dtype)
    if variant is None:
        words = [f"--suite={suite}", f"--shard={shard}", f"--to={folder}", *["--slow"] * slow]
        words += [*(f"--dtype={dtype}" for dtype in dtypes), *(f"--mode={mode}" for mode in chosen)]
        return each_variant(framework, "audit", "modes", framework, *words)
    of = asked(framework, variant, suite, shard, folder)
    statements = stated_here(of.lane, STATED.read())
    found = [one for dtype in dtypes for one in _measured(of.lane, of.problems, dtype, chosen, slow=slow)]
    in_modes = [one for one in found if one.mode != EAGER]
    departures = [each.facts for each in held(of.lane, statements, in_modes, DOES)]
    departures += [*unshown(of.lane, statements, found, DOES), *_dead(of.lane, found)]
    return tell(of, _table(found), found, departures, empty=not in_modes)


def _require_modes(framework: str, chosen: Sequence[str]) -> None:
    """Raises UsageError, or AdapterError, where a framework is not installed or has no such modes."""
    adapters.require_installed(framework)
    if framework not in modes.frameworks():
        raise click.UsageError(f"{framework} has no modes: those that have are {', '.join(modes.frameworks())}")
    if unknown := [name for name in chosen if name not in modes.names(framework)]:
        raise click.UsageError(f"{framework} has no mode {unknown[0]!r}: it has {', '.join(modes.names(framework))}")


def _measured(
    lane: Lane, problems: Sequence[Named], dtype: str, chosen: Sequence[str], *, slow: bool
) -> Iterator[Measured]:
    own = modes.load_modes(lane)
    quick, others = [*own.MODES, *own.INFERENCES], [*own.SLOW]
    quick = [name for name in quick if not chosen or name in chosen]
    others = [name for name in others if (name in chosen if chosen else slow)]
    if quick:
        yield from measured(lane, problems, dtype, quick)
    for name in others:
        if lacking := modes.missing(own, name):
            echo(f"{lane} {name}: left out, since it needs {', '.join(lacking)}, not installed here: "
                 f"tox run -e modes-{lane.framework}")  # fmt: skip
        else:
            yield from measured(lane, problems, dtype, [name])


def _dead(lane: Lane, found: Sequence[Measured]) -> Iterator[str]:
    """Where eager execution ended its process, so that nothing was said of modes, and no expectation knows of it."""
    expectations = expected_here(lane)
    ended = {(one.problem, one.dtype): one for one in found if one.mode == EAGER}
    new = [one for one in ended.values() if not known(_record(lane, one), expectations)]
    if new:
        least = min(new, key=lambda one: (Problem.parse(one.problem).multiplies, one.problem))
        yield (f"eager execution ends the process in {len(new)} of its own, which no expectation knows: smallest "
               f'"{least.problem}" in {least.dtype}: {least.message}')  # fmt: skip


def _record(lane: Lane, one: Measured) -> Record:
    return Record(lane.framework, lane.variant, "", one.dtype, FORWARD, one.problem, Verdict.CRASHED)


def _table(found: Sequence[Measured]) -> Iterator[str]:
    """How many problems each mode was asked in each dtype, and how often it does what."""
    rows = []
    for mode, dtype in dict.fromkeys((one.mode, one.dtype) for one in found):
        those = [one for one in found if (one.mode, one.dtype) == (mode, dtype)]
        counts = Counter(does for one in those for does in one.does)
        rows.append([mode, dtype, f"{len(those):,}", f"{len(those) - counts.total():,}",
                     "; ".join(f"{counts[name]:,} {DOES[name]}" for name in DOES if counts[name])])  # fmt: skip
    return numbers(["mode", "dtype", "asked", "as eager", "otherwise"], rows)
