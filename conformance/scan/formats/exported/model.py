"""Files of torch.export: the transposed convolutions of the graph and of those inside of it, with their weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from conformance import idioms
from conformance.adapters.models._aten import DEFAULTS, call_text
from conformance.adapters.models._computed import Computed, computed
from conformance.idioms.base import Claim, Refusal
from conformance.problem import Ints
from conformance.scan.formats.exported.archive import AGAIN, OTHERS, TYPES, Archive, open_archive
from conformance.scan.formats.exported.extents import UnreadError, extent_of, number, solved
from conformance.scan.formats.exported.graph import (
    Node,
    Scope,
    answers,
    may_transpose,
    names_of,
    provided,
    scopes,
    transposes,
)
from conformance.scan.formats.exported.steps import step
from conformance.scan.layer import STORED, Array, Extent, Layer, ScanError, SizeError, Weight, in_dtype

FRAMEWORK = "torch"
UPSTREAM = 6
"""Operators that are named where a weight is computed."""
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)
"""What reading a document ends with that is another than it should be."""
KINDS = ("parameter", "buffer", "tensor_constant")
"""What the signature calls the tensors that the file holds."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A file that has been opened: its graphs, what its inputs are, and where each tensor lies."""

    path: Path
    archive: Archive
    scopes: Sequence[Scope]
    specifications: Sequence[Mapping[str, Any]]
    ranges: Mapping[str, Any]
    kind: str = "torch.export"
    _stored: dict[str, str] = field(default_factory=dict)
    """The names of the tensors that the file holds, by the names that the graph has for them."""
    _producers: dict[str, tuple[Scope, Node, int]] = field(default_factory=dict)
    """What gives each tensor of all graphs, and which of its answers that is."""
    _made: dict[str, str | None] = field(default_factory=dict)
    """What each tensor that is computed is folded with; None where it depends on more than what the file holds."""

    def __post_init__(self) -> None:
        for each in self.specifications:
            self._stored.update(
                (each[kind]["arg"]["name"], each[kind][f"{kind}_name"]) for kind in KINDS if kind in each
            )
        for scope in self.scopes:
            for node in scope.graph["nodes"]:
                self._producers.update((scope.name(name), (scope, node, at)) for at, name in enumerate(answers(node)))

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents of each input that is a tensor with axes; a free one is its expression."""
        return {name: [extent_of(size) for size in sizes] for name in self._given() if (sizes := self._sizes(name))}

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The layers on inputs of these sizes. Raises SizeError for sizes that the file's ranges do not hold, and
        ScanError where the graph is none that is read."""
        try:
            return self._layers(sizes)
        except (ScanError, SizeError):
            raise
        except UNREADABLE as error:
            raise _unreadable(self.path, error) from None

    def _layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        symbols = self._symbols(sizes)
        free = any(
            isinstance(extent, str) for name, given in self.inputs.items() if name not in sizes for extent in given
        )
        found = [(scope, node) for scope in self.scopes for node in scope.graph["nodes"] if may_transpose(node)]
        return [self._layer(scope, node, f"transposed convolution {at} of {len(found)}", symbols, free)
                for at, (scope, node) in enumerate(found, 1)]  # fmt: skip

    def array(self, name: str) -> Array:
        """A tensor of the file. Raises ScanError where it is missing, or is not as long as it says."""
        return self.archive.array(name)

    def _given(self) -> list[str]:
        given = (each["user_input"]["arg"] for each in self.specifications if "user_input" in each)
        return [arg["as_tensor"]["name"] for arg in given if "as_tensor" in arg]

    def _sizes(self, name: str) -> Any:
        return self.scopes[0].sizes(name)

    def _symbols(self, sizes: Mapping[str, Ints]) -> dict[str, int]:
        """The numbers that symbols have on these inputs."""
        symbols: dict[str, int] = {}
        for name, shape in sizes.items():
            for axis, (size, extent) in enumerate(zip(self._sizes(name), shape, strict=False)):
                if "as_expr" not in size:
                    continue
                try:
                    symbol, made = solved(str(size["as_expr"]["expr_str"]), extent, f"axis {axis} of {name}")
                except UnreadError:  # what depends on it is not known
                    continue
                if symbols.setdefault(symbol, made) != made:
                    raise SizeError(f"axis {axis} of {name} is {extent}, and goes with another axis that is not so")
        for symbol, made in symbols.items():
            bounds = self.ranges.get(symbol) or {}
            low, high = bounds.get("min_val"), bounds.get("max_val")
            if (low is not None and made < low) or (high is not None and made > high):
                raise SizeError(f"{symbol} is {made}, and was exported for {low} to {high}")
        return symbols

    def _layer(self, scope: Scope, node: Node, counted: str, symbols: Mapping[str, int], free: bool) -> Layer:
        own = str(node.get("name") or next(iter(answers(node)), "node"))
        place = f"{counted}, node {scope.path}{own}"
        if not transposes(node):
            return Layer(
                scope.path + _name(node, own),
                place,
                f"{node['target']}(...)",
                None,
                "another type",
                None,
                "",
                f"{node['target']} is not read: export the model as it was before that was put in its place",
            )
        words = {each["name"]: each["arg"] for each in node["inputs"]}
        x, weight, bias = (next(iter(names_of(words.get(word) or {})), "") for word in ("input", "weight", "bias"))
        shapes, unknown = self._shapes(scope, {"x": x, "w": weight}, symbols, free)
        text, lack = _call(scope, words, len(scope.sizes(weight)) - 2, bool(bias), symbols)
        unknown = unknown or lack
        claim: Claim | None = None
        if not unknown:
            try:
                claim = idioms.read(FRAMEWORK, text, shapes).claim
            except Refusal as reason:
                unknown = str(reason)
        values, answer = scope.graph["tensor_values"], next(iter(answers(node)), "")
        stored = _dtype(values[weight])
        dtype = _dtype(values[answer]) if answer in values else stored  # another one where an autocast is around it
        made, provenance = self._weight(scope.name(weight), scope.name(bias) if bias else "", dtype)
        if made is not None and dtype != stored:
            made, provenance = _cast(made, dtype), f"{provenance} in {stored}"
        return Layer(scope.path + _name(node, own), place, text, claim, dtype, made, provenance, unknown)

    def _shapes(
        self, scope: Scope, names: Mapping[str, str], symbols: Mapping[str, int], free: bool
    ) -> tuple[dict[str, Ints], str]:  # fmt: skip
        shapes = {}
        for letter, name in names.items():
            try:
                extents = [number(size, symbols) for size in scope.sizes(name)]
            except UnreadError as reason:
                return {}, str(reason)
            if None in extents:
                return {}, f"the extents of {letter} " + (
                    "are not known: give the sizes of the inputs by --input" if free else
                    "depend on more than the sizes of the inputs")  # fmt: skip
            shapes[letter] = tuple(int(extent or 0) for extent in extents)
        return shapes, ""

    def _weight(self, weight: str, bias: str, dtype: str) -> tuple[Weight | None, str]:
        """The weight and bias where both are known, and where the weight comes from."""
        read, provenance = self._known(weight, dtype)
        beside, whence = self._known(bias, dtype) if bias else (None, "")
        if bias and beside is None:
            return None, f"{provenance}{f'; its bias is {whence}' if read else ''}"
        return None if read is None else Weight(read, beside), provenance

    def _known(self, name: str, dtype: str) -> tuple[Callable[[], Array] | None, str]:
        """What reads a tensor, where the file holds or says its numbers; and where it comes from."""
        if (key := self._stored.get(name)) is not None:
            return (lambda: self.array(key)) if self.archive.reads(key) else None, STORED
        if name not in self._made:
            first = self._computed(name)
            self._made[name] = None if first is None else first.folded
        if (folded := self._made[name]) is None:
            return None, self._provenance(name)
        return lambda: in_dtype(cast(Computed, self._computed(name)).exact, dtype), folded or self._provenance(name)

    def _computed(self, name: str) -> Computed | None:
        """What the graphs compute under a name of tensors of the file alone."""
        stored = self._stored

        def made(name: str) -> Any:
            if name not in self._producers:
                return None
            scope, node, number = self._producers[name]
            return step(node, number, scope.name)

        def numbers(name: str) -> Array | None:
            key = stored.get(name)
            return None if key is None or not self.archive.reads(key, whole=True) else self.array(key)

        return computed(name, numbers, made)

    def _provenance(self, name: str) -> str:
        """Where a tensor comes from that the file does not hold."""
        through: list[str] = []
        while name in self._producers and len(through) < UPSTREAM:
            scope, node, _ = self._producers[name]
            through.append(provided(node))
            name = next((scope.name(each) for given in node["inputs"] for each in names_of(given["arg"])), "")
        if through:
            return f"computed in the graph by {' of '.join(through)}"
        return (
            "an input of the model" if name in self._given() else "given to an inner graph, such as the state of a loop"
        )


