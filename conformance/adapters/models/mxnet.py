"""MXNet: the Deconvolution nodes of NAME-symbol.json with inferred shapes, and the weights of NAME-0000.params.

Neither file holds code: a symbol is a graph of operators, and an operator of its author's own is refused.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mxnet

from conformance.adapters.models._symbol import (
    DEEPEST,
    INSIDE,
    NOT_LOOKED_INTO,
    OPERATOR,
    SYMBOL,
    call_text,
    inner_nodes,
    is_one,
    is_upsampling,
    read_nodes,
)
from conformance.adapters.models.base import Extents, NativeLayer, RefusedError, UnfitError
from conformance.problem import Ints

SLICES, CHANGES = "slices", "changes"
"""How a loop gives its body what it goes along, and what each round makes anew."""
CHANGED = "what a loop changes"
LEARNT = ("_weight", "_bias", "_gamma", "_beta", "_running_mean", "_running_var", "_moving_mean", "_moving_var")


@dataclass(frozen=True, slots=True)
class MxnetModel:
    """A symbol, its nodes as JSON, and the parameters that lie beside it."""

    symbol: Any
    nodes: list[Any]
    parameters: Mapping[str, Any]
    kind: str = "MXNet symbol"

    @property
    def inputs(self) -> Mapping[str, Extents]:
        """The arguments that are learnt by nobody; a symbol does not state their extents."""
        names = (*self.symbol.list_arguments(),)
        return {name: [] for name in names if name not in self.parameters and not name.endswith(LEARNT)}

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The Deconvolution nodes, those of inner graphs behind the others. Raises UnfitError for sizes that MXNet
        refuses."""
        found: list[tuple[_Graph, Any]] = []
        waiting = [_Graph(self.nodes, "", {}, self.parameters, {}, 0)]
        inside = any(is_one(node) for _, node in inner_nodes(self.nodes))
        while waiting:
            graph = waiting.pop(0)
            own = [(graph, node) for node in graph.nodes if is_one(node)]
            if not graph.path and (own or inside or sizes):
                graph.shapes.update(self._shapes(sizes, inside))
            found += own
            waiting += [inner for node in graph.nodes for inner in graph.inner(node)]
        return [_layer(*each, number, len(found)) for number, each in enumerate(found, 1)]

    def _shapes(self, sizes: Mapping[str, Ints], inside: bool) -> dict[str, Ints]:
        stored = {name: self.parameters[name].shape for name in self.symbol.list_inputs()
                  if inside and name in self.parameters}  # fmt: skip
        try:
            return _inferred(self.symbol, {**stored, **sizes})
        except (mxnet.base.MXNetError, ValueError) as error:
            if not self.inputs.keys() <= sizes.keys():  # of which MXNet takes some to have no axes
                return {}
            raise UnfitError(_said(error)) from None


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph, the path to it, the shapes of its tensors, and its arguments: those that the file holds, and what the
    others are."""

    nodes: Sequence[Any]
    path: str
    shapes: dict[str, Ints]
    stored: Mapping[str, Any]
    others: Mapping[str, str]
    depth: int

    def inner(self, node: Any) -> Iterator["_Graph"]:
        """The graphs inside of a node, with what it gives to each."""
        attributes, given = node.get("attrs") or {}, [self._entry(entry) for entry in node["inputs"]]
        for at, graph in enumerate(node.get("subgraphs") or () if self.depth < DEEPEST else ()):
            path = f"{self.path}{node['name']}/{at + 1}/"
            names = [graph["nodes"][each]["name"] for each in graph["arg_nodes"]]
            taken = _taken(node["op"], attributes, at, len(names), len(given))
            bound = {name: given[each] for name, (each, _) in zip(names, taken, strict=False)}
            changed = {name for name, (_, how) in zip(names, taken, strict=False) if how}
            shapes = {}
            for name, (each, how) in zip(names, taken, strict=False):
                if (shape := self.shapes.get(given[each])) is not None:
                    shapes[name] = shape[1:] if how == SLICES else shape
            stored = {name: self.stored[each] for name, each in bound.items() if each in self.stored}
            yield _Graph(
                graph["nodes"], path, _inner_shapes(graph, shapes) if taken else {},
                {name: array for name, array in stored.items() if name not in changed},
                {name: CHANGED if name in changed else self._whence(each) for name, each in bound.items()},
                self.depth + 1,
            )  # fmt: skip

    def _entry(self, entry: Sequence[int]) -> str:
        """The name of an answer of a node; of the only one, that of the node."""
        name = self.nodes[entry[0]]["name"]
        return f"{name}_output{entry[1]}" if f"{name}_output{entry[1]}" in self.shapes else str(name)

    def _whence(self, name: str) -> str:
        producer = next((node for node in self.nodes if node["name"] == name), None)
        if producer is None or producer["op"] == "null":
            return self.others.get(name, "an argument, whose numbers are in no file")
        return f"computed in the graph by {producer['op']}"

    def provenance(self, name: str) -> str:
        """Where an argument comes from."""
        return "stored" if name in self.stored else self._whence(name)


def _taken(op: str, attributes: Mapping[str, str], at: int, count: int, of: int) -> list[tuple[int, str]]:
    """Which input of a node each argument of its inner graph is, and how: as it is, in slices, or changed by rounds.

    Empty where that is not known.
    """

    def numbers(word: str) -> list[int]:
        return [int(each) for each in re.findall(r"-?\d+", attributes.get(word, ""))]

    if op == "_foreach":
        data, states, rest = (numbers(word) for word in ("in_data_locs", "in_state_locs", "remain_locs"))
        order = {place: each for each, place in enumerate([*data, *states, *rest])}
        how = {**dict.fromkeys(data, SLICES), **dict.fromkeys(states, CHANGES)}
        taken = [(order.get(place, of), how.get(place, "")) for place in range(count)]
    elif op in ("_while_loop", "_cond"):
        words = ("cond", "func") if op == "_while_loop" else ("cond", "then", "else")
        variables = numbers("func_var_locs") if op == "_while_loop" else []
        kept = {numbers("func_input_locs")[place] for place in variables if place >= 0}
        taken = [(each, CHANGES if each in kept else "") for each in numbers(f"{words[at]}_input_locs")]
    else:
        return []
    return taken if len(taken) == count and all(0 <= each < of for each, _ in taken) else []


def _inner_shapes(graph: Any, shapes: Mapping[str, Ints]) -> dict[str, Ints]:
    try:
        return _inferred(mxnet.sym.load_json(json.dumps(graph)), shapes)
    except (mxnet.base.MXNetError, ValueError):
        return {}


def _inferred(symbol: Any, given: Mapping[str, Ints]) -> dict[str, Ints]:
    """The shapes that MXNet infers, by the names of nodes; of one of several answers, with its number."""
    internals = symbol.get_internals()
    _, outputs, _ = internals.infer_shape_partial(**given)
    return {
        name.removesuffix("_output"): tuple(shape)
        for name, shape in zip(internals.list_outputs(), outputs or (), strict=False)
        if shape and min(shape) > 0
    }


def _layer(graph: _Graph, node: Any, number: int, of: int) -> NativeLayer:
    name = f"{graph.path}{node['name']}"
    if is_upsampling(node):
        place, call = f"{node['op']} {number} of {of}", f"mxnet.nd.{node['op']}(...)"
        return NativeLayer(name, place, call, {}, "another type", "", unknown=INSIDE)
    names = [graph._entry(entry) for entry in node["inputs"]]
    given = {letter: graph.shapes[each] for letter, each in zip("xwb", names, strict=False) if each in graph.shapes}
    attributes = node.get("attrs") or node.get("param") or {}
    arrays = [graph.stored.get(each) for each in names[1:]]
    weight, bias = (*(None if array is None else array.asnumpy() for array in arrays), None, None)[:2]
    unknown = "" if {"x", "w"} <= given.keys() else (
        "its extents are not known: give the sizes of the inputs by --input" if not graph.path or graph.others else
        NOT_LOOKED_INTO.format(graph.path))  # fmt: skip
    return NativeLayer(
        name, f"{OPERATOR} {number} of {of}", call_text(attributes, len(names) > 2), given,
        str(weight.dtype) if weight is not None else "float32", graph.provenance(names[1]), weight, bias, unknown,
    )  # fmt: skip


def _said(error: Exception) -> str:
    """What MXNet says failed; where it was may stand above."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    first = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return next((line for line in lines if "Check failed" in line), first)[:200]


def open_model(path: Path) -> MxnetModel:
    """The model of a symbol's file. Raises RefusedError, and OSError."""
    text, nodes = read_nodes(path)
    try:
        symbol = mxnet.sym.load_json(text)
    except mxnet.base.MXNetError as error:
        raise RefusedError(f"is no symbol of this MXNet: {_said(error)}: export it again") from None
    return MxnetModel(symbol, nodes, _parameters(path))


def _parameters(path: Path) -> dict[str, Any]:
    """The parameters beside a symbol, the latest; none where there is no such file."""
    files = sorted(path.parent.glob(f"{path.name.removesuffix(SYMBOL)}-[0-9][0-9][0-9][0-9].params"))
    if not files:
        return {}
    try:
        loaded = mxnet.nd.load(str(files[-1]))
    except mxnet.base.MXNetError as error:
        raise RefusedError(f"its parameters {files[-1].name} are not read: {_said(error)}: "
                           "save them again") from None  # fmt: skip
    named = loaded.items() if isinstance(loaded, dict) else ()  # a file of none is a list
    if isinstance(loaded, list) and loaded:
        raise RefusedError(f"its parameters {files[-1].name} have no names: save them as a dictionary")
    return {name.partition(":")[2] or name: array for name, array in named}
