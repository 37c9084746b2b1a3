"""TensorFlow's modes: a call in a function that is traced, with its shapes known or not, or compiled by XLA."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tensorflow as tf

from conformance.adapters.base import Call
from conformance.adapters.modes.base import Inferred


def in_function(call: Call) -> Call:
    """`tf.function` of the call, traced for the shapes of its operands."""
    return _changed(call, "tf.function", lambda function, operands: tf.function(function, autograph=False))


def of_any_shape(call: Call) -> Call:
    """`tf.function` of the call, traced for operands of which only the rank is known."""

    def made(function: Callable[..., Any], operands: tuple[tf.Tensor, ...]) -> Any:
        signature = [tf.TensorSpec([None] * len(operand.shape), operand.dtype) for operand in operands]
        return tf.function(function, input_signature=signature, autograph=False)

    return _changed(call, "tf.function of unknown shapes", made)


def compiled(call: Call) -> Call:
    """`tf.function` of the call with `jit_compile=True`, so that XLA compiles it."""
    return _changed(
        call, "tf.function(jit_compile=True)",
        lambda function, operands: tf.function(function, jit_compile=True, autograph=False),
    )  # fmt: skip


def static_shape(call: Call) -> Call:
    """The static shape that `tf.function` infers while it traces the call."""

    def function(*operands: tf.Tensor, **options: Any) -> Inferred:
        traced = tf.function(lambda *given: call.function(*given, **options), autograph=False)
        (result,) = traced.get_concrete_function(*operands).outputs
        return Inferred(tuple(result.shape.as_list()), result.dtype.name)

    return replace(call, function=function, text=f"static shape: {call}")


MODES = {"function": in_function, "function-unknown": of_any_shape}
SLOW = {"function-jit": compiled}
INFERENCES = {"static-shape": static_shape}
NEEDS: dict[str, tuple[str, ...]] = {}


def _changed(call: Call, how: str, made: Callable[[Callable[..., Any], tuple[tf.Tensor, ...]], Any]) -> Call:
    def function(*operands: tf.Tensor, **options: Any) -> tf.Tensor:
        return made(lambda *given: call.function(*given, **options), operands)(*operands)

    return replace(call, function=function, text=f"{how}: {call}")
