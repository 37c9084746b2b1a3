"""A scan on disk: what a model file has of transposed convolution, one line a layer and size, which is a suite too.

    {"format": "conformance-scan/1", "model": "dcgan.onnx", "kind": "ONNX", ...}      header
    {"id": "up1", "layer": "up1", "problem": "i8x8 k4 s2 p1 ic64 oc32", ...}            one line a layer and size

Weights lie beside it in a file of safetensors, by the layer's name, in the layout that the layer has.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from conformance.io.bounded import BoundError, read_bytes
from conformance.problem import Problem, ProblemError, broken_rule

FORMAT = "conformance-scan/1"
MARK = '{"format": "conformance-scan/'
"""How a scan begins, of whatever version."""
SUFFIX = ".jsonl"
WEIGHTS = ".safetensors"
MOST_ROWS = 1 << 16

Taps = Literal["as stored", "reversed"]


class ScanFileError(ValueError):
    """A scan that cannot be read; the message names the file, the line and the next step."""


class Header(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was scanned: the file's name, what it is, its digest, and the sizes of the inputs that were asked for."""

    format: Literal[FORMAT]  # type: ignore[valid-type]  # a literal that is written once
    model: str
    kind: str
    digest: str
    inputs: dict[str, str] = {}
    taken: list[str] = []
    rows: int


class Row(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One layer of a model at one size; `problem` is empty where its extents are not known, and `unknown` says why."""

    id: str
    layer: str
    place: str
    call: str
    problem: str = ""
    law: str = ""
    data: str = ""
    weight: str = ""
    taps: Taps = "as stored"
    dtype: str = "float32"
    digest: str = ""
    provenance: str = ""
    dynamic: list[str] = []
    unknown: str = ""

    @property
    def known(self) -> Problem | None:
        """The problem, where the extents are known."""
        return Problem.parse(self.problem) if self.problem else None


@dataclass(frozen=True, slots=True)
class Scan:
    """The header and the rows of a scan."""

    header: Header
    rows: tuple[Row, ...]

    def lines(self) -> Iterator[str]:
        """The lines of its file."""
        for each in (self.header, *self.rows):
            yield json.dumps(msgspec.to_builtins(each), ensure_ascii=False)

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return "".join(f"{line}\n" for line in self.lines()).encode("utf-8", "replace")


def is_scan(name: str) -> bool:
    """Whether the name of a suite is that of a scan's file."""
    return name.endswith(SUFFIX)


def weights_beside(path: Path) -> Path:
    """Where the weights of a scan are kept."""
    return path.with_suffix(WEIGHTS)


def read(path: Path) -> Scan:
    """A scan, checked. Raises ScanFileError for anything that is none, and OSError."""
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except (BoundError, UnicodeDecodeError) as error:
        raise ScanFileError(f"{path}: is no scan: {error}: write one by `conformance scan MODEL --to FILE`") from None
    if not lines or not lines[0].startswith(MARK):
        raise ScanFileError(f"{path}: is no scan, as its first line does not begin with {MARK}: write one by "
                            "`conformance scan MODEL --to FILE`")  # fmt: skip
    header = _decoded(path, 1, lines[0], Header)
    if len(lines) - 1 != header.rows or header.rows > MOST_ROWS:
        raise ScanFileError(f"{path}: the header counts {header.rows} rows, {len(lines) - 1} follow, and {MOST_ROWS} "
                            "are read at most: scan the model again")  # fmt: skip
    rows = tuple(_row(path, number, line) for number, line in enumerate(lines[1:], 2))
    return Scan(header, rows)


def _row(path: Path, number: int, line: str) -> Row:
    row: Row = _decoded(path, number, line, Row)
    try:
        problem = row.known
    except ProblemError as error:
        raise ScanFileError(f"{path}:{number}: {error}: scan the model again") from None
    if problem is not None and (rule := broken_rule(problem)):
        raise ScanFileError(f"{path}:{number}: {rule}: scan the model again")
    return row


def _decoded(path: Path, number: int, line: str, of: Any) -> Any:
    try:
        return msgspec.json.decode(line, type=of)
    except (ValueError, RecursionError) as error:
        raise ScanFileError(f"{path}:{number}: {error}: scan the model again") from None


def dump(header: Header, rows: Sequence[Row]) -> bytes:
    """The bytes of a scan's file."""
    return Scan(header, tuple(rows)).content
