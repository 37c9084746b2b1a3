"""A problem reduced to one that a target framework can say, and the steps of our own that make up for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from conformance.idioms.base import with_window
from conformance.problem import Problem, Window


@dataclass(frozen=True, slots=True)
class Reduction:
    """A problem that a target may be able to say, and the window that is left to cut from its answer."""

    problem: Problem
    steps: tuple[str, ...]
    rest: Window | None


STEPS = ("bias", "crop", "stretch", "groups", "dense")
"""What can stand around a call, the cheapest first."""


def reductions(problem: Problem) -> Iterator[Reduction]:
    """The problem itself, then ever more reduced ones, a late bias counting as no step at all."""
    grouped = problem.groups > 1
    applies = (problem.bias, True, set(problem.dilation) != {1}, grouped, grouped)
    needed = [step for step, applied in zip(STEPS, applies, strict=True) if applied]
    subsets = [set(combination) for count in range(len(needed) + 1) for combination in combinations(needed, count)]
    subsets = [steps for steps in subsets if not steps >= {"groups", "dense"}]
    for steps in sorted(
        subsets,
        key=lambda steps: ("dense" in steps, len(steps - {"bias"}), "bias" in steps, sorted(map(STEPS.index, steps))),
    ):
        for shared in (True, False) if "crop" in steps else (True,):
            if reduction := _reduced(problem, steps, shared):
                yield reduction


def _reduced(problem: Problem, steps: set[str], shared: bool) -> Reduction | None:
    """A problem after some steps; `shared` leaves to the call what the window cuts at both ends alike."""
    rest: Window | None = None
    reduced = problem
    if "crop" in steps:
        both = [max(min(ends), 0) if shared else 0 for ends in problem.window]
        rest = tuple((lo - cut, hi - cut) for (lo, hi), cut in zip(problem.window, both, strict=True))
        if any(end < 0 for ends in rest for end in ends) and problem.bias and "bias" not in steps:
            return None  # a bias belongs on the zeros too
        reduced = with_window(reduced, tuple((cut, cut) for cut in both))
    if "bias" in steps:
        reduced = replace(reduced, bias=False)
    if "groups" in steps and reduced.bias:
        return None  # each group would be given all of it
    if "stretch" in steps:
        reduced = replace(reduced, kernel=reduced.effective_kernel, dilation=(1,) * reduced.rank)
    if "groups" in steps:
        reduced = replace(reduced, groups=1)
    if "dense" in steps:
        g = reduced.groups
        reduced = replace(reduced, groups=1, in_channels=g * reduced.in_channels, out_channels=g * reduced.out_channels)
    return Reduction(reduced, tuple(step for step in STEPS if step in steps), rest)
