"""Adapters for tests, and how a test gives others to its own process."""

from conformance import adapters
from conformance.adapters import _outside


def forget_adapters() -> None:
    """Let the next look-up of an adapter go to the files."""
    _outside._entries.cache_clear()
    for name in ("frameworks", "program", "variants", "_source", "_place_outside"):
        getattr(adapters, name).cache_clear()
