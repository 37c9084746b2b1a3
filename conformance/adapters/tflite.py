"""TFLite: a model of one TRANSPOSE_CONV, or of one CONV_3D_TRANSPOSE, on LiteRT and on TensorFlow's own interpreter.

Data N*C, weight (out, *kernel, in), and (*kernel, out, in) in 3-D, kernel as stored; float32. With t = full - output:

    SAME     lo = t // 2, output from (i - 1)*s + 1 to i*s
    VALID    lo = 0, output from (i - 1)*s + k to i*s + k - 1

Every other window is cut from the whole stamp, by VALID. TRANSPOSE_CONV has no dilation. No operator has an argument
for groups: a weight that has the input channels of all groups and the output channels of one says them, as TensorFlow's
converter writes it.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import flatbuffers
import numpy as np

from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import UNIT_AXIS, Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Ints, Problem, Window

PACKAGE = "ai-edge-litert"
VARIANTS = {
    "litert": {"TFLITE_ENGINE": "litert", "OMP_NUM_THREADS": "{threads}"},
    "tensorflow": {"TFLITE_ENGINE": "tensorflow", "OMP_NUM_THREADS": "{threads}", "TF_CPP_MIN_LOG_LEVEL": "3",
                   "CUDA_VISIBLE_DEVICES": "-1"},
}  # fmt: skip
NIGHT = ("smoke", "models")
BLOCK = 1
REFUSALS = (ValueError, RuntimeError)
ENGINE = os.environ["TFLITE_ENGINE"]

if ENGINE == "litert":  # one process has one of them: they hold classes of the same names
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
else:
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.python.interpreter import Interpreter

    warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated")

OPERATORS = {2: (schema.TransposeConvOptionsT, "TRANSPOSE_CONV"), 3: (schema.Conv3DOptionsT, "CONV_3D_TRANSPOSE")}
AXES = "DHW"


def describe() -> Mapping[str, str]:
    return {"tflite": version("ai-edge-litert" if ENGINE == "litert" else "tensorflow"), "device": "cpu"}


def transpose_conv(x: Array, weight: Array, *bias: Array, output: Ints, **options: Any) -> Any:
    """The answer of a model of one operator."""
    return _opened(x, weight, *bias, output=output, **options)()


def _opened(x: Array, weight: Array, *bias: Array, output: Ints, **options: Any) -> Callable[[], Any]:
    """What runs a model of one operator on an input."""
    interpreter = Interpreter(model_content=_model(x, weight, *bias, output=output, **options),
                              num_threads=int(os.environ["OMP_NUM_THREADS"]))  # fmt: skip
    interpreter.allocate_tensors()
    given, made = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def run() -> Any:
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        return interpreter.get_tensor(made)

    return run


def _model(x: Array, weight: Array, *bias: Array, output: Ints, **options: Any) -> bytes:
    """A file with one operator on (output_shape, weight, x, bias), of which x alone is no constant."""
    kind, name = OPERATORS[x.ndim - 2]
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.builtinOptions = _options(kind(), **options)
    operator.builtinOptionsType = vars(schema.BuiltinOptions)[kind.__name__.removesuffix("T")]
    code.builtinCode = vars(schema.BuiltinOperator)[name]
    code.deprecatedBuiltinCode = min(code.builtinCode, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    code.version = 3 if bias and x.ndim == 4 else 1
    model, graph = schema.ModelT(), schema.SubGraphT()
    constants = [np.array(output, np.int32), weight, None, *bias]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [_buffer(array) for array in (None, *constants, None)]
    shapes = [x.shape if array is None else array.shape for array in constants]
    graph.tensors = [_tensor(at, shape) for at, shape in enumerate([*shapes, output])]
    graph.tensors[0].type = schema.TensorType.INT32
    operator.inputs, operator.outputs = list(range(len(constants))), [len(constants)]
    graph.operators, graph.inputs, graph.outputs = [operator], [2], operator.outputs
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _options(options: Any, padding: str, strides: Ints, dilations: Ints = ()) -> Any:
    options.padding = vars(schema.Padding)[padding]
    for axis, stride in zip(AXES[-len(strides) :], strides, strict=True):
        setattr(options, f"stride{axis}", stride)
    for axis, dilation in zip(AXES[: len(dilations)], dilations, strict=True):
        setattr(options, f"dilation{axis}Factor", dilation)
    return options


def _buffer(array: Array | None) -> Any:
    buffer = schema.BufferT()
    buffer.data = None if array is None else np.frombuffer(array.tobytes(), np.uint8)
    return buffer


def _tensor(number: int, shape: Ints) -> Any:
    """A tensor of float32; the first buffer is nobody's, as the format has it."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer, tensor.type = str(number), shape, number + 1, schema.TensorType.FLOAT32
    return tensor


def repeated(call: Call) -> Callable[[], object]:
    return _opened(*call.operands, **call.options)


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if x.dtype != np.float32:
        raise Unsupported("its operators compute in float32, or quantized")
    if problem.rank > 3:
        raise Unsupported(f"{problem.rank} spatial axes: there are TRANSPOSE_CONV and CONV_3D_TRANSPOSE")
    if problem.rank < 3 and max(problem.dilation) > 1:
        raise Unsupported("TRANSPOSE_CONV has no argument for dilation")
    unit = (1,) * (problem.rank == 1)
    axes = range(2, problem.rank + 2)
    padding, extents, window = _padding(problem)
    options: dict[str, Any] = {
        "output": (problem.batch, *unit, *extents, problem.groups * problem.out_channels), "padding": padding,
        "strides": (*unit, *problem.stride), **({"dilations": problem.dilation} if problem.rank == 3 else {}),
    }  # fmt: skip
    placed = weight.transpose((*axes, 1, 0) if problem.rank == 3 else (1, *axes, 0))
    late = bias is not None and extends(problem.window) and window is not None
    operands = [x.transpose(0, *axes, 1), placed, *([] if bias is None or late else [bias])]
    if unit:
        operands[:2] = [array[:, None] for array in operands[:2]]
    prepared = (UNIT_AXIS,) if unit else ()
    return Call(transpose_conv, tuple(map(tensor, operands)), options, window, bias if late else None, prepared,
                layout="n k c")  # fmt: skip


def _padding(problem: Problem) -> tuple[str, Ints, Window | None]:
    """padding, the extents that are asked for, and the window that remains to be cut."""
    axes = list(
        zip(problem.input, problem.stride, problem.effective_kernel, problem.output, problem.window, strict=True)
    )
    if all(lo == max(lo + hi, 0) // 2 and (i - 1) * s < out <= i * s for i, s, _, out, (lo, hi) in axes):
        return "SAME", problem.output, None
    if all(lo == 0 and (i - 1) * s + k <= out < i * s + k for i, s, k, out, (lo, _) in axes):
        return "VALID", problem.output, None
    return "VALID", problem.full, problem.window
