"""Files of torch.export: the graph in them read as JSON, sizes as the expressions that they are.

PyTorch's own loader is not used: it evaluates text of the file and may unpickle parts of it.
"""

import ast
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import ceil, floor, prod
from pathlib import Path
from typing import Any, cast

import numpy as np

from conformance import idioms
from conformance.adapters.models._aten import call_text
from conformance.adapters.models._computed import (
    ARITHMETIC,
    Computed,
    Computing,
    Step,
    computed,
    reducing,
    reshaped,
    same,
    weight_norm,
)
from conformance.idioms.base import Claim, Refusal
from conformance.io.bounded import LARGEST_ARRAY, LARGEST_TEXT, BoundError, open_regular, read_json
from conformance.problem import Ints
from conformance.scan.layer import STORED, Array, Extent, Layer, ScanError, SizeError, Weight, in_dtype

FRAMEWORK = "torch"
MODEL, CONFIG, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json", "data/weights/"
TARGETS = tuple(f"torch.ops.aten.conv_transpose{rank}d" for rank in (1, 2, 3))
GENERAL = "torch.ops.aten.convolution"
TYPES = {6: ("float16", "<f2"), 7: ("float32", "<f4"), 8: ("float64", "<f8"), 13: ("bfloat16", "<u2")}
"""The dtypes of a transposed convolution by their numbers in these files, and how NumPy reads their bytes."""
UPSTREAM = 6
"""Operators that are named where a weight is computed."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A file that has been opened: its graph, its signature, and where each parameter lies."""

    path: Path
    root: str
    graph: Mapping[str, Any]
    specifications: Sequence[Mapping[str, Any]]
    ranges: Mapping[str, Any]
    parameters: Mapping[str, Any]
    kind: str = "torch.export"
    _folded: dict[str, str | None] = field(default_factory=dict)
    """What each weight that is computed is folded with, by its name; None where it depends on more than parameters."""

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents of each input that is a tensor; a free one is its expression."""
        given = (each["user_input"]["arg"] for each in self.specifications if "user_input" in each)
        names = [arg["as_tensor"]["name"] for arg in given if "as_tensor" in arg]
        return {name: [_extent(size) for size in self._sizes(name)] for name in names}

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The layers on inputs of these sizes. Raises SizeError for sizes that the file's ranges do not hold."""
        symbols = self._symbols(sizes)
        nodes = [node for node in self.graph["nodes"] if _transposes(node)]
        return [self._layer(node, at, len(nodes), symbols) for at, node in enumerate(nodes, 1)]

    def _sizes(self, name: str) -> Sequence[Any]:
        sizes: Sequence[Any] = self.graph["tensor_values"][name]["sizes"]
        return sizes

    def _symbols(self, sizes: Mapping[str, Ints]) -> dict[str, int]:
        """The numbers that symbols have on these inputs."""
        symbols: dict[str, int] = {}
        for name, shape in sizes.items():
            for axis, (size, extent) in enumerate(zip(self._sizes(name), shape, strict=False)):
                if "as_expr" not in size:
                    continue
                text = size["as_expr"]["expr_str"]
                symbol, number = _solved(text, extent, f"axis {axis} of {name}")
                if symbols.setdefault(symbol, number) != number:
                    raise SizeError(f"axis {axis} of {name} is {extent}, and goes with another axis that is not so")
        for symbol, number in symbols.items():
            bounds = self.ranges.get(symbol) or {}
            low, high = bounds.get("min_val"), bounds.get("max_val")
            if (low is not None and number < low) or (high is not None and number > high):
                raise SizeError(f"{symbol} is {number}, and was exported for {low} to {high}")
        return symbols

    def _layer(self, node: Mapping[str, Any], number: int, of: int, symbols: Mapping[str, int]) -> Layer:
        words = {each["name"]: _value(each["arg"]) for each in node["inputs"]}
        shapes, unknown = self._shapes(words, symbols)
        bias = words.get("bias") is not None
        rank = len(self._sizes(words["weight"])) - 2
        text = call_text(rank, bias=bias, words=words)
        claim: Claim | None = None
        if not unknown:
            try:
                claim = idioms.read(FRAMEWORK, text, shapes).claim
            except Refusal as reason:
                unknown = str(reason)
        dtype = TYPES.get(self.graph["tensor_values"][words["weight"]]["dtype"], ("float32", ""))[0]
        weight, folded = self._weight(words, dtype)
        return Layer(
            _name(node), f"transposed convolution {number} of {of}, node {node.get('name') or node['outputs']}", text,
            claim, dtype, weight, folded or self._provenance(words["weight"]), unknown,
        )  # fmt: skip

    def _shapes(self, words: Mapping[str, Any], symbols: Mapping[str, int]) -> tuple[dict[str, Ints], str]:
        shapes = {}
        for letter, operand in (("x", "input"), ("w", "weight")):
            extents = [_number(size, symbols) for size in self._sizes(words[operand])]
            if any(extent is None for extent in extents):
                return {}, f"the extents of {letter} are not known: give the sizes of the inputs by --input"
            shapes[letter] = tuple(int(extent or 0) for extent in extents)
        return shapes, ""

    def _provenance(self, name: str) -> str:
        if name in self._stored():
            return STORED
        through: list[str] = []
        producers = self._producers()
        while name in producers and len(through) < UPSTREAM:
            node = producers[name]
            through.append(str(node["target"]).removeprefix("torch.ops.aten.").partition(".")[0])
            names = [value for each in node["inputs"] if isinstance(value := _value(each["arg"]), str)]
            if not names:
                break
            name = names[0]
        return f"computed in the graph by {' of '.join(through)}" if through else "an input of the model"

    def _stored(self) -> dict[str, str]:
        """The parameters and buffers by the names that the graph has for them."""
        return {
            each[kind]["arg"]["name"]: each[kind][f"{kind}_name"]
            for each in self.specifications for kind in ("parameter", "buffer") if kind in each
        }  # fmt: skip

    def _producers(self) -> dict[str, Mapping[str, Any]]:
        """The nodes by the names of their answers; of several answers, the first."""
        firsts = ((node, next(iter(_tensors(node)), "")) for node in self.graph["nodes"])
        return {name: node for node, name in firsts if name}

    def _weight(self, words: Mapping[str, Any], dtype: str) -> tuple[Weight | None, str]:
        """The weight and bias where the file holds or says them, and what a weight is folded with."""
        stored = self._stored()
        bias = stored.get(words["bias"]) if words.get("bias") else None
        if words.get("bias") and bias is None:
            return None, ""
        read = None if bias is None else partial(self.array, bias)
        if (name := stored.get(words["weight"])) is not None:
            return Weight(partial(self.array, name), read), ""
        made = partial(self._computed, words["weight"])
        if words["weight"] not in self._folded:
            first = made()
            self._folded[words["weight"]] = None if first is None else first.folded
        folded = self._folded[words["weight"]]
        if folded is None:
            return None, ""
        return Weight(lambda: in_dtype(cast(Computed, made()).exact, dtype), read), folded

    def _computed(self, name: str) -> Computed | None:
        """What the graph computes under a name of parameters alone."""
        stored, producers = self._stored(), self._producers()
        return computed(name, lambda each: self.array(stored[each]) if each in stored else None,
                        lambda each: _step(producers.get(each)))  # fmt: skip

    def array(self, name: str) -> Array:
        """A parameter. Raises ScanError where it is missing, or is not as long as it says."""
        entry = self.parameters.get(name)
        if entry is None or entry.get("use_pickle"):
            lack = "is in no file" if entry is None else "is pickled, and would be run as it is loaded"
            raise ScanError(f"{self.path}: the parameter {name!r} {lack}: export the model again")
        try:
            meta, place = entry["tensor_meta"], f"{self.root}{WEIGHTS}{entry['path_name']}"
            shape, strides = ([int(size["as_int"]) for size in meta[part]] for part in ("sizes", "strides"))
            dtype, start = TYPES.get(meta["dtype"], ("", ""))[1], int(meta["storage_offset"]["as_int"])
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise ScanError(f"{self.path}: what stands there of the parameter {name!r} cannot be read "
                            f"({type(error).__name__}: {error}): export the model again") from None  # fmt: skip
        if not dtype:
            raise ScanError(f"{self.path}: the parameter {name!r} is of another type: export it in float32")
        content = _member(self.path, place, LARGEST_ARRAY)
        flat = np.frombuffer(content, dtype, len(content) // np.dtype(dtype).itemsize)[start:]
        last = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
        if min([start, *shape, *strides]) < 0 or (0 not in shape and last >= flat.size):
            raise ScanError(f"{self.path}: the parameter {name!r} is of shape {tuple(shape)} and has {flat.size} "
                            "numbers: export the model again")  # fmt: skip
        if dtype == "<u2":
            flat = (flat.astype("<u4") << 16).view("<f4")
        steps = [stride * flat.itemsize for stride in strides]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False))


