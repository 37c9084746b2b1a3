"""The sizes of a model's inputs that are asked for, which of them it takes, and at which of them problems are made."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise, product
from operator import eq
from typing import TypeVar

from conformance.problem import Ints
from conformance.scan.layer import Extent, ScanError, SizeError

Range = tuple[int, int]
Asked = Mapping[str, tuple[Range, ...]]
"""The least and the largest extent of each axis of each input."""
Sizes = Mapping[str, Ints]
Found = TypeVar("Found")

LARGEST = 1 << 24
TRIED = 33
"""Extents from the least on that are tried of an axis with a range."""
FURTHEST = 64
"""How far from an end of a range a size is looked for that is taken."""

_INPUT = re.compile(r"([^=]+)=(\d+(?:\.\.\d+)?(?:,\d+(?:\.\.\d+)?)*)")


def parse(texts: Sequence[str]) -> dict[str, tuple[Range, ...]]:
    """What `--input x=1..8,3,64..512` asks for. Raises ScanError."""
    asked: dict[str, tuple[Range, ...]] = {}
    for text in texts:
        match = _INPUT.fullmatch(text.replace(" ", ""))
        if match is None:
            raise ScanError(f"--input {text}: give a name and its extents, a number or a range each, such as "
                            "x=1..8,3,64..512,64..512")  # fmt: skip
        name, extents = match[1], match[2].split(",")
        if name in asked:
            raise ScanError(f"--input {text}: {name} is given twice: give it once")
        asked[name] = tuple(_range(text, extent) for extent in extents)
    return asked


def _range(text: str, extent: str) -> Range:
    least, _, largest = extent.partition("..")
    low, high = int(least[:12]), int((largest or least)[:12])
    if not 1 <= low <= high <= LARGEST:
        raise ScanError(f"--input {text}: {extent} is not within 1 to {LARGEST}, the lesser end first: give "
                        "such a number or range")  # fmt: skip
    return low, high


def of_inputs(
    name: str, declared: Mapping[str, Sequence[Extent]], asked: Asked, batch: int = 1
) -> tuple[Asked, list[str]]:  # fmt: skip
    """The ranges of all inputs of a model, and the extents that are free and not asked for, in words; a free batch that
    is not asked for is the one given.

    An input that is the only one may be called x; a model that states none has those that are asked for. Raises
    ScanError for what does not fit the file.
    """
    if not declared:
        return asked, []  # which states none
    if len(declared) == 1 and {*asked} == {"x"}:
        asked = {next(iter(declared)): asked["x"]}
    for given in asked:
        if given not in declared:
            raise ScanError(
                f"--input {given}: {name} has no such input: its inputs are {', '.join(declared) or 'none'}"
            )
    ranges: dict[str, tuple[Range, ...]] = {}
    free: list[str] = []
    for given, extents in declared.items():
        if given in asked:
            ranges[given] = _fitting(name, given, extents, asked[given])
        else:
            open_axes = [at for at, extent in enumerate(extents) if not isinstance(extent, int)]
            said = f" ({batch} here)" if open_axes == [0] else ""
            free += [f"axis {at} of {given}{said}" for at in open_axes] if extents else [given]
            if extents and (not open_axes or open_axes == [0]):  # of a batch, one does
                ranges[given] = tuple(
                    (extent, extent) if isinstance(extent, int) else (batch, batch) for extent in extents
                )
    return ranges, free


def _fitting(model: str, name: str, extents: Sequence[Extent], asked: tuple[Range, ...]) -> tuple[Range, ...]:
    if extents and len(asked) != len(extents):
        like = ",".join(str(each if isinstance(each, int) else 64 if at else 1) for at, each in enumerate(extents))
        raise ScanError(f"--input {name}: {len(asked)} extents are given, and {model} has {len(extents)} there: give "
                        f"as many, as in --input {name}={like}")  # fmt: skip
    for at, (extent, (low, high)) in enumerate(zip(extents, asked, strict=False)):
        if isinstance(extent, int) and (low, high) != (extent, extent):
            given = low if low == high else f"{low}..{high}"
            raise ScanError(f"--input {name}: axis {at} is {given}, and {model} fixes it to {extent}: give that, or "
                            "export the model with a free axis there")  # fmt: skip
    return asked


Axis = tuple[str, int]


def tried(asked: Asked, at: Callable[[Sizes], Found]) -> tuple[list[Found], list[str]]:
    """What a model gives at the ends of the ranges and in between, and which extents it takes, in words.

    `at` raises SizeError for sizes that are not taken. Raises ScanError where none of those that are tried is.
    """
    axes = [(name, axis) for name, ranges in asked.items() for axis, (low, high) in enumerate(ranges) if low < high]
    base, first = _least(asked, axes, at)
    found = [first]
    tops: dict[Axis, int] = {}
    words: list[str] = []
    for name, axis in axes:
        low, high = asked[name][axis]
        tries = {base[name][axis]: first}
        reason = ""
        for extent in _candidates(low, high, axis):
            if extent not in tries:
                try:
                    tries[extent] = at(_with(base, (name, axis), extent))
                except SizeError as refused:
                    reason = reason or str(refused)
        found += [tries[extent] for extent in sorted(tries)]
        law, top, stride = _law(sorted(tries), low, high, axis)
        alone = partial(_at, at, base, (name, axis))
        if top and top not in tries:
            until, last, why = _until(tries, top, stride, alone)
            law, top, reason = law if until == top else f"{law}, up to {until}", until, reason or why
            found += [last]
        elif not top:  # no law goes as far as the end
            top, last = _last(tries, high, alone)
            found += [last]
            law = f"{', '.join(map(str, sorted({*tries, top})))} of those tried"
        tops[name, axis] = top
        if reason or axis:
            words.append(f"axis {axis} of {name} in {low}..{high}: {law}" + (f": others: {reason}" if reason else ""))
    if len(axes) > 1:
        try:
            found.append(at(_largest(base, tops)))
        except SizeError as refused:
            words.append(f"the largest extents together are not taken: {refused}")
    return found, words


def _candidates(low: int, high: int, axis: int) -> list[int]:
    """Extents of an axis to try; of the first, which is the batch, the ends alone."""
    return [low, high] if axis == 0 else [*range(low, min(high, low + TRIED - 1) + 1)]


def _with(base: Sizes, axis: Axis, extent: int) -> dict[str, Ints]:
    name, at = axis
    shape = base[name]
    return {**base, name: (*shape[:at], extent, *shape[at + 1 :])}


def _least(asked: Asked, axes: Sequence[Axis], at: Callable[[Sizes], Found]) -> tuple[Sizes, Found]:
    """The smallest sizes that are taken, all ranges in step."""
    reason = ""
    widest = max((high - low for ranges in asked.values() for low, high in ranges[1:]), default=0)
    further = min(FURTHEST - 1, widest) if axes else 0
    for later, offset in product((0, 1), range(further + 1)):  # a batch of 1 is often not taken
        sizes = {name: tuple(min(low + (offset if axis else later), high) for axis, (low, high) in enumerate(ranges))
                 for name, ranges in asked.items()}  # fmt: skip
        if later and not any(ranges and ranges[0][0] < ranges[0][1] for ranges in asked.values()):
            break
        try:
            return sizes, at(sizes)
        except SizeError as error:
            reason = reason or str(error)
    said = "; ".join(f"{name}={','.join(str(low) for low, _ in ranges)}" for name, ranges in asked.items())
    more = f" nor any of the next {further}" if further else ""
    raise ScanError(f"--input {said}: the model takes no input of this size{more}: {reason}")


def _law(taken: Sequence[int], low: int, high: int, axis: int) -> tuple[str, int, int]:
    """Which extents are taken, in words; the largest of them as far as the law goes, 0 where there is none; and the
    steps that lead there."""
    if axis == 0 or len(taken) == 1:
        return " and ".join(map(str, taken)) + " of those tried", taken[-1], 1
    step = _period([b - a for a, b in pairwise(taken)])
    if not step:
        return "", 0, 1
    rests = sorted({extent % step for extent in taken})
    after = range(taken[0], max(_candidates(low, high, axis)) + 1)
    if any(extent % step in rests and extent not in taken for extent in after):
        return "", 0, 1
    top = next(extent for extent in range(high, low - 1, -1) if extent % step in rests)
    if step == 1:
        return "every extent" if taken[0] == low else f"every extent from {taken[0]} on", top, step
    if len(rests) > 1:
        return f"{' or '.join(map(str, rests))} more than a multiple of {step}", top, step
    return f"multiples of {step}" + (f" and {rests[0]} more" if rests[0] else ""), top, step


def _period(gaps: Sequence[int]) -> int:
    """The sum of the gaps after which the gaps repeat, at least twice; 0 where they do not."""
    lengths = (count for count in range(1, len(gaps) // 2 + 1) if all(map(eq, gaps, gaps[count:])))
    return gaps[0] if len(gaps) == 1 else sum(gaps[: next(lengths, 0)])


def _at(at: Callable[[Sizes], Found], base: Sizes, axis: Axis, extent: int) -> Found:
    return at(_with(base, axis, extent))


def _last(tries: Mapping[int, Found], high: int, at: Callable[[int], Found]) -> tuple[int, Found]:
    """The last extent of a range that is taken, of those near its end, and what is given there."""
    for extent in range(high, max(high - FURTHEST, max(tries)), -1):
        try:
            return extent, at(extent)
        except SizeError:
            continue
    return max(tries), tries[max(tries)]


def _until(tries: Mapping[int, Found], top: int, step: int, at: Callable[[int], Found]) -> tuple[int, Found, str]:
    """The last extent that is taken from those that were tried to the top, in steps, what is given there, and why the
    next one is refused; it is looked for by halves, as if none were taken behind one that is refused."""
    try:
        return top, at(top), ""
    except SizeError as refused:
        reason = str(refused)
    low = max(each for each in tries if (top - each) % step == 0)
    taken, refused_at = tries[low], top
    while refused_at - low > step:
        middle = low + (refused_at - low) // step // 2 * step
        try:
            low, taken = middle, at(middle)
        except SizeError as refused:
            refused_at, reason = middle, str(refused)
    return low, taken, reason


def _largest(base: Sizes, tops: Mapping[Axis, int]) -> dict[str, Ints]:
    """The largest extents of all axes together."""
    return {name: tuple(tops.get((name, axis), extent) for axis, extent in enumerate(shape))
            for name, shape in base.items()}  # fmt: skip
