"""TFLite: the TRANSPOSE_CONV and CONV_3D_TRANSPOSE operators of a file, with the shapes that its tensors state."""

import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tflite

from conformance import idioms
from conformance.idioms.base import Claim, Refusal
from conformance.idioms.catalogue._tflite import PADDINGS, text
from conformance.io.bounded import open_regular
from conformance.problem import Ints
from conformance.scan.formats._batches import batches
from conformance.scan.layer import STORED, Array, Extent, Layer, ScanError, SizeError, Weight

MARK = b"TFL3"
MOST = 1 << 20
"""Operators and tensors that a file may have."""
PLANE, SOLID, CUSTOM, DEQUANTIZE = (
    tflite.BuiltinOperator.TRANSPOSE_CONV, tflite.BuiltinOperator.CONV_3D_TRANSPOSE, tflite.BuiltinOperator.CUSTOM,
    tflite.BuiltinOperator.DEQUANTIZE,
)  # fmt: skip
FRAMEWORK = "tensorflow"
TYPES = {
    tflite.TensorType.FLOAT32: "float32", tflite.TensorType.FLOAT16: "float16", tflite.TensorType.FLOAT64: "float64",
    tflite.TensorType.INT8: "int8", tflite.TensorType.UINT8: "uint8", tflite.TensorType.INT16: "int16",
}  # fmt: skip
RANKS = {PLANE: 2, SOLID: 3}
SHAPE, WEIGHT, X, BIAS = range(4)
"""The operands in their order."""
FREE = "its extents are free in the file, whose shapes are not inferred here: convert the model with fixed ones"
BATCH = "its batch is free in the file, and does not follow from that of the inputs: convert the model with a fixed one"
TRANSPOSED = re.compile(r"conv\w*transpos|transpos\w*conv|deconv|backpropinput", re.IGNORECASE)
"""A part of the names of custom operators that may be transposed convolutions."""
UNREAD = frozenset({getattr(tflite.BuiltinOperator, "STABLEHLO_CONVOLUTION", -1)})
"""Further operators that may be transposed convolutions."""


class _Operator(NamedTuple):
    """An operator with the graph that it stands in."""

    operator: Any
    code: int
    graph: Any
    number: int
    of: int
    inside: str
    custom: str


