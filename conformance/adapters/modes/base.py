"""The interface of the modes of a framework."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from conformance.adapters.base import Call


class Inferred(NamedTuple):
    """What a framework says of an answer before it makes a call: the native shape, and the dtype's name."""

    shape: tuple[int, ...]
    dtype: str


Mode = Callable[[Call], Call]
"""The same call to be made in another way, which waits for its answer; raises Unsupported where it cannot be."""


class Modes(Protocol):
    """What a module of modes defines; each function's docstring says what is done otherwise."""

    MODES: Mapping[str, Mode]
    """Those that take hardly longer than the call itself."""

    SLOW: Mapping[str, Mode]
    """Those that compile, or export, each call."""

    INFERENCES: Mapping[str, Callable[[Call], Call]]
    """Those that only infer what comes of a call: its answer is `Inferred`."""

    NEEDS: Mapping[str, Sequence[str]]
    """The packages that a mode needs beside the framework."""
