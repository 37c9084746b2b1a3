"""A folder of vectors: an index, a JSON file a vector, and their files of numbers; the same bytes every time."""

import hashlib
import json
import tomllib
from collections.abc import Iterator

import msgspec

import conformance
from conformance.io.bounded import read_text
from conformance.io.terminal import progress
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.references import Reference, oracle_digest
from conformance.vectors.chosen import CORE, chosen_of, path
from conformance.vectors.data import data, published
from conformance.vectors.faults import known
from conformance.vectors.making import Made, make
from conformance.vectors.schema import INDEX, Entry, Fault, Index

INDEX_FILE = "index.json"


def made(suite: str) -> Iterator[Made]:
    """The vectors of a suite: of its chosen cases, and with those of core the published ones. Raises CaseError."""
    asked: list[tuple[Case, Reference | None]] = [(case, None) for case in chosen_of(suite).cases]
    asked += published() if suite == CORE else []
    for case, reference in progress(asked, "vectors", "vectors"):
        yield make(case, reference or data()[case])


def files(suite: str, vectors: list[Made]) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder of vectors, the index last."""
    entries = []
    for one in vectors:
        content, name = _text(one.vector), f"vectors/{one.vector.id}.json"
        digest = hashlib.sha256(b"".join([content, *one.numbers.values()])).hexdigest()
        entries.append(Entry(one.vector.id, name, one.vector.problem, digest))
        yield name, content
        yield from one.numbers.items()
    yield INDEX_FILE, _text(_index(suite, vectors, entries))


def _index(suite: str, vectors: list[Made], entries: list[Entry]) -> Index:
    told = {name for one in vectors for name in one.vector.tells.faults}
    faults = {
        fault.expectation.id: Fault(
            fault.framework, fault.expectation.verdict, fault.expectation.when.text,
            " ".join(fault.expectation.reason.split()), fault.expectation.upstream, fault.expectation.exact,
        )
        for fault in known() if fault.expectation.id in told
    }  # fmt: skip
    why = " ".join(tomllib.loads(read_text(path()))["why"].split())
    return Index(
        INDEX, conformance.__version__, suite, read_suite(suite).digest, oracle_digest(), why, tuple(entries), faults
    )  # fmt: skip


def _text(value: msgspec.Struct) -> bytes:
    """A value as JSON, a line for each of its fields."""
    fields = msgspec.to_builtins(value)
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    return f"{{\n{lines}\n}}\n".encode()
