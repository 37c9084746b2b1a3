"""MXNet symbols where MXNet is not there: the calls, without extents, which MXNet infers, and without weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.adapters.models._symbol import NOT_LOOKED_INTO, OPERATOR, call_text, inner_nodes, read_nodes
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
        found = [(path, node) for path, node in both if node["op"] == OPERATOR]
        return [
            Layer(
                f"{path}{node['name']}", f"{OPERATOR} {number} of {len(found)}",
                call_text(node.get("attrs") or node.get("param") or {}, len(node["inputs"]) > 2), None, "float32", None,
                "", NOT_LOOKED_INTO.format(path) if path else UNKNOWN.format(making("mxnet")),
            )
            for number, (path, node) in enumerate(found, 1)
        ]  # fmt: skip


def open_model(path: Path) -> SymbolModel:
    """The symbol in a file. Raises ScanError, and OSError."""
    try:
        return SymbolModel(read_nodes(path)[1])
    except RefusedError as error:
        raise ScanError(f"{path}: {error}") from None
