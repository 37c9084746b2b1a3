"""What stands in a sweep's folder, as it is read: the identity, the ledger, and the kept records of blocks."""

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from conformance.io.bounded import open_regular, read_named_bytes
from conformance.processes.wire import LONGEST_LINE
from conformance.records.record import Count, Verdict
from conformance.runner.sweeps.task import Keep, Sweep, SweepError

FORMAT = "conformance-sweep/1"
SHARD = 1 << 18
"""Problems of a shard."""
LARGEST_BLOCK = 1 << 28
"""Bytes of a block's kept records."""
IDENTITY, LEDGER = "identity.json", "blocks.jsonl"


class Identity(Struct, frozen=True, forbid_unknown_fields=True):
    """What is swept, the digests of the space and of all that decides what is expected, and what it runs on."""

    format: str
    digest: str
    oracle: str
    sweep: Sweep
    environment: dict[str, str] = {}
    machine: dict[str, str] = {}


class Done(Struct, frozen=True, forbid_unknown_fields=True):
    """A block that is done: its problems, counts and digest, and where its kept records stand in the shard's part."""

    start: Count
    stop: Count
    verdicts: dict[str, Count]
    sha256: str
    at: Count = 0
    size: Count = 0
    deaths: Count = 0

    def kept(self, keep: Keep) -> int:
        """How many of its records are kept."""
        return self.stop - self.start - (0 if keep == "all" else self.verdicts.get(Verdict.CONFORMS, 0))


_DONE = msgspec.json.Decoder(Done)


def read_identity(folder: Path) -> Identity:
    """What the sweep in a folder is about. Raises SweepError where there is none."""
    path = folder / IDENTITY
    if not path.exists():
        raise SweepError(f"{folder}: holds no sweep: give the folder that --to named")
    try:
        return msgspec.json.decode(read_named_bytes(path), type=Identity)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SweepError(f"{path}: is not as this version writes it ({error}): give another folder") from None


def read_blocks(folder: Path) -> tuple[list[Done], list[Done]]:
    """The blocks of a sweep in the order of their numbers, and those that were done again with other records."""
    first: dict[int, Done] = {}
    again = []
    with open_regular(folder / LEDGER) as ledger:
        for done, _ in read_ledger(ledger, folder / LEDGER):
            if first.setdefault(done.start, done) is not done:
                again.append(done)
    return [first[start] for start in sorted(first)], again


def read_ledger(ledger: IO[bytes], path: Path) -> Iterator[tuple[Done, int]]:
    """The whole lines of a ledger, with their lengths. Raises SweepError for one before the last that is no block."""
    for number, line in enumerate(ledger, 1):
        if not line.endswith(b"\n"):
            return
        try:
            yield _DONE.decode(line), len(line)
        except msgspec.DecodeError as error:
            raise SweepError(f"{path}:{number}: is no block ({error}): the disk may be damaged; move the folder "
                             "away") from None  # fmt: skip


def kept(folder: Path, keep: Keep, blocks: Sequence[Done]) -> Iterator[tuple[Done, bytes]]:
    """Blocks in the order of their numbers, each with its kept records as lines. Raises SweepError for damaged ones."""
    for shard, those in groupby(blocks, lambda done: done.start // SHARD):
        part, of = folder / f"{name(shard)}.part", [*those]
        try:
            yield from _of_part(part, of) if part.exists() else _of_whole(folder, shard, keep, of)
        except (OSError, EOFError, zlib.error) as error:
            raise SweepError(f"{folder / name(shard)}: its records cannot be read ({error}): the disk may be damaged; "
                             "move the folder away") from None  # fmt: skip


def _of_part(part: Path, blocks: Iterable[Done]) -> Iterator[tuple[Done, bytes]]:
    with open_regular(part) as file:
        for done in blocks:
            file.seek(done.at, os.SEEK_SET)
            yield done, _inflated(file.read(done.size)) if done.size else b""


def _of_whole(folder: Path, shard: int, keep: Keep, blocks: Iterable[Done]) -> Iterator[tuple[Done, bytes]]:
    whole = folder / f"{name(shard)}.jsonl.gz"
    if not whole.exists():
        yield from ((done, b"") for done in blocks)
        return
    with open_regular(whole) as file, gzip.GzipFile(fileobj=file) as lines:
        for done in blocks:
            text = b"".join(lines.readline(LONGEST_LINE) for _ in range(done.kept(keep)))
            if text.count(b"\n") != done.kept(keep):
                raise EOFError("a record is missing, or is no line")
            yield done, text


def _inflated(content: bytes) -> bytes:
    """A block's records. Raises EOFError where they are more than a block has, or not whole."""
    inflating = zlib.decompressobj(31)  # of gzip
    text = inflating.decompress(content, LARGEST_BLOCK)
    if not inflating.eof:
        raise EOFError("its compressed records are not whole, or too many")
    return text


def name(shard: int) -> str:
    """How the files of a shard begin."""
    return f"shard-{shard:05}"


def number_of(path: Path) -> int:
    """The shard that a file is of. Raises SweepError where it is none's."""
    digits = path.name.removeprefix("shard-").partition(".")[0]
    if not digits.isdecimal():
        raise SweepError(f"{path}: is no shard of a sweep: move it away")
    return int(digits)
