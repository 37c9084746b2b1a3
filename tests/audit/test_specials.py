"""Special values: what right and wrong implementations make of them, and what is stated held against it."""

import os
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import adapters, oracle
from conformance.adapters.base import Call, Lane
from conformance.audit.mutants import FUNCTIONS
from conformance.audit.mutants.base import Implementation, right
from conformance.audit.specials.experiments import ANSWER, DOES, OPERANDS_OF, VALUES, experiments
from conformance.audit.specials.measuring import Measured, answered_by, shown_by
from conformance.audit.specials.statements import STATED
from conformance.audit.stated import ANYTHING, Statement, files, held, unshown
from conformance.audit.stated.files import StatementError
from conformance.layout import Array
from conformance.numerics import gradients
from conformance.numerics.operands import INTEGERS, Arrays
from conformance.predicates.predicate import Predicate
from conformance.problem import BACKWARD, FORWARD, INPUT, WEIGHT, Problem
from conformance.suites import cases
from tests.audit.test_properties import Adapter
from tests.cli.test_cli import Command
from tests.runner.test_lane_run import ADAPTERS

DOCS = Path(__file__).parents[2] / "docs" / "specials.md"
TOX = Path(__file__).parents[2] / "tox.ini"
LANE = Lane("torch", "eager")
SMALL = 2000
"""Multiplications of the problems that are tried."""


def shown(answer: Implementation, dtype: str = "float32") -> set[tuple[str, str, str]]:
    """What an implementation does with special values other than it is to, by value and operand."""
    chosen = [case for case in cases.read_suite("smoke").cases if case.problem.multiplies < SMALL]
    made = [each for case in chosen for each in experiments(case.id, case.problem, dtype)]
    with np.errstate(all="ignore"):
        found = list(shown_by(partial(answered_by, Adapter(answer)), made))
    assert {(one.value, one.operand) for one in found} == {
        *((value, operand) for value in VALUES[:4] for operand in OPERANDS_OF[FORWARD]), ("overflow", ANSWER)
    }  # fmt: skip
    return {(one.value, one.operand, does) for one in found for does in one.does}


def of_gradients(
    gradient: Callable[[Problem, str, Arrays, Array], Array], dtype: str = "float32"
) -> set[tuple[str, str, str, str]]:
    """What an implementation's gradients do with special values other than they are to, by pass, value and operand."""

    class Deriving(Adapter):
        def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
            problem: Problem = call.function.args[0]  # type: ignore[attr-defined]  # of translate

            def run(x: Array, weight: Array, bias: Array | None, above: Array, **_: Any) -> Array:
                return gradient(problem, BACKWARD[operand], Arrays(x, weight, bias), above)

            return replace(call, function=run, operands=(*call.operands, upstream))

    chosen = [case for case in cases.read_suite("smoke").cases if case.problem.multiplies < SMALL]
    made = [each for case in chosen for way in BACKWARD for each in experiments(case.id, case.problem, dtype, way)]
    with np.errstate(all="ignore"):
        found = list(shown_by(partial(answered_by, Deriving(right)), made))
    assert {(one.direction, one.operand) for one in found if one.value == "inf"} == {
        (way, operand) for way in BACKWARD for operand in OPERANDS_OF[way]
    }
    assert {(one.direction, one.value) for one in found} == {(way, value) for way in BACKWARD for value in VALUES}
    return {(one.direction, one.value, one.operand, does) for one in found for does in one.does}


GRADIENT_ZEROS = {(way, "-0", operand, "positive") for way in BACKWARD for operand in OPERANDS_OF[way]}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_definition_of_gradients_does_what_is_due_but_for_the_sign_of_zero(dtype: str) -> None:
    assert of_gradients(gradients.expected, dtype) == GRADIENT_ZEROS


def test_zeros_that_a_gradient_is_padded_with_are_seen() -> None:
    shown = of_gradients(gradients.by_canvas) - GRADIENT_ZEROS
    assert {each for each in shown if each[3] == "beyond"} == {
        (way, value, operand, "beyond")
        for way, operand in ((INPUT, WEIGHT), (WEIGHT, INPUT)) for value in ("inf", "nan")
    }  # fmt: skip


ZEROS = {("-0", operand, "positive") for operand in OPERANDS_OF[FORWARD]}
"""A sum that begins with +0 loses the sign, as that of the definition does."""


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_definition_does_what_is_due_but_for_the_sign_of_zero(dtype: str) -> None:
    assert shown(right, dtype) == ZEROS


def behind(change: Any) -> Implementation:
    """A right implementation, and what is done to its answer."""

    def answer(problem: Problem, *operands: Any) -> Array:
        changed: Array = change(right(problem, *operands))
        return changed

    return answer


