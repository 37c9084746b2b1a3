"""ONNX: the ConvTranspose nodes of a model file, with the extents that shape inference gives them."""

import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, shape_inference

from conformance.adapters.models._computed import Computed, computed
from conformance.idioms.base import Claim, Refusal
from conformance.problem import Ints
from conformance.scan.formats import _conv_transpose as conv_transpose
from conformance.scan.formats._protobuf import MARK, RAW, Buffer, tagged
from conformance.scan.formats._steps import step
from conformance.scan.layer import STORED, Array, Extent, Layer, ScanError, SizeError, Weight, in_dtype

OPERATOR = "ConvTranspose"
PLAIN = ("", "ai.onnx")
"""The names of the domain of ONNX's own operators."""
TYPES = {
    TensorProto.FLOAT: ("float32", "<f4"), TensorProto.DOUBLE: ("float64", "<f8"),
    TensorProto.FLOAT16: ("float16", "<f2"), TensorProto.BFLOAT16: ("bfloat16", "<u2"),
}  # fmt: skip
"""The dtypes that a transposed convolution can have, and how NumPy reads their bytes."""
UPSTREAM = 6
"""Operators that are named where a weight is computed."""
INPUT = "an input of the model"
SCOPES = "pkg.torch.onnx.name_scopes"
"""Where PyTorch's exporter keeps the names of modules."""


