"""The arrays of diverging records, in a .npz file beside the record file.

They are named `CASE/DTYPE/PASS/actual` and `CASE/DTYPE/PASS/expected`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.io.array_files import Archive
from conformance.io.bounded import BoundError
from conformance.records.record import Key, Record, RecordError

ACTUAL = "actual"
"""The name of what a framework gave, behind the key of its record."""


def beside(path: Path) -> Path:
    """The array file of a record file."""
    return path.with_suffix(".npz")


def member(key: Key, name: str = ACTUAL) -> str:
    """The name of an array of a record in the file."""
    return "/".join((*key, name))


def open_beside(path: Path, diverging: int) -> Archive:
    """The arrays beside a record file with so many diverging records. Raises RecordError where there are none."""
    file = beside(path)
    try:
        return Archive(file)
    except FileNotFoundError:
        raise RecordError(
            f"{file}: the arrays of {diverging} diverging records are not there: keep it beside the record file, or "
            "run the lane again"
        ) from None
    except BoundError as error:
        raise RecordError(f"{file}: not an array file ({error.fact}): run the lane again") from None
    except OSError as error:
        raise RecordError(f"{file}: cannot be read: {error.strerror}") from None


def has_actual(record: Record, arrays: Mapping[str, Any]) -> bool:
    """Whether what a record's framework gave is among the arrays."""
    return member(record.key) in arrays


def actual(record: Record, arrays: Mapping[str, Any]) -> Any:
    """What a diverging record's framework gave. Raises RecordError where it is not among the arrays."""
    try:
        return arrays[member(record.key)]
    except KeyError:
        raise RecordError(
            f"{record.case} {record.dtype}: its arrays are not beside the record: run the lane again"
        ) from None
    except BoundError as error:
        raise RecordError(f"{record.case} {record.dtype}: its array {error.fact}: run the lane again") from None
