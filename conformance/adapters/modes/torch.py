"""PyTorch's modes: other kernels, other memory under the operands, calls without a batch, and what compilers make."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from conformance.adapters.base import Call, Unsupported
from conformance.adapters.modes.base import Inferred

THREADS = 4
"""Threads of a mode with several, where a lane's calls have as many as it is given."""
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def without_onednn(call: Call) -> Call:
    """oneDNN is off, so that ATen's own kernels answer."""

    def function(*operands: Tensor, **options: Any) -> Tensor:
        with torch.backends.mkldnn.flags(enabled=False):
            result: Tensor = call.function(*operands, **options)
        return result

    return _changed(call, function, "without oneDNN")


def channels_last(call: Call) -> Call:
    """Input and weight are in memory with their channels last."""
    x, weight, *rest = call.operands
    if x.dim() not in FORMATS:
        raise Unsupported("there is no format with the channels last in 1-D")
    operands = [operand.contiguous(memory_format=FORMATS[x.dim()]) for operand in (x, weight)]
    return replace(call, operands=(*operands, *rest), text=f"channels last: {call}")


def strided(call: Call) -> Call:
    """Every operand is every second element of a larger tensor."""
    return replace(call, operands=tuple(map(_every_second, call.operands)), text=f"strided: {call}")


def transposed(call: Call) -> Call:
    """Input and weight are views of tensors with their first two axes exchanged."""
    x, weight, *rest = call.operands
    views = [operand.transpose(0, 1).contiguous().transpose(0, 1) for operand in (x, weight)]
    return replace(call, operands=(*views, *rest), text=f"transposed: {call}")


def unbatched(call: Call) -> Call:
    """Each element of the batch is a call of its own, without an axis for the batch."""
    if not len(call.operands[0]):
        raise Unsupported("there is no element in the batch")

    def function(x: Tensor, *others: Tensor, **options: Any) -> Tensor:
        return torch.stack([call.function(one, *others, **options) for one in x])

    return _changed(call, function, "unbatched")


def vmap(call: Call) -> Call:
    """`torch.vmap` maps a call without a batch over the elements of the batch."""

    def function(x: Tensor, *others: Tensor, **options: Any) -> Tensor:
        mapped: Tensor = torch.vmap(lambda one: call.function(one, *others, **options))(x)
        return mapped

    return _changed(call, function, "torch.vmap")


def vmap_weights(call: Call) -> Call:
    """`torch.vmap` maps the call over two weights, the other of which is the weight's negative."""

    def function(x: Tensor, weight: Tensor, *biases: Tensor, **options: Any) -> Tensor:
        mapped: Tensor = torch.vmap(lambda one: call.function(x, one, *biases, **options))(
            torch.stack([weight, -weight])
        )
        return mapped[0]

    return _changed(call, function, "torch.vmap over weights")


def several_threads(call: Call) -> Call:
    """Four threads make the call."""

    def function(*operands: Tensor, **options: Any) -> Tensor:
        torch.set_num_threads(THREADS)
        try:
            result: Tensor = call.function(*operands, **options)
        finally:
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        return result

    return _changed(call, function, "four threads")


def compiled(call: Call) -> Call:
    """`torch.compile` with the backend Inductor, the whole call in one graph."""

    def function(*operands: Tensor, **options: Any) -> Tensor:
        torch._dynamo.reset()
        result: Tensor = torch.compile(lambda *given: call.function(*given, **options), fullgraph=True)(*operands)
        return result

    return _changed(call, function, "torch.compile")


def exported(call: Call) -> Call:
    """`torch.export` of a module that makes the call, and that program run."""

    def function(*operands: Tensor, **options: Any) -> Tensor:
        result: Tensor = torch.export.export(_Calling(call, options), operands).module()(*operands)
        return result

    return _changed(call, function, "torch.export")


def onnx_dynamo(call: Call) -> Call:
    """`torch.onnx.export` by way of `torch.export`, and the model run by ONNX Runtime."""
    return _in_onnx(call, dynamo=True)


def onnx_script(call: Call) -> Call:
    """`torch.onnx.export` by way of TorchScript, and the model run by ONNX Runtime."""
    return _in_onnx(call, dynamo=False)


def meta(call: Call) -> Call:
    """The call on tensors of the device `meta`, which have a shape and no data."""

    def function(*operands: Tensor, **options: Any) -> Inferred:
        result = call.function(*(operand.to("meta") for operand in operands), **options)
        return Inferred(tuple(result.shape), str(result.dtype).removeprefix("torch."))

    return _changed(call, function, "meta")


MODES = {
    "no-onednn": without_onednn, "channels-last": channels_last, "strided": strided, "transposed": transposed,
    "unbatched": unbatched, "vmap": vmap, "vmap-weights": vmap_weights, "threads": several_threads,
}  # fmt: skip
SLOW = {"compile": compiled, "export": exported, "onnx-dynamo": onnx_dynamo, "onnx-script": onnx_script}
INFERENCES = {"meta": meta}
NEEDS = {"onnx-dynamo": ("onnx", "onnxruntime", "onnxscript"), "onnx-script": ("onnx", "onnxruntime")}


class _Calling(torch.nn.Module):
    """A module that makes a call on what it is given."""

    def __init__(self, call: Call, options: dict[str, Any]) -> None:
        super().__init__()
        self.function, self.options = call.function, options

    def forward(self, *operands: Tensor) -> Tensor:
        result: Tensor = self.function(*operands, **self.options)
        return result


def _in_onnx(call: Call, *, dynamo: bool) -> Call:
    def function(*operands: Tensor, **options: Any) -> Tensor:
        from conformance.adapters.modes import _exported

        return _exported.answer(_Calling(call, options), operands, dynamo=dynamo)

    return _changed(call, function, f"torch.onnx.export, dynamo={dynamo}")


def _changed(call: Call, function: Callable[..., Any], how: str) -> Call:
    return replace(call, function=function, text=f"{how}: {call}")


def _every_second(operand: Tensor) -> Tensor:
    wide = operand.new_full((*operand.shape, 2), 7)
    wide[..., 0] = operand
    return wide[..., 0]
