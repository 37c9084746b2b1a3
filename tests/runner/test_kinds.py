"""Every subject of a case has its evaluator, and every suite has cases of one subject."""

from typing import get_args

import pytest

from conformance.calls.suites import SUITES as OF_CALLS
from conformance.claims import ledger
from conformance.records.record import NEGATIVE
from conformance.runner.kinds import KINDS, Kind, kind_of
from conformance.suites.case import Case, Subject
from conformance.suites.cases import SUITES, read_suite


def test_every_subject_has_a_row() -> None:
    assert set(KINDS) == set(get_args(Subject))


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_on_file_is_of_one_kind_and_only_negative_cases_run_alone(name: str) -> None:
    assert one_kind(read_suite(name).cases).alone is (name == NEGATIVE)


def test_written_calls_and_negative_cases_are_not_asked_of_an_implementation_from_outside() -> None:
    calls = OF_CALLS["idioms"]("torch", "eager").cases[:50]
    assert not one_kind(calls).outside
    assert not one_kind(read_suite(NEGATIVE).cases).outside
    assert one_kind(read_suite("core").cases).outside


def test_claims_are_evaluated_one_by_one() -> None:
    assert not one_kind(ledger.suite("torch", "eager").cases).in_blocks


def one_kind(cases: tuple[Case, ...]) -> Kind:
    kinds = {kind_of(case) for case in cases}
    assert len(kinds) == 1
    return kinds.pop()
