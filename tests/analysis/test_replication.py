"""Explanations of several statements on redrawn operands: what holds is kept, and what does not is no explanation."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from conformance import oracle
from conformance.adapters.base import Lane
from conformance.analysis.replication import candidates, lane_at_hand, replicated
from conformance.cli import diagnose
from conformance.diagnosis import explain
from conformance.diagnosis.explain import Explained, causes
from conformance.numerics.deviation import measure_deviation
from conformance.numerics.operands import Arrays, draw
from conformance.problem import Problem
from conformance.records import record_file
from conformance.records.record import Header, Run, Verdict
from conformance.run import Result, record_of
from conformance.suites.case import Asked, Case

Array = NDArray[Any]
Answer = Callable[[Problem, Arrays], Array]
LANE = Lane("f", "v")
PROBLEM = "i5x4 k3 s2 p1 ic2 oc3 n2 bias"
TWO = "taps reversed on axes 0 and 1 and bias ignored"


def twice_wrong(problem: Problem, arrays: Arrays) -> Array:
    """An answer with reversed taps and no bias."""
    x, weight, bias = arrays
    assert bias is not None
    return oracle.expected(problem, x, np.flip(weight, (2, 3)), 0 * bias)


def right(problem: Problem, arrays: Arrays) -> Array:
    return oracle.expected(problem, *arrays)


def otherwise_wrong(problem: Problem, arrays: Arrays) -> Array:
    return right(problem, arrays) * 3 + 1


def evaluated(answer: Answer) -> Callable[[Case, str], Result]:
    """What evaluates a case on an implementation in this process."""

    def evaluate(case: Case, dtype: str) -> Result:
        arrays = draw(case.id, case.problem).astype(dtype)
        actual, expected = answer(case.problem, arrays), right(case.problem, arrays)
        deviation = measure_deviation(actual, expected)
        if deviation is None:
            return Result(record_of(LANE, Asked(case, dtype), Verdict.CONFORMS))
        record = record_of(LANE, Asked(case, dtype), Verdict.DIVERGES, kind=deviation.kind, message=deviation.message)
        return Result(record, {"actual": actual, "expected": expected})

    return evaluate


def observed(answer: Answer, name: str = "observed") -> tuple[Explained, Array]:
    result = evaluated(answer)(Case(name, Problem.parse(PROBLEM), PROBLEM, "", (), ""), "float64")
    actual = result.arrays["actual"]
    return Explained(result.record, causes(result.record, lambda _: actual)), actual


@pytest.mark.parametrize(("lane", "holds"), [(twice_wrong, True), (right, False), (otherwise_wrong, False)])
def test_an_explanation_of_two_statements_is_asked_of_redrawn_operands(lane: Answer, *, holds: bool) -> None:
    member, _ = observed(twice_wrong)
    assert [str(cause) for cause in member.causes] == [TWO]
    (record,) = replicated(candidates([member]), evaluated(lane))
    assert record == replace(member.record, replicated={TWO: holds})


def test_an_answer_that_does_not_come_again_tells_nothing() -> None:
    member, _ = observed(twice_wrong)

    def died(case: Case, dtype: str) -> Result:
        return Result(record_of(LANE, Asked(case, dtype), Verdict.CRASHED))

    assert replicated([member], died) == []


def test_one_statement_and_what_was_asked_are_not_asked_again() -> None:
    one, _ = observed(
        lambda problem, arrays: oracle.expected(problem, arrays.x, arrays.weight, 0 * arrays.x[0, 0, 0, :3])
    )
    assert [len(cause.misreadings) for cause in one.causes] == [1]
    two, actual = observed(twice_wrong)
    asked = replace(two.record, replicated={TWO: True})
    assert candidates([one, Explained(asked, causes(asked, lambda _: actual))]) == []


def test_a_lane_is_at_hand_only_in_the_version_of_the_run() -> None:
    header = Header("f", "v", "core", ("float64",), ("forward",), "digest", 1, "oracle", environment={"f": "1.0"})
    assert lane_at_hand(header) is None
    assert lane_at_hand(replace(header, framework="torch", variant="eager", environment={"torch": "0.0.1"})) is None


@pytest.mark.parametrize(
    ("answer", "status", "first"),
    [
        (twice_wrong, 0, f"1 of 1: equals the oracle with {TWO}"),
        (right, 1, "1 of 1: unexplained"),
        (None, 0, f"1 of 1: candidate: equals the oracle with {TWO}"),
    ],
    ids=["holds", "is refuted", "has no lane"],
)
def test_the_command_asks_the_lane_and_the_file_keeps_the_outcome(
    answer: Answer | None, status: int, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, actual = observed(twice_wrong)
    header = Header("f", "v", "core", ("float64",), ("forward",), "digest", 1, "oracle")
    path = tmp_path / "f-v-core.jsonl"
    record_file.write(path, Run(header, (member.record,), complete=True))
    np.savez(path.with_suffix(".npz"), **{"observed/float64/forward/actual": actual})  # type: ignore[arg-type]  # arrays by name
    if answer is not None:
        monkeypatch.setattr(diagnose, "lane_at_hand", lambda _: LANE)
        monkeypatch.setattr(diagnose, "by_lane", lambda _: nullcontext(evaluated(answer)))
    done = CliRunner().invoke(diagnose.command, [str(path)], standalone_mode=False)
    assert (done.return_value, done.exception) == (status, None)
    assert done.output.splitlines()[0] == first
    (kept,) = record_file.read(path).records
    assert kept.replicated == (None if answer is None else {TWO: status == 0})


def test_a_file_that_kept_outcomes_is_diagnosed_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: observed(twice_wrong, name) for name in "abcde"}
    header = Header("f", "v", "core", ("float64",), ("forward",), "digest", len(found), "oracle")
    path = tmp_path / "f-v-core.jsonl"
    record_file.write(path, Run(header, tuple(member.record for member, _ in found.values()), complete=True))
    arrays: dict[str, Any] = {f"{name}/float64/forward/actual": actual for name, (_, actual) in found.items()}
    np.savez(path.with_suffix(".npz"), **arrays)
    monkeypatch.setattr(explain, "SEARCHED", 2)  # the others are searched for what these have
    monkeypatch.setattr(diagnose, "lane_at_hand", lambda _: LANE)
    monkeypatch.setattr(diagnose, "by_lane", lambda _: nullcontext(evaluated(right)))
    first, again = (CliRunner().invoke(diagnose.command, [str(path)], standalone_mode=False) for _ in range(2))
    assert "unexplained" in first.output
    assert first.output == again.output
