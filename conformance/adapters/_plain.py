"""What adapters share whose calls take NumPy arrays, and have answered when they return: `run`, `array`, `tensor`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.adapters.base import Call
from conformance.layout import Array


def run(calls: Sequence[Call]) -> Sequence[Any]:
    """Make the calls, one by one."""
    return [call() for call in calls]


def array(result: Any) -> Array:
    """A result as a NumPy array."""
    return np.asarray(result)


def tensor(array: Array) -> Array:
    """An array as an operand: contiguous."""
    return np.ascontiguousarray(array)
