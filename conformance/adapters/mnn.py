"""MNN: MNN.expr.conv2d_transpose, which is all of transposed convolution that its expressions have.

Data NCHW, weight (in, out/groups, *kernel), kernel as stored; a bias is required. Strides and dilations stand in the
order x, y. The whole stamp is asked for, and every window is cut from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import MNN
import numpy as np
from MNN import expr

from conformance.adapters.base import Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS: Mapping[str, Mapping[str, str]] = {"cpu": {}}
REFUSALS = (ValueError, RuntimeError, TypeError)
BLOCK = 1


def describe() -> Mapping[str, str]:
    return {"mnn": MNN.version(), "device": "cpu"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if x.dtype != np.float32:
        raise Unsupported("its convolutions compute in float32")
    if problem.rank != 2:
        raise Unsupported(f"{problem.rank} spatial axes: MNN's expressions have conv2d_transpose alone")
    options = {"stride": problem.stride[::-1], "padding": (0, 0), "dilate": problem.dilation[::-1],
               "group": problem.groups, "padding_mode": expr.Padding_Mode.VALID}  # fmt: skip
    late = bias is not None and extends(problem.window)
    given = np.zeros(problem.groups * problem.out_channels, x.dtype) if bias is None or late else bias
    operands = expr.convert(tensor(x), expr.NC4HW4), tensor(weight), tensor(given)
    return Call(expr.conv2d_transpose, operands, options, problem.window, bias if late else None)


def run(calls: Sequence[Call]) -> Sequence[Any]:
    return [np.array(expr.convert(call(), expr.NCHW).read()) for call in calls]


def array(result: Any) -> Array:
    return np.asarray(result)


def tensor(array: Array) -> Any:
    return expr.const(np.ascontiguousarray(array), list(array.shape), expr.NCHW)
