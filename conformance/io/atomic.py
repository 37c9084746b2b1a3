"""Files that are written whole or not at all, and never over what is not ours; results that are kept in such files."""

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from glob import escape as glob_escape
from pathlib import Path
from shutil import rmtree

from conformance.io.bounded import LARGEST_ARRAY, BoundError, open_regular, read_bytes, read_named_bytes

_LIBC = ctypes.CDLL(None)
_HERE, _EXCHANGE = -100, 2  # of renameat2: paths are as everywhere, and two of them change places

Content = bytes | Iterable[bytes]

LIST = "written.txt"
"""The file in a folder of ours that names every other file in it."""

_LIST_HEAD = "Written by conformance, which replaces these files and no others:"
CHECKSUM = 32
"""Bytes of a SHA-256."""
START = 4096
"""Bytes of a file among which its mark is."""

_NEXT_STEPS = {
    errno.ENOSPC: "make room on that disk and run this again",
    errno.EDQUOT: "make room within the quota and run this again",
    errno.EFBIG: "allow larger files, as with `ulimit -f unlimited`, and run this again",
    errno.EROFS: "give a path on another disk, this one is read only",
    errno.EIO: "give a path on another disk, this one fails",
    errno.EMFILE: "allow more open files, as with `ulimit -n 4096`, and run this again",
}


class OverwriteError(ValueError):
    """A path at which something stands that was not written here; the message names it and the next step."""


def explain(error: OSError) -> str:
    """What failed, why, and the next step, in a line; without a file's name it was standard output, or this folder."""
    if error.errno == errno.ENOENT and error.filename is None:
        return "the working folder: it was deleted: go to another one"
    next_step = _NEXT_STEPS.get(error.errno or 0, "check the path and its permissions")
    return f"{error.filename or 'standard output'}: {error.strerror or error}: {next_step}"


def write_atomically(path: Path, content: Content) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new and nothing between.

    Raises OSError, which names the file, and OverwriteError where a folder, device or the like has its name.
    """
    write_together({path: content})


def kept(path: Path, make: Callable[[], bytes]) -> memoryview:
    """What a file keeps behind its checksum; what is made, and kept from now on, where there is none or it is damaged.

    The file's name is to be a hash of all that decides its content. Raises what `write_atomically` does.
    """
    if path.exists():
        with suppress(BoundError):  # a file that large is not ours, and is written anew like a damaged one
            content = read_bytes(path, LARGEST_ARRAY)
            body = memoryview(content)[CHECKSUM:]
            if content[:CHECKSUM] == hashlib.sha256(body).digest():
                return body
    made = make()
    write_atomically(path, hashlib.sha256(made).digest() + made)
    return memoryview(made)


def write_together(contents: Mapping[Path, Content | None]) -> None:
    """Write some files, or none of them: each is whole on the disk before the first one is replaced.

    A file whose content is None is removed. Raises what `write_atomically` does.
    """
    with staged(contents) as replace:
        replace()


@contextmanager
def staged(contents: Mapping[Path, Content | None]) -> Iterator[Callable[[], None]]:
    """Some files, whole on the disk beside those that they replace once what is given here is called.

    Raises what `write_atomically` does.
    """
    for path in contents:
        require_file(path)
    made: dict[Path, Path] = {}

    def replace() -> None:
        for path in contents:
            with naming(path):
                made[path].replace(path.resolve()) if path in made else path.unlink(missing_ok=True)

    with ExitStack() as stack:
        for path, content in contents.items():
            if content is not None:
                with naming(path):
                    made[path] = stack.enter_context(_written_beside(path, content))
        yield replace


def require_file(path: Path) -> None:
    """Raise OverwriteError where something that is no regular file has the name."""
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device, pipe or socket"
        raise OverwriteError(f"{path}: is a {kind}, and a file is to be written: give another name")


def require_our_file(path: Path, *marks: str) -> None:
    """Raise OverwriteError where a file stands that begins with none of our marks; an empty one is nobody's."""
    require_file(path)
    if not path.is_file():
        return
    with open_regular(path) as file:
        start = file.read(START).decode("utf-8", "replace")
    if start and not any(mark in start for mark in marks):
        raise OverwriteError(f"{path}: was not written by this command: move it away, or give another name")


