"""A problem in a framework's own words, whether it is valid or not: the text of a call, and its operands' order.

Nothing is checked but whether there are words. Each framework's `WORDS` stand in its module of the catalogue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conformance.idioms.base import Refusal
from conformance.idioms.expression import Name
from conformance.layout import Array
from conformance.problem import Problem

X, W, B = Name("x"), Name("w"), Name("b")


@dataclass(frozen=True, slots=True)
class Words:
    """How a framework is called: its text for a problem, its arrays from canonical ones, and what may be called.

    `text` raises Refusal where there are no words. `layout` is of the data; `modules` are imported under their names
    in the text, and `functions` all that a text may name.
    """

    text: Callable[[Problem], str]
    arrange: Callable[[Problem, Array, Array], Sequence[Array]]
    layout: str
    modules: Mapping[str, str]
    functions: frozenset[str]
    views: bool = False
    """Whether a tensor can be a view of memory, with strides of its own."""
    gradient: Sequence[str] = ()
    """What leaves in y the gradient of sum(g * {call}) by {operand}, line by line; none where a framework has none."""
    biased: str = "{} + b"
    """A call with a bias that is added behind it."""


def require(problem: Problem, holds: bool, reason: str) -> None:
    """Raises Refusal where no words of the framework say the problem."""
    if not holds:
        raise Refusal(f"'{problem}': {reason}")


def canonical(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    """The arrays as they are."""
    return x, weight


def channels_last(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    """Channels behind the spatial axes, as far as there are such axes."""
    last = x.transpose(0, *range(2, x.ndim), 1) if x.ndim > 1 else x
    return last, weight.transpose(*range(2, weight.ndim), 1, 0) if weight.ndim > 1 else weight
