"""conformance domain --coverage: which combinations of parameters were never answered, and why."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from conformance.analysis.content.coverage import of_lanes, table
from conformance.cli.options import QUIET
from conformance.io.terminal import echo
from conformance.records import record_file
from conformance.records.record import RecordError


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--lane", "chosen", multiple=True, help="Only this lane; repeatable (default: all that have records).")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="One JSON object per lane.")
def command(records: Path, chosen: tuple[str, ...], as_json: bool) -> int:
    """Count the 2-way and 3-way combinations of parameter levels that each lane answered or not.

    The table counts each combination under the first reason that holds: refused, unsupported or failed in every record;
    left out, because equal channel counts hide a swap of channels; missing, if no case has it; invalid, if no valid
    problem has it.
    """
    runs = [run for run in record_file.read_folder(records) if not chosen or run.header.lane in chosen]
    lanes = of_lanes(runs)
    if not lanes:
        raise RecordError(
            f"{records}: has no records of {', '.join(chosen) or 'any lane'}: run `conformance run` first"
        )
    for lane, parts in lanes.items():
        if as_json:
            echo(json.dumps({"lane": lane, "coverage": [asdict(coverage) for coverage in parts]}))
            continue
        for line in table(lane, parts):
            echo(line)
        echo()
    return 0
