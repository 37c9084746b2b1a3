"""Vectors as ONNX models with inputs and outputs, in the folders of onnx's own node tests.

It needs the package onnx, which comes with the extra `onnx` of this project.
"""

from collections.abc import Iterator

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from conformance.layout import Array
from conformance.numerics.operands import EXACT_IN
from conformance.vectors.making import Made
from conformance.vectors.terms import onnx_values

FOLDER = "onnx"
OPSET, IR_VERSION = 11, 6
"""Those of the ConvTranspose that runtimes have had since 2019, and of onnx 1.6, which came with it."""


def files(vectors: list[Made]) -> Iterator[tuple[str, bytes]]:
    """The files of every vector that ONNX can say: a model, and a set of data with its inputs and its output."""
    for one in vectors:
        if one.vector.calls.onnx.attributes is not None:
            yield from _test(one)


def _test(one: Made) -> Iterator[tuple[str, bytes]]:
    folder = f"{FOLDER}/test_convtranspose_{one.vector.id.replace('-', '_')}"
    x, weight, bias = one.reference.arrays
    inputs = {"X": x, "W": weight} | ({} if bias is None else {"B": bias})
    yield f"{folder}/model.onnx", _model(one, inputs)
    for number, (name, array) in enumerate(inputs.items()):
        yield f"{folder}/test_data_set_0/input_{number}.pb", _tensor(name, array)
    yield f"{folder}/test_data_set_0/output_0.pb", _tensor("Y", one.reference.expected)


def _model(one: Made, inputs: dict[str, Array]) -> bytes:
    assert one.vector.calls.onnx.attributes is not None
    node = helper.make_node("ConvTranspose", [*inputs], ["Y"], **onnx_values(one.vector.calls.onnx.attributes))
    graph = helper.make_graph(
        [node], one.vector.id,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, one.reference.expected.shape)],
        doc_string=f"{one.vector.problem}: {one.vector.why}",
    )  # fmt: skip
    model = helper.make_model(graph, producer_name="conformance", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _tensor(name: str, array: Array) -> bytes:
    tensor = numpy_helper.from_array(np.ascontiguousarray(array.astype(EXACT_IN)), name)
    content: bytes = tensor.SerializeToString(deterministic=True)
    return content
