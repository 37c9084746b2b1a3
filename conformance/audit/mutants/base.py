"""What a mutant is, and the ways to make one: from a changed problem, a changed weight, or a function of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.problem import Problem, Window

Array = NDArray[Any]
Index = tuple[Any, ...]
Implementation = Callable[[Problem, Array, Array, Array | None], Array]
Region = Callable[[Problem], bool]


def everywhere(_: Problem) -> bool:
    """The region of a mutant that is wrong wherever its fault shows."""
    return True


@dataclass(frozen=True)
class Mutant:
    """A wrong implementation: its family, its fault in words, and what makes it anew, with no memory of earlier calls.

    Its operands and answer are of the dtype of a run. Where no case can tell it, `equivalent` says why. Outside of its
    `region` its answer is the right one.
    """

    family: str
    fault: str
    make: Callable[[], Implementation]
    equivalent: str = ""
    region: Region = everywhere

    @property
    def name(self) -> str:
        return f"{self.family}: {self.fault}"


class Family:
    """Mutants of one kind, in the order in which they are added."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mutants: list[Mutant] = []

    def add(self, fault: str, equivalent: str = "") -> Callable[[Implementation], Implementation]:
        """Add a function as a mutant."""

        def register(run: Implementation) -> Implementation:
            self.mutants.append(Mutant(self.name, fault, lambda: run, equivalent))
            return run

        return register

    def add_stateful(self, fault: str) -> Callable[[Callable[[], Implementation]], Callable[[], Implementation]]:
        """Add a mutant that remembers earlier calls, by what makes one without memory."""

        def register(make: Callable[[], Implementation]) -> Callable[[], Implementation]:
            self.mutants.append(Mutant(self.name, fault, make))
            return make

        return register

    def reads(self, fault: str, change: Callable[[Problem], Problem]) -> None:
        """Add a mutant that reads another problem. Its answer is fitted to the right shape.

        A wrong shape alone would be too easy to see.
        """
        self.add(fault)(lambda p, x, w, b: answer_of_another(p, change(p), x, w, b))

    def reads_weight(self, fault: str, change: Callable[[Problem, Array], Array]) -> None:
        """Add a mutant that reads another weight."""
        self.add(fault)(lambda p, x, w, b: right(p, x, change(p, w).reshape(w.shape), b))

    def only(self, fault: str, where: Region) -> None:
        """Add a mutant that is wrong, by one step on the last axis, in a corner of the space."""
        self.inside(fault, where, begun_one_late)

    def inside(self, fault: str, region: Region, wrong: Implementation) -> None:
        """Add a mutant that is wrong inside a region of the space, and right everywhere else."""

        def run(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
            return wrong(p, x, w, b) if region(p) else right(p, x, w, b)

        self.mutants.append(Mutant(self.name, fault, lambda: run, region=region))


def right(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The right answer."""
    return oracle.expected(p, x, w, b)


def with_window(p: Problem, window: Window) -> Problem:
    """The problem with another window, output_padding folded in."""
    return replace(p, pads=window, output_padding=(0,) * p.rank)


def begun_at(p: Problem, lows: Sequence[int]) -> Problem:
    """The problem with a window of the right size that begins elsewhere."""
    ends = zip(lows, p.full, p.output, strict=True)
    return with_window(p, tuple((lo, full - out - lo) for lo, full, out in ends))


def fitted(p: Problem, y: Array) -> Array:
    """An array cut, or extended with zeros, at the end to the right output extents."""
    room = np.zeros((*y.shape[:2], *(max(a, b) for a, b in zip(y.shape[2:], p.output, strict=True))), y.dtype)
    filled: Index = (..., *(slice(n) for n in y.shape[2:]))
    kept: Index = (..., *(slice(n) for n in p.output))
    room[filled] = y
    return room[kept]


def grouped(p: Problem, w: Array) -> Array:
    """The weight as (groups, in, out, *kernel)."""
    return w.reshape(p.groups, p.in_channels, p.out_channels, *p.kernel)


def unreached(p: Problem, x: Array, w: Array) -> Array:
    """Where no tap reaches the output."""
    mask: Array = right(p, np.ones_like(x), np.ones_like(w), None) == 0
    return mask


def answer_of_another(p: Problem, other: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """Another problem's answer in the right extents; what would be cut from it is never computed, and may be huge."""
    opened = with_open_window(other)
    ends = zip(opened.window, opened.full, p.output, strict=True)
    cut = tuple((lo, max(hi, full - lo - out)) for (lo, hi), full, out in ends)
    return fitted(p, right(with_window(opened, cut), x, w, b))


def with_open_window(p: Problem) -> Problem:
    """The problem, its window opened where it would leave nothing."""
    ends = zip(p.window, p.full, strict=True)
    return with_window(p, tuple((lo, hi) if full - lo - hi > 0 else (0, 0) for (lo, hi), full in ends))


def begun_one_late(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The answer of a window that begins one step later on the last axis."""
    lows = [lo for lo, _ in p.window]
    return right(begun_at(p, [*lows[:-1], lows[-1] + 1]), x, w, b)
