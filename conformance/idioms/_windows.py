"""The window of a size."""

from collections.abc import Callable, Sequence

from conformance.problem import Problem, Window


def sized(problem: Problem, low: Callable[[int, int], int], output: Sequence[int]) -> Window:
    """The window of an output size: low(full, out) is cut at the beginning, the rest at the end."""
    return tuple((low(full, out), full - out - low(full, out)) for full, out in zip(problem.full, output, strict=True))
