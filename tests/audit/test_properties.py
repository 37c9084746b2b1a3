"""Properties of a right implementation hold, a wrong one fails those that see its fault; fuzzing finds it, shrunk."""

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from conformance.adapters.base import Call
from conformance.audit.mutants import FUNCTIONS
from conformance.audit.mutants.base import Implementation, right
from conformance.audit.properties.checking import FAILS, HOLDS, REFUSED, Check, Finding, answered, found
from conformance.audit.properties.stated import PROPERTIES
from conformance.layout import Array
from conformance.numerics import gradients
from conformance.numerics.operands import Arrays
from conformance.problem import BACKWARD, Problem
from conformance.suites import cases
from conformance.suites.cases import read_file
from tests.runner.test_lane_run import ADAPTERS


class Adapter:
    """A function as an adapter of its own, whose calls name the dilation; its ordinary convolution is right."""

    VARIANTS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    REFUSALS: tuple[type[Exception], ...] = ()
    BLOCK = 16

    def __init__(self, answer: Implementation) -> None:
        self.answer = answer

    def describe(self) -> Mapping[str, str]:
        return {}

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        return Call(partial(self.said, problem), (x, weight, bias), {"dilation": problem.dilation})

    def said(self, problem: Problem, *operands: Any, dilation: tuple[int, ...] | None = None) -> Array:
        return self.answer(replace(problem, dilation=dilation or (1,) * problem.rank), *operands)

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        """A right one, whatever is answered."""
        problem: Problem = call.function.args[0]  # type: ignore[attr-defined]  # of translate

        def run(x: Array, weight: Array, bias: Array | None, above: Array, **_: Any) -> Array:
            return gradients.expected(problem, BACKWARD[operand], Arrays(x, weight, bias), above)

        return replace(call, function=run, operands=(*call.operands, upstream))

    def tangent(self, call: Call, along: Array, operand: int) -> Call:
        """A right one, as the answer to what it is along."""
        problem: Problem = call.function.args[0]  # type: ignore[attr-defined]  # of translate

        def run(*operands: Any, **_: Any) -> Array:
            x, weight, _bias, direction = operands
            return right(problem, *((x, direction) if operand else (direction, weight)), None)

        return replace(call, function=run, operands=(*call.operands, along))

    def second(self, call: Call, upstream: Array, along: Array, operand: int) -> Call:
        """A right one, as the gradient with the other operand in place of what it is along."""
        x, weight, bias = call.operands
        operands = (x, along, bias) if operand == 0 else (along, weight, bias)
        return self.gradient(replace(call, operands=operands), upstream, operand)

    def traced(self, call: Call) -> Call:
        return call

    def convolve(self, problem: Problem, canvas: Array, weight: Array) -> Call:
        from tests.adapters.oracle_adapter import convolution

        return Call(convolution, (problem, canvas, weight))

    def run(self, calls: Sequence[Call]) -> Sequence[Array]:
        return [call() for call in calls]

    def array(self, result: Array) -> Array:
        return result

    def tensor(self, array: Array) -> Array:
        return array


def findings(answer: Implementation, names: Iterable[str] = PROPERTIES) -> list[Finding]:
    """What becomes of properties on the problems of smoke."""
    checks = [Check(name, case.id, case.problem) for name in names for case in cases.read_suite("smoke").cases]
    return found(checks, "float32", lambda questions: answered(Adapter(answer), questions))


FEW = ("undisturbed", "undisturbed-gradients", "tangent", "second-order", "traced")
"""Properties that one problem in four is asked."""


OF_ANSWERS = [name for name in PROPERTIES if name not in ("repeated-gradients", "second-order", "traced")]
"""Properties for which the answer itself is asked, which a gradient here is not made of."""