@dataclass(frozen=True, slots=True)
class TfliteModel:
    """A file that has been opened."""

    path: Path
    model: Any
    kind: str = "TFLite"

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents of each input of the first graph that has axes."""
        return {name: shape for name, _, shape in self._inputs() if shape}

    def _inputs(self) -> list[tuple[str, int, list[Extent]]]:
        graph = self.model.Subgraphs(0)
        indices = [int(graph.Inputs(at)) for at in range(_count(self.path, graph.InputsLength()))]
        return [(_name(tensor), index, _signature(tensor)) for index in indices for tensor in [graph.Tensors(index)]]

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The operators, with the batch where it follows from the inputs'; the file says no other free extent."""
        given = {index: sizes[name][0] for name, index, shape in self._inputs() if shape and name in sizes}
        found: list[Layer] = []
        for number in range(_count(self.path, self.model.SubgraphsLength())):
            graph = self.model.Subgraphs(number)
            shape, stored = partial(_shape_of, graph), partial(self._whole_numbers, graph)
            batch = batches(graph, {} if number else given, self._kind, shape, stored)
            found += [self._layer(each, batch) for each in _operators(self.path, self.model, number)]
        return found

    def _whole_numbers(self, graph: Any, index: int) -> Array | None:
        """The whole numbers of a tensor that the file holds."""
        tensor = graph.Tensors(index)
        if tensor.Type() != tflite.TensorType.INT32 or not self._bytes(tensor):
            return None
        return np.frombuffer(self.model.Buffers(tensor.Buffer()).DataAsNumpy(), "<i4")

    def _kind(self, operator: Any) -> int:
        return _code(self.model.OperatorCodes(operator.OpcodeIndex()))

    def _layer(self, at: _Operator, batch: Callable[[int], int | None]) -> Layer:
        place = f"operator {at.number} of {at.of}{at.inside}, {at.custom or _NAMES[at.code]}"
        if at.custom:
            unknown = f"{at.custom} is not read: convert the model without it"
            return Layer(at.custom, place, f"{at.custom}(...)", None, "another type", None, "", unknown)
        indices = _indices(at.operator)
        operands = [at.graph.Tensors(index) if index >= 0 else None for index in indices]
        weight, x = operands[WEIGHT], operands[X]
        if weight is None or x is None:
            raise ScanError(f"{self.path}: an operator has no input or no weight: give a whole model file")
        bias = operands[BIAS] if len(operands) > BIAS else None
        answer = at.graph.Tensors(at.operator.Outputs(0))
        of = batch(indices[X])
        taken, made, kernel = (_signature(each) for each in (x, answer, weight))
        fixed = None not in (*taken[1:], *made[1:], *kernel)
        known = fixed and of is not None
        call = _text(at, _whole([made[0] or of, *made[1:]]) if known else (), bias=bias is not None)
        stored, provenance = self._stored(at.graph, indices[WEIGHT])
        claim, unknown = _claim(call, _whole([of, *taken[1:]]), _whole(kernel)) if known else (
            None, BATCH if fixed else FREE)  # fmt: skip
        return Layer(_name(answer), place, call, claim, TYPES.get(x.Type(), "another type"), self._weight(stored, bias),
                     provenance, unknown)  # fmt: skip

    def _stored(self, graph: Any, index: int) -> tuple[Any | None, str]:
        """The tensor of a weight where the file holds it, and its provenance in words."""
        tensor = graph.Tensors(index)
        if self._bytes(tensor):
            return tensor, STORED if TYPES.get(tensor.Type()) == "float32" else f"stored as {TYPES.get(tensor.Type())}"
        for at in range(graph.OperatorsLength()):
            operator = graph.Operators(at)
            if any(operator.Outputs(out) == index for out in range(operator.OutputsLength())):
                code = _code(self.model.OperatorCodes(operator.OpcodeIndex()))
                inner = graph.Tensors(operator.Inputs(0)) if operator.InputsLength() else None
                if code == DEQUANTIZE and inner is not None and TYPES.get(inner.Type()) == "float16":
                    return inner, "stored as float16"
                return None, f"computed in the graph by {_NAMES.get(code, code)}"
        return None, "an input of the model"

    def _weight(self, weight: Any | None, bias: Any | None) -> Weight | None:
        if weight is None or not TYPES.get(weight.Type(), "").startswith("float"):
            return None
        held = bias is not None and bool(self._bytes(bias)) and TYPES.get(bias.Type()) == "float32"
        return Weight(lambda: self.array(weight), (lambda: self.array(bias)) if held else None)

    def _bytes(self, tensor: Any) -> int:
        buffer = self.model.Buffers(tensor.Buffer())
        return int(buffer.DataLength()) if buffer is not None else 0

    def array(self, tensor: Any) -> Array:
        """The numbers of a stored tensor. Raises ScanError where they are not as many as its shape says."""
        content = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        dtype, shape = np.dtype(TYPES[tensor.Type()]).newbyteorder("<"), _shape(tensor)
        if np.prod(shape, dtype=object) * dtype.itemsize != content.size:
            raise ScanError(f"{self.path}: the tensor {_name(tensor)!r} is of shape {shape} and has {content.size} "
                            "bytes: convert the model again")  # fmt: skip
        return np.frombuffer(content, dtype).reshape(shape)


_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_ACTIVATIONS = {value: name for name, value in vars(tflite.ActivationFunctionType).items() if isinstance(value, int)}


def open_model(path: Path) -> TfliteModel:
    """The model in a file. Raises ScanError where it is none, and OSError."""
    with open_regular(path) as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ScanError(f"{path}: is empty: give a whole model file") from None
    if content[4:8] != MARK:
        raise ScanError(f"{path}: is no TFLite file, as {MARK.decode()} does not stand at byte 4: give a .tflite file")
    model = TfliteModel(path, tflite.Model.GetRootAsModel(content, 0))
    _guarded(path, lambda: _checked(model))
    return model


