"""The numbers of the tensors of a TFLite graph: those that the file holds, and those that are computed of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from conformance.adapters.models._computed import Cast, Computed, Step, computed, reshaped
from conformance.adapters.models._moves import dequantized, gathered, joined, parted, sliced
from conformance.scan.formats.lite.given import UnknownError, options
from conformance.scan.layer import STORED, Array, ScanError

TYPES = {
    tflite.TensorType.FLOAT32: "float32", tflite.TensorType.FLOAT16: "float16", tflite.TensorType.FLOAT64: "float64",
    tflite.TensorType.INT8: "int8", tflite.TensorType.UINT8: "uint8", tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT32: "int32", tflite.TensorType.INT64: "int64",
}  # fmt: skip
"""The dtypes whose numbers are read."""
UPSTREAM = 6
"""Operators that are named where a weight is computed."""
INPUT = "an input of the model"


@dataclass(frozen=True)
class Numbers:
    """The tensors of a graph of a file, by their numbers."""

    path: Path
    model: Any
    graph: Any
    code: Callable[[Any], int]

    @cached_property
    def _producers(self) -> Mapping[int, tuple[Any, int]]:
        """The operator that gives each tensor, and which of its answers that is."""
        graph = self.graph
        every = (graph.Operators(at) for at in range(graph.OperatorsLength()))
        return {int(each.Outputs(at)): (each, at) for each in every for at in range(each.OutputsLength())}

    def known(self, index: int, taken: str) -> tuple[Callable[[], Array] | None, str]:
        """What reads a weight or bias of a layer whose input is of a dtype, where its numbers are known; and where it
        comes from. Whole numbers that meet an input of fractions stand for those with their scale."""
        tensor = self.graph.Tensors(index)
        dtype = TYPES.get(tensor.Type(), "another type")
        if self.holds(index):
            whence = STORED if dtype == "float32" else f"stored as {dtype}"
            if dtype.startswith("float"):
                return lambda: self.array(index), whence
            scaled = self._dequantizing(index, []) if taken == "float32" and dtype in TYPES.values() else None
            return None if scaled is None else lambda: scaled.compute(self.array(index)), whence
        if (made := self._computed(index)) is None:
            return None, self._provenance(index)
        exact = made.exact
        return lambda: exact, self._provenance(index)

    def holds(self, index: int) -> bool:
        """Whether the file has the numbers of a tensor."""
        buffer = self.model.Buffers(self.graph.Tensors(index).Buffer())
        return buffer is not None and bool(buffer.DataLength())

    def array(self, index: int) -> Array:
        """The numbers of a stored tensor. Raises ScanError where they are not as many as its shape says."""
        tensor = self.graph.Tensors(index)
        content = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        dtype = np.dtype(TYPES[tensor.Type()]).newbyteorder("<")
        shape = tuple(int(tensor.Shape(at)) for at in range(min(tensor.ShapeLength(), 8)))
        if np.prod(shape, dtype=object) * dtype.itemsize != content.size:
            raise ScanError(f"{self.path}: the tensor {name_of(tensor)!r} is of shape {shape} and has {content.size} "
                            "bytes: convert the model again")  # fmt: skip
        return np.frombuffer(content, dtype).reshape(shape)

    def whole(self, index: int) -> Array | None:
        """The whole numbers of a tensor that the file holds, such as sizes and axes."""
        kind = self.graph.Tensors(index).Type()
        if kind not in (tflite.TensorType.INT32, tflite.TensorType.INT64) or not self.holds(index):
            return None
        try:
            return self.array(index)
        except ScanError:  # of a tensor that is no layer's
            return None

    def _computed(self, index: int) -> Computed | None:
        def stored(name: str) -> Array | None:
            at = int(name)
            return self.array(at) if self.holds(at) and self.graph.Tensors(at).Type() in TYPES else None

        return computed(str(index), stored, lambda name: self._step(int(name)))

    def _step(self, index: int) -> Step | None:
        """What the operator does that gives a tensor; None where that is not known."""
        if index not in self._producers:
            return None
        operator, number = self._producers[index]
        kind = self.code(operator)
        operands = [int(operator.Inputs(at)) for at in range(operator.InputsLength())]
        names = [str(each) for each in operands if each >= 0]
        if kind == _OF["DEQUANTIZE"]:
            return self._dequantizing(operands[0], names)
        if kind in KEEPING:
            shape = [int(self.graph.Tensors(index).Shape(at)) for at in range(self.graph.Tensors(index).ShapeLength())]
            return Step(lambda x: reshaped(x, shape), names[:1], moves=True)
        if kind == _OF["CAST"]:
            return Step(Cast(TYPES.get(self.graph.Tensors(index).Type(), "")), names, exact=True)
        make = MOVING.get(kind)
        try:
            return None if make is None else Step(make(operator, number), names, moves=True)
        except UnknownError:  # of an operator without options
            return None

    def _dequantizing(self, index: int, names: list[str]) -> Step | None:
        tensor = self.graph.Tensors(index)
        if TYPES.get(tensor.Type(), "").startswith("float"):
            return Step(Cast("float32"), names, exact=True)
        said = tensor.Quantization()
        if said is None or not said.ScaleLength() or said.ScaleLength() != said.ZeroPointLength():
            return None
        scales, zeros = said.ScaleAsNumpy(), said.ZeroPointAsNumpy()
        return Step(lambda x: dequantized(x, scales, zeros, said.QuantizedDimension()), names, exact=True)

    def _provenance(self, index: int) -> str:
        """Which operators compute a tensor, as far as they are known."""
        through: list[str] = []
        follows = True
        while follows and index in self._producers and len(through) < UPSTREAM:
            operator, _ = self._producers[index]
            kind = self.code(operator)
            through.append(NAMES.get(kind, str(kind)))
            follows = self._step(index) is not None and operator.InputsLength() > 0
            index = int(operator.Inputs(int(kind == _OF["SPLIT"]))) if follows else index
        if through == ["DEQUANTIZE"] and self.graph.Tensors(index).Type() == tflite.TensorType.FLOAT16:
            return "stored as float16"
        end = [] if not follows or index in self._producers or self.holds(index) else [INPUT]
        return f"computed in the graph by {' of '.join([*through, *end])}" if through else INPUT


def name_of(tensor: Any) -> str:
    """A tensor's name."""
    return (tensor.Name() or b"").decode("utf-8", "replace") or "tensor"


