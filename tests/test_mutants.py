"""The audit of the cases: a wrong implementation that no case tells from a right one is a missing case."""

from collections import Counter

import numpy as np
import pytest
from mutants import MUTANTS, Mutant

from conformance import cases
from conformance.answers import Answers
from conformance.cases import Suite
from conformance.compare import measure_deviation


def killer(mutant: Mutant, suite: Suite, answers: Answers) -> str | None:
    """The first case of a suite whose verdict on the mutant is not `conforms`."""
    for case in suite.cases:
        answer = answers[case]
        actual = mutant.run(case.problem, *answer.arrays)
        expected = answer.expected
        if actual.dtype == np.float64:  # a numeric mutant computes in floats
            expected = expected.astype(np.float64)
        if measure_deviation(actual, expected) is not None:
            return case.id
    return None


@pytest.fixture(scope="module")
def smoke() -> tuple[Suite, Answers]:
    suite = cases.read_suite("smoke")
    return suite, Answers(suite)


@pytest.fixture(scope="module")
def core() -> tuple[Suite, Answers]:
    suite = cases.read_suite("core")
    return suite, Answers(suite)


def test_there_are_mutants_of_every_family() -> None:
    families = Counter(mutant.family for mutant in MUTANTS)
    assert families.keys() == {"window", "taps", "axes", "numerics", "boundary", "memory", "contract"}
    assert families.total() >= 55
    assert len({mutant.fault for mutant in MUTANTS}) == families.total()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.family}: {mutant.fault}")
def test_core_kills(mutant: Mutant, core: tuple[Suite, Answers]) -> None:
    assert killer(mutant, *core), "no case of core tells it from a right implementation: add one"


def test_smoke_kills_nearly_all(smoke: tuple[Suite, Answers]) -> None:
    survivors = [mutant.fault for mutant in MUTANTS if killer(mutant, *smoke) is None]
    assert len(survivors) <= 0.05 * len(MUTANTS), survivors


def test_the_right_answer_is_killed_by_nothing(core: tuple[Suite, Answers]) -> None:
    from mutants.faults import right

    assert killer(Mutant("none", "none", right), *core) is None
