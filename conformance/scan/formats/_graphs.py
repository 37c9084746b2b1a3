"""The graphs of an ONNX model: their nodes, with the graphs around them, and what each name in them is."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from conformance.problem import Ints
from conformance.scan.layer import STORED, Extent

OPERATOR = "ConvTranspose"
UNREAD = re.compile(r"conv\w*transpose|transpose\w*conv|deconv", re.IGNORECASE)
"""A part of the names of operators that may be transposed convolutions."""
PLAIN = ("", "ai.onnx")
"""The names of the domain of ONNX's own operators."""
UPSTREAM = 6
"""Operators that are named where a weight is computed."""
INPUT = "an input of the model"
SCOPES = "pkg.torch.onnx.name_scopes"
"""Where PyTorch's exporter keeps the names of modules."""


class Node(NamedTuple):
    """A node with the graphs that it stands in, the outermost first, and the names of the inner ones."""

    node: NodeProto
    graphs: tuple[GraphProto, ...]
    path: str
    number: int
    of: int


def may_transpose(node: NodeProto) -> bool:
    """Whether a node is a transposed convolution, or has the name of one."""
    return bool(UNREAD.search(node.op_type))


def nodes(graph: GraphProto, path: str = "", outer: tuple[GraphProto, ...] = ()) -> Iterator[Node]:
    """Every node of a graph and of the graphs inside of it."""
    for number, node in enumerate(graph.node, 1):
        yield Node(node, (*outer, graph), path, number, len(graph.node))
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
            for each in inner:
                yield from nodes(each, f"{path}{node.name or node.op_type}/{attribute.name}: ", (*outer, graph))


def extent_of(dim: Any) -> Extent:
    """An extent that a model states: a number, the name of one, or nothing."""
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return dim.dim_param or None


def known_shapes(graphs: Sequence[GraphProto]) -> dict[str, Ints]:
    """The shapes that are known in whole, by name; those of inner graphs are added to the outer ones."""
    shapes: dict[str, Ints] = {}
    for each in graphs:
        for value in (*each.input, *each.value_info, *each.output):
            dims = [extent_of(dim) for dim in value.type.tensor_type.shape.dim]
            if dims and all(isinstance(dim, int) for dim in dims):
                shapes[value.name] = tuple(int(dim or 0) for dim in dims)
        shapes |= {tensor.name: tuple(tensor.dims) for tensor in each.initializer}
    return shapes


def element_of(graphs: Sequence[GraphProto], names: Sequence[str]) -> int:
    """ONNX's number for the dtype of the first of these tensors whose dtype is known; 0 where none is."""
    types = {value.name: value.type.tensor_type.elem_type for each in graphs
             for value in (*each.input, *each.value_info, *each.output)}  # fmt: skip
    return next((types[name] for name in names if types.get(name)), 0)


def type_name(element: int) -> str:
    """ONNX's own name of a dtype that a transposed convolution does not have."""
    return (
        str(TensorProto.DataType.Name(element)).lower() if element in TensorProto.DataType.values() else "another type"
    )


def stored_tensors(graphs: Sequence[GraphProto]) -> dict[str, TensorProto]:
    """The stored tensors by their names, without those of outer graphs that an inner one has an input instead of."""
    found: dict[str, TensorProto] = {}
    for number, graph in enumerate(graphs):
        inside = {each.name for each in graph.input} if number else set()
        found = {name: tensor for name, tensor in found.items() if name not in inside}
        found |= {tensor.name: tensor for tensor in graph.initializer}
    return found


def stored_tensor(
    name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto],
    known: Callable[[NodeProto, str], bool] = lambda *_: False,
) -> tuple[TensorProto | None, str]:  # fmt: skip
    """The tensor of a name where the file holds it, and its provenance in words: which operators compute it, as far as
    they are known."""
    through: list[str] = []
    follows = True
    while follows and name not in tensors and len(through) < UPSTREAM:
        node = producers.get(name)
        if node is None:
            return None, f"computed in the graph by {' of '.join([*through, INPUT])}" if through else INPUT
        if node.op_type == "Constant":
            if {*through} <= {"Identity"} and (value := constant(node)) is not None:
                return value, STORED
            through += [] if through else ["Constant"]
            break
        through.append(node.op_type)
        follows = node.op_type == "Identity" or known(node, name)
        name = next(iter(node.input), "")
    if follows and name in tensors and {*through} <= {"Identity"}:
        return tensors[name], STORED
    return None, f"computed in the graph by {' of '.join(through)}"


def constant(node: NodeProto) -> TensorProto | None:
    """The tensor that a Constant holds; None where it holds plain numbers."""
    return next((each.t for each in node.attribute if each.name == "value"), None)


def name_of(at: Node) -> str:
    """What people call the node: the module that it was exported of, its own name, or that of its answer."""
    for entry in at.node.metadata_props:
        if entry.key == SCOPES:
            names = [part.strip(" '\"") for part in entry.value.strip("[]").split(",")]
            if named := next((name for name in reversed(names) if name and not name.startswith(OPERATOR)), ""):
                return at.path.replace(": ", "/") + named
    return at.path.replace(": ", "/") + (at.node.name or next(iter(at.node.output), OPERATOR))
