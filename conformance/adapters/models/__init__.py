"""Model files that a framework has to be imported to read: a module for each, as in `adapters`.

A module reads a file by its framework's own loaders, which must run nothing that the file brings, and says each
transposed convolution as a call with the shapes of its operands. What a call means is not known here.
"""

import importlib
from pathlib import Path
from typing import cast

from conformance.adapters import load
from conformance.adapters.base import Lane
from conformance.adapters.models.base import NativeModel


def open_model(lane: Lane, path: str) -> NativeModel:
    """The model in a file, or of a factory, by a lane's framework. Raises RefusedError, and OSError."""
    load(lane)
    module = importlib.import_module(f"{__name__}.{lane.framework}")
    return cast(NativeModel, module.open_model(Path(path)))
