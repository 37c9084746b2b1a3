"""Calls of two builds are timed in turn, each in a lane process of its own."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.adapters.base import Lane
from conformance.processes.wire import Timed
from conformance.runner.pace import lane as timing
from conformance.runner.pace.measure import Asked, PaceError, Side, measure
from conformance.suites.cases import read_suite

ADAPTERS = Path(__file__).parents[1] / "adapters"
LANE = Lane("oracle_adapter", "single")
CASES = read_suite("smoke").cases[:3]


def side(fault: str = "") -> Side:
    return Side(LANE, sys.executable, {**os.environ, "CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault})


@pytest.fixture(autouse=True)
def from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))


@pytest.mark.slow
def test_the_one_call_that_became_slower_is_told_with_its_times() -> None:
    asked = [Asked("smoke", case.id, "float32") for case in CASES]
    said: list[str] = []
    slow = CASES[1]
    times = measure((side(), side(f"busy@{slow.descriptor}")), asked, said.append)
    factors = {each.case: of.factor for each, of in times.items()}
    assert factors.pop(slow.id) > 1.5
    assert set(factors.values()) == {1.0}
    assert times[asked[1]].new - times[asked[1]].old == pytest.approx(0.004, abs=0.001)
    assert len(said) >= 2
    assert "of 3 timed again, by new processes" in said[-1]


def test_a_build_against_itself_is_measured_once() -> None:
    said: list[str] = []
    times = measure((side(), side()), [Asked("smoke", CASES[0].id, "float32")], said.append)
    assert [of.factor for of in times.values()] == [1.0]


def test_a_lane_that_dies_is_named() -> None:
    with pytest.raises(PaceError, match=f"oracle_adapter-single: {CASES[0].id} cannot be timed: killed by SIGKILL"):
        measure((side(), side(f"kill@{CASES[0].descriptor}")), [Asked("smoke", CASES[0].id, "float32")], print)


class Adapter:
    """One whose calls are the descriptors of their problems."""

    def translate(self, *given: object) -> str:
        return str(given[0])


def test_a_call_that_is_kept_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[str] = []

    def repeated(adapter: Adapter, call: str) -> Callable[[], object]:
        prepared.append(call)
        return lambda: None

    monkeypatch.setattr(timing, "repeated", repeated)
    calls = timing._Calls()
    for case in (CASES[0], CASES[0], CASES[1]):
        assert calls.line(Adapter(), Timed("smoke", case.id, "float32", 2)).startswith(b'{"seconds": [')  # type: ignore[arg-type]  # all that is asked of one
    assert prepared == [CASES[0].descriptor, CASES[1].descriptor]
