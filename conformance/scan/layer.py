"""A transposed convolution as a model has it, and what reads models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conformance.idioms.base import Claim
from conformance.numerics.formats import BFLOAT16, rounded
from conformance.numerics.operands import held_in
from conformance.problem import Ints

Array = NDArray[Any]
Extent = int | str | None
"""A number, the name of one that is free, or one that is free and has no name."""

STORED = "stored"
"""The provenance of a weight that the file holds as the layer takes it."""


class ScanError(ValueError):
    """A model that cannot be scanned; the message names the file, the fact and the next step."""


class SizeError(ValueError):
    """Sizes of inputs that a model does not take; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A layer's weight and bias in the layouts that the layer has; `array` reads them when they are asked for."""

    array: Callable[[], Array]
    bias: Callable[[], Array] | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One transposed convolution at one size of the model's inputs.

    `call` is in the format's own words, `place` says where it stands in the graph, `provenance` where its weight comes
    from. `claim` is None where the extents are not known, and `unknown` says why. `identity` tells layers of one name
    apart that have other weights at other sizes.
    """

    name: str
    place: str
    call: str
    claim: Claim | None
    dtype: str
    weight: Weight | None
    provenance: str
    unknown: str = ""
    identity: str = ""


def in_dtype(weight: Array, dtype: str) -> Array:
    """A weight as a layer of a dtype takes it, rounded once; in float32 for bfloat16, which NumPy has not."""
    if dtype == BFLOAT16.name:
        weight = rounded(BFLOAT16.bits, weight.astype(np.float64))
    made: Array = weight.astype(held_in(dtype), copy=False)
    return made


class Model(Protocol):
    """A model that has been opened."""

    @property
    def kind(self) -> str:
        """What the file is, such as ONNX."""
        ...

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents that the file states of each input."""
        ...

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The layers on inputs of these sizes, in the order of the graph. Raises SizeError where it takes no such."""
        ...
