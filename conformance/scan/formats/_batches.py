"""The batch of a tensor of TFLite that is free in the file: that of the inputs, where what is in between keeps it.

A file states the shapes that its converter inferred, with 1 in the stead of an extent that is free.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

import tflite

from conformance.scan.layer import Array, Extent

_OF = {name: number for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}


def _numbers(*names: str) -> frozenset[int]:
    """The operators of these names, of those that this edition of the format has."""
    return frozenset(_OF[name] for name in names if name in _OF)


FIRST = _numbers(
    "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "RELU", "RELU6",
    "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "LOGISTIC", "TANH", "ELU", "GELU", "HARD_SWISH", "SOFTMAX",
    "QUANTIZE", "DEQUANTIZE", "CAST", "ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SQUARE", "SIN", "COS", "FLOOR",
    "CEIL", "ROUND", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH",
    "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION",
)  # fmt: skip
"""Operators whose answers have the batch of their first operand."""
BETWEEN = _numbers("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "CONCATENATION")
"""Those that take several of one batch; of a CONCATENATION the axis is another one."""
MOVING = _numbers("RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS")
"""Those that keep the numbers of their first operand, whatever their order."""
DENSE = _numbers("FULLY_CONNECTED")
"""Those that take rows of as many numbers as the weight has."""
PADS = _numbers("PAD", "PADV2", "MIRROR_PAD")
REDUCES = _numbers("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
SLICES = _numbers("STRIDED_SLICE")
"""Those that keep the batch where numbers of the file say so: their second operand, and of a slice the further ones."""
TRANSPOSE_CONV = _numbers("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")
X = 2
"""The operand of them that the batch is of."""

Shape = Sequence[Extent]


def batches(
    graph: Any, given: Mapping[int, int], code: Callable[[Any], int], shape: Callable[[int], Shape],
    stored: Callable[[int], Array | None],
) -> Callable[[int], int | None]:  # fmt: skip
    """What gives the batch of a tensor by its number; None where it is not known.

    `given` are the batches of the graph's inputs, `code` tells an operator, and `shape` a tensor, with what is free;
    `stored` gives the whole numbers that the file holds.
    """
    producers = {operator.Outputs(at): operator for number in range(graph.OperatorsLength())
                 for operator in [graph.Operators(number)] for at in range(operator.OutputsLength())}  # fmt: skip

    @cache
    def batch(index: int) -> int | None:
        own = shape(index)
        if not own or isinstance(own[0], int):
            return int(own[0] or 0) if own else None
        if index in given or index not in producers:
            return given.get(index)
        operator = producers[index]
        kind = code(operator)
        operands = [each for at in range(operator.InputsLength()) if (each := int(operator.Inputs(at))) >= 0]
        if kind in BETWEEN:
            return between(operator, kind, operands, own)
        at = X if kind in TRANSPOSE_CONV else 0
        if len(operands) <= at or not (
            kind in FIRST | TRANSPOSE_CONV | MOVING | DENSE or kept(operator, kind, operands)
        ):
            return None
        before = batch(operands[at])
        if before is None or kind not in MOVING | DENSE:
            return before
        rows = shape(operands[1])[1:] if kind in DENSE and len(operands) > 1 else own[1:]
        old, new = (_product(rest) for rest in (shape(operands[0])[1:], rows))
        return before * old // new if old and new and before * old % new == 0 else None

    def kept(operator: Any, kind: int, operands: Sequence[int]) -> bool:
        numbers = [stored(each) for each in operands[1:]]
        second = numbers[0].ravel() if numbers and numbers[0] is not None else None
        if second is None:
            return False
        if kind in PADS:
            return not second[:2].any()
        if kind in REDUCES:
            return not (second % len(shape(operands[0])) == 0).any()
        return kind in SLICES and _whole_batch(operator, numbers)

    def between(operator: Any, kind: int, operands: Sequence[int], own: Shape) -> int | None:
        if kind == _OF["CONCATENATION"] and _axis(operator) % len(own) == 0:
            return None
        found = {batch(each) if len(shape(each)) == len(own) else 1 for each in operands} - {1}
        return None if None in found or len(found) > 1 else next(iter(found), 1)

    def known(index: int) -> int | None:
        try:
            return batch(index)
        except RecursionError:  # of operators that follow each other in a circle, or in thousands
            return None

    return known


def _axis(operator: Any) -> int:
    table, options = operator.BuiltinOptions(), tflite.ConcatenationOptions()
    if table is not None:
        options.Init(table.Bytes, table.Pos)
    return int(options.Axis()) if table is not None else 0


def _whole_batch(operator: Any, numbers: Sequence[Array | None]) -> bool:
    """Whether a slice has all of the first axis, and its other axes are where they were."""
    table, options = operator.BuiltinOptions(), tflite.StridedSliceOptions()
    begin, steps = numbers[0], numbers[2] if len(numbers) > 2 else None
    if table is None or begin is None or steps is None or not begin.size or not steps.size:
        return False
    options.Init(table.Bytes, table.Pos)
    moved = options.EllipsisMask() or options.NewAxisMask() or options.ShrinkAxisMask() & 1
    starts = options.BeginMask() & 1 or begin.flat[0] == 0
    return not moved and bool(starts) and bool(options.EndMask() & 1) and steps.flat[0] == 1


def _product(shape: Shape) -> int:
    """How many numbers a shape has; 0 where that is not known."""
    return prod(extent if isinstance(extent, int) else 0 for extent in shape)
