"""What every report holds whatever its records are: made once for a source of this package, kept in the cache folder.

A file begins with the checksum of the rest; a damaged one is made anew. Where none can be written, none is kept.
"""

import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from conformance.io.atomic import write_atomically
from conformance.io.bounded import BoundError, read_bytes
from conformance.io.folders import PACKAGE, cache_folder

CHECKSUM = hashlib.sha256().digest_size


def constant(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` gives, from the cache where it is there."""
    path = cache_folder() / "constants" / f"{name}-{_source()}.bin"
    with suppress(OSError, BoundError):
        content = read_bytes(path)
        if content[:CHECKSUM] == hashlib.sha256(content[CHECKSUM:]).digest():
            return content[CHECKSUM:]
    made = make()
    with suppress(OSError):
        write_atomically(path, hashlib.sha256(made).digest() + made)
    return made


@cache
def _source() -> str:
    """A hash of every module of this package, and of the version of Python."""
    sources = hashlib.sha256(sys.version.encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        sources.update(hashlib.sha256(path.read_bytes()).digest())
    return sources.hexdigest()[:16]
