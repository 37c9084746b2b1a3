"""conformance merge: a run's shards as one record file."""

from pathlib import Path

import click

from conformance import record

INCOMPLETE = 3


@click.command()
@click.argument("shards", nargs=-1, required=True, type=Path)
@click.option("--to", "folder", default="reports/records", show_default=True, type=Path, help="Where to write.")
def command(shards: tuple[Path, ...], folder: Path) -> int:
    """Join the record files SHARDS of one run; exit status 3 if some shard is missing or incomplete."""
    whole = record.merge([record.read(path) for path in shards])
    path = whole.header.path(folder)
    record.write(path, whole)
    click.echo(f"{path}: {len(whole.records)} records, {'complete' if whole.complete else 'incomplete'}")
    return 0 if whole.complete else INCOMPLETE
