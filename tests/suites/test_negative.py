"""Negative cases: what their files may say, what the definition answers, and how an answer is judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import idioms
from conformance.adapters.base import Unsupported
from conformance.calls.unchecked import UncheckedError, call_of
from conformance.idioms import expression
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.runner import negative
from conformance.suites import cases, departure
from conformance.suites.case import Case, departure_of
from conformance.suites.cases import CaseError
from conformance.suites.departure import Departure

SUITE = cases.read_suite("negative")
TABLE = '[[case]]\nid = "a"\nproblems = ["i5 k3 s0"]\nwhy = "w"\nprobes = ["limits"]\ndefined = false\n'


def test_there_are_cases_of_every_parameter_at_and_past_its_limit() -> None:
    assert len(SUITE.cases) >= 150
    faults = {departure_of(case).fault for case in SUITE.cases}
    for parameter in ("stride", "dilation", "groups", "padding", "op", "batch", "bias", "weight", "x"):
        assert any(fault.startswith(parameter) for fault in faults)


def test_every_operand_is_an_array_of_its_shape_also_without_axes() -> None:
    scalars = 0
    for case in (case for case in SUITE.cases if not departure_of(case).calls):
        for name, array in departure.operands(case.id, case.problem, departure_of(case), "float32").items():
            assert isinstance(array, np.ndarray), case.id
            assert array.shape == departure.shape_of(case.problem, departure_of(case), name), case.id
            scalars += array.ndim == 0
    assert scalars


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("defined = true", "has no answer by the definition, defined is True"),
        ('view = "upside-down"\ndefined = false', "the views are"),
        ("x = [[1, 2]]\nx2 = 1\ndefined = false", "unknown key 'x2'"),
        ("x = [1, 2]\ndefined = false", "give the operand's shape for each of the problems"),
        ('values = [{ of = "y", is = "nan", at = [0] }]\ndefined = false', "values holds"),
        ('dtypes = { x = "float8" }\ndefined = false', "dtypes is"),
    ],
)
def test_a_description_that_says_nothing_is_refused_with_what_would(tmp_path: Path, changed: str, message: str) -> None:
    folder = tmp_path / "negative"
    folder.mkdir()
    (tmp_path / "README.md").touch()
    (folder / "a.toml").write_text(TABLE.replace("defined = false", changed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFORMANCE_CASES", str(tmp_path))
        with pytest.raises(CaseError, match=message.replace("[", r"\[")):
            cases.read_suite("negative")


@pytest.mark.parametrize("case", [case for case in SUITE.cases if departure_of(case).defined], ids=str)
def test_the_definition_answers_wherever_a_case_says_so(case: Case) -> None:
    arrays = departure.operands(case.id, case.problem, departure_of(case), "float64")
    answer = departure.answer(case.problem, arrays)
    assert answer is None or answer.shape == case.problem.output_shape


def test_a_nan_reaches_what_its_own_products_reach() -> None:
    case = next(case for case in SUITE.cases if case.id == "x-nan-1d")
    answer = departure.answer(case.problem, departure.operands(case.id, case.problem, departure_of(case), "float32"))
    assert answer is not None
    assert np.isnan(answer[0]).tolist() == [[3 <= at < 5 for at in range(11)]] * 3


@pytest.mark.parametrize("framework", [*filter(idioms.words, idioms.frameworks())])
def test_a_framework_says_invalid_problems_and_its_words_can_be_read_again(framework: str) -> None:
    said = []
    for case in SUITE.cases:
        try:
            said.append(negative.text(framework, case))
        except Unsupported:
            continue
    assert len(said) > 150
    assert all(expression.parse(text) for text in said)


@pytest.mark.parametrize(
    "text", ["torch.load('x')", "torch.hub.load('a', 'b')", "__import__('os')", "torch.nn.functional.conv_transpose1d"]
)
def test_nothing_but_a_convolution_is_called(text: str) -> None:
    with pytest.raises(UncheckedError):
        call_of("torch", text, {})


def judged(problem: str, actual: NDArray[Any], fault: Departure) -> Record:
    case = Case("a", Problem.parse(problem), problem, "w", ("limits",), "", subject=fault)
    arrays = departure.operands("a", case.problem, fault, "float64")
    record = Record("f", "v", "a", "float64", "forward", problem, Verdict.CONFORMS)
    return negative.judged(record, case, arrays, actual, "float64").record


def test_an_answer_to_what_has_none_is_accepted_invalid_and_says_why() -> None:
    record = judged("i5 k3 s0", np.zeros((1, 1, 3)), Departure("stride-0", defined=False))
    assert record.verdict is Verdict.ACCEPTS_INVALID
    assert record.message == "answered (1, 1, 3), though stride is 0 on axis 0"


def test_an_answer_past_pytorchs_rule_conforms_if_it_is_the_definitions_and_says_so() -> None:
    problem = Problem.parse("i3 k1 s2 op2")
    arrays = departure.operands("a", problem, Departure(""), "float64")
    answer = departure.answer(problem, arrays)
    assert answer is not None
    assert judged(str(problem), answer, Departure("op")).message.startswith(
        "beyond the rule: output_padding 2 on axis 0"
    )
    assert judged(str(problem), answer + 1, Departure("op")).verdict is Verdict.DIVERGES
    assert judged(str(problem), answer[..., 1:], Departure("op")).kind == "shape"


def test_a_nan_that_spreads_too_far_diverges() -> None:
    fault = Departure("x-nan", values=(("x", "nan", (0, 0, 0)),))
    answer = departure.answer(Problem.parse("i3 k1"), departure.operands("a", Problem.parse("i3 k1"), fault, "float64"))
    assert answer is not None
    assert judged("i3 k1", answer, fault).verdict is Verdict.CONFORMS
    assert judged("i3 k1", np.full_like(answer, np.nan), fault).kind == "nonfinite"
    assert judged("i3 k1", np.zeros_like(answer), fault).kind == "nonfinite"
