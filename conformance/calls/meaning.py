"""What a call means, as far as its text says it: with numbers where all is known, else with formulas.

Extents that are not known are tried, one after the other, on the claim itself: where the answer's extents grow by the
same number with every one of the input, that is the formula, and it says from which extent on it holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance import idioms, layout
from conformance.calls.sizes import overlap
from conformance.idioms import expression
from conformance.idioms._reading import IdiomError, Reading
from conformance.idioms.base import FLOAT32, MEANINGS, Claim, ClaimedCall, Refusal
from conformance.idioms.expression import Name
from conformance.idioms.weights.views import whole_shape
from conformance.problem import Ints, Problem

TRIED = 5
"""Extents from 1 on that are tried for one that is not known."""
FURTHEST = 256
"""The largest that is tried where none of those is taken, as where the answer's size is given."""
STANDIN = 4
"""The channels, of a group, that stand for a number that is not known; no window hangs on them."""

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
    """A problem whose stamps overlap as the call's do; None where the kernel is not known."""
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
        problem.full, problem.output, made.data, made.weight, made.reversed, point.aside, (), made.refused,
        problem,
    )  # fmt: skip


def understand(
    framework: str, reading: Reading, shapes: Mapping[str, Any], variant: str = "", dtype: str = FLOAT32
) -> Meaning:
    """What a call that has been read means, on tensors of these shapes; None stands for an extent that is not known,
    and a tensor may have no shape at all.

    Raises IdiomError and Refusal where not even a window can be named.
    """
    of = idioms.operands(reading, shapes)
    if _known(reading, of):
        point = idioms.point(reading, of, variant, dtype)
        return replace(of_point(framework, point), function=reading.function, line=reading.line)
    return _formula(framework, reading, of, variant, dtype)


def claim_on(reading: Reading, extents: Ints, variant: str = "", dtype: str = FLOAT32) -> Claim:
    """The claim of a call on an input of these extents; channels and a batch that are not known have stand-ins.

    Raises IdiomError and Refusal as `understand` does.
    """
    x = (None, None, *extents) if _channels_first(reading) else (None, *extents, None)
    arguments, _ = _stand_ins(reading, {"x": x})
    told = replace(reading, arguments=arguments)
    claim, _ = idioms.claim_of(told, _shapes(told, {"x": x}, len(extents), 0, 0), variant, dtype)
    return claim


def _known(reading: Reading, of: Mapping[str, Any]) -> bool:
    named = [reading.arguments.get(name) for role in ("in", "out", "groups", "kernel")
             for name in _of_role(reading, role)]  # fmt: skip
    needed = ["x"] if reading.idiom.layer or "kernel" in reading.arguments else ["x", "w"]
    needed += ["z"] if "z" in reading.tensors else []
    whole = all(name in of and None not in of[name] for name in needed)
    return whole and not any(isinstance(size, Name) for size in named)


def _of_role(reading: Reading, role: str) -> list[str]:
    tensors = set(reading.idiom.tensors.values())
    return [name for name in sorted(MEANINGS[role]) if name in reading.arguments and name not in tensors]


@dataclass(frozen=True, slots=True)
class _Case:
    """A call with numbers in place of what is not known: those of the extents i and k, and the claim that it has."""

    i: int
    k: int
    claim: Claim


def _formula(framework: str, reading: Reading, of: Mapping[str, Any], variant: str, dtype: str) -> Meaning:
    if reading.idiom.form != expression.HOLE:
        raise IdiomError(f"{reading.function}: the shapes of {', '.join(sorted(reading.tensors))} are needed in whole")
    rank = idioms.rank_of(reading, of)
    of = {name: extents for name, extents in of.items() if name == "x" or None not in extents}
    arguments, unknown = _stand_ins(reading, of)
    kernels = range(1, 8) if _kernel_unknown(reading, of) else (0,)
    shape = of.get("x")
    if shape is not None and len(shape) != len(layout.groups(reading.idiom.data)) - 1 + rank:
        raise Refusal(f"x has {len(shape)} axes, '{reading.idiom.data}' of {rank} spatial ones has {rank + 2}")
    open_extents = shape is None or None in (shape[2:] if _channels_first(reading) else shape[1:-1])
    cases: list[_Case] = []
    refusals: list[str] = []
    for i in range(1, FURTHEST + 1) if open_extents else (0,):
        if i > TRIED and cases:
            break
        for k in kernels:
            told = replace(reading, arguments={**arguments, **_kernel(reading, rank, k)})
            try:
                claim, _ = idioms.claim_of(told, _shapes(told, of, rank, i, k), variant, dtype)
            except Refusal as reason:
                refusals.append(str(reason))
                continue
            if claim.refused:
                refusals.append(claim.refused)
            else:
                cases.append(_Case(i, k, claim))
    if not cases:
        raise Refusal(refusals[-1])
    return _fitted(framework, reading, cases, unknown, open_extents)


