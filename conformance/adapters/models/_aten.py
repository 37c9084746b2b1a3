"""A transposed convolution of ATen as the call of PyTorch that people write for it."""

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, int] = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}


def call_text(rank: int, *, bias: bool, words: Mapping[str, Any]) -> str:
    """The call of a functional that has these arguments, defaults left out."""
    given = {name: _short(words[name], rank) for name in DEFAULTS if words.get(name) is not None}
    written = [f"{name}={value}" for name, value in given.items() if value != DEFAULTS[name]]
    return f"torch.nn.functional.conv_transpose{rank}d({', '.join(['x', 'w', *['b'] * bias, *written])})"


def _short(value: Any, rank: int) -> Any:
    """One number where all axes have the same; several as they are where they are no number an axis."""
    if isinstance(value, int):
        return value
    numbers = tuple(int(each) for each in value)
    return numbers[0] if len(set(numbers)) == 1 and len(numbers) in (1, rank) else numbers
