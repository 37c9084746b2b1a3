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


def told(answer: Answer) -> Iterator[str]:
    """An answer, a line each."""
    wanted, calls = answer.wanted, answer.calls
    if not calls:
        near = " and ".join(_axes(call.claim.problem.output) for call in answer.near)
        yield (f"nothing fits: no call of {answer.target.framework} gives {_axes(wanted.output)} from "
               f"{_axes(wanted.input)}{f': the nearest is {near}' if near else ''}")  # fmt: skip
    for call in calls or answer.near:
        shapes = " ".join(f"--shape {name}={','.join(map(str, shape))}" for name, shape in call.shapes.items())
        yield call.text
        yield from (line for line in lines(of_point(answer.target.framework, call)) if line.startswith("  window"))
        yield f"  read by: {shapes}"
        if wanted.kernel is None or wanted.stride is None:
            yield f"  overlap: {overlap.say(call.claim.problem)}"


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
