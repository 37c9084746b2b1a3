"""PyTorch's operators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as its users call it

from conformance.adapters.operators.base import Convolution
from conformance.layout import Array

NAMESPACE = {"torch": torch, "nn": torch.nn, "F": F, "np": np}
RESIZES = ("nearest", "bilinear", "bicubic")
ABORTS: tuple[type[Exception], ...] = ()


def _convolved(x: torch.Tensor, convolution: Convolution) -> torch.Tensor:
    weight = torch.from_numpy(convolution.weight)
    return F.conv2d(x, weight, None, convolution.stride, convolution.padding, convolution.dilation, convolution.groups)


def convolve(convolutions: Sequence[Convolution]) -> list[Array]:
    return [_convolved(torch.from_numpy(convolution.x), convolution).numpy() for convolution in convolutions]


def gradient(convolution: Convolution, upstream: Array) -> Array:
    with torch.enable_grad():
        x = torch.from_numpy(convolution.x).requires_grad_()
        _convolved(x, convolution).backward(torch.from_numpy(upstream))
    assert x.grad is not None
    gradient: Array = x.grad.numpy()
    return gradient


def resize(x: Array, rule: str) -> Array:
    output: Array = F.interpolate(torch.from_numpy(x), scale_factor=2, mode=rule).numpy()
    return output


def dense(x: Array, weight: Array) -> Array:
    output: Array = F.linear(torch.from_numpy(x), torch.from_numpy(weight.T.copy())).numpy()
    return output


def leaky_relu(x: Array, slope: float) -> Array:
    output: Array = F.leaky_relu(torch.from_numpy(x), slope).numpy()
    return output


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, torch.Tensor) else value
