"""JAX: jax.lax.conv_transpose, and jax.lax.conv_general_dilated where there are groups.

conv_transpose takes data N*C and, with transpose_kernel, the weight of the forward convolution: (*kernel, out, in).
Its explicit padding is that of the stride-1 convolution over the stretched input, (ke - 1 - lo, ke - 1 - hi) with
ke = dilation*(kernel - 1) + 1, so one call says every window; "SAME" and "VALID" are used for the windows they mean.
It has no groups: conv_general_dilated with the same padding and lhs_dilation = stride says those, in its own default
layout NC* with weight (groups*out, in, *kernel), kernel reversed. Neither has a bias.

XLA compiles every new shape: `run` traces a block of calls into one program, which the persistent cache keeps where
JAX_COMPILATION_CACHE_DIR names a directory.
"""

from collections.abc import Mapping, Sequence

import jax
import jaxlib
import numpy as np
from jax import lax

from conformance.adapters.base import Array, Call, channels_first, channels_last
from conformance.problem import Problem

VARIANTS = {"jit": {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2"}}
REFUSALS = (ValueError, TypeError, NotImplementedError, jax.errors.JaxRuntimeError)
BLOCK = 64

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def describe() -> Mapping[str, str]:
    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    padding = [(ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in zip(problem.effective_kernel, problem.window, strict=True)]
    if problem.groups == 1:
        options = {"strides": problem.stride, "padding": _law(problem) or padding, "rhs_dilation": problem.dilation}
        kernel = np.ascontiguousarray(np.moveaxis(weight, (1, 0), (-2, -1)))
        return Call(lax.conv_transpose, (channels_last(x), kernel), options | {"transpose_kernel": True}, bias=bias)
    options = {
        "window_strides": (1,) * problem.rank,
        "padding": padding,
        "lhs_dilation": problem.stride,
        "rhs_dilation": problem.dilation,
        "feature_group_count": problem.groups,
    }
    return Call(lax.conv_general_dilated, (x, _forward(problem, weight)), options, bias=bias, prepared=("reversed kernel",))


def run(calls: Sequence[Call]) -> Sequence[Array]:
    @jax.jit
    def block(operands):
        return [call.function(*each, **call.options) for call, each in zip(calls, operands, strict=True)]

    results = [np.asarray(y) for y in block([call.operands for call in calls])]
    jax.clear_caches()
    return [channels_first(y) if call.function is lax.conv_transpose else y for call, y in zip(calls, results, strict=True)]


def _law(problem: Problem) -> str | None:
    """The padding law that means exactly the problem's window."""
    beyond = [ke - s for ke, s in zip(problem.effective_kernel, problem.stride, strict=True)]
    laws = {
        "VALID": tuple((0, min(t, 0)) for t in beyond),
        "SAME": tuple((max(t, 0) // 2, t - max(t, 0) // 2) for t in beyond),
    }
    return next((law for law, window in laws.items() if window == problem.window), None)


def _forward(problem: Problem, weight: Array) -> Array:
    """(groups*in, out, *kernel) as (groups*out, in, *kernel), kernel reversed."""
    split = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    swapped = split.swapaxes(1, 2).reshape(-1, problem.in_channels, *problem.kernel)
    return np.ascontiguousarray(np.flip(swapped, tuple(range(2, swapped.ndim))))