def _fitted(
    framework: str, reading: Reading, cases: list[_Case], unknown: tuple[str, ...], open_extents: bool
) -> Meaning:  # fmt: skip
    """The formulas that all of the cases have in common."""
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
    kernel_known = len({case.k for case in cases}) == 1
    if not kernel_known:
        unknown = (*unknown, "k is the kernel's extent")
    return Meaning(
        framework, reading.idiom.id, last.law, reading.text, reading.function, "", window, full, output, last.data,
        last.weight, last.reversed, reading.aside, unknown, "", last.problem if kernel_known else None,
        reading.line,
    )  # fmt: skip


def _extents_fixed(cases: list[_Case]) -> list[bool]:
    """Whether the answer's size, being given, takes one extent of the input alone."""
    return [len({case.i for case in cases}) == 1] * cases[0].claim.problem.rank


def _from(cases: list[_Case], fixed: list[bool]) -> str:
    """Which of the tried extents the formula holds for."""
    taken = sorted({case.i for case in cases})
    if any(fixed):
        return f", which is {taken[0]} here"
    if taken != list(range(taken[0], TRIED + 1)):
        return f", which is {' or '.join(map(str, taken))} here"
    return "" if taken[0] == 1 else f", from {taken[0]} on"


def _number(cases: list[_Case], of: Any, what: str) -> Number:
    """The number that every case has, or a*i + b*k + c; raises Refusal where it is of no such form."""
    points = [(case.i, case.k, of(case.claim)) for case in cases]
    i0, k0, value0 = points[0]
    slopes = [next(((v - value0) / (at[axis] - points[0][axis]) for *at, v in points
                    if at[axis] != points[0][axis] and at[1 - axis] == points[0][1 - axis]), 0.0)
              for axis in (0, 1)]  # fmt: skip
    a, b = (int(slope) for slope in slopes)
    rest = value0 - a * i0 - b * k0
    if any(v != a * i + b * k + rest for i, k, v in points):
        raise Refusal(f"the {what} is no plain formula of the extents that are not known: give --shape "
                      f"{'w' if len({case.k for case in cases}) > 1 else 'x'}=...")  # fmt: skip
    if not a and not b:
        return int(rest)
    terms = [f"{'' if slope == 1 else '-' if slope == -1 else f'{slope}*'}{letter}"
             for slope, letter in ((a, "i"), (b, "k")) if slope]  # fmt: skip
    text = " + ".join(terms).replace("+ -", "- ")
    return text if not rest else f"{text} {'+' if rest > 0 else '-'} {abs(rest)}"


def _kernel_unknown(reading: Reading, of: Mapping[str, Any]) -> bool:
    if "w" in of:
        return False
    kernel = next((reading.arguments[name] for name in _of_role(reading, "kernel")), None)
    return kernel is None or isinstance(kernel, Name)


def _kernel(reading: Reading, rank: int, k: int) -> dict[str, Any]:
    """The kernel of an extent, where the argument for it is a name."""
    names = [name for name in _of_role(reading, "kernel") if isinstance(reading.arguments[name], Name)]
    return dict.fromkeys(names, (k,) * rank)


def _channels_first(reading: Reading) -> bool:
    spelt = reading.arguments.get("data_format") or reading.arguments.get("layout")
    if isinstance(spelt, str):
        return spelt == "channels_first" or spelt.startswith("NC")
    return layout.groups(reading.idiom.data)[1] == "c"


