"""What a sweep leaves on disk: a locked folder, in which nothing that is done is ever done again or lost.

    identity.json          what is swept, and on what
    blocks.jsonl           the ledger: a line a block that is done, with its counts and the digest of all its records
    shard-00000.part       the kept records of blocks, compressed, in the order in which they came
    shard-00000.jsonl.gz   the same in the order of their numbers, once a shard is whole, or a run ends

A block is on the disk before the ledger says so. What a killed process left behind the last whole line is cut off.
"""

import gzip
import os
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from conformance.io.atomic import naming, write_atomically
from conformance.io.bounded import open_regular
from conformance.records.journal import lock
from conformance.runner.sweeps.ledger import (
    IDENTITY,
    LEDGER,
    SHARD,
    Done,
    Identity,
    kept,
    name,
    number_of,
    read_identity,
    read_ledger,
)
from conformance.runner.sweeps.task import SweepError, Swept


class Flaky(NamedTuple):
    """A block that was done twice, with other records each time."""

    start: int
    stop: int


class Store:
    """The folder of a sweep, for this process alone.

    Raises SweepError for a folder of another sweep, or of any if not to `resume`, and RecordError where another
    process has it.
    """

    def __init__(self, folder: Path, identity: Identity, *, resume: bool) -> None:
        self.folder = folder
        self.verdicts: Counter[str] = Counter()
        self.flaky: list[Flaky] = []
        self._blocks: dict[int, Done] = {}
        self._starts: list[int] = []
        self._ends: Counter[int] = Counter()
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened, naming(folder):
            opened.enter_context(lock(folder, "--to"))
            self.identity = self._identified(identity, resume)
            self._ledger = opened.enter_context(_appendable(folder / LEDGER))
            for done in _cut(self._ledger, folder / LEDGER):
                self._note(done)
            for path in folder.glob("shard-*.part"):
                if path.stat().st_size > (end := self._ends[number_of(path)]):
                    os.truncate(path, end)
            self._opened = opened.pop_all()

    def _identified(self, identity: Identity, resume: bool) -> Identity:
        there = read_identity(self.folder) if (self.folder / IDENTITY).exists() else None
        if there is None:
            if strangers := sorted(path.name for path in self.folder.iterdir() if path.name != "lock"):
                raise SweepError(f"{self.folder}: holds {strangers[0]}, and no sweep: give another folder")
            write_atomically(self.folder / IDENTITY, msgspec.json.encode(identity))
            return identity
        _require_same(self.folder, there, identity)
        if not resume:
            raise SweepError(f"{self.folder}: holds this sweep already: go on with --resume, or give another folder")
        return there

    def require_same(self, folder: Path, other: Identity) -> None:
        """Raises SweepError where the sweep of another folder is not this one."""
        _require_same(folder, other, self.identity)

    @property
    def blocks(self) -> Iterator[Done]:
        """The blocks that are done, in the order of their numbers."""
        return (self._blocks[start] for start in self._starts)

    def missing(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The ranges between two numbers of which nothing is done yet."""
        for at in range(max(0, bisect_right(self._starts, start) - 1), len(self._starts)):
            done = self._blocks[self._starts[at]]
            if start >= stop or done.start >= stop:
                break
            if done.start > start:
                yield start, done.start
            start = max(start, done.stop)
        if start < stop:
            yield start, stop

    def require_environment(self, swept: Swept) -> None:
        """Raises SweepError where a block was made on another build than those before it, or with another oracle."""
        if swept.oracle != self.identity.oracle:
            raise SweepError(f"{self.folder}: a block came from another version of this package, whose oracle is "
                             f"{swept.oracle}, and not {self.identity.oracle}: install the same there")  # fmt: skip
        before = self.identity.environment
        if not before:
            self.identity = msgspec.structs.replace(self.identity, environment=swept.environment, machine=swept.machine)
            write_atomically(self.folder / IDENTITY, msgspec.json.encode(self.identity))
        elif differ := [
            f"{name} was {before.get(name, 'none')}, is {swept.environment.get(name, 'none')}"
            for name in sorted({*before, *swept.environment})
            if before.get(name) != swept.environment.get(name)
        ]:
            raise SweepError(f"{self.folder}: was begun on another build ({', '.join(differ)}): give another folder")

    def add(self, swept: Swept) -> None:
        """Keep what came of a block; of one that was done before, whether it came again as it was."""
        self.require_environment(swept)
        with naming(self.folder):
            if (before := self._blocks.get(swept.start)) and before.stop == swept.stop:
                if before.sha256 != swept.digest:
                    self._append(Done(swept.start, swept.stop, swept.verdicts, swept.digest, deaths=swept.deaths))
                return
            if next(self.missing(swept.start, swept.stop), None) != (swept.start, swept.stop):
                raise SweepError(f"{self.folder}: problems {swept.start} to {swept.stop - 1} are done in part, in "
                                 "other blocks: give the same --block as before")  # fmt: skip
            at, size = self._keep(swept)
            self._append(Done(swept.start, swept.stop, swept.verdicts, swept.digest, at, size, swept.deaths))
            self._write_if_whole(swept.start // SHARD)

    def close(self, *, whole: bool = True) -> None:
        """Let go of the folder; first write what there is of each shard in order, if all that was asked for is done."""
        with self._opened, naming(self.folder):
            for path in sorted(self.folder.glob("shard-*.part")) if whole else ():
                self._write(number_of(path))

    def _append(self, done: Done) -> None:
        self._ledger.seek(0, os.SEEK_END)
        self._ledger.write(msgspec.json.encode(done) + b"\n")
        self._ledger.flush()
        os.fsync(self._ledger.fileno())
        self._note(done)

    def _note(self, done: Done) -> None:
        if done.start in self._blocks:
            self.flaky.append(Flaky(done.start, done.stop))
            return
        self._blocks[done.start] = done
        insort(self._starts, done.start)
        self.verdicts.update(done.verdicts)
        shard = done.start // SHARD
        self._ends[shard] = max(self._ends[shard], done.at + done.size)

    def _keep(self, swept: Swept) -> tuple[int, int]:
        """Append the kept records of a block to its shard's part; where they stand there."""
        if not swept.kept:
            return 0, 0
        shard = swept.start // SHARD
        content = gzip.compress(swept.kept, mtime=0)
        with _appendable(self.folder / f"{name(shard)}.part") as file:
            file.truncate(self._ends[shard])  # what a full disk left of a block that is done again
            file.seek(self._ends[shard])
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return self._ends[shard], len(content)

    def _write_if_whole(self, shard: int) -> None:
        if next(self.missing(shard * SHARD, (shard + 1) * SHARD), None) is None:
            self._write(shard)
            (self.folder / f"{name(shard)}.part").unlink(missing_ok=True)

    def _write(self, shard: int) -> None:
        """Write the records of a shard in the order of their numbers."""
        if not (self.folder / f"{name(shard)}.part").exists():
            return
        blocks = [self._blocks[start] for start in self._starts if start // SHARD == shard]
        texts = (text for _, text in kept(self.folder, self.identity.sweep.keep, blocks))
        write_atomically(self.folder / f"{name(shard)}.jsonl.gz", _compressed(texts))


def _require_same(folder: Path, there: Identity, identity: Identity) -> None:
    for what, was, now in _differing(there, identity):
        raise SweepError(f"{folder}: is of another sweep, whose {what} is {was}, and not {now}: give another folder")


def _differing(was: Identity, now: Identity) -> Iterator[tuple[str, object, object]]:
    """What two sweeps do not share, by name."""
    if was.format != now.format:
        yield "format", was.format, now.format
    if was.digest != now.digest:
        yield "space", was.digest, now.digest
    words = {"seed": "seed", "lane": "lane", "dtype": "dtype", "direction": "pass", "keep": "keep"}
    for what, word in words.items():
        if getattr(was.sweep, what) != getattr(now.sweep, what):
            yield word, getattr(was.sweep, what), getattr(now.sweep, what)
    if was.oracle != now.oracle:
        yield "oracle", was.oracle, now.oracle


def _compressed(texts: Iterator[bytes]) -> Iterator[bytes]:
    """Texts as one compressed file, the same bytes for the same texts."""
    buffer = _Buffer()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        for text in texts:
            file.write(text)
            yield buffer.take()
    yield buffer.take()


class _Buffer:
    """What is written, until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _cut(ledger: IO[bytes], path: Path) -> Iterator[Done]:
    """The whole lines of a ledger; what follows them is cut off."""
    end = 0
    for done, length in read_ledger(ledger, path):
        yield done
        end += length
    ledger.truncate(end)


def _appendable(path: Path) -> IO[bytes]:
    path.touch()
    return open_regular(path, os.O_RDWR)
