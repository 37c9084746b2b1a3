"""The engine of one machine: some threads, each the parent of a lane process of its own."""

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Protocol

from conformance.runner.sweeps.task import Swept, Task


class Blocks(Protocol):
    """What evaluates blocks one after the other."""

    def swept(self, task: Task) -> Swept:
        """What comes of a block."""
        ...

    def stop(self) -> None:
        """End what it has started."""
        ...


def swept_here(tasks: Iterator[Task], start: Callable[[], Blocks], workers: int) -> Iterator[Swept]:
    """What comes of blocks, in the order in which they are done. Raises what a block raises, once all threads end."""
    queue: Queue[Swept | BaseException | None] = Queue(maxsize=2 * workers)
    taking, ended = threading.Lock(), threading.Event()

    def take() -> Task | None:
        with taking:
            return None if ended.is_set() else next(tasks, None)

    def work() -> None:
        blocks = start()
        try:
            while (task := take()) is not None:
                queue.put(blocks.swept(task))
        except BaseException as error:
            ended.set()
            queue.put(error)
        finally:
            blocks.stop()
            queue.put(None)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    failure: BaseException | None = None
    try:
        for _ in range(workers):
            while (swept := queue.get()) is not None:
                if isinstance(swept, Swept):
                    yield swept
                else:
                    failure = failure or swept
    finally:
        ended.set()
    if failure is not None:
        raise failure
