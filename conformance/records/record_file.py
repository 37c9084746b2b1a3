"""Records on disk: one verdict a line, between a header that says what was run and a footer that counts it.

    {"format": ..., "framework": ..., "variant": ..., "suite": ..., "expected": 8014, ...}    header
    {"case": ..., "dtype": ..., "pass": ..., "verdict": ..., ...}                             one line a record, sorted
    {"complete": true, "records": 8014, "verdicts": {"conforms": 7000, ...}}                  footer

A file is written whole or not at all, and read strictly.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import BoundError, read_json, read_text
from conformance.problem import Problem, ProblemError
from conformance.records.machine import common
from conformance.records.record import NAMES, ON_DISK, Header, Key, Record, RecordError, Run, SubjectKind, Verdict
from conformance.records.schema import (
    Types,
    is_count,
    is_count_by_name,
    is_flag,
    is_instant,
    is_label,
    is_name,
    is_number,
    is_number_by_name,
    is_shard,
    is_table,
    is_text,
    is_text_by_name,
    is_texts,
    is_whole_by_name,
)

FORMAT = "conformance-record/1"
MARK = '{"format": "conformance-record/'
"""How a record file begins, of whatever version."""

_FROM_DISK = {ON_DISK.get(name, name): name for name in NAMES}
_REQUIRED = frozenset({"framework", "variant", "case", "dtype", "pass", "problem", "verdict"})


def write(path: Path, run: Run) -> None:
    """Write a record file atomically, sorted by key; raises RecordError for two records of one key."""
    write_atomically(path, content(path, run))


def content(path: Path, run: Run) -> Iterator[bytes]:
    """What `write` writes. Raises RecordError, and OverwriteError where what stands there is no record file."""
    records = sorted(run.records, key=lambda record: record.key)
    _refuse_duplicates(str(path), records)
    require_our_file(path, MARK)
    return dump(run.header, (record.to_json() for record in records), run.verdicts, complete=run.complete)


def dump(header: Header, lines: Iterable[str], verdicts: Mapping[Any, int], *, complete: bool) -> Iterator[bytes]:
    """A record file's content from records that are sorted and in JSON already."""
    counts = {verdict.value: verdicts[verdict] for verdict in Verdict if verdicts.get(verdict)}
    footer = {"complete": complete, "records": sum(counts.values()), "verdicts": counts}
    for line in chain([json.dumps({"format": FORMAT, **asdict(header)})], lines, [json.dumps(footer)]):
        yield line.encode() + b"\n"


def read(path: Path) -> Run:
    """A record file, checked. Raises RecordError for anything that is not exactly what `write` writes."""
    try:
        lines = [read_json(line) for line in read_text(path).splitlines()]
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RecordError(f"{path}: not a whole record file: {error}: run the lane again") from None
    if not lines or not isinstance(lines[0], dict) or lines[0].pop("format", None) != FORMAT:
        raise RecordError(
            f"{path}: its first line is no header of format {FORMAT!r}: give a file that this version wrote"
        )
    if len(lines) < 2 or not isinstance(lines[-1], dict) or lines[-1].keys() != _FOOTER.keys():
        raise RecordError(f"{path}: the footer is missing, so the file was cut off: run the lane again")
    _check_types(f"{path}: the footer", lines[-1], _FOOTER)
    header = _header(path, lines[0])
    records = tuple(_record(f"{path}:{number}", line) for number, line in enumerate(lines[1:-1], 2))
    run = Run(header, records, lines[-1]["complete"])
    if strays := {record.lane for record in records} - {header.lane}:
        raise RecordError(f"{path}: the header says {header.lane}, some records say {strays.pop()}: run the lane again")
    if lines[-1]["records"] != len(records) or lines[-1]["verdicts"] != run.verdicts:
        raise RecordError(f"{path}: the footer counts {lines[-1]['records']} records, {len(records)} stand there as "
                          f"{dict(run.verdicts)}: run the lane again")  # fmt: skip
    if run.complete and len(records) != header.expected:
        raise RecordError(
            f"{path}: a complete run has {header.expected} records, here are {len(records)}: run it again"
        )
    _refuse_duplicates(str(path), records)
    return run


