"""Absent evidence is red: what counts as answered, and how much of a run must be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.records.evidence import Floor, absent_evidence, below_floor
from tests.records.test_record import HEADER


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [({"conforms": 1, "rejects": 9}, ""), ({}, ""),
     ({"unsupported": 8616}, "answers nothing: 0 of 8,616 records, all of them are unsupported"),
     ({"rejects": 3, "unsupported": 1}, "conforms nowhere: 0 of 4 records: 3 reject, 1 unsupported")],
)  # fmt: skip
def test_a_whole_run_in_which_nothing_conforms_is_no_evidence(verdicts: dict[str, int], words: str) -> None:
    assert absent_evidence(HEADER, verdicts) == words
    assert absent_evidence(replace(HEADER, shard=(1, 2)), verdicts) == ""
    assert absent_evidence(replace(HEADER, selection="-k x"), verdicts) == ""


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ({"conforms": 7, "rejects": 3}, ""),
        ({"diverges": 7, "unsupported": 3}, ""),
        ({"conforms": 6, "unsupported": 4}, "answers 6 of 10 records, its floor is 7"),
        ({"conforms": 6, "crashed": 4}, "answers 6 of 10 records, its floor is 7"),
        ({"unsupported": 3}, ""),
        ({"unsupported": 4}, "answers 0 of 4 records, its floor is 1, since its suite's is 7 of 10"),
        ({"conforms": 7, "unsupported": 9}, ""),
        ({"conforms": 6, "unsupported": 10}, "answers 6 of 16 records, its floor is 7, since its suite's is 7 of 10"),
    ],
)
def test_a_run_answers_at_least_its_floor(verdicts: dict[str, int], words: str) -> None:
    assert below_floor(verdicts, Floor(7, 10)) == words
    assert below_floor(verdicts, None) == ""


@given(st.lists(st.booleans(), min_size=1), st.data())
def test_a_part_of_a_run_that_keeps_its_floor_keeps_it(answers: list[bool], data: st.DataObject) -> None:
    part = data.draw(st.lists(st.sampled_from(range(len(answers))), unique=True))
    count = sum(answers[at] for at in part)
    assert count >= Floor(sum(answers), len(answers)).least(len(part))
