"""conformance confirm: a record file's divergences, on paths that have nothing to do with the harness."""

from collections import Counter
from pathlib import Path

import click

from conformance import adapters, record, verify
from conformance.answers import oracle_digest
from conformance.confirm import Confirmation, Finding, confirm
from conformance.exit_status import DIVERGED, OK
from conformance.record import RecordError, Verdict, reproduction

SHOWN = 5


@click.command()
@click.argument("records", nargs=-1, required=True, type=Path)
@click.option("--each", default=1, show_default=True, metavar="N", help="Only every N-th divergence of a file.")
@click.option("--at-once", default=250, show_default=True, metavar="N", help="Scripts that share a process.")
@click.option("--keep", type=Path, help="Leave the scripts and their arrays in this folder.")
@click.option("--python", metavar="PATH", help="An interpreter that has the framework (default: found).")
def command(records: tuple[Path, ...], each: int, at_once: int, keep: Path | None, python: str | None) -> int:
    """Confirm the divergences in record files: by two other oracles, and by a script of plain framework code.

    The script imports nothing of this package, runs in a fresh process, and must give the very array of the record.
    Exit status: 1 if a divergence is not confirmed, which makes it a fault of the harness or a framework that varies.
    """
    return max(_file(path, max(each, 1), max(at_once, 1), keep, python) for path in records)


def _file(path: Path, each: int, at_once: int, keep: Path | None, python: str | None) -> int:
    run = record.read(path)
    if run.header.oracle != oracle_digest():
        raise RecordError(f"{path}: was made with other data or another oracle: run the lane again")
    lane = adapters.lane(run.header.framework, run.header.variant)
    diverging = [one for one in run.records if one.verdict is Verdict.DIVERGES and one.redrawn]
    chosen = diverging[::each]
    found = python or verify.python_for(lane.framework, {})
    if chosen and found is None:
        raise verify.VerifyError(f"no environment here has {lane.framework}: give one by --python PATH")
    findings = list(confirm(lane, chosen, str(found), at_once=at_once, keep=keep)) if chosen else []
    click.echo(f"{path}: {len(diverging)} divergences, {len(chosen)} taken: {_counts(findings)}")
    others = [one for one in findings if one.finding is not Finding.CONFIRMED]
    for one in others[:SHOWN]:
        click.echo(f"  {one.finding}: {one.message}\n    {reproduction(one.record)}")
    return DIVERGED if others else OK


def _counts(findings: list[Confirmation]) -> str:
    counts = Counter(one.finding for one in findings)
    return ", ".join(f"{count} {finding}" for finding, count in counts.most_common()) or "nothing to confirm"
