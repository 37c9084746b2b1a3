"""PaddlePaddle: paddle.nn.functional.conv{1,2,3}d_transpose.

Data NC*, weight (in, out/groups, *kernel), kernel as stored. `padding` (begin, end on each axis in turn) and
`output_padding` mean the window (begin, end - output_padding); neither may be negative.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import paddle

from conformance.adapters._plain import run as run
from conformance.adapters.base import OPERANDS, Call, Unsupported
from conformance.layout import Array
from conformance.problem import Problem

PACKAGE = "paddlepaddle"
VARIANTS = {"cpu": {"OMP_NUM_THREADS": "{threads}", "MKL_NUM_THREADS": "{threads}", "GLOG_minloglevel": "3"}}
REFUSALS = (ValueError, RuntimeError, TypeError)
BLOCK = 1
paddle.set_device("cpu")
paddle.set_grad_enabled(False)

F = paddle.nn.functional
FUNCTIONS = {1: F.conv1d_transpose, 2: F.conv2d_transpose, 3: F.conv3d_transpose}


def describe() -> Mapping[str, str]:
    return {"paddle": paddle.__version__, "device": "cpu"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if problem.rank not in FUNCTIONS:
        raise Unsupported(f"{problem.rank} spatial axes: there is conv1d_transpose to conv3d_transpose")
    options: dict[str, Any] = {
        "stride": list(problem.stride), "groups": problem.groups, "dilation": list(problem.dilation)
    }  # fmt: skip
    operands = tensor(x), tensor(weight)
    if any(lo < 0 for lo, _ in problem.window):
        return Call(FUNCTIONS[problem.rank], operands, options, problem.window, bias)
    pads, back = problem.pads, problem.output_padding
    if any(pad < 0 for ends in pads for pad in ends):
        pads = tuple((lo, max(hi, 0)) for lo, hi in problem.window)
        back = tuple(max(-hi, 0) for _, hi in problem.window)
    options |= {"padding": [end for ends in pads for end in ends], "output_padding": list(back)}
    biases = () if bias is None else (tensor(bias),)
    return Call(FUNCTIONS[problem.rank], (*operands, *biases), options)


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    added = len(call.operands) == operand  # the bias, of which the call knows nothing

    def differentiated(*tensors: Any, **options: Any) -> Any:
        *given, above = tensors
        with paddle.enable_grad():
            given[operand] = given[operand].detach()
            given[operand].stop_gradient = False
            answer = call.function(*(given[:-1] if added else given), **options)
            answer = answer + given[-1].reshape([1, -1, *[1] * (answer.ndim - 2)]) if added else answer
        return paddle.grad(answer, given[operand], above)[0]

    text = f"paddle.grad({call}{' + bias' * added}, {OPERANDS[operand]}, {list(upstream.shape)})"
    biases = (tensor(call.bias),) if added and call.bias is not None else ()
    operands = (*call.operands, *biases, tensor(upstream))
    return replace(call, function=differentiated, operands=operands, text=text)


def array(result: Any) -> Array:
    numbers: Array = result.numpy()
    return numbers


def tensor(array: Array) -> Any:
    return paddle.to_tensor(array)
