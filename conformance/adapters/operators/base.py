"""The interface of the operators that surround transposed convolution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.layout import Array
from conformance.problem import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """An ordinary 2-D convolution: x (n, c, h, w), weight (out, c // groups, kh, kw), the same padding at both ends.

    `padding` is one whole number an axis, or the name of TensorFlow's rule, "SAME" or "VALID".
    """

    x: Array
    weight: Array
    stride: Ints = (1, 1)
    padding: Ints | str = (0, 0)
    dilation: Ints = (1, 1)
    groups: int = 1


class Operators(Protocol):
    """What a module of operators defines."""

    NAMESPACE: Mapping[str, Any]
    """The framework and what belongs to it, by the names under which expressions use them."""

    RESIZES: Sequence[str]
    """The rules of interpolation that `resize` knows."""

    ABORTS: tuple[type[Exception], ...]
    """Exceptions by which the framework refuses uncleanly, beside its adapter's refusals."""

    def convolve(self, convolutions: Sequence[Convolution]) -> list[Array]:
        """The answers of ordinary convolutions, each (n, out, h, w)."""
        ...

    def gradient(self, convolution: Convolution, upstream: Array) -> Array:
        """The gradient, by automatic differentiation, of a convolution's answer times `upstream` in its x."""
        ...

    def resize(self, x: Array, rule: str) -> Array:
        """x (n, c, h, w) enlarged to twice its height and width; corners are not aligned."""
        ...

    def dense(self, x: Array, weight: Array) -> Array:
        """x (n, in) by weight (in, out), without a bias."""
        ...

    def leaky_relu(self, x: Array, slope: float) -> Array:
        """x where it is positive, else slope * x."""
        ...

    def plain(self, value: Any) -> Any:
        """A tensor as nested lists of numbers; anything else as it is."""
        ...
