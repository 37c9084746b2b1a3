"""ONNX's modes: the shape that its shape inference gives the answer of the same model."""

from dataclasses import replace
from typing import Any

from onnx import helper, load_model_from_string, shape_inference

from conformance.adapters._onnx import model_of
from conformance.adapters.base import Call
from conformance.adapters.modes.base import Inferred
from conformance.layout import Array


def infer_shapes(call: Call) -> Call:
    """`onnx.shape_inference.infer_shapes` of the model, whose answer is declared without a size."""

    def function(*operands: Array, **options: Any) -> Inferred:
        model = load_model_from_string(model_of(*operands, **options))
        (given,) = shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph.output
        shape = tuple(each.dim_value for each in given.type.tensor_type.shape.dim)
        return Inferred(shape, helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type).name)

    return replace(call, function=function, text=f"infer_shapes: {call}")


MODES: dict[str, Any] = {}
SLOW: dict[str, Any] = {}
INFERENCES = {"infer-shapes": infer_shapes}
NEEDS: dict[str, tuple[str, ...]] = {}
