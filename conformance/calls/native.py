"""A point of an idiom as a native call: its text compiled, its operands in the idiom's own layout."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from conformance import layout
from conformance.adapters.base import Adapter, Call
from conformance.idioms.base import ClaimedCall, engine
from conformance.layout import Array

_OPERANDS = "x, w, b, z"


def lines(point: ClaimedCall) -> Sequence[str]:
    """The lines that make a point's call on x, w, b and z and call the answer y."""
    return point.idiom.program(point.inner, point.outer, point.claim.problem.bias)


def program(point: ClaimedCall) -> str:
    """The Python text that runs a point: a function of x, w, b and z, each a tensor of the framework or None."""
    body = "\n".join(f"    {line}" for line in lines(point))
    return f"def call({_OPERANDS}):\n{body}\n    return y\n"


def operands(point: ClaimedCall, x: Array, weight: Array, bias: Array | None) -> list[Array | None]:
    """Canonical arrays as the call takes them, in the layout and order of taps that it claims: x, w and b."""
    claim, problem = point.claim, point.claim.problem
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    if claim.reversed:
        grouped = np.flip(grouped, tuple(range(3, grouped.ndim)))
    x, weight = layout.arrange(x, layout.DATA, claim.data), layout.arrange(grouped, layout.WEIGHT, claim.weight)
    if claim.refused:  # the arrays may have any values, but must have the very shapes that were written
        x, weight = _reshaped(x, point.shapes.get("x")), _reshaped(weight, point.shapes.get("w"))
    return [x, weight, bias]


def translate(adapter: Adapter, point: ClaimedCall, arrays: Sequence[Array | None]) -> Call:
    """The native call of a point on its operands; of its code, where it has any."""
    if point.code:
        return _ported(adapter, point, arrays)
    z = np.zeros(point.shapes["z"], arrays[0].dtype) if "z" in point.shapes and arrays[0] is not None else None
    tensors = [None if array is None else adapter.tensor(array) for array in (*arrays, z)]
    return Call(_compiled(program(point), point), tuple(tensors), layout=point.claim.data)


def _ported(adapter: Adapter, point: ClaimedCall, arrays: Sequence[Array | None]) -> Call:
    namespace: dict[str, Any] = {}
    exec(compile(point.code, f"<{point.origin}>", "exec"), namespace)  # what a port prints is what is run
    x, weight, bias = arrays
    tensors = [adapter.tensor(array) for array in (x, namespace["convert_weight"](weight), bias) if array is not None]
    return Call(namespace["conv_transpose"], (*tensors, None)[:3], layout=point.claim.data)


def _reshaped(array: Any, shape: tuple[int, ...] | None) -> Array:
    return array if shape is None or array.shape == shape else np.resize(array, shape)


def _compiled(text: str, point: ClaimedCall) -> Any:
    namespace = dict(_namespace((*point.idiom.imports, *engine(point.idiom.engines, point.variant))))
    exec(compile(text, f"<{point.idiom.id}>", "exec"), namespace)  # text of our own making: see Idiom.program
    return namespace["call"]


@cache
def _namespace(imports: tuple[str, ...]) -> dict[str, Any]:
    """The modules that an idiom's text names."""
    namespace: dict[str, Any] = {}
    exec("\n".join(imports), namespace)
    return namespace