def open_model(path: Path) -> ExportedModel:
    """The model in a file. Raises ScanError where it is none, and OSError."""
    root = _root(path)
    try:
        document = read_json(_member(path, root + MODEL, LARGEST_TEXT).decode("utf-8"))
        config = read_json(_member(path, root + CONFIG, LARGEST_TEXT).decode("utf-8"))["config"]
        module = document["graph_module"]
        model = ExportedModel(path, root, module["graph"], module["signature"]["input_specs"],
                              document["range_constraints"], config)  # fmt: skip
        model.layers({})
    except (BoundError, LookupError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ScanError(f"{path}: is no file of torch.export that is read here ({type(error).__name__}: {error}): "
                        "export it again by PyTorch 2.8 or newer") from None  # fmt: skip
    return model


def _root(path: Path) -> str:
    """The folder in the archive that everything is in. Raises ScanError for what is no such archive."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ScanError(f"{path}: is no archive ({error}), so that it is truncated, or no file of torch.export: give "
                        "a whole model file") from None  # fmt: skip
    root = next((name.removesuffix(MODEL) for name in names if name.endswith(MODEL)), None)
    if root is None:
        raise ScanError(f"{path}: has no {MODEL}, so that it is of an older torch.export, or no model: export it again "
                        "by PyTorch 2.8 or newer")  # fmt: skip
    return root


def _member(path: Path, name: str, largest: int) -> bytes:
    """The bytes of a member of the archive. Raises ScanError where it is missing, damaged or too large."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            if archive.getinfo(name).file_size > largest:
                raise ScanError(f"{path}: {name} has more than {largest} bytes: give a smaller model")
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, NotImplementedError) as error:
        if isinstance(error, ScanError):
            raise
        raise ScanError(f"{path}: {name} cannot be read: {error}: export the model again") from None


