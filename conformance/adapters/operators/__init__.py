"""What a network has besides transposed convolution, in each framework: a module for each, as in `adapters`.

The checks of the claims need ordinary convolution, its gradient, resizing and the layers around one. Arrays are
NumPy's, in PyTorch's order of axes; no module here sees a claim or an expected value.
"""

import importlib
from typing import cast

from conformance.adapters import load
from conformance.adapters.base import Lane
from conformance.adapters.operators.base import Operators


def load_operators(lane: Lane) -> Operators:
    """The operators of a lane's framework, imported after its adapter, which sets its environment up."""
    load(lane)
    return cast(Operators, importlib.import_module(f"{__name__}.{lane.framework}"))
