"""Gradients as they are selected, recorded and refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import adapters
from conformance.numerics.gradients import passes_of
from conformance.numerics.operands import DTYPES, HALVES
from conformance.problem import BACKWARD, BIAS, FORWARD, PASSES
from conformance.records import record_file
from conformance.records.record import GRADIENTS, Record, Verdict
from conformance.records.reproduction import reproduction
from conformance.runner.selection import NIGHTLY, SelectionError, is_awaited, is_for, passes_named, require_runnable
from conformance.suites.case import Asked
from conformance.suites.cases import find, read_suite
from conformance.suites.references import compute, oracle_digest
from tests.runner.test_lane_run import ADAPTERS

SUITE = read_suite(GRADIENTS)


@pytest.mark.slow
def test_the_suite_of_gradients_runs_in_their_passes_and_all_dtypes() -> None:
    assert SUITE.directions == BACKWARD
    assert SUITE.dtypes == (*DTYPES, *HALVES)
    assert {read_suite(name).directions for name in ("core", "half", "rounding")} == {(FORWARD,)}


def test_the_suite_of_gradients_is_of_every_night_but_for_lanes_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GRADIENTS in NIGHTLY
    assert {framework for framework in adapters.own() if is_for(framework, GRADIENTS)} == {
        "jax",
        "keras",
        "mlx",
        "mxnet",
        "paddle",
        "tensorflow",
        "torch",
    }
    monkeypatch.setattr(adapters, "is_outside", lambda framework: True)
    assert not is_for("torch", GRADIENTS)


@pytest.mark.parametrize(
    ("framework", "suite", "awaited"),
    [
        ("torch", GRADIENTS, True), ("opencv", GRADIENTS, False), ("opencv", "core", True),
        ("keras", "core", False), ("keras", "smoke", True), ("torch", "smoke", False), ("tvm", "core", False),
        ("torch", "covering", True),
        ("is-not-here", "core", True), ("is-not-here", "models", True), ("is-not-here", GRADIENTS, False),
        ("is-not-here", "idioms", False), ("is-not-here", "half", False),
    ],
)  # fmt: skip
def test_a_report_misses_what_a_lane_is_known_to_have(framework: str, suite: str, *, awaited: bool) -> None:
    assert is_awaited(framework, suite) is awaited


@pytest.mark.parametrize(
    ("names", "passes"),
    [(["all"], PASSES), (["bias", "input"], ("input", "bias")), ([], ()), (["all", "bias"], PASSES)],
)
def test_passes_are_named_in_any_order(names: list[str], passes: tuple[str, ...]) -> None:
    assert passes_named(names) == passes


def test_a_pass_that_there_is_not_is_refused() -> None:
    with pytest.raises(SelectionError, match="no pass 'backward': the passes are forward, input, weight, bias, or all"):
        passes_named(["backward"])
    with pytest.raises(SelectionError, match="suite 'rounding' has no gradients"):
        require_runnable("torch", read_suite("rounding"), ["float32"], BACKWARD)


def test_every_pass_has_a_name_of_its_own_among_items_and_records() -> None:
    case = SUITE.cases[0]
    assert Asked(case, "float32").name == f"{case.id}.float32"
    assert Asked(case, "float32", BIAS).name == f"{case.id}.float32.bias"
    assert Asked(case, "float32", BIAS).key == (case.id, "float32", BIAS)


def test_passes_share_operands_and_have_answers_of_their_own() -> None:
    case = next(case for case in SUITE.cases if case.problem.bias)
    forward, *backward = (compute(case, "float32", name) for name in PASSES)
    assert forward.upstream is None
    assert {reference.arrays.x.tobytes() for reference in backward} == {backward[0].arrays.x.tobytes()}
    assert len({reference.expected.tobytes() for reference in backward}) == len(BACKWARD)
    assert forward.arrays.x.tobytes() != backward[0].arrays.x.tobytes()


def test_the_digest_of_forward_answers_does_not_depend_on_gradients() -> None:
    assert oracle_digest() == oracle_digest((FORWARD,)) != oracle_digest(BACKWARD) == oracle_digest(PASSES)


def test_a_record_of_a_gradient_is_made_again_by_its_pass() -> None:
    record = Record("torch", "eager", "one", "float32", BIAS, "i2 k1 bias", Verdict.DIVERGES)
    assert reproduction(record) == (
        "conformance call torch 'i2 k1 bias' --variant eager --dtype float32 --case one --pass bias"
    )
    assert not record.redrawn


def conformance(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance", *words], env=os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS)},
        timeout=300, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_implementation_from_outside_is_unsupported_by_name() -> None:
    done = conformance("one", "oracle_adapter", "i3 k2", "--pass", "input")
    assert done.returncode == 0
    assert done.stdout.startswith("unsupported: oracle_adapter-single float32 gradient by input 'i3 k2'")
    assert "oracle_adapter comes from outside, and the protocol has no gradients" in done.stdout


def test_a_problem_without_a_bias_has_no_gradient_of_one() -> None:
    done = conformance("one", "oracle_adapter", "i3 k2", "--pass", "bias")
    assert (done.returncode, done.stderr.strip()) == (
        2, "conformance: 'i3 k2' has no bias, so that there is no gradient of one: add the word bias"
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_in_every_pass_has_a_record_of_each(tmp_path: Path) -> None:
    words = ("--suite", "smoke", "--case", "smoke-2d-05", "--case", "smoke-2d-07", "--pass", "all", "-n", "0")
    done = conformance("run", "oracle_adapter", "--variant", "single", *words, "--records", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    run = record_file.read(tmp_path / "partial" / "oracle_adapter-single-smoke.jsonl")
    assert run.complete
    assert run.header.directions == PASSES
    asked = [(case, name) for case in ("smoke-2d-05", "smoke-2d-07") for name in PASSES if has(case, name)]
    assert {(record.case, record.direction) for record in run.records} == set(asked)
    assert len(run.records) == 2 * len(asked)
    assert {record.verdict for record in run.records if record.direction == FORWARD} == {Verdict.CONFORMS}
    assert {record.verdict for record in run.records if record.direction != FORWARD} == {Verdict.UNSUPPORTED}


def has(case_id: str, name: str) -> bool:
    (case,) = find(read_suite("smoke"), [case_id]).cases
    return name in (FORWARD, *passes_of(case.problem))


@pytest.mark.slow
def test_a_lane_that_answers_no_gradient_is_not_green(tmp_path: Path) -> None:
    done = conformance("run", "oracle_adapter", "--variant", "single", "--suite", "gradients", "-n", "0",
                       "--records", str(tmp_path))  # fmt: skip
    assert done.returncode == 1
    assert "answers nothing: 0 of" in done.stderr + done.stdout


def test_a_suite_without_gradients_is_not_asked_for_them() -> None:
    done = conformance("run", "oracle_adapter", "--suite", "rounding", "--pass", "input")
    assert (done.returncode, done.stderr.strip()) == (
        2, "conformance: suite 'rounding' has no gradients: run it without --pass"
    )  # fmt: skip
