"""conformance report: record files as one HTML page."""

from pathlib import Path

import click

from conformance import adapters, record
from conformance.report import write_report


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--to", "page", default="reports/index.html", show_default=True, type=Path, help="Where to write.")
@click.option("--lane", "lanes", multiple=True, help="A lane that must be there; repeatable (default: all lanes).")
def command(records: Path, page: Path, lanes: tuple[str, ...]) -> int:
    """Build the HTML report from record files alone; exit status 3 if the records are not complete and consistent."""
    integrity = write_report(record.read_folder(records), page, expected_lanes=lanes or [*map(str, adapters.lanes())])
    click.echo(page.resolve().as_uri())
    for finding in integrity.findings:
        click.echo(str(finding), err=True)
    return 0 if integrity.holds else 3
