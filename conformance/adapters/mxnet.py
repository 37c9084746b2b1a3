"""MXNet: mx.nd.Deconvolution.

Data NC*, weight (in, out/groups, *kernel), kernel as stored. `pad` and `adj` mean the window (pad, pad - adj), so one
call says every window with lo >= 0 and 0 <= lo - hi < stride; any other is cut from the whole stamp. A negative `adj`
is refused but for a few shapes, so none is sent. Half precision has no kernel on a CPU: in float16 every call ends with
"FP16 gemm on cpu not implemented!", and there is no bfloat16 tensor to give. Integers are refused.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mxnet as mx

from conformance.adapters.base import OPERANDS, Call, extends, onednn_version
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {
    "onednn": {"MXNET_MKLDNN_ENABLED": "1", "OMP_NUM_THREADS": "{threads}", "MXNET_STORAGE_FALLBACK_LOG_VERBOSE": "0"},
    "native": {"MXNET_MKLDNN_ENABLED": "0", "OMP_NUM_THREADS": "{threads}", "MXNET_STORAGE_FALLBACK_LOG_VERBOSE": "0"},
}
LIBRARIES = {"onednn": {"onednn": ["DNNL_MAX_CPU_ISA"]}, "native": {"onednn": []}}
REFUSALS = (mx.base.MXNetError, ValueError)
BLOCK = 1
ONEDNN = Path(mx.libinfo.find_include_path(), "mkldnn/oneapi/dnnl/dnnl_version.h")


def describe() -> Mapping[str, str]:
    onednn = mx.runtime.Features().is_enabled("MKLDNN") and os.environ.get("MXNET_MKLDNN_ENABLED") != "0"
    return {
        "mxnet": mx.__version__,
        "device": str(mx.context.current_context()),
        "engine": os.environ.get("MXNET_ENGINE_TYPE", "default"),
        "onednn": onednn_version(ONEDNN) if onednn else "off",
    }


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    window, late = None, None
    pad = tuple(lo for lo, _ in problem.window)
    adj = tuple(lo - hi for lo, hi in problem.window)
    if any(lo < 0 or not 0 <= a < s for lo, a, s in zip(pad, adj, problem.stride, strict=True)):
        window, pad, adj = problem.window, (0,) * problem.rank, (0,) * problem.rank
        if extends(window):
            bias, late = None, bias
    options = {
        "kernel": problem.kernel,
        "stride": problem.stride,
        "dilate": problem.dilation,
        "pad": pad,
        "adj": adj,
        "num_filter": problem.groups * problem.out_channels,
        "num_group": problem.groups,
        "no_bias": bias is None,
    }
    operands = tuple(tensor(array) for array in (x, weight, bias) if array is not None)
    return Call(mx.nd.Deconvolution, operands, options, window, late)


def convolve(problem: Problem, canvas: Array, weight: Array) -> Call:
    options = {
        "kernel": problem.kernel, "stride": problem.stride, "dilate": problem.dilation, "no_bias": True,
        "num_filter": problem.groups * problem.in_channels, "num_group": problem.groups,
    }  # fmt: skip
    return Call(mx.nd.Convolution, (tensor(canvas), tensor(weight)), options)


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    """By `backward()`: `mx.autograd.grad` of a Deconvolution's weight leaves oneDNN useless for the process."""

    def differentiated(*tensors: mx.nd.NDArray, **options: Any) -> mx.nd.NDArray:
        *given, above = tensors
        given[operand].attach_grad()
        with mx.autograd.record():
            answer = call.function(*given, **options)
        answer.backward(above)
        return given[operand].grad

    text = f"{call}.backward({list(upstream.shape)}); {OPERANDS[operand]}.grad"
    return replace(call, function=differentiated, operands=(*call.operands, tensor(upstream)), text=text)


def run(calls: Sequence[Call]) -> Sequence[mx.nd.NDArray]:
    try:
        results = [call() for call in calls]
        for result in results:
            result.wait_to_read()
            _ = result.shape  # a call that infers none, or a negative one, is refused only here
        return results
    finally:
        mx.nd.waitall()  # an error still on its way must not surface on another call


def array(result: mx.nd.NDArray) -> Array:
    numbers: Array = result.asnumpy()
    return numbers


def tensor(array: Array) -> mx.nd.NDArray:
    """A copy, never a view: oneDNN reorders a weight in place."""
    copy = mx.nd.empty(array.shape, dtype=array.dtype)
    copy._sync_copyfrom(array)  # all that mx.nd.array does, at a third of its cost
    return copy
