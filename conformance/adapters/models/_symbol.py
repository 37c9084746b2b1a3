"""The text of a symbol of MXNet: its nodes, and a Deconvolution among them as a call. MXNet is not needed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.adapters.models.base import RefusedError
from conformance.io.bounded import BoundError, read_json, read_text

SYMBOL = "-symbol.json"
OWN = "Custom"
OPERATOR, UPSAMPLING = "Deconvolution", "UpSampling"
INSIDE = "MXNet computes it as a transposed convolution, which is not read: write it as Deconvolution"
MOST = 1 << 20
"""Nodes that are read."""
DEEPEST = 16
"""Graphs that stand in each other."""
NOT_LOOKED_INTO = "it stands in the inner graph {}, whose sizes are not inferred: export the model without it"


def is_one(node: Any) -> bool:
    """Whether a node is a transposed convolution, or one that MXNet computes as one."""
    return bool(node["op"] == OPERATOR or is_upsampling(node))


def is_upsampling(node: Any) -> bool:
    """Whether a node is a bilinear UpSampling, which MXNet computes as a transposed convolution."""
    return node["op"] == UPSAMPLING and "bilinear" in str(node.get("attrs") or node.get("param") or {})


def call_text(attributes: Mapping[str, str], bias: bool) -> str:
    """A node's attributes, which are text, as a call."""
    words = [f"{name}={value}" for name, value in sorted(attributes.items())
             if name in WORDS and value not in ("None", "")]  # fmt: skip
    words = [word if not word.startswith("layout=") else f"layout={word[7:]!r}" for word in words]
    return f"mxnet.nd.Deconvolution(x, w{', b' * bias}{''.join(f', {word}' for word in words)})"


WORDS = frozenset({"kernel", "stride", "dilate", "pad", "adj", "target_shape", "num_filter", "num_group", "no_bias",
                   "layout"})  # fmt: skip
"""The attributes that change the answer."""


def inner_nodes(nodes: Sequence[Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The nodes of graphs inside of nodes, such as the body of a loop, each with the path to it."""
    for node in nodes if depth < DEEPEST else ():
        for number, graph in enumerate(node.get("subgraphs") or (), 1):
            inside = f"{path}{node['name']}/{number}/"
            yield from ((inside, each) for each in graph["nodes"])
            yield from inner_nodes(graph["nodes"], inside, depth + 1)


def read_nodes(path: Path) -> tuple[str, list[Any]]:
    """The text of a symbol's file, and its nodes. Raises RefusedError, and OSError."""
    try:
        text = read_text(path)
        nodes = read_json(text)["nodes"]
        every = [*nodes, *(node for _, node in inner_nodes(nodes))]
        operators = {str(node["op"]) for node in every if str(node["name"]) or node["inputs"] is not None}
        if len(every) > MOST:
            raise BoundError(f"has more than {MOST} nodes")
        for node in nodes:
            for entry in node["inputs"]:
                str(nodes[entry[0]]["name"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RefusedError(f"is no symbol of MXNet ({error}): give the file that ends with {SYMBOL}") from None
    if OWN in operators:
        raise RefusedError(f"has an operator {OWN}, whose code would be run: export the model without it")
    return text, nodes
