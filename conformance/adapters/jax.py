"""JAX: jax.lax.conv_transpose, or jax.lax.conv_general_dilated where there are groups, which the former does not know.

Data N*C. With transpose_kernel, conv_transpose takes the weight of the forward convolution, (*kernel, out, in), and
reverses it; conv_general_dilated takes it (*kernel, in, groups*out) and already reversed. Explicit padding, in both,
is that of the stride-1 convolution over the stretched input: (ke - 1 - lo, ke - 1 - hi) with
ke = dilation*(kernel - 1) + 1, so one call says every window. The windows that "SAME" and "VALID" mean are said
by these names. There is no bias. All dtypes stay as they are: 64-bit types are enabled.

XLA compiles every new shape, so `run` makes one program of many calls, and keeps it if JAX_COMPILATION_CACHE_DIR is set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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

LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


def describe() -> Mapping[str, str]:
    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    ends = zip(problem.effective_kernel, problem.window, strict=True)
    padding = [(ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in ends]
    options: dict[str, Any] = {"rhs_dilation": problem.dilation, "padding": padding}
    if problem.groups == 1:
        options |= {"strides": problem.stride, "padding": _law(problem) or padding, "transpose_kernel": True}
        forward = np.ascontiguousarray(np.moveaxis(weight, (1, 0), (-2, -1)))
        return Call(lax.conv_transpose, (channels_last(x), forward), options, bias=bias)
    options |= {"window_strides": (1,) * problem.rank, "lhs_dilation": problem.stride}
    options |= {"feature_group_count": problem.groups, "dimension_numbers": LAYOUTS[problem.rank]}
    kernel = _reversed(problem, weight)
    return Call(lax.conv_general_dilated, (channels_last(x), kernel), options, bias=bias, prepared=("reversed kernel",))


def run(calls: Sequence[Call]) -> Sequence[Array]:
    @jax.jit
    def block(operands: Sequence[tuple[Array, ...]]) -> list[jax.Array]:
        return [call.function(*each, **call.options) for call, each in zip(calls, operands, strict=True)]

    results = [channels_first(np.asarray(y)) for y in block([call.operands for call in calls])]
    jax.clear_caches()  # no program runs twice in a process
    return results


def _law(problem: Problem) -> str | None:
    """The padding law that means exactly the problem's window."""
    beyond = [ke - s for ke, s in zip(problem.effective_kernel, problem.stride, strict=True)]
    laws = {
        "VALID": tuple((0, min(t, 0)) for t in beyond),
        "SAME": tuple((max(t, 0) // 2, t - max(t, 0) // 2) for t in beyond),
    }
    return next((law for law, window in laws.items() if window == problem.window), None)


def _reversed(problem: Problem, weight: Array) -> Array:
    """(groups*in, out, *kernel) as (*kernel, in, groups*out), kernel reversed."""
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    grouped = np.flip(np.moveaxis(grouped, (1, 0, 2), (-3, -2, -1)), tuple(range(problem.rank)))
    return np.ascontiguousarray(grouped.reshape(*problem.kernel, problem.in_channels, -1))