def _transposes(node: Mapping[str, Any]) -> bool:
    target = str(node["target"])
    if target.startswith(GENERAL):
        return any(each["name"] == "transposed" and each["arg"].get("as_bool") for each in node["inputs"])
    return target.startswith(TARGETS)


def _tensors(node: Mapping[str, Any]) -> Iterator[str]:
    """The names of the answers of a node."""
    for output in node["outputs"]:
        several = output["as_tensors"] if "as_tensors" in output else [output.get("as_tensor") or {}]
        yield from (each["name"] for each in several if "name" in each)


WEIGHT_NORMS = ("_weight_norm", "_weight_norm_interface")
NUMBERWISE = ("mul", "div", "add", "sub", "pow", "sqrt", "rsqrt", "reciprocal", "neg", "abs")
"""Operators of ATen on numbers, whose operands are tensors or numbers."""
SHAPING: Mapping[str, tuple[Computing, str]] = {
    "view": (reshaped, "size"), "reshape": (reshaped, "shape"), "_unsafe_view": (reshaped, "size"),
    "permute": (np.transpose, "dims"), "unsqueeze": (np.expand_dims, "dim"),
}  # fmt: skip
COPIES = ("clone", "_to_copy", "contiguous", "detach", "alias", "lift_fresh_copy")
REDUCTIONS: Mapping[str, str] = {"linalg_vector_norm": "norm", "norm": "norm", "sum": "sum"}


def _step(node: Mapping[str, Any] | None) -> Step | None:
    """What a node computes; None where it is no arithmetic that is known here."""
    if node is None:
        return None
    name = str(node["target"]).removeprefix("torch.ops.aten.").partition(".")[0]
    words = {each["name"]: each["arg"] for each in node["inputs"]}
    values = {each: _value(arg) for each, arg in words.items()}
    operands = [values[each] for each, arg in words.items() if "as_tensor" in arg]
    if name in WEIGHT_NORMS:
        return Step(weight_norm, operands)
    if name in NUMBERWISE and len(operands) == len(words):
        return Step(ARITHMETIC[name], operands)
    if name in COPIES:  # into another dtype they are casts, which are not known
        return Step(same, operands, moves=True) if "as_none" in words.get("dtype", {"as_none": True}) else None
    if name in SHAPING and SHAPING[name][1] in values:  # a view in another dtype has no size
        compute, argument = SHAPING[name]
        return Step(lambda x: compute(x, values[argument]), operands, moves=True)
    if name in REDUCTIONS and values.get("ord", values.get("p", 2)) in (2, None):
        return Step(reducing(REDUCTIONS[name], values.get("dim"), bool(values.get("keepdim"))), operands)
    return None


