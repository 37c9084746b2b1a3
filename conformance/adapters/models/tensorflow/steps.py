"""What TensorFlow's operators do to stored numbers, as steps to a weight."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow

from conformance.adapters.models._computed import ARITHMETIC, Cast, Computed, Step, computed, reducing, reshaped, same
from conformance.adapters.models._moves import expanded, gathered, joined, parted, selected, sliced, stacked, tiled
from conformance.layout import Array

UNTOUCHED = ("Identity", "Switch", "_SwitchN", "Enter")
"""Operators that give the numbers that they get."""
PASSING = (*UNTOUCHED, "ReadVariableOp", "Cast")
"""Those that hand on one tensor."""


def passes(operation: Any) -> bool:
    """Whether an operator hands on one tensor: of those that enter a loop, what the loop does not change."""
    changes = operation.type == "Enter" and not operation.get_attr("is_constant")
    return operation.type in PASSING and bool(operation.inputs) and not changes


def made(tensor: Any) -> Computed | None:
    """What a graph computes as a tensor; None where that depends on more than numbers of the file."""
    return computed(tensor.name, lambda name: constant(tensor.graph, name), lambda name: step(tensor.graph, name))


NUMBERWISE: Mapping[str, str] = {"RealDiv": "div", "AddV2": "add", "Inv": "reciprocal"} | {
    name: name.lower()
    for name in ("Mul", "Add", "Sub", "Pow", "Sqrt", "Rsqrt", "Square", "Reciprocal", "Neg", "Abs", "Maximum")
}  # fmt: skip
"""TensorFlow's operators on numbers, by what they are."""


def constant(graph: Any, name: str) -> Array | None:
    operation = graph.get_tensor_by_name(name).op
    if operation.type != "Const":
        return None
    numbers: Array = tensorflow.make_ndarray(operation.get_attr("value"))
    return numbers.astype(np.float32) if operation.outputs[0].dtype == tensorflow.bfloat16 else numbers


def step(graph: Any, name: str) -> Step | None:
    """What the operator computes whose answer has a name; None where it is no arithmetic."""
    operation = graph.get_tensor_by_name(name).op
    operands = [tensor.name for tensor in operation.inputs]
    if operation.type in ("Identity", "ReadVariableOp"):  # a variable that is read is a constant here
        return Step(same, operands, moves=True)
    if operation.type == "Cast":
        return (
            None
            if operation.get_attr("Truncate")
            else Step(Cast(operation.outputs[0].dtype.name), operands, exact=True)
        )
    if operation.type in ("Switch", "_SwitchN", "Enter") and passes(operation):
        return Step(same, operands[:1], moves=True)
    if operation.type in NUMBERWISE:
        return Step(ARITHMETIC[NUMBERWISE[operation.type]], operands)
    if operation.type == "Sum":
        keep = bool(operation.get_attr("keep_dims"))
        return Step(lambda x, axes: reducing("sum", np.ravel(axes).tolist(), keep)(x), operands)
    if operation.type in PARTS:
        return Step(PARTS[operation.type](operation, graph.get_tensor_by_name(name).value_index), operands,
                    moves=True)  # fmt: skip
    if operation.type in MOVING:
        return Step(MOVING[operation.type](operation), operands, moves=True)
    return None


def _squeezed(operation: Any) -> Callable[..., Array]:
    axes = tuple(operation.get_attr("squeeze_dims"))
    return lambda x: np.squeeze(x, axes or None)


def _cut(x: Array, begin: Array, size: Array) -> Array:
    ends = [None if extent == -1 else start + extent for start, extent in zip(begin, size, strict=True)]
    return sliced(x, begin.tolist(), ends, range(x.ndim))


def _strided(operation: Any) -> Callable[..., Array]:
    """A slice whose masks say where it begins, ends, makes or drops an axis, or leaves several as they are."""
    words = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    masks = {word: operation.get_attr(f"{word}_mask") for word in words}

    def chosen(at: int, start: int, stop: int, step: int) -> Any:
        begin, end, ellipsis, new, shrink = (masks[word] >> at & 1 for word in words)
        if ellipsis or new:
            return Ellipsis if ellipsis else np.newaxis
        return start if shrink else slice(None if begin else start, None if end else stop, step)

    def cut(x: Array, *given: Array) -> Array:
        made: Array = x[tuple(map(chosen, range(x.ndim + 8), *(each.tolist() for each in given)))]
        return made

    return cut


def _split(operation: Any, number: int) -> Callable[..., Array]:
    of = operation.get_attr("num_split")
    return lambda axis, x: parted(x, int(axis), [x.shape[int(axis)] // of] * of, number)


def _split_in(_: Any, number: int) -> Callable[..., Array]:
    def part(x: Array, sizes: Array, axis: Array) -> Array:
        rest = x.shape[int(axis)] - int(sizes[sizes >= 0].sum())
        return parted(x, int(axis), [rest if size < 0 else size for size in sizes.tolist()], number)

    return part


def _gathered(operation: Any) -> Callable[..., Array]:
    several = operation.get_attr("batch_dims") if operation.type == "GatherV2" else 0

    def taken(x: Array, indices: Array, axis: Array | int = 0) -> Array:
        if several or indices.min(initial=0) < 0:
            raise ValueError("indices of slices, or below nought")
        return gathered(x, indices, int(axis))

    return taken


PARTS: Mapping[str, Callable[[Any, int], Callable[..., Array]]] = {
    "Split": _split, "SplitV": _split_in,
    "Unpack": lambda operation, number: lambda x: selected(x, operation.get_attr("axis"), number),
}  # fmt: skip
"""Operators with several answers, of which one is asked for by its number."""
MOVING: Mapping[str, Callable[[Any], Callable[..., Array]]] = {
    "Reshape": lambda _: reshaped, "Squeeze": _squeezed, "Transpose": lambda _: np.transpose, "Slice": lambda _: _cut,
    "StridedSlice": _strided, "GatherV2": _gathered, "Gather": _gathered,
    "ExpandDims": lambda _: lambda x, axis: np.expand_dims(x, int(axis)),
    "ConcatV2": lambda _: lambda *given: joined(int(given[-1]), *given[:-1]),
    "Pack": lambda operation: lambda *given: stacked(operation.get_attr("axis"), *given),
    "ReverseV2": lambda _: lambda x, axes: np.flip(x, tuple(axes.tolist())),
    "Tile": lambda _: lambda x, times: tiled(x, times.tolist()),
    "BroadcastTo": lambda _: lambda x, shape: expanded(x, shape.tolist()),
}  # fmt: skip
"""Operators that move numbers, by what they do."""
