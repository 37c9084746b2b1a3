"""conformance report: record files as HTML."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from conformance import adapters, evidence, record
from conformance.atomic import write_atomically
from conformance.exit_status import INCOMPLETE, OK
from conformance.expectations import expected_of, known
from conformance.record import Record, Run
from conformance.report import write_report
from conformance.report.handbook import Handbook, html


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--to", "page", default="reports/index.html", show_default=True, type=Path, help="Where to write.")
@click.option("--lane", "lanes", multiple=True, help="A lane that must be there; repeatable (default: all lanes).")
def command(records: Path, page: Path, lanes: tuple[str, ...]) -> int:
    """Build the HTML report from record files alone; exit status 3 if the records are not complete and consistent."""
    runs = record.read_folder(records)
    expected = lanes or [str(lane) for lane in adapters.lanes()]
    expectations = {run.header.framework: expected_of(run) for run in runs}

    def why(each: Record) -> str:
        found = known(each, expectations[each.framework])
        return (
            f"{found.id}, since {found.since}. {' '.join(found.reason.split())} Upstream: {found.upstream}."
            if found
            else ""
        )

    handbook = _handbook(runs, why)
    write_atomically(page.with_name("conventions.html"), html(handbook).encode())
    write_atomically(page.with_name("literature.html"), _literature(runs).encode())
    integrity = write_report(runs, page, expected_lanes=expected, known=why)
    click.echo(page.resolve().as_uri())
    for finding in integrity.findings:
        click.echo(str(finding), err=True)
    return OK if integrity.holds else INCOMPLETE


def _literature(runs: Sequence[Run]) -> str:
    """The claims with what these runs have made of them."""
    from conformance import claims, literature
    from conformance.report import literature as pages

    return pages.html(literature.build(claims.read_claims(), runs))


def _handbook(runs: Sequence[Run], known: Callable[[Record], str]) -> Handbook:
    """The conventions with what these runs have proved of them, and what is on file for other lanes."""
    from conformance import handbook

    proved = evidence.collect(runs, known)
    return handbook.build(evidence.Evidence({**evidence.read().lanes, **proved.lanes}))
