"""conformance domain: what each lane accepts, and where its domain ends."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from conformance import cases, record
from conformance.cases import Case
from conformance.domain import Lane, boundary, domain, limits, outcome, regions, table
from conformance.expectations import read_expectations
from conformance.record import CLAIMS, IDIOMS, NEGATIVE, PORTS, Key, Record, RecordError, reproduction


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--lane", "chosen", multiple=True, help="Only this lane; repeatable (default: all that have records).")
@click.option("--idioms", is_flag=True, help="Of each idiom by itself, from the records of the suite idioms.")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@click.option("--markdown", is_flag=True, help="Three tables of all lanes: counts, regions of valid problems, limits.")
def command(records: Path, chosen: tuple[str, ...], idioms: bool, as_json: bool, markdown: bool) -> int:
    """State the acceptance domain of each lane: how often it answers, refuses, crashes, and where, as predicates.

    Made from the record files of the suites core and negative, and others on the same calls. A region stands with the
    smallest predicate that tells its problems from those that are answered rightly, or with the faults of operands that
    no problem says.
    """
    of_lane = _of_lane(records, chosen, idioms=idioms)
    if markdown:
        click.echo("\n".join(_markdown(of_lane)))
        return 0
    departing = {case.id for case in cases.read_suite(NEGATIVE).cases if _departs(case)}
    lanes = [domain(name, those, departing) for name, those in of_lane.items()]
    click.echo(json.dumps(_json(lanes), indent=1) if as_json else "\n".join(_lines(lanes)))
    return 0


def _of_lane(folder: Path, chosen: Sequence[str], *, idioms: bool) -> dict[str, list[Record]]:
    """The records of each lane, or of each lane's idioms, by name; one of each case and dtype, which suites share."""
    found: dict[str, dict[Key, Record]] = defaultdict(dict)
    for run in record.read_folder(folder):
        if (run.header.suite == IDIOMS) is idioms and run.header.suite not in (CLAIMS, PORTS):
            for each in run.records:
                if not chosen or each.lane in chosen:
                    found[f"{each.lane} {each.idiom}".strip()][each.key] = each
    if not found:
        raise RecordError(f"{folder}: has no records of {', '.join(chosen) or 'any lane'}: run `conformance run` first")
    return {name: list(found[name].values()) for name in sorted(found)}


def _json(lanes: Sequence[Lane]) -> list[dict[str, Any]]:
    return [
        {"lane": lane.name, "counts": lane.counts, "regions": [
            {**asdict(region), "where": region.where and asdict(region.where),
             "witness": reproduction(region.witness)} for region in lane.regions]}
        for lane in lanes
    ]  # fmt: skip


def _lines(lanes: Sequence[Lane]) -> Iterator[str]:
    yield from table(lanes)
    for lane in lanes:
        yield f"\n{lane.name}"
        yield from (f"  {line}" for line in boundary(lane))


def _markdown(of_lane: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    known = {each[0].framework: read_expectations(each[0].framework) for each in of_lane.values()}
    yield from table([Lane(name, Counter(map(outcome, records)), ()) for name, records in of_lane.items()])
    yield ""
    yield from regions(of_lane, known)
    yield ""
    yield from limits(of_lane)


def _departs(case: Case) -> bool:
    """Whether a case's problem does not say all that is called."""
    bad = case.hostile
    return bad is not None and bool(bad.shapes or bad.dtypes or bad.view or bad.values or bad.calls)
