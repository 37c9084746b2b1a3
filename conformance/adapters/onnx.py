"""ONNX: a model of one ConvTranspose on ONNX Runtime, and on the reference evaluator of the package onnx."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import onnx
import onnx.reference
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from conformance.adapters._onnx import call_of, model_of
from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call, Unsupported
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {
    "onnxruntime": {"ONNX_ENGINE": "onnxruntime", "OMP_NUM_THREADS": "{threads}"},
    "reference": {"ONNX_ENGINE": "reference", "OMP_NUM_THREADS": "{threads}"},
}
BLOCK = 1
EVALUATED = os.environ["ONNX_ENGINE"] == "reference"
REFUSALS: tuple[type[Exception], ...] = (
    (RuntimeError, NotImplementedError, ValueError) if EVALUATED
    else (raised.Fail, raised.InvalidArgument, raised.InvalidGraph, raised.NotImplemented, raised.RuntimeException)
)  # fmt: skip

MOST_MICROSECONDS, OF_A_CHANNEL, OF_AN_ELEMENT = 500_000, 70, 1
"""What is waited for the reference evaluator, and what a channel of an image and an element of a stamp take.

It adds them one by one. The figures are rounded from what a core of an AMD EPYC took.
"""

onnxruntime.set_default_logger_severity(4)  # what it logs of an error, the error says too
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = OPTIONS.inter_op_num_threads = int(os.environ["OMP_NUM_THREADS"])


def describe() -> Mapping[str, str]:
    return {
        "onnx": onnx.__version__,
        "device": "cpu",
        **({} if EVALUATED else {"onnxruntime": onnxruntime.__version__}),
    }


def conv_transpose(x: Array, *constants: Array, **attributes: Any) -> Any:
    """The answer of a model of one node."""
    return _opened(x, *constants, **attributes).run(None, {"x": x})[0]


def _opened(x: Array, *constants: Array, **attributes: Any) -> Any:
    """The engine with a model of one node."""
    model = model_of(x, *constants, **attributes)
    if EVALUATED:
        return onnx.reference.ReferenceEvaluator(onnx.load_model_from_string(model))
    return onnxruntime.InferenceSession(model, OPTIONS, providers=["CPUExecutionProvider"])


def repeated(call: Call) -> Callable[[], object]:
    session = _opened(*call.operands, **call.options)
    return partial(session.run, None, {"x": call.operands[0]})


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if EVALUATED:
        _require_short(problem)
    return call_of(conv_transpose, problem, x, weight, bias)


def _require_short(problem: Problem) -> None:
    """Raises Unsupported for a problem that the reference evaluator takes too long for."""
    channels = problem.batch * problem.groups * problem.out_channels
    stamped = channels * prod((*problem.kernel, *problem.input))
    if channels * OF_A_CHANNEL + stamped * OF_AN_ELEMENT > MOST_MICROSECONDS:
        raise Unsupported(
            f"the reference evaluator adds {stamped:,} elements of {channels:,} channels one by one, "
            "more than is waited for"
        )
