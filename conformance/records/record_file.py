"""Records on disk: one verdict a line, between a header that says what was run and a footer that counts it.

    {"format": ..., "framework": ..., "variant": ..., "suite": ..., "expected": 8014, ...}    header
    {"case": ..., "dtype": ..., "pass": ..., "verdict": ..., ...}                             one line a record, sorted
    {"complete": true, "records": 8014, "verdicts": {"conforms": 7000, ...}}                  footer

A file is written whole or not at all, and read strictly.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import astuple

from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import BoundError, read_bytes, read_json
from conformance.problem import Problem, ProblemError
from conformance.records.machine import common
from conformance.records.record import PARTIAL, Header, Key, Record, RecordError, Run, SubjectKind, Verdict
from conformance.records.schema import FORMAT, Footer, HeaderLine, RecordLine, decode

MARK = '{"format": "conformance-record/'
"""How a record file begins, of whatever version."""


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


def read(path: Path, shared: dict[Any, Any] | None = None) -> Run:
    """A record file, checked. Raises RecordError for anything that is not exactly what `write` writes.

    Equal values are one object in memory, in all files that are read with the same `shared`.
    """
    lines = _lines(path)
    header = _first(path, lines)
    footer = _footer(path, lines)
    shared = {} if shared is None else shared
    records = tuple(_record(f"{path}:{number}", line, shared) for number, line in enumerate(lines[1:-1], 2))
    run = Run(header, records, footer.complete, path)
    if strays := {record.lane for record in records} - {header.lane}:
        raise RecordError(f"{path}: the header says {header.lane}, some records say {strays.pop()}: run the lane again")
    if footer.records != len(records) or footer.verdicts != run.verdicts:
        raise RecordError(f"{path}: the footer counts {footer.records} records, {len(records)} stand there as "
                          f"{dict(run.verdicts)}: run the lane again")  # fmt: skip
    if run.complete and len(records) != header.expected:
        raise RecordError(
            f"{path}: a complete run has {header.expected} records, here are {len(records)}: run it again"
        )
    _refuse_duplicates(str(path), records)
    return run


def read_header(path: Path) -> Header:
    """The header of a record file, whose records are not looked at. Raises RecordError where there is none."""
    return _first(path, _lines(path)[:1])


def _lines(path: Path) -> list[bytes]:
    try:
        return read_bytes(path).splitlines()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except BoundError as error:
        raise RecordError(f"{path}: {error}") from None


def _first(path: Path, lines: Sequence[bytes]) -> Header:
    if not lines or not _says_its_format(lines[0]):
        raise RecordError(
            f"{path}: its first line is no header of format {FORMAT!r}: give a file that this version wrote"
        )
    return _header(f"{path}:1", lines[0])


def read_folder(folder: Path) -> list[Run]:
    """Every record file of a folder, by name. Raises RecordError where there is none."""
    if not (paths := sorted(folder.glob("*.jsonl"))):
        is_one = folder.is_file() and folder.suffix == ".jsonl"
        step = f"give its folder, {folder.parent}" if is_one else "run a lane first, as in `conformance run torch`"
        raise RecordError(f"{without_files(folder)}: {step}")
    shared: dict[Any, Any] = {}
    return [read(path, shared) for path in paths]


def without_files(folder: Path) -> str:
    """Why a folder has no record files, and where there are some."""
    partial = folder / PARTIAL
    why = "" if folder.exists() else ", since there is no such folder"
    why = ", since it is a file and not a folder" if folder.is_file() else why
    if any(partial.glob("*.jsonl")):
        why = f", but {partial} has those of a run of some cases or dtypes"
    return f"{folder}: has no record files{why}"


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
    return _record("record", line, {})


def _says_its_format(line: bytes) -> bool:
    try:
        values = read_json(line.decode())
    except ValueError:
        return False
    return isinstance(values, dict) and values.get("format") == FORMAT


def _header(where: str, line: bytes) -> Header:
    _, *values = astuple(decode(where, line, HeaderLine))
    header = Header(*values)
    if header.started and not _is_instant(header.started):
        raise RecordError(f"{where}: started is {header.started}, which is no time: run it again")
    if header.started > (datetime.now(UTC) + timedelta(days=1)).isoformat():
        raise RecordError(
            f"{where}: started is {header.started}, which is still to come: set the clock and run it again"
        )
    if header.shard[0] > header.shard[1]:
        raise RecordError(f"{where}: shard is {header.shard[0]} of {header.shard[1]}, which there is not: run it again")
    return header


def _footer(path: Path, lines: Sequence[bytes]) -> Footer:
    try:
        footer: Footer = decode(f"{path}:{len(lines)}", lines[-1], Footer)
    except RecordError:
        if lines[-1].startswith(b'{"complete"'):
            raise
        raise RecordError(
            f"{path}: line {len(lines)}, the last, is no footer, so the file was cut off or damaged: run the lane again"
        ) from None
    return footer


def _record(where: str, line: bytes | str, shared: dict[Any, Any]) -> Record:
    record = Record(*(_shared(value, shared) for value in astuple(decode(where, line, RecordLine))))
    if not record.case.isprintable():
        raise RecordError(f"{where}: case is {record.case[:60]!r}, which a terminal cannot show: run the lane again")
    if record.idiom != SubjectKind.CLAIM and (fault := _fault_of(record.problem)):
        raise RecordError(f"{where}: {fault}: another version wrote this; run the lane again")
    return record


def _shared(value: Any, shared: dict[Any, Any]) -> Any:
    """A value, or an equal one that is there already: a case has many records, and most of their facts in common."""
    if type(value) is str:  # and no member of an enumeration, which equals its text
        return shared.setdefault(value, value)
    if isinstance(value, dict):
        try:
            return shared.setdefault(tuple(value.items()), value)
        except TypeError:  # it holds lists
            return value
    return value


def _is_instant(text: str) -> bool:
    """Whether there is such a day and such an hour; the type of the field has seen to the rest."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


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
