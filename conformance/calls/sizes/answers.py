"""What is said of two sizes: the calls that fit, as lines and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance import adapters, idioms
from conformance.calls.meaning import of_point, other_lanes
from conformance.calls.meaning.other_lanes import OtherLane
from conformance.calls.meaning.wording import as_json, lines
from conformance.calls.sizes import overlap
from conformance.calls.sizes.proposals import PROPOSED, SizesError, Wanted, nearest, proposals
from conformance.calls.sizes.spellings import Target, first, in_order, spellings
from conformance.idioms.base import FLOAT32, ClaimedCall, with_window
from conformance.idioms.sizes.legal import too_large


@dataclass(frozen=True, slots=True)
class Answer:
    """The calls of a target for two sizes; where none fits, those of the nearest sizes, and the options in the way:
    without any one of these there is a call."""

    target: Target
    wanted: Wanted
    calls: tuple[ClaimedCall, ...]
    near: tuple[ClaimedCall, ...] = ()
    without: tuple[str, ...] = ()


def answer(target: Target, wanted: Wanted) -> Answer:
    """The calls for two sizes: all of them where kernel and stride are given, else one for each that is proposed."""
    _require_axes(target, wanted)
    _require_padding(target)
    if wanted.kernel is None or wanted.stride is None:
        calls = tuple(proposals(target, wanted))
        return Answer(target, wanted, calls, (), () if calls else tuple(_without(target, wanted)))
    problem = wanted.problem(wanted.kernel, wanted.stride)
    if calls := in_order(tuple(spellings(target, problem))):
        return Answer(target, wanted, calls)
    return Answer(target, wanted, (), tuple(nearest(target, problem)), tuple(_without(target, wanted)))


def _require_axes(target: Target, wanted: Wanted) -> None:
    """Raises SizesError for so many spatial axes as no call of the target has, and IdiomError for an unknown idiom."""
    ranks = sorted({rank for idiom in target.idioms() for rank in idiom.functions})
    if (count := len(wanted.input)) in ranks:
        return
    axes = "axis" if count == 1 else "axes"
    name, asked = target.idiom or target.module or target.framework, (wanted.input, wanted.output)
    each = [_axes((size[0],) * ranks[0]) for size in asked]
    give = f"give --input {each[0]} --output {each[1]}" if count == 1 else f"give sizes of {ranks[0]} axes"
    raise SizesError(
        f"{name} has no call of {count} spatial {axes}, and calls of {' or '.join(map(str, ranks))}: {give}"
    )


def _require_padding(target: Target) -> None:
    """Raises SizesError for the name of a padding that no call of the target has."""
    asked = target.given.get("padding")
    if not isinstance(asked, str):
        return
    names, numbers = target.paddings()
    if asked.upper() in map(str.upper, names):
        return
    have = f"have {' and '.join(map(repr, names))}" if names else "have none by name"
    give = " or ".join(["one of these"] * bool(names) + ["numbers, as in 1 or 1x2"] * numbers)
    of = target.idiom or target.module or target.framework
    raise SizesError(f"--padding is {asked!r}, and calls of {of} {have}: {f'give {give}' if give else 'leave it out'}")


def _without(target: Target, wanted: Wanted) -> Iterator[str]:
    """The options without which, one at a time, there is a call."""
    freed: dict[str, tuple[Target, Wanted]] = {
        role: (replace(target, given={name: value for name, value in target.given.items() if name != role}), wanted)
        for role in target.given
    }
    freed |= {"idiom": (replace(target, idiom=""), wanted)} if target.idiom else {}
    freed |= {"groups": (target, replace(wanted, groups=1))} if wanted.groups > 1 else {}
    freed |= {"dilation": (target, replace(wanted, dilation=()))} if wanted.dilation else {}
    freed |= {"kernel": (target, replace(wanted, kernel=None))} if wanted.kernel else {}
    freed |= {"stride": (target, replace(wanted, stride=None))} if wanted.stride else {}
    for option, (other_target, other) in freed.items():
        if other.kernel is None or other.stride is None:
            fits = next(proposals(other_target, other, PROPOSED), None)
        else:
            fits = first(other_target, other.problem(other.kernel, other.stride))
        if fits:
            yield option


def answer_lines(answer: Answer) -> Iterator[str]:
    """An answer, a line each."""
    wanted, calls = answer.wanted, answer.calls
    if not calls:
        yield _nothing(answer)
    for main, *others in _by_window(calls or answer.near):
        yield main.text
        yield from (line for line in lines(of_point(answer.target.framework, main)) if line.startswith("  window"))
        if reason := too_large(main.claim):
            yield f"  not known: {reason}"
        yield from _elsewhere(answer, main)
        yield f"  read by: {_shapes(main)}"
        if wanted.kernel is None or wanted.stride is None:
            yield f"  overlap: {overlap.say(main.claim.problem)}"
        for other in others:
            yield f"  also: {other.text}" + (f"  {_shapes(other)}" if _shapes(other) != _shapes(main) else "")
            yield from (f"  {line}" for line in _elsewhere(answer, other))
    if calls and all(2 * out <= extent for out, extent in zip(wanted.output, wanted.input, strict=True)):
        yield ("  the output is smaller than the input, so these calls cut away much of what they compute: an ordinary "
               "convolution with a stride makes sizes smaller")  # fmt: skip
    if calls and len(wanted.input) == 1:
        two = f"--input {_axes(wanted.input * 2)} --output {_axes(wanted.output * 2)}"
        yield f"  these calls have one spatial axis: for images, which have two, give {two}"


def _by_window(calls: Sequence[ClaimedCall]) -> list[list[ClaimedCall]]:
    """Calls with the same window of the same stamp, in the order of the first of each."""
    groups: dict[str, list[ClaimedCall]] = {}
    for call in calls:
        problem = replace(call.claim.problem, bias=False)
        groups.setdefault(str(with_window(problem, problem.window)), []).append(call)
    return list(groups.values())


def _shapes(call: ClaimedCall) -> str:
    return " ".join(f"--shape {name}={','.join(map(str, shape))}" for name, shape in call.shapes.items())


def _elsewhere(answer: Answer, call: ClaimedCall) -> Iterator[str]:
    """The other lanes that refuse a call."""
    return (line for other in _others(answer, call) if other.refused for line in other.lines(""))


def _nothing(answer: Answer) -> str:
    target, wanted = answer.target, answer.wanted
    asked = {name: axes for name in ("kernel", "stride", "dilation") if (axes := getattr(wanted, name))}
    asked |= {"groups": (wanted.groups,)} if wanted.groups > 1 else {}
    words = [f"{role} {value if isinstance(value, str) else _axes(value)}"
             for role, value in {**asked, **target.given}.items()]  # fmt: skip
    listed = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    gives = f"no call of {target.idiom or target.module or target.framework}{f' with {listed}' if words else ''} gives"
    near = " and ".join(_axes(call.claim.problem.output) for call in answer.near)
    ways = [f"the nearest is {near}"] if near else []
    without = " or ".join(f"--{option.replace('_', '-')}" for option in answer.without)
    ways += [f"without {without} there is one"] if without else []
    searched = wanted.kernel is None or wanted.stride is None
    ways = ways or (["give both --kernel and --stride"] if searched else [])
    sizes = f"{_axes(wanted.output)} from {_axes(wanted.input)}"
    return f"nothing fits: {gives} {sizes}{' that was tried' * searched}{': ' * bool(ways)}{'; '.join(ways)}"


def _axes(extents: tuple[int, ...]) -> str:
    return "x".join(map(str, extents))


def as_data(answer: Answer) -> dict[str, Any]:
    """An answer as data, by the keys that docs/porting.md documents."""
    wanted = answer.wanted
    return {
        "framework": answer.target.framework,
        "input": list(wanted.input),
        "output": list(wanted.output),
        "kernel": wanted.kernel and list(wanted.kernel),
        "stride": wanted.stride and list(wanted.stride),
        "fits": bool(answer.calls),
        "calls": [_call_as_data(answer, call) for call in answer.calls],
        "without": list(answer.without),
        "nearest": [_call_as_data(answer, call) for call in answer.near],
    }


def _call_as_data(answer: Answer, call: ClaimedCall) -> dict[str, Any]:
    shapes = {name: list(shape) for name, shape in call.shapes.items()}
    others = other_lanes.as_data(_others(answer, call))
    return {**as_json(of_point(answer.target.framework, call)), "shapes": shapes, "other_lanes": others}


def _others(answer: Answer, call: ClaimedCall) -> Sequence[OtherLane]:
    """The other lanes in which a call is refused, or has another window."""
    lane = adapters.lane(answer.target.framework, answer.target.variant or None)
    reading = idioms.reading(lane.framework, call.text)
    return other_lanes.other_lanes(lane, reading, call.shapes, FLOAT32, of_point(lane.framework, call))
