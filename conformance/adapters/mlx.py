"""MLX: mlx.core.conv_transpose{1,2,3}d on a CPU.

Data N*C, weight (out, *kernel, in/groups) with `out` group by group, kernel as stored; there is no bias argument.
`padding` and `output_padding` mean the window (p, p - op), and any output_padding is taken, negative ones too, so that
one call says every window that does not begin before the stamp.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np

from conformance.adapters.base import Call, Unsupported
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS: Mapping[str, Mapping[str, str]] = {"cpu": {}}
REFUSALS = (ValueError, RuntimeError)
BLOCK = 1
mx.set_default_device(mx.cpu)

FUNCTIONS = {1: mx.conv_transpose1d, 2: mx.conv_transpose2d, 3: mx.conv_transpose3d}


def describe() -> Mapping[str, str]:
    return {"mlx": version("mlx"), "device": "cpu"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if x.dtype != np.float32:
        raise Unsupported("an array of float64 becomes one of float32")
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


def run(calls: Sequence[Call]) -> Sequence[Any]:
    results = [call() for call in calls]
    mx.eval(results)
    return results


def array(result: Any) -> Array:
    return np.array(result)


def tensor(array: Array) -> Any:
    return mx.array(np.ascontiguousarray(array))


def _plain(numbers: Sequence[int]) -> int | tuple[int, ...]:
    """A number where there is one axis, as conv_transpose1d takes it."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)
