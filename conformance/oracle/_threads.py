"""Parts of one answer on several threads, each with products of matrices on a thread of its own."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")

WORTH = 1 << 26
"""Products from which on it takes several threads."""


def threads_for(products: int) -> int:
    """How many threads take so many products: as many as the library of matrices may have, from `WORTH` on."""
    if products < WORTH:
        return 1
    from threadpoolctl import threadpool_info  # here alone, since most answers are small

    return max((int(each["num_threads"]) for each in threadpool_info() if each["user_api"] == "blas"), default=1)


def each(parts: Iterable[Part], work: Callable[[Part], None], threads: int) -> None:
    """Do some work on each part, of which no more are held than there are threads, and one."""
    if threads == 1:
        for part in parts:
            work(part)
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[None]] = deque()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > threads:
                waiting.popleft().result()
        for done in waiting:
            done.result()
