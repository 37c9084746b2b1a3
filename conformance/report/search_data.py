"""The cases as data for the browser: scripts that call one function each, so that they load from a file as well.

Cases are numbered by id. `cases-N.js` has ids and problems, `records-N.js` what each lane made of them in columns, and
`case-N.js` everything that is known of some neighbouring cases. `manifest.js` names what the columns number, and
`documents.js` has the texts of the documents.
"""

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from conformance.io.terminal import printable
from conformance.records.messages import label_of, skeleton
from conformance.records.record import Key, Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report.content.history import Kept
from conformance.report.tables.counts import precision
from conformance.report.words import GLOSSARY, SYMBOLS

PER_SHARD = 10_000
PER_BUCKET = 100
"""Cases of which everything is loaded together."""

FileText = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands beside a record: the page of its fault, and the expectation that knew of it."""

    fault: Callable[[Record], str]
    known: Callable[[Record], str]


class _Names(dict[str, int]):
    """Names in the order in which they were first asked for; the empty one is 0."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]


def data_files(runs: Sequence[Run], placed: Placed, kept: Kept) -> Iterator[FileText]:
    """Every data file's name and text."""
    problems = {(record.case, record.problem) for run in runs for record in run.records}
    cases = sorted(problems)
    number = {case: at for at, case in enumerate(cases)}
    names: Mapping[str, _Names] = defaultdict(_Names)
    shards: list[dict[str, Any]] = []
    for run in runs:
        for start in range(0, len(run.records), PER_SHARD):
            part = run.records[start : start + PER_SHARD]
            name = f"records-{len(shards)}.js"
            columns = _columns(run, part, number, names, placed)
            yield name, _script("records", {"number": len(shards), **columns})
            shards.append({"file": name, "lane": run.header.lane, "suite": run.header.suite, "count": len(part)})
    blocks: list[str] = []
    for start in range(0, len(cases), PER_SHARD):
        name = f"cases-{len(blocks)}.js"
        part_of = cases[start : start + PER_SHARD]
        yield name, _script("cases", {"start": start, "ids": [printable(case) for case, _ in part_of],
                                      "problems": [printable(problem) for _, problem in part_of]})  # fmt: skip
        blocks.append(name)
    firsts = list(range(0, len(cases), PER_BUCKET))
    yield from _buckets(runs, number, len(firsts), placed, kept)
    yield "manifest.js", _script("manifest", {
        "names": {column: [printable(name) for name in values] for column, values in names.items()},
        "verdicts": {verdict.value: [SYMBOLS[verdict], GLOSSARY[verdict], verdict.fails] for verdict in Verdict},
        "records": shards, "cases": blocks, "total": sum(len(run.records) for run in runs), "count": len(cases),
        "kept": {f"{lane} {suite}": those for (lane, suite), those in sorted(kept.starts.items())},
        "buckets": [printable(cases[first][0]) for first in firsts],
    })  # fmt: skip


def _columns(
    run: Run, records: Sequence[Record], number: Mapping[tuple[str, str], int], names: Mapping[str, _Names],
    placed: Placed,
) -> dict[str, Any]:  # fmt: skip
    labels = _labels(records)
    columns: dict[str, list[int]] = {"case": [number[record.case, record.problem] for record in records]}
    values: dict[str, Callable[[Record], str]] = {
        "dtype": lambda record: precision(record.dtype, record.direction),
        "verdict": lambda record: record.verdict.value,
        "kind": lambda record: record.kind,
        "idiom": lambda record: record.idiom,
        "claimed": lambda record: record.claimed,
        "composed": lambda record: "+".join(record.composed),
        "known": placed.known,
        "fault": placed.fault,
        "message": lambda record: labels.get(record.key, ""),
    }
    for column, value in values.items():
        columns[column] = [names[column][value(record)] for record in records]
    short = {name: values[0] if len(set(values)) == 1 else values for name, values in columns.items() if name != "case"}
    header = {"framework": run.header.framework, "variant": run.header.variant, "suite": run.header.suite}
    of_run = {name: names[name][value] for name, value in header.items()}
    return {"count": len(records), "case": columns["case"], **short, **of_run}


def _labels(records: Iterable[Record]) -> dict[Key, str]:
    """Each record's message; where it is no divergence, without the numbers in which it differs from others."""
    alike: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        if record.message:
            own = record.key if record.verdict is Verdict.DIVERGES else None
            alike[own, skeleton(record.message)].append(record)
    return {record.key: label for group in alike.values() for label in [label_of(group)] for record in group}


def _buckets(
    runs: Sequence[Run], number: Mapping[tuple[str, str], int], count: int, placed: Placed, kept: Kept
) -> Iterator[FileText]:
    """The files of neighbouring cases, one at a time: what is known of all records takes more memory than they do."""
    rows: list[list[Record]] = [[] for _ in range(count)]
    run_of = [array("I") for _ in range(count)]
    for at, run in enumerate(runs):
        for record in run.records:
            bucket = number[record.case, record.problem] // PER_BUCKET
            rows[bucket].append(record)
            run_of[bucket].append(at)
    for at, records in enumerate(rows):
        known = [_everything(runs[of], record, placed, kept) for of, record in zip(run_of[at], records, strict=True)]
        yield f"case-{at}.js", _script("bucket", {"number": at, "records": known})


def _everything(run: Run, record: Record, placed: Placed, kept: Kept) -> dict[str, Any]:
    fields = {
        "case": record.case, "problem": record.problem, "lane": record.lane, "suite": run.header.suite,
        "dtype": precision(record.dtype, record.direction), "verdict": record.verdict.value, "kind": record.kind,
        "message": record.message, "call": record.call, "idiom": record.idiom, "claimed": record.claimed,
        "composed": ", ".join(record.composed), "expected": record.expected, "actual": record.actual,
        "deviation": record.deviation and dict(record.deviation),
        "certificate": record.certificate and dict(record.certificate),
        "rounding": record.rounding and dict(record.rounding), "seconds": record.seconds,
        "known": placed.known(record), "fault": placed.fault(record), "command": reproduction(record),
        "past": [list(map(printable, astuple(state))) for state in kept.changed.get((record.lane, record.key), ())],
    }  # fmt: skip
    return {name: printable(value) for name, value in fields.items() if value}


def documents_file(sections: Iterable[tuple[str, str, str, str]]) -> str:
    """What is searched of the documents, a list a section: its address, its page's title, its heading and its text."""
    return _script("documents", [list(map(printable, section)) for section in sections])


def _script(function: str, content: Any) -> str:
    """A call of a function of ours; plain ASCII, so that no character ends the script or its text."""
    return f"conformance.{function}({json.dumps(content, separators=(',', ':'))});\n"