@pytest.mark.slow
def test_every_property_holds_of_the_definition_wherever_it_applies() -> None:
    outcomes = Counter((each.property, each.outcome) for each in findings(right))
    assert {name for name, _ in outcomes} == PROPERTIES.keys()
    assert {outcome for _, outcome in outcomes} == {HOLDS}
    assert all(count >= (10 if name in FEW else 25) for (name, _), count in outcomes.items())


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("adjoint", "window: crop on the other side"),
        ("learnt", "window: crop on the other side"),
        ("linear", "numerics: sums kept in TF32"),
        ("biased", "axes: bias added twice"),
        ("biased", "axes: bias added before the window, so that it is missing beyond the stamp"),
        ("grouped", "axes: bias of the first group reused for all"),
        ("batched", "axes: the first of the batch for all"),
        ("channels-in", "axes: in channels dealt to groups in turn"),
        ("channels-out", "axes: out channels dealt to groups in turn"),
        ("translated", "taps: stride of the first axis on all"),
        ("undilated", "taps: dilation one too few"),
        ("lifted", "boundary: only in three dimensions"),
        ("lifted", "window: pads in reverse order of axes"),
        ("repeated", "memory: stale answer of an earlier case of that shape"),
        ("tangent", "window: crop on the other side"),
    ],
)
def test_a_mutant_breaks_each_property(name: str, fault: str) -> None:
    (mutant,) = (each for each in FUNCTIONS if each.name == fault)
    failing = [each for each in findings(mutant.make(), [name]) if each.outcome == FAILS]
    assert failing
    assert all("values differ" in each.message for each in failing)


def test_every_property_is_broken_by_some_mutant() -> None:
    marks = test_a_mutant_breaks_each_property.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    below = {"repeated-gradients", "undisturbed", "undisturbed-gradients", "second-order", "traced"}
    assert {*(name for name, _ in marks[0].args[1]), *below} == PROPERTIES.keys()


class Underived(Adapter):
    """One whose second derivatives, and gradients in functions that are traced, are twice what they are."""

    def second(self, call: Call, upstream: Array, along: Array, operand: int) -> Call:
        return self.traced(super().second(call, upstream, along, operand))

    def traced(self, call: Call) -> Call:
        function = call.function
        return replace(call, function=lambda *operands, **options: 2 * function(*operands, **options))


@pytest.mark.parametrize("name", ["second-order", "traced"])
def test_a_wrong_derivative_is_seen(name: str) -> None:
    checks = [Check(name, case.id, case.problem) for case in cases.read_suite("smoke").cases]
    outcomes = found(checks, "float32", lambda questions: answered(Underived(right), questions))
    assert sum(each.outcome == FAILS for each in outcomes) >= 8  # twice a gradient of zeros is right


class Spoilt(Adapter):
    """One whose answers are wrong as soon as a call has failed."""

    BLOCK = 16
    REFUSALS: tuple[type[Exception], ...] = (ValueError,)
    failed = False

    def said(self, problem: Problem, *operands: Any, dilation: tuple[int, ...] | None = None) -> Array:
        try:
            return super().said(problem, *operands, dilation=dilation) + self.failed
        except ValueError:
            self.failed = True
            raise


class SpoiltGradients(Adapter):
    """One that a gradient which fails leaves with wrong gradients."""

    REFUSALS: tuple[type[Exception], ...] = (ValueError,)
    failed = False

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        made = super().gradient(call, upstream, operand)

        def run(*operands: Any, **options: Any) -> Array:
            try:
                call.function(*operands[:-1], **options)
            except ValueError:
                self.failed = True
                raise
            gradient: Array = made.function(*operands, **options) + self.failed
            return gradient

        return replace(made, function=run)


class Refusing(SpoiltGradients):
    """One that refuses every gradient after one that failed."""

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        made = super().gradient(call, upstream, operand)

        def run(*operands: Any, **options: Any) -> Array:
            if self.failed:
                raise ValueError("could not execute a primitive")
            gradient: Array = made.function(*operands, **options)
            return gradient

        return replace(made, function=run)


