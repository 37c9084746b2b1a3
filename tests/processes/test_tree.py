"""A process under a limit is ended for what it does, and looking at it costs next to nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from conformance.processes import tree
from conformance.processes.tree import POLL, Watch


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the code that it is given."""
    process = subprocess.Popen([sys.executable, "-c", request.param])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("started", "passed"),
    [("import time; time.sleep(60)", "0.3 s asleep"), ("while True: pass", "0.3 s of CPU time")],
    indirect=["started"],
)
def test_a_process_that_sleeps_or_is_busy_for_too_long_passes_its_limit(
    started: subprocess.Popen[bytes], passed: str
) -> None:
    watch, deadline = Watch(started.pid, 0.3), time.monotonic() + 30
    while not (words := watch.exceeded) and time.monotonic() < deadline:
        time.sleep(POLL)
    assert words in (passed, "0.3 s of CPU time")  # it may take as much to start


@pytest.mark.parametrize("started", ["import time; time.sleep(60)"], indirect=True)
def test_a_process_is_looked_at_no_more_often_than_it_is_waited_for(
    started: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = tree._activity

    def counted(pid: int) -> tuple[float, bool]:
        looks.append(pid)
        return look(pid)

    monkeypatch.setattr(tree, "_activity", counted)
    watch, began = Watch(started.pid, 60.0), time.monotonic()
    while time.monotonic() < began + 3 * POLL:
        assert watch.exceeded == ""
    assert 1 <= len(looks) <= 2 * (time.monotonic() - began) / POLL