def _dtype(meta: Mapping[str, Any]) -> str:
    """The dtype of a tensor by its name."""
    return TYPES[meta["dtype"]][0] if meta["dtype"] in TYPES else OTHERS.get(meta["dtype"], "another type")


def _cast(weight: Weight, dtype: str) -> Weight:
    """A weight and bias as a layer takes them that computes in another dtype than they are stored in."""
    bias = weight.bias
    return Weight(lambda: in_dtype(weight.array(), dtype), None if bias is None else lambda: in_dtype(bias(), dtype))


def _call(
    scope: Scope, words: Mapping[str, Any], rank: int, bias: bool, symbols: Mapping[str, int]
) -> tuple[str, str]:  # fmt: skip
    """A node as a call, and why it is not known as a whole."""
    values, unknown = {}, ""
    for word in DEFAULTS:
        try:
            values[word] = scope.value(words[word], symbols) if word in words else None
        except ValueError as reason:
            unknown = f"{word} is not known: {reason}"
    return call_text(rank, bias=bias, words=values), unknown


def _name(node: Node, own: str) -> str:
    """The path of the module that the node is of, or its own name."""
    entries = [entry.split(",") for entry in str(node.get("metadata", {}).get("nn_module_stack", "")).split(";")]
    paths = [entry[1] for entry in entries if len(entry) > 2 and "ConvTranspose" in entry[-1]]
    return paths[-1] if paths and paths[-1] else own


def open_model(path: Path) -> ExportedModel:
    """The model in a file. Raises ScanError where it is none, and OSError."""
    try:
        archive = open_archive(path)
        document = archive.document()
        module = document["graph_module"]
        model = ExportedModel(path, archive, [*scopes(module["graph"])], module["signature"]["input_specs"],
                              document["range_constraints"])  # fmt: skip
        model.layers({})
    except ScanError:
        raise
    except SizeError as error:
        raise ScanError(f"{path}: {error}: export the model again") from None
    except UNREADABLE as error:
        raise _unreadable(path, error) from None
    return model


def _unreadable(path: Path, error: Exception) -> ScanError:
    return ScanError(f"{path}: is no file of torch.export that is read here ({type(error).__name__}: {error}): {AGAIN}")
