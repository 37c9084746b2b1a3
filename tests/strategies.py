"""What Hypothesis draws in more than one test: problems, and the operands of one."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance.audit.fuzzing import problems
from conformance.problem import Problem

__all__ = ["operands", "problems", "seeds"]

Array = NDArray[Any]
Operands = tuple[Array, Array, Array | None]


def operands(problem: Problem, seed: int) -> Operands:
    """Small whole numbers, zero among them, in the problem's shapes."""
    random = np.random.default_rng(seed)
    x, weight, bias = (
        random.integers(-9, 10, shape) for shape in (problem.input_shape, problem.weight_shape, problem.bias_shape)
    )
    return x, weight, bias if problem.bias else None


seeds = st.integers(0, 2**32 - 1)
