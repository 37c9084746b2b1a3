"""OpenCV: an ONNX model of one ConvTranspose on its module dnn."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from conformance.adapters._onnx import call_of, model_of
from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call
from conformance.layout import Array
from conformance.problem import Problem

PACKAGE = "opencv-python-headless"
VARIANTS = {"dnn": {"OMP_NUM_THREADS": "{threads}", "OPENCV_LOG_LEVEL": "SILENT"}}
DISTRIBUTIONS = ("onnx",)
REFUSALS = (cv2.error,)
BLOCK = 1
cv2.setNumThreads(int(os.environ["OMP_NUM_THREADS"]))


def describe() -> Mapping[str, str]:
    return {"opencv": cv2.__version__, "device": "cpu"}


def conv_transpose(x: Array, *constants: Array, **attributes: Any) -> Any:
    """The answer of a model of one node."""
    return _opened(x, *constants, **attributes).forward()


def _opened(x: Array, *constants: Array, **attributes: Any) -> Any:
    """A net of one node that has its input."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model_of(x, *constants, **attributes), np.uint8))
    net.setInput(x)
    return net


def repeated(call: Call) -> Callable[[], object]:
    net = _opened(*call.operands, **call.options)

    def again() -> object:
        net.setInput(call.operands[0])  # without which the last answer is given again
        return net.forward()

    return again


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    return call_of(conv_transpose, problem, x, weight, bias)
