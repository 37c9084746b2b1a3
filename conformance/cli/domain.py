"""conformance domain: what each lane accepts, and where its domain ends."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from conformance.analysis.domain import (
    OUTCOMES,
    LaneDomain,
    boundary,
    by_lane,
    departing,
    domain,
    limits,
    outcome,
    regions,
    table,
)
from conformance.cli.options import QUIET
from conformance.io.terminal import echo, numbers, progress, wrapped
from conformance.records import record_file
from conformance.records.record import Record, RecordError, Run
from conformance.records.reproduction import reproduction
from conformance.report.tables.counts import by_pass
from conformance.suites.expectations import Expectation, expected_of, of_records


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--lane", "chosen", multiple=True, help="Only this lane; repeatable (default: all that have records).")
@click.option("--idioms", is_flag=True, help="Each idiom separately, from the records of the suite idioms.")
@click.option("--passes", is_flag=True, help="One table: the verdicts of each lane by pass and dtype.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@click.option("--markdown", is_flag=True, help="Three tables of all lanes: counts, regions of valid problems, limits.")
def command(records: Path, chosen: tuple[str, ...], idioms: bool, passes: bool, as_json: bool, markdown: bool) -> int:
    """State the acceptance domain of each lane: how often it answers, refuses, crashes, and where, as predicates.

    It is computed from record files of the suites core and negative, and of other suites with the same calls. Each
    region has the smallest predicate that separates its problems from those that are answered correctly. No predicate
    can describe a wrong operand; such faults have names instead.
    """
    runs = [run for run in record_file.read_folder(records) if not chosen or run.header.lane in chosen]
    of_lane = by_lane(runs, idioms=idioms)
    if not of_lane:
        raise RecordError(
            f"{records}: has no records of {', '.join(chosen) or 'any lane'}: run `conformance run` first"
        )
    if passes:
        echo("\n".join(_by_pass(runs, as_json=as_json)))
        return 0
    if markdown:
        echo("\n".join(_markdown(of_lane, runs)))
        return 0
    known = of_records(runs)
    lanes = [domain(name, those, departing(), known) for name, those in progress(of_lane.items(), "domains", "lanes")]
    echo(json.dumps(_json(lanes), indent=1) if as_json else "\n".join(_lines(lanes)))
    return 0


def _by_pass(runs: Sequence[Run], *, as_json: bool) -> Iterator[str]:
    """The verdicts of each lane by pass and dtype, on valid problems of all suites."""
    made = by_pass(runs)
    if as_json:
        yield json.dumps([
            {"lane": row.lane, "pass": row.labels[0], "dtype": row.labels[1],
             "verdicts": dict(zip(made.columns, row.counts[1:], strict=True))} for row in made.rows
        ], indent=1)  # fmt: skip
        return
    rows = [[" ".join((row.lane, *row.labels)), *(f"{count:,}" for count in row.counts)] for row in made.rows]
    yield from numbers(["lane, pass and dtype", "records", *made.columns], rows)


def _json(lanes: Sequence[LaneDomain]) -> list[dict[str, Any]]:
    return [
        {"lane": lane.name, "counts": lane.counts, "regions": [
            {"outcome": region.outcome, "message": region.message, "count": region.count,
             "known": region.known and {"id": region.known.id, "when": region.known.when.text},
             "where": region.where and {**asdict(region.where), "sentence": region.where.sentence},
             "faults": region.faults, "witness": reproduction(region.witness)} for region in lane.regions]}
        for lane in lanes
    ]  # fmt: skip


def _lines(lanes: Sequence[LaneDomain]) -> Iterator[str]:
    present = [name for name in OUTCOMES if any(lane.counts.get(name) for lane in lanes)]
    yield from numbers(
        ["lane", *present], [[lane.name, *(f"{lane.counts[name]:,}" for name in present)] for lane in lanes]
    )
    for lane in lanes:
        yield f"\n{lane.name}"
        for line in boundary(lane):
            indent = line[: len(line) - len(line.lstrip())]
            yield from wrapped(line.lstrip(), f"  {indent}", " " * 10)


def _markdown(of_lane: Mapping[str, Sequence[Record]], runs: Sequence[Run]) -> Iterator[str]:
    known: dict[str, dict[str, Expectation]] = defaultdict(dict)
    for run in runs:
        known[run.header.framework] |= {expectation.id: expectation for expectation in expected_of(run)}
    yield from table([LaneDomain(name, Counter(map(outcome, records)), ()) for name, records in of_lane.items()])
    yield ""
    yield from regions(of_lane, {name: tuple(those.values()) for name, those in known.items()})
    yield ""
    yield from limits(of_lane)
