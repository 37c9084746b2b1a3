"""MXNet's modes: the call as a symbol that is bound and run, and the shape that is inferred of that symbol."""

from dataclasses import replace
from typing import Any

import mxnet as mx
import numpy as np

from conformance.adapters.base import Call
from conformance.adapters.modes.base import Inferred

NAMES = ("data", "weight", "bias")


def symbol(call: Call) -> Call:
    """The call as a symbol, bound to its operands and run by an executor."""

    def function(*operands: mx.nd.NDArray, **options: Any) -> mx.nd.NDArray:
        named = dict(zip(NAMES, operands, strict=False))
        (result,) = _symbol(call, options, len(operands)).bind(mx.cpu(), named).forward()
        result.wait_to_read()
        return result

    return replace(call, function=function, text=f"mx.sym: {call}")


def infer_shape(call: Call) -> Call:
    """`infer_shape` and `infer_type` of the call as a symbol."""

    def function(*operands: mx.nd.NDArray, **options: Any) -> Inferred:
        made = _symbol(call, options, len(operands))
        _, (shape,), _ = made.infer_shape(**{name: each.shape for name, each in zip(NAMES, operands, strict=False)})
        _, (dtype,), _ = made.infer_type(**{name: each.dtype for name, each in zip(NAMES, operands, strict=False)})
        return Inferred(tuple(shape), np.dtype(dtype).name)

    return replace(call, function=function, text=f"infer_shape: {call}")


MODES = {"symbol": symbol}
SLOW: dict[str, Any] = {}
INFERENCES = {"infer-shape": infer_shape}
NEEDS: dict[str, tuple[str, ...]] = {}


def _symbol(call: Call, options: dict[str, Any], count: int) -> mx.sym.Symbol:
    function = getattr(mx.sym, call.function.__name__)
    return function(*(mx.sym.var(name) for name in NAMES[:count]), **options)
