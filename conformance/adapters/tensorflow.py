"""TensorFlow: tf.nn.conv{1,2,3}d_transpose.

Data N*C, weight (*kernel, out/groups, in) with `in` group by group, kernel as stored; there is no bias argument.
The output shape is an argument and `padding` says which window (lo, hi) it means, where lo + hi = full - output:

    "SAME"   lo = max(lo + hi, 0) // 2, if (input - 1)*stride < output <= input*stride
    "VALID"  lo = 0, -stride < hi <= 0
    pairs    any lo >= 0, hi > -stride, as (lo, max(hi, 0)); conv2d_transpose alone, so 1-D gets a unit axis

On a CPU pairs are refused when dilated or grouped. Every window that is left is cut from the whole stamp, by "VALID".
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

from conformance.adapters.base import OPERANDS, UNIT_AXIS, Call, Unsupported, Widened, onednn_version, widened
from conformance.layout import Array
from conformance.problem import Ints, Problem, Window

VARIANTS = {
    "onednn": {
        "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
        "TF_NUM_INTRAOP_THREADS": "{threads}",
    },
    "eigen": {
        "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
        "TF_NUM_INTRAOP_THREADS": "{threads}",
    },
}  # fmt: skip
BY_ITSELF = {
    "onednn": "on CPUs that have AVX512-VNNI, AVX-VNNI or AMX",
    "eigen": "on CPUs that have none of AVX512-VNNI, AVX-VNNI and AMX",
}
LIBRARIES = {
    "onednn": {"onednn": ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"], "xla": ["XLA_FLAGS"]},
    "eigen": {"onednn": [], "xla": ["XLA_FLAGS"]},
}
DISTRIBUTIONS = ("keras", "ml_dtypes")
UNREPEATED = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
DTYPES = ("bfloat16", "float16", "float32", "float64", "int32")
ACCUMULATION = {"bfloat16": "B", "float16": "B"}
REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, ValueError, TypeError)
BLOCK = 1

tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["TF_NUM_INTRAOP_THREADS"]))
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.experimental.enable_op_determinism()

FUNCTIONS = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}
ONEDNN = Path(tf.sysconfig.get_include(), "external/onednn/include/oneapi/dnnl/dnnl_version.h")


def describe() -> Mapping[str, str]:
    return {
        "tensorflow": tf.__version__,
        "device": "cpu",
        "onednn": onednn_version(ONEDNN) if _pywrap_util_port.IsMklEnabled() else "off",
    }


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if problem.rank not in FUNCTIONS:
        raise Unsupported(f"{problem.rank} spatial axes: there is tf.nn.conv1d_transpose to conv3d_transpose")
    axes = range(2, problem.rank + 2)
    data, kernel = x.transpose(0, *axes, 1), weight.transpose(*axes, 1, 0)
    function, strides = FUNCTIONS[problem.rank], problem.stride
    padding, output, window = _padding(problem)
    prepared: tuple[str, ...] = ()
    if problem.rank == 1 and not isinstance(padding, str):
        function, strides, output, padding = tf.nn.conv2d_transpose, (1, *strides), (1, *output), [(0, 0), *padding]
        data, kernel, prepared = data[:, None], kernel[None], (UNIT_AXIS,)
    options = {
        "output_shape": (problem.batch, *output, problem.groups * problem.out_channels),
        "strides": strides,
        "padding": padding,
        "dilations": problem.dilation,
    }
    return Call(function, (tensor(data), tensor(kernel)), options, window, bias, prepared, "n k c")


def convolve(problem: Problem, canvas: Array, weight: Array) -> Call:
    axes = range(2, problem.rank + 2)
    operands = tensor(canvas.transpose(0, *axes, 1)), tensor(weight.transpose(*axes, 1, 0))
    options = {"strides": problem.stride, "padding": "VALID", "dilations": problem.dilation}
    return Call(tf.nn.convolution, operands, options, layout="n k c")


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    added = len(call.operands) == operand  # the bias, of which the call knows nothing

    def differentiated(*tensors: tf.Tensor, **options: Any) -> tf.Tensor:
        *given, above = tensors
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(given[operand])
            answer = call.function(*(given[:-1] if added else given), **options)
            answer = tf.nn.bias_add(answer, given[-1]) if added else answer
        return tape.gradient(answer, given[operand], above)

    text = f"tf.GradientTape().gradient({call}{' + bias' * added}, {OPERANDS[operand]}, {list(upstream.shape)})"
    biases = (tensor(call.bias),) if added and call.bias is not None else ()
    operands = (*call.operands, *biases, tensor(upstream))
    return replace(call, function=differentiated, operands=operands, text=text)


def tangent(call: Call, along: tf.Tensor, operand: int) -> Call:
    def pushed(*tensors: tf.Tensor, **options: Any) -> tf.Tensor:
        *given, direction = tensors
        with tf.autodiff.ForwardAccumulator(given[operand], direction) as accumulator:
            answer = call.function(*given, **options)
        return accumulator.jvp(answer)

    operands = (*call.operands, along)
    return replace(call, function=pushed, operands=operands, text=f"tf.autodiff.ForwardAccumulator.jvp({call})")


def second(call: Call, upstream: Array, along: tf.Tensor, operand: int) -> Call:
    def twice(*tensors: tf.Tensor, **options: Any) -> tf.Tensor:
        *given, above, direction = tensors
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(given[operand])
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(given[1 - operand])
                answer = call.function(*given, **options)
            first = inner.gradient(answer, given[1 - operand], above)
        return outer.gradient(first, given[operand], direction)

    operands = (*call.operands, tensor(upstream), along)
    return replace(call, function=twice, operands=operands, text=f"tf.GradientTape of tf.GradientTape of {call}")


def traced(call: Call) -> Call:
    def function(*tensors: tf.Tensor, **options: Any) -> tf.Tensor:
        return tf.function(lambda *given: call.function(*given, **options), autograph=False)(*tensors)

    return replace(call, function=function, text=f"tf.function({call})")


def run(calls: Sequence[Call]) -> Sequence[tf.Tensor]:
    return [call() for call in calls]


def array(result: tf.Tensor) -> Array | Widened:
    return widened(np.asarray(result.numpy()))  # of no axis it gives a NumPy scalar


def tensor(array: Array) -> tf.Tensor:
    return tf.constant(array)


def cast(call: Call, dtype: str) -> Call:
    operands = tuple(operand if operand is None else tf.cast(operand, dtype) for operand in call.operands)
    return replace(call, operands=operands)


def _padding(problem: Problem) -> tuple[str | list[tuple[int, int]], Ints, Window | None]:
    """The padding argument, the output extents it is used with, and the window that remains after the call."""
    output, window = problem.output, problem.window
    axes = list(zip(window, problem.stride, problem.input, output, strict=True))
    if all(lo == max(lo + hi, 0) // 2 and (i - 1) * s < out <= i * s for (lo, hi), s, i, out in axes):
        return "SAME", output, None
    if all(lo == 0 and -s < hi <= 0 for (lo, hi), s, _, _ in axes):
        return "VALID", output, None
    in_pairs = problem.rank < 3 and problem.groups == 1 and set(problem.dilation) == {1}
    if in_pairs and all(lo >= 0 and hi > -s for (lo, hi), s, _, _ in axes):
        return [(0, 0), *((lo, max(hi, 0)) for lo, hi in window), (0, 0)], output, None
    return "VALID", problem.full, window
