"""conformance conventions: the handbook, from the catalogue and the evidence."""

from pathlib import Path

import click

from conformance import evidence, record
from conformance.atomic import write_atomically
from conformance.exit_status import DIVERGED, OK
from conformance.expectations import expected_of, known
from conformance.record import Record

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "conventions.md"


@click.command()
@click.option("--records", type=Path, help="Take the proofs from the record files of this folder first.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 if the document is not what it must be.")
@click.option("--to", "document", default=DOCUMENT, type=Path, help="Where to write (default: docs/conventions.md).")
def command(records: Path | None, check: bool, document: Path) -> int:
    """Write docs/conventions.md from the idioms, the laws and cases/proved.json."""
    from conformance import handbook
    from conformance.report.handbook import markdown

    if records is not None:
        evidence.write(proved(records))
    text = markdown(handbook.build(evidence.read())).encode()
    if check:
        stale = not document.exists() or document.read_bytes() != text
        if stale:
            click.echo(f"{document}: not what the catalogue says: run `conformance conventions`", err=True)
        return DIVERGED if stale else OK
    write_atomically(document, text)
    click.echo(str(document))
    return OK


def proved(folder: Path) -> evidence.Evidence:
    """The evidence in the record files of a folder."""
    runs = record.read_folder(folder)
    expectations = {run.header.framework: expected_of(run) for run in runs}

    def why(each: Record) -> bool:
        return known(each, expectations[each.framework]) is not None

    return evidence.collect(runs, why)