class _Node(NamedTuple):
    """A node with the graphs that it stands in, the outermost first, and the names of the inner ones."""

    node: NodeProto
    graphs: tuple[GraphProto, ...]
    path: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model file that has been opened; long tensors stay in it."""

    path: Path
    buffer: Buffer
    proto: ModelProto
    kind: str = "ONNX"
    _folded: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """What each weight that is computed is folded with, by graph and name; None where it needs more than numbers."""

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents of each input that is no stored tensor; none of one whose rank is not stated."""
        stored = {tensor.name for tensor in self.proto.graph.initializer}
        return {
            given.name: [_extent(dim) for dim in given.type.tensor_type.shape.dim]
            for given in self.proto.graph.input
            if given.name not in stored and given.type.HasField("tensor_type")
        }

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The ConvTranspose nodes, with extents where the sizes of the inputs tell them."""
        if not any(node.node.op_type == OPERATOR for node in _nodes(self.proto.graph)):
            return []
        inferred = self._inferred(sizes)
        return [
            self._layer(node, inferred)
            for node in _nodes(inferred.graph)
            if node.node.op_type == OPERATOR and node.node.domain in PLAIN
        ]

    def _inferred(self, sizes: Mapping[str, Ints]) -> ModelProto:
        """The model with shapes. Raises SizeError, or ScanError where it is refused on inputs of any sizes."""
        try:
            return _inferred(self.proto, sizes)
        except SizeError as refused:
            try:
                _inferred(self.proto, None)
            except SizeError as reason:
                raise ScanError(f"{self.path}: its graph is refused whatever the sizes of its inputs: {reason}: export "
                                "the model again") from None  # fmt: skip
            raise refused

    def _layer(self, at: _Node, inferred: ModelProto) -> Layer:
        node, tensors, known = at.node, _tensors(at.graphs), _known(at.graphs)
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        given = [*node.input, "", "", ""][:3]
        producers = {output: each for graph in at.graphs for each in graph.node for output in each.output}
        weight, provenance = _stored(given[1], tensors, producers)
        if provenance == INPUT and given[1] not in {each.name for each in self.proto.graph.input}:
            provenance = f"given to the inner graph {at.path.removesuffix(': ')}, such as the state of a loop"
        bias, _ = _stored(given[2], tensors, producers) if given[2] else (None, "")
        shapes = {"x": known.get(given[0]), "w": tuple(weight.dims) if weight else known.get(given[1])}
        dtype = TYPES.get(weight.data_type if weight else _element(at.graphs, given), ("float32", ""))[0]
        made = self._weight(weight, bias if given[2] else None, bool(given[2]))
        if weight is None and (told := self._computed(at.path, given[1], tensors, producers)):
            exact, folded = told
            made = self._beside(lambda: in_dtype(exact(), dtype), bias, bool(given[2]))
            provenance = folded or provenance
        text = conv_transpose.text(attributes, bias=bool(given[2]))
        claim: Claim | None = None
        unknown = _lacking(shapes, given, producers)
        if not unknown:
            try:
                claim = conv_transpose.claim(text, shapes["x"] or (), shapes["w"] or ())
            except (Refusal, ValueError) as reason:
                unknown = str(reason)
        return Layer(
            _name(at), f"{at.path}node {at.number} of {at.of}, {OPERATOR}",
            text, claim, dtype, made, provenance, unknown,
        )  # fmt: skip

    def _weight(self, weight: TensorProto | None, bias: TensorProto | None, biased: bool) -> Weight | None:
        if weight is None or weight.data_type not in TYPES:
            return None
        return self._beside(lambda: self.array(weight), bias, biased)

    def _beside(self, weight: Callable[[], Array], bias: TensorProto | None, biased: bool) -> Weight | None:
        """A weight with its bias; None where that is not stored."""
        if biased and bias is None:
            return None
        return Weight(weight, None if bias is None else lambda: self.array(bias))

    def _computed(
        self, path: str, name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto]
    ) -> tuple[Callable[[], Array], str] | None:  # fmt: skip
        """What computes a weight of stored numbers alone, in float64, and what it is folded with."""

        def made() -> Computed | None:
            return computed(name, lambda each: self._given(each, tensors, producers),
                            lambda each: step(producers.get(each)))  # fmt: skip

        if (path, name) not in self._folded:
            first = made()
            self._folded[path, name] = None if first is None else first.folded
        folded = self._folded[path, name]
        return None if folded is None else (lambda: cast(Computed, made()).exact, folded)

    def _given(
        self, name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto]
    ) -> Array | None:  # fmt: skip
        """The numbers of a stored tensor or a constant; None of any other name."""
        node = producers.get(name)
        tensor = tensors.get(name)
        if tensor is None and node is not None and node.op_type == "Constant":
            value = onnx.helper.get_attribute_value(node.attribute[0]) if node.attribute else None
            if not isinstance(value, TensorProto):
                return None if value is None or isinstance(value, bytes) else np.asarray(value)
            tensor = value
        if tensor is None:
            return None
        return self.array(tensor) if tensor.data_type in TYPES else np.asarray(onnx.numpy_helper.to_array(tensor))

    def array(self, tensor: TensorProto) -> Array:
        """The numbers of a stored tensor. Raises ScanError where they are missing, or are not as many as it says."""
        dtype, name = TYPES[tensor.data_type][1], tensor.name
        count = int(np.prod(list(tensor.dims), dtype=object))
        numbers = self._numbers(tensor, dtype)
        if numbers.size != count or count < 0:
            raise ScanError(f"{self.path}: the tensor {name!r} is of shape {tuple(tensor.dims)} and has {numbers.size} "
                            "numbers: export the model again")  # fmt: skip
        if tensor.data_type == TensorProto.BFLOAT16:
            numbers = (numbers.astype("<u4") << 16).view("<f4")
        return numbers.reshape(tuple(tensor.dims))

    def _numbers(self, tensor: TensorProto, dtype: str) -> Array:
        if tensor.data_location == TensorProto.EXTERNAL:
            return _external(self.path, tensor, dtype)
        if tensor.doc_string.startswith(MARK):
            number, start, length = map(int, tensor.doc_string.removeprefix(MARK).split(":"))
            if number in (RAW, 4, 10) and length % np.dtype(dtype).itemsize == 0:
                self.buffer.data.madvise(mmap.MADV_DONTNEED)  # what was read of the tensors before stays in the file
                return np.frombuffer(self.buffer.data, dtype, length // np.dtype(dtype).itemsize, start)
            whole = TensorProto.FromString(tagged(number, self.buffer.data[start : start + length]))
            return np.array(whole.int32_data, "<u2").view(dtype)
        if tensor.raw_data:
            return np.frombuffer(tensor.raw_data, dtype, len(tensor.raw_data) // np.dtype(dtype).itemsize)
        if tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
            return np.array(tensor.int32_data, "<u2").view(dtype)
        return np.array(tensor.double_data if dtype == "<f8" else tensor.float_data, dtype)


def open_model(path: Path) -> OnnxModel:
    """The model in a file. Raises ScanError where it is none, or of an opset that is not known here, and OSError."""
    buffer = Buffer.of(path)
    try:
        proto = ModelProto.FromString(buffer.slim())
    except DecodeError:
        raise ScanError(f"{path}: is no ONNX model, or is truncated: give a whole model file") from None
    if not proto.HasField("graph") or not proto.opset_import:
        raise ScanError(f"{path}: is no ONNX model, as it has no graph or no opset: give a whole model file")
    latest = onnx.defs.onnx_opset_version()
    for opset in proto.opset_import:
        if opset.domain in PLAIN and not 1 <= opset.version <= latest:
            raise ScanError(f"{path}: is of opset {opset.version}, and the onnx that is installed here knows those up "
                            f"to {latest}: install a newer onnx, or export for one of these")  # fmt: skip
    if proto.functions:
        proto = _inlined(path, proto)
    return OnnxModel(path, buffer, proto)


def _inlined(path: Path, proto: ModelProto) -> ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except Exception as error:  # whatever the library makes of a function that is none
        reason = str(error).splitlines()[0]
        raise ScanError(f"{path}: its functions cannot be put in place of their calls: {reason}: export it without "
                        "functions") from None  # fmt: skip


def _extent(dim: Any) -> Extent:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value > 0 else None
    return dim.dim_param or None


def _inferred(proto: ModelProto, sizes: Mapping[str, Ints] | None) -> ModelProto:
    """The model with shapes, on inputs of these sizes, or of any. Raises SizeError where they do not fit it."""
    bound = ModelProto()
    bound.CopyFrom(proto)
    graph = bound.graph
    bound.ir_version = max(bound.ir_version, 4)  # from which on a stored tensor need not be an input, too
    del graph.value_info[:]
    for each in graph.output:
        each.type.tensor_type.ClearField("shape")
    for given in graph.input:
        if sizes is None:
            given.type.tensor_type.ClearField("shape")
        elif given.name in sizes:
            shape = given.type.tensor_type.shape
            del shape.dim[:]
            for extent in sizes[given.name]:
                shape.dim.add().dim_value = extent
    try:
        inferred = shape_inference.infer_shapes(bound, strict_mode=True, data_prop=True)
    except Exception as error:  # it raises what its C++ part raises
        refused = str(error)
        try:
            inferred = shape_inference.infer_shapes(bound, strict_mode=False, data_prop=True)
        except Exception:
            raise SizeError(_reason(refused)) from None
        if not _only_unknown(refused):
            raise SizeError(_reason(refused)) from None
    return inferred


def _only_unknown(refused: str) -> bool:
    """Whether inference ended at what it does not know, such as an operator of another domain, and not at a size."""
    return "No Op registered" in refused or "no schema" in refused.lower()


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if "dim" in line.lower() or "shape" in line.lower()), lines[-1])
    return re.sub(r"\[ShapeInferenceError\] |Inference error\(s\): ", "", told)[:200]


def _nodes(graph: GraphProto, path: str = "", outer: tuple[GraphProto, ...] = ()) -> Iterator[_Node]:
    """Every node of a graph and of the graphs inside of it."""
    for number, node in enumerate(graph.node, 1):
        yield _Node(node, (*outer, graph), path, number, len(graph.node))
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
            for each in inner:
                yield from _nodes(each, f"{path}{node.name or node.op_type}/{attribute.name}: ", (*outer, graph))


def _known(graphs: Sequence[GraphProto]) -> dict[str, Ints]:
    """The shapes that are known in whole, by name; those of inner graphs are added to the outer ones."""
    shapes: dict[str, Ints] = {}
    for each in graphs:
        for value in (*each.input, *each.value_info, *each.output):
            dims = [_extent(dim) for dim in value.type.tensor_type.shape.dim]
            if dims and all(isinstance(dim, int) for dim in dims):
                shapes[value.name] = tuple(int(dim or 0) for dim in dims)
        shapes |= {tensor.name: tuple(tensor.dims) for tensor in each.initializer}
    return shapes


def _element(graphs: Sequence[GraphProto], names: Sequence[str]) -> int:
    """ONNX's number for the dtype of the first of these tensors whose dtype is known; 0 where none is."""
    types = {value.name: value.type.tensor_type.elem_type for each in graphs
             for value in (*each.input, *each.value_info, *each.output)}  # fmt: skip
    return next((types[name] for name in names if types.get(name)), 0)


