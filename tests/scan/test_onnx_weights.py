"""Weights of ONNX files that are moved, quantized or dequantized on their way to a layer, judged by ONNX's own
evaluator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from conformance.adapters.models import _computed
from conformance.scan.layer import Array
from conformance.suites.scans.weights import digest_of
from tests.scan.test_onnx import node, rows, save

RNG = np.random.default_rng(1)
FLOATS = RNG.standard_normal((3, 8, 4, 4)).astype("f4")
LARGER = RNG.standard_normal((6, 8, 5, 7)).astype("f4")
WHOLE = RNG.integers(-128, 128, (3, 8, 4, 4))
SCALES = RNG.uniform(0.001, 0.1, 8).astype("f4")


def make(kind: str, *operands: str, to: str = "w", **words: Any) -> Any:
    return helper.make_node(kind, operands, [to], **words)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


MOVED: dict[str, tuple[list[Any], dict[str, Array]]] = {
    "a slice of a larger tensor": (
        [make("Slice", "a", "from", "to", "axes", "by")],
        {"a": LARGER, "from": ints(5, 0, 6), "to": ints(-100, 4, -100), "axes": ints(0, 2, -1), "by": ints(-2, 1, -2)},
    ),
    "a slice of all axes, in steps alone": (
        [make("Slice", "a", "from", "to", "", "by")],
        {"a": LARGER, "from": ints(0, 0, 0, 3), "to": ints(99, 99, 4, -8), "by": ints(2, 1, 1, -1)},
    ),
    "the second part of a split": (
        [helper.make_node("Split", ["a", "parts"], ["v", "w"], axis=1)],
        {"a": np.concatenate([FLOATS, FLOATS + 1], 1), "parts": ints(8, 8)},
    ),
    "the short last part of an even split": (
        [helper.make_node("Split", ["a"], ["u", "v", "w"], axis=3, num_outputs=3)], {"a": LARGER[:3, :, :4]},
    ),
    "parts put together in another order": (
        [make("Gather", "a", "order", to="g"), make("Slice", "g", "from", "to", "from", to="h"),
         make("Concat", "h", "g", axis=0)],
        {"a": LARGER[..., :4, :4], "order": ints(4, -1), "from": ints(0), "to": ints(1)},
    ),
    "reshaped, with an axis that is kept and one that follows, transposed and flattened": (
        [make("Reshape", "a", "shape", to="r"), make("Transpose", "r", to="t", perm=[2, 1, 0]),
         make("Flatten", "t", to="f", axis=2), make("Shape", "like", to="s"), make("Reshape", "f", "s")],
        {"a": FLOATS, "shape": ints(0, -1, 2), "like": np.zeros((3, 8, 4, 4), "f4")},
    ),
    "one kernel for each channel": (
        [make("Unsqueeze", "k", "ahead", to="u"), make("Expand", "u", "shape", to="e"), make("Tile", "e", "times")],
        {"k": FLOATS[0, 0], "ahead": ints(0, 1), "shape": ints(3, 1, 1, 1), "times": ints(1, 2, 1, 1)},
    ),
    "an outer product": (
        [make("Mul", "a", "b")], {"a": FLOATS[:, :, :1, :], "b": FLOATS[:, :, :, :1]},
    ),
}  # fmt: skip
QUANTIZED: dict[str, tuple[list[Any], dict[str, Array]]] = {
    "per tensor": (
        [make("DequantizeLinear", "q", "s", "z")],
        {"q": WHOLE.astype("i1"), "s": np.array(0.037, "f4"), "z": np.array(-3, "i1")},
    ),
    "per channel, without a zero, transposed": (
        [make("DequantizeLinear", "q", "s", to="d", axis=0), make("Transpose", "d", perm=[1, 0, 2, 3])],
        {"q": np.moveaxis(WHOLE, 0, 1).astype("i1"), "s": SCALES},
    ),
    "per channel of uint8": (
        [make("DequantizeLinear", "q", "s", "z", axis=-3)],
        {"q": (WHOLE + 128).astype("u1"), "s": SCALES, "z": np.arange(120, 128).astype("u1")},
    ),
    "in blocks": (
        [make("DequantizeLinear", "q", "s", axis=2, block_size=3)],
        {"q": WHOLE.astype("i2") * 200, "s": np.abs(FLOATS[:, :, :2]) + 1},
    ),
    "in one block that is longer than the axis": (
        [make("DequantizeLinear", "q", "s", axis=2, block_size=1 << 40)],
        {"q": WHOLE.astype("i1"), "s": np.abs(FLOATS[:, :, :1]) + 1},
    ),
    "in halves": (
        [make("DequantizeLinear", "q", "s", to="h"), make("Cast", "h", to_=TensorProto.FLOAT)],
        {"q": WHOLE.astype("i1"), "s": np.array(0.037, "f2")},
    ),
    "of a bias": (
        [make("DequantizeLinear", "q", "s")], {"q": (WHOLE * 99999).astype("i4"), "s": np.array(1e-6, "f4")},
    ),
    "quantized before": (
        [make("QuantizeLinear", "a", "s", "z", to="q", axis=1), make("DequantizeLinear", "q", "s", "z", axis=1)],
        {"a": FLOATS * 5, "s": SCALES, "z": np.zeros(8, "i1")},
    ),
    "quantized to what is said": (
        [make("QuantizeLinear", "a", "s", to="q", output_dtype=TensorProto.INT16),
         make("DequantizeLinear", "q", "s")],
        {"a": FLOATS * 5, "s": np.array(0.001, "f4")},
    ),
    "quantized to uint8, as nothing is said": (
        [make("QuantizeLinear", "a", "s", to="q"), make("DequantizeLinear", "q", "s")],
        {"a": FLOATS * 5, "s": np.array(0.05, "f4")},
    ),
}  # fmt: skip
ALL = MOVED | QUANTIZED


def saved(path: Path, nodes: Sequence[Any], tensors: dict[str, Array]) -> Path:
    for each in nodes:
        for attribute in each.attribute:
            attribute.name = attribute.name.removesuffix("_")
    return save(path, [*nodes, node("x", "w", to="y")], tensors, opset=22)


@pytest.mark.parametrize(("nodes", "tensors"), ALL.values(), ids=ALL)
def test_a_weight_has_the_digest_of_what_onnx_computes(
    tmp_path: Path, nodes: list[Any], tensors: dict[str, Array]
) -> None:
    path = saved(tmp_path / "m.onnx", nodes, tensors)
    model = onnx.load(path)
    del model.graph.node[-1], model.graph.output[0], model.graph.input[0]
    for attribute in (one for each in model.graph.node for one in each.attribute if one.name == "block_size"):
        attribute.i = min(attribute.i, 4)  # which the evaluator takes room for
    model.graph.output.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, None))
    for index, each in enumerate(model.opset_import):
        if each.domain:
            del model.opset_import[index]
    (weight,) = ReferenceEvaluator(model).run(None, {})
    (row,) = rows(path)
    assert row.problem.startswith("i8x8 k4")
    assert row.digest == digest_of(weight)
    assert row.provenance.startswith(f"computed in the graph by {nodes[-1].op_type}")


def test_numbers_of_four_bits_are_dequantized(tmp_path: Path) -> None:
    whole = WHOLE // 16
    path = saved(tmp_path / "m.onnx", [make("DequantizeLinear", "q", "s", "z", axis=1)], {"s": SCALES})
    model = onnx.load(path)
    model.graph.initializer.extend([
        helper.make_tensor("q", TensorProto.INT4, whole.shape, whole.ravel().tolist()),
        helper.make_tensor("z", TensorProto.INT4, (8,), [*range(-4, 4)]),
    ])  # fmt: skip
    onnx.save(model, path)
    zero = np.arange(-4, 4).reshape(8, 1, 1)
    (row,) = rows(path)
    assert row.digest == digest_of(((whole - zero) * SCALES.astype("f8").reshape(8, 1, 1)).astype("f4"))


NOT_KNOWN: dict[str, tuple[list[Any], dict[str, Array], str]] = {
    "by what is not known": (
        [make("Relu", "a", to="r"), make("Transpose", "r", perm=[0, 1, 3, 2])], {"a": FLOATS}, "Transpose of Relu",
    ),
    "of an input": (
        [make("Slice", "x", "from", "to")], {"from": ints(0), "to": ints(3)}, "Slice of an input of the model",
    ),
    "quantized of what is computed": (
        [make("Mul", "a", "a", to="m"), make("QuantizeLinear", "m", "s", to="q"), make("DequantizeLinear", "q", "s")],
        {"a": FLOATS, "s": np.array(0.1, "f4")}, "DequantizeLinear of QuantizeLinear of Mul",
    ),
    "of whole numbers that float32 does not hold": (
        [make("DequantizeLinear", "q", "s")], {"q": WHOLE.astype("i4") << 20, "s": np.array(1, "f4")},
        "DequantizeLinear",
    ),
    "quantized to float8": (
        [make("QuantizeLinear", "a", "s", to="q", output_dtype=TensorProto.FLOAT8E4M3FN),
         make("DequantizeLinear", "q", "s")], {"a": FLOATS, "s": np.array(1, "f4")},
        "DequantizeLinear of QuantizeLinear",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "tensors", "said"), NOT_KNOWN.values(), ids=NOT_KNOWN)
def test_another_weight_is_not_known_and_the_operators_up_to_the_first_unknown_one_are_named(
    tmp_path: Path, nodes: list[Any], tensors: dict[str, Array], said: str
) -> None:
    shape = (3, 3, 4, 4) if "x" in nodes[0].input else (1, 3, 8, 8)
    path = saved(tmp_path / "m.onnx", nodes, tensors)
    if shape != (1, 3, 8, 8):
        path = save(path, [*nodes, node("x", "w", to="y")], tensors, shape, 22)
    (row,) = rows(path)
    assert row.problem
    assert (row.digest, row.provenance) == ("", f"computed in the graph by {said}")


def test_few_numbers_that_become_many_are_not_made(tmp_path: Path) -> None:
    tensors = {"a": np.ones((3, 1, 1, 1), "f4"), "shape": ints(3, 8, 40000, 40000)}
    path = save(tmp_path / "m.onnx", [make("Expand", "a", "shape"), node("x", "w", to="y")], tensors,
                (1, 3, 40000, 40000), 22)  # fmt: skip
    (row,) = rows(path)
    assert (row.digest, row.provenance) == ("", "computed in the graph by Expand")


@pytest.mark.parametrize("most", [100, 1000])
def test_many_nodes_that_each_make_few_numbers_do_not_make_many_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(_computed, "MOST", most)
    nodes = [make("Add", f"s{at}", "a", to=f"s{at + 1}") for at in range(20)]
    nodes += [make("Concat", *[f"s{at}" for at in range(1, 21)], to="c", axis=0), make("Slice", "c", "from", "to")]
    tensors = {"s0": FLOATS, "a": FLOATS, "from": ints(0), "to": ints(3)}
    path = save(tmp_path / "m.onnx", [*nodes, node("x", "w", to="y")], tensors, opset=22)
    (row,) = rows(path)
    assert FLOATS.size == 384
    assert bool(row.digest) == (most == 1000)  # 16,512 numbers are made of 384


def test_a_tensor_that_layers_share_is_each_ones_weight(tmp_path: Path) -> None:
    nodes = [make("Slice", "a", "from", "to", to="v"), node("x", "v", to="h"), make("Identity", "v"),
             node("x", "w", to="y")]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, {"a": np.concatenate([FLOATS] * 2), "from": ints(0), "to": ints(3)},
                opset=22)  # fmt: skip
    assert [(row.digest, row.provenance.partition(" by ")[2]) for row in rows(path)] == [
        (digest_of(FLOATS), "Slice"), (digest_of(FLOATS), "Identity of Slice"),
    ]  # fmt: skip