@pytest.mark.parametrize(
    ("name", "adapter", "says"),
    [
        ("undisturbed", Spoilt(right), "values differ"),
        ("undisturbed-gradients", SpoiltGradients(right), "values differ"),
        ("undisturbed-gradients", Refusing(right), "refused: ValueError: could not execute a primitive"),
    ],
)
def test_what_a_failed_call_leaves_behind_is_seen(name: str, adapter: Any, says: str) -> None:
    checks = [Check(name, case.id, case.problem) for case in cases.read_suite("smoke").cases]
    outcomes = found(checks, "float32", lambda questions: answered(adapter, questions))
    assert adapter.failed
    assert outcomes[0].outcome == FAILS
    assert says in outcomes[0].message
    assert len(outcomes) >= 8


class Accumulating(Adapter):
    """One that adds each gradient to the one before of that shape, as a framework does whose buffer is not emptied."""

    def __init__(self, answer: Implementation) -> None:
        super().__init__(answer)
        self.sums: dict[tuple[int, ...], Array] = {}

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        made = super().gradient(call, upstream, operand)

        def run(*operands: Any, **options: Any) -> Array:
            gradient: Array = made.function(*operands, **options)
            self.sums[gradient.shape] = self.sums.get(gradient.shape, 0) + gradient
            return self.sums[gradient.shape].copy()

        return replace(made, function=run)


def test_a_gradient_that_is_added_to_the_one_before_is_seen() -> None:
    checks = [Check("repeated-gradients", case.id, case.problem) for case in cases.read_suite("smoke").cases]
    outcomes = found(checks, "float32", lambda questions: answered(Accumulating(right), questions))
    assert Counter(each.outcome for each in outcomes)[FAILS] >= 50


def test_a_failed_call_that_was_never_made_shows_nothing() -> None:
    class Strict(Adapter):
        def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
            if x.shape != problem.input_shape:
                raise ValueError("the adapter looks itself")
            return super().translate(problem, x, weight, bias)

    checks = [Check("undisturbed", case.id, case.problem) for case in cases.read_suite("smoke").cases]
    outcomes = found(checks, "float32", lambda questions: answered(Strict(right), questions))
    assert {(each.outcome, each.message) for each in outcomes} == {
        (FAILS, "translating: ValueError: the adapter looks itself")
    }


def test_a_dilation_of_one_that_is_not_none_is_seen() -> None:
    class Doubling(Adapter):
        def said(self, problem: Problem, *operands: Any, dilation: tuple[int, ...] | None = None) -> Array:
            return super().said(problem, *operands, dilation=dilation or (2,) * problem.rank)

    checks = [Check("undilated", "a", Problem.parse("i3 k3 s2 p1"))]
    (finding,) = found(checks, "float32", lambda questions: answered(Doubling(right), questions))
    assert finding.outcome == FAILS


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["contract: answers in a wider type", "contract: right values, channels last"])
def test_an_answer_of_another_shape_or_dtype_holds_nothing(fault: str) -> None:
    (mutant,) = (each for each in FUNCTIONS if each.name == fault)
    assert {(each.outcome, each.message[:9]) for each in findings(mutant.make(), OF_ANSWERS)} == {(FAILS, "an answer")}