def _tensors(graphs: Sequence[GraphProto]) -> dict[str, TensorProto]:
    """The stored tensors by their names, without those of outer graphs that an inner one has an input instead of."""
    found: dict[str, TensorProto] = {}
    for number, graph in enumerate(graphs):
        inside = {each.name for each in graph.input} if number else set()
        found = {name: tensor for name, tensor in found.items() if name not in inside}
        found |= {tensor.name: tensor for tensor in graph.initializer}
    return found


def _stored(
    name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto]
) -> tuple[TensorProto | None, str]:
    """The tensor of a name where the file holds it, and its provenance in words."""
    through: list[str] = []
    while name not in tensors:
        node = producers.get(name)
        if node is None:
            return None, INPUT
        if node.op_type == "Constant":
            constant = next((each.t for each in node.attribute if each.name == "value"), None)
            return constant, STORED if constant is not None else "computed in the graph by Constant"
        through.append(node.op_type)
        if node.op_type != "Identity" or len(through) > UPSTREAM:
            return None, f"computed in the graph by {' of '.join(through)}"
        name = node.input[0]
    return tensors[name], STORED


def _lacking(shapes: Mapping[str, Any], given: Sequence[str], producers: Mapping[str, NodeProto]) -> str:
    """Why the extents of a layer are not known; empty where they are."""
    for operand, name in (("x", given[0]), ("w", given[1])):
        if shapes[operand] is None:
            node = producers.get(name)
            where = f", which {node.op_type} gives{_foreign(node)}," if node else ""
            return f"the extents of {operand}{where} are not known: give the sizes of the inputs by --input"
    return ""


