"""Names of arguments: what is meant by one that a function does not have."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from conformance.idioms.base import Idiom
from conformance.idioms.expression import ExpressionError, Invocation, signature
from conformance.idioms.names.meanings import MEANINGS

SAME_MEANING = (
    *MEANINGS.values(),
    MEANINGS["stride"] | {"subsample"},
    MEANINGS["output"] | {"output_size", "target_shape"},
    MEANINGS["padding"] | {"pads", "border_mode"},
    MEANINGS["kernel"] | {"kernel_shape", "filter_size", "nb_row", "nb_col"},
    MEANINGS["out"]
    | {"output_channels", "num_outputs", "num_filters", "n_filters", "out_planes", "filter", "nb_filter"},
    MEANINGS["in"] | {"input_channels", "in_planes"},
    frozenset({"weight", "filters", "filter", "kernel", "rhs"}),
    frozenset({"input", "inputs", "value", "data", "lhs"}),
    frozenset({"data_format", "layout", "dimension_numbers", "dim_ordering"}),
)
"""Names of parameters that mean the same, here or in other libraries."""
ELSEWHERE = {
    "transpose_kernel": "only JAX and Flax have it; without it they reverse the taps, and no other framework does",
    **dict.fromkeys(MEANINGS["groups"], "no argument says groups here"),
    **dict.fromkeys(("data_format", "layout"), "the order of axes is always the same here"),
}
"""What is to be said of an argument that has no counterpart."""


def bind(parameters: str, invocation: Invocation) -> tuple[dict[str, Any], frozenset[str]]:
    """An invocation's arguments by name, defaults filled in, and the names of those that were written.

    Raises ExpressionError where they do not fit.
    """
    known = signature(parameters)
    try:
        bound = known.bind(*invocation.positional, **invocation.named)
    except TypeError as error:
        unknown = next((name for name in invocation.named if name not in known.parameters), "")
        names = list(known.parameters)
        reason = str(error)
        if unknown:
            near = nearest(unknown, names)
            hint = f"the nearest is {near!r}" if near else ELSEWHERE.get(unknown, "")
            reason = f"got an unexpected keyword argument {unknown!r}{f' ({hint})' if hint else ''}"
        raise ExpressionError(f"{invocation.function}: {reason}: its arguments are {', '.join(names)}") from None
    written = frozenset(bound.arguments)
    bound.apply_defaults()
    return dict(bound.arguments), written


def nearest(unknown: str, names: list[str]) -> str:
    """The parameter that is meant by a name: one of the same meaning in another framework, else one spelt like it."""
    alike = (name for words in SAME_MEANING if unknown in words for name in names if name in words)
    return next(alike, "") or next(iter(get_close_matches(unknown, names, 1, 0.75)), "")


def in_another_order(idiom: Idiom, invocation: Invocation) -> Iterator[str]:
    """What arguments without names are taken to be, where versions differ in the order of the parameters."""
    names = [*signature(idiom.signature_of(invocation.last)).parameters]
    behind = [*zip(names, invocation.positional, strict=False)][idiom.settled :] if idiom.settled else []
    if behind:
        read = ", ".join(f"{name}={value!r}" for name, value in behind)
        yield f"without names, and read as {read}: other versions may have another order of parameters"
