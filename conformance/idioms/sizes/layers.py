"""Layers of a source text, transposed or ordinary, as calls that have been read; and the law of sizes of each."""

import importlib
from collections.abc import Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

from conformance import idioms
from conformance.idioms import IdiomError, Reading, _reading
from conformance.idioms.base import Use
from conformance.idioms.expression import Name
from conformance.idioms.names.catalogue import Catalogue
from conformance.idioms.ordinary.base import SizedLayer, SizeLaw

KERNELS = "kernel_size", "kernel", "pool_size", "window_shape", "ksize"
"""The arguments of which the length says how many axes there are."""


_NONE = SimpleNamespace(LAYERS=(), KEEPS=frozenset())
"""Of a framework of which no ordinary layer is read."""


@cache
def layers(framework: str) -> tuple[SizedLayer, ...]:
    """A framework's layers of which sizes alone are known."""
    idioms.idioms(framework)
    known: tuple[SizedLayer, ...] = _module(framework).LAYERS
    return known


def keeps(framework: str) -> frozenset[str]:
    """The last names of a framework's layers and functions that keep the extents of every input."""
    names: frozenset[str] = _module(framework).KEEPS
    return names


def _module(framework: str) -> Any:
    if not idioms.has_ordinary(framework):
        return _NONE
    return importlib.import_module(f"conformance.idioms.ordinary.{framework}")


@cache
def catalogue(framework: str) -> Catalogue:
    """Every call of a framework that has a law of sizes."""
    known = (*idioms.idioms(framework), *(layer.idiom for layer in layers(framework)))
    return Catalogue(framework, known, idioms.dialect(framework), idioms.owners, lambda: {
        other: catalogue(other) for other in idioms.frameworks() if other != framework})  # fmt: skip


def read_layers(framework: str, text: str) -> Iterator[tuple[int, Reading | str]]:
    """Every layer in a source text, with its line; the reason for one that cannot be read."""
    return _reading.read_all(catalogue(framework), text, {})


def rank_of(reading: Reading) -> int | None:
    """How many spatial axes a layer has, where its name or its kernel says it."""
    last = reading.text.partition("(")[0].rpartition(".")[2]  # which is the idiom's own where it was spelt otherwise
    ranks = [rank for rank, name in reading.idiom.functions.items() if name.rpartition(".")[2] in (reading.last, last)]
    if len(ranks) == 1:
        return ranks[0]
    kernels = (reading.arguments.get(name) for name in KERNELS)
    lengths = {len(kernel) for kernel in kernels if isinstance(kernel, list | tuple)}
    return lengths.pop() if len(lengths) == 1 else None


def law_of(framework: str, reading: Reading, rank: int) -> SizeLaw | None:
    """The law of an ordinary layer; None for a transposed convolution.

    Raises Refusal where the framework refuses the layer, and IdiomError for an argument without a value on which sizes
    depend.
    """
    layer = next((layer for layer in layers(framework) if layer.idiom is reading.idiom), None)
    _require_known(reading)
    return None if layer is None else layer.law(Use(rank, reading.arguments, {}, ""))


def _require_known(reading: Reading) -> None:
    reviewed = {*reading.idiom.aside, *reading.idiom.tensors.values(), *CHANNELS}
    for name, value in reading.arguments.items():
        values: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
        if name not in reviewed and (unknown := next((part for part in values if isinstance(part, Name)), None)):
            raise IdiomError(f"{reading.function}: {name} is {unknown}, which has no value before it runs: write it")


CHANNELS = {
    "in_channels", "out_channels", "channels", "filters", "features", "in_features", "out_features", "num_filter",
    "groups", "bias", "dtype", "return_indices", "output_shape", "input_sizes",
}  # fmt: skip
"""Arguments that no size depends on, beside those that an idiom sets aside."""
