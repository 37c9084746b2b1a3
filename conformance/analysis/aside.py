"""A function in a fork of this process, so that both go on at once, each on a core of its own."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

T = TypeVar("T")


def aside(function: Callable[[], T]) -> Callable[[], T]:
    """Begin a function in a fork, which has all of this process's memory as it is now.

    What is returned waits for the function's result, which can be pickled, and raises what it raised. On one core,
    and on other systems than Linux, the function runs when it is waited for.
    """
    if not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2:
        return function
    forks = multiprocessing.get_context("fork")
    receiver, sender = forks.Pipe(duplex=False)
    process = forks.Process(target=_answer, args=(function, sender), daemon=True)
    process.start()
    sender.close()

    def result() -> T:
        try:
            made, error = receiver.recv()
        except EOFError:
            process.join()
            made, error = None, RuntimeError(f"a process beside this one ended with status {process.exitcode}")
        if error is not None:
            raise error
        answer: T = made
        return answer

    return result


def _answer(function: Callable[[], object], sender: Connection) -> None:
    """Send what a function returns, or raises."""
    try:
        made, error = function(), None
    except Exception as raised:
        made, error = None, raised
    sender.send((made, error))
