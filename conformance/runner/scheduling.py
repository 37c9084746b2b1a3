"""Blocks of items as units of work for pytest-xdist."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class BlockScheduling(LoadScopeScheduling):
    """Gives each block of `size` consecutive items to one worker, in collection order; survives a worker's death.

    The class beneath hands a dead worker's finished units out again and leaves whoever gets one waiting, hands units to
    workers that are still starting, and leaves a worker with a single last item waiting for a next one.
    """

    def __init__(self, config: pytest.Config, log: Any, size: int) -> None:
        super().__init__(config, log)
        self._size = size
        self._positions: dict[str, int] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._positions:
            self._positions = {test: position for position, test in enumerate(self.collection or ())}
        return f"{self._positions[nodeid] // self._size:08}"

    def remove_node(self, node: Any) -> str | None:
        units = self.assigned_work[node]
        for scope in [scope for scope, unit in units.items() if all(unit.values())]:
            del units[scope]
        crashed: str | None = super().remove_node(node)
        return crashed

    def _assign_work_unit(self, node: Any) -> None:
        if node not in self.registered_collections:
            return  # still starting; it asks for work itself
        super()._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()  # after what it has been given
