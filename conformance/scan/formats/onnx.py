"""ONNX: the ConvTranspose nodes of a model file, with the extents that shape inference gives them."""

import mmap
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto, shape_inference

from conformance.adapters.models._computed import Computed, computed
from conformance.idioms.base import Claim, Refusal
from conformance.problem import Ints
from conformance.scan.formats import _conv_transpose as conv_transpose
from conformance.scan.formats._graphs import (
    INPUT,
    OPERATOR,
    PLAIN,
    Node,
    constant,
    element_of,
    extent_of,
    known_shapes,
    may_transpose,
    name_of,
    nodes,
    stored_tensor,
    stored_tensors,
    type_name,
)
from conformance.scan.formats._protobuf import MARK, RAW, Buffer, tagged
from conformance.scan.formats._steps import step
from conformance.scan.layer import Array, Extent, Layer, ScanError, SizeError, Weight, in_dtype

TYPES = {
    TensorProto.FLOAT: ("float32", "<f4"), TensorProto.DOUBLE: ("float64", "<f8"),
    TensorProto.FLOAT16: ("float16", "<f2"), TensorProto.BFLOAT16: ("bfloat16", "<u2"),
}  # fmt: skip
"""The dtypes that a transposed convolution can have, and how NumPy reads their bytes."""


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
        """The extents of each input that is no stored tensor and has axes; none of one whose rank is not stated."""
        stored = {tensor.name for tensor in self.proto.graph.initializer}
        tensors = {each.name: each.type.tensor_type for each in self.proto.graph.input
                   if each.name not in stored and each.type.HasField("tensor_type")}  # fmt: skip
        return {name: [extent_of(dim) for dim in tensor.shape.dim] for name, tensor in tensors.items()
                if tensor.shape.dim or not tensor.HasField("shape")}  # fmt: skip

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The ConvTranspose nodes, with extents where the sizes of the inputs tell them."""
        if not any(may_transpose(node.node) for node in nodes(self.proto.graph)):
            return []
        inferred = self._inferred(sizes)
        return [self._layer(at, sizes) if at.node.domain in PLAIN and at.node.op_type == OPERATOR else _unread(at)
                for at in nodes(inferred.graph) if may_transpose(at.node)]  # fmt: skip

    def _inferred(self, sizes: Mapping[str, Ints]) -> ModelProto:
        """The model with shapes. Raises SizeError, or ScanError where it is refused on inputs of any sizes, or of those
        that it states."""
        try:
            return _inferred(self.proto, sizes)
        except SizeError as refused:
            try:
                _inferred(self.proto, None)
            except SizeError as reason:
                raise ScanError(f"{self.path}: its graph is refused whatever the sizes of its inputs: {reason}: export "
                                "the model again") from None  # fmt: skip
            if all(isinstance(extent, int) for extents in self.inputs.values() for extent in extents or (None,)):
                raise ScanError(f"{self.path}: its graph is refused on inputs of the sizes that it states: {refused}: "
                                "export the model again") from None  # fmt: skip
            raise refused

    def _layer(self, at: Node, sizes: Mapping[str, Ints]) -> Layer:
        node, tensors, known = at.node, stored_tensors(at.graphs), known_shapes(at.graphs)
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        given = [*node.input, "", "", ""][:3]
        producers = {output: each for graph in at.graphs for each in graph.node for output in each.output}
        weight, _ = stored_tensor(given[1], tensors, producers)
        shapes = {"x": known.get(given[0]), "w": tuple(weight.dims) if weight else known.get(given[1])}
        element = weight.data_type if weight else element_of(at.graphs, given)
        dtype = TYPES[element][0] if element in TYPES else type_name(element)
        made, provenance = self._weight(at, given, tensors, producers, dtype)
        text = conv_transpose.text(attributes, bias=bool(given[2]))
        claim: Claim | None = None
        free = any(not isinstance(extent, int) and name not in sizes
                   for name, extents in self.inputs.items() for extent in extents or (None,))  # fmt: skip
        unknown = _lacking(shapes, given, producers, free=free)
        if element not in TYPES and element:
            unknown = unknown or f"ConvTranspose is not defined on {dtype}"
        if not unknown:
            try:
                claim = conv_transpose.claim(text, shapes["x"] or (), shapes["w"] or ())
            except (Refusal, ValueError) as reason:
                unknown = str(reason)
        return Layer(
            name_of(at), f"{at.path}node {at.number} of {at.of}, {OPERATOR}",
            text, claim, dtype, made, provenance, unknown,
        )  # fmt: skip

    def _weight(
        self, at: Node, given: Sequence[str], tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto],
        dtype: str,
    ) -> tuple[Weight | None, str]:  # fmt: skip
        """The weight and bias where the numbers of both are known, and where the weight comes from."""
        read, provenance = self._read(at, given[1], tensors, producers, dtype)
        bias, whence = self._read(at, given[2], tensors, producers, dtype) if given[2] else (None, "")
        if given[2] and bias is None:
            return None, f"{provenance}{f'; its bias is {whence}' if read else ''}"
        return None if read is None else Weight(read, bias), provenance

    def _read(
        self, at: Node, name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto], dtype: str
    ) -> tuple[Callable[[], Array] | None, str]:  # fmt: skip
        """What reads a tensor, where its numbers are known; and where it comes from."""
        element = partial(_element, tensors, producers)
        tensor, provenance = stored_tensor(
            name, tensors, producers, lambda node, name: step(node, name, element) is not None
        )
        if tensor is not None:
            return (lambda: self.array(tensor)) if tensor.data_type in TYPES else None, provenance
        if provenance == INPUT and name not in {each.name for each in self.proto.graph.input}:
            provenance = f"given to the inner graph {at.path.removesuffix(': ')}, such as the state of a loop"
        if (told := self._computed(at.path, name, tensors, producers)) is None:
            return None, provenance
        exact, folded = told
        return lambda: in_dtype(exact(), dtype), folded or provenance

    def _computed(
        self, path: str, name: str, tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto]
    ) -> tuple[Callable[[], Array], str] | None:  # fmt: skip
        """What computes a weight of stored numbers alone, and what it is folded with."""

        def made() -> Computed | None:
            return computed(name, lambda each: self._given(each, tensors, producers),
                            lambda each: step(producers.get(each), each, element))  # fmt: skip

        element = partial(_element, tensors, producers)

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
        return self.array(tensor) if tensor.data_type in TYPES else _plain(onnx.numpy_helper.to_array(tensor))

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
    if proto.graph.sparse_initializer:
        name = proto.graph.sparse_initializer[0].values.name
        raise ScanError(f"{path}: the tensor {name!r} is stored as a sparse one, which is not read: export the model "
                        "with dense tensors")  # fmt: skip
    return OnnxModel(path, buffer, proto)


def _inlined(path: Path, proto: ModelProto) -> ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except Exception as error:  # whatever the library makes of a function that is none
        reason = str(error).splitlines()[0]
        raise ScanError(f"{path}: its functions cannot be put in place of their calls: {reason}: export it without "
                        "functions") from None  # fmt: skip


def _element(tensors: Mapping[str, TensorProto], producers: Mapping[str, NodeProto], name: str) -> int:
    """ONNX's number for the dtype of a tensor that the file holds; 0 of any other."""
    node = producers.get(name)
    held = tensors.get(name) or (constant(node) if node is not None and node.op_type == "Constant" else None)
    return 0 if held is None else int(held.data_type)


