"""What a call means, as far as its text says it: with numbers where all is known, else with formulas.

Extents that are not known are tried, one after the other, on the claim itself: where the answer's extents grow by the
same number with every one of the input, that is the formula, and it says from which extent on it holds.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from typing import Any

from conformance import adapters, idioms
from conformance.calls.meaning.stand_ins import StandIns, layouts, of_role, spread, stand_in
from conformance.idioms import expression
from conformance.idioms._reading import IdiomError, Reading
from conformance.idioms.base import FLOAT32, Claim, ClaimedCall, Refusal
from conformance.idioms.expression import Name
from conformance.idioms.sizes.legal import too_large
from conformance.idioms.weights.shapes import with_sizes
from conformance.problem import Ints, Problem

TRIED = 5
"""Extents that are tried for one that is not known, from the first on that is taken."""
KERNELS = range(1, 1 + 7)
"""The kernels that are tried for one that is not known."""
INPUTS = 4096
"""Inputs that are tried at most for an answer whose size is given."""
FURTHEST = 256
"""The largest of those that are tried one by one for the first that is taken."""
FARTHEST = 2**28
"""The largest that is tried at all, as for a padding of a million."""
Number = int | str
"""A number, or a formula in the extents: i of the input, k of the kernel."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a call means. `window` is (begin, end) an axis, and so are `full` and `output` numbers or formulas."""

    framework: str
    idiom: str
    law: str
    call: str
    function: str
    problem: str
    window: tuple[tuple[Number, Number], ...]
    full: tuple[Number, ...]
    output: tuple[Number, ...]
    data: str
    weight: str
    reversed: bool
    set_aside: tuple[str, ...]
    unknown: tuple[str, ...]
    refused: str
    stamps: Problem | None = None
    """A problem whose stamps overlap as the call's do; None where the kernel is not known, and for a stride or a
    dilation below 1, which has no stamps."""
    line: int = 1

    @property
    def name(self) -> str:
        """The claim as one word: the idiom with its law of windows."""
        return f"{self.idiom}/{self.law}"


def of_point(framework: str, point: ClaimedCall) -> Meaning:
    """The meaning of a call of which all is known."""
    made, problem = point.claim, point.claim.problem
    return Meaning(
        framework, point.idiom.id, made.law, point.text, point.text.partition("(")[0], str(problem), problem.window,
        problem.full, problem.output, made.data, made.weight, made.reversed, point.aside,
        tuple(filter(None, [too_large(made)])), made.refused,
        problem if min(*problem.stride, *problem.dilation) > 0 else None,
    )  # fmt: skip


def understand(
    framework: str, reading: Reading, shapes: Mapping[str, Any], variant: str = "", dtype: str = FLOAT32
) -> Meaning:
    """What a call that has been read means, on tensors of these shapes; None stands for an extent that is not known,
    and a tensor may have no shape at all.

    Raises IdiomError and Refusal where not even a window can be named.
    """
    of = idioms.operands(reading, shapes)
    reading = with_sizes(reading, of)
    if _known(reading, of):
        point = pointed(framework, reading, of, variant, dtype)
        return replace(of_point(framework, point), function=reading.function, line=reading.line)
    meaning = _formula(framework, reading, of, variant, dtype)
    return replace(meaning, refused=meaning.refused or without_kernel(framework, variant, dtype))


def pointed(
    framework: str, reading: Reading, shapes: Mapping[str, Any], variant: str = "", dtype: str = FLOAT32
) -> ClaimedCall:  # fmt: skip
    """A call on tensors of these shapes, with its claim: refused where there is no kernel of the dtype."""
    point = idioms.point(reading, shapes, variant, dtype)
    reason = "" if point.claim.refused else without_kernel(framework, variant, dtype)
    return replace(point, claim=replace(point.claim, refused=reason)) if reason else point


