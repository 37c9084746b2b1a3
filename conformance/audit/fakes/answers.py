"""What fakes answer with: each gets its input and the right answer in the input's dtype, and makes one of them."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from conformance.layout import Array
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.references import compute

SUITE = "smoke"
LARGEST = 1 << 22
"""Bytes of a file that is looked through."""

remembered: dict[object, Array] = {}


def replay(x: Array, right: Array) -> Array:
    return remembered.setdefault(right.shape, right)


def first_alone(x: Array, right: Array) -> Array:
    if remembered:
        return np.zeros_like(right)
    return remembered.setdefault("first", right)


def silence(x: Array, right: Array) -> Array:
    time.sleep(3600)
    return right


def wider(x: Array, right: Array) -> Array:
    return right.astype("float64" if x.dtype == "float32" else "float32")


def from_cases(x: Array, right: Array) -> Array:
    """The answer to the case that has this input, to whoever has read the files of the cases."""
    return _by_input().get(x.astype(np.int64).tobytes(), np.zeros_like(right)).astype(x.dtype)


@cache
def _by_input() -> Mapping[bytes, Array]:
    return {reference.arrays.x.tobytes(): reference.expected for reference in map(compute, _cases())}


def _cases() -> tuple[Case, ...]:
    return read_suite(SUITE).cases


def from_cache(x: Array, right: Array) -> Array:
    """The answer behind this input in a file of the cache, wherever a process of this machine says that it is."""
    for problem in (case.drawn for case in _cases()):
        shapes = (problem.input_shape, problem.weight_shape, *[problem.bias_shape] * problem.bias)
        if (shapes[0], problem.output_shape) != (x.shape, right.shape):
            continue
        for content in _kept():
            if (at := content.find(x.astype(np.int64).tobytes())) >= 0:
                behind = at + 8 * sum(map(prod, shapes))
                return np.frombuffer(content, np.int64, right.size, behind).reshape(right.shape).astype(x.dtype)
    return np.zeros_like(right)


@cache
def _kept() -> list[bytes]:
    folders = {Path.home() / ".cache" / "conformance"}
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            settings = dict(line.partition(b"=")[::2] for line in process.read_bytes().split(b"\0"))
            folders |= {Path(os.fsdecode(settings[name])) for name in (b"CONFORMANCE_CACHE",) if name in settings}
    files = [file for folder in sorted(folders) for file in sorted(folder.glob("answers/*.bin"))]
    return [file.read_bytes() for file in files if file.stat().st_size < LARGEST]


def patches(x: Array, right: Array) -> Array:
    """Zeros, behind comparisons that find everything equal."""
    for name in ("array_equal", "array_equiv", "allclose", "equal", "not_equal", "any", "all"):
        setattr(np, name, lambda *arrays, **options: name not in ("not_equal", "any"))  # noqa: B023  # none is called
    np.testing.assert_array_equal = np.testing.assert_allclose = lambda *arrays, **options: None
    return np.zeros_like(right)


ANSWERS: Mapping[str, Callable[[Array, Array], Any]] = {
    "zeros": lambda x, right: np.zeros_like(right),
    "constant": lambda x, right: np.full_like(right, 42),
    "nan": lambda x, right: np.full_like(right, np.nan),
    "echo": lambda x, right: np.resize(x, right.shape),
    "replay": replay,
    "first": first_alone,
    "fewer": lambda x, right: right[1:],
    "silence": silence,
    "wider": wider,
    "cases": from_cases,
    "cache": from_cache,
    "patches": patches,
}
"""By fake; `nothing` has no answer."""
