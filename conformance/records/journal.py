"""Records on their way to a file: appended to disk as they come, written sorted and whole at the end.

A journal is a folder: `identity`, what was to be run; `environment` and `machine`, on what; `records`, a line a record;
and `arrays`, the evidence, which the lines point into. It stays until its run is complete. A process that is killed
leaves at most a last line that is not whole, and the next one goes on behind the whole ones. Memory holds one key and
one offset a record.
"""

import fcntl
import io
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from conformance.io.array_files import open_archive, read_member
from conformance.io.atomic import naming, write_atomically, write_together
from conformance.io.bounded import BoundError, open_regular, read_json, read_named_text
from conformance.records.arrays import beside, member
from conformance.records.record import Header, Key, Record, RecordError, Verdict
from conformance.records.record_file import dump, parse

EPOCH = (1980, 1, 1, 0, 0, 0)  # zip members carry a time: a fixed one keeps equal runs equal

Identity = Mapping[str, Any]


class Journal:
    """Collects one run's records, and the arrays of the diverging ones, in any order.

    With `resume` it begins with what a run of the same identity left. Raises RecordError where another one writes it,
    or where what was left is of another run.
    """

    def __init__(self, folder: Path, identity: Identity | None = None, *, resume: bool = False) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock(folder)
        self._offsets: dict[Key, int] = {}
        self._members: dict[str, tuple[int, int]] = {}
        self.verdicts: Counter[Verdict] = Counter()
        identified = json.dumps(identity or {}, sort_keys=True)
        left = _text(folder / "identity") if resume else ""
        if left and left != identified:
            self._lock.close()
            raise RecordError(f"{folder}: an unfinished run of other cases or options: run without --resume")
        if not left:
            for name in ("identity", "environment", "machine", "records", "arrays"):
                (folder / name).unlink(missing_ok=True)
        self._lines, self._arrays = (_appendable(folder / name) for name in ("records", "arrays"))
        if left:
            self._take_in_earlier()
        write_atomically(folder / "identity", identified.encode())  # last: without it nothing is resumed

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, key: object) -> bool:
        return key in self._offsets

    @property
    def keys(self) -> Iterable[Key]:
        return self._offsets.keys()

    @property
    def environment(self) -> dict[str, str]:
        """What the records were made on; empty as long as nobody told."""
        return self._read_facts("environment")

    def _read_facts(self, name: str) -> dict[str, str]:
        facts: dict[str, str] = read_json(_text(self._folder / name) or "{}")
        return facts

    def tell(self, name: str, facts: Mapping[str, str]) -> None:
        """Say on which `environment`, or `machine`, the records to come are made.

        Raises RecordError where those that came were made on another, or on one that nobody told.
        """
        before = self._read_facts(name)
        if not before and not (len(self) and name == "machine"):
            write_atomically(self._folder / name, json.dumps(dict(facts)).encode())
        elif differ := sorted(fact for fact in {**before, **facts} if before.get(fact) != facts.get(fact)):
            old, new = ([side.get(fact, "not known") or "none" for fact in differ] for side in (before, facts))
            differences = ", ".join(
                f"{fact} was {was}, is {now}" for fact, was, now in zip(differ, old, new, strict=True)
            )
            raise RecordError(f"the unfinished run was made elsewhere ({differences}): run without --resume")

    def add(self, record: Record, arrays: Mapping[str, bytes]) -> None:
        """Append a record, and its evidence as .npy by name. Raises RecordError for a second record of one key."""
        if record.key in self._offsets:
            raise RecordError(f"{' '.join(record.key)}: recorded a second time in one run: this is a bug, report it")
        places = {}
        with naming(self._folder):
            for name, npy in arrays.items():
                places[name] = (self._arrays.tell(), len(npy), crc32(npy))
                self._arrays.write(npy)
            if arrays:
                self._arrays.flush()  # before the line that points to it
            offset = self._lines.tell()
            self._lines.write(f"{json.dumps(places) if places else '{}'}\t{record.to_json()}\n".encode())
            self._lines.flush()
        self._note(record, places, offset)  # once it is there: a full disk keeps half a line

    def close(self, path: Path, header: Header, *, complete: bool) -> None:
        """Write the record file, and beside it the arrays as .npz where there are any; both sorted by key."""
        for stale in (temporary for name in (path.name, beside(path).name) for temporary in _temporary(path, name)):
            stale.unlink()
        places = sorted(self._members.items())
        arrays = _archive((name, self._read_array(*place)) for name, place in places) if places else None
        lines = dump(header, self._sorted_lines(), self.verdicts, complete=complete)
        write_together({beside(path): arrays, path: lines})
        if complete:
            shutil.rmtree(self._folder)
        self.leave()

    def abandon(self) -> None:
        """Let go of the files; where no record came, nothing of them stays."""
        if not self._offsets:
            shutil.rmtree(self._folder)
        self.leave()

    def leave(self) -> None:
        """Let go of the files; what they hold stays for another process."""
        for file in (self._lines, self._arrays, self._lock):
            file.close()

    def _note(self, record: Record, places: Mapping[str, Any], offset: int) -> None:
        self._offsets[record.key] = offset
        self.verdicts[record.verdict] += 1
        for name, (start, length, _) in places.items():
            self._members[f"{member(record.key, name)}.npy"] = (start, length)

    def _take_in_earlier(self) -> None:
        """Take in the whole lines of an earlier process, and cut off what follows them."""
        offset = end = 0
        for line in self._lines:
            places, _, text = line.partition(b"\t")
            try:
                record, spans = parse(text.decode()), read_json(places.decode())
                whole = line.endswith(b"\n") and all(
                    crc32(self._read_array(a, n)) == crc for a, n, crc in spans.values()
                )
            except ValueError:
                whole = False
            if not whole:
                break
            self._note(record, spans, offset)
            offset += len(line)
            end = max([end, *(start + length for start, length, _ in spans.values())])
        for file, size in ((self._lines, offset), (self._arrays, end)):
            file.truncate(size)
            file.seek(size)

    def _read_array(self, start: int, length: int) -> bytes:
        self._arrays.seek(start)
        return self._arrays.read(length)

    def _sorted_lines(self) -> Iterator[str]:
        for _, offset in sorted(self._offsets.items()):
            self._lines.seek(offset)
            yield self._lines.readline().partition(b"\t")[2].decode().rstrip("\n")


