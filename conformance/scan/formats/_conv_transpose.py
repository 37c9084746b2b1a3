"""A node of ONNX's ConvTranspose as the call of `onnx.helper` that makes it, in the words of ONNX's idiom."""

from collections.abc import Mapping, Sequence
from typing import Any

from conformance import adapters, idioms
from conformance.idioms.base import Claim
from conformance.idioms.catalogue.onnx import NODE, written
from conformance.idioms.expression import write
from conformance.problem import Ints

FRAMEWORK = "onnx"


def text(attributes: Mapping[str, Any], *, bias: bool) -> str:
    """The node as a call, defaults left out."""
    words = {name: _plain(value) for name, value in sorted(attributes.items())}
    return write(NODE, "ConvTranspose", ["x", "w", *["b"] * bias], ["y"], **written(words))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [int(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def claim(call: str, x: Ints, w: Ints) -> Claim:
    """What a call means to the first lane of ONNX. Raises Refusal where it says no problem."""
    return idioms.read(FRAMEWORK, call, {"x": x, "w": w}, adapters.lane(FRAMEWORK).variant).claim
