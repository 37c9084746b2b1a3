"""PyTorch: torch.nn.functional.conv_transpose{1,2,3}d.

Data NC*, weight (in, out/groups, *kernel), kernel as stored. `padding` and `output_padding` mean the window
(p, p - op), so one call says every window with 0 <= lo - hi < max(stride, dilation) and lo >= 0.

Of the integers int64 has a kernel on a CPU; narrower ones are refused.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from conformance.adapters.base import OPERANDS, Call, Widened, extends
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {"eager": {"OMP_NUM_THREADS": "{threads}", "MKL_NUM_THREADS": "{threads}"}}
LIBRARIES = {"eager": {"aten": ["ATEN_CPU_CAPABILITY"], "onednn": ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"]}}
DISTRIBUTIONS = ("scikit-learn",)
UNREPEATED = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
DTYPES = ("bfloat16", "float16", "float32", "float64", "int64")
ACCUMULATION = {"bfloat16": "S", "float16": "S"}
REFUSALS = (RuntimeError, ValueError, TypeError)
BLOCK = 1

torch.set_grad_enabled(False)
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, which imports the compiler: a second

FUNCTIONS = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}


def describe() -> Mapping[str, str]:
    build = torch.__config__.show()
    return {
        "torch": str(torch.__version__),
        "device": "cpu",
        "onednn": match[1] if (match := re.search(r"MKL-DNN v([\w.]+)", build)) else "off",
    }


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    function = FUNCTIONS[problem.rank]
    operands = tensor(x), tensor(weight)
    biases = () if bias is None else (tensor(bias),)
    options = {"stride": problem.stride, "groups": problem.groups, "dilation": problem.dilation}
    output_padding = [lo - hi for lo, hi in problem.window]
    if all(
        lo >= 0 and 0 <= op < max(s, d)
        for (lo, _), op, s, d in zip(problem.window, output_padding, problem.stride, problem.dilation, strict=True)
    ):
        options |= {"padding": [lo for lo, _ in problem.window], "output_padding": output_padding}
        return Call(function, (*operands, *biases), options)
    if extends(problem.window):
        return Call(function, operands, options, window=problem.window, bias=bias)
    return Call(function, (*operands, *biases), options, window=problem.window)


def convolve(problem: Problem, canvas: Array, weight: Array) -> Call:
    function = (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d)[problem.rank - 1]
    options = {"stride": problem.stride, "dilation": problem.dilation, "groups": problem.groups}
    return Call(function, (tensor(canvas), tensor(weight)), options)


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    def differentiated(*tensors: torch.Tensor, **options: Any) -> torch.Tensor:
        *given, above = tensors
        with torch.enable_grad():
            given[operand] = given[operand].detach().requires_grad_()
            answer = call.function(*given, **options)
        (result,) = torch.autograd.grad(answer, given[operand], above)
        return result

    text = f"torch.autograd.grad({call}, {OPERANDS[operand]}, {list(upstream.shape)})"
    return replace(call, function=differentiated, operands=(*call.operands, tensor(upstream)), text=text)


def tangent(call: Call, along: torch.Tensor, operand: int) -> Call:
    def pushed(*tensors: torch.Tensor, **options: Any) -> torch.Tensor:
        *given, direction = tensors
        with torch.autograd.forward_ad.dual_level():
            given[operand] = torch.autograd.forward_ad.make_dual(given[operand], direction)
            return torch.autograd.forward_ad.unpack_dual(call.function(*given, **options)).tangent

    return replace(call, function=pushed, operands=(*call.operands, along), text=f"the tangent of {call}")


def second(call: Call, upstream: Array, along: torch.Tensor, operand: int) -> Call:
    def twice(*tensors: torch.Tensor, **options: Any) -> torch.Tensor:
        *given, above, direction = tensors
        with torch.enable_grad():
            given = [each.detach().requires_grad_() for each in given]
            (first,) = torch.autograd.grad(
                call.function(*given, **options), given[1 - operand], above, create_graph=True
            )
        (result,) = torch.autograd.grad(first, given[operand], direction)
        return result

    operands = (*call.operands, tensor(upstream), along)
    return replace(call, function=twice, operands=operands, text=f"the second derivative of {call}")


def run(calls: Sequence[Call]) -> Sequence[torch.Tensor]:
    return [call() for call in calls]


def array(result: torch.Tensor) -> Array | Widened:
    if result.dtype is torch.bfloat16:
        return Widened(result.float().numpy(), "bfloat16")
    numbers: Array = result.numpy()
    return numbers


def tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(array)


def cast(call: Call, dtype: str) -> Call:
    operands = tuple(operand if operand is None else operand.to(getattr(torch, dtype)) for operand in call.operands)
    return replace(call, operands=operands)
