"""What workers are given, where one has died and its death is not told yet."""

from types import SimpleNamespace
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling, LoadScopeScheduling

from conformance.runner.scheduling import BlockScheduling, CaseScheduling

ITEMS = [f"item-{number}" for number in range(12)]


class Config:
    """The options of a session of two workers."""

    option = SimpleNamespace(loadscopereorder=True)

    def getvalue(self, name: str) -> Any:
        return {"tx": ["2*popen"]}[name]

    def getoption(self, name: str) -> Any:
        return {"maxschedchunk": 2, "verbose": 0}[name]


class Worker:
    """Keeps what it is given; once it is dead, nothing can be sent to it."""

    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []
        self.dead = self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        if self.dead:
            raise OSError("cannot send (already closed?)")
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def cases() -> LoadScheduling:
    return CaseScheduling(Config())


def blocks() -> LoadScopeScheduling:
    starts = [at - at % 2 for at in range(len(ITEMS))]
    return BlockScheduling(Config(), None, lambda _: starts)  # type: ignore[arg-type]  # all that it asks of one


@pytest.mark.parametrize("made", [cases, blocks])
def test_a_session_goes_on_where_a_worker_dies_before_its_death_is_told(made: Any) -> None:
    scheduling, dying, living, heir = made(), Worker(), Worker(), Worker()
    for worker in (dying, living):
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ITEMS)
    scheduling.schedule()
    dying.dead = True
    scheduling.mark_test_complete(dying, dying.given[0])
    finished = dying.given[0]
    crashed = scheduling.remove_node(dying)  # now it is told
    assert crashed is not None
    scheduling.add_node(heir)
    scheduling.add_node_collection(heir, ITEMS)
    scheduling.schedule()
    for worker in (living, heir):
        for item in worker.given:  # which grows as it is worked off
            scheduling.mark_test_complete(worker, item)
    done = [finished, ITEMS.index(crashed), *living.given, *heir.given]
    assert sorted(set(done)) == list(range(len(ITEMS)))
    assert scheduling.tests_finished
