"""ONNX's arithmetic as steps from stored tensors to a weight."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from conformance.adapters.models._computed import ARITHMETIC, Cast, Step, reducing, reshaped, same
from conformance.layout import Array

NUMBERWISE: Mapping[str, str] = {"Max": "maximum", "Reciprocal": "reciprocal"} | {
    name: name.lower() for name in ("Mul", "Div", "Add", "Sub", "Pow", "Sqrt", "Neg", "Abs")
}
"""Operators on numbers, by what they are."""
REDUCTIONS: Mapping[str, str] = {"ReduceL2": "norm", "ReduceSum": "sum", "ReduceSumSquare": "squares"}


def step(node: NodeProto | None) -> Step | None:
    """What a node computes; None where it is no arithmetic."""
    if node is None or node.domain not in ("", "ai.onnx"):
        return None
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    name = node.op_type
    if name == "Identity":
        return Step(same, [*node.input], moves=True)
    if name == "Cast":
        kind = TensorProto.DataType.Name(options["to"]).lower()
        return Step(Cast({"float": "float32", "double": "float64"}.get(kind, kind)), [*node.input])
    if name in NUMBERWISE and "axis" in options:
        return None  # before opset 7, an operand's axes begin where this says, unlike NumPy's
    if name in NUMBERWISE:
        return Step(ARITHMETIC[NUMBERWISE[name]], [*node.input])
    if name in REDUCTIONS:
        return Step(partial(_reduced, REDUCTIONS[name], options), [each for each in node.input if each])
    if name in SHAPING:
        return Step(partial(SHAPING[name], options), [each for each in node.input if each], moves=True)
    return None


def _reduced(how: str, options: Mapping[str, Any], x: Array, *axes: Array) -> Any:
    over = axes[0].tolist() if axes else options.get("axes")
    if not over and options.get("noop_with_empty_axes"):
        raise ValueError("reduces nothing")
    return reducing(how, over or None, bool(options.get("keepdims", 1)))(x)


def _transposed(options: Mapping[str, Any], x: Array) -> Array:
    return np.transpose(x, options.get("perm"))


def _unsqueezed(options: Mapping[str, Any], x: Array, *axes: Array) -> Array:
    return np.expand_dims(x, tuple(axes[0].tolist() if axes else options["axes"]))


def _squeezed(options: Mapping[str, Any], x: Array, *axes: Array) -> Array:
    over = axes[0].tolist() if axes else options.get("axes")
    return np.squeeze(x, None if over is None else tuple(over))


SHAPING: Mapping[str, Callable[..., Array]] = {
    "Reshape": lambda _, x, shape: reshaped(x, shape.tolist()), "Transpose": _transposed, "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
}  # fmt: skip
