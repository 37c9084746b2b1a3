"""Graphs of TensorFlow whose weights are constants, and what a SavedModel's signatures come to: their operators."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import tensorflow

from conformance.adapters.models.base import Extents, NativeLayer, UnfitError
from conformance.adapters.models.tensorflow.functions import Inlined, is_state, widened
from conformance.adapters.models.tensorflow.steps import UNTOUCHED, constant, made, passes
from conformance.layout import Array
from conformance.problem import Ints

OPERATORS = {"Conv2DBackpropInput": 2, "Conv2DBackpropInputV2": 2, "Conv3DBackpropInputV2": 3}
UNREAD = ("DepthwiseConv2dNativeBackpropInput", "XlaConv", "XlaConvV2", "XlaCallModule")
"""Those that are, may be or may hold a transposed convolution, and are not read."""
SIZES, FILTER, X = range(3)
"""The operands in their order."""
CALLED = "StatefulPartitionedCall/"
"""What stands before the names of a signature's own operators."""
NOT_LOOKED_INTO = ("it stands in the function {} of the graph's library, which is called in a way that is not read: "
                   "export the model without it")  # fmt: skip
MAY_HOLD = "{} is, or may hold, a transposed convolution, and is not read: export the model without it"
UPSTREAM = 6
ROUNDS = 8
"""How often the shapes of a loop's variables are inferred, each time with more of them free."""


@dataclass
class GraphModel:
    """A graph whose weights are constants and whose functions are in place of their calls, with its inputs."""

    inlined: Inlined
    kind: str
    inputs: Mapping[str, Extents]
    _names: Mapping[str, str] = field(default_factory=dict)
    """The graph's own names of the inputs."""

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The operators on inputs of these sizes. Raises UnfitError where TensorFlow infers that they do not fit."""
        graph = self._imported(sizes)
        found = [operation for operation in graph.get_operations() if operation.type in (*OPERATORS, *UNREAD)]
        free = any(
            None in sizes.get(name, given) or not (given or name in sizes) for name, given in self.inputs.items()
        )
        return [*(_layer(operation, at, len(found), free) for at, operation in enumerate(found, 1)),
                *_of_library(self.inlined)]  # fmt: skip

    def _imported(self, sizes: Mapping[str, Ints]) -> Any:
        """The graph with the shapes that are inferred; an extent that a round of a loop changes is free in it."""
        definition = self.inlined.graph
        graph = self._inferred(definition, sizes)
        for _ in range(ROUNDS):
            changed = _changed(graph, self.inlined)
            if not changed:
                return graph
            if definition is self.inlined.graph:
                definition = tensorflow.compat.v1.GraphDef()
                definition.CopyFrom(self.inlined.graph)
            widened(definition, changed)
            graph = self._inferred(definition, sizes)
        raise UnfitError("the shapes of its loops do not settle")

    def _inferred(self, definition: Any, sizes: Mapping[str, Ints]) -> Any:
        with tensorflow.Graph().as_default() as graph:
            placeholders = {
                self._names.get(name, name): tensorflow.compat.v1.placeholder(self._dtype(name), sizes.get(name, given))
                for name, given in self.inputs.items() if given or name in sizes
            }  # fmt: skip
            try:
                tensorflow.graph_util.import_graph_def(
                    definition, input_map={f"{name}:0": tensor for name, tensor in placeholders.items()}, name=""
                )
            except ValueError as error:
                raise UnfitError(str(error).splitlines()[0][:200]) from None
        return graph

    def _dtype(self, name: str) -> Any:
        wanted = self._names.get(name, name)
        node = next((node for node in self.inlined.graph.node if node.name == wanted), None)
        return tensorflow.float32 if node is None else tensorflow.dtypes.as_dtype(node.attr["dtype"].type)


@dataclass
class SavedModel:
    """The signatures of a SavedModel that differ, the one that is served by default before the others.

    The inputs and the layers of the others have the signature's name before their own.
    """

    signatures: Mapping[str, GraphModel]
    kind: str = "TensorFlow SavedModel"

    @property
    def inputs(self) -> Mapping[str, Extents]:
        """The extents of each input of each signature."""
        return {f"{mark}{name}": extents for mark, model in self._marked() for name, extents in model.inputs.items()}

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The operators of all signatures. Raises UnfitError where sizes do not fit one."""
        found: list[NativeLayer] = []
        for mark, model in self._marked():
            own = {name: sizes[f"{mark}{name}"] for name in model.inputs if f"{mark}{name}" in sizes}
            where = f"signature {mark[:-1]}: " if mark else ""
            found += [replace(layer, name=mark + layer.name, place=where + layer.place) for layer in model.layers(own)]
        return found

    def _marked(self) -> Iterator[tuple[str, GraphModel]]:
        """Each signature with what stands before its names."""
        for number, (name, model) in enumerate(self.signatures.items()):
            yield f"{name}/" if number else "", model


