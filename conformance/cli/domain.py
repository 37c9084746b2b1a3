"""conformance domain: what each lane accepts, and where its domain ends."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from conformance import record
from conformance.domain import boundary, by_lane, departing, domain, table
from conformance.record import RecordError, reproduction


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--lane", "chosen", multiple=True, help="Only this lane; repeatable (default: all that have records).")
@click.option("--idioms", is_flag=True, help="Of each idiom by itself, from the records of the suite idioms.")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(records: Path, chosen: tuple[str, ...], idioms: bool, as_json: bool) -> int:
    """State the acceptance domain of each lane: how often it answers, refuses, crashes, and where, as predicates.

    Made from the record files of the suites core and negative, and others on the same calls. A region stands with the
    smallest predicate that tells its problems from those that are answered rightly, or with the faults of operands that
    no problem says.
    """
    runs = [run for run in record.read_folder(records) if not chosen or run.header.lane in chosen]
    of_lane = by_lane(runs, idioms=idioms)
    if not of_lane:
        raise RecordError(
            f"{records}: has no records of {', '.join(chosen) or 'any lane'}: run `conformance run` first"
        )
    lanes = [domain(name, those, departing()) for name, those in of_lane.items()]
    if as_json:
        regions = [
            {"lane": lane.name, "counts": lane.counts, "regions": [
                {**asdict(region), "where": region.where and asdict(region.where),
                 "witness": reproduction(region.witness)} for region in lane.regions]}
            for lane in lanes
        ]  # fmt: skip
        click.echo(json.dumps(regions, indent=1))
        return 0
    for line in table(lanes):
        click.echo(line)
    for lane in lanes:
        click.echo(f"\n{lane.name}")
        for line in boundary(lane):
            click.echo(f"  {line}")
    return 0
