"""A protocol buffer without its long tensors: these stay in the file, and what is left says where each one is.

The file is mapped, so that the memory of a tensor is taken when it is asked for, and given back.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from conformance.io.bounded import open_regular
from conformance.scan.layer import ScanError

LONG = 1 << 12
"""Bytes of a tensor from which on it stays in the file."""
DEEPEST = 64
MOST_FIELDS = 1 << 22
MARK = "conformance-payload:"
"""What stands in the documentation of a tensor whose numbers stay in the file, before their place and length."""

MODEL, GRAPH, NODE, ATTRIBUTE, FUNCTION, TENSOR = "model", "graph", "node", "attribute", "function", "tensor"
INSIDE: Mapping[str, Mapping[int, str]] = {
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH},
    FUNCTION: {7: NODE},
    TENSOR: {},
}
"""The fields that may hold a tensor, by the message that they are of."""
NUMBERS = {4, 5, 7, 9, 10, 11}
"""The fields of a tensor that hold its numbers."""
RAW, DOCUMENTATION = 9, 12
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTH = {FIXED64: 8, FIXED32: 4}


class _Field(NamedTuple):
    """A field of a message: its number and kind, where it starts, and where its value starts and ends."""

    number: int
    kind: int
    start: int
    value: int
    end: int


@dataclass(slots=True)
class Buffer:
    """A file of a protocol buffer, mapped."""

    path: Path
    data: mmap.mmap
    fields: int = 0

    @classmethod
    def of(cls, path: Path) -> "Buffer":
        """The file of a path. Raises ScanError where it is empty, and OSError."""
        with open_regular(path) as file:
            try:
                return cls(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            except ValueError:
                raise ScanError(f"{path}: is empty: give a whole model file") from None

    def slim(self) -> bytes:
        """The message without its long tensors. Raises ScanError where it is damaged."""
        return b"".join(self._slim(MODEL, 0, len(self.data), 0))

    def _slim(self, message: str, start: int, end: int, depth: int) -> Iterator[bytes]:
        if depth > DEEPEST:
            raise self._damaged("is nested too deeply")
        inside = INSIDE[message]
        kept = start
        for field in self._fields(start, end):
            if field.kind != BYTES or field.end - field.value < LONG:
                continue
            if message == TENSOR and field.number in NUMBERS:
                yield self.data[kept : field.start]
                where = f"{MARK}{field.number}:{field.value}:{field.end - field.value}".encode()
                yield tagged(DOCUMENTATION, where)
                self.data.madvise(mmap.MADV_DONTNEED)  # the system maps more of a file than is read of it
                kept = field.end
            elif field.number in inside:
                yield self.data[kept : field.start]
                yield tagged(field.number, b"".join(self._slim(inside[field.number], field.value, field.end,
                                                                depth + 1)))  # fmt: skip
                kept = field.end
        yield self.data[kept:end]

    def _fields(self, at: int, end: int) -> Iterator[_Field]:
        while at < end:
            self.fields += 1
            if self.fields > MOST_FIELDS:
                raise self._damaged(f"has more than {MOST_FIELDS} fields")
            start = at
            key, at = self._varint(at, end)
            kind = key & 7
            if kind == VARINT:
                _, value = self._varint(at, end)
                yield _Field(key >> 3, kind, start, at, value)
                at = value
                continue
            if kind == BYTES:
                length, at = self._varint(at, end)
            elif kind in _WIDTH:
                length = _WIDTH[kind]
            else:
                raise self._damaged(f"has a field of kind {kind} at byte {start}")
            if length > end - at:
                raise self._damaged(f"ends inside of a field at byte {start}")
            yield _Field(key >> 3, kind, start, at, at + length)
            at += length

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7
        raise self._damaged(f"ends inside of a number at byte {at}")

    def _damaged(self, fact: str) -> ScanError:
        return ScanError(f"{self.path}: {fact}, so that it is truncated, or no model: give a whole model file")


def tagged(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return _written(number << 3 | BYTES) + _written(len(content)) + content


def _written(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
