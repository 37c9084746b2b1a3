"""Pairs of faults in hostile calls: which stand together, and what is made of two."""

from itertools import combinations
from pathlib import Path

import pytest

from conformance.io.folders import cases_folder
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.suites import cases
from conformance.suites.case import Case, departure_of
from conformance.suites.cases import CaseError
from conformance.suites.generated.pairs import BASES, FAULTS, Fault, can_stand_together, pair

SUITE = cases.read_suite("negative")
PAIRS = {case.id: case for case in SUITE.cases if case.source == "negative/pairs.jsonl"}
BY_NAME = {fault.name: fault for fault in FAULTS}
ALONE = {departure_of(case).fault for case in SUITE.cases if case.source != "negative/pairs.jsonl"}


def made(one: str, other: str, rank: int) -> Case:
    return PAIRS[f"{one}-and-{other}-{rank}d"]


def test_every_two_faults_that_can_stand_together_are_a_case_that_some_framework_can_say() -> None:
    together = [f"{one.name} {other.name}" for one, other in combinations(FAULTS, 2) if can_stand_together(one, other)]
    said = {departure_of(case).fault for case in PAIRS.values()}
    assert [fault for fault in together if fault not in said] == ["bias-scalar output-shape-of-two"]
    assert len(said) == len(PAIRS)


def test_the_pairs_are_few_enough_for_a_night_and_the_page_about_runs_counts_them() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "running.md").read_text().split())
    assert 100 <= len(PAIRS) <= 150
    assert f"The suite `negative` has {len(SUITE.cases)} calls" in page
    assert f"{len(PAIRS)} calls have two faults" in page


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.arguments], ids=lambda fault: fault.name)
def test_every_fault_but_those_of_arguments_is_a_case_alone_under_the_same_name(fault: Fault) -> None:
    assert fault.name in ALONE


def test_each_fault_is_in_every_rank() -> None:
    ranks = {(name, case.problem.rank) for case in PAIRS.values() for name in departure_of(case).fault.split()}
    assert {name for name, _ in ranks} == {fault.name for fault in FAULTS}
    assert all((fault.name, rank) in ranks for fault in FAULTS for rank in (1, 2, 3))


def test_faults_of_one_subject_and_what_hides_the_other_do_not_stand_together() -> None:
    assert not can_stand_together(BY_NAME["weight-scalar"], BY_NAME["weight-axis-less"])
    assert not can_stand_together(BY_NAME["batch-0"], BY_NAME["x-scalar"])
    assert not can_stand_together(BY_NAME["weight-scalar"], BY_NAME["kernel-0"])
    assert can_stand_together(BY_NAME["weight-scalar"], BY_NAME["batch-0"])


def test_a_pair_has_what_both_faults_make_of_the_problem_and_the_operands() -> None:
    line = pair(BY_NAME["groups-0"], BY_NAME["batch-0"], BASES[0])
    assert line is not None
    assert (line["problem"], line["x"], line["weight"]) == ("i5 k3 g0 ic2 oc3 n0", [[0, 2, 5]], [[2, 3, 3]])
    assert line["defined"] is False


def test_two_empty_extents_have_an_empty_answer() -> None:
    case = made("batch-0", "out-channels-0", 1)
    assert departure_of(case).defined
    assert 0 in case.problem.output_shape


def test_the_fault_of_arguments_is_in_the_literal_call_of_each_framework_that_can_say_it() -> None:
    calls = departure_of(made("weight-scalar", "output-shape-of-two", 2)).calls
    assert calls.keys() == {"tensorflow"}
    assert "output_shape=(1, 7)" in calls["tensorflow"]
    long = pair(BY_NAME["op-negative"], BY_NAME["arguments-long"], BASES[1])
    assert long is not None
    assert long["calls"].keys() == {"jax", "mxnet", "tensorflow", "torch"}
    assert "stride=(1, 1, 1)" in long["calls"]["torch"]


def test_an_argument_that_already_says_the_other_fault_is_left_out() -> None:
    line = pair(BY_NAME["stride-0"], BY_NAME["arguments-long"], BASES[0])
    assert line is not None
    assert line["calls"].keys() == {"tensorflow"}


def test_a_predicate_asks_for_one_fault_of_a_pair() -> None:
    asks = Predicate.parse('"weight-scalar" in fault')
    problem = Problem.parse("i1 k1")
    assert asks(problem, fault="batch-0 weight-scalar")
    assert asks(problem, fault="weight-scalar")
    assert not asks(problem, fault="weight-scalar-like")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"faults": ["stride-0", "dilation-0"]', '"faults": ["stride-0"]'), "give the names of two"),
        (('"defined": false', '"defined": true'), "has no answer by the definition, defined is True"),
        (('"faults"', '"fault"'), "unknown key 'fault'"),
    ],
)
def test_a_line_that_says_no_pair_is_refused_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    header, first, *rest = (cases_folder() / "negative" / "pairs.jsonl").read_text().splitlines()
    (tmp_path / "negative").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "negative" / "pairs.jsonl").write_text("\n".join([header, first.replace(*change), *rest]) + "\n")
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    with pytest.raises(CaseError, match=f"negative/pairs.jsonl:2: .*{message}"):
        cases.read_suite("negative")
