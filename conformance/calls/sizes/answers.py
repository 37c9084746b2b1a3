"""What is said of two sizes: the calls that fit, as lines and as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.calls.meaning import as_json, lines, of_point
from conformance.calls.sizes import overlap
from conformance.calls.sizes.proposals import Wanted, nearest, proposals
from conformance.calls.sizes.spellings import Target, spellings
from conformance.idioms.base import ClaimedCall


@dataclass(frozen=True, slots=True)
class Answer:
    """The calls of a target for two sizes; where none fits, those of the nearest sizes."""

    target: Target
    wanted: Wanted
    calls: tuple[ClaimedCall, ...]
    near: tuple[ClaimedCall, ...] = ()


def answer(target: Target, wanted: Wanted) -> Answer:
    """The calls for two sizes: all of them where kernel and stride are given, else one for each that is proposed."""
    if wanted.kernel is None or wanted.stride is None:
        return Answer(target, wanted, tuple(proposals(target, wanted)))
    problem = wanted.problem(wanted.kernel, wanted.stride)
    if calls := tuple(spellings(target, problem)):
        return Answer(target, wanted, calls)
    return Answer(target, wanted, (), tuple(nearest(target, problem)))


def answer_lines(answer: Answer) -> Iterator[str]:
    """An answer, a line each."""
    wanted, calls = answer.wanted, answer.calls
    if not calls:
        yield _nothing(answer)
    for call in calls or answer.near:
        shapes = " ".join(f"--shape {name}={','.join(map(str, shape))}" for name, shape in call.shapes.items())
        yield call.text
        yield from (line for line in lines(of_point(answer.target.framework, call)) if line.startswith("  window"))
        yield f"  read by: {shapes}"
        if wanted.kernel is None or wanted.stride is None:
            yield f"  overlap: {overlap.say(call.claim.problem)}"


def _nothing(answer: Answer) -> str:
    target, wanted = answer.target, answer.wanted
    sizes = f"{_axes(wanted.output)} from {_axes(wanted.input)}"
    asked = " and ".join(f"{role} {value if isinstance(value, str) else _axes(value)}"
                         for role, value in target.given.items())  # fmt: skip
    whose = f"{target.idiom or target.framework}{f' with {asked}' if asked else ''}"
    if wanted.kernel is None or wanted.stride is None:
        return f"nothing fits: no kernel and stride were found by which {whose} gives {sizes}: give both of them"
    near = " and ".join(_axes(call.claim.problem.output) for call in answer.near)
    return f"nothing fits: no call of {whose} gives {sizes}{f': the nearest is {near}' if near else ''}"


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
        "nearest": [_call_as_data(answer, call) for call in answer.near],
    }


def _call_as_data(answer: Answer, call: ClaimedCall) -> dict[str, Any]:
    shapes = {name: list(shape) for name, shape in call.shapes.items()}
    return {**as_json(of_point(answer.target.framework, call)), "shapes": shapes}
