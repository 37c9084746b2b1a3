"""The interface of what reads model files by a framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conformance.layout import Array
from conformance.problem import Ints

Extents = Sequence[int | None]


class RefusedError(ValueError):
    """A file that is not read; the message is the reason and what to give instead, without the file's name."""


class UnfitError(ValueError):
    """Sizes of inputs that a model does not take; the message is the reason."""


@dataclass(frozen=True, slots=True)
class NativeLayer:
    """A transposed convolution as its framework has it: a call as text, on operands of these shapes by their letters.

    `weight` and `bias` are as the call takes them; None where they are not known. `identity` tells layers of one name
    apart that have other weights at other sizes.
    """

    name: str
    place: str
    call: str
    shapes: Mapping[str, Ints]
    dtype: str
    provenance: str
    weight: Array | None = None
    bias: Array | None = None
    unknown: str = ""
    identity: str = ""


class NativeModel(Protocol):
    """A model that a framework has loaded."""

    @property
    def kind(self) -> str:
        """What the file is, such as Keras."""
        ...

    @property
    def inputs(self) -> Mapping[str, Extents]:
        """The extents that the file states of each input."""
        ...

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The layers on inputs of these sizes. Raises UnfitError where it takes no such."""
        ...
