"""In each lane's own environment: it has a kernel for the integer dtypes that its adapter names, and for no other."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from conformance import adapters, oracle
from conformance.adapters.base import Lane, finish
from conformance.layout import Array
from conformance.numerics.operands import INTEGERS, draw
from conformance.problem import Problem
from conformance.processes.attempt import Ended, make
from conformance.processes.isolation import Isolation
from conformance.records.record import Verdict
from tests.lane_snippets import installed

PLAIN = [Problem.parse(text) for text in ("i3 k2 s2", "i3x2 k2 s2", "i3x2x2 k2 s2")]
NIGHTLY = {"torch", "tensorflow", "jax", "mxnet"}
"""The frameworks whose adapters name all integer dtypes that there is a kernel for."""
LANES = [lane for lane in installed() if lane.framework in NIGHTLY][:1]
"""The first lane of the framework: one process has one lane's."""


def answers(lane: Lane, dtype: str) -> list[tuple[Verdict | None, Array | None]]:
    """What a lane in this process makes of plain problems in a dtype: arrays, or how calls ended."""
    adapter, made = adapters.load(lane), list[tuple[Verdict | None, Array | None]]()
    for problem in PLAIN:
        call = adapter.translate(problem, *draw("integers", problem, dtype).astype(dtype))
        (answer,) = make(adapter, [call])
        made.append((answer.verdict, None) if isinstance(answer, Ended) else (None, finish(call, answer.array)))
    return made


def in_a_process(lane: Lane, function: Callable[[], object]) -> object:
    return Isolation(lane).call(function, seconds=120)


@pytest.mark.skipif(not LANES, reason="nothing is stated of integer dtypes of this framework")
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("lane", LANES, ids=str)
def test_an_adapter_names_the_integer_dtypes_that_its_framework_computes_in(lane: Lane, dtype: str) -> None:
    found = in_a_process(lane, partial(answers, lane, dtype))
    assert isinstance(found, list), found
    assert any(array is not None for _, array in found) is (dtype in adapters.dtypes(lane.framework))
    for problem, (verdict, array) in zip(PLAIN, found, strict=True):
        assert verdict in (None, Verdict.REJECTS), (problem, verdict)
        if array is not None:
            expected = oracle.expected(problem, *draw("integers", problem, dtype))
            assert array.dtype == dtype
            assert np.array_equal(array, expected)