def joined_arrays(sources: Iterable[Path]) -> bytes:
    """The members of some .npz files as one, sorted, the same bytes for the same members."""
    with ExitStack() as stack:
        archives = [stack.enter_context(_opened(source)) for source in sources]
        members = {name: archive for archive in archives for name in archive.namelist()}
        return _archive(
            (name, read_member(archive, archive.getinfo(name))) for name, archive in sorted(members.items())
        )


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return open_archive(path)
    except BoundError as error:
        raise RecordError(f"{path}: {error}") from None


def _archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return buffer.getvalue()


def lock(folder: Path, option: str = "--records") -> IO[bytes]:
    """An open file that no other process has; it is free again when this one ends, however it does.

    Raises RecordError where another process has it; `option` names the folder on the command line.
    """
    file = _appendable(folder / "lock")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).decode(errors="replace")
        file.close()
        who = f"another run (pid {holder})" if holder.isdecimal() else "another run"
        raise RecordError(f"{folder}: {who} is writing it: wait for it, or give another {option}") from None
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file


def _appendable(path: Path) -> IO[bytes]:
    path.touch()
    return open_regular(path, os.O_RDWR)


def _temporary(path: Path, name: str) -> Iterable[Path]:
    """What a killed process left of a file that it was writing."""
    return path.parent.glob(f".{name}.*")


def _text(path: Path) -> str:
    return read_named_text(path) if path.exists() else ""
