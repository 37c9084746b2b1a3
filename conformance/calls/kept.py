"""The suites of calls, kept from one process to the next: to read thousands of calls takes seconds, and a night has
hundreds of processes that ask for the same ones.

A file's name is the hash of all that decides its content: the source of this package. Idioms have functions, so that
they are kept as places in the catalogue. A file is read by an unpickler that knows the types below, and runs nothing.
"""

import hashlib
import io
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from conformance import idioms
from conformance.idioms.base import Claim, ClaimedCall, Idiom
from conformance.idioms.expression import Name
from conformance.io.atomic import kept
from conformance.io.folders import PACKAGE, cache_folder
from conformance.problem import Problem
from conformance.suites.case import Case, Suite

TYPES = {(each.__module__, each.__name__): each for each in (Suite, Case, Problem, ClaimedCall, Claim, Name)}


def kept_suite(name: str, framework: str, variant: str, make: Callable[[], Suite]) -> Suite:
    """A suite as it was kept, or as it is made; a folder that can be neither read nor written is no reason not to."""
    key = f"{_source_digest()} {sys.version_info[:2]} {name} {framework} {variant}"
    path = cache_folder() / "calls" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    made: list[Suite] = []

    def content() -> bytes:
        made.append(make())
        return _pickled(made[0])

    with suppress(OSError, pickle.UnpicklingError):
        body = kept(path, content)
        return made[0] if made else _unpickled(body)
    return made[0] if made else make()


@cache
def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _pickled(suite: Suite) -> bytes:
    places = {
        id(idiom): (framework, place)
        for framework in idioms.frameworks()
        for place, idiom in enumerate(idioms.idioms(framework))
    }

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> tuple[str, int] | None:
            return places[id(value)] if type(value) is Idiom else None

    stream = io.BytesIO()
    Pickler(stream, 5).dump(suite)
    return stream.getvalue()


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, place: tuple[str, int]) -> Idiom:
        framework, at = place
        return idioms.idioms(framework)[at]

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in TYPES:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a suite")
        return TYPES[module, name]


def _unpickled(content: memoryview) -> Suite:
    suite = _Unpickler(io.BytesIO(content)).load()
    assert isinstance(suite, Suite)
    return suite
