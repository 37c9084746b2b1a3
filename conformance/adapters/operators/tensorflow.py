"""TensorFlow's operators, and Keras's."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops import nn_ops

from conformance.adapters.operators.base import Convolution
from conformance.layout import Array

NAMESPACE = {"tf": tf, "keras": keras, "nn_ops": nn_ops, "np": np}
RESIZES = ("nearest", "bilinear", "bicubic")
ABORTS = (tf.errors.AbortedError,)


def _convolved(x: tf.Tensor, convolution: Convolution) -> tf.Tensor:
    """x is (n, h, w, c)."""
    padding: Any = convolution.padding
    if not isinstance(padding, str):
        padding = [(0, 0), *((p, p) for p in padding), (0, 0)]
    return tf.nn.conv2d(
        x, convolution.weight.transpose(2, 3, 1, 0), convolution.stride, padding, dilations=convolution.dilation
    )


def _last(x: Array) -> tf.Tensor:
    return tf.constant(x.transpose(0, 2, 3, 1))


def _first(y: tf.Tensor) -> Array:
    output: Array = y.numpy().transpose(0, 3, 1, 2)
    return output


def convolve(convolutions: Sequence[Convolution]) -> list[Array]:
    return [_first(_convolved(_last(convolution.x), convolution)) for convolution in convolutions]


def gradient(convolution: Convolution, upstream: Array) -> Array:
    x = _last(convolution.x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = _convolved(x, convolution)
    return _first(tape.gradient(y, x, _last(upstream)))


def resize(x: Array, rule: str) -> Array:
    height, width = x.shape[2:]
    return _first(tf.image.resize(_last(x), (2 * height, 2 * width), rule))


def dense(x: Array, weight: Array) -> Array:
    layer = keras.layers.Dense(weight.shape[1], use_bias=False, dtype=x.dtype.name)
    layer.build(x.shape)
    layer.set_weights([weight])
    output: Array = layer(x).numpy()
    return output


def leaky_relu(x: Array, slope: float) -> Array:
    output: Array = tf.nn.leaky_relu(x, slope).numpy()
    return output


def plain(value: Any) -> Any:
    return value.numpy().tolist() if isinstance(value, tf.Tensor | tf.Variable) else value