_OF = {name: number for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
NAMES = {number: name for name, number in _OF.items()}
KEEPING = frozenset(_OF[name] for name in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"))
"""Operators that keep all numbers in their order, in the shape that the file states."""


def _transposed(*_: Any) -> Callable[..., Array]:
    return lambda x, order: np.transpose(x, order.tolist())


def _sliced(*_: Any) -> Callable[..., Array]:
    def cut(x: Array, begin: Array, size: Array) -> Array:
        ends = [None if many == -1 else start + many for start, many in zip(begin.tolist(), size.tolist(), strict=True)]
        return sliced(x, begin.tolist(), ends, range(x.ndim))

    return cut


def _gathered(operator: Any, _: int) -> Callable[..., Array]:
    has = options(operator, tflite.GatherOptions)

    def taken(x: Array, indices: Array) -> Array:
        if has.BatchDims():
            raise ValueError("indices of slices")
        return gathered(x, indices, int(has.Axis()))

    return taken


def _joined(operator: Any, _: int) -> Callable[..., Array]:
    axis = int(options(operator, tflite.ConcatenationOptions).Axis())
    return lambda *arrays: joined(axis, *arrays)


def _split(operator: Any, number: int) -> Callable[..., Array]:
    of = int(options(operator, tflite.SplitOptions).NumSplits())

    def part(axis: Array, x: Array) -> Array:
        each = x.shape[int(axis.ravel()[0])] // of
        return parted(x, int(axis.ravel()[0]), [each] * operator.OutputsLength(), number)

    return part


MOVING: Mapping[int, Callable[[Any, int], Callable[..., Array]]] = {
    _OF["TRANSPOSE"]: _transposed, _OF["SLICE"]: _sliced, _OF["GATHER"]: _gathered, _OF["CONCATENATION"]: _joined,
    _OF["SPLIT"]: _split,
}  # fmt: skip
"""Operators that move numbers, by what they do."""
