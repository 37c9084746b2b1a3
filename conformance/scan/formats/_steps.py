"""What ONNX's operators do to stored numbers, as steps to a weight."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from conformance.adapters.models._computed import ARITHMETIC, Cast, Step, reducing, reshaped, same
from conformance.adapters.models._moves import (
    dequantized,
    expanded,
    flattened,
    gathered,
    joined,
    parted,
    quantized,
    sliced,
    tiled,
)
from conformance.layout import Array

NUMBERWISE: Mapping[str, str] = {"Max": "maximum", "Reciprocal": "reciprocal"} | {
    name: name.lower() for name in ("Mul", "Div", "Add", "Sub", "Pow", "Sqrt", "Neg", "Abs")
}
"""Operators on numbers, by what they are."""
REDUCTIONS: Mapping[str, str] = {"ReduceL2": "norm", "ReduceSum": "sum", "ReduceSumSquare": "squares"}
SCALES = (TensorProto.FLOAT, TensorProto.FLOAT16)
ZEROS: Mapping[int, type[np.integer[Any]]] = {
    TensorProto.UINT8: np.uint8, TensorProto.INT8: np.int8, TensorProto.UINT16: np.uint16, TensorProto.INT16: np.int16,
}  # fmt: skip
"""The dtypes that numbers are known to be quantized to."""


def step(node: NodeProto | None, name: str, element: Callable[[str], int]) -> Step | None:
    """What a node computes under a name; None where that is not known. `element` tells the dtype of a stored tensor."""
    if node is None or node.domain not in ("", "ai.onnx"):
        return None
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    kind, operands = node.op_type, [each for each in node.input if each]
    if kind == "Identity":
        return Step(same, operands, moves=True)
    if kind == "Cast":
        to = TensorProto.DataType.Name(options["to"]).lower()
        return Step(Cast({"float": "float32", "double": "float64"}.get(to, to)), operands, exact=True)
    if kind in NUMBERWISE and "axis" in options:
        return None  # before opset 7, an operand's axes begin where this says, unlike NumPy's
    if kind in NUMBERWISE:
        return Step(ARITHMETIC[NUMBERWISE[kind]], operands)
    if kind in REDUCTIONS:
        return Step(partial(_reduced, REDUCTIONS[kind], options), operands)
    if kind == "Split":
        return Step(partial(_split, options, [*node.output].index(name), len(node.output)), operands, moves=True)
    if kind in MOVING:
        return Step(_in_place(partial(MOVING[kind], options), node.input), operands, moves=True)
    if kind in ("DequantizeLinear", "QuantizeLinear"):
        return _quantizing(node, options, element)
    return None


def _in_place(compute: Callable[..., Array], names: Sequence[str]) -> Callable[..., Array]:
    """What takes operands of which some are not given, as None in their places."""
    at = [number for number, name in enumerate(names) if name]

    def applied(*operands: Array) -> Array:
        given = dict(zip(at, operands, strict=True))
        return compute(*(given.get(number) for number in range(len(names))))

    return applied


def _quantizing(node: NodeProto, options: Mapping[str, Any], element: Callable[[str], int]) -> Step | None:
    operands = [each for each in node.input if each]
    axis, block = int(options.get("axis", 1)), int(options.get("block_size", 0))
    scale = element(node.input[1]) if len(node.input) > 1 else 0
    given = options.get("output_dtype", 0)
    if node.op_type == "DequantizeLinear" and scale in SCALES and given in (0, scale):
        return Step(lambda x, scale, zero=None: dequantized(x, scale, zero, axis, block), operands, exact=True)
    zero = element(operands[2]) if len(operands) > 2 else given or TensorProto.UINT8
    if node.op_type != "QuantizeLinear" or zero not in ZEROS or scale != SCALES[0] or options.get("precision"):
        return None
    none = np.zeros((), ZEROS[zero])
    return Step(lambda x, scale, zero=none: quantized(x, scale, zero, axis, block), operands, exact=True)


def _reduced(how: str, options: Mapping[str, Any], x: Array, *axes: Array) -> Any:
    over = axes[0].tolist() if axes else options.get("axes")
    if not over and options.get("noop_with_empty_axes"):
        raise ValueError("reduces nothing")
    return reducing(how, over or None, bool(options.get("keepdims", 1)))(x)


def _reshaped(options: Mapping[str, Any], x: Array, shape: Array | None = None) -> Array:
    wanted = options["shape"] if shape is None else shape.tolist()
    kept = not options.get("allowzero", 0)
    return reshaped(x, [x.shape[at] if kept and extent == 0 else extent for at, extent in enumerate(wanted)])


def _transposed(options: Mapping[str, Any], x: Array) -> Array:
    return np.transpose(x, options.get("perm"))


def _unsqueezed(options: Mapping[str, Any], x: Array, axes: Array | None = None) -> Array:
    return np.expand_dims(x, tuple(options["axes"] if axes is None else axes.tolist()))


def _squeezed(options: Mapping[str, Any], x: Array, axes: Array | None = None) -> Array:
    over = options.get("axes") if axes is None else axes.tolist()
    return np.squeeze(x, None if over is None else tuple(over))


def _sliced(options: Mapping[str, Any], x: Array, *given: Array | None) -> Array:
    names = "starts", "ends", "axes", "steps"
    found = [None if each is None else each.tolist() for each in given] or [options.get(name) for name in names]
    starts, ends, axes, steps = (*found, None, None)[:4]
    if starts is None or ends is None:
        raise ValueError("a slice from nowhere")
    return sliced(x, starts, ends, range(len(starts)) if axes is None else axes, steps or ())


def _split(options: Mapping[str, Any], number: int, of: int, x: Array, *sizes: Array) -> Array:
    axis = int(options.get("axis", 0))
    even = -(-x.shape[axis] // of)
    told = sizes[0].tolist() if sizes else options.get("split") or [*[even] * (of - 1), x.shape[axis] - even * (of - 1)]
    return parted(x, axis, told, number)


MOVING: Mapping[str, Callable[..., Array]] = {
    "Reshape": _reshaped, "Transpose": _transposed, "Unsqueeze": _unsqueezed, "Squeeze": _squeezed, "Slice": _sliced,
    "Flatten": lambda options, x: flattened(x, int(options.get("axis", 1))),
    "Gather": lambda options, x, indices: gathered(x, indices, int(options.get("axis", 0))),
    "Concat": lambda options, *arrays: joined(int(options["axis"]), *arrays),
    "Expand": lambda _, x, shape: expanded(x, shape.tolist()),
    "Tile": lambda _, x, times: tiled(x, times.tolist()),
    "Shape": lambda options, x: np.array(x.shape[slice(options.get("start", 0), options.get("end"))], np.int64),
}  # fmt: skip
"""Operators that move numbers, by what they do."""