def in_zeros(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """By an input with zeros in between, which are multiplied."""
    return oracle.by_zero_insertion(problem, x, weight, bias).astype(x.dtype)


def flushing(problem: Problem, *operands: Any) -> Array:
    (mutant,) = (each for each in FUNCTIONS if "ubnormal" in each.name)
    return mutant.make()(problem, *operands)


def doubled(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """By a sum that is twice the answer in between."""
    return (right(problem, 2 * x, weight, None if bias is None else 2 * bias) / 2).astype(x.dtype)


def refusing(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    if np.isnan(x).any():
        raise ArithmeticError("not a number")
    return right(problem, x, weight, bias)


LIMIT = np.finfo(np.float32).max


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (in_zeros, {("inf", "weight", "beyond"), ("nan", "weight", "beyond")}),
        (behind(lambda y: np.where(np.isnan(y), y.dtype.type(0), y)),
         {("nan", operand, "lost") for operand in OPERANDS_OF[FORWARD]}),
        (behind(lambda y: np.where(np.isinf(y), y.dtype.type(np.nan), y)),
         {("overflow", ANSWER, "changed"), *(("inf", operand, "nan") for operand in OPERANDS_OF[FORWARD])}),
        (behind(lambda y: np.clip(y, -LIMIT, LIMIT)),
         {("overflow", ANSWER, "finite"), *(("inf", operand, "lost") for operand in OPERANDS_OF[FORWARD])}),
        (flushing, {("subnormal", operand, "flushed") for operand in OPERANDS_OF[FORWARD]}),
        (doubled, {("overflow", ANSWER, "early")}),
        (refusing, {("nan", "input", "refused")}),
    ],
)  # fmt: skip
def test_what_an_implementation_does_otherwise_is_seen(
    answer: Implementation, expected: set[tuple[str, str, str]]
) -> None:
    assert shown(answer) - ZEROS == expected


def test_an_answer_beyond_half_precision_is_due_as_infinity() -> None:
    (one,) = (each for each in experiments("a", Problem.parse("i1 k2"), "float16") if each.value == "overflow")
    x, weight, _ = one.special.arrays
    exact = x.astype(np.float64).ravel() * weight.astype(np.float64).ravel()
    assert np.isfinite(x).all()
    assert np.isfinite(weight).all()
    assert exact.max() >= 2.0**16
    with np.errstate(over="ignore"):
        assert (right(one.special.problem, x, weight, None).ravel() == exact.astype(np.float16)).all()


def in_integers(answer: Implementation, dtype: str) -> list[Measured]:
    """What an implementation does in integers with what is beyond them."""
    chosen = [case for case in cases.read_suite("smoke").cases if case.problem.multiplies < SMALL]
    made = [each for case in chosen for each in experiments(case.id, case.problem, dtype)]
    assert {(each.value, each.operand) for each in made} == {("overflow", ANSWER)}
    return list(shown_by(partial(answered_by, Adapter(answer)), made))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_in_integers_an_answer_beyond_the_dtype_is_due_as_wrapped_around(dtype: str) -> None:
    assert {one.does for one in in_integers(right, dtype)} == {()}
    (one,) = experiments("a", Problem.parse("i1 k2"), dtype)
    x, weight, _ = one.special.arrays
    exact = [int(x.item()) * int(tap) for tap in weight.ravel()]
    bits = np.iinfo(dtype).bits
    assert max(exact) > np.iinfo(dtype).max
    wrapped = [(value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1) for value in exact]
    assert right(one.special.problem, x, weight, None).ravel().tolist() == wrapped


@pytest.mark.parametrize("dtype", INTEGERS)
def test_an_answer_that_saturates_or_was_added_up_in_floats_is_seen_in_integers(dtype: str) -> None:
    ends = np.iinfo(dtype)

    def beyond(problem: Problem, x: Array, weight: Array) -> Array:
        in_floats: Array = oracle.of_any_size(problem, x.astype(float), weight.astype(float), None)
        return in_floats >= 2.0 ** (ends.bits - 1)

    def saturating(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
        return np.where(beyond(problem, x, weight), x.dtype.type(ends.max), right(problem, x, weight, bias))

    def by_floats(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
        """As CPUs convert floats that are beyond an integer."""
        return np.where(beyond(problem, x, weight), x.dtype.type(ends.min), right(problem, x, weight, bias))

    for wrong in (saturating, by_floats):
        assert "changed" in {does for one in in_integers(wrong, dtype) for does in one.does}


@pytest.mark.parametrize("way", BACKWARD)
def test_integers_have_no_gradients(way: str) -> None:
    assert list(experiments("a", Problem.parse("i3 k2 bias"), "int32", way)) == []


def measured(problem: str, *does: str, dtype: str = "float32") -> Measured:
    return Measured(problem, dtype, "weight", "inf", does)


def statement(when: str, partly: str = "") -> Statement:
    subjects, labels = ("inf in the weight",), ("inf", "weight")
    return Statement((str(LANE),), subjects, labels, "beyond", Predicate.parse(when), "so", partly)


FOUND = [measured("i9 k2 s2", "beyond"), measured("i2 k2 s2", "beyond"), measured("i2 k2")]


def test_what_is_as_stated_is_no_departure() -> None:
    assert list(held(LANE, [statement("any(stride > 1)")], FOUND, DOES)) == []


def test_what_is_not_stated_names_the_smallest_case() -> None:
    (departure,) = held(LANE, [], FOUND, DOES)
    assert departure.facts == (
        "inf in the weight changes outputs that its element does not reach in 2 of 3 problems, "
        "and no statement says so: "
        'smallest "i2 k2 s2" in float32'
    )


def test_what_is_stated_and_no_longer_so_names_the_smallest_case() -> None:
    (departure,) = held(LANE, [statement("rank > 0")], FOUND, DOES)
    assert departure.facts == (
        "a statement says that inf in the weight changes outputs that its element does not reach, and in 1 of 3 "
        'problems it does not: smallest "i2 k2" in float32'
    )


def test_what_is_stated_in_part_is_to_be_shown_once() -> None:
    partly = statement("rank > 0", "not all")
    assert list(held(LANE, [partly], FOUND, DOES)) == []
    assert list(unshown(LANE, [partly], FOUND, DOES)) == []
    assert list(unshown(LANE, [partly], FOUND[2:], DOES)) == [
        "a statement says that inf in weight changes outputs that its element does not reach, and no problem shows it"
    ]
    assert list(unshown(LANE, [replace(partly, lanes=("jax-jit",))], FOUND[2:], DOES)) == []


def test_where_nobody_measured_nothing_is_judged() -> None:
    free = replace(statement("any(stride > 1)"), does=ANYTHING)
    assert list(held(LANE, [free], FOUND, DOES)) == []
    assert [each.count for each in held(LANE, [free], [*FOUND, measured("i3 k2", "beyond")], DOES)] == [1]
    assert list(held(LANE, [free, statement("any(stride > 1)")], [measured("i2 k2 s2")], DOES)) == []
    assert list(unshown(LANE, [free, statement("any(stride > 1)", "not all")], [measured("i2 k2 s2")], DOES)) == []


def test_every_lane_of_a_night_that_is_asked_has_a_statement_and_each_says_why() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(TOX, encoding="utf-8")
    every = tox["testenv"]["commands"]
    given = {name: tox.get(f"testenv:{name}", "commands", fallback=every) for name in adapters.frameworks()}
    asked = {str(lane) for lane in adapters.lanes() if "audit specials" in given[lane.framework]}
    assert {lane for each in STATED.read() for lane in each.lanes} == asked
    assert all(each.reason.endswith(".") and (not each.partly or each.partly.endswith(".")) for each in STATED.read())


def test_the_document_has_the_table_of_what_is_stated() -> None:
    assert "\n".join(STATED.table()) in DOCS.read_text(encoding="utf-8")


def test_the_document_says_what_each_word_means() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [said for said in DOES.values() if said not in text] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("[[statement]]\nlanes = 3", "cannot be read: Expected `array`"),
        ('[[statement]]\nlanes = ["torch-lazy"]\nvalues = ["inf"]\noperands = ["input"]\ndoes = "lost"\nreason = "x"',
         "specials.toml#1: lanes has 'torch-lazy': give of "),
        ('[[statement]]\nlanes = ["torch-eager"]\nvalues = ["inf"]\noperands = ["input"]\ndoes = "bad"\nreason = "x"',
         "specials.toml#1: does has 'bad': give of "),
        ('[[statement]]\nlanes = ["torch-eager"]\nvalues = ["inf"]\noperands = ["input"]\ndoes = "lost"\nreason = "x"\n'
         'when = "x ="', "specials.toml#1: "),
    ],
)  # fmt: skip
def test_a_file_that_states_nothing_is_one_line(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specials.toml").write_text(text)
    monkeypatch.setattr(files, "cases_folder", lambda: tmp_path)
    with pytest.raises(StatementError) as caught:
        STATED.read()
    assert message in str(caught.value)


def test_without_a_framework_the_table_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = Command(monkeypatch, capfd)("audit", "specials")
    assert ended.status == 0
    assert ended.out.splitlines() == list(STATED.table())


SCRIPT = """
import sys
from conformance.adapters.base import Lane
from conformance.audit.specials.measuring import measured
from conformance.problem import Problem
if __name__ == "__main__":
    problems = [("a", Problem.parse("i2 k2 s2")), ("b", Problem.parse("i1 k1"))]
    for one in measured(Lane("oracle_adapter", "single"), problems, ["float32"]):
        print(one.problem, one.value, *one.does, sep=",")
"""


@pytest.mark.parametrize(("fault", "answered"), [("", {"i2 k2 s2", "i1 k1"}), ("segfault@s2", {"i1 k1"}),
                                                 ("refuse@", set())])  # fmt: skip
def test_a_lane_is_asked_in_processes_that_may_die(fault: str, answered: set[str], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [line.split(",") for line in done.stdout.splitlines()]
    assert {problem for problem, *_ in found} == answered
    assert {(value, *does) for _, value, *does in found if does} == ({("-0", "positive")} if answered else set())


def test_a_lane_from_outside_is_refused_by_name(tmp_path: Path) -> None:
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS)}
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "audit", "specials", "oracle_adapter"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "oracle_adapter is from outside" in done.stderr
