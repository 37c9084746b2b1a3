"""What memory a call may take, and how it is told that memory ran out."""

import re
import resource
from pathlib import Path

MEMORY = 4 * 2**30
"""Bytes of address space that one call may take, beyond what the warm server has."""

_EXHAUSTED = re.compile(
    r"bad_alloc|out of memory|out_of_memory|can't allocate|cannot allocate|resource_exhausted|resource exhausted"
    r"|memoryerror|oom when|failed to allocate|bad_array_new_length",
    re.IGNORECASE,
)


def bound_memory(more: int) -> None:
    """Let this process have so many more bytes of address space than it has now."""
    most = _address_space() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _address_space() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def exhausted(text: str) -> bool:
    """Whether what a framework or its process said is that memory ran out."""
    return _EXHAUSTED.search(text) is not None