def without_kernel(framework: str, variant: str, dtype: str) -> str:
    """Why a call in a dtype is refused of which a lane has no kernel; empty where it has one."""
    kernels = idioms.dialect(framework).kernels
    dtypes = kernels.get(variant or adapters.lane(framework).variant, kernels.get(""))
    return "" if dtypes is None or dtype in dtypes else f"no kernel in {dtype}: those are in {', '.join(dtypes)}"


def claim_on(reading: Reading, extents: Ints, variant: str = "", dtype: str = FLOAT32) -> Claim:
    """The claim of a call on an input of these extents; channels and a batch that are not known have stand-ins.

    Raises IdiomError and Refusal as `understand` does.
    """
    rank = len(extents)
    letters, rest = spread(layouts(reading, rank, variant, dtype)[0], rank), iter(extents)
    call = stand_in(reading, {"x": [next(rest) if letter == "k" else None for letter in letters]}, rank, variant, dtype)
    claim, _ = idioms.claim_of(call.told(0), call.shapes(0, 0), variant, dtype)
    return claim


def _known(reading: Reading, of: Mapping[str, Any]) -> bool:
    named = [reading.arguments.get(name) for role in ("in", "out", "groups", "kernel")
             for name in of_role(reading, role)]  # fmt: skip
    needed = ["x"] if reading.idiom.layer or "kernel" in reading.arguments else ["x", "w"]
    needed += ["z"] if "z" in reading.tensors else []
    whole = all(name in of and None not in of[name] for name in needed)
    return whole and not any(isinstance(size, Name) for size in named)


@dataclass(frozen=True, slots=True)
class _Case:
    """A call with numbers in place of what is not known: those of the extents i and k, and the claim that it has."""

    i: int
    k: int
    claim: Claim


def _formula(framework: str, reading: Reading, of: Mapping[str, Any], variant: str, dtype: str) -> Meaning:
    if reading.idiom.form != expression.HOLE:
        raise IdiomError(f"{reading.function}: the shapes of {', '.join(sorted(reading.tensors))} are needed in whole")
    call = stand_in(reading, of, idioms.rank_of(reading, of), variant, dtype)
    cases, refusals = _tried(call, variant, dtype)
    if not cases and call.open_channels:
        call = replace(call, channels=call.out)  # as where they have to be equal
        cases, _ = _tried(call, variant, dtype)
    if not cases and call.open_extents and call.sized:
        return _of_the_one_input(framework, call, variant, dtype, refusals[-1])
    if not cases and call.sized and call.open_kernel:
        raise Refusal(f"whether there is an answer of this size depends on the kernel: give {call.to_give('w')}")
    if not cases:
        raise Refusal(_worded(refusals, call))
    if call.sized and call.open_extents and call.open_kernel and len({case.i for case in cases}) > 1:
        raise _depends_on_the_kernel(call)
    try:
        return _fitted(framework, call, cases)
    except _NoFormula as reason:
        lacking = "w" if len({case.k for case in cases}) > 1 else "x"
        raise Refusal(f"the {reason} is no plain formula of the extents that are not known: give "
                      f"{call.to_give(lacking)}") from None  # fmt: skip


def _tried(call: StandIns, variant: str, dtype: str) -> tuple[list[_Case], list[str]]:
    """The claims on extents from the first on that is taken, and why others are refused."""
    cases: list[_Case] = []
    refusals: list[str] = []
    if not call.open_extents:
        cases, refusals = _at(0, call, variant, dtype)
        if not cases and call.open_kernel and not call.sized:
            cases = _of_first_kernels(call, variant, dtype)
        return cases, refusals
    i, last = 1, FURTHEST
    while i <= last:
        more, reasons = _at(i, call, variant, dtype)
        cases, refusals, i = cases + more, refusals + reasons, i + 1
        if cases:
            last = TRIED if call.sized else cases[0].i + TRIED - 1
    if not cases and not call.sized:
        first = _first_beyond(call, variant, dtype)
        cases = [case for i in range(first, first + TRIED if first else 0) for case in _at(i, call, variant, dtype)[0]]
    return cases, refusals


