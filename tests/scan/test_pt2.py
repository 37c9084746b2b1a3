"""Files of torch.export, written by hand: what the lane of PyTorch exports is scanned back in its own environment."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.scan import scanning
from conformance.scan.formats.exported.steps import step
from conformance.scan.layer import ScanError
from conformance.suites.scans.weights import digest_of

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
OTHER = WEIGHT[::-1].copy()
SYMBOL = "Symbol('s0', positive=True, integer=True)"


def tensor(name: str) -> dict[str, Any]:
    return {"as_tensor": {"name": name}}


def node(target: str, answer: str, **words: Any) -> dict[str, Any]:
    inputs = [{"name": name.rstrip("_"), "arg": arg, "kind": 1} for name, arg in words.items()]
    return {"target": target, "inputs": inputs, "outputs": [tensor(answer)], "name": answer, "metadata": {}}


def convolution(answer: str, weight: str = "w", **words: Any) -> dict[str, Any]:
    target = "torch.ops.aten.conv_transpose2d.input"
    return node(target, answer, input=tensor("x"), weight=tensor(weight), **words)


def size(extent: int | str) -> dict[str, Any]:
    return {"as_int": extent} if isinstance(extent, int) else {"as_expr": {"expr_str": extent}}


def meta(shape: Sequence[int | str], dtype: int = 7) -> dict[str, Any]:
    return {"dtype": dtype, "sizes": [size(extent) for extent in shape]}


def graph(nodes: list[Any], inputs: Sequence[str] = (), x: Sequence[int | str] = (1, 2, 4, 5), **more: Any) -> Any:
    values = {"x": meta(x), "w": meta(WEIGHT.shape), "k": meta(OTHER.shape)}
    return {"nodes": nodes, "inputs": [tensor(name) for name in inputs], "tensor_values": values, **more}


def exported(path: Path, of: Any, ranges: Mapping[str, Any] | None = None, compressed: bool = False) -> Path:
    """A file with a parameter w, a constant k that is no part of the state, and the input x."""
    specifications = [
        {"parameter": {"arg": {"name": "w"}, "parameter_name": "up.weight"}},
        {"tensor_constant": {"arg": {"name": "k"}, "tensor_constant_name": "k"}},
        {"user_input": {"arg": tensor("x")}},
    ]
    document = {"graph_module": {"graph": of, "signature": {"input_specs": specifications}},
                "range_constraints": ranges or {}}  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("m/models/model.json", json.dumps(document) + " " * (1 << 25) * compressed)
        for folder, config, name, array in (
            ("weights", "weights", "up.weight", WEIGHT),
            ("constants",) * 2 + ("k", OTHER),
        ):
            strides = [stride // 4 for stride in array.strides]
            stated = meta(array.shape) | {"strides": [*map(size, strides)], "storage_offset": size(0)}
            said = {"path_name": "t", "use_pickle": False, "tensor_meta": stated}
            archive.writestr(f"m/data/{folder}/model_{config}_config.json", json.dumps({"config": {name: said}}))
            archive.writestr(f"m/data/{folder}/t", array.tobytes())
    return path


def rows(path: Path, *inputs: str) -> list[Any]:
    return [*scanning.scan(str(path), inputs).scan.rows]


def test_a_view_in_another_dtype_is_no_step_that_is_known() -> None:
    dtype = {"as_scalar_type": 4}
    assert step(node("torch.ops.aten.view.default", "y", self_=tensor("w"), size={"as_ints": [2, 3]})) is not None
    assert step(node("torch.ops.aten.view.dtype", "y", self_=tensor("w"), dtype=dtype)) is None


@pytest.mark.parametrize(
    ("words", "known"),
    [({}, True), ({"ord": {"as_float": 2.0}}, True), ({"ord": {"as_float": 1.0}}, False),
     ({"ord": {"as_none": True}}, True), ({"dtype": {"as_scalar_type": 8}}, False)],
)  # fmt: skip
def test_a_norm_is_known_of_the_second_power_alone(words: Mapping[str, Any], known: bool) -> None:
    made = step(node("torch.ops.aten.linalg_vector_norm.default", "y", self_=tensor("w"), **words))
    assert (made is not None) == known


def test_constants_that_are_no_part_of_the_state_are_stored_tensors(tmp_path: Path) -> None:
    first, second = rows(exported(tmp_path / "m.pt2", graph([convolution("a"), convolution("b", "k")])))
    assert (first.digest, first.provenance) == (digest_of(WEIGHT), "stored")
    assert (second.digest, second.provenance) == (digest_of(OTHER), "stored")


def test_branches_of_a_condition_are_looked_into(tmp_path: Path) -> None:
    branch = [{"name": f"{name}_graph", "graph": graph([convolution("y", own)], ["x", "own"])} for name, own in
              (("true", "own"), ("false", "k"))]  # fmt: skip
    for each in branch:
        each["graph"]["tensor_values"]["own"] = meta(WEIGHT.shape)
    condition = node("torch.ops.higher_order.cond", "c", a=tensor("p"), b={"as_graph": branch[0]},
                     c={"as_graph": branch[1]}, d={"as_tensors": [{"name": "x"}, {"name": "w"}]})  # fmt: skip
    yes, no = rows(exported(tmp_path / "m.pt2", graph([condition])))
    assert (yes.layer, yes.problem, yes.digest) == ("c/true_graph/y", "i4x5 k2 ic2 oc3", digest_of(WEIGHT))
    assert (no.layer, no.problem, no.digest) == ("c/false_graph/y", "i4x5 k2 ic2 oc3", "")
    assert no.provenance == "given to an inner graph, such as the state of a loop"  # k is a name of that graph's own


def test_a_loop_may_give_its_body_other_tensors_than_it_was_given(tmp_path: Path) -> None:
    body = {"name": "body", "graph": graph([convolution("y")], ["x", "w"])}
    loop = node("torch.ops.higher_order.while_loop", "l", a={"as_graph": body},
                b={"as_tensors": [{"name": "x"}, {"name": "w"}]})  # fmt: skip
    (row,) = rows(exported(tmp_path / "m.pt2", graph([loop])))
    assert (row.digest, row.provenance) == ("", "given to an inner graph, such as the state of a loop")


@pytest.mark.parametrize("name", ["quantized.conv_transpose2d.default", "aten.convolution_backward.default"])
def test_an_operator_that_may_be_one_is_told_and_not_read(name: str, tmp_path: Path) -> None:
    (row,) = rows(exported(tmp_path / "m.pt2", graph([node(f"torch.ops.{name}", "q", qx=tensor("x"))])))
    assert (row.layer, row.problem) == ("q", "")
    assert row.unknown.startswith(f"torch.ops.{name} is not read")


def test_a_layer_in_an_autocast_takes_its_weight_in_the_dtype_that_it_computes_in(tmp_path: Path) -> None:
    of = graph([convolution("y")])
    of["tensor_values"]["y"] = meta((1, 3, 5, 6), dtype=6)
    (row,) = rows(exported(tmp_path / "m.pt2", of))
    assert (row.dtype, row.provenance) == ("float16", "stored in float32")
    assert row.digest == digest_of(WEIGHT.astype(np.float16))


def test_a_batch_of_1_that_was_not_exported_is_one_of_2(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", graph([convolution("y")], x=(SYMBOL, 2, 4, 5)), {"s0": {"min_val": 2}})
    for inputs, problems in (
        ((), ["i4x5 k2 ic2 oc3 n2"]),
        (("x=1..3,2,4,5",), ["i4x5 k2 ic2 oc3 n2", "i4x5 k2 ic2 oc3 n3"]),
    ):
        assert [row.problem for row in rows(path, *inputs)] == problems
    with pytest.raises(ScanError, match="takes no input of this size: s0 is 1, and was exported for 2 to None"):
        rows(path, "x=1,2,4,5")


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        ({"stride": {"as_string": "two"}}, "stride is not known: an argument is {'as_string': 'two'}"),
        ({"padding": {"as_ints": [1, 1, 1, 1, 1]}}, "padding is (1, 1, 1, 1, 1): it takes 2 numbers here"),
        ({"output_padding": {"as_sym_ints": [{"as_int": 0}, {"as_name": "u"}]}},
         "output_padding is not known: an argument depends on sizes or numbers that are not known"),
    ],
)  # fmt: skip
def test_an_argument_that_is_no_number_is_no_default(words: Mapping[str, Any], unknown: str, tmp_path: Path) -> None:
    of = graph([convolution("y", **words)], sym_int_values={"u": size("Symbol('u0', integer=True)")})
    (row,) = rows(exported(tmp_path / "m.pt2", of))
    assert (row.problem, row.unknown[: len(unknown)]) == ("", unknown)


def test_an_argument_that_follows_from_a_size_is_computed(tmp_path: Path) -> None:
    stride = {"as_sym_ints": [{"as_name": "s"}, {"as_int": 3}]}
    of = graph([convolution("y", stride=stride)], x=(1, 2, SYMBOL, 5), sym_int_values={"s": size(SYMBOL)})
    path = exported(tmp_path / "m.pt2", of, {"s0": {"min_val": 2, "max_val": 9}})
    assert [row.problem for row in rows(path, "x=1,2,4,5")] == ["i4x5 k2 s4x3 ic2 oc3"]
    assert [row.unknown for row in rows(path)] == [
        "the extents of x are not known: give the sizes of the inputs by --input"
    ]


def test_the_law_of_a_range_ends_where_the_file_does(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", graph([convolution("y")], x=(1, 2, SYMBOL, 5)),
                    {"s0": {"min_val": 2, "max_val": 64}})  # fmt: skip
    scanned = scanning.scan(str(path), ("x=1,2,2..70,5",)).scan
    assert scanned.header.taken == [
        "axis 2 of x in 2..70: every extent, up to 64: others: s0 is 65, and was exported for 2 to 64"
    ]
    assert [row.problem for row in scanned.rows] == ["i2x5 k2 ic2 oc3", "i64x5 k2 ic2 oc3"]


@pytest.mark.parametrize("expression", ["9 ** 9 ** 9", "((((", f"Foo({SYMBOL})", "x" * 20_000, f"Pow({SYMBOL},"])
def test_an_expression_that_is_not_read_leaves_extents_unknown(expression: str, tmp_path: Path) -> None:
    (row,) = rows(exported(tmp_path / "m.pt2", graph([convolution("y")], x=(1, 2, expression, 5))), "x=1,2,4,5")
    assert row.problem == ""
    assert "expression" in row.unknown


def test_what_is_larger_than_its_file_is_not_unpacked(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", graph([convolution("y")]), compressed=True)
    with pytest.raises(ScanError, match="more than the file, which PyTorch does not compress"):
        scanning.scan(str(path))


def test_a_file_that_ends_before_its_model_is_truncated_or_older(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("m/data.pkl", b"")
    with pytest.raises(ScanError, match=r"is truncated, of an older .*, or no model: give a whole file"):
        scanning.scan(str(tmp_path / "m.pt2"))


@pytest.mark.parametrize("ranges", [{"s0": [1]}, {"s0": {"min_val": "2"}}, {"s0": 7}])
def test_a_document_that_is_another_than_it_should_be_is_said_in_a_line(ranges: Any, tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", graph([convolution("y")], x=(1, 2, SYMBOL, 5)), ranges)
    with pytest.raises(
        ScanError, match=r"is no file of torch.export that is read here \((Attribute|Type)Error"
    ) as raised:
        rows(path, "x=1,2,4,5")
    assert "\n" not in str(raised.value)


def test_few_numbers_that_a_file_says_are_many_are_not_made(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", graph([convolution("y")]))
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "n.pt2", "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("model_weights_config.json"):
                said = json.loads(content)
                said["config"]["up.weight"]["tensor_meta"] |= {
                    "sizes": [*map(size, (2, 3, 1 << 20, 1 << 20))], "strides": [*map(size, (12, 4, 0, 0))]
                }  # fmt: skip
                content = json.dumps(said).encode()
            archive.writestr(name, content)
    with pytest.raises(ScanError, match=r"the parameter 'up.weight' is of shape \(2, 3, 1048576, .*repeats 24 numbers"):
        rows(tmp_path / "n.pt2")