def read_folder(folder: Path) -> list[Run]:
    """Every record file of a folder, by name. Raises RecordError where there is none."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise RecordError(f"{folder}: has no record files: run a lane first, as in `conformance run torch`")
    return [read(path) for path in paths]


def merge(runs: Iterable[Run]) -> Run:
    """One run from the shards of it, whose machine has the facts that all of them share.

    Raises RecordError for shards of different runs and for conflicting records.
    """
    first, *rest = runs
    whole = replace(first.header, shard=(1, 1), started=min(run.header.started for run in (first, *rest)))
    for run in rest:
        if run.header.shard[1] != first.header.shard[1]:
            parts = f"{first.header.shard[1]} and {run.header.shard[1]}"
            raise RecordError(f"shards are of different partitions, into {parts}: merge shards of one run only")
        for name in (f.name for f in fields(Header)):
            ours, theirs = getattr(first.header, name), getattr(run.header, name)
            if name not in ("shard", "started", "expected", "machine") and ours != theirs:
                raise RecordError(f"shards differ in {name}: {ours} against {theirs}: merge shards of one run only")
    records: dict[Key, Record] = {}
    for record in (record for run in (first, *rest) for record in run.records):
        other = records.setdefault(record.key, record)
        if replace(other, seconds=0) != replace(record, seconds=0):
            raise RecordError(f"{' '.join(record.key)}: one shard says {other.verdict}, another {record.verdict}: "
                              "a shard was run twice with different results; run it again")  # fmt: skip
    shards = {run.header.shard: run.header.expected for run in (first, *rest)}
    present = len(shards) == first.header.shard[1]  # they are different, and none is above it
    complete = present and all(run.complete for run in (first, *rest))
    whole = replace(whole, expected=sum(shards.values()), machine=common(run.header.machine for run in (first, *rest)))
    return Run(whole, tuple(sorted(records.values(), key=lambda record: record.key)), complete)


def parse(line: str) -> Record:
    """One record from its line; the inverse of `Record.to_json`."""
    try:
        return _record("record", read_json(line))
    except BoundError as error:
        raise RecordError(f"record: {error}") from None


# Whatever is not listed is text.
_HEADER: Types = {"framework": is_name, "variant": is_name, "suite": is_name, "dtypes": is_texts,
                  "directions": is_texts, "expected": is_count, "shard": is_shard, "started": is_instant,
                  "environment": is_text_by_name, "machine": is_text_by_name}  # fmt: skip
_RECORD: Types = {"case": is_label, "dtype": is_name, "pass": is_name, "composed": is_texts, "trace": is_texts,
                  "deviation": is_table,
                  "certificate": is_whole_by_name, "seconds": is_number, "rounding": is_number_by_name}  # fmt: skip
_FOOTER: Types = {"complete": is_flag, "records": is_count,
                  "verdicts": is_count_by_name}  # fmt: skip


def _check_types(where: str, values: Mapping[str, Any], types: Types) -> None:
    for name, value in values.items():
        if not types.get(name, is_text)(value):
            raise RecordError(
                f"{where}: {name} is {str(value)[:60]!r}, which is of no type that it can have: run it again"
            )


def _header(path: Path, values: dict[str, Any]) -> Header:
    known = {f.name for f in fields(Header)}
    if {*values, "machine"} != known:
        raise RecordError(
            f"{path}:1: the header's keys differ by {sorted({*values, 'machine'} ^ known)}: run the lane again"
        )
    _check_types(f"{path}:1", values, _HEADER)
    if values["started"] > (datetime.now(UTC) + timedelta(days=1)).isoformat():
        raise RecordError(
            f"{path}:1: started is {values['started']}, which is still to come: set the clock and run it again"
        )
    for name in ("dtypes", "directions", "shard"):
        values[name] = tuple(values[name])
    return Header(**values)


def _record(where: str, values: Any) -> Record:
    if not isinstance(values, dict) or not values.keys() >= _REQUIRED:
        raise RecordError(f"{where}: no record, or one that lacks some of {', '.join(sorted(_REQUIRED))}: run it again")
    if unknown := values.keys() - _FROM_DISK.keys():
        raise RecordError(f"{where}: unknown keys {sorted(unknown)}: another version wrote this; run the lane again")
    _check_types(where, values, _RECORD)
    try:
        values["verdict"] = Verdict(values["verdict"])
    except ValueError:
        raise RecordError(f"{where}: unknown verdict {values['verdict']!r}: the verdicts are {list(Verdict)}") from None
    if values.get("idiom") != SubjectKind.CLAIM and (fault := _fault_of(values["problem"])):
        raise RecordError(f"{where}: {fault}: another version wrote this; run the lane again")
    for name in ("composed", "trace"):
        values[name] = tuple(values.get(name, ()))
    return Record(**{_FROM_DISK[name]: value for name, value in values.items()})


@lru_cache(maxsize=2**14)  # a case has a record for each dtype
def _fault_of(problem: str) -> str:
    """What is wrong with a descriptor; nothing with a good one."""
    try:
        Problem.parse(problem)
    except ProblemError as error:
        return str(error)
    return ""


def _refuse_duplicates(path: str, records: Iterable[Record]) -> None:
    seen = Counter(record.key for record in records)
    if twice := [" ".join(key) for key, count in seen.items() if count > 1]:
        raise RecordError(f"{path}: {twice[0]} is recorded twice: run the lane again")
