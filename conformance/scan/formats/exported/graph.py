"""The graph of a file of torch.export with the graphs inside of it, such as the branches of a condition."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.scan.formats.exported.extents import number

Node = Mapping[str, Any]
ATEN = "torch.ops.aten."
TARGETS = tuple(f"{ATEN}conv_transpose{rank}d" for rank in (1, 2, 3))
GENERAL = (f"{ATEN}convolution.", f"{ATEN}_convolution.")
UNREAD = re.compile(r"conv\w*transpose|convolution_backward", re.IGNORECASE)
"""A part of the names of other operators that may be transposed convolutions: quantized ones, and gradients."""
BINDING = ("cond", "wrap_with_set_grad_enabled", "wrap_with_autocast", "wrap", "checkpoint", "strict_mode",
           "invoke_subgraph")  # fmt: skip
"""Operators that give their last tensors to the inner graph as they are, in its order."""
DEEPEST = 16
"""Graphs that stand in each other."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A graph, the path to it, and the names in it that are of tensors of outer graphs."""

    graph: Mapping[str, Any]
    path: str
    outer: Mapping[str, str]

    def name(self, own: str) -> str:
        """The name of a tensor among those of all graphs."""
        return self.outer.get(own) or self.path + own

    def sizes(self, own: str) -> Any:
        """The sizes of a tensor, as the file states them."""
        return self.graph["tensor_values"][own]["sizes"]

    def value(self, argument: Mapping[str, Any], symbols: Mapping[str, int]) -> Any:
        """An argument: a number, numbers, or None. Raises ValueError where it is something else, or is not known."""
        for kind, value in argument.items():
            match kind:
                case "as_ints" | "as_int" | "as_bool":
                    return value
                case "as_none":
                    return None
                case "as_sym_int":
                    return self._symbolic(value, symbols)
                case "as_sym_ints":
                    return [self._symbolic(each, symbols) for each in value]
        raise ValueError(f"an argument is {str(argument)[:60]}, which is no number")

    def _symbolic(self, value: Mapping[str, Any], symbols: Mapping[str, int]) -> int:
        stated = self.graph["sym_int_values"][value["as_name"]] if "as_name" in value else value
        made = number(stated, symbols)
        if made is None:
            raise ValueError("an argument depends on sizes or numbers that are not known")
        return made


def scopes(graph: Mapping[str, Any]) -> Iterator[Scope]:
    """A graph, and those inside of it."""
    waiting = [(Scope(graph, "", {}), 0)]
    while waiting:
        scope, depth = waiting.pop(0)
        yield scope
        for node in scope.graph["nodes"] if depth < DEEPEST else ():
            for given in node["inputs"]:
                if isinstance(inner := given["arg"].get("as_graph"), dict):
                    path = f"{scope.path}{node.get('name') or _operator(node)}/{inner['name']}/"
                    waiting.append((Scope(inner["graph"], path, _bound(scope, node, inner["graph"])), depth + 1))


def _bound(scope: Scope, node: Node, inner: Mapping[str, Any]) -> dict[str, str]:
    """The outer tensors that the inputs of an inner graph are; none where the operator may give it others."""
    own = [each["as_tensor"]["name"] for each in inner["inputs"] if "as_tensor" in each]
    given = [name for each in node["inputs"] for name in names_of(each["arg"])][-len(own) :]
    if _operator(node).rpartition(".")[2] not in BINDING or len(own) != len(inner["inputs"]) or len(given) != len(own):
        return {}
    return {name: scope.name(outer) for name, outer in zip(own, given, strict=True)}


def _operator(node: Node) -> str:
    return str(node["target"]).removeprefix("torch.ops.")


def transposes(node: Node) -> bool:
    """Whether a node is a transposed convolution."""
    if str(node["target"]).startswith(GENERAL):
        return any(each["name"] == "transposed" and each["arg"].get("as_bool") for each in node["inputs"])
    return str(node["target"]).startswith(TARGETS)


def may_transpose(node: Node) -> bool:
    """Whether a node is a transposed convolution, or has the name of one."""
    return transposes(node) or bool(UNREAD.search(_operator(node)))


def names_of(argument: Mapping[str, Any]) -> list[str]:
    """The names of the tensors that an argument is."""
    if isinstance(one := argument.get("as_tensor"), dict):
        return [one["name"]]
    several = argument.get("as_tensors") or ()
    return [each["name"] for each in several if isinstance(each, dict) and "name" in each]


def answers(node: Node) -> list[str]:
    """The names of the answers of a node."""
    return [name for output in node["outputs"] for name in names_of(output)]


def provided(node: Node) -> str:
    """What a node is in the words of a provenance."""
    return _operator(node).removeprefix("aten.").removeprefix("higher_order.").partition(".")[0]
