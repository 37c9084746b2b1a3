"""TFLite files that are damaged, and what needs no converter to be made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from conformance.scan import scanning
from conformance.scan.layer import Array, ScanError
from conformance.suites.scans.file import Row

tflite = pytest.importorskip("tflite", reason="comes with the extra scan; the lane of TensorFlow converts one")
flatbuffers = pytest.importorskip("flatbuffers", reason="comes with the extra scan")

WEIGHT = np.arange(2 * 3 * 3 * 4, dtype=np.float32).reshape(2, 3, 3, 4)
FREE = -1


class Tensor(NamedTuple):
    """A tensor with the extents that it states, -1 where one is free, and the numbers that the file holds."""

    name: str
    extents: Sequence[int]
    numbers: Array | None = None


class Operator(NamedTuple):
    """An operator by its name, on tensors by their numbers; with an axis where it has one, and a name of its own."""

    name: str
    inputs: Sequence[int]
    output: int
    axis: int = 0
    stride: int = 2
    custom: str = ""


def vector(builder: Any, numbers: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(numbers, np.int32)))


def offsets(builder: Any, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for each in reversed(tables):
        builder.PrependUOffsetTRelative(each)
    return int(builder.EndVector())


def table(builder: Any, kind: str, **fields: Any) -> int:
    getattr(tflite, f"{kind}Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    return int(getattr(tflite, f"{kind}End")(builder))


def saved(path: Path, tensors: Sequence[Tensor], operators: Sequence[Operator], given: int = 1) -> Path:
    """A file of one graph, whose first tensors are its inputs."""
    builder = flatbuffers.Builder(1024)
    codes = sorted({(each.name, each.custom) for each in operators})
    named = {own: builder.CreateString(own) for _, own in codes if own}
    told = [table(builder, "OperatorCode", BuiltinCode=getattr(tflite.BuiltinOperator, name),
                  DeprecatedBuiltinCode=min(127, getattr(tflite.BuiltinOperator, name)),
                  **({"CustomCode": named[own]} if own else {})) for name, own in codes]  # fmt: skip
    buffers, made = [table(builder, "Buffer")], []
    for each in tensors:
        words = {"Name": builder.CreateString(each.name), "Shape": vector(builder, [max(1, at) for at in each.extents]),
                 "ShapeSignature": vector(builder, each.extents)}  # fmt: skip
        if each.numbers is not None:
            whole = each.numbers.dtype.kind == "i"
            words |= {"Buffer": len(buffers), "Type": tflite.TensorType.INT32 if whole else tflite.TensorType.FLOAT32}
            buffers.append(table(builder, "Buffer", Data=builder.CreateByteVector(each.numbers.tobytes())))
        made.append(table(builder, "Tensor", **words))
    run = []
    for one in operators:
        words = {"Inputs": vector(builder, one.inputs), "Outputs": vector(builder, [one.output]),
                 "OpcodeIndex": codes.index((one.name, one.custom))}  # fmt: skip
        if one.name == "TRANSPOSE_CONV":
            words |= {"BuiltinOptions": table(builder, "TransposeConvOptions", Padding=1, StrideH=one.stride,
                                              StrideW=one.stride),
                      "BuiltinOptionsType": tflite.BuiltinOptions.TransposeConvOptions}  # fmt: skip
        if one.name == "CONCATENATION":
            words |= {"BuiltinOptions": table(builder, "ConcatenationOptions", Axis=one.axis),
                      "BuiltinOptionsType": tflite.BuiltinOptions.ConcatenationOptions}  # fmt: skip
        run.append(table(builder, "Operator", **words))
    parts = {"Tensors": offsets(builder, made), "Inputs": vector(builder, range(given)),
             "Outputs": vector(builder, [operators[-1].output]), "Operators": offsets(builder, run)}  # fmt: skip
    graph = offsets(builder, [table(builder, "SubGraph", **parts)])
    model = table(builder, "Model", Version=3, OperatorCodes=offsets(builder, told), Subgraphs=graph,
                  Buffers=offsets(builder, buffers))  # fmt: skip
    builder.Finish(model, b"TFL3")
    path.write_bytes(builder.Output())
    return path


def rows(path: Path, *inputs: str) -> list[Row]:
    return [*scanning.scan(str(path), inputs).scan.rows]


def up(x: int, weight: int, size: int, output: int) -> Operator:
    return Operator("TRANSPOSE_CONV", [size, weight, x], output)


W, SIZE = Tensor("w", WEIGHT.shape, WEIGHT), Tensor("size", [4])


def test_the_batch_of_a_layer_is_the_tensors_own(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 5, 6, 7, 4)), Tensor("inner", (5, 6, 7, 4)), W, SIZE, Tensor("y", (5, 13, 15, 2))]
    (row,) = rows(saved(tmp_path / "m.tflite", tensors, [Operator("RESHAPE", [0], 1), up(1, 2, 3, 4)]))
    assert (row.problem, row.unknown) == ("i6x7 k3 s2 ic4 oc2 n5", "")


@pytest.mark.parametrize(
    ("shape", "before", "problem"),
    [
        ((FREE, 6, 7, 4), [Operator("RELU", [0], 1)], "i6x7 k3 s2 ic4 oc2 n3"),
        ((FREE, 6, 7, 4), [Operator("ADD", [0, 0], 1)], "i6x7 k3 s2 ic4 oc2 n3"),
        ((FREE, 6, 14, 2), [Operator("RESHAPE", [0], 1)], "i6x7 k3 s2 ic4 oc2 n3"),
        ((FREE, 5, 6, 7, 4), [Operator("RESHAPE", [0], 1)], "i6x7 k3 s2 ic4 oc2 n15"),
        ((FREE, 6, 7, 2), [Operator("CONCATENATION", [0, 0], 1, axis=3)], "i6x7 k3 s2 ic4 oc2 n3"),
        ((FREE, 6, 7, 4), [Operator("CONCATENATION", [0, 0], 1, axis=0)], "i6x7 k3 s2 ic4 oc2 n6"),
        ((FREE, 3, 7, 4), [Operator("RESHAPE", [0], 1)], ""),
        ((FREE, 6, 7, 4), [Operator("UNIQUE", [0], 1)], ""),
    ],
)  # fmt: skip
def test_a_free_batch_is_known_where_operators_keep_it(
    shape: Sequence[int], before: list[Operator], problem: str, tmp_path: Path
) -> None:
    tensors = [Tensor("x", shape), Tensor("inner", (FREE, 6, 7, 4)), W, SIZE, Tensor("y", (FREE, 13, 15, 2))]
    path = saved(tmp_path / "m.tflite", tensors, [*before, up(1, 2, 3, 4)])
    (row,) = rows(path, f"x=3,{','.join(map(str, shape[1:]))}")
    assert row.problem == problem
    said = f"its extents follow from the answer of {before[-1].name}, which is not known"
    assert row.unknown.startswith("" if problem else said)


@pytest.mark.parametrize(("first", "batch"), [(0, ""), (1, " n2")])
def test_pads_of_the_batch_change_it(first: int, batch: str, tmp_path: Path) -> None:
    pads = np.array([[first, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    tensors = [Tensor("x", (FREE, 4, 5, 4)), Tensor("inner", (FREE, 6, 7, 4)), W, SIZE, Tensor("y", (FREE, 13, 15, 2)),
               Tensor("pads", (4, 2), pads)]  # fmt: skip
    (row,) = rows(saved(tmp_path / "m.tflite", tensors, [Operator("PAD", [0, 5], 1), up(1, 2, 3, 4)]))
    assert row.problem == f"i6x7 k3 s2 ic4 oc2{batch}"


def test_inputs_of_other_first_extents_do_not_count(tmp_path: Path) -> None:
    tensors = [
        Tensor("x", (FREE, 6, 7, 4)),
        Tensor("z", (5,)),
        Tensor("flag", ()),
        W,
        SIZE,
        Tensor("y", (FREE, 13, 15, 2)),
    ]
    path = saved(tmp_path / "m.tflite", tensors, [up(0, 3, 4, 5)], given=3)
    scanned = scanning.scan(str(path)).scan
    assert scanned.header.inputs == {"x": "1,6,7,4", "z": "5"}
    assert [row.problem for row in scanned.rows] == ["i6x7 k3 s2 ic4 oc2"]


def test_free_extents_are_not_those_that_stand_in_their_place(tmp_path: Path) -> None:
    tensors = [Tensor("x", (FREE, FREE, FREE, 4)), W, SIZE, Tensor("y", (FREE, FREE, FREE, 2))]
    path = saved(tmp_path / "m.tflite", tensors, [up(0, 1, 2, 3)])
    (row,) = rows(path)
    assert (row.problem, row.unknown) == (
        "",
        "its extents are free in the file: give the sizes of the inputs by --input",
    )
    (row,) = rows(path, "x=1,6,7,4")
    assert row.problem == ""
    assert row.unknown.startswith("its extents follow from the answer of TRANSPOSE_CONV, which is not known")


def test_an_operator_that_does_not_take_a_size_is_told_with_its_operands(tmp_path: Path) -> None:
    tensors = [Tensor("x", (FREE, 6, 7, 4)), Tensor("z", (3, 6, 7, 4)), Tensor("inner", (FREE, 6, 7, 4)), W, SIZE,
               Tensor("y", (FREE, 13, 15, 2))]  # fmt: skip
    path = saved(tmp_path / "m.tflite", tensors, [Operator("ADD", [0, 1], 2), up(2, 3, 4, 5)], given=2)
    assert [row.problem for row in rows(path, "x=3,6,7,4")] == ["i6x7 k3 s2 ic4 oc2 n3"]
    with pytest.raises(ScanError, match=r"ADD does not take operands of \(2, 6, 7, 4\) and \(3, 6, 7, 4\)"):
        rows(path, "x=2,6,7,4")


@pytest.mark.parametrize(
    ("operator", "layer"),
    [
        (Operator("CUSTOM", [0], 1, custom="FlexConv2DBackpropInput"), "FlexConv2DBackpropInput"),
        (Operator("CUSTOM", [0], 1, custom="Convolution2DTransposeBias"), "Convolution2DTransposeBias"),
        (Operator("STABLEHLO_CONVOLUTION", [0, 0], 1), "STABLEHLO_CONVOLUTION"),
        (Operator("CUSTOM", [0], 1, custom="FlexTranspose"), ""),
    ],
)
def test_an_operator_that_may_be_one_is_told_and_not_read(operator: Operator, layer: str, tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 6, 7, 4)), Tensor("y", (1, 12, 14, 4))]
    told = [(row.layer, row.problem, row.unknown) for row in rows(saved(tmp_path / "m.tflite", tensors, [operator]))]
    assert told == ([(layer, "", f"{layer} is not read: convert the model without it")] if layer else [])


def test_operators_in_a_circle_end_no_scan(tmp_path: Path) -> None:
    tensors = [Tensor("x", (FREE, 6, 7, 4)), Tensor("a", (FREE, 6, 7, 4)), W, SIZE, Tensor("y", (FREE, 13, 15, 2))]
    circle = [Operator("ADD", [0, 1], 1), up(1, 2, 3, 4)]
    (row,) = rows(saved(tmp_path / "m.tflite", tensors, circle))
    assert row.problem == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no flat buffer at all", "TFL3 does not stand at byte 4"),
        (b"\x10\x00\x00\x00TFL3" + b"\xff" * 60, "truncated or damaged|claims"),
        (b"\x10\x00\x00\x00TFL3", "truncated or damaged"),
    ],
)
def test_what_is_no_model_is_said_in_a_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=message) as raised:
        scanning.scan(str(path))
    assert "\n" not in str(raised.value)
