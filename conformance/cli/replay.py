"""conformance replay: published faults, in the version that has each and in the one that has not."""

from pathlib import Path

import click

from conformance.cli.options import QUIET
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, note, one_line, wrapped
from conformance.regression.replay import Replay, announce, chosen, read, replay
from conformance.report.content.replays import DEFAULT, ReplayRow, Replays, Side, dump


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID ...]")
@click.option("--all", "all_", is_flag=True, help="Replay all of them.")
@click.option("--list", "list_", is_flag=True, help="List the faults, and replay nothing.")
@QUIET
@click.option("--to", type=Path, help=f"The file that the report's page is made from (the report reads {DEFAULT}).")
def command(ids: tuple[str, ...], all_: bool, list_: bool, to: Path | None) -> int:
    """Replay published faults in two versions: one that has the fault, and one that does not.

    Both versions make a call that shows the fault. The fault is proved if three things hold. The first version gives
    the verdict and the diagnosis on file in cases/replay. The second version gives its own verdict on file.
    Neighbouring problems conform in both versions. The cache folder keeps the environments. Exit status: 0 all are
    proved, 1 a fault is not proved, 2 usage, or a version that cannot be installed.
    """
    replays = read()
    if list_:
        for one in replays:
            echo("\n".join(_about(one)))
        return OK
    if not (ids or all_):
        raise click.UsageError("give an ID, --all or --list")
    if to is not None:
        require_our_file(to, '{\n "format": "conformance-replays/')
    asked = replays if all_ else chosen(replays, ids)
    announce(asked, note)
    rows = [_row(one) for one in asked]
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(to, [dump(Replays(rows=rows))])
    return OK if all(row.proved for row in rows) else DIVERGED


def _row(one: Replay) -> ReplayRow:
    """A replay, told as it goes."""
    echo(f"{one.id}: {one_line(one.fault)}")
    sides = []
    for outcome in replay(one, note):
        echo(f"  {outcome.build}: {outcome.verdict}{f': NOT PROVED: {outcome.wrong}' if outcome.wrong else ''}")
        sides.append(Side(outcome.build, outcome.expected, outcome.verdict, one_line(outcome.wrong)))
    unfixed = f"{one.bad}, {one.unfixed}" if one.unfixed else ""
    if unfixed:
        echo(f"  unfixed as of {unfixed}")
    return ReplayRow(one.id, one.fault, one.link, one.lane, one.command, sides, unfixed)


def _about(one: Replay) -> list[str]:
    fixed = f"{one.fixed}: {one.green.verdict}" if one.fixed else f"unfixed as of {one.unfixed}"
    text = [one_line(one.fault), f"{one.lane}: {one.bad}: {one.red.verdict}; {fixed}", one.link]
    return [one.id, *(line for part in text for line in wrapped(part, "  "))]
