"""Problems in and around the border of a region of problems, drawn by a seed.

A region is what an expectation's predicate holds for. A walk begins with problems of the suites and changes one thing
at a time. What steps over the border tells a region from one that is a little wider or narrower.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from math import prod
from random import Random

from conformance.adapters.base import Lane
from conformance.numerics.operands import DTYPES
from conformance.problem import BIAS, FORWARD, Problem, broken_rule
from conformance.suites.case import Asked, Case
from conformance.suites.expectations import Expectation
from conformance.suites.spaces.levels import Axis, Shared, of_axis, of_shared, to_problem

MOST_MULTIPLIES = 20_000
MOST_ELEMENTS = 2**20
"""Of an output, or of a stamp; with MOST_MULTIPLIES, what keeps a drawn problem cheap."""
KEPT = 300
"""Problems of the suites, the smallest first, that a walk may begin with."""
STEPS = 60
"""Steps of a walk for each problem that is to be drawn."""
LARGEST_CONSTANT = 10**6
SEVERAL = 4
"""Up to how many channels, groups and problems of a batch there are, unless a walk began with more."""

_NUMBER = re.compile(r"(?<![\w.'\"])\d+")
_NEGATIVE_ONLY = re.compile(r"\b(fault|claimed|checked)\b")


@dataclass(frozen=True, slots=True)
class Draw:
    """A problem in a dtype, drawn for an expectation; `inside` says whether its region holds it."""

    problem: Problem
    dtype: str
    about: str
    inside: bool


def case_of(problem: Problem) -> Case:
    """A drawn problem as a case; its id of 64 bits, and so its data, is made of its descriptor."""
    descriptor = str(problem)
    digest = hashlib.sha256(descriptor.encode()).hexdigest()[:16]
    return Case(f"found-{digest}", problem, descriptor, "", _probes(problem), "")


def asked_of(problem: Problem, dtype: str, direction: str) -> Asked:
    """A drawn problem in a dtype and a pass; it has a bias where the gradient by one is asked for."""
    return Asked(case_of(replace(problem, bias=True) if direction == BIAS else problem), dtype, direction)


def _probes(problem: Problem) -> tuple[str, ...]:
    """What a problem has that a plain one has not."""
    unlike = {
        "window": any(ends != (0, 0) for ends in problem.pads),
        "output-padding": any(problem.output_padding),
        "stride": max(problem.stride) > 1,
        "dilation": max(problem.dilation) > 1,
        "groups": problem.groups > 1,
        "channels": problem.in_channels != problem.out_channels,
        "bias": problem.bias,
        "batch": problem.batch > 1,
        "rank": problem.rank > 1,
    }
    return tuple(name for name, holds in unlike.items() if holds) or ("taps",)


def draw(
    lane: Lane, expectations: Sequence[Expectation], start: Sequence[Problem], *, seed: int, count: int
) -> list[Draw]:
    """For each region `count` problems, half of them inside if it has so many; the regions take turns.

    A region that several expectations share is drawn for the first of them. One that holds no valid problem in the
    adapter's own words gets none. A problem is drawn once a dtype.
    """
    smallest = sorted(
        {problem for problem in start if is_cheap(problem)}, key=lambda problem: (problem.multiplies, str(problem))
    )
    regions = {
        expectation.when.text: expectation for expectation in reversed(expectations) if is_drawn_for(expectation)
    }
    first = [expectation for expectation in expectations if expectation in regions.values()]
    walks = [
        _walk(lane, expectation, smallest, Random(f"{seed} {lane} {expectation.id}"), count) for expectation in first
    ]
    turns = (draw for draw in chain.from_iterable(zip_longest(*walks)) if draw is not None)
    return list({(turn.problem, turn.dtype): turn for turn in reversed(list(turns))}.values())[::-1]


def is_cheap(problem: Problem) -> bool:
    """Whether a problem is valid and quickly computed."""
    return (
        broken_rule(problem) is None
        and problem.multiplies <= MOST_MULTIPLIES
        and max(prod(problem.output_shape), prod(problem.full)) <= MOST_ELEMENTS
    )


def is_drawn_for(expectation: Expectation) -> bool:
    """Whether a region is of problems: neither of idioms, nor of negative cases, which no problem says."""
    return not expectation.idiom and not _NEGATIVE_ONLY.search(expectation.when.text)


def _walk(lane: Lane, expectation: Expectation, start: Sequence[Problem], random: Random, count: int) -> list[Draw]:
    """Problems of one region and around it, in the order in which they were found."""

    def inside(problem: Problem, dtype: str) -> bool:
        run = {"framework": lane.framework, "variant": lane.variant, "dtype": dtype, "direction": FORWARD}
        return expectation.when(problem, **run)

    places = [
        [(start_problem, dtype) for start_problem in start if inside(start_problem, dtype)][:KEPT] for dtype in DTYPES
    ]
    within, beyond = list(chain.from_iterable(places)), list[tuple[Problem, str]]()
    draws: dict[tuple[Problem, str], Draw] = {}
    constants = sorted({int(text) for text in _NUMBER.findall(expectation.when.text) if int(text) < LARGEST_CONSTANT})
    for _ in range(STEPS * count if within else 0):
        halves = [sum(draw.inside is side for draw in draws.values()) for side in (False, True)]
        if len(draws) == count:
            break
        base = random.choice(beyond if beyond and random.random() < 0.2 else within)
        step = _changed(random, *base, constants)
        if step in draws or not is_cheap(step[0]):
            continue
        side = inside(*step)
        (within if side else beyond).append(step)
        if halves[side] < (count + 1) // 2:
            draws[step] = Draw(*step, expectation.id, side)
    return list(draws.values())


def _changed(random: Random, problem: Problem, dtype: str, constants: Sequence[int]) -> tuple[Problem, str]:
    """The problem with one thing changed, or the dtype."""
    axes, shared = [of_axis(problem, at) for at in range(problem.rank)], of_shared(problem)
    kind = random.randrange(12)
    if kind == 0:
        return problem, random.choice(DTYPES)
    if kind == 1:
        axes = _other_axes(random, axes)
    elif kind == 2:
        name = random.choice(("groups", "in_channels", "out_channels", "batch", "bias"))
        value = getattr(shared, name)
        several = (0, 1) if name == "bias" else (*range(1, SEVERAL + 1), max(1, value - 1), value + 1, value * 2)
        shared = shared._replace(**{name: random.choice(several)})
    else:
        at = random.randrange(len(axes))
        axes[at] = _other_axis(random, axes[at], constants)
    return to_problem([*chain.from_iterable(axes), *shared], len(axes)), dtype


def _other_axes(random: Random, axes: Sequence[Axis[int]]) -> list[Axis[int]]:
    """One axis less, one more, or another order."""
    plain, copied = Axis(2, 2, 1, 1, 0, 0, 0), random.choice(axes)
    gone = random.randrange(len(axes))
    less = [*axes[:gone], *axes[gone + 1 :]] or [plain]
    return random.choice([less, [*axes, plain][:3], [copied, *axes][:3], list(axes[::-1])])


def _other_axis(random: Random, axis: Axis[int], constants: Sequence[int]) -> Axis[int]:
    """An axis with one field changed: by one, by a factor, to another field's value, or to one near a constant."""
    name = random.choice(Axis._fields)
    value, reach = getattr(axis, name), axis.d * (axis.k - 1)
    others = [axis.i, axis.k, axis.s, axis.d] if name in ("i", "k", "s", "d") else [0, 1, reach, reach + 1, reach - 1]
    near = [constant + by for constant in constants for by in (-1, 0, 1)]
    far = [value * 2, value // 2, value * 3 // 4] if value > 8 else []
    return axis._replace(**{name: random.choice([value - 1, value + 1, *others, *near, *far])})


def shrunk(problem: Problem, holds: Callable[[Problem], bool], most: int) -> Problem:
    """The smallest problem found of which something holds that holds of this one, by steps that each keep it so.

    It is asked of at most so many problems, and of none twice.
    """
    seen = {problem}
    while True:
        for less in simpler(problem):
            if len(seen) > most:
                return problem
            if less not in seen:
                seen.add(less)
                if holds(less):
                    problem = less
                    break
        else:
            return problem


def simpler(problem: Problem) -> Iterator[Problem]:
    """Valid problems that are a little less than a problem, the greatest leap first."""
    axes, shared = [of_axis(problem, at) for at in range(problem.rank)], of_shared(problem)
    plain = Axis(1, 1, 1, 1, 0, 0, 0)
    for at, axis in enumerate(axes):
        if len(axes) > 1:
            yield from _valid([*axes[:at], *axes[at + 1 :]], shared)
        for name, least in plain._asdict().items():
            for value in _less(getattr(axis, name), least):
                yield from _valid([*axes[:at], axis._replace(**{name: value}), *axes[at + 1 :]], shared)
    for name, value in shared._asdict().items():
        for less in _less(value, int(name != "bias")):
            yield from _valid(axes, shared._replace(**{name: less}))


def _less(value: int, least: int) -> Sequence[int]:
    """The least value, one half way to it, and the next."""
    towards = 1 if value < least else -1
    return list(dict.fromkeys((least, (value + least) // 2, value + towards))) if value != least else []


def _valid(axes: Sequence[Axis[int]], shared: Shared[int]) -> Iterator[Problem]:
    problem = to_problem([*chain.from_iterable(axes), *shared], len(axes))
    if is_cheap(problem):
        yield problem
