"""Dtypes as people write them: torch.half, jnp.float32, "float64"."""

from typing import Any

from conformance.idioms.base import Refusal
from conformance.idioms.expression import Name

ALIASES = {"half": "float16", "float": "float32", "double": "float64", "single": "float32"}


NAMES = frozenset({
    *ALIASES, *ALIASES.values(), "bfloat16", "float16", "int8", "int16", "int32", "int64", "uint8", "complex64",
    "complex128", "bool",
})  # fmt: skip
"""Names that say which dtype it is."""


def is_unsaid(value: Any) -> bool:
    """Whether a value is a dtype that is known only at run time, such as self.dtype."""
    return isinstance(value, Name) and value.text.rpartition(".")[2] not in NAMES


def dtype_of(value: Any) -> str:
    """The dtype that a value names, by its plain name."""
    last = str(value.text if isinstance(value, Name) else value).rpartition(".")[2]
    return ALIASES.get(last, last)


def require_dtype(name: str, value: Any, dtype: str) -> None:
    """Raises Refusal for a dtype that is not the one that the call is read in."""
    if value is not None and not is_unsaid(value) and dtype_of(value) != dtype:
        raise Refusal(
            f"{name} is {value}: the call is read in {dtype}: leave it out, the window is that of every dtype"
        )
