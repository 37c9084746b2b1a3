"""tract: an ONNX model of one ConvTranspose on the engine of that name, which is written in Rust."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tract

from conformance.adapters._onnx import call_of, model_of
from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS: Mapping[str, Mapping[str, str]] = {"cpu": {}}
DISTRIBUTIONS = ("onnx",)
REFUSALS = (tract.TractError,)
BLOCK = 1
NIGHT = ("smoke",)


def describe() -> Mapping[str, str]:
    return {"tract": tract.version(), "device": "cpu"}


def conv_transpose(x: Array, *constants: Array, **attributes: Any) -> Any:
    """The answer of a model of one node, which is read from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(model_of(x, *constants, **attributes))
        model = tract.onnx().load(path)
    return model.into_model().into_runnable().run([x])[0].to_numpy()


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    return call_of(conv_transpose, problem, x, weight, bias)
