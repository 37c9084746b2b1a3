"""What PyTorch's operators do to stored numbers, as steps to a weight in a file of torch.export."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.adapters.models._computed import ARITHMETIC, Cast, Step, reducing, reshaped, same, weight_norm
from conformance.adapters.models._moves import dequantized, expanded, joined, parted, selected, sliced, stacked, tiled
from conformance.layout import Array
from conformance.scan.formats.exported.archive import OTHERS, TYPES
from conformance.scan.formats.exported.graph import ATEN, Node, names_of

WEIGHT_NORMS = ("_weight_norm", "_weight_norm_interface")
NUMBERWISE = ("mul", "div", "add", "sub", "pow", "sqrt", "rsqrt", "reciprocal", "neg", "abs")
"""Operators of ATen on numbers, whose operands are tensors or numbers."""
COPIES = ("clone", "_to_copy", "to", "contiguous", "detach", "alias", "lift_fresh_copy")
REDUCTIONS: Mapping[str, str] = {"linalg_vector_norm": "norm", "norm": "norm", "sum": "sum"}
DEQUANTIZED = "torch.ops.quantized_decomposed.dequantize_per_"
FLOAT32 = 7
Values = Mapping[str, Any]


def step(node: Node, number: int = 0, known: Callable[[str], str] = str) -> Step | None:
    """What a node computes as the answer of a number; None where that is not known. `known` gives operands' names."""
    target = str(node["target"])
    name = target.removeprefix(ATEN).partition(".")[0]
    words = {each["name"]: each["arg"] for each in node["inputs"]}
    values = {each: _plain(arg) for each, arg in words.items()}
    operands = [known(own) for arg in words.values() for own in names_of(arg)]
    if target.startswith(DEQUANTIZED):
        return _dequantizing(target.removeprefix(DEQUANTIZED), words, values, operands)
    if name in PARTS:
        return Step(lambda x: parted(x, values.get("dim", 0), PARTS[name](x, values), number), operands, moves=True)
    if name == "unbind":
        return Step(lambda x: selected(x, values.get("dim", 0), number), operands, moves=True)
    if number:
        return None
    if name in COPIES:
        return _copy(values.get("dtype"), words.get("dtype", {}).get("as_scalar_type"), operands)
    if name in MOVING and MOVING[name][1] in {*values, ""}:  # a view in another dtype has no size
        return Step(lambda *given: MOVING[name][0](values, *given), operands, moves=True)
    return _arithmetic(name, words, values, operands)


def _arithmetic(name: str, words: Values, values: Values, operands: Sequence[str]) -> Step | None:
    if name in WEIGHT_NORMS:
        return Step(weight_norm, operands)
    if name in NUMBERWISE and len(operands) == len(words):
        return Step(ARITHMETIC[name], operands)
    if name in REDUCTIONS and values.get("ord", values.get("p", 2)) in (2, None) and values.get("dtype") is None:
        return Step(reducing(REDUCTIONS[name], values.get("dim"), bool(values.get("keepdim"))), operands)
    return None


def _copy(given: Any, dtype: int | None, operands: Sequence[str]) -> Step | None:
    """A copy, which is a cast where it is of another dtype."""
    if given is None:
        return Step(same, operands, moves=True)
    to = TYPES[dtype][0] if dtype in TYPES else OTHERS.get(dtype or 0, "")
    return Step(Cast(to), operands, exact=True) if to else None


def _dequantizing(name: str, words: Values, values: Values, operands: Sequence[str]) -> Step | None:
    """The whole numbers of a weight with their scales; what is computed is in float32."""
    if words.get("out_dtype", {}).get("as_scalar_type", FLOAT32) != FLOAT32:
        return None
    if name == "tensor.default":
        scale, zero = np.float32(values["scale"]), np.asarray(values["zero_point"])
        return Step(lambda x: dequantized(x, np.asarray(scale), zero), operands, exact=True)
    if name == "channel.default":
        axis = int(values["axis"])
        return Step(lambda x, scales, zeros=None: dequantized(x, scales, zeros, axis), operands, exact=True)
    return None


