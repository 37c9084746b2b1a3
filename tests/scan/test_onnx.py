"""ONNX files: every ConvTranspose with all of its fields, at the sizes that matter; and what is no model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load

from conformance.cli import commands
from conformance.numerics.formats import rounded
from conformance.scan import scanning
from conformance.scan.layer import Array, ScanError
from conformance.suites.scans.file import Row, read
from conformance.suites.scans.weights import digest_of

RNG = np.random.default_rng(0)
UP1 = RNG.standard_normal((3, 8, 4, 4)).astype("f4")
BIAS = RNG.standard_normal(8).astype("f4")
UP2 = RNG.standard_normal((8, 4, 3, 3)).astype("f4")
UP3 = RNG.standard_normal((4, 2, 2, 2)).astype("f4")


def save(path: Path, nodes: Sequence[Any], tensors: dict[str, Array], shape: Sequence[Any] = (1, 3, 8, 8),
         opset: int = 17, output: str = "y", **options: Any) -> Path:  # fmt: skip
    graph = helper.make_graph(
        list(nodes), "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)])
    onnx.save(model, path, **options)
    return path


def test_a_graph_that_fits_no_size_is_blamed_and_not_the_size(tmp_path: Path) -> None:
    save(tmp_path / "m.onnx", [helper.make_node("Transpose", ["w"], ["v"], perm=[0, 1, 2, 9]),
                               helper.make_node("ConvTranspose", ["x", "v"], ["y"])], {"w": UP1})  # fmt: skip
    with pytest.raises(ScanError, match="its graph is refused whatever the sizes of its inputs"):
        scanning.scan(str(tmp_path / "m.onnx"))


def test_inner_graphs_have_the_tensors_of_those_around_them_and_a_state_is_no_input(tmp_path: Path) -> None:
    def graph(name: str, nodes: list[Any], tensors: Sequence[Any] = (), given: Sequence[Any] = ()) -> Any:
        out = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
        return helper.make_graph(nodes, name, list(given), [out], list(tensors))

    def up(weight: str, to: str) -> Any:
        return helper.make_node("ConvTranspose", ["x", weight], [to], name=to)

    def either(to: str, then: Any, other: Any) -> Any:
        return helper.make_node("If", ["c"], [to], name=to, then_branch=then, else_branch=other)

    flag = numpy_helper.from_array(np.array(True), "c")
    middle = graph("m", [either("t", graph("a", [up("w", "p")]), graph("b", [up("w", "q")]))],
                   [numpy_helper.from_array(UP1, "w")])  # fmt: skip
    other = graph("o", [up("v", "r")])
    state = graph("s", [helper.make_node("Identity", ["go"], ["on"]), up("held", "u")], (), [
        helper.make_tensor_value_info("at", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("held", TensorProto.FLOAT, UP1.shape),
    ])  # fmt: skip
    state.output.insert(0, helper.make_tensor_value_info("on", TensorProto.BOOL, []))
    state.node.append(helper.make_node("Identity", ["held"], ["kept"]))
    state.output.insert(1, helper.make_tensor_value_info("kept", TensorProto.FLOAT, None))
    loop = helper.make_node("Loop", ["n", "c", "v"], ["end", "us"], name="loop", body=state)
    path = save(tmp_path / "m.onnx", [either("y", middle, other), loop], {"v": UP1, "n": np.array(3)})
    model = onnx.load(path)
    model.graph.initializer.append(flag)
    onnx.save(model, path)
    rows = {row.layer.rpartition("/")[2]: row for row in scanning.scan(str(path)).scan.rows}
    assert {name: row.provenance for name, row in rows.items()} == {
        "p": "stored", "q": "stored", "r": "stored",
        "u": "given to the inner graph loop/body, such as the state of a loop",
    }  # fmt: skip
    assert {row.problem for row in rows.values()} == {"i8x8 k4 ic3 oc8"}


def node(*operands: str, to: str, **words: Any) -> Any:
    return helper.make_node("ConvTranspose", operands, [to], **words)


def decoder(path: Path, shape: Sequence[Any] = (1, 3, 8, 8), **options: Any) -> Path:
    nodes = [
        node("x", "up1.weight", "up1.bias", to="h1", name="/up1/ConvTranspose", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["h1"], ["h2"]),
        node("h2", "up2.weight", to="h3", strides=[2, 2], auto_pad="SAME_UPPER"),
        node("h3", "up3.weight", to="y", name="up3", strides=[2, 2], group=2, output_padding=[1, 0]),
    ]
    tensors = {"up1.weight": UP1, "up1.bias": BIAS, "up2.weight": UP2, "up3.weight": UP3}
    return save(path, nodes, tensors, shape, **options)


def rows(path: Path, *inputs: str) -> list[Row]:
    return list(scanning.scan(str(path), inputs).scan.rows)


def test_every_field_of_every_layer_is_told(tmp_path: Path) -> None:
    first, second, third = rows(decoder(tmp_path / "m.onnx"))
    assert first == Row(
        id="up1-convtranspose", layer="/up1/ConvTranspose", place="node 1 of 4, ConvTranspose",
        call='onnx.helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2])',
        problem="i8x8 k4 s2 p1 ic3 oc8 bias",
        law=first.law, data="n c k", weight="(g i) o k", taps="as stored", dtype="float32", digest=digest_of(UP1),
        provenance="stored",
    )  # fmt: skip
    assert [row.problem for row in (second, third)] == [
        "i16x16 k3 s2 p0:1 ic8 oc4", "i32x32 k2 s2 p0:-1x0 g2 ic2 oc2",
    ]  # fmt: skip
    assert (second.layer, third.digest) == ("h3", digest_of(UP3))
    assert [row.id for row in (second, third)] == ["h3", "up3"]


def test_a_free_axis_is_asked_at_its_ends(tmp_path: Path) -> None:
    model = decoder(tmp_path / "m.onnx", ["n", 3, "h", "w"])
    assert [bool(row.problem) for row in rows(model)] == [False] * 3
    scan = scanning.scan(str(model), ["x=1..8,3,5..64,5..65"]).scan
    assert [row.problem for row in scan.rows if row.layer == "h3"] == [
        "i10x10 k3 s2 p0:1 ic8 oc4", "i128x130 k3 s2 p0:1 ic8 oc4 n8",
    ]  # fmt: skip
    assert scan.header.taken == ["axis 2 of x in 5..64: every extent", "axis 3 of x in 5..65: every extent"]
    assert scan.rows[0].dynamic == ["axis 0 of x: 1..8", "axis 2 of x: 5..64", "axis 3 of x: 5..65"]
    printed = CliRunner().invoke(commands, ["scan", str(model), "--input", "x=1..8,3,5..64,5..65"]).output
    assert "  dynamic in the model: axis 0 of x: 1..8; axis 2 of x: 5..64; axis 3 of x: 5..65\n" in printed


def test_the_sizes_that_a_model_takes_are_told(tmp_path: Path) -> None:
    down = RNG.standard_normal((4, 3, 2, 2)).astype("f4")
    up = RNG.standard_normal((4, 3, 2, 2)).astype("f4")
    nodes = [
        helper.make_node("Conv", ["x", "down"], ["h"], strides=[2, 2]),
        node("h", "up", to="u", strides=[2, 2]),
        helper.make_node("Concat", ["u", "x"], ["y"], axis=1),
    ]
    model = save(tmp_path / "m.onnx", nodes, {"down": down, "up": up}, [1, 3, "h", "w"])
    scan = scanning.scan(str(model), ["x=1,3,5..101,6"]).scan
    assert scan.header.taken[0].startswith("axis 2 of x in 5..101: multiples of 2: others: ")
    assert [row.problem for row in scan.rows] == ["i3x3 k2 s2 ic4 oc3", "i50x3 k2 s2 ic4 oc3"]
    with pytest.raises(ScanError, match="takes no input of this size"):
        scanning.scan(str(model), ["x=1,3,5,5"])


def test_a_scan_is_written_and_read_with_its_weights(tmp_path: Path) -> None:
    scanned = scanning.scan(str(decoder(tmp_path / "m.onnx")))
    (tmp_path / "s.jsonl").write_bytes(scanned.scan.content)
    assert read(tmp_path / "s.jsonl") == scanned.scan
    weights = load(scanning.stored(scanned.weights))
    assert sorted(weights) == ["/up1/ConvTranspose", "/up1/ConvTranspose.bias", "h3", "up3"]
    assert np.array_equal(weights["h3"], UP2)
    assert np.array_equal(weights["/up1/ConvTranspose.bias"], BIAS)


def test_data_beside_the_model_is_read_where_it_lies(tmp_path: Path) -> None:
    model = decoder(tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert [row.digest for row in rows(model)] == [digest_of(array) for array in (UP1, UP2, UP3)]
    (tmp_path / "m.data").write_bytes((tmp_path / "m.data").read_bytes()[:100])
    with pytest.raises(ScanError, match=r"not whole in 'm\.data'"):
        rows(model)
    (tmp_path / "m.data").unlink()
    with pytest.raises(ScanError, match=r"'m.data', which is missing: put that file beside the model"):
        rows(model)


def test_data_outside_of_the_folder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    model = decoder(tmp_path / "in" / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    model.write_bytes(model.read_bytes().replace(b"m.data", b"../etc"))
    with pytest.raises(ScanError, match="not beside the model"):
        rows(model)


def test_a_weight_that_is_computed_of_stored_numbers_is_known_and_says_by_what(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["a", "a"], ["w"]), node("x", "w", to="y")]
    (row,) = rows(save(tmp_path / "m.onnx", nodes, {"a": UP1}))
    squares = (UP1.astype(np.float64) ** 2).astype("f4")
    assert (row.provenance, row.digest, row.problem) == (
        "computed in the graph by Mul", digest_of(squares), "i8x8 k4 ic3 oc8",
    )  # fmt: skip


AXES = np.array([1, 2, 3])
WEIGHT_NORMS: dict[str, list[Any]] = {
    "as PyTorch exports it": [
        helper.make_node("ReduceL2", ["v", "axes"], ["n"], keepdims=1),
        helper.make_node("Div", ["v", "n"], ["u"]), helper.make_node("Mul", ["u", "g"], ["w"]),
    ],
    "by a sum of squares": [
        helper.make_node("Mul", ["v", "v"], ["q"]), helper.make_node("ReduceSum", ["q", "axes"], ["s"], keepdims=1),
        helper.make_node("Sqrt", ["s"], ["n"]), helper.make_node("Div", ["g", "n"], ["f"]),
        helper.make_node("Identity", ["f"], ["i"]), helper.make_node("Mul", ["v", "i"], ["w"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("nodes", WEIGHT_NORMS.values(), ids=WEIGHT_NORMS)
def test_a_weight_norm_is_told_with_the_weight_that_it_gives(tmp_path: Path, nodes: list[Any]) -> None:
    g = RNG.uniform(0.5, 2, (3, 1, 1, 1)).astype("f4")
    tensors = {"v": UP1, "g": g, "axes": AXES, "b": BIAS}
    scanned = scanning.scan(str(save(tmp_path / "m.onnx", [*nodes, node("x", "w", "b", to="y")], tensors, opset=18)))
    (row,), weights = scanned.scan.rows, load(scanning.stored(scanned.weights))
    assert (row.provenance, row.dtype) == ("folded with weight norm", "float32")
    v = UP1.astype(np.float64)
    exact = g * v / np.sqrt((v**2).sum((1, 2, 3), keepdims=True))
    assert row.digest == digest_of(exact.astype("f4"))
    np.testing.assert_array_equal(weights[row.layer], exact.astype("f4"))
    np.testing.assert_array_equal(weights[f"{row.layer}.bias"], BIAS)


@pytest.mark.parametrize(("stored", "taken"), [("FLOAT16", "FLOAT"), ("FLOAT", "BFLOAT16")])
def test_a_weight_that_is_cast_has_the_dtype_that_the_layer_takes(tmp_path: Path, stored: str, taken: str) -> None:
    kinds = {name: getattr(onnx.TensorProto, name) for name in (stored, taken)}
    held = UP1.astype("f2" if stored == "FLOAT16" else "f4")
    graph = helper.make_graph(
        [helper.make_node("Cast", ["a"], ["w"], to=kinds[taken]), node("x", "w", to="y")], "g",
        [helper.make_tensor_value_info("x", kinds[taken], [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", kinds[taken], None)], [numpy_helper.from_array(held, "a")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)]), tmp_path / "m.onnx")
    (row,) = rows(tmp_path / "m.onnx")
    assert row.dtype == {"FLOAT": "float32", "BFLOAT16": "bfloat16"}[taken]
    assert row.digest == digest_of(held.astype("f4") if taken == "FLOAT" else rounded(8, held))


def test_a_long_tensor_of_a_constant_stays_in_the_file(tmp_path: Path) -> None:
    long = RNG.standard_normal((3, 64, 4, 4)).astype("f4")
    nodes = [helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(long)), node("x", "w", to="y")]
    (row,) = rows(save(tmp_path / "m.onnx", nodes, {}))
    assert row.digest == digest_of(long)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("channels", [2, 640])
def test_other_dtypes_are_read(tmp_path: Path, dtype: str, channels: int) -> None:
    weight = RNG.standard_normal((3, channels, 2, 2)).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [node("x", "w", to="y")], "g", [helper.make_tensor_value_info("x", kind, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("y", kind, None)],
        [helper.make_tensor("w", kind, weight.shape, weight.ravel().tolist())],
    )  # fmt: skip
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    (row,) = rows(tmp_path / "m.onnx")
    assert (row.dtype, row.digest) == (dtype, digest_of(weight))


def test_layers_inside_of_branches_have_the_names_around_them(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("x", "w", to="b", name="up")], "then", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(UP1, "w")],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["b"])], "else", [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )  # fmt: skip
    nodes = [helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=other)]
    (row,) = rows(save(tmp_path / "m.onnx", nodes, {"c": np.array(True)}))
    assert (row.layer, row.problem) == ("choice/then_branch/up", "i8x8 k4 ic3 oc8")


def test_an_unknown_operator_before_a_layer_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Warp", ["x"], ["h"], domain="mine"), node("h", "w", to="y")]
    (row,) = rows(save(tmp_path / "m.onnx", nodes, {"w": UP1}))
    assert row.unknown.startswith("the extents of x, which Warp gives (of the domain mine, which is not known),")


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def foreign(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04 no protocol buffer at all" * 100)
    return path


def truncated(path: Path) -> Path:
    content = decoder(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def deep(path: Path) -> Path:
    graph = b"\x52" + length(5000) + b"a" * 5000
    for _ in range(100):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # a graph of an attribute of a node
            graph = tag + length(len(graph)) + graph
    path.write_bytes(b"\x3a" + length(len(graph)) + graph)
    return path


def length(count: int) -> bytes:
    made = bytearray()
    while count > 127:
        made.append(count & 127 | 128)
        count >>= 7
    return bytes([*made, count])


def huge(path: Path) -> Path:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**31, 2**31, 4, 4], raw_data=b"\0" * 8)
    model = onnx.load(save(path, [node("x", "w", to="y")], {}))
    model.graph.initializer.append(tensor)
    onnx.save(model, path)
    return path


def newer(path: Path) -> Path:
    return save(path, [node("x", "w", to="y")], {"w": UP1}, opset=900)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, "is empty"), (foreign, "no model"), (truncated, "ends inside of a field"), (deep, "nested too deeply"),
        (huge, "of shape|channels|2147483648"), (newer, "is of opset 900"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_said_in_a_line(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    path = make(tmp_path / "m.onnx")
    with pytest.raises(ScanError, match=message) as raised:
        rows(path)
    assert str(raised.value).count("\n") == 0
    assert str(path) in str(raised.value)


def test_a_model_without_any_has_no_rows(tmp_path: Path) -> None:
    assert rows(save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], {})) == []


def casting(*kinds: str) -> list[Any]:
    names = ["a", *(f"c{at}" for at in range(len(kinds) - 1)), "w"]
    return [helper.make_node("Cast", [given], [to], to=getattr(TensorProto, kind))
            for given, to, kind in zip(names, names[1:], kinds, strict=False)]  # fmt: skip


@pytest.mark.parametrize(("kinds", "gives"), [
    (("INT8", "FLOAT"), np.trunc(UP1 * 3)), (("FLOAT16", "FLOAT"), (UP1 * 3).astype("f2").astype("f4")),
    (("BFLOAT16", "FLOAT"), rounded(8, UP1 * 3)), (("DOUBLE", "FLOAT"), UP1 * 3),
    (("BOOL", "FLOAT"), np.ones(UP1.shape, "f4")),
], ids=str)  # fmt: skip
def test_a_weight_that_is_cast_on_its_way_is_told_as_it_arrives(
    tmp_path: Path, kinds: Sequence[str], gives: Array
) -> None:  # fmt: skip
    (row,) = rows(save(tmp_path / "m.onnx", [*casting(*kinds), node("x", "w", to="y")], {"a": UP1 * 3}))
    assert row.digest == digest_of((gives + np.float32(0)).astype("f4"))


HALF = [helper.make_node("Cast", ["w0"], ["w"], to=TensorProto.FLOAT)]
UNKNOWN: dict[str, tuple[list[Any], dict[str, Array]]] = {
    "out of the range of what it is cast to": (casting("INT8", "FLOAT"), {"a": UP1 * 1000}),
    "cast of what is computed": ([helper.make_node("Mul", ["a", "a"], ["w0"]), *HALF], {"a": UP1.astype("f2")}),
    "a division of whole numbers": (
        [helper.make_node("Div", ["a", "b"], ["w0"]), *HALF], {"a": (UP1 * 9).astype("i4"), "b": np.array(2, "i4")},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "tensors"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_weight_that_each_framework_may_give_otherwise_is_not_known(
    tmp_path: Path, nodes: list[Any], tensors: dict[str, Array]
) -> None:  # fmt: skip
    (row,) = rows(save(tmp_path / "m.onnx", [*nodes, node("x", "w", to="y")], {**tensors, "f": UP1}))
    assert (row.digest, row.provenance.partition(" by ")[0]) == ("", "computed in the graph")


def test_a_line_feed_in_a_name_does_not_begin_a_line(tmp_path: Path) -> None:
    model = save(tmp_path / "a\nb.onnx", [node("x", "w", to="y", name="u\np")], {"w": UP1})
    told = CliRunner().invoke(commands, ["scan", str(model)]).output.splitlines()
    assert (told[0].partition(":")[0], told[2].partition(":")[0]) == ("a\\nb.onnx", "u\\np")
    assert all(not line or line.startswith("  ") for line in (told[1], *told[3:]))


def test_a_bias_that_is_computed_of_stored_numbers_is_known(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"])]
    scanned = scanning.scan(str(save(tmp_path / "m.onnx", nodes, {"w": UP1, "a": BIAS})))
    assert [row.digest for row in scanned.scan.rows] == [digest_of(UP1)]
    np.testing.assert_array_equal(scanned.weights["y.bias"](), -BIAS)


def test_a_bias_that_is_not_known_is_told_beside_the_weight(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["b"], axes=[0, 1, 3], keepdims=0),
             helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"])]  # fmt: skip
    (row,) = rows(save(tmp_path / "m.onnx", nodes, {"w": UP1}))
    assert (row.digest, row.provenance) == ("", "stored; its bias is computed in the graph by ReduceMean")


def test_a_weight_in_whole_numbers_has_its_own_dtype_and_no_meaning(tmp_path: Path) -> None:
    (row,) = rows(save(tmp_path / "m.onnx", [node("x", "w", to="y")], {"w": UP1.astype(np.int32)}))
    assert (row.dtype, row.problem, row.unknown) == ("int32", "", "ConvTranspose is not defined on int32")


def test_an_attribute_that_no_size_fits_is_blamed_on_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [node("x", "w", to="y", group=0)], {"w": UP1})
    with pytest.raises(ScanError, match=r"refused on inputs of the sizes that it states: .*group must be > 0"):
        scanning.scan(str(path))


def test_an_extent_of_nothing_and_an_input_without_axes_are_not_free(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [node("x", "w", to="y")], {"w": UP1}, (1, 3, 0, 8))
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("flag", TensorProto.BOOL, []))
    onnx.save(model, path)
    scanned = scanning.scan(str(path)).scan
    assert scanned.header.inputs == {"x": "1,3,0,8"}
    assert [(row.dynamic, row.unknown) for row in scanned.rows] == [
        ([], "input (0, 8): nothing is claimed of extents below 1")
    ]


def test_an_operator_of_another_domain_with_the_name_of_one_is_told(tmp_path: Path) -> None:
    (row,) = rows(save(tmp_path / "m.onnx", [node("x", "w", to="y", name="up", domain="mine")], {"w": UP1}))
    assert (row.layer, row.problem) == ("up", "")
    assert row.unknown == "mine.ConvTranspose is not read: export the model without it"


def test_a_sparse_tensor_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [node("x", "w", to="y")], {})
    model = onnx.load(path)
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64), "at"), [3, 8, 4, 4])
    model.graph.sparse_initializer.append(sparse)
    onnx.save(model, path)
    with pytest.raises(ScanError, match="the tensor 'w' is stored as a sparse one, which is not read"):
        scanning.scan(str(path))