def _checked(model: TfliteModel) -> None:
    if not _count(model.path, model.model.SubgraphsLength()):
        raise ScanError(f"{model.path}: has no graph: give a whole model file")
    _count(model.path, model.model.BuffersLength())
    model.layers({})


def _guarded(path: Path, read: Callable[[], Any]) -> None:
    """What is read. Raises ScanError where the file ends before, or points outside of itself."""
    try:
        read()
    except (ScanError, SizeError):
        raise
    except Exception as error:  # the reader of flat buffers follows whatever offsets there are
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ScanError(f"{path}: is truncated or damaged ({reason[:100]}): give a whole model file") from None


def _count(path: Path, count: int) -> int:
    if count > MOST:
        raise ScanError(f"{path}: claims {count} parts of a kind, and {MOST} are read at most: give a whole model file")
    return count


def _operators(path: Path, model: Any, number: int) -> Iterator[_Operator]:
    """The transposed convolutions of a graph."""
    graph = model.Subgraphs(number)
    count = _count(path, graph.OperatorsLength())
    _count(path, graph.TensorsLength())
    for at in range(count):
        operator = graph.Operators(at)
        opcode = model.OperatorCodes(operator.OpcodeIndex())
        code = _code(opcode)
        custom = (opcode.CustomCode() or b"").decode("utf-8", "replace") if code == CUSTOM else ""
        if code in UNREAD:
            custom = _NAMES[code]
        if code in RANKS or code in UNREAD or TRANSPOSED.search(custom):
            yield _Operator(operator, code, graph, at + 1, count, f" of graph {number + 1}" * bool(number), custom)


def _code(opcode: Any) -> int:
    return max(int(opcode.BuiltinCode()), int(opcode.DeprecatedBuiltinCode()))


def _indices(operator: Any) -> list[int]:
    return [int(operator.Inputs(at)) for at in range(min(operator.InputsLength(), BIAS + 1))]


def _name(tensor: Any) -> str:
    return (tensor.Name() or b"").decode("utf-8", "replace") or "tensor"


def _shape(tensor: Any) -> Ints:
    return tuple(int(tensor.Shape(at)) for at in range(min(tensor.ShapeLength(), 8)))


def _signature(tensor: Any) -> list[Extent]:
    count = tensor.ShapeSignatureLength()
    signed = [int(tensor.ShapeSignature(at)) for at in range(min(count, 8))] if count else _shape(tensor)
    return [extent if extent > 0 else None for extent in signed]


def _shape_of(graph: Any, index: int) -> list[Extent]:
    return _signature(graph.Tensors(index))


def _whole(shape: Sequence[Extent]) -> Ints:
    """A shape of which each extent is known."""
    return tuple(extent for extent in shape if isinstance(extent, int))


def _text(at: _Operator, size: Ints, *, bias: bool) -> str:
    """An operator as a call of the idiom."""
    table = at.operator.BuiltinOptions()
    options = tflite.TransposeConvOptions() if at.code == PLANE else tflite.Conv3DOptions()
    if table is None:
        raise ScanError("an operator has no options: give a whole model file")
    options.Init(table.Bytes, table.Pos)
    padding, after = int(options.Padding()), int(options.FusedActivationFunction())
    if padding >= len(PADDINGS):
        raise ScanError(f"an operator has the padding {padding}")
    strides = [] if at.code == PLANE else [options.StrideD()]
    strides += [options.StrideH(), options.StrideW()]
    return text(RANKS[at.code], size, [*map(int, strides)], PADDINGS[padding], bias=bias,
                after=_ACTIVATIONS.get(after, str(after)))  # fmt: skip


def _claim(call: str, x: Ints, w: Ints) -> tuple[Claim | None, str]:
    """What a call means, or why nothing is claimed of it."""
    try:
        return idioms.read(FRAMEWORK, call, {"x": x, "w": w}).claim, ""
    except Refusal as reason:
        return None, str(reason)
