"""Files from other machines: nothing in them is run, and nothing in them can claim more memory than its bytes.

NumPy's own reader makes room for whatever shape a header claims; this one looks at the bytes first.
"""

import errno
import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

LARGEST_TEXT = 1 << 28
"""Bytes of a text file that are read."""
LARGEST_ARRAY = 1 << 30
"""Bytes of one array that are read."""

KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder", stat.S_IFCHR: "device",
         stat.S_IFBLK: "device"}  # fmt: skip

NUMBERS = "iuf"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class BoundError(ValueError):
    """A file that is larger than is read, or not what its own header says; the message says what it must be."""


def open_regular(path: Path, access: int = os.O_RDONLY) -> BinaryIO:
    """A regular file, open for reading, or with O_RDWR for changing.

    Raises OSError for anything else, such as a pipe, whose end may never come.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # asked first, since opening a device can do something to it
        raise _irregular(path, path.stat().st_mode)
    file = os.fdopen(os.open(path, access | os.O_NONBLOCK), "r+b" if access == os.O_RDWR else "rb")
    if not stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode):
        file.close()
        raise _irregular(path, mode)
    return file


def _irregular(path: Path, mode: int) -> OSError:
    kind = KINDS.get(stat.S_IFMT(mode), "no file")
    return OSError(errno.EINVAL, f"is a {kind}, not a regular file", str(path))


def read_bytes(path: Path, largest: int = LARGEST_TEXT) -> bytes:
    """A file's bytes. Raises BoundError where it has too many, and OSError."""
    with open_regular(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise BoundError(f"has more than {largest} bytes, which is all that is read: give a smaller file")
    return content


def read_text(path: Path) -> str:
    """A file's text. Raises BoundError where it is too large, OSError and UnicodeDecodeError."""
    return read_bytes(path).decode("utf-8")


def read_named_bytes(path: Path) -> bytes:
    """A file's bytes. Raises BoundError with the file's name where it has too many, and OSError."""
    try:
        return read_bytes(path)
    except BoundError as error:
        raise BoundError(f"{path}: {error}") from None


def read_named_text(path: Path) -> str:
    """A file's text. Raises BoundError with the file's name where it is too large or no UTF-8, and OSError."""
    try:
        return read_named_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BoundError(f"{path}: is not UTF-8 text: {error}") from None


def read_json(text: str) -> Any:
    """A JSON value. Raises BoundError for anything else, and for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise BoundError("is nested too deeply") from None
    except ValueError as error:
        raise BoundError(f"is not JSON: {error}") from None


def read_array(path: Path) -> NDArray[Any]:
    """The array of numbers in a .npy file. Raises BoundError for any other file, and OSError."""
    with open_regular(path) as file:
        content = file.read(LARGEST_ARRAY + 1)
    return parse_array(content)


def parse_array(content: bytes) -> NDArray[Any]:
    """The array of numbers in a .npy file's bytes. Raises BoundError for anything else."""
    if len(content) > LARGEST_ARRAY:
        raise BoundError(f"has more than {LARGEST_ARRAY} bytes, which is all that is read: give a smaller array")
    file = io.BytesIO(content)
    try:
        shape, fortran, dtype = HEADERS[npy.read_magic(file)](file)
    except Exception:  # whatever NumPy's parser makes of bytes that are no header
        raise BoundError("is not an array file: save it with numpy.save") from None
    if dtype.kind not in NUMBERS or dtype.shape:
        raise BoundError(f"is an array of {dtype}, not of numbers: save one array of numbers with numpy.save")
    size, left = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if min(shape, default=0) < 0 or len(shape) > 32 or size != left:
        raise BoundError(f"claims shape {str(shape)[:60]}, {str(size)[:30]} bytes, and has {left}: it is damaged")
    array = np.frombuffer(content, dtype, offset=file.tell())
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


class Archive(Mapping[str, NDArray[Any]]):
    """The arrays of a .npz file by name, each read when it is asked for. Raises BoundError for what is none."""

    def __init__(self, path: Path) -> None:
        self._zip = open_archive(path)
        self._names = dict.fromkeys(name.removesuffix(".npy") for name in self._zip.namelist())

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            member = self._zip.getinfo(f"{name}.npy")
        except KeyError:
            raise KeyError(name) from None
        return parse_array(read_member(self._zip, member))

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()


def open_archive(path: Path) -> zipfile.ZipFile:
    """A .npz file. Raises BoundError where it is none, and OSError."""
    open_regular(path).close()
    try:
        return zipfile.ZipFile(path)
    except OSError:
        raise
    except Exception:  # zipfile trusts offsets and lengths that it reads
        raise BoundError("is not an archive of arrays: run the lane again") from None


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, no more than it says it has. Raises BoundError where it is too large or damaged."""
    if member.file_size > LARGEST_ARRAY:
        raise BoundError(f"{member.filename} says {member.file_size} bytes, at most {LARGEST_ARRAY} are read")
    try:
        return archive.read(member)
    except Exception:  # a damaged or encrypted member, or an unknown compression
        raise BoundError(f"{member.filename} is damaged: run the lane again") from None
