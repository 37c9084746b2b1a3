"""The shape that each of TFLite's operators answers, and the whole numbers that shapes are computed of."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import tflite

from conformance.scan.formats.lite.given import Answer, Given, MisfitError, UnknownError
from conformance.scan.layer import Array

SAME, VALID = range(2)
X = 2
"""The operand of a transposed convolution that its batch is of."""

Rule = Callable[[Given], Sequence[Answer]]


def _one(shape: Sequence[int], numbers: Array | None = None) -> Sequence[Answer]:
    if any(extent < 0 for extent in shape):
        raise MisfitError(f"a size that would leave {tuple(shape)}")
    return [(tuple(int(extent) for extent in shape), numbers)]


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise UnknownError
    return axis % rank


def _first(given: Given) -> Sequence[Answer]:
    return _one(given.shape(0))


def _of_numbers(compute: Callable[..., Any]) -> Rule:
    """The rule of an operator number by number, whose operands are repeated along axes of 1."""

    def rule(given: Given) -> Sequence[Answer]:
        shapes = [given.shape(at) for at in range(len(given.shapes))]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            raise MisfitError(f"operands of {' and '.join(map(str, shapes))}") from None
        known = all(each is not None for each in given.numbers)
        return _one(shape, compute(*given.numbers) if known else None)

    return rule


def _convolved(extent: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    whole = (kernel - 1) * dilation + 1
    made = -(-extent // stride) if padding == SAME else (extent - whole) // stride + 1
    if stride < 1 or made < 1:
        raise MisfitError(f"an extent of {extent} under a kernel of {whole}")
    return made


def _convolution(kind: Any, axes: str, kernel: slice, channels: int) -> Rule:
    """The rule of a convolution: the axes that it goes along, and where the weight has the kernel and the channels."""

    def rule(given: Given) -> Sequence[Answer]:
        x, w, has = given.shape(0), given.shape(1), given.options(kind)
        steps = [(getattr(has, f"Stride{axis}")(), getattr(has, f"Dilation{axis}Factor")()) for axis in axes]
        inner = [_convolved(extent, taps, *each, has.Padding())
                 for extent, taps, each in zip(x[1:-1], w[kernel], steps, strict=True)]  # fmt: skip
        return _one([x[0], *inner, w[channels]])

    return rule


def _pooled(given: Given) -> Sequence[Answer]:
    x, has = given.shape(0), given.options(tflite.Pool2DOptions)
    inner = [_convolved(extent, getattr(has, f"Filter{name}")(), getattr(has, f"Stride{name[0]}")(), 1, has.Padding())
             for name, extent in zip(("Height", "Width"), x[1:3], strict=True)]  # fmt: skip
    return _one([x[0], *inner, x[3]])


def _sized(given: Given) -> Sequence[Answer]:
    """What is told its size, a transposed convolution: that size, or the one that the file states for any batch."""
    if given.numbers[0] is not None:
        return _one(given.whole(0))
    rest = [extent for extent in given.stated[0][1:] if isinstance(extent, int)]
    if len(rest) + 1 != len(given.shape(X)):
        raise UnknownError
    return _one([given.shape(X)[0], *rest])


def _resized(given: Given) -> Sequence[Answer]:
    x = given.shape(0)
    return _one([x[0], *given.whole(1), x[3]])


def _joined(given: Given) -> Sequence[Answer]:
    shapes = [given.shape(at) for at in range(len(given.shapes))]
    axis = _axis(given.options(tflite.ConcatenationOptions).Axis(), len(shapes[0]))
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) > 1:
        raise MisfitError(f"operands of {' and '.join(map(str, shapes))}")
    known = [each for each in given.numbers if each is not None]
    numbers = np.concatenate(known, axis) if len(known) == len(shapes) else None
    return _one([*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :]], numbers)


def _packed(given: Given) -> Sequence[Answer]:
    shape = given.shape(0)
    axis = _axis(given.options(tflite.PackOptions).Axis(), len(shape) + 1)
    known = [each for each in given.numbers if each is not None]
    numbers = np.stack(known, axis) if len(known) == len(given.shapes) else None
    return _one([*shape[:axis], len(given.shapes), *shape[axis:]], numbers)


def _unpacked(given: Given) -> Sequence[Answer]:
    shape, has = given.shape(0), given.options(tflite.UnpackOptions)
    axis = _axis(has.Axis(), len(shape))
    return [((*shape[:axis], *shape[axis + 1 :]), None)] * len(given.stated)


def _split(given: Given) -> Sequence[Answer]:
    (axis,), shape = given.whole(0), given.shape(1)
    of, axis = given.options(tflite.SplitOptions).NumSplits(), _axis(axis, len(shape))
    if of < 1 or shape[axis] % of:
        raise MisfitError(f"an extent of {shape[axis]} for {of} parts")
    return [((*shape[:axis], shape[axis] // of, *shape[axis + 1 :]), None)] * len(given.stated)


def _split_in(given: Given) -> Sequence[Answer]:
    shape, sizes, (axis,) = given.shape(0), given.whole(1), given.whole(2)
    axis = _axis(axis, len(shape))
    rest = shape[axis] - sum(size for size in sizes if size >= 0)
    if rest < 0 or (rest and -1 not in sizes):
        raise MisfitError(f"an extent of {shape[axis]} for parts of {sizes}")
    return [((*shape[:axis], rest if size < 0 else size, *shape[axis + 1 :]), None) for size in sizes]


def _reshaped(given: Given) -> Sequence[Answer]:
    shape = given.shape(0)
    has = given.options(tflite.ReshapeOptions) if given.operator.BuiltinOptions() else None
    told = [int(has.NewShape(at)) for at in range(has.NewShapeLength())] if has else []
    wanted = given.whole(1) if len(given.numbers) > 1 and given.numbers[1] is not None else told
    stated = [-1 if extent is None else int(extent) for extent in given.stated[0]]
    if not wanted and prod(shape) % prod(extent for extent in stated if extent != -1):
        raise UnknownError
    wanted = wanted or stated
    rest = prod(extent for extent in wanted if extent != -1)
    if wanted.count(-1) > 1:
        raise UnknownError
    if (-1 in wanted and (not rest or prod(shape) % rest)) or (-1 not in wanted and rest != prod(shape)):
        raise MisfitError(f"{shape} in the shape {tuple(wanted)}")
    made = [prod(shape) // rest if extent == -1 else extent for extent in wanted]
    return _one(made, None if given.numbers[0] is None else given.numbers[0].reshape(made))


def _transposed(given: Given) -> Sequence[Answer]:
    shape, order = given.shape(0), given.whole(1)
    if sorted(order) != [*range(len(shape))]:
        raise UnknownError
    return _one([shape[axis] for axis in order])


def _squeezed(given: Given) -> Sequence[Answer]:
    shape, has = given.shape(0), given.options(tflite.SqueezeOptions)
    axes = {_axis(int(has.SqueezeDims(at)), len(shape)) for at in range(has.SqueezeDimsLength())}
    axes = axes or {axis for axis, extent in enumerate(shape) if extent == 1}
    if any(shape[axis] != 1 for axis in axes):
        raise MisfitError(f"{shape} without the axes {sorted(axes)}")
    made = [extent for axis, extent in enumerate(shape) if axis not in axes]
    return _one(made, None if given.numbers[0] is None else given.numbers[0].reshape(made))


def _with_axis(given: Given) -> Sequence[Answer]:
    shape, (axis, *_) = given.shape(0), given.whole(1)
    axis = _axis(axis, len(shape) + 1)
    made = [*shape[:axis], 1, *shape[axis:]]
    return _one(made, None if given.numbers[0] is None else given.numbers[0].reshape(made))


def _padded(given: Given) -> Sequence[Answer]:
    shape, pads = given.shape(0), given.whole(1)
    if len(pads) != 2 * len(shape):
        raise UnknownError
    return _one([extent + sum(pads[2 * axis : 2 * axis + 2]) for axis, extent in enumerate(shape)])


def _sliced(given: Given) -> Sequence[Answer]:
    shape, begin, size = given.shape(0), given.whole(1), given.whole(2)
    made = [extent - start if many == -1 else many for extent, start, many in zip(shape, begin, size, strict=True)]
    if any(start + many > extent for extent, start, many in zip(shape, begin, made, strict=True)):
        raise MisfitError(f"{shape} from {begin} in sizes of {size}")
    cut = tuple(slice(start, start + many) for start, many in zip(begin, made, strict=True))
    return _one(made, None if given.numbers[0] is None else given.numbers[0][cut])


def _strided(given: Given) -> Sequence[Answer]:
    """The shape of a slice, which that of an array without numbers has."""
    shape, has = given.shape(0), given.options(tflite.StridedSliceOptions)
    words = (has.BeginMask, has.EndMask, has.EllipsisMask, has.NewAxisMask, has.ShrinkAxisMask)
    chosen: list[Any] = []
    for at, (start, stop, step) in enumerate(zip(*(given.whole(each) for each in (1, 2, 3)), strict=True)):
        begin, end, ellipsis, new, shrink = (int(word()) >> at & 1 for word in words)
        whole = slice(None if begin else start, None if end else stop, step)
        chosen.append(Ellipsis if ellipsis else np.newaxis if new else start if shrink else whole)
    numbers = given.numbers[0]
    try:
        cut = np.broadcast_to(np.int8(0), shape)[tuple(chosen)]
        return _one(cut.shape, None if numbers is None else numbers.reshape(shape)[tuple(chosen)])
    except (IndexError, ValueError):
        raise MisfitError(f"{shape} in the slice {chosen}") from None


def _gathered(given: Given) -> Sequence[Answer]:
    shape, indices, has = given.shape(0), given.shape(1), given.options(tflite.GatherOptions)
    axis = _axis(int(has.Axis()), len(shape))
    if has.BatchDims():
        raise UnknownError
    both = given.numbers[0], given.numbers[1]
    numbers = None if both[0] is None or both[1] is None else np.take(both[0], both[1], axis)
    return _one([*shape[:axis], *indices, *shape[axis + 1 :]], numbers)


def _reduced(given: Given) -> Sequence[Answer]:
    shape, has = given.shape(0), given.options(tflite.ReducerOptions)
    axes = {_axis(axis, len(shape)) for axis in given.whole(1)}
    kept = [1 if axis in axes else extent for axis, extent in enumerate(shape) if axis not in axes or has.KeepDims()]
    return _one(kept)


def _blocks(kind: Any, larger: bool) -> Rule:
    def rule(given: Given) -> Sequence[Answer]:
        n, height, width, channels = given.shape(0)
        block = given.options(kind).BlockSize()
        if block < 1 or (channels % block**2 if larger else height % block or width % block):
            raise MisfitError(f"{given.shape(0)} in blocks of {block}")
        if larger:
            return _one([n, height * block, width * block, channels // block**2])
        return _one([n, height // block, width // block, channels * block**2])

    return rule


def _batched(larger: bool) -> Rule:
    """The rule of what puts blocks into the batch, or takes them out of it."""

    def rule(given: Given) -> Sequence[Answer]:
        shape, blocks, edges = given.shape(0), given.whole(1), given.whole(2)
        count, rank = prod(blocks), len(blocks)
        both = [sum(edges[2 * at : 2 * at + 2]) for at in range(rank)]
        inner = [
            (extent + edge) // block if larger else extent * block - edge
            for extent, block, edge in zip(shape[1:], blocks, both, strict=False)
        ]
        batch = shape[0] * count if larger else shape[0] // count
        return _one([batch, *inner, *shape[1 + rank :]])

    return rule


def _dense(given: Given) -> Sequence[Answer]:
    x, w, has = given.shape(0), given.shape(1), given.options(tflite.FullyConnectedOptions)
    if not w[-1] or prod(x) % w[-1]:
        raise MisfitError(f"{x} in rows of {w[-1]}")
    return _one([*x[:-1], w[0]] if has.KeepNumDims() else [prod(x) // w[-1], w[0]])


def _multiplied(given: Given) -> Sequence[Answer]:
    a, b, has = given.shape(0), given.shape(1), given.options(tflite.BatchMatMulOptions)
    rows, depth = (a[-1], a[-2]) if has.AdjX() else (a[-2], a[-1])
    taken, columns = (b[-1], b[-2]) if has.AdjY() else (b[-2], b[-1])
    if depth != taken:
        raise MisfitError(f"operands of {a} and {b}")
    return _one([*np.broadcast_shapes(a[:-2], b[:-2]), rows, columns])


def _extents(given: Given) -> Sequence[Answer]:
    shape = given.shape(0)
    return _one([len(shape)], np.array(shape, np.int64))


def _filled(given: Given) -> Sequence[Answer]:
    return _one(given.whole(0))


def _repeated(given: Given) -> Sequence[Answer]:
    return _one([extent * times for extent, times in zip(given.shape(0), given.whole(1), strict=True)])


def _broadcast(given: Given) -> Sequence[Answer]:
    return _one(given.whole(1))


def _cast(given: Given) -> Sequence[Answer]:
    """Whole numbers stay what they are in another dtype; those that were no whole numbers are none that are known."""
    return _one(given.shape(0), given.numbers[0])


_OF = {name: number for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
_FIRST = (
    "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "LOGISTIC", "TANH", "ELU", "GELU",
    "HARD_SWISH", "SOFTMAX", "LOG_SOFTMAX", "QUANTIZE", "DEQUANTIZE", "FAKE_QUANT", "ABS", "EXP", "LOG", "SQRT",
    "RSQRT", "SQUARE", "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SIGN", "L2_NORMALIZATION",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGICAL_NOT", "ZEROS_LIKE", "REVERSE_V2", "CUMSUM",
)  # fmt: skip
_NUMBERWISE: Mapping[str, Callable[..., Any]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
    "NEG": np.negative,
}  # fmt: skip
_UNCOUNTED = (
    "SQUARED_DIFFERENCE", "POW", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "LOGICAL_AND",
    "LOGICAL_OR", "SELECT_V2", "ATAN2",
)  # fmt: skip


def _quotient(compute: Callable[..., Any]) -> Callable[..., Array | None]:
    """Whole quotients of numbers that are not below nought, of which frameworks round none otherwise."""

    def divided(a: Array, b: Array) -> Array | None:
        made: Array | None = compute(a, b) if (b > 0).all() and (a >= 0).all() else None
        return made

    return divided


def _nothing(*_: Array) -> None:
    return None


_BY_NAME: Mapping[str, Rule] = (
    dict.fromkeys(_FIRST, _first)
    | {name: _of_numbers(compute) for name, compute in _NUMBERWISE.items()}
    | dict.fromkeys(_UNCOUNTED, _of_numbers(_nothing))
    | {"DIV": _of_numbers(_quotient(np.floor_divide)), "FLOOR_DIV": _of_numbers(_quotient(np.floor_divide)),
       "FLOOR_MOD": _of_numbers(_quotient(np.remainder))}
    | dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _pooled)
    | dict.fromkeys(("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"), _sized)
    | dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resized)
    | dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _padded)
    | dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"), _reduced)
    | {
        "CONV_2D": _convolution(tflite.Conv2DOptions, "HW", slice(1, 3), 0),
        "DEPTHWISE_CONV_2D": _convolution(tflite.DepthwiseConv2DOptions, "HW", slice(1, 3), 3),
        "CONV_3D": _convolution(tflite.Conv3DOptions, "DHW", slice(0, 3), 4),
        "CONCATENATION": _joined, "PACK": _packed, "UNPACK": _unpacked, "SPLIT": _split, "SPLIT_V": _split_in,
        "RESHAPE": _reshaped, "TRANSPOSE": _transposed, "SQUEEZE": _squeezed, "EXPAND_DIMS": _with_axis,
        "SLICE": _sliced, "STRIDED_SLICE": _strided, "GATHER": _gathered, "CAST": _cast,
        "DEPTH_TO_SPACE": _blocks(tflite.DepthToSpaceOptions, larger=True),
        "SPACE_TO_DEPTH": _blocks(tflite.SpaceToDepthOptions, larger=False),
        "SPACE_TO_BATCH_ND": _batched(larger=True), "BATCH_TO_SPACE_ND": _batched(larger=False),
        "FULLY_CONNECTED": _dense, "BATCH_MATMUL": _multiplied, "SHAPE": _extents, "FILL": _filled, "TILE": _repeated,
        "BROADCAST_TO": _broadcast,
    }
)  # fmt: skip
RULES: Mapping[int, Rule] = {_OF[name]: rule for name, rule in _BY_NAME.items() if name in _OF}
"""The rules by the numbers of operators, of those that this edition of the format has."""
