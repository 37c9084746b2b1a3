"""The oracle adapter in blocks, as a framework that compiles would be."""

from conformance.adapters.oracle_adapter import (
    array,
    convolve,
    describe,
    run,
    tensor,
    translate,
)

VARIANTS = {"blocks": {"ORACLE_VARIANT": "blocks"}}
REFUSALS = (ArithmeticError,)
BLOCK = 16

__all__ = ["BLOCK", "REFUSALS", "VARIANTS", "array", "convolve", "describe", "run", "tensor", "translate"]