def _plain(numbers: Any) -> Array:
    """Numbers of a dtype that NumPy has not, in one that holds them all."""
    array, name = np.asarray(numbers), str(numbers.dtype)
    if name.startswith(("int", "uint")) and array.dtype.kind not in "iu":
        return array.astype(np.int8 if name.startswith("int") else np.uint8)
    return array.astype(np.float32) if name.startswith("float8") else array


def _unread(at: Node) -> Layer:
    """A node that has the name of a transposed convolution, and is none of ONNX's own."""
    name = f"{at.node.domain or 'ai.onnx'}.{at.node.op_type}"
    place, unknown = f"{at.path}node {at.number} of {at.of}, {name}", f"{name} is not read: export the model without it"
    return Layer(name_of(at), place, f"{name}(...)", None, "another type", None, "", unknown)


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


def _lacking(
    shapes: Mapping[str, Any], given: Sequence[str], producers: Mapping[str, NodeProto], *, free: bool
) -> str:  # fmt: skip
    """Why the extents of a layer are not known; empty where they are. `free` tells whether an input's are not known."""
    for operand, name in (("x", given[0]), ("w", given[1])):
        if shapes[operand] is None:
            node = producers.get(name)
            where = f", which {node.op_type} gives{_foreign(node)}," if node else ""
            return f"the extents of {operand}{where} " + (
                "are not known: give the sizes of the inputs by --input" if free else
                "do not follow from the sizes of the inputs, all of which are given")  # fmt: skip
    return ""


def _foreign(node: NodeProto) -> str:
    return "" if node.domain in PLAIN else f" (of the domain {node.domain}, which is not known)"


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
