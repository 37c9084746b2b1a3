"""The suite popular has the geometry of every call that people pasted, and of paths that implementations have."""

from collections.abc import Callable
from math import prod
from typing import Any

import pytest

from conformance.problem import Problem
from conformance.suites.cases import read_suite
from tests.calls.test_pasted import CALLS, shown

POPULAR, CORE = ([case.problem for case in read_suite(name).cases] for name in ("popular", "core"))
SEVERAL = [
    problem
    for problem in POPULAR
    if problem.batch > 1 and (problem.in_channels > 1 < problem.out_channels or problem.groups > 1)
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
    for problem in POPULAR:
        key = (geometry(problem), problem.groups > 1)
        shapes.setdefault(key, set()).add((problem.input_shape, problem.weight_shape))
    alone = {str(key[0][0]) for key, several in shapes.items() if len(several) < 2}
    assert alone == {"(64, 64)"}  # whose answers are large


BLOCKED = (
    "i2x2 k1", "i2x2 k3 p1", "i2x2 k2 s2", "i2x2 k4 s2 p1", "i2x2 k3 s2 p1 op1", "i2x2 k3 s2", "i2x2 k4 s4", "i1x1 k4",
    "i2 k8 s4 p2", "i2 k16 s8 p4", "i2x2x2 k2 s2", "i2x2x2 k4 s2 p1", "i2x2x2 k3 p1",
)  # fmt: skip
PATHS: dict[str, tuple[Callable[[Problem], bool], tuple[str, ...]]] = {
    "depthwise": (
        lambda p: p.groups > 1 and p.in_channels == p.out_channels == 1,
        ("i2x2 k3 p1", "i2x2 k3 s2", "i2x2 k3 s2 p1", "i2x2 k3 s2 p1 op1", "i2x2 k2 s2", "i2x2 k4 s2 p1",
         "i2x2 k16 s8 p4", "i2x2 k7 p3", "i2x2 k5 p2", "i2x2 k3 p2 d2", "i2 k3 s2 p1 op1", "i2 k4 s2 p1",
         "i2x2x2 k3 p1", "i2x2x2 k3 s2 p1 op1"),
    ),
    "blocks of 16 channels in a batch": (lambda p: _in_blocks(p) and p.batch > 1, BLOCKED),
    "blocks of 16 channels with a bias": (lambda p: _in_blocks(p) and p.bias, BLOCKED),
    "groups of several channels in a batch": (
        lambda p: p.groups > 1 and p.in_channels > 1 and p.batch > 1,
        ("i2x2 k1", "i2x2 k3 p1", "i2x2 k2 s2", "i2x2 k4 s2 p1", "i2x2 k3 s2 p1 op1"),
    ),
    "several channels in a batch": (
        lambda p: p.in_channels > 1 and p.out_channels > 1 and p.batch > 1,
        ("i2x2 k2 s2 p1", "i2x2 k2 s2 p0:1", "i2x2 k4 s4", "i2x2 k8 s8", "i2x2 k16 s16", "i2x2 k9 s4 p4 op3",
         "i2x2 k8x1 s4x1", "i2x2 k1x4 s1x2 p0x1", "i2x2 k3 s2x1 p1 op1x0", "i2x2x2 k3x4x4 s1x2x2 p1", "i2 k256 s64"),
    ),
    "planes of more than 1,024 places": (
        lambda p: p.in_channels > 1 and prod(p.output) > 1024,
        ("i2x2 k2 s2", "i2x2 k4 s2 p1", "i2x2 k3 s2 p1 op1", "i2x2 k3 p1"),
    ),
}  # fmt: skip
"""Where libraries have code of its own for a geometry, and the geometries, each as its smallest problem."""


def _in_blocks(p: Problem) -> bool:
    return p.groups == 1 and p.in_channels % 16 == p.out_channels % 16 == 0


@pytest.mark.parametrize(("path", "smallest"), [(path, text) for path, (_, few) in PATHS.items() for text in few])
def test_two_cases_of_core_that_differ_in_shape_take_every_path(path: str, smallest: str) -> None:
    wanted = geometry(Problem.parse(smallest))
    taken = {
        (problem.input_shape, problem.weight_shape)
        for problem in CORE
        if geometry(problem) == wanted and PATHS[path][0](problem)
    }
    assert len(taken) >= 2
