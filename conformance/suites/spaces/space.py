"""A space: levels of every parameter, what is paid for them, and a bijection between numbers and valid problems.

Which problems are valid is decided axis by axis, so the valid choices of one axis stand in a table, and a problem is a
choice of a row an axis and of one row of what axes share. A choice is paid for: `work`, the product of the rows' costs,
may be no more than the rank's `most`. Each rank has a share of every run of numbers, so that the rank with the most
problems does not drown the others.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from conformance.problem import Problem
from conformance.suites.spaces.counting import Choices
from conformance.suites.spaces.levels import Shared, of_axis, of_shared, to_problem
from conformance.suites.spaces.permutation import Permutation
from conformance.suites.spaces.rows import Rows
from conformance.suites.spaces.shares import Shares

Numbers = NDArray[np.int64]

LARGEST_LEVEL = 1 << 20
MOST_ROWS = 1 << 22
"""Choices of levels of one axis that are looked through, valid or not."""
MOST_WORK = 1 << 24

Level = Annotated[int, Meta(ge=1, le=LARGEST_LEVEL)]
End = Annotated[int, Meta(ge=-LARGEST_LEVEL, le=LARGEST_LEVEL)]
Levels = Annotated[tuple[Level, ...], Meta(min_length=1)]
Ends = Annotated[tuple[End, ...], Meta(min_length=1)]


class SpaceError(ValueError):
    """A space, or a number in it, that there is not; the message says what would be one."""


class RankLevels(Struct, forbid_unknown_fields=True, frozen=True):
    """The levels of an axis in problems of one rank; `share` is how many of a run of numbers are of this rank.

    `most` bounds `batch * groups * in_channels * out_channels` times, for each axis, the larger of `input * kernel` and
    the output's extent.
    """

    share: Annotated[int, Meta(ge=1, le=1000)]
    most: Annotated[int, Meta(ge=1, le=MOST_WORK)]
    input: Levels
    kernel: Levels
    stride: Levels
    dilation: Levels
    begin: Ends
    end: Ends
    output_padding: Annotated[tuple[Annotated[int, Meta(ge=0, le=LARGEST_LEVEL)], ...], Meta(min_length=1)]


class SharedLevels(Struct, forbid_unknown_fields=True, frozen=True):
    """The levels of what axes share."""

    groups: Levels
    in_channels: Levels
    out_channels: Levels
    batch: Levels
    bias: Annotated[tuple[bool, ...], Meta(min_length=1)]


class Described(Struct, forbid_unknown_fields=True, frozen=True):
    """A space as data: `rank` has the levels by the number of axes, "1", "2" or "3"."""

    why: str
    shared: SharedLevels
    rank: Annotated[dict[str, RankLevels], Meta(min_length=1)]


class Space:
    """The problems that levels stand for, in the order that a seed gives them."""

    def __init__(self, described: Described, seed: int = 0) -> None:
        """Raises SpaceError where no choice of levels is a valid problem."""
        self.seed = seed
        self.text = _text(described)
        """The levels as one line of JSON: all that the space is, but for its seed."""
        self.digest = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        shared = _shared_rows(described.shared)
        self._ranks = {int(name): _Rank(int(name), levels, shared) for name, levels in sorted(described.rank.items())}
        for rank, of in self._ranks.items():
            if not of.size:
                raise SpaceError(f"rank {rank} has no valid problem of at most {of.most} work: give it other levels")
        self._shares = Shares({rank: (of.size, of.share) for rank, of in self._ranks.items()})
        self._orders = {rank: Permutation(f"{self.digest} {seed} {rank}", of.size) for rank, of in self._ranks.items()}
        self.size = self._shares.size

    @classmethod
    def of_text(cls, text: str | bytes, seed: int = 0) -> "Space":
        """The space of a line of JSON. Raises SpaceError."""
        try:
            return cls(msgspec.json.decode(text, type=Described), seed)
        except (msgspec.DecodeError, RecursionError) as error:
            raise SpaceError(f"what is given is no space: {error}") from None

    @property
    def sizes(self) -> Mapping[int, int]:
        """How many problems there are of each rank."""
        return {rank: of.size for rank, of in self._ranks.items()}

    def __getitem__(self, number: int) -> Problem:
        """The problem of a number. Raises SpaceError for one that is not below the size."""
        if not 0 <= number < self.size:
            raise SpaceError(f"there is no problem {number}: the numbers of this space are 0 to {self.size - 1}")
        rank, at = self._shares[number]
        return self._ranks[rank][self._orders[rank][at]]

    def index(self, problem: Problem) -> int:
        """The number of a problem. Raises SpaceError for one that is not in the space."""
        of = self._ranks.get(problem.rank)
        at = None if of is None else of.index(problem)
        if at is None:
            raise SpaceError(f"'{problem}' is not in this space")
        return self._shares.index(problem.rank, self._orders[problem.rank].index(at))


class _Rank:
    """The problems of one rank, in the order of their levels."""

    def __init__(self, rank: int, levels: RankLevels, shared: "Rows") -> None:
        self.rank, self.share, self.most = rank, levels.share, levels.most
        self._axes, self._shared = _axis_rows(levels), shared
        self._choices = Choices([self._axes.classes] * rank + [shared.classes], levels.most)
        self.size = self._choices.size

    def __getitem__(self, number: int) -> Problem:
        *axes, shared = self._choices.at(number)
        rows = [*(self._axes[axis] for axis in axes), self._shared[shared]]
        return to_problem([*chain.from_iterable(rows)], self.rank)

    def index(self, problem: Problem) -> int | None:
        """The number of a problem; None for one that is not there."""
        axes = [self._axes.index(of_axis(problem, at)) for at in range(self.rank)]
        choice = [*axes, self._shared.index(of_shared(problem))]
        present = [row for row in choice if row is not None]
        return self._choices.index(present) if len(present) == len(choice) else None


def _text(described: Described) -> str:
    """A space in one form, whatever the order of its levels and the words about it."""
    values = msgspec.to_builtins(described) | {"why": ""}
    tables = [values["shared"], *values["rank"].values()]
    for table in tables:
        table |= {name: sorted(set(levels)) for name, levels in table.items() if isinstance(levels, list | tuple)}
    return msgspec.json.encode(values, order="sorted").decode()


def _shared_rows(levels: SharedLevels) -> Rows:
    """Every choice of what axes share."""
    values = [getattr(levels, name) for name in Shared._fields]
    groups, ins, outs, batch, bias = _grids(values)
    return Rows(values, groups * ins * outs * batch * (bias >= 0))


def _axis_rows(levels: RankLevels) -> Rows:
    """Every valid choice of an axis's levels that can be paid."""
    names = ("input", "kernel", "stride", "dilation", "begin", "end", "output_padding")
    values: list[Sequence[int]] = [getattr(levels, name) for name in names]
    if (count := prod(map(len, values))) > MOST_ROWS:
        raise SpaceError(f"an axis has {count} choices of levels, of which {MOST_ROWS} are looked through: give fewer")
    inputs, *others = _grids(values)
    return Rows(values, np.concatenate([_costs(levels.most, i, *(each[0] for each in others)) for i in inputs]))


def _costs(most: int, i: Numbers, k: Numbers, s: Numbers, d: Numbers, begin: Numbers, end: Numbers, op: Numbers) -> Any:
    """What choices cost, whose input is one; 0 where they are not valid or cost too much."""
    output = (i - 1) * s + d * (k - 1) + 1 - begin - end + op
    costs = np.maximum(i * k, output)
    valid = (output >= 1) & (op < np.maximum(s, d)) & (costs <= most)
    return np.where(valid, costs, 0).astype(np.int32)[np.newaxis]


def _grids(values: Sequence[Sequence[int]]) -> tuple[Numbers, ...]:
    """The levels of each column, sorted, along an axis of their own."""
    return np.ix_(*(np.unique(np.array(each, np.int64)) for each in values))
