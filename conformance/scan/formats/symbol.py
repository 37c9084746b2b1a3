"""MXNet symbols where MXNet is not there: the calls, without extents, which MXNet infers, and without weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.adapters.models._symbol import (
    INSIDE,
    NOT_LOOKED_INTO,
    call_text,
    inner_nodes,
    is_one,
    is_upsampling,
    read_nodes,
)
from conformance.adapters.models.base import RefusedError
from conformance.io.folders import making
from conformance.problem import Ints
from conformance.scan.layer import Extent, Layer, ScanError

UNKNOWN = "its extents and its weight are read by mxnet, which no environment here has: {} makes one"


@dataclass(frozen=True, slots=True)
class SymbolModel:
    """The nodes of a symbol."""

    nodes: Sequence[Mapping[str, Any]]
    kind: str = "MXNet symbol"

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """None are told: what an argument is follows from the parameters."""
        return {}

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The Deconvolution nodes, those of inner graphs behind the others."""
        both = [*(("", node) for node in self.nodes), *inner_nodes(self.nodes)]
        found = [(path, node) for path, node in both if is_one(node)]
        return [_layer(path, node, f"{node['op']} {number} of {len(found)}")
                for number, (path, node) in enumerate(found, 1)]  # fmt: skip


def _layer(path: str, node: Mapping[str, Any], place: str) -> Layer:
    name = f"{path}{node['name']}"
    if is_upsampling(node):
        return Layer(name, place, f"mxnet.nd.{node['op']}(...)", None, "another type", None, "", INSIDE)
    text = call_text(node.get("attrs") or node.get("param") or {}, len(node["inputs"]) > 2)
    unknown = NOT_LOOKED_INTO.format(path) if path else UNKNOWN.format(making("mxnet"))
    return Layer(name, place, text, None, "float32", None, "", unknown)


def open_model(path: Path) -> SymbolModel:
    """The symbol in a file. Raises ScanError, and OSError."""
    try:
        return SymbolModel(read_nodes(path)[1])
    except RefusedError as error:
        raise ScanError(f"{path}: {error}") from None
