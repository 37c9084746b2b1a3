"""A sweep from its options to its store, whichever engine does the blocks."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from conformance.runner.sweeps.ledger import FORMAT, SHARD, Done, Identity, kept, read_blocks, read_identity
from conformance.runner.sweeps.store import Store
from conformance.runner.sweeps.task import Sweep, SweepError, Swept, Task
from conformance.suites.references import oracle_digest
from conformance.suites.spaces.space import Space

Engine = Callable[[Iterator[Task]], Iterator[Swept]]
"""What does blocks, in any order."""


class Part(NamedTuple):
    """Which numbers are to be done: those from `start` to before `stop`, in blocks, of which every `of`-th is taken."""

    start: int
    stop: int
    block: int
    part: int = 1
    of: int = 1

    def tasks(self, sweep: Sweep, store: Store) -> Iterator[Task]:
        """The blocks that are not done yet."""
        for first, end in list(store.missing(self.start, self.stop)):
            for number in range(first // self.block, -(-end // self.block)):
                if number % self.of == self.part - 1:
                    at = number * self.block
                    yield Task(sweep, max(first, at), min(end, at + self.block))


def digest_of(blocks: Iterator[Done]) -> str:
    """The digest of blocks in the order of their numbers: the same records in the same blocks have the same."""
    whole = hashlib.sha256()
    for done in blocks:
        whole.update(f"{done.start} {done.stop} {done.sha256}\n".encode())
    return whole.hexdigest()[:16]


def identity_of(sweep: Sweep, space: Space) -> Identity:
    """What a store keeps of a sweep."""
    return Identity(FORMAT, space.digest, oracle_digest((sweep.direction,)), sweep)


def require_part(space: Space, part: Part) -> None:
    """Raises SweepError for numbers that a space has not, and for blocks that do not fit into shards."""
    if not 0 <= part.start < part.stop <= space.size:
        raise SweepError(f"problems {part.start} to {part.stop - 1} are not all in the space, whose numbers are 0 to "
                         f"{space.size - 1}: give another --from or --count")  # fmt: skip
    if SHARD % part.block:
        raise SweepError(f"--block {part.block} does not divide a shard of {SHARD}: give a power of 2")


def do(store: Store, tasks: Iterator[Task], engine: Engine) -> Iterator[Swept]:
    """Do blocks and keep what comes of them; each as soon as it is on the disk."""
    for swept in engine(tasks):
        store.add(swept)
        yield swept


def join(store: Store, folders: list[Path]) -> Iterator[Swept]:
    """Take over the blocks of other folders of the same sweep. Raises SweepError for one of another."""
    for folder in folders:
        identity = read_identity(folder)
        store.require_same(folder, identity)
        blocks, _ = read_blocks(folder)
        for done, text in kept(folder, identity.sweep.keep, blocks):
            swept = Swept(
                done.start, done.stop, done.verdicts, done.sha256, text, done.deaths, identity.environment,
                identity.machine, identity.oracle,
            )  # fmt: skip
            store.add(swept)
            yield swept
