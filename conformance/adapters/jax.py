"""JAX: jax.lax.conv_transpose, or jax.lax.conv_general_dilated where there are groups, which the former does not know.

Data N*C. With transpose_kernel, conv_transpose takes the weight of the forward convolution, (*kernel, out, in), and
reverses it itself; conv_general_dilated takes (*kernel, in, groups*out), already reversed. In both, explicit padding
is that of the stride-1 convolution over the stretched input, (ke - 1 - lo, ke - 1 - hi) with
ke = dilation*(kernel - 1) + 1, so one call says every window. The windows that "SAME" and "VALID" mean are said by
name. Neither call has a bias.

XLA compiles every new shape, so `run` makes one program of many calls. JAX_COMPILATION_CACHE_DIR keeps it for later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax import lax

from conformance.adapters.base import OPERANDS, Call, Widened, widened
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {
    "jit": {
        "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2", "JAX_COMPILATION_CACHE_DIR": "{cache}/jax",
        "PJRT_NPROC": "{threads}",
    },
}  # fmt: skip
LIBRARIES = {"jit": {"xla": ["XLA_FLAGS"]}}
DISTRIBUTIONS = ("flax", "jaxlib", "ml_dtypes", "scipy")
DTYPES = ("bfloat16", "float16", "float32", "float64", "int8", "int32", "int64")
ACCUMULATION = {"bfloat16": "A", "float16": "A"}
REFUSALS = (ValueError, TypeError, NotImplementedError, jax.errors.JaxRuntimeError)
BLOCK = 128

jax.config.update("jax_enable_x64", True)  # without it float64 silently becomes float32
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def describe() -> Mapping[str, str]:
    return {
        "jax": jax.__version__,
        "device": str(jax.devices()[0]),
        "x64": str(jax.config.jax_enable_x64),
        "compilation_cache": "persistent" if jax.config.jax_compilation_cache_dir else "none",
    }


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    ends = zip(problem.effective_kernel, problem.window, strict=True)
    padding = [(ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in ends]
    options: dict[str, Any] = {"rhs_dilation": problem.dilation}
    if problem.groups == 1:
        options |= {"strides": problem.stride, "padding": _law(problem) or padding, "transpose_kernel": True}
        kernel = np.moveaxis(weight, (1, 0), (-2, -1))
        return Call(lax.conv_transpose, (tensor(np.moveaxis(x, 1, -1)), kernel), options, bias=bias, layout="n k c")
    axes = "HWDEFG"[: problem.rank]
    options |= {"window_strides": (1,) * problem.rank, "padding": padding, "lhs_dilation": problem.stride}
    options |= {"feature_group_count": problem.groups, "dimension_numbers": (f"N{axes}C", f"{axes}IO", f"N{axes}C")}
    operands = tensor(np.moveaxis(x, 1, -1)), _reversed(problem, weight)
    prepared = ("reversed kernel",)
    return Call(lax.conv_general_dilated, operands, options, bias=bias, prepared=prepared, layout="n k c")


def convolve(problem: Problem, canvas: Array, weight: Array) -> Call:
    axes = "HWDEFG"[: problem.rank]
    options = {
        "window_strides": problem.stride, "padding": "VALID", "rhs_dilation": problem.dilation,
        "feature_group_count": problem.groups, "dimension_numbers": (f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    }  # fmt: skip
    operands = tensor(np.moveaxis(canvas, 1, -1)), tensor(np.moveaxis(weight, (1, 0), (-2, -1)))
    return Call(lax.conv_general_dilated, operands, options, layout="n k c")


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    added = len(call.operands) == operand  # the bias, of which the call knows nothing

    def differentiated(*arrays: Array, **options: Any) -> jax.Array:
        *given, above = arrays

        def answer(of: Array) -> jax.Array:
            changed = [*given[:operand], of, *given[operand + 1 :]]
            result = call.function(*changed[:2], **options)
            return result + changed[2] if added else result

        _, pulled_back = jax.vjp(answer, given[operand])
        return pulled_back(above)[0]

    text = f"jax.vjp({call}{' + bias' * added}, {OPERANDS[operand]})[1]({list(upstream.shape)})"
    biases = (tensor(call.bias),) if added and call.bias is not None else ()
    operands = (*call.operands, *biases, tensor(upstream))
    return replace(call, function=differentiated, operands=operands, text=text)


def tangent(call: Call, along: Array, operand: int) -> Call:
    def pushed(*arrays: Array, **options: Any) -> jax.Array:
        *given, direction = arrays
        derivative: jax.Array = jax.jvp(_of(call, given, options, operand), (given[operand],), (direction,))[1]
        return derivative

    return replace(call, function=pushed, operands=(*call.operands, along), text=f"jax.jvp({call})")


def second(call: Call, upstream: Array, along: Array, operand: int) -> Call:
    def twice(*arrays: Array, **options: Any) -> jax.Array:
        *given, above, direction = arrays

        def first(of: Array) -> jax.Array:
            changed = [*given[:operand], of, *given[operand + 1 :]]
            return jax.vjp(_of(call, changed, options, 1 - operand), given[1 - operand])[1](above)[0]

        return jax.vjp(first, given[operand])[1](direction)[0]

    operands = (*call.operands, tensor(upstream), along)
    return replace(call, function=twice, operands=operands, text=f"jax.vjp of jax.vjp({call})")


def _of(call: Call, given: Sequence[Array], options: Mapping[str, Any], operand: int) -> Callable[[Array], Any]:
    """A call as a function of one operand."""
    return lambda of: call.function(*given[:operand], of, *given[operand + 1 :], **options)


def run(calls: Sequence[Call]) -> Sequence[jax.Array]:
    def block(operands: Sequence[tuple[Array, ...]]) -> Sequence[jax.Array]:
        return [call.function(*arrays, **call.options) for call, arrays in zip(calls, operands, strict=True)]

    results: Sequence[jax.Array] = jax.block_until_ready(jax.jit(block)([call.operands for call in calls]))
    jax.clear_caches()  # no block comes twice, and what JAX remembers of each would add up
    return results


def repeated(call: Call) -> Callable[[], object]:
    operands = [jax.device_put(operand) for operand in call.operands]
    program = jax.jit(lambda *given: call.function(*given, **call.options)).lower(*operands).compile()
    return lambda: jax.block_until_ready(program(*operands))


def array(result: jax.Array) -> Array | Widened:
    return widened(np.asarray(result))


def tensor(array: Array) -> Array:
    return np.ascontiguousarray(array)


def cast(call: Call, dtype: str) -> Call:
    """By JAX's own type, of which it makes NumPy arrays too: so nothing is compiled for it."""
    own = jax.numpy.dtype(dtype)
    operands = tuple(operand if operand is None else operand.astype(own) for operand in call.operands)
    return replace(call, operands=operands)


def _law(problem: Problem) -> str | None:
    """The named padding that means exactly the problem's window."""
    excess = [ke - s for ke, s in zip(problem.effective_kernel, problem.stride, strict=True)]
    laws = {
        "VALID": tuple((0, min(t, 0)) for t in excess),
        "SAME": tuple((max(t, 0) // 2, t - max(t, 0) // 2) for t in excess),
    }
    return next((law for law, window in laws.items() if window == problem.window), None)


def _reversed(problem: Problem, weight: Array) -> Array:
    """(groups*in, out, *kernel) as (*kernel, in, groups*out), kernel reversed."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    grouped = np.moveaxis(weight.reshape(g, ic, oc, *problem.kernel), (1, 0, 2), (-3, -2, -1))
    return np.flip(grouped, tuple(range(problem.rank))).reshape(*problem.kernel, ic, g * oc)
