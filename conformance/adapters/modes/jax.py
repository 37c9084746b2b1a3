"""JAX's modes: operations one by one, a call without a batch that is mapped over it, and abstract evaluation."""

from dataclasses import replace
from typing import Any

import jax
from jax import numpy as jnp

from conformance.adapters.base import Call
from conformance.adapters.modes.base import Inferred


def op_by_op(call: Call) -> Call:
    """Without `jax.jit`, so that each operation is compiled and run alone."""

    def function(*operands: jax.Array, **options: Any) -> Any:
        with jax.disable_jit():
            return jax.block_until_ready(call.function(*operands, **options))

    return replace(call, function=function, text=f"op by op: {call}")


def vmap(call: Call) -> Call:
    """`jax.vmap` maps a call of a batch of one over the elements of the batch, in a function that is compiled."""

    def function(x: jax.Array, weight: jax.Array, **options: Any) -> Any:
        one = jax.vmap(lambda each: call.function(each[None], weight, **options)[0])
        return jax.block_until_ready(jax.jit(one)(jnp.asarray(x)))

    return replace(call, function=function, text=f"jax.vmap: {call}")


def eval_shape(call: Call) -> Call:
    """`jax.eval_shape` of the call."""

    def function(*operands: jax.Array, **options: Any) -> Inferred:
        result = jax.eval_shape(lambda *given: call.function(*given, **options), *operands)
        return Inferred(tuple(result.shape), result.dtype.name)

    return replace(call, function=function, text=f"jax.eval_shape: {call}")


MODES: dict[str, Any] = {}
SLOW = {"op-by-op": op_by_op, "vmap": vmap}
INFERENCES = {"eval-shape": eval_shape}
NEEDS: dict[str, tuple[str, ...]] = {}
