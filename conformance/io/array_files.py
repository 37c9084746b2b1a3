"""Arrays from files of other machines: no more memory than a file has bytes, and nothing is unpickled.

NumPy's own reader makes room for whatever shape a header claims; this one looks at the bytes first.
"""

import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from conformance.io.bounded import LARGEST_ARRAY, BoundError, open_regular

NUMBERS = "iuf"
ANSWERS = NUMBERS + "c"
"""Kinds of dtype that operands have, and that answers may have."""
ARRAY = ".npy"
"""How the names of the arrays in an archive end."""
MOST_AXES = 32
"""Of an array; NumPy before 2.0 has no more."""
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_array(path: Path) -> NDArray[Any]:
    """The array of numbers in a .npy file. Raises BoundError for any other file, and OSError."""
    with open_regular(path) as file:
        content = file.read(LARGEST_ARRAY + 1)
    return parse_array(content)


def parse_array(content: bytes, kinds: str = NUMBERS) -> NDArray[Any]:
    """The array of numbers in a .npy file's bytes. Raises BoundError for anything else."""
    array = parse_any_array(content)
    if array.dtype.kind not in kinds:
        raise BoundError(f"is an array of {array.dtype}, not of real numbers: save one array of these with numpy.save")
    return array


def parse_any_array(content: bytes) -> NDArray[Any]:
    """The array in a .npy file's bytes, of numbers or of plain bytes. Raises BoundError for anything else."""
    if len(content) > LARGEST_ARRAY:
        raise BoundError(f"has more than {LARGEST_ARRAY} bytes, which is all that is read: give a smaller array")
    file = io.BytesIO(content)
    try:
        shape, fortran, dtype = HEADERS[npy.read_magic(file)](file)
    except Exception:  # whatever NumPy's parser makes of bytes that are no header
        raise BoundError("is not an array file: save it with numpy.save") from None
    if dtype.kind not in ANSWERS + "V" or dtype.shape or dtype.fields:
        raise BoundError(f"is an array of {dtype}, not of real numbers: save one array of these with numpy.save")
    size, left = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if len(shape) > MOST_AXES:
        raise BoundError(f"claims shape {str(shape)[:60]} of {len(shape)} axes, and at most {MOST_AXES} are read: "
                         "save it with fewer")  # fmt: skip
    if min(shape, default=0) < 0:
        raise BoundError(f"claims shape {str(shape)[:60]}, which no array has: save it again with numpy.save")
    if size != left:
        raise BoundError(f"claims shape {str(shape)[:60]}, which takes {str(size)[:30]} bytes, and has {left}: save it "
                         "again with numpy.save")  # fmt: skip
    array = np.frombuffer(content, dtype, offset=file.tell())
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


class Archive(Mapping[str, NDArray[Any]]):
    """The arrays of a .npz file by name, each read when it is asked for. Raises BoundError for what is none."""

    def __init__(self, path: Path) -> None:
        self._zip = open_archive(path)
        self._names = [name.removesuffix(ARRAY) for name in members(self._zip) if name.endswith(ARRAY)]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return parse_array(self.content(name), ANSWERS)

    def content(self, name: str) -> bytes:
        """The bytes of one array, as of a .npy file."""
        try:
            member = self._zip.getinfo(f"{name}{ARRAY}")
        except KeyError:
            raise KeyError(name) from None
        return read_member(self._zip, member)

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
        raise BoundError("is not an archive of arrays: save them with numpy.savez") from None


def members(archive: zipfile.ZipFile) -> list[str]:
    """The names of an archive's members. Raises BoundError where two have one name."""
    names = archive.namelist()
    if twice := repeated(names):
        archive.close()
        raise BoundError(f"has {twice!r} more than once: save each array under a name of its own")
    return names


def repeated(names: Iterable[str]) -> str | None:
    """The first name that is there more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, no more than it says it has. Raises BoundError where it is too large or damaged."""
    if member.file_size > LARGEST_ARRAY:
        raise BoundError(f"{member.filename} says {member.file_size} bytes, at most {LARGEST_ARRAY} are read: save "
                         "a smaller array")  # fmt: skip
    try:
        return archive.read(member)
    except Exception:  # a damaged or encrypted member, or an unknown compression
        raise BoundError(f"{member.filename} cannot be unpacked, damaged or encrypted: save the file again") from None
