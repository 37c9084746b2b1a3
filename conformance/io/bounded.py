"""Files from other machines: nothing in them is run, and nothing in them can claim more memory than its bytes.

Arrays are read by `array_files`, apart, since the command line is to start without NumPy.
"""

import ast
import errno
import json
import os
import stat
import warnings
from pathlib import Path
from typing import Any, BinaryIO

LARGEST_TEXT = 1 << 28
"""Bytes of a text file that are read."""
LARGEST_ARRAY = 1 << 30
"""Bytes of one array that are read."""

KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder", stat.S_IFCHR: "device",
         stat.S_IFBLK: "device"}  # fmt: skip


class BoundError(ValueError):
    """A file that is larger than is read, or not what its own header says; the message says what it must be."""

    @property
    def fact(self) -> str:
        """The message without its next step, in place of which the reader of a record file has one of its own."""
        return str(self).rpartition(": ")[0] or str(self)


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


def require_no_path(text: str, instead: str) -> None:
    """Raise BoundError where a folder or a file has this name, or where it is empty: something else is to be given."""
    if not text.strip():
        raise BoundError(f"an empty text is given: {instead}")
    try:
        kind = "folder" if Path(text).is_dir() else "file" if Path(text).is_file() else ""
    except (OSError, ValueError):  # too long a name, or none at all
        return
    if kind:
        raise BoundError(f"{text}: is a {kind}: {instead}")


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
        raise BoundError(f"{path}: is not UTF-8 text: {error}: give a file in UTF-8") from None


def read_source(path: Path) -> str:
    """A Python file's text. Raises BoundError with its name, and the line, where it is none, and OSError."""
    text = read_named_text(path).removeprefix("\ufeff")  # by which some editors mark UTF-8
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the file's own author is told
            ast.parse(text)
    except SyntaxError as error:
        place = f":{error.lineno}: character {error.offset}" if error.lineno else ""
        raise BoundError(f"{path}{place}: is not Python: {error.msg}: fix the file") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise BoundError(f"{path}: is not Python: {str(error) or 'nested too deeply'}: fix the file") from None
    return text


def read_json(text: str) -> Any:
    """A JSON value. Raises BoundError for anything else, and for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise BoundError("is nested too deeply") from None
    except ValueError as error:
        raise BoundError(f"is not JSON: {error}") from None
