"""Keras 3: keras.ops.conv_transpose, on the backend that is the variant.

Data N*C, weight (*kernel, out, in), kernel as stored; there are no groups and no bias. With t = full - output:

    "same"    lo = max(t, 0) // 2, output = i*s, or with output_padding op (i - 1)*s + ke % 2 + op
    "valid"   lo = 0, output = (i - 1)*s + max(ke, s), or with output_padding op (i - 1)*s + ke + op

Every other window is cut from the whole stamp, by "valid" with an output_padding of 0.
"""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from conformance.adapters.base import OPERANDS, Call, Unsupported
from conformance.layout import Array
from conformance.problem import Ints, Problem, Window

VARIANTS = {
    "tensorflow": {
        "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1", "TF_NUM_INTRAOP_THREADS": "{threads}", "OMP_NUM_THREADS": "{threads}",
    },
    "torch": {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "{threads}", "MKL_NUM_THREADS": "{threads}"},
    "jax": {
        "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "TF_CPP_MIN_LOG_LEVEL": "2",
        "JAX_COMPILATION_CACHE_DIR": "{cache}/jax", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PJRT_NPROC": "{threads}",
    },
}  # fmt: skip
LIBRARIES = {
    "tensorflow": {"onednn": ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"], "xla": ["XLA_FLAGS"]},
    "torch": {"aten": ["ATEN_CPU_CAPABILITY"], "onednn": ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"]},
    "jax": {"xla": ["XLA_FLAGS"]},
}
DISTRIBUTIONS = ("tensorflow", "torch", "jax", "jaxlib")
NIGHT = ("smoke",)
BLOCK = 1
REFUSALS: tuple[type[Exception], ...] = (ValueError, TypeError, RuntimeError, NotImplementedError)

if os.environ["KERAS_BACKEND"] == "tensorflow":  # no other backend is there to be imported
    import tensorflow as tf

    REFUSALS += (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)

    def _pulled_back(answer: Callable[[Any], Any], of: Any, above: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(of)
            result = answer(of)
        return tape.gradient(result, of, above)

elif os.environ["KERAS_BACKEND"] == "jax":
    import jax

    REFUSALS += (jax.errors.JaxRuntimeError,)

    CALLED = itertools.count(1)

    def _pulled_back(answer: Callable[[Any], Any], of: Any, above: Any) -> Any:
        return jax.vjp(answer, of)[1](above)[0]

else:
    import torch

    def _pulled_back(answer: Callable[[Any], Any], of: Any, above: Any) -> Any:
        of = of.detach().requires_grad_()
        return torch.autograd.grad(answer(of), of, above)[0]


def describe() -> Mapping[str, str]:
    return {"keras": keras.__version__, "device": "cpu"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if problem.groups > 1:
        raise Unsupported("keras.ops.conv_transpose has no groups")
    axes = range(2, problem.rank + 2)
    padding, output_padding, window = _padding(problem)
    options = {
        "strides": problem.stride, "padding": padding, "output_padding": output_padding,
        "data_format": "channels_last", "dilation_rate": problem.dilation,
    }  # fmt: skip
    operands = tensor(x.transpose(0, *axes, 1)), tensor(weight.transpose(*axes, 1, 0))
    return Call(keras.ops.conv_transpose, operands, options, window, bias, layout="n k c")


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    added = len(call.operands) == operand  # the bias, of which the call knows nothing

    def differentiated(*tensors: Any, **options: Any) -> Any:
        *given, above = tensors

        def answer(of: Any) -> Any:
            changed = [*given[:operand], of, *given[operand + 1 :]]
            result = call.function(*changed[:2], **options)
            return keras.ops.add(result, changed[2]) if added else result

        return _pulled_back(answer, given[operand], above)

    text = f"the gradient by {OPERANDS[operand]} of {call}{' + bias' * added} for {list(upstream.shape)}"
    biases = (tensor(call.bias),) if added and call.bias is not None else ()
    operands = (*call.operands, *biases, tensor(upstream))
    return replace(call, function=differentiated, operands=operands, text=text)


def run(calls: Sequence[Call]) -> Sequence[Any]:
    answers = [keras.ops.convert_to_numpy(call()) for call in calls]
    if keras.backend.backend() == "jax" and next(CALLED) % 64 == 0:
        jax.clear_caches()  # a shape seldom comes twice, and what JAX remembers of each adds up to gigabytes
    return answers


def array(result: Any) -> Array:
    return np.asarray(result)


def tensor(array: Array) -> Any:
    return keras.ops.convert_to_tensor(np.ascontiguousarray(array))


def _padding(problem: Problem) -> tuple[str, Ints | None, Window | None]:
    """padding and output_padding, the usual ones first, and the window that remains after the call."""
    axes = list(zip(problem.input, problem.stride, problem.effective_kernel, problem.output, strict=True))
    same = tuple(max(lo + hi, 0) // 2 for lo, hi in problem.window)
    if all(lo == cut for (lo, _), cut in zip(problem.window, same, strict=True)):
        if all(out == i * s for i, s, _, out in axes):
            return "same", None, None
        back = tuple(out - (i - 1) * s - ke % 2 for i, s, ke, out in axes)
        if all(0 <= op < s for op, s in zip(back, problem.stride, strict=True)):
            return "same", back, None
    if all(lo == 0 for lo, _ in problem.window):
        if all(out == (i - 1) * s + max(ke, s) for i, s, ke, out in axes):
            return "valid", None, None
        if all(0 <= -hi < s for (_, hi), s in zip(problem.window, problem.stride, strict=True)):
            return "valid", tuple(-hi for _, hi in problem.window), None
    return "valid", (0,) * problem.rank, problem.window
