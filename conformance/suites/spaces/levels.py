"""The parameters of a problem in columns: those of each axis, then those that axes share."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from conformance.problem import Problem, broken_rule

T = TypeVar("T")


class Axis(NamedTuple, Generic[T]):
    """The parameters of one axis: their levels, or one value each."""

    i: T
    k: T
    s: T
    d: T
    begin: T
    end: T
    op: T


class Shared(NamedTuple, Generic[T]):
    """The parameters that axes share, named as `Problem` names them."""

    groups: T
    in_channels: T
    out_channels: T
    batch: T
    bias: T


Values = Sequence[int]
"""The levels of one parameter."""


def of_axis(problem: Problem, axis: int) -> Axis[int]:
    """The parameters of one axis of a problem."""
    (begin, end), at = problem.pads[axis], axis
    return Axis(
        problem.input[at], problem.kernel[at], problem.stride[at], problem.dilation[at], begin, end,
        problem.output_padding[at],
    )  # fmt: skip


def of_shared(problem: Problem) -> Shared[int]:
    """The parameters that a problem's axes share."""
    return Shared(problem.groups, problem.in_channels, problem.out_channels, problem.batch, int(problem.bias))


def to_problem(row: Sequence[int], rank: int) -> Problem:
    """The problem that a covering array's row of levels means: the parameters of each axis, then the shared ones."""
    width = len(Axis._fields)
    axes = [Axis(*row[n * width : (n + 1) * width]) for n in range(rank)]
    i, k, s, d, begin, end, op = zip(*axes, strict=True)
    shared = Shared(*row[rank * width :])
    return Problem(
        i, k, s, tuple(zip(begin, end, strict=True)), op, d, **shared._asdict() | {"bias": bool(shared.bias)}
    )


def fits(axis: Axis[int]) -> bool:
    """Whether an axis is one of a valid problem."""
    return broken_rule(to_problem([*axis, 1, 1, 1, 1, 0], 1)) is None
