"""MLX: mlx.core.conv_transpose{1,2,3}d on a CPU.

Data N*C, weight (out, *kernel, in/groups) with `out` group by group, kernel as stored; there is no bias argument.
`padding` and `output_padding` mean the window (p, p - op), and any output_padding is taken, negative ones too, so that
one call says every window that does not begin before the stamp. An array of float64 becomes one of float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np

from conformance.adapters.base import OPERANDS, Call, Unsupported, Widened
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS: Mapping[str, Mapping[str, str]] = {"cpu": {}}
DTYPES = ("bfloat16", "float16", "float32")
ACCUMULATION = {"bfloat16": "A", "float16": "A"}
REFUSALS = (ValueError, RuntimeError)
BLOCK = 1
mx.set_default_device(mx.cpu)

FUNCTIONS = {1: mx.conv_transpose1d, 2: mx.conv_transpose2d, 3: mx.conv_transpose3d}


def describe() -> Mapping[str, str]:
    return {"mlx": version("mlx"), "device": "cpu"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if problem.rank not in FUNCTIONS:
        raise Unsupported(f"{problem.rank} spatial axes: there is conv_transpose1d to conv_transpose3d")
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    kernel = np.moveaxis(grouped, 1, -1).reshape(-1, *problem.kernel, problem.in_channels)
    window = problem.window if any(lo < 0 for lo, _ in problem.window) else None
    ends = [(0, 0)] * problem.rank if window else problem.window
    options = {"stride": _plain(problem.stride), "padding": _plain([lo for lo, _ in ends]),
               "dilation": _plain(problem.dilation), "output_padding": _plain([lo - hi for lo, hi in ends]),
               "groups": problem.groups}  # fmt: skip
    operands = tensor(np.moveaxis(x, 1, -1)), tensor(kernel)
    return Call(FUNCTIONS[problem.rank], operands, options, window, bias, layout="n k c")


def gradient(call: Call, upstream: Array, operand: int) -> Call:
    added = len(call.operands) == operand  # the bias, of which the call knows nothing

    def differentiated(*arrays: Any, **options: Any) -> Any:
        *given, above = arrays

        def answer(of: Any) -> Any:
            changed = [*given[:operand], of, *given[operand + 1 :]]
            result = call.function(*changed[:2], **options)
            return result + changed[2] if added else result

        return mx.vjp(answer, [given[operand]], [above])[1][0]

    text = f"mx.vjp({call}{' + bias' * added}, {OPERANDS[operand]}, {list(upstream.shape)})"
    biases = (tensor(call.bias),) if added and call.bias is not None else ()
    operands = (*call.operands, *biases, tensor(upstream))
    return replace(call, function=differentiated, operands=operands, text=text)


def run(calls: Sequence[Call]) -> Sequence[Any]:
    results = [call() for call in calls]
    mx.eval(results)
    return results


def array(result: Any) -> Array | Widened:
    if result.dtype == mx.bfloat16:  # which NumPy has not
        return Widened(np.array(result.astype(mx.float32)), "bfloat16")
    return np.array(result)


def tensor(array: Array) -> Any:
    return mx.array(np.ascontiguousarray(array))


def cast(call: Call, dtype: str) -> Call:
    return replace(call, operands=tuple(operand.astype(getattr(mx, dtype)) for operand in call.operands))


def _plain(numbers: Sequence[int]) -> int | tuple[int, ...]:
    """A number where there is one axis, as conv_transpose1d takes it."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)
