"""conformance merge: the shards of runs as whole record files."""

from collections import defaultdict
from pathlib import Path

import click

from conformance.io.atomic import require_our_file, write_together
from conformance.io.exit_status import INCOMPLETE, OK
from conformance.io.terminal import echo, plural
from conformance.records import record, record_file
from conformance.records.arrays import beside
from conformance.records.journal import joined_arrays
from conformance.records.record import Run


@click.command()
@click.argument("shards", nargs=-1, required=True, type=Path)
@click.option("--to", "folder", default="reports/records", show_default=True, type=Path, help="Where to write.")
def command(shards: tuple[Path, ...], folder: Path) -> int:
    """Join the record files SHARDS, with their arrays, into one file for each lane and suite.

    Exit status 3 if a shard is missing or incomplete.
    """
    runs: dict[tuple[str, str], dict[Path, Run]] = defaultdict(dict)
    for path in shards:
        run = record_file.read(path)
        runs[run.header.lane, run.header.suite][path] = run
    # All are checked before any is written.
    wholes = [(record_file.merge(parts.values()), parts) for parts in runs.values()]
    for whole, _ in wholes:
        _require_no_loss(whole, whole.header.path(folder))
    for whole, parts in wholes:
        path = whole.header.path(folder)
        arrays = [part for source in parts if (part := beside(source)).exists()]
        lines, whole_arrays = record_file.content(path, whole), beside(path)
        require_our_file(whole_arrays, "PK")  # which every .npz begins with
        write_together({whole_arrays: joined_arrays(arrays) if arrays else None, path: lines})
        echo(f"{path}: {plural(len(whole.records), 'record')}, {'complete' if whole.complete else 'incomplete'}")
    return OK if all(whole.complete for whole, _ in wholes) else INCOMPLETE


def _require_no_loss(whole: Run, path: Path) -> None:
    """Raise RecordError where an incomplete run would replace a complete one."""
    if whole.complete or not path.exists() or not record_file.read(path).complete:
        return
    raise record.RecordError(
        f"{path}: is of a complete run, and these shards are of an incomplete one: give all of them, or another --to"
    )
