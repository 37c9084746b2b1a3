"""conformance coverage: which combinations of parameters were never answered, and why."""

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import click

from conformance import record
from conformance.coverage import coverage, table
from conformance.record import CLAIMS, PORTS, Record, RecordError

RANKS, STRENGTHS = (1, 2, 3), (2, 3)


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--lane", "chosen", multiple=True, help="Only this lane; repeatable (default: all that have records).")
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object a lane.")
def command(records: Path, chosen: tuple[str, ...], as_json: bool) -> int:
    """Count the 2-way and 3-way combinations of parameter levels that each lane answered or not.

    The reason is the first that holds: refused, unsupported or failed wherever it was run; left out, since equal
    channel counts hide a swap of channels; missing, which no case has; invalid, which no valid problem has.
    """
    of_lane: dict[str, list[Record]] = defaultdict(list)
    for run in record.read_folder(records):
        if run.header.suite not in (CLAIMS, PORTS) and (not chosen or run.header.lane in chosen):
            of_lane[run.header.lane] += run.records
    if not of_lane:
        raise RecordError(
            f"{records}: has no records of {', '.join(chosen) or 'any lane'}: run `conformance run` first"
        )
    for lane in sorted(of_lane):
        found = [coverage(of_lane[lane], rank, strength) for rank in RANKS for strength in STRENGTHS]
        if as_json:
            click.echo(json.dumps({"lane": lane, "coverage": [asdict(each) for each in found]}))
            continue
        for line in table(lane, found):
            click.echo(line)
        click.echo()
    return 0