@pytest.mark.slow
def test_a_refusal_is_neither_held_nor_failed() -> None:
    def refuse(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
        raise ArithmeticError("not today")

    outcomes = {(each.outcome, each.message) for each in findings(refuse, OF_ANSWERS)}
    assert outcomes == {(REFUSED, "ArithmeticError: not today")}


CHEATS = {"ODD_PLAN": json.dumps({"every problem": "wrong, patches comparisons"})}


def properties(folder: Path, fault: str = "", adapter: str = "oracle_adapter") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault} | CHEATS
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "properties", adapter]
    options = [f"--to={folder}", "--shard=1/12"]
    return subprocess.run(command + options, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_what_holds_is_written_beside_what_does_not(tmp_path: Path) -> None:
    done = properties(tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "oracle_adapter-single-smoke-float32.json").read_text())
    assert document["counts"]["adjoint"] == {"holds": 5, "fails": 0, "crashed": 0, "refused": 0}
    outcomes = {(each["outcome"], each["message"]) for each in document["findings"]}
    refused = (
        "its call names no dilation that could be left out",
        "the protocol has no gradients, and no invalid calls",
    )
    assert outcomes == {(HOLDS, ""), *((REFUSED, message) for message in refused)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [("wrong@s2", 1, "2 fail, 2 of them new"), ("segfault@d2", 1, "killed by SIGSEGV"), ("refuse@", 3, "holds")],
)
def test_a_fault_that_is_not_known_fails_the_run(fault: str, status: int, says: str, tmp_path: Path) -> None:
    done = properties(tmp_path, fault)
    assert done.returncode == status, done.stderr
    assert says in done.stdout


@pytest.mark.slow
def test_an_implementation_from_outside_does_not_judge_its_properties(tmp_path: Path) -> None:
    done = properties(tmp_path, adapter="odd_adapter")
    assert done.returncode == 1, done.stderr
    assert "translated: 5 fail, 5 of them new" in done.stdout


@pytest.mark.slow
def test_an_implementation_from_outside_does_not_judge_what_is_drawn(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "", "--minutes", "0.5", adapter="odd_adapter")
    assert done.returncode == 1, done.stderr
    assert "diverges value" in done.stdout


def fuzz(folder: Path, fault: str, *options: str, adapter: str = "oracle_adapter") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault} | CHEATS
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "fuzz", adapter]
    return subprocess.run(
        [*command, f"--to={folder}", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_a_planted_fault_is_found_shrunk_and_written_as_a_case(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "wrong@d2", "--minutes", "1")
    assert done.returncode == 1, done.stderr
    (path,) = tmp_path.glob("*.toml")
    (case,) = tomllib.loads(path.read_text())["case"]
    assert case["problem"] == "i1 k1 d2"
    assert next(iter(read_file(path))).descriptor == "i1 k1 d2"


@pytest.mark.slow
def test_a_crash_is_found_too(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "segfault@s2", "--minutes", "1")
    assert "crashed" in done.stdout
    assert '"i1 k1 s2"' in done.stdout


@pytest.mark.slow
def test_a_search_without_findings_remembers_where_it_ended(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "", "--minutes", "0.15")
    assert done.returncode == 0, done.stderr
    assert "nothing new" in done.stdout
    state = tmp_path / "oracle_adapter-single-float32-small-0.json"
    number = json.loads(state.read_text())["next"]
    assert number > 0
    again = fuzz(tmp_path, "", "--minutes", "0.15")
    assert json.loads(state.read_text())["next"] > number, again.stderr


@pytest.mark.slow
def test_a_finding_is_the_first_problem_of_the_next_search(tmp_path: Path) -> None:
    found, again = (fuzz(tmp_path, "wrong@d2", "--minutes", "1") for _ in range(2))
    assert found.stdout == again.stdout
    assert fuzz(tmp_path, "wrong@d2", "--minutes", "1", "--seed", "1").stdout != found.stdout


@pytest.mark.parametrize("content", ["", '{"next": ', '{"next": "x"}', '{"next": -4}', '{"next": 1e400}'])
def test_a_file_that_remembers_no_number_is_one_line(content: str, tmp_path: Path) -> None:
    state = tmp_path / "oracle_adapter-single-float32-small-0.json"
    state.write_text(content)
    done = fuzz(tmp_path, "")
    assert (done.returncode, done.stderr.count("\n"), state.read_text()) == (2, 1, content)
    assert f"{state}: says no number to go on with" in done.stderr


def test_a_pipe_in_the_place_of_the_number_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "oracle_adapter-single-float32-small-0.json")
    done = fuzz(tmp_path, "")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