def _plain(argument: Mapping[str, Any]) -> Any:
    """The number, numbers or nothing that an argument is; its text where it is something else."""
    kinds = ("as_ints", "as_int", "as_bool", "as_float")
    return (
        None if "as_none" in argument else next((argument[kind] for kind in kinds if kind in argument), str(argument))
    )


def _sliced(values: Values, x: Array) -> Array:
    return sliced(x, [values.get("start")], [values.get("end")], [values.get("dim", 0)], [values.get("step", 1)])


def _narrowed(values: Values, x: Array) -> Array:
    start = values["start"] + (x.shape[values["dim"]] if values["start"] < 0 else 0)
    return sliced(x, [start], [start + values["length"]], [values["dim"]])


def _squeezed(values: Values, x: Array) -> Array:
    """x without the axes of 1 among those that are named."""
    dims = values.get("dim", range(x.ndim))
    axes = {axis % x.ndim for axis in ([dims] if isinstance(dims, int) else dims)}
    return np.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


def _expanded(values: Values, x: Array) -> Array:
    shape = values["size"]
    own = (1,) * (len(shape) - x.ndim) + x.shape
    return expanded(x, [extent if each == -1 else each for each, extent in zip(shape, own, strict=True)])


def _flattened(values: Values, x: Array) -> Array:
    first, last = (values.get(word, default) % x.ndim for word, default in (("start_dim", 0), ("end_dim", -1)))
    return x.reshape((*x.shape[:first], -1, *x.shape[last + 1 :]))


def _chunks(x: Array, values: Values) -> list[int]:
    extent = x.shape[values.get("dim", 0)]
    return _even(extent, -(-extent // values["chunks"]))


def _even(extent: int, each: int) -> list[int]:
    """The sizes of parts that are all alike, but for a smaller last one."""
    return [min(each, extent - start) for start in range(0, extent, each)]


PARTS: Mapping[str, Callable[[Array, Values], Sequence[int]]] = {
    "split": lambda x, values: _even(x.shape[values.get("dim", 0)], values["split_size"]),
    "split_with_sizes": lambda _, values: values["split_sizes"], "chunk": _chunks,
}  # fmt: skip
"""Operators that cut a tensor in parts, with the sizes of these."""
MOVING: Mapping[str, tuple[Callable[..., Array], str]] = {
    "view": (lambda values, x: reshaped(x, values["size"]), "size"),
    "reshape": (lambda values, x: reshaped(x, values["shape"]), "shape"),
    "_unsafe_view": (lambda values, x: reshaped(x, values["size"]), "size"),
    "permute": (lambda values, x: np.transpose(x, values["dims"]), "dims"),
    "unsqueeze": (lambda values, x: np.expand_dims(x, values["dim"]), "dim"),
    "transpose": (lambda values, x: np.swapaxes(x, values["dim0"], values["dim1"]), "dim0"),
    "t": (lambda _, x: x.T, ""), "numpy_T": (lambda _, x: x.T, ""),
    "flip": (lambda values, x: np.flip(x, tuple(values["dims"])), "dims"),
    "slice": (_sliced, ""), "select": (lambda values, x: selected(x, values["dim"], values["index"]), "index"),
    "narrow": (_narrowed, "length"), "squeeze": (_squeezed, ""), "expand": (_expanded, "size"),
    "flatten": (_flattened, ""),
    "repeat": (lambda values, x: tiled(x, values["repeats"]), "repeats"),
    "cat": (lambda values, *arrays: joined(values.get("dim", 0), *arrays), ""),
    "stack": (lambda values, *arrays: stacked(values.get("dim", 0), *arrays), ""),
}  # fmt: skip
"""Operators that move numbers, with an argument that they have in the form that is known."""
