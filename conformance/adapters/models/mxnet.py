"""MXNet: the Deconvolution nodes of NAME-symbol.json with inferred shapes, and the weights of NAME-0000.params.

Neither file holds code: a symbol is a graph of operators, and an operator of its author's own is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mxnet

from conformance.adapters.models._symbol import (
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
from conformance.layout import Array
from conformance.problem import Ints

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
        found = [at for at, node in enumerate(self.nodes) if is_one(node)]
        inner = [(path, node) for path, node in inner_nodes(self.nodes) if is_one(node)]
        shapes = self._shapes(sizes) if found or sizes else {}
        of = len(found) + len(inner)
        return [*(self._layer(at, number, of, shapes) for number, at in enumerate(found, 1)),
                *(_inner(*each, number, of) for number, each in enumerate(inner, len(found) + 1))]  # fmt: skip

    def _shapes(self, sizes: Mapping[str, Ints]) -> dict[str, Ints]:
        internals = self.symbol.get_internals()
        try:
            _, outputs, _ = internals.infer_shape_partial(**sizes)
        except (mxnet.base.MXNetError, ValueError) as error:
            if not self.inputs.keys() <= sizes.keys():  # of which MXNet takes some to have no axes
                return {}
            raise UnfitError(_said(error)) from None
        return {
            name.removesuffix("_output"): tuple(shape)
            for name, shape in zip(internals.list_outputs(), outputs or (), strict=False)
            if shape and min(shape) > 0
        }

    def _layer(self, at: int, number: int, of: int, shapes: Mapping[str, Ints]) -> NativeLayer:
        node = self.nodes[at]
        if is_upsampling(node):
            return NativeLayer(node["name"], f"{node['op']} {number} of {of}", f"mxnet.nd.{node['op']}(...)", {},
                               "another type", "", unknown=INSIDE)  # fmt: skip
        names = [self.nodes[index]["name"] for index, *_ in node["inputs"]]
        given = {letter: shapes[name] for letter, name in zip("xwb", names, strict=False) if name in shapes}
        attributes = node.get("attrs") or node.get("param") or {}
        arrays = [self.parameters.get(name) for name in names[1:]]
        weight, bias = (*(None if array is None else array.asnumpy() for array in arrays), None, None)[:2]
        unknown = (
            "" if {"x", "w"} <= given.keys() else "its extents are not known: give the sizes of the inputs by --input"
        )
        return NativeLayer(
            node["name"], f"{OPERATOR} {number} of {of}", call_text(attributes, len(names) > 2), given,
            str(weight.dtype) if weight is not None else "float32", self._provenance(node, arrays[0]), weight, bias,
            unknown,
        )  # fmt: skip

    def _provenance(self, node: Mapping[str, Any], stored: Array | None) -> str:
        if stored is not None:
            return "stored"
        producer = self.nodes[node["inputs"][1][0]]
        return "an argument, whose numbers are in no file" if producer["op"] == "null" else (
            f"computed in the graph by {producer['op']}")  # fmt: skip


def _inner(path: str, node: Mapping[str, Any], number: int, of: int) -> NativeLayer:
    """A Deconvolution of an inner graph."""
    return NativeLayer(
        f"{path}{node['name']}", f"{OPERATOR} {number} of {of}",
        call_text(node.get("attrs") or node.get("param") or {}, len(node["inputs"]) > 2), {}, "float32",
        "not looked for in an inner graph", unknown=NOT_LOOKED_INTO.format(path),
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