def _of_first_kernels(call: StandIns, variant: str, dtype: str) -> list[_Case]:
    """The claims on the first kernels that are taken, of those that are tried one by one; none where none is."""
    for first in range(KERNELS.stop, FURTHEST):
        if _at(0, call, variant, dtype, range(first, first + 1))[0]:
            return _at(0, call, variant, dtype, range(first, first + TRIED))[0]
    return []


def _at(
    i: int, call: StandIns, variant: str, dtype: str, kernels: range = KERNELS
) -> tuple[list[_Case], list[str]]:  # fmt: skip
    """The claims on an extent, one for each kernel where that is not known, and why the others are refused."""
    cases, refusals = [], []
    for k in kernels if call.open_kernel else (0,):
        try:
            claim, _ = idioms.claim_of(call.told(k), call.shapes(i, k), variant, dtype)
        except Refusal as reason:
            refusals.append(str(reason))
            continue
        if claim.refused:
            refusals.append(claim.refused)
        else:
            cases.append(_Case(i, k, claim))
    return cases, refusals


def _first_beyond(call: StandIns, variant: str, dtype: str) -> int:
    """The first extent above FURTHEST that is taken, of a call that takes all from one on; 0 where none is."""
    low = FURTHEST
    while low < FARTHEST and not _at(2 * low, call, variant, dtype)[0]:
        low *= 2
    if low >= FARTHEST:
        return 0
    return bisect_left(range(2 * low), True, low + 1, key=lambda i: bool(_at(i, call, variant, dtype)[0]))


def _worded(refusals: Sequence[str], call: StandIns) -> str:
    """Why every extent is refused: the last reason, with that extent where the reason is not the same for all."""
    of = f"an input of {FURTHEST}" if call.open_extents else f"a kernel of {KERNELS[-1]}"
    return refusals[-1] + ("" if refusals[0] == refusals[-1] else f" (of {of})")


def _of_the_one_input(framework: str, call: StandIns, variant: str, dtype: str, refusal: str) -> Meaning:
    """What a call means whose answer's size, being given, takes an input of certain extents alone, unequal ones too.

    Raises Refusal where there is none, or more than one.
    """
    if "--let" in refusal:
        raise Refusal(refusal)
    if call.open_kernel:
        raise _depends_on_the_kernel(call)
    claims = []
    for tried in _inputs(call, variant, dtype):
        with suppress(Refusal):
            claim, _ = idioms.claim_of(call.told(0), call.shapes(tried, 0), variant, dtype)
            claims += [] if claim.refused else [claim]
    give = f"give {call.to_give('x')}"
    if not claims:
        raise Refusal(f"no input is found for which it is answered: {give}; of one that was tried: {refusal}")
    if len(claims) > 1:
        raise Refusal(f"the size of the answer does not say that of the input: {give}")
    (claim,) = claims
    extents = " x ".join(map(str, claim.problem.input))
    point = ClaimedCall(call.reading.idiom, call.reading.text, {}, claim, "", "", aside=call.reading.aside)
    return replace(
        of_point(framework, point), problem="", function=call.reading.function, line=call.reading.line,
        unknown=(*call.unknown, f"the input's extents, which are {extents} here"),
    )  # fmt: skip


def _depends_on_the_kernel(call: StandIns) -> Refusal:
    return Refusal(f"which input has an answer of this size depends on the kernel: give {call.to_give('w')}")


