"""A point of an idiom as a native call: its text compiled, its operands in the idiom's own layout."""

from functools import cache
from typing import Any

import numpy as np

from conformance import layout
from conformance.adapters.base import Adapter, Array, Call
from conformance.idioms.base import Idiom, Point

_OPERANDS = "x, w, b, z"


def program(point: Point) -> str:
    """The Python text that runs a point: a function of x, w, b and z, each a tensor of the framework or None."""
    lines = point.idiom.program(point.inner, point.outer, point.claim.problem.bias)
    body = "\n".join(f"    {line}" for line in lines)
    return f"def call({_OPERANDS}):\n{body}\n    return y\n"


def translate(adapter: Adapter, point: Point, x: Array, weight: Array, bias: Array | None) -> Call:
    """The native call of a point on canonical arrays, in the layout and order of taps that it claims."""
    claim, problem = point.claim, point.claim.problem
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    if claim.reversed:
        grouped = np.flip(grouped, tuple(range(3, grouped.ndim)))
    operands = [layout.arrange(x, layout.DATA, claim.data), layout.arrange(grouped, layout.WEIGHT, claim.weight), bias]
    if claim.refused:  # the arrays may have any values, but must have the very shapes that were written
        operands[:2] = [_reshaped(array, point.shapes.get(name)) for name, array in zip("xw", operands, strict=False)]
    if "z" in point.shapes:
        operands.append(np.zeros(point.shapes["z"], x.dtype))
    tensors = [None if array is None else adapter.tensor(array) for array in operands]
    function = _compiled(program(point), point.idiom)
    return Call(function, (*tensors, None)[:4], layout=claim.data)


def _reshaped(array: Any, shape: tuple[int, ...] | None) -> Array:
    return array if shape is None or array.shape == shape else np.resize(array, shape)


def _compiled(text: str, idiom: Idiom) -> Any:
    namespace = dict(_namespace(idiom.imports))
    exec(compile(text, f"<{idiom.id}>", "exec"), namespace)  # text of our own making: see Idiom.program
    return namespace["call"]


@cache
def _namespace(imports: tuple[str, ...]) -> dict[str, Any]:
    """The modules that an idiom's text names."""
    namespace: dict[str, Any] = {}
    exec("\n".join(imports), namespace)
    return namespace
