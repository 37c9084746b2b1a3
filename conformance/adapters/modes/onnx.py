"""ONNX's modes: the shape that its shape inference gives the answer of a model, and of the same window by auto_pad."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from onnx import helper, load_model_from_string, shape_inference

from conformance.adapters._onnx import model_of
from conformance.adapters.base import Call, Unsupported
from conformance.adapters.modes.base import Inferred
from conformance.layout import Array


def infer_shapes(call: Call) -> Call:
    """`onnx.shape_inference.infer_shapes` of the model, whose answer is declared without a size."""

    return replace(call, function=_inferred, text=f"infer_shapes: {call}")


def infer_auto_pad(call: Call) -> Call:
    """`onnx.shape_inference.infer_shapes` of a model that says the same window by `auto_pad` in place of `pads`."""
    options = {name: value for name, value in call.options.items() if name != "pads"}
    said = replace(call, function=_inferred, options=options | {"auto_pad": _same(call.operands, call.options)})
    return replace(said, text=f"infer_shapes: {said}")


def _inferred(*operands: Array, **options: Any) -> Inferred:
    model = load_model_from_string(model_of(*operands, **options))
    (given,) = shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph.output
    shape = tuple(each.dim_value for each in given.type.tensor_type.shape.dim)
    return Inferred(shape, helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type).name)


def _same(operands: tuple[Array, ...], options: Mapping[str, Any]) -> str:
    """The auto_pad that pads as a model does. Raises Unsupported where none does."""
    if "pads" not in options:
        raise Unsupported("the window is cut from the whole stamp")
    given = operands[1].shape[2:], options["strides"], options["dilations"], options["output_padding"]
    cut = [back + dilation * (kernel - 1) + 1 - stride for kernel, stride, dilation, back in zip(*given, strict=True)]
    less, more = [each // 2 for each in cut], [each - each // 2 for each in cut]
    for name, pads in {"SAME_UPPER": [*less, *more], "SAME_LOWER": [*more, *less]}.items():
        if pads == options["pads"] and min(cut) >= 0:
            return name
    raise Unsupported("no auto_pad says this window")


MODES: dict[str, Any] = {}
SLOW: dict[str, Any] = {}
INFERENCES = {"infer-shapes": infer_shapes, "infer-auto-pad": infer_auto_pad}
NEEDS: dict[str, tuple[str, ...]] = {}
