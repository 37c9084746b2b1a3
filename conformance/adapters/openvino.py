"""OpenVINO: a model of one (Group)ConvolutionBackpropData, and of an Add for the bias, on its CPU device.

Data NC*, weight (in, out, *kernel), with groups (groups, in/groups, out/groups, *kernel), kernel as stored.
`pads_begin`, `pads_end` and `output_padding` mean the window (begin, end - output_padding). The pads at the end may be
negative; those at the beginning may not, so that of a window that begins before the stamp the whole stamp is asked for.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import openvino
from openvino import opset13

from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {"cpu": {"OMP_NUM_THREADS": "{threads}"}}
NIGHT = ("smoke", "models")
REFUSALS = (RuntimeError,)
BLOCK = 1
OPERATORS = opset13.convolution_backprop_data, opset13.group_convolution_backprop_data
CORE = openvino.Core()
CORE.set_property(  # without a hint it computes in bfloat16 where the CPU has it
    "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": int(os.environ["OMP_NUM_THREADS"])}
)


def describe() -> Mapping[str, str]:
    return {"openvino": openvino.__version__, "device": "cpu"}


def convolution_backprop_data(x: Array, weight: Array, *bias: Array, **options: Any) -> Any:
    """The answer of a model of one convolution; one with groups has a weight of an axis more."""
    return _compiled(x, weight, *bias, **options)(x)[0]


def _compiled(x: Array, weight: Array, *bias: Array, **options: Any) -> Any:
    given = opset13.parameter(list(x.shape), x.dtype)
    made = OPERATORS[weight.ndim - x.ndim](given, opset13.constant(weight), **options)
    for each in bias:
        made = opset13.add(made, opset13.constant(each.reshape(1, -1, *[1] * (x.ndim - 2))))
    return CORE.compile_model(openvino.Model([made], [given], "one"), "CPU")


def repeated(call: Call) -> Callable[[], object]:
    return partial(_compiled(*call.operands, **call.options), call.operands[0])


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if x.dtype != np.float32:
        raise Unsupported("its CPU device computes a model of float64 in float32")
    groups = (problem.groups, problem.in_channels) if problem.groups > 1 else (problem.in_channels,)
    kernels = weight.reshape(*groups, problem.out_channels, *problem.kernel)
    whole = any(lo < 0 for lo, _ in problem.window)
    zeros = [0] * problem.rank
    begins, ends = (zeros, zeros) if whole else map(list, zip(*problem.pads, strict=True))
    options = {
        "strides": list(problem.stride), "pads_begin": begins, "pads_end": ends, "dilations": list(problem.dilation),
        "output_padding": zeros if whole else list(problem.output_padding),
    }  # fmt: skip
    late = bias is not None and whole and extends(problem.window)
    operands = [x, kernels, *([] if bias is None or late else [bias])]
    return Call(
        convolution_backprop_data, tuple(map(tensor, operands)), options,
        problem.window if whole else None, bias if late else None,
    )  # fmt: skip
