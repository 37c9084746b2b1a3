"""Blocks of items as units of work for pytest-xdist."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class BlockScheduling(LoadScopeScheduling):
    """Gives each block of `size` consecutive items to one worker, in collection order."""

    def __init__(self, config: pytest.Config, log: Any, size: int) -> None:
        super().__init__(config, log)
        self._size = size
        self._positions: dict[str, int] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._positions:
            self._positions = {each: position for position, each in enumerate(self.collection or ())}
        return f"{self._positions[nodeid] // self._size:08}"
