"""Items as units of work for pytest-xdist, one by one or in blocks, where workers die."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling, LoadScopeScheduling


class CaseScheduling(LoadScheduling):
    """Gives single items; goes on where a worker has died and its death is not told yet.

    The class beneath ends the session then. What the worker was given is handed out again once its death is told.
    """

    def _send_tests(self, node: Any, num: int) -> None:
        with suppress(OSError):
            super()._send_tests(node, num)


class BlockScheduling(LoadScopeScheduling):
    """Gives each unit of consecutive items to one worker; survives a worker's death.

    `starts` gives the position of the first item of each item's unit. The class beneath hands a dead worker's finished
    units out again and leaves whoever gets one waiting, hands units to workers that are still starting, leaves a worker
    with a single last item waiting for a next one, and takes time with the square of the number of items.
    """

    def __init__(self, config: pytest.Config, log: Any, starts: Callable[[Sequence[str]], Sequence[int]]) -> None:
        super().__init__(config, log)
        self._starts = starts
        self._scopes: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._scopes:
            tests = self.collection or ()
            self._scopes = {test: f"{start:08}" for test, start in zip(tests, self._starts(tests), strict=True)}
        return self._scopes[nodeid]

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        super().add_node_collection(node, collection)
        if node in self.registered_collections:
            self.registered_collections[node] = _Indexed(collection)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        nodeid = self.registered_collections[node][item_index]
        units, scope = self.assigned_work[node], self._split_scope(nodeid)
        units[scope][nodeid] = True
        if all(units[scope].values()):
            del units[scope]
        self._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        if node not in self.registered_collections:
            return  # still starting; it asks for work itself
        with suppress(OSError):  # it has died, which is told next
            super()._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()  # after what it has been given


class _Indexed(list[str]):
    """A list of different texts that knows where each is."""

    def __init__(self, texts: Iterable[str]) -> None:
        super().__init__(texts)
        self._positions = {text: position for position, text in enumerate(self)}

    def index(self, text: str, *_: Any) -> int:
        return self._positions[text]
