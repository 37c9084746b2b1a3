"""A function beside this process: its result, what it raises, and its death."""

import os
import signal

import pytest

from conformance.analysis.aside import aside
from conformance.records.record import RecordError


def test_a_result_comes_from_another_process() -> None:
    words = ["as", "it", "is"]
    result = aside(lambda: (os.getpid(), words))
    pid, seen = result()
    assert seen == words
    assert (pid != os.getpid()) is (len(os.sched_getaffinity(0)) > 1)


def test_what_is_raised_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise RecordError("a.jsonl: is no record file")

    result = aside(fail)
    with pytest.raises(RecordError, match=r"a\.jsonl: is no record file"):
        result()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: the function is run here")
def test_a_death_is_said() -> None:
    result = aside(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(RuntimeError, match="ended with status -9"):
        result()
