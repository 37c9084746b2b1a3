"""JAX's operators. XLA compiles every new shape, so many convolutions make one program, as in its adapter."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from conformance.adapters.operators.base import Convolution
from conformance.layout import Array

NAMESPACE = {"jax": jax, "jnp": jnp, "lax": lax, "np": np}
RESIZES = ("nearest", "bilinear", "bicubic")
ABORTS: tuple[type[Exception], ...] = ()
BLOCK = 128


def _convolved(x: jax.Array, weight: jax.Array, convolution: Convolution) -> jax.Array:
    padding = convolution.padding if isinstance(convolution.padding, str) else [(p, p) for p in convolution.padding]
    return lax.conv_general_dilated(
        x,
        weight,
        convolution.stride,
        padding,
        rhs_dilation=convolution.dilation,
        feature_group_count=convolution.groups,
    )


def convolve(convolutions: Sequence[Convolution]) -> list[Array]:
    outputs = []
    for start in range(0, len(convolutions), BLOCK):
        block = convolutions[start : start + BLOCK]

        def together(operands: Sequence[tuple[Any, Any]], block: Sequence[Convolution] = block) -> list[jax.Array]:
            return [
                _convolved(x, weight, convolution) for (x, weight), convolution in zip(operands, block, strict=True)
            ]

        outputs += jax.jit(together)([(convolution.x, convolution.weight) for convolution in block])
    return [np.asarray(output) for output in outputs]


def gradient(convolution: Convolution, upstream: Array) -> Array:
    def answer(x: jax.Array) -> jax.Array:
        return _convolved(x, jnp.asarray(convolution.weight), convolution)

    return np.asarray(jax.vjp(answer, jnp.asarray(convolution.x))[1](jnp.asarray(upstream))[0])


def resize(x: Array, rule: str) -> Array:
    height, width = x.shape[2:]
    return np.asarray(jax.image.resize(x, (*x.shape[:2], 2 * height, 2 * width), rule))


def dense(x: Array, weight: Array) -> Array:
    return np.asarray(jnp.asarray(x) @ jnp.asarray(weight))


def leaky_relu(x: Array, slope: float) -> Array:
    return np.asarray(jax.nn.leaky_relu(jnp.asarray(x), slope))


def plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, jax.Array) else value