def replace_folder(
    folder: Path, files: Iterable[tuple[str, bytes]], beside: Mapping[Path, Content] | None = None
) -> None:
    """Write a folder of files beside the one that is there, and swap them when it is whole; then the files `beside` it.

    Names may have folders of their own. Whatever fails, the folder that was there is there again. The caller makes sure
    with `require_our_folder` that it may go.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with naming(folder), _beside(folder, Path.mkdir) as temporary:
        made = temporary / "made"
        _fill(made, files)
        with staged(beside or {}) as replace:
            if not folder.exists():
                made.rename(folder)
            elif not _exchange(made, folder):
                _swap(made, folder, temporary / "before")
            replace()


def _swap(made: Path, folder: Path, before: Path) -> None:
    """Let one folder take the place of another in two steps; `_sweep` knows of the moment between them."""
    folder.rename(before)
    try:
        made.rename(folder)
    except BaseException:
        before.rename(folder)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders take each other's name in one step; False where the system or its disk cannot."""
    rename = getattr(_LIBC, "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _fill(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    folder.mkdir()
    names = [LIST]
    for path, content in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        names.append(path)
    (folder / LIST).write_text("\n".join([_LIST_HEAD, *sorted(names), ""]), encoding="utf-8")


def require_our_folder(folder: Path, is_ours: Callable[[Path], bool]) -> None:
    """Raise OverwriteError where a folder holds a file that `replace_folder` has not written.

    `is_ours` recognizes a folder without a list of its files, which an earlier version wrote.
    """
    if folder.exists() and not folder.is_dir():
        raise OverwriteError(f"{folder}: is a file, and a folder is to be written: move it away, or write elsewhere")
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }
    for stranger in sorted(present - _listed(folder) if LIST in present or not is_ours(folder) else ()):
        raise OverwriteError(f"{folder}: holds {stranger}, which was not written by this command: move it away, or "
                             "write elsewhere")  # fmt: skip


def _listed(folder: Path) -> set[str]:
    """The names in a folder's list."""
    if not (folder / LIST).is_file():
        return set()
    head, *names = read_named_bytes(folder / LIST).decode("utf-8", "replace").splitlines() or [""]
    return set(names) if head == _LIST_HEAD else set()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name what is written in errors that name nothing, or something temporary."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and f".{path.name}." not in str(error.filename):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _written_beside(path: Path, content: Content) -> Iterator[Path]:
    """A file with the content beside the one that it is to replace, which no other process sweeps away."""
    target = path.resolve()  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    with _beside(target, Path.touch) as temporary:  # a file of tempfile's ignores the umask
        with temporary.open("wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
        yield temporary


@contextmanager
def _beside(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new file or folder beside one, locked; what has its name in the end is removed."""
    with ExitStack() as lock:
        temporary = _locked(target, make, lock)
        try:
            yield temporary
        finally:
            rmtree(temporary) if temporary.is_dir() else temporary.unlink(missing_ok=True)


def _locked(target: Path, make: Callable[[Path], None], lock: ExitStack) -> Path:
    """A new file or folder beside one, and another where a process swept the first away before it was locked."""
    while True:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        make(temporary)
        with suppress(FileNotFoundError):
            lock.enter_context(_lock(temporary, fcntl.LOCK_EX))
            if temporary.exists():
                return temporary


def _sweep(target: Path) -> None:
    """Remove what killed processes left of this file or folder as they wrote it, which nobody has locked.

    One that was killed between the two steps of `_swap` left no folder, and the old one whole: that one is put back.
    """
    for left in target.parent.glob(f".{glob_escape(target.name)}.*"):
        if not re.fullmatch(r"[0-9a-z_]{8}|[0-9a-f]{16}", left.suffix[1:]):
            continue
        with suppress(OSError), _lock(left):
            if (left / "before").exists() and not target.exists():
                (left / "before").rename(target)
            rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def _lock(path: Path, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> Iterator[None]:
    """Have a file or folder for this process alone. Raises BlockingIOError where another one has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