def _changed(graph: Any, inlined: Inlined) -> dict[str, Any]:
    """The variables that stand for a tensor of another shape, each with the extents that all have."""
    changed: dict[str, Any] = {}
    for each in inlined.variables:
        before, after = (graph.get_tensor_by_name(name).shape for name in (each.state, each.other))
        if before.rank is None or (after.rank is not None and before.as_list() == after.as_list()):
            continue
        both = None if after.rank != before.rank else [
            extent if extent == other else None for extent, other in zip(before.as_list(), after.as_list(), strict=True)
        ]  # fmt: skip
        if both != before.as_list():
            changed[each.state] = tensorflow.TensorShape(both).as_proto()
    return changed


def _of_library(inlined: Inlined) -> Iterator[NativeLayer]:
    """The operators in functions that are left, as they are called in a way that is not read."""
    functions = {function.signature.name: function for function in inlined.graph.library.function}
    called = {*inlined.left}
    waiting = [node for name in called for node in functions[name].node_def]
    while waiting:
        node = waiting.pop()
        names = [each.name for value in node.attr.values() for each in (value.func, *value.list.func)]
        for name in (node.op, *names):
            if name in functions and name not in called:
                called.add(name)
                waiting += functions[name].node_def
    for name in sorted(called):
        found = [node for node in functions[name].node_def if node.op in (*OPERATORS, *UNREAD)]
        for number, node in enumerate(found, 1):
            where = f"operator {number} of {len(found)} of the function {name}, {node.op}"
            if node.op in UNREAD:
                yield NativeLayer(f"{name}/{node.name}", where, f"{node.op}(...)", {}, "another type", "",
                                  unknown=MAY_HOLD.format(node.op))  # fmt: skip
                continue
            yield NativeLayer(
                f"{name}/{node.name}", where,
                _text(_Node(node), OPERATORS[node.op], ()), {}, tensorflow.dtypes.as_dtype(node.attr["T"].type).name,
                "not looked for in a function", unknown=NOT_LOOKED_INTO.format(name),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Node:
    """An operator of a function, whose attributes are asked for as those of one in a graph."""

    node: Any
    _defaults: ClassVar[Mapping[str, Any]] = {"data_format": b"NHWC", "explicit_paddings": [], "dilations": [1]}

    def get_attr(self, name: str) -> Any:
        """An attribute's value, or its default."""
        if name not in self.node.attr:
            return self._defaults[name]
        value = self.node.attr[name]
        return value.s if value.WhichOneof("value") == "s" else value.list.i


def _layer(operation: Any, number: int, of: int, free: bool) -> NativeLayer:
    place = f"operator {number} of {of}, {operation.type}"
    if operation.type in UNREAD:
        return NativeLayer(operation.name.removeprefix(CALLED), place, f"{operation.type}(...)", {}, "another type", "",
                           unknown=MAY_HOLD.format(operation.type))  # fmt: skip
    rank = OPERATORS[operation.type]
    answer, x, weight = operation.outputs[0], operation.inputs[X], operation.inputs[FILTER]
    both = (("x", x), ("w", weight))
    shapes = {letter: shape for letter, tensor in both if (shape := _shape(tensor))}
    output = tuple(answer.shape.as_list()) if answer.shape.rank else (None,)
    sizes, whence = _stored(operation.inputs[SIZES])
    if None in output and sizes is not None:  # where inference ends at a loop, and the numbers are in the file
        output = tuple(sizes.tolist())
    unknown = _lacking(shapes, output, whence, free)
    stored, provenance = _stored(weight)
    return NativeLayer(
        operation.name.removeprefix(CALLED), place,
        _text(operation, rank, () if unknown else output), {} if unknown else _whole(shapes), x.dtype.name, provenance,
        stored, unknown=unknown,
    )  # fmt: skip


def _whole(shapes: Mapping[str, tuple[int | None, ...]]) -> dict[str, Ints]:
    """Shapes that are known in whole."""
    return {name: tuple(extent for extent in shape if extent is not None) for name, shape in shapes.items()}


def _shape(tensor: Any) -> tuple[int | None, ...]:
    """The extents of a tensor, or of the one that is handed on to it where inference ends; empty where not known."""
    for _ in range(UPSTREAM):
        if tensor.shape.is_fully_defined() or tensor.op.type not in UNTOUCHED or not passes(tensor.op):
            break
        tensor = tensor.op.inputs[0]
    return tuple(tensor.shape.as_list()) if tensor.shape.rank else ()


def _lacking(
    shapes: Mapping[str, tuple[int | None, ...]], output: Sequence[int | None], whence: str, free: bool
) -> str:
    """Why the extents of an operator are not known; empty where they are."""
    if free and None in (*output, *shapes.get("x", (None,)), *shapes.get("w", (None,))):
        return "its extents do not follow from the sizes of the inputs: give all of them by --input"
    for letter in "xw":
        if None in shapes.get(letter, (None,)):
            return f"the extents of {letter} do not follow from the sizes of the inputs, all of which are given"
    return f"the size of its answer is {whence}, and no number of the file" if None in output else ""


def _text(operation: Any, rank: int, output: Sequence[int]) -> str:
    """The operator as the call that people write for it."""
    first = operation.get_attr("data_format").decode().startswith("NC")
    spatial = slice(2, None) if first else slice(1, -1)
    words = [f"strides={_short(list(operation.get_attr('strides'))[spatial])}"]
    padding = operation.get_attr("padding").decode()
    pads = list(operation.get_attr("explicit_paddings")) if padding == "EXPLICIT" else []
    pairs = [list(pads[at : at + 2]) for at in range(0, len(pads), 2)]
    words.append(f"padding={pairs if pairs else repr(padding)}")
    if first:
        words.append(f"data_format={operation.get_attr('data_format').decode()!r}")
    if max(dilations := list(operation.get_attr("dilations"))) > 1:
        words.append(f"dilations={_short(dilations[spatial])}")
    return f"tf.nn.conv{rank}d_transpose(x, w, output_shape={list(output)}, {', '.join(words)})"


def _short(numbers: Sequence[int]) -> Any:
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


def _stored(tensor: Any) -> tuple[Array | None, str]:
    """The numbers of a weight where the graph holds them, and its provenance in words."""
    through: list[str] = []
    operation = tensor.op
    while passes(operation) and len(through) < UPSTREAM:
        through += [] if operation.type in UNTOUCHED else [operation.type]
        operation = operation.inputs[0].op
    if operation.type == "Const" and not through:
        return constant(tensor.graph, operation.outputs[0].name), "stored"
    if operation.type == "Placeholder":
        return None, "an input of the model"
    if operation.type in ("Enter", "Merge", "NextIteration") or is_state(operation):
        return None, "what a loop or a condition changes"
    known = made(tensor)
    said = f"computed in the graph by {' of '.join([*through, operation.type])}"
    return (None, said) if known is None else (known.exact, known.folded or said)
