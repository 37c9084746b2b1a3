"""conformance report: record files as a site."""

from pathlib import Path

import click

from conformance import adapters, record
from conformance.exit_status import INCOMPLETE, OK


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--to", "page", default="reports/index.html", show_default=True, type=Path, help="Where to write.")
@click.option("--lane", "lanes", multiple=True, help="A lane that must be there; repeatable (default: all lanes).")
def command(records: Path, page: Path, lanes: tuple[str, ...]) -> int:
    """Build the report from record files and the arrays beside them: a front page, and the folder `site` beside it.

    Exit status 3 if the records are not complete and consistent.
    """
    from conformance.gather import gather
    from conformance.report import write_report

    runs = record.read_folder(records)
    expected = lanes or [str(lane) for lane in adapters.lanes()]
    integrity = write_report(gather(runs, records, expected), page)
    click.echo(page.resolve().as_uri())
    for finding in integrity.findings:
        click.echo(str(finding), err=True)
    return OK if integrity.holds else INCOMPLETE
