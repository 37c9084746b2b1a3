"""Dtypes as people write them: torch.half, jnp.float32, "float64"."""

from typing import Any

from conformance.idioms.base import Refusal
from conformance.idioms.expression import Name

ALIASES = {"half": "float16", "float": "float32", "double": "float64", "single": "float32"}


def dtype_of(value: Any) -> str:
    """The dtype that a value names, by its plain name."""
    last = str(value.text if isinstance(value, Name) else value).rpartition(".")[2]
    return ALIASES.get(last, last)


def require_dtype(name: str, value: Any, dtype: str) -> None:
    """Raises Refusal for a dtype that is not the one that the call is read in."""
    if value is not None and dtype_of(value) != dtype:
        raise Refusal(
            f"{name} is {value}: the call is read in {dtype}: leave it out, the window is that of every dtype"
        )