def _foreign(node: NodeProto) -> str:
    return "" if node.domain in PLAIN else f" (of the domain {node.domain}, which is not known)"


def _name(at: _Node) -> str:
    """What people call the node: the module that it was exported of, its own name, or that of its answer."""
    for entry in at.node.metadata_props:
        if entry.key == SCOPES:
            names = [part.strip(" '\"") for part in entry.value.strip("[]").split(",")]
            if named := next((name for name in reversed(names) if name and not name.startswith(OPERATOR)), ""):
                return at.path.replace(": ", "/") + named
    return at.path.replace(": ", "/") + (at.node.name or next(iter(at.node.output), OPERATOR))


def _external(path: Path, tensor: TensorProto, dtype: str) -> Array:
    """The numbers of a tensor in a file beside the model. Raises ScanError for any other place."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    folder, location = path.resolve().parent, entries.get("location", "")
    file = (folder / location).resolve()
    if not location or not file.is_relative_to(folder):
        raise ScanError(f"{path}: the tensor {tensor.name!r} is in {location!r}, which is not beside the model: keep "
                        "its data in the model's folder")  # fmt: skip
    if not file.is_file():
        raise ScanError(f"{path}: the tensor {tensor.name!r} is in {location!r}, which is missing: put that file "
                        "beside the model")  # fmt: skip
    try:
        offset = int(entries.get("offset", "0"))
        count = int(np.prod(list(tensor.dims), dtype=object))
        return np.asarray(np.memmap(file, dtype, "r", offset, (count,)))
    except (ValueError, OverflowError):
        raise ScanError(f"{path}: the tensor {tensor.name!r} is not whole in {location!r}: copy that file again") from (
            None
        )
