"""A wrong gradient is explained by the misreading that made it."""

from typing import Any

import numpy as np
import pytest

from conformance.audit.mutants.gradients import MUTANTS
from conformance.diagnosis.answers.gradients import explain_gradient
from conformance.diagnosis.explain import UNEXPLAINED, causes
from conformance.numerics import gradients, upstream
from conformance.problem import BACKWARD, BIAS, INPUT, WEIGHT, Problem
from conformance.records.record import Record, Verdict

PROBLEM = Problem.parse("i3x4 k3x2 s3x2 p0:1x2:0 op1x0 d1x2 g2 ic2 oc3 n2 bias")
DRAWN = upstream.draw("explained", PROBLEM)


def of_mutant(name: str) -> Any:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == name)
    arrays, above = DRAWN
    return mutant.make()(PROBLEM, arrays.astype("float64"), above.astype("float64"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("input: taps: weight reversed on every axis", "taps reversed on axes 0 and 1"),
        ("input: taps: stride ignored", "stride ignored"),
        ("input: taps: stride and dilation exchanged", "stride and dilation swapped"),
        ("input: axes: weight with groups in reverse order", "groups in reverse order"),
        ("input: axes: upstream with the batch in reverse order", "upstream gradient: batch in reverse order"),
        ("input: window: one late on the last axis", "window (0, 0) x (3, -1) for (0, 0) x (2, 0)"),
        ("input: window: upstream without the rows of output_padding",
         "upstream gradient: the rows of output_padding lost"),
        ("weight: taps: reversed on the last axis", "taps reversed on axis 1"),
        ("weight: axes: x of the first of the batch for all", "the first of the batch for all"),
        ("weight: axes: averaged over the batch", "averaged over the batch"),
        ("weight: axes: with groups in reverse order", "groups in reverse order"),
        ("weight: taps: dilation ignored", "dilation ignored"),
        ("bias: axes: averaged over the batch", "averaged over the batch"),
        ("bias: axes: upstream of the first of the batch alone", "upstream gradient: the first of the batch alone"),
    ],
)  # fmt: skip
def test_a_misreading_is_named(name: str, said: str) -> None:
    direction = name.partition(":")[0]
    assert said in explain_gradient(PROBLEM, direction, *DRAWN, of_mutant(name))


@pytest.mark.parametrize("direction", BACKWARD)
def test_what_no_misreading_gives_is_not_explained(direction: str) -> None:
    right = gradients.expected(PROBLEM, direction, *DRAWN)
    odd = right.copy()
    odd.flat[0] += 1
    assert explain_gradient(PROBLEM, direction, *DRAWN, odd) == ()
    assert explain_gradient(PROBLEM, direction, *DRAWN, right[:1]) == ()


def test_a_diverging_record_of_a_gradient_has_its_cause() -> None:
    record = Record("torch", "eager", "explained", "float32", INPUT, str(PROBLEM), Verdict.DIVERGES, "value")
    (cause, *_) = causes(record, lambda _: of_mutant("input: taps: weight reversed on every axis"))
    assert str(cause) == "taps reversed on axes 0 and 1"
    odd = np.full(PROBLEM.weight_shape, 7.0)
    assert causes(replaced(record, WEIGHT), lambda _: odd) == (UNEXPLAINED,)
    assert causes(replaced(record, BIAS), lambda _: np.zeros(PROBLEM.bias_shape))[0].explained


def replaced(record: Record, direction: str) -> Record:
    return Record(
        record.framework, record.variant, record.case, record.dtype, direction, record.problem, record.verdict
    )
