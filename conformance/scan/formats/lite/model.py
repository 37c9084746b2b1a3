"""TFLite: the TRANSPOSE_CONV and CONV_3D_TRANSPOSE operators of a file, with the shapes that its tensors state."""

import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tflite

from conformance import idioms
from conformance.idioms.base import Claim, Refusal
from conformance.idioms.catalogue._tflite import PADDINGS, text
from conformance.io.bounded import open_regular
from conformance.problem import Ints
from conformance.scan.formats.lite.shapes import File, Shapes, inferred
from conformance.scan.formats.lite.weights import NAMES, TYPES, Numbers, name_of
from conformance.scan.layer import Array, Extent, Layer, ScanError, SizeError, Weight

MARK = b"TFL3"
MOST = 1 << 20
"""Operators and tensors that a file may have."""
PLANE, SOLID, CUSTOM = (
    tflite.BuiltinOperator.TRANSPOSE_CONV, tflite.BuiltinOperator.CONV_3D_TRANSPOSE, tflite.BuiltinOperator.CUSTOM,
)  # fmt: skip
FRAMEWORK = "tensorflow"
RANKS = {PLANE: 2, SOLID: 3}
SHAPE, WEIGHT, X, BIAS = range(4)
"""The operands in their order."""
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

    @property
    def file(self) -> File:
        """What shapes are inferred of."""
        return File(self.model.Subgraphs, self._kind, _extents, self._whole)

    def index(self, name: str) -> int:
        """The number of the tensor of an input."""
        return next(index for each, index, _ in self._inputs() if each == name)

    def _inputs(self) -> list[tuple[str, int, list[Extent]]]:
        graph = self.model.Subgraphs(0)
        indices = [int(graph.Inputs(at)) for at in range(_count(self.path, graph.InputsLength()))]
        return [(name_of(tensor), index, _signature(tensor)) for index in indices for tensor in [graph.Tensors(index)]]

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The operators, with extents where the sizes of the inputs tell them. Raises SizeError, or ScanError where the
        file ends before, or points outside of itself."""
        found: list[Layer] = []
        _guarded(self.path, lambda: found.extend(self._layers(sizes)))
        return found

    def _layers(self, sizes: Mapping[str, Ints]) -> Iterator[Layer]:
        given = {index: sizes[name] for name, index, shape in self._inputs() if shape and name in sizes}
        free = any(None in shape and name not in sizes for name, _, shape in self._inputs())
        graphs = [self.model.Subgraphs(at) for at in range(_count(self.path, self.model.SubgraphsLength()))]
        found = [[*_operators(self.path, self.model, number)] for number in range(len(graphs))]
        known = inferred(self.file, given) if any(found) else []
        for number, graph in enumerate(graphs):
            shapes = known[number] if number < len(known) else None
            numbers = Numbers(self.path, self.model, graph, self._kind)
            for each in found[number]:
                yield self._layer(each, shapes or Shapes(self.file, graph), numbers, free)

    def _whole(self, graph: Any, index: int) -> Array | None:
        return Numbers(self.path, self.model, graph, self._kind).whole(index)

    def _kind(self, operator: Any) -> int:
        return _code(self.model.OperatorCodes(operator.OpcodeIndex()))

    def _layer(self, at: _Operator, shapes: Shapes, numbers: Numbers, free: bool) -> Layer:
        place = f"operator {at.number} of {at.of}{at.inside}, {at.custom or NAMES[at.code]}"
        if at.custom:
            unknown = f"{at.custom} is not read: convert the model without it"
            return Layer(at.custom, place, f"{at.custom}(...)", None, "another type", None, "", unknown)
        indices = [*_indices(at.operator), -1]
        if len(indices) < BIAS + 1 or min(indices[WEIGHT], indices[X]) < 0:
            raise ScanError(f"{self.path}: an operator has no input or no weight: give a whole model file")
        answer, bias = int(at.operator.Outputs(0)), indices[BIAS]
        taken, made, kernel = (shapes.shape(index) for index in (indices[X], answer, indices[WEIGHT]))
        call = _text(at, made or (), bias=bias >= 0)
        claim, unknown = (None, _lacking(shapes, indices[X], answer, free)) if (
            taken is None or made is None or kernel is None) else _claim(call, taken, kernel)  # fmt: skip
        dtype = TYPES.get(at.graph.Tensors(indices[X]).Type(), "another type")
        read, provenance = numbers.known(indices[WEIGHT], dtype)
        beside, whence = numbers.known(bias, dtype) if bias >= 0 else (None, "")
        if bias >= 0 and read is not None and beside is None:
            read, provenance = None, f"{provenance}; its bias is {whence}"
        return Layer(name_of(at.graph.Tensors(answer)), place, call, claim, dtype,
                     None if read is None else Weight(read, beside), provenance, unknown)  # fmt: skip


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
            custom = NAMES[code]
        if code in RANKS or code in UNREAD or TRANSPOSED.search(custom):
            yield _Operator(operator, code, graph, at + 1, count, f" of graph {number + 1}" * bool(number), custom)


def _code(opcode: Any) -> int:
    return max(int(opcode.BuiltinCode()), int(opcode.DeprecatedBuiltinCode()))


def _indices(operator: Any) -> list[int]:
    return [int(operator.Inputs(at)) for at in range(min(operator.InputsLength(), BIAS + 1))]


def _signature(tensor: Any) -> list[Extent]:
    count, shape = tensor.ShapeSignatureLength(), range(min(tensor.ShapeLength(), 8))
    signed = [int(tensor.ShapeSignature(at)) for at in range(min(count, 8))] if count else [
        int(tensor.Shape(at)) for at in shape]  # fmt: skip
    return [extent if extent > 0 else None for extent in signed]


def _extents(graph: Any, index: int) -> list[Extent]:
    return _signature(graph.Tensors(index))


def _lacking(shapes: Shapes, x: int, answer: int, free: bool) -> str:
    """Why the extents of an operator are not known."""
    if free:
        return "its extents are free in the file: give the sizes of the inputs by --input"
    name = shapes.reasons.get(x) or shapes.reasons.get(answer)
    whence = f"follow from the answer of {name}, which is not known" if name else "do not follow from the inputs' sizes"
    return f"its extents {whence}: convert the model with fixed ones"


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
