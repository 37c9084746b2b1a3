"""A problem as an ONNX model of one ConvTranspose, for every adapter whose engine runs such models.

Data NC*, weight (in, out/groups, *kernel), kernel as stored. `pads` (all begins, then all ends) and `output_padding`
mean the window (begin, end - output_padding). Neither may be negative, so that of a window that begins before the stamp
the whole stamp is asked for. Whether output_padding has an upper bound is for the engine to say.
"""

from collections.abc import Callable
from typing import Any

from onnx import helper, numpy_helper

from conformance.adapters.base import Call, extends
from conformance.layout import Array
from conformance.problem import Problem

OPSET, IR_VERSION = 11, 8
"""Of a ConvTranspose that every engine knows."""


def model_of(x: Array, *constants: Array, **attributes: Any) -> bytes:
    """A model of one node that takes x; its weight and bias are constants of the model, as in most models."""
    names, element = ["x", "w", "b"][: 1 + len(constants)], helper.np_dtype_to_tensor_dtype(x.dtype)
    shapes = {"x": x.shape, "y": [f"y{axis}" for axis in range(x.ndim)]}  # OpenCV takes no answer of unknown rank
    info = [helper.make_tensor_value_info(name, element, shape) for name, shape in shapes.items()]
    tensors = [numpy_helper.from_array(array, name) for name, array in zip(names[1:], constants, strict=True)]
    node = helper.make_node("ConvTranspose", names, ["y"], **attributes)
    graph = helper.make_graph([node], "one", info[:1], info[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    content: bytes = model.SerializeToString()
    return content


def call_of(engine: Callable[..., Any], problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    """The call of an engine, which takes x, the weight and the bias, and attributes by name."""
    operands = (x, weight) if bias is None else (x, weight, bias)
    options: dict[str, Any] = {
        "strides": list(problem.stride), "dilations": list(problem.dilation), "group": problem.groups
    }  # fmt: skip
    if any(lo < 0 for lo, _ in problem.window):
        late = bias if extends(problem.window) else None
        return Call(engine, operands if late is None else operands[:2], options, problem.window, late)
    pads, back = problem.pads, problem.output_padding
    if any(pad < 0 for ends in pads for pad in ends):
        pads = tuple((lo, max(hi, 0)) for lo, hi in problem.window)
        back = tuple(max(-hi, 0) for _, hi in problem.window)
    options |= {"pads": [end for ends in zip(*pads, strict=True) for end in ends], "output_padding": list(back)}
    return Call(engine, operands, options)
