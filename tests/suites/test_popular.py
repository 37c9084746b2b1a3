"""The suite popular has the geometry of every call that people pasted, with several channels and in a batch."""

from typing import Any

import pytest

from conformance.problem import Problem
from conformance.suites.cases import read_suite
from tests.calls.test_pasted import CALLS, shown

SEVERAL = [
    case.problem
    for case in read_suite("popular").cases
    if case.problem.batch > 1 and (case.problem.in_channels > 1 < case.problem.out_channels or case.problem.groups > 1)
]


def geometry(problem: Problem) -> tuple[Any, ...]:
    return problem.kernel, problem.stride, problem.dilation, problem.window


SHOWN = {f"{call['framework']} {call['text']}": shown(call)["problem"] for call in CALLS if not call.get("refused")}
WITHOUT_CHANNELS = (
    "i14x14 k5 s2 p1:2", "i5 k3 s2", "i4x4 k4 s2 p1", "i5x5 k2 s2", "i8x8 k3 s2 p0:1", "i1x1 k4", "i16x16 k3 s2 p1 op1",
    "i32 k16 s8 p4", "i2x2x2 k2 s2", "i5x5 k4 s2 p1", "i7x7 k5 p2", "i5 k4 s4",
)  # fmt: skip
"""The geometries of those calls whose channels or extents the text does not say."""


@pytest.mark.parametrize("descriptor", [*filter(None, SHOWN.values()), *WITHOUT_CHANNELS])
def test_the_geometry_of_a_pasted_call_is_popular(descriptor: str) -> None:
    assert geometry(Problem.parse(descriptor)) in map(geometry, SEVERAL)


def test_most_pasted_calls_say_their_problem() -> None:
    assert sum(map(bool, SHOWN.values())) > 40


def test_two_cases_of_every_geometry_differ_in_shape() -> None:
    shapes: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for problem in (case.problem for case in read_suite("popular").cases):
        key = (geometry(problem), problem.groups > 1)
        shapes.setdefault(key, set()).add((problem.input_shape, problem.weight_shape))
    alone = {str(key[0][0]) for key, several in shapes.items() if len(several) < 2}
    assert alone == {"(64, 64)"}  # whose answers are large
