"""What Hypothesis draws in more than one test: problems, and the operands of one."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

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


@st.composite
def problems(draw: st.DrawFn, ranks: tuple[int, ...] = (1, 2, 3)) -> Problem:
    """Valid problems, small enough for loops in Python; windows cut, extend and shift the stamp on either side."""
    rank = draw(st.sampled_from(ranks))
    largest = {1: 5, 2: 3}.get(rank, 2)
    axes = []
    for _ in range(rank):
        i, k = draw(st.integers(1, largest)), draw(st.integers(1, largest))
        s, d = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        op = draw(st.integers(0, max(s, d) - 1))
        full = (i - 1) * s + d * (k - 1) + 1
        begin = draw(st.integers(-2, full + op + 1))
        end = draw(st.integers(-2, full + op - 1 - begin))
        axes.append((i, k, s, (begin, end), op, d))
    i_, k_, s_, pads, op_, d_ = zip(*axes, strict=True)
    g, ic, oc, n = (draw(st.integers(1, most)) for most in (3, 3, 3, 2))
    return Problem(i_, k_, s_, pads, op_, d_, g, ic, oc, n, draw(st.booleans()))


seeds = st.integers(0, 2**32 - 1)