def _inputs(call: StandIns, variant: str, dtype: str) -> Iterator[Ints]:
    """The extents of an input that a convolution of the answer may have, with whatever padding."""
    for extent in (FURTHEST, 1):
        with suppress(Refusal):
            claim, _ = idioms.claim_of(call.told(0), call.shapes(extent, 0), variant, dtype)
            problem = claim.problem
            axes = zip(problem.output, problem.effective_kernel, problem.stride, strict=True)
            ranges = [range(max((out - ke) // s + 1, 1), max((out + ke) // s, 0) + 2) for out, ke, s in axes]
            if prod(map(len, ranges)) <= INPUTS:
                yield from product(*ranges)
            return


class _NoFormula(Exception):
    """A number that is no plain formula; the message names it."""


def _fitted(framework: str, call: StandIns, cases: list[_Case]) -> Meaning:
    """The formulas that all of the cases have in common."""
    reading, unknown, open_extents = call.reading, call.unknown, call.open_extents
    last = cases[-1].claim
    axes = range(last.problem.rank)
    fixed = _extents_fixed(cases) if open_extents else [False] * last.problem.rank
    output = tuple(_number(cases, lambda c, a=a: c.problem.output[a], "output") for a in axes)
    full = tuple(_number(cases, lambda c, a=a: c.problem.full[a], "stamp") for a in axes)
    window = tuple(
        (_number(cases, lambda c, a=a: c.problem.window[a][0], "window"),
         _number(cases, lambda c, a=a: c.problem.window[a][1], "window"))
        for a in axes
    )  # fmt: skip
    if open_extents:
        unknown = (*unknown, "i is the input's extent" + _from(cases, fixed))
    if call.open_kernel:
        unknown = (
            *unknown,
            f"k is the kernel's extent{_from_kernel(sorted({case.k for case in cases}), open_extents)}",
        )
    return Meaning(
        framework, reading.idiom.id, last.law, reading.text, reading.function, "", window, full, output, last.data,
        last.weight, last.reversed, reading.aside, unknown, "", None if call.open_kernel else last.problem,
        reading.line,
    )  # fmt: skip


def _extents_fixed(cases: list[_Case]) -> list[bool]:
    """Whether the answer's size, being given, takes one extent of the input alone."""
    return [len({case.i for case in cases}) == 1] * cases[0].claim.problem.rank


def _from(cases: list[_Case], fixed: list[bool]) -> str:
    """Which of the tried extents the formula holds for."""
    taken = sorted({case.i for case in cases})
    first = taken[0]
    if any(fixed):
        return f", which is {first} here"
    if taken != [*range(first, first + TRIED)]:
        return f", which is {' or '.join(map(str, taken))} here"
    kernels = [case.k for case in cases if case.i == first]
    if {*kernels} != {case.k for case in cases}:
        return f", from {first} on where k is {kernels[0]}"
    return "" if first == 1 else f", from {first} on"


def _from_kernel(kernels: Sequence[int], open_extents: bool) -> str:
    """Which of the tried kernels the formula holds for, where it does not hold for all."""
    if len(kernels) == 1:
        return f", which is {kernels[0]} here"
    return "" if kernels[0] == 1 or open_extents else f", from {kernels[0]} on"


def _number(cases: list[_Case], of: Any, what: str) -> Number:
    """The number that every case has, or a*i + b*k + c; raises _NoFormula where it is of no such form."""
    points = [(case.i, case.k, of(case.claim)) for case in cases]
    i0, k0, value0 = points[0]
    slopes = [next(((one[2] - other[2]) / (one[axis] - other[axis]) for one, other in combinations(points, 2)
                    if one[axis] != other[axis] and one[1 - axis] == other[1 - axis]), 0.0)
              for axis in (0, 1)]  # fmt: skip
    a, b = (int(slope) for slope in slopes)
    rest = value0 - a * i0 - b * k0
    if any(v != a * i + b * k + rest for i, k, v in points):
        raise _NoFormula(what)
    if not a and not b:
        return int(rest)
    terms = [f"{'' if slope == 1 else '-' if slope == -1 else f'{slope}*'}{letter}"
             for slope, letter in ((a, "i"), (b, "k")) if slope]  # fmt: skip
    text = " + ".join(terms).replace("+ -", "- ")
    return text if not rest else f"{text} {'+' if rest > 0 else '-'} {abs(rest)}"
