"""What an array holds that was never computed, or that has one number everywhere."""

from collections.abc import Iterator

from conformance.diagnosis.observation import Observation

BLANK = ("nothing but zeros", "nothing but the bias", "nothing but one number")
"""Statements that no operand is behind: of an array that has no part in the problem."""


def blank(asked: Observation) -> Iterator[str]:
    """What an array that was never computed holds."""
    actual, bias = asked.actual, asked.bias[0]
    if not actual.any():
        yield BLANK[0]
    elif asked.problem.bias and actual.shape[1] == bias.size and (
        actual == bias.reshape(-1, *[1] * (actual.ndim - 2))
    ).all():  # fmt: skip
        yield BLANK[1]


def constant(asked: Observation) -> Iterator[str]:
    """What an array holds that has the same number everywhere."""
    if asked.actual.size >= 2 and (asked.actual == asked.actual.ravel()[0]).all():
        yield BLANK[2]
