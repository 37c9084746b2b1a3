"""The lines of a record file as types, and the JSON Schema that follows from them.

The fields and their types are those of `Header` and `Record`. msgspec reads lines by these types, and refuses unknown
fields.
"""

import json
import re
import sys
from collections.abc import Container, Mapping
from dataclasses import MISSING, Field, fields
from functools import reduce
from inspect import getdoc
from operator import getitem
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import Struct, ValidationError

from conformance.io.bounded import BoundError, read_json
from conformance.io.jsonschema import schema_text
from conformance.records.record import ON_DISK, Count, Header, Record, RecordError, Verdict

FORMAT = "conformance-record/1"

_OLDEST = frozenset(field.name for field in fields(Header)) - {"machine"}
"""The fields that every header has: `machine` came later."""


def line_type(of: type, always: Container[str] = (), **more: Any) -> type[Struct]:
    """The type of a line that has the fields of a dataclass: those named in `always` are there in every file."""
    types = get_type_hints(of, include_extras=True)
    listed = [*more.items(), *(_line_field(field, types[field.name], always) for field in fields(of))]
    return msgspec.defstruct(of.__name__, listed, namespace={"__doc__": getdoc(of)},
                             rename=ON_DISK, forbid_unknown_fields=True, frozen=True)  # fmt: skip


def _line_field(field: Field[Any], of: Any, always: Container[str]) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.name in always or (field.default is MISSING and field.default_factory is MISSING):
        return field.name, of
    if field.default_factory is not MISSING:
        return field.name, of, msgspec.field(default_factory=field.default_factory)
    return field.name, of, field.default


class Footer(Struct, forbid_unknown_fields=True, frozen=True):
    """How many records a file has, of each verdict and in all, and whether the run came to its own end."""

    complete: bool
    records: Count
    verdicts: Mapping[str, Count]


HeaderLine = line_type(Header, _OLDEST, format=Literal[FORMAT])
RecordLine = line_type(Record)
_DECODERS = {of: msgspec.json.Decoder(of) for of in (HeaderLine, RecordLine, Footer)}


def decode(where: str, line: bytes | str, of: type[Any]) -> Any:
    """A line as a value of its type. Raises RecordError, which says where the value is, and what it is."""
    try:
        return _DECODERS[of].decode(line)
    except (ValueError, RecursionError):
        return _decode_as_python(where, line, of)


def _decode_as_python(where: str, line: bytes | str, of: type[Any]) -> Any:
    """The same by way of Python's decoder: `json.dumps` writes NaN and lone surrogates, which msgspec does not read."""
    try:
        values = read_json(line if isinstance(line, str) else line.decode())
    except (BoundError, UnicodeDecodeError) as error:
        raise RecordError(f"{where}: not a whole record file: {error}: run the lane again") from None
    try:
        return msgspec.convert(values, of)
    except ValidationError as error:
        raise RecordError(f"{where}: {_fault(str(error), values)}: run the lane again") from None


def _fault(message: str, values: Any) -> str:
    """What msgspec says of a line, with the value that it says it of."""
    problem, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    if "field `" in problem or "..." in path:  # of a whole object, or of a value whose name is not told
        return f"{problem} at ${path}"
    if path == ".verdict":
        problem = f"Expected one of {', '.join(Verdict)}"
    steps = re.findall(r"([a-z]+)|\[(\d+)\]", path)
    value = reduce(getitem, [int(index) if index else name for name, index in steps], values)
    return f"{problem.partition(', got `')[0]}, got {json.dumps(value)[:60]} at ${path}"


def text() -> str:
    """What docs/record.schema.json holds: the JSON Schema of a line of a record file."""
    return schema_text(
        list(_DECODERS),
        f"A line of a record file, {FORMAT}",
        "The first line is a Header, the last one a Footer, and each line between them a Record.",
    )


if __name__ == "__main__":
    sys.stdout.write(text())
