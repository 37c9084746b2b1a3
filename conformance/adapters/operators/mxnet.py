"""MXNet's operators."""

from collections.abc import Sequence
from typing import Any

import mxnet as mx
import numpy as np

from conformance.adapters.mxnet import tensor
from conformance.adapters.operators.base import Convolution
from conformance.layout import Array

NAMESPACE = {"mx": mx, "nd": mx.nd, "gluon": mx.gluon, "np": np}
RESIZES = ("nearest", "bilinear")
ABORTS: tuple[type[Exception], ...] = ()


def _convolved(x: mx.nd.NDArray, convolution: Convolution) -> mx.nd.NDArray:
    return mx.nd.Convolution(
        x, tensor(convolution.weight), kernel=convolution.weight.shape[2:], stride=convolution.stride,
        pad=convolution.padding, dilate=convolution.dilation, num_filter=convolution.weight.shape[0],
        num_group=convolution.groups, no_bias=True,
    )  # fmt: skip


def convolve(convolutions: Sequence[Convolution]) -> list[Array]:
    return [_convolved(tensor(convolution.x), convolution).asnumpy() for convolution in convolutions]


def gradient(convolution: Convolution, upstream: Array) -> Array:
    x = tensor(convolution.x)
    x.attach_grad()
    with mx.autograd.record():
        y = _convolved(x, convolution)
    y.backward(tensor(upstream))
    gradient: Array = x.grad.asnumpy()
    return gradient


def resize(x: Array, rule: str) -> Array:
    """Bilinear by the operator that does not align corners: UpSampling itself is a transposed convolution."""
    height, width = x.shape[2:]
    if rule == "nearest":
        larger = mx.nd.UpSampling(tensor(x), scale=2, sample_type="nearest")
    else:
        options = {"height": 2 * height, "width": 2 * width, "align_corners": False}
        larger = mx.nd.contrib.BilinearResize2D(tensor(x), **options)
    enlarged: Array = larger.asnumpy()
    return enlarged


def dense(x: Array, weight: Array) -> Array:
    output: Array = mx.nd.FullyConnected(
        tensor(x), tensor(weight.T.copy()), num_hidden=weight.shape[1], no_bias=True
    ).asnumpy()  # fmt: skip
    return output


def leaky_relu(x: Array, slope: float) -> Array:
    output: Array = mx.nd.LeakyReLU(tensor(x), act_type="leaky", slope=slope).asnumpy()
    return output


def plain(value: Any) -> Any:
    return value.asnumpy().tolist() if isinstance(value, mx.nd.NDArray) else value