def _value(arg: Mapping[str, Any]) -> Any:
    """An argument: the name of a tensor, numbers, or None."""
    for kind, value in arg.items():
        if kind == "as_tensor":
            return value["name"]
        if kind in ("as_ints", "as_int", "as_bool", "as_none"):
            return None if kind == "as_none" else value
    return None


def _name(node: Mapping[str, Any]) -> str:
    """The path of the module that the node is of, or its own name."""
    entries = [entry.split(",") for entry in str(node.get("metadata", {}).get("nn_module_stack", "")).split(";")]
    paths = [entry[1] for entry in entries if len(entry) > 2 and "ConvTranspose" in entry[-1]]
    return paths[-1] if paths and paths[-1] else str(node.get("name") or node["outputs"][0]["as_tensor"]["name"])


def _extent(size: Mapping[str, Any]) -> Extent:
    return int(size["as_int"]) if "as_int" in size else "free"


def _number(size: Mapping[str, Any], symbols: Mapping[str, int]) -> int | None:
    """The extent of an axis; None where a symbol of it is not known."""
    if "as_int" in size:
        return int(size["as_int"])
    try:
        number = _evaluated(size["as_expr"]["expr_str"], symbols)
    except KeyError:
        return None
    if number.denominator != 1:
        raise SizeError(f"an extent would be {number}")
    return int(number)


def _solved(text: str, extent: int, where: str) -> tuple[str, int]:
    """The symbol of a linear expression, and the number that gives it this value. Raises SizeError."""
    symbol = next(iter(_names(text)), "")
    at = [_evaluated(text, {symbol: number}) for number in (0, 1, 2)]
    slope = at[1] - at[0]
    if not slope or at[2] - at[1] != slope:
        raise SizeError(f"{where} is of an expression that is not read: {text[:80]}")
    number = (extent - at[0]) / slope
    if number.denominator != 1:
        raise SizeError(f"{where} is {extent}, and was exported as a multiple of {slope}")
    return symbol, int(number)


OPERATIONS: Mapping[str, Any] = {
    "Add": lambda *of: sum(of), "Mul": lambda *of: prod(of), "Max": max, "Min": min,
    "FloorDiv": lambda a, b: Fraction(floor(a / b)), "CleanDiv": lambda a, b: Fraction(floor(a / b)),
    "Mod": lambda a, b: a % b, "PythonMod": lambda a, b: a % b, "Integer": Fraction, "Rational": Fraction,
    "floor": lambda a: Fraction(floor(a)), "ceiling": lambda a: Fraction(ceil(a)),
    "FloorToInt": lambda a: Fraction(floor(a)), "CeilToInt": lambda a: Fraction(ceil(a)),
    "IntTrueDiv": lambda a, b: Fraction(a) / Fraction(b), "ToFloat": Fraction, "TruncToInt": lambda a: Fraction(int(a)),
}  # fmt: skip
"""What expressions of sizes are made of."""


def _tree(text: str) -> ast.expr:
    try:
        if len(text) > 10_000:
            raise SizeError("an extent is an expression of more than 10,000 characters")
        return ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        raise SizeError(f"an extent is no expression: {text[:80]}") from None


def _names(text: str) -> Iterator[str]:
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Symbol":
            yield str(ast.literal_eval(node.args[0]))


def _evaluated(text: str, symbols: Mapping[str, int]) -> Fraction:
    """The number of an expression; nothing but arithmetic is known. Raises KeyError for a symbol without a number."""
    return _value_of(_tree(text), symbols)


def _value_of(node: ast.expr, symbols: Mapping[str, int]) -> Fraction:
    match node:
        case ast.Constant(value=int() as number):
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value_of(operand, symbols)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str() as name), *_]):
            return Fraction(symbols[name])
        case ast.Call(func=ast.Name(id="Pow"), args=[base, ast.Call() as power]):
            exponent = _value_of(power, symbols)
            if abs(exponent) <= 4 and exponent.denominator == 1:
                return Fraction(_value_of(base, symbols) ** int(exponent))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in OPERATIONS:
            try:
                return Fraction(OPERATIONS[name](*(_value_of(argument, symbols) for argument in arguments)))
            except (TypeError, ValueError, ZeroDivisionError):
                pass
    raise SizeError(f"an extent is of an expression that is not read: {ast.unparse(node)[:80]}")