def _stand_ins(reading: Reading, of: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments with numbers for channels that are names or formulas, and what those are."""
    arguments, unknown = dict(reading.arguments), []
    groups = [arguments[name] for name in _of_role(reading, "groups")]
    count = groups[0] if groups and isinstance(groups[0], int) else 1
    for role in ("in", "out", "groups"):
        for name in _of_role(reading, role):
            if isinstance(arguments[name], Name):
                unknown.append(f"{name} is {arguments[name]}")
                arguments[name] = {"in": _in_channels(reading, of, count), "out": STANDIN * count, "groups": 1}[role]
    for name in ("output_shape", "input_sizes"):
        if isinstance(size := arguments.get(name), list | tuple):
            arguments[name] = type(size)(_resolved(reading, of, at, extent, len(size), unknown)
                                         for at, extent in enumerate(size))  # fmt: skip
    for name in _of_role(reading, "kernel"):
        if isinstance(arguments[name], Name):
            unknown.append(f"{name} is {arguments[name]}")
    return arguments, tuple(unknown)


def _resolved(reading: Reading, of: Mapping[str, Any], at: int, value: Any, axes: int, unknown: list[str]) -> Any:
    """An element of an output shape: a batch or channels that are not known are those of x and w."""
    if not isinstance(value, Name) and value not in (None, -1):
        return value
    channel = axes - 1 if not _channels_first(reading) else 1
    if at == 0:
        unknown.append(f"the batch is {value}")
        return (of.get("x") or (1,))[0] or 1
    if at == channel:
        unknown.append(f"the channels of the answer are {value}")
        return of["w"][-2] if "w" in of else STANDIN
    return value


def _in_channels(reading: Reading, of: Mapping[str, Any], groups: int) -> int:
    if of.get("x") is None:
        return STANDIN * groups
    channels = of["x"][1] if _channels_first(reading) else of["x"][-1]
    return channels if isinstance(channels, int) else STANDIN * groups


def _shapes(reading: Reading, of: Mapping[str, Any], rank: int, i: int, k: int) -> dict[str, Any]:
    """Shapes with numbers for all that is not known."""
    stated = next((reading.arguments[name] for name in _of_role(reading, "in")), None)
    groups = next((reading.arguments[name] for name in _of_role(reading, "groups")), 1)
    channels = stated if isinstance(stated, int) and stated else _in_channels(reading, of, groups)
    first = _channels_first(reading)
    known = of.get("x") or (None,) * (rank + 2)
    spatial = known[2:] if first else known[1:-1]
    extents = tuple(i if extent is None else extent for extent in spatial)
    given = (known[1] if first else known[-1]) or channels
    batch = known[0] or _batch(reading)
    shapes = {**of, "x": (batch, given, *extents) if first else (batch, *extents, given)}
    if not reading.idiom.layer and "w" not in of and not _of_role(reading, "kernel"):
        weight = _weight(reading, given, groups, rank, k)
        shapes["w"] = whole_shape(reading.view, weight) if reading.view else weight
    return shapes


def _batch(reading: Reading) -> int:
    """The batch that a shape of the answer says; 1 where none does."""
    size = reading.arguments.get("output_shape")
    batch = size[0] if isinstance(size, list | tuple) and size else None
    return batch if isinstance(batch, int) and batch > 0 else 1


def _weight(reading: Reading, channels: int, groups: int, rank: int, k: int) -> tuple[int, ...]:
    size = reading.arguments.get("output_shape", reading.arguments.get("input_sizes"))
    out = STANDIN
    if isinstance(size, list | tuple) and len(size) == rank + 2:
        out = size[1] if _channels_first(reading) else size[-1]
    extent = {"gi": channels, "i": channels // groups, "o": out, "go": groups * out, "k": k}
    parts = layout.groups(reading.idiom.weight)
    return tuple(value for part in parts for value in ([k] * rank if part == "k" else [extent[part]]))


def lines(meaning: Meaning) -> Iterator[str]:
    """What a call means, a line each."""
    if meaning.refused:
        yield f"refused: {meaning.refused}"
        if "n" not in meaning.data:
            yield f"  axes: data '{meaning.data}': it is read without a batch, since x has an axis less"
    else:
        yield f"means '{meaning.problem}' ({meaning.name})" if meaning.problem else f"means a window ({meaning.name})"
        window = " x ".join(f"({lo}, {hi})" for lo, hi in meaning.window)
        yield f"  window: {window} cut from {_tuple(meaning.full)}, which leaves {_tuple(meaning.output)}"
        yield f"  taps: {'reversed' if meaning.reversed else 'as stored'}"
        yield f"  axes: data '{meaning.data}', weight '{meaning.weight}'"
        if meaning.stamps is not None:
            yield from _stamps(meaning.stamps)
    if meaning.unknown:
        yield f"  not known: {'; '.join(meaning.unknown)}"
    if meaning.set_aside:
        yield f"  set aside: {'; '.join(meaning.set_aside)}"


def _stamps(problem: Problem) -> Iterator[str]:
    yield f"  overlap: {overlap.say(problem)}"
    if taps := overlap.bilinear(problem):
        yield (f"  bilinear: taps {' '.join(map(str, taps))} an axis, for each channel alone, upsample by "
               f"{problem.stride[0]}")  # fmt: skip


def _tuple(numbers: tuple[Number, ...]) -> str:
    return f"({', '.join(map(str, numbers))}{',' * (len(numbers) == 1)})"


def as_json(meaning: Meaning) -> dict[str, Any]:
    """A meaning as data, by the keys that docs/porting.md documents."""
    return {
        "framework": meaning.framework,
        "idiom": meaning.idiom,
        "law": meaning.law,
        "line": meaning.line,
        "call": meaning.call,
        "problem": meaning.problem or None,
        "window": [list(ends) for ends in meaning.window],
        "full": list(meaning.full),
        "output": list(meaning.output),
        "layout": {"data": meaning.data, "weight": meaning.weight},
        "overlap": list(overlap.overlap(meaning.stamps)) if meaning.stamps else None,
        "bilinear": [float(tap) for tap in overlap.bilinear(meaning.stamps)] or None if meaning.stamps else None,
        "taps": "reversed" if meaning.reversed else "as stored",
        "set_aside": list(meaning.set_aside),
        "unknown": list(meaning.unknown),
        "refused": meaning.refused or None,
    }
