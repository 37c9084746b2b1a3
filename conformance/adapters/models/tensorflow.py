"""TensorFlow: Keras files, SavedModels and frozen graphs, of which none is run.

A Keras model is asked for its layers' sizes without numbers. A graph is imported with its inputs fixed, and TensorFlow
infers the shapes. What would run code of the file's author is refused: layers and operators of an author's own, and
operators that call Python or touch files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow

from conformance.adapters.models._computed import ARITHMETIC, Cast, Step, computed, reducing, reshaped, same
from conformance.adapters.models._keras import KerasModel, open_keras
from conformance.adapters.models.base import Extents, NativeLayer, RefusedError, UnfitError
from conformance.io.bounded import LARGEST_TEXT, BoundError, read_bytes
from conformance.layout import Array
from conformance.problem import Ints

LARGEST_GRAPH = 1 << 31
OPERATORS = {"Conv2DBackpropInput": 2, "Conv2DBackpropInputV2": 2, "Conv3DBackpropInputV2": 3}
UNREAD = ("DepthwiseConv2dNativeBackpropInput", "XlaConv", "XlaConvV2", "XlaCallModule")
"""Those that are, may be or may hold a transposed convolution, and are not read."""
SIZES, FILTER, X = range(3)
"""The operands in their order."""
UNSAFE = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "LoadLibrary")
SIGNATURE = "serving_default"
CALLED = "StatefulPartitionedCall/"
"""What stands before the names of a signature's own operators."""
PASSING = ("Identity", "ReadVariableOp", "Cast", "Switch", "Enter")
UNTOUCHED = ("Identity", "Switch", "Enter")
"""Those of them that give the numbers that they get."""
NOT_LOOKED_INTO = ("it stands in the function {} of the graph's library, whose sizes are not inferred: freeze the "
                   "graph with lower_control_flow=True, which puts its operators into the graph")  # fmt: skip
MAY_HOLD = "{} is, or may hold, a transposed convolution, and is not read: export the model without it"
UPSTREAM = 6
SCALAR = tensorflow.TensorShape([]).as_proto()
"""The shape of an input without axes."""


@dataclass
class GraphModel:
    """A graph whose weights are constants, with its inputs."""

    graph: Any
    kind: str
    inputs: Mapping[str, Extents]
    _names: Mapping[str, str] = field(default_factory=dict)
    """The graph's own names of the inputs."""

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The operators on inputs of these sizes. Raises UnfitError where TensorFlow infers that they do not fit."""
        with tensorflow.Graph().as_default() as graph:
            placeholders = {
                self._names.get(name, name): tensorflow.compat.v1.placeholder(self._dtype(name), sizes.get(name, given))
                for name, given in self.inputs.items() if given or name in sizes
            }  # fmt: skip
            try:
                tensorflow.graph_util.import_graph_def(
                    self.graph, input_map={f"{name}:0": tensor for name, tensor in placeholders.items()}, name=""
                )
            except ValueError as error:
                raise UnfitError(str(error).splitlines()[0][:200]) from None
        found = [operation for operation in graph.get_operations() if operation.type in (*OPERATORS, *UNREAD)]
        free = any(
            None in sizes.get(name, given) or not (given or name in sizes) for name, given in self.inputs.items()
        )
        return [*(_layer(operation, at, len(found), free) for at, operation in enumerate(found, 1)),
                *_of_library(self.graph)]  # fmt: skip

    def _dtype(self, name: str) -> Any:
        wanted = self._names.get(name, name)
        node = next((node for node in self.graph.node if node.name == wanted), None)
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


def _of_library(graph: Any) -> Iterator[NativeLayer]:
    """The operators in functions that are called from the graph, such as the branches of a condition."""
    functions = {function.signature.name: function for function in graph.library.function}
    waiting, called = [*graph.node], set[str]()
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
        if tensor.shape.is_fully_defined() or tensor.op.type not in UNTOUCHED or not _passes(tensor.op):
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
    while _passes(operation) and len(through) < UPSTREAM:
        through += [] if operation.type in UNTOUCHED else [operation.type]
        operation = operation.inputs[0].op
    if operation.type == "Const" and not through:
        return _constant(tensor.graph, operation.outputs[0].name), "stored"
    if operation.type == "Placeholder":
        return None, "an input of the model"
    if operation.type in ("Enter", "Merge", "NextIteration"):
        return None, "what a loop or a condition changes"
    made = computed(tensor.name, lambda name: _constant(tensor.graph, name), lambda name: _step(tensor.graph, name))
    said = f"computed in the graph by {' of '.join([*through, operation.type])}"
    return (None, said) if made is None else (made.exact, made.folded or said)


def _passes(operation: Any) -> bool:
    """Whether an operator hands on one tensor: of those that enter a loop, what the loop does not change."""
    changes = operation.type == "Enter" and not operation.get_attr("is_constant")
    return operation.type in PASSING and bool(operation.inputs) and not changes


NUMBERWISE: Mapping[str, str] = {"RealDiv": "div", "AddV2": "add", "Inv": "reciprocal"} | {
    name: name.lower()
    for name in ("Mul", "Add", "Sub", "Pow", "Sqrt", "Rsqrt", "Square", "Reciprocal", "Neg", "Abs", "Maximum")
}  # fmt: skip
"""TensorFlow's operators on numbers, by what they are."""


