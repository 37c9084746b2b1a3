"""Which input sizes pass a stack, as a rule: multiples of 8, or 7 and every fourth from it on."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

from conformance.calls.sizes.levels import passes
from conformance.calls.sizes.stack import Layer, Stack, after_or_refusal
from conformance.idioms.base import Refusal
from conformance.problem import Ints

SEARCHED = 512
"""Input extents from 1 on that are tried at most."""
EXTENT = 2**12
"""An extent that the usual factors divide."""
LISTED = 12
"""Extents that are listed one by one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The input extents that pass, all axes alike: those with one of the `rests` by division by `period`, from `first`
    on; or, where period is 0, the `rests` themselves, of those up to `bound`."""

    period: int
    rests: Ints
    first: int
    bound: int

    def has(self, extent: int) -> bool:
        """Whether an extent passes."""
        return extent in self.rests if not self.period else extent >= self.first and extent % self.period in self.rests

    def near(self, extent: int) -> Ints:
        """The nearest extents that pass, below and above."""
        if not self.period:
            below, above = (
                [rest for rest in self.rests if rest < extent],
                [rest for rest in self.rests if rest > extent],
            )
            return (*below[-1:], *above[:1])
        start = max(extent + 1, self.first)
        lower = (other for other in range(extent - 1, max(extent - 1 - self.period, 0), -1) if self.has(other))
        upper = (other for other in range(start, start + self.period) if self.has(other))
        return (*islice(lower, 1), *islice(upper, 1))

    def __str__(self) -> str:
        """The rule in words."""
        if not self.rests:
            return f"none up to {self.bound}"
        if not self.period:
            more = ", ..." if len(self.rests) > LISTED else ""
            return f"{', '.join(map(str, self.rests[:LISTED]))}{more} of those up to {self.bound}"
        start = f" from {self.first} on" if self.first > max(self.period, 1) or self.first > 1 == self.period else ""
        if self.period == 1:
            return f"all{start}"
        if self.rests == (0,):
            return f"multiples of {self.period}{start}"
        rests = ", ".join(map(str, self.rests[:LISTED])) + ", ..." * (len(self.rests) > LISTED)
        return f"{self.period}*n + {rests if len(self.rests) == 1 else f'one of {rests}'}{start}"


def passing(stack: Stack, holds: Callable[[Stack, Ints], bool] = passes) -> Rule:
    """The input extents that pass, all axes alike; or those for which another statement holds."""
    period = prod(max(_factors(layer, stack.rank)) for layer in stack.layers if layer.kind == "down")
    bound = min(SEARCHED, max(4 * period, 64))
    extents = _holding_up_to(stack, holds, bound)
    if not extents:
        bound = SEARCHED  # as of layers that eat much of the borders
        extents = _holding_up_to(stack, holds, bound)
    for shorter in range(1, bound // 3 + 1):
        if period % shorter == 0 and (rule := _periodic(extents, shorter, bound)):
            return rule
    return Rule(0, tuple(sorted(extents)), 1, bound)


def least_of(layer: Layer, rank: int) -> int:
    """The smallest extent, of all axes alike, that a layer answers; 0 where it answers none of those that are tried."""
    sizes = ((extent,) * rank for extent in range(1, SEARCHED + 1))
    return next((size[0] for size in sizes if not isinstance(after_or_refusal(layer.effect, size), str)), 0)


def _holding_up_to(stack: Stack, holds: Callable[[Stack, Ints], bool], bound: int) -> set[int]:
    return {extent for extent in range(1, bound + 1) if holds(stack, (extent,) * stack.rank)}


def _factors(layer: Layer, rank: int) -> Sequence[int]:
    """By how much a layer shrinks each axis, measured on an extent that every factor divides well."""
    try:
        out = layer.after((EXTENT,) * rank)
    except Refusal:
        return [1]
    return [max(round(EXTENT / extent), 1) for extent in out]


def _periodic(extents: Collection[int], period: int, bound: int) -> Rule | None:
    """Extents as rests of a division, from the first on behind which they come again and again."""
    last = {extent for extent in extents if extent > bound - period}
    rests = tuple(sorted(extent % period for extent in last))
    if not rests:
        return None
    wrong = [extent for extent in range(1, bound + 1) if (extent in extents) != (extent % period in rests)]
    first = (wrong[-1] if wrong else 0) + 1
    if first > bound - 2 * period:
        return None
    return Rule(period, rests, next(extent for extent in range(first, bound + 1) if extent % period in rests), bound)