def _constant(graph: Any, name: str) -> Array | None:
    operation = graph.get_tensor_by_name(name).op
    if operation.type != "Const":
        return None
    numbers: Array = tensorflow.make_ndarray(operation.get_attr("value"))
    return numbers.astype(np.float32) if operation.outputs[0].dtype == tensorflow.bfloat16 else numbers


def _step(graph: Any, name: str) -> Step | None:
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
    if operation.type in ("Switch", "Enter") and _passes(operation):
        return Step(same, operands[:1], moves=True)
    if operation.type in NUMBERWISE:
        return Step(ARITHMETIC[NUMBERWISE[operation.type]], operands)
    if operation.type == "Sum":
        keep = bool(operation.get_attr("keep_dims"))
        return Step(lambda x, axes: reducing("sum", np.ravel(axes).tolist(), keep)(x), operands)
    if operation.type == "Reshape":
        return Step(reshaped, operands, moves=True)
    if operation.type == "ExpandDims":
        return Step(lambda x, axis: np.expand_dims(x, int(axis)), operands, moves=True)
    if operation.type == "Squeeze":
        axes = tuple(operation.get_attr("squeeze_dims"))
        return Step(lambda x: np.squeeze(x, axes or None), operands, moves=True)
    if operation.type == "Transpose":
        return Step(np.transpose, operands, moves=True)
    return None


def open_model(path: Path) -> GraphModel | SavedModel | KerasModel:
    """The model in a file or a folder. Raises RefusedError, and OSError."""
    if path.suffix == ".keras":
        return open_keras(path)
    return _saved(path) if path.is_dir() else _frozen(path)


def _frozen(path: Path) -> GraphModel:
    graph = tensorflow.compat.v1.GraphDef()
    _parse(graph, _read(path, LARGEST_GRAPH), "a frozen graph")
    if not graph.node:
        raise RefusedError("is no frozen graph, as it has no nodes: give a whole .pb file, or a SavedModel's folder")
    _require_safe(graph)
    given = [node for node in graph.node if node.op == "Placeholder"]
    inputs = {node.name: _extents(node) for node in given if node.attr["shape"].shape != SCALAR}
    return GraphModel(graph, "TensorFlow graph", inputs)


def _extents(node: Any) -> list[int | None]:
    shape = node.attr["shape"].shape
    return [] if shape.unknown_rank else [dim.size if dim.size > 0 else None for dim in shape.dim]


def _saved(path: Path) -> SavedModel:
    """A SavedModel's signatures with their variables as constants; nothing of it is called."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    _parse(saved, _read(path / "saved_model.pb", LARGEST_TEXT), "a SavedModel")
    for meta in saved.meta_graphs:
        _require_safe(meta.graph_def)
    try:
        loaded = tensorflow.saved_model.load(str(path))
        names = sorted(loaded.signatures, key=lambda name: (name != SIGNATURE, name))
        models = [(name, _signature(loaded.signatures[name])) for name in names]
    except Exception as error:  # whatever TensorFlow makes of a folder that is not whole
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise RefusedError(f"is no whole SavedModel: {reason}: save it again") from None
    if not models:
        raise RefusedError("has no signature to be called by: save it with one")
    return SavedModel({name: model for at, (name, model) in enumerate(models)
                       if all(model != before for _, before in models[:at])})  # fmt: skip


def _signature(signature: Any) -> GraphModel:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(signature)
    _, given = signature.structured_input_signature
    names = {tensor.name.partition(":")[0]: tensor for tensor in frozen.inputs}
    stated = {name: spec.shape.as_list() if spec.shape.rank is not None else [] for name, spec in given.items()
              if spec.shape.rank != 0}  # fmt: skip
    own = {name: name if name in names else next(iter(names), name) for name in stated}
    return GraphModel(frozen.graph.as_graph_def(), "TensorFlow SavedModel", stated, own)


def _read(path: Path, largest: int) -> bytes:
    try:
        return read_bytes(path, largest)
    except BoundError as error:
        raise RefusedError(str(error)) from None


def _parse(message: Any, content: bytes, what: str) -> None:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except DecodeError:
        raise RefusedError(f"is not {what}, or is truncated: give a whole model file") from None


def _operators(graph: Any) -> Iterator[str]:
    for function in (graph, *graph.library.function):
        yield from (node.op for node in (function.node if function is graph else function.node_def))


def _require_safe(graph: Any) -> None:
    """Raises RefusedError where an operator would run code, touch files, or is of an author's own."""
    from tensorflow.python.framework import op_def_registry

    functions = {function.signature.name for function in graph.library.function}
    for name in sorted(set(_operators(graph)) - functions):
        if name in UNSAFE:
            raise RefusedError(f"has the operator {name}, which runs code or touches files: export it without that")
        if op_def_registry.get(name) is None:
            raise RefusedError(f"has the operator {name} of an author's own, whose code would be needed: export it "
                               "without that")  # fmt: skip
