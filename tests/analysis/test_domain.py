"""The domain that records state, and the combinations that they leave out."""

from datetime import date

import numpy as np
import pytest

from conformance.analysis.content.coverage import coverage
from conformance.analysis.domain import (  # fmt: skip
    CRASHES,
    INVALID,
    MEMORY,
    PAST,
    REFUSES,
    RIGHT,
    boundary,
    domain,
    limits,
    outcome,
    regions,
    table,
)
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.report.content.coverage import ANSWERED
from conformance.suites import cases
from conformance.suites.expectations import Expectation


def record(
    problem: str, verdict: Verdict = Verdict.CONFORMS, message: str = "", case: str = "", fault: str = ""
) -> Record:
    return Record("f", "v", case or problem, "float32", "forward", problem, verdict, message=message, fault=fault)


RECORDS = [
    *(record(f"i{i} k{k} s{s}") for i in (2, 3) for k in (1, 2) for s in (1, 2, 3)),
    record("i2 k2 s0", Verdict.REJECTS, "ValueError: stride 0 is not positive"),
    record("i3 k1 s-4", Verdict.REJECTS, "ValueError: stride -4 is not positive"),
    record("i3 k1 s9", Verdict.CRASHED, "killed by SIGSEGV"),
    record("i3 k2", Verdict.ACCEPTS_INVALID, "answered (1, 1, 4), though bias", "bias-too-long-1d", "bias-too-long"),
    record("i3 k1 op7", message="beyond the rule: output_padding 7"),
    record("i3 k2 op9", Verdict.REJECTS, "RuntimeError: can't allocate memory: you tried"),
]


def test_the_boundary_is_a_predicate_for_each_message_and_the_faults_that_no_problem_says() -> None:
    lane = domain("f-v", RECORDS, {"bias-too-long-1d"})
    assert lane.counts == {RIGHT: 12, PAST: 1, REFUSES: 2, CRASHES: 1, INVALID: 1, MEMORY: 1}
    lines = "\n".join(boundary(lane))
    few = "        in all 2 seen; too few to say where"
    assert f"    2 refuses: ValueError: stride \u2026 is not positive\n{few}" in lines
    assert "with bias-too-long" in lines
    assert next(table([lane])).startswith("| lane | answers | answers past the rule |")


def test_a_region_of_enough_records_is_told_exactly() -> None:
    refused = [record(f"i{i} k1 s{s}", Verdict.REJECTS, f"{s} is long") for i in (2, 3, 4) for s in range(10, 15)]
    (line,) = (line for line in boundary(domain("f-v", [*RECORDS[:12], *refused], ())) if "where" in line)
    assert line == "        exactly where any(stride > 3)"


def test_the_region_of_an_expectation_is_told_first_with_its_id() -> None:
    known = Expectation(
        "long-strides", Predicate.parse("any(stride > 5)"), Verdict.CRASHED, "a reason", "none", date.today()
    )
    lane = domain("f-v", RECORDS, (), lambda record: known if known.covers(record) else None)
    lines = list(boundary(lane))
    told = lines[lines.index("    1 crashes: killed by SIGSEGV") + 1]
    assert told == "        expected where any(stride > 5)  (long-strides)"


def test_memory_that_ran_out_is_told_from_a_refusal() -> None:
    assert outcome(RECORDS[-1]) == MEMORY


def test_regions_of_valid_problems_stand_in_one_table_with_the_predicate_that_a_run_holds() -> None:
    known = Expectation(
        "long-strides", Predicate.parse("any(stride > 5)"), Verdict.CRASHED, "a reason", "none", date.today()
    )
    refused = [record("i7 k2", Verdict.REJECTS, "7 is odd"), record("i7 k1", Verdict.REJECTS, "7 is odd")]
    valid = [*RECORDS[:12], RECORDS[14], *refused, record("i3 k0", Verdict.REJECTS, "no kernel", fault="kernel-0")]
    lines = list(regions({"f-v": valid}, {"f": [known]}))
    assert lines[2:] == [
        "| f-v | answers | 12 | everywhere else | | |",
        "| f-v | refuses | 2 | in all 2 seen; too few to say where | | \u2026 is odd |",
        "| f-v | crashes | 1 | `any(stride > 5)` | 0 | long-strides |",
    ]


def test_every_limit_is_a_row_and_every_lane_a_column() -> None:
    ours = [record("i3 k0", Verdict.REJECTS, "no", case, "kernel-0") for case in ("kernel-0-1d", "kernel-0-2d")]
    theirs = [record("i3 k0", Verdict.CRASHED, "killed", "kernel-0-2d", "kernel-0"), ours[0], record("i1 k1")]
    assert list(limits({"a-v": ours, "b-v": theirs}))[2:] == ["| kernel-0 | refuses | refuses, crashes |"]
    assert list(limits({"a-v": [record("i1 k1")]})) == []


@pytest.mark.parametrize("strength", [2, 3])
def test_the_covering_cases_leave_out_only_what_cases_are_not_made_of(strength: int) -> None:
    records = [record(case.descriptor, case=case.id) for case in cases.read_suite("covering").cases]
    found = coverage(records, 1, strength)
    assert found.counts["missing"] == 0
    assert found.counts["left out"] > 0
    assert all("in_channels" in name and "out_channels" in name for name, _ in found.worst["left out"])


def test_what_few_combinations_lack_is_named_with_its_values() -> None:
    whole = [record(case.descriptor, case=case.id) for case in cases.read_suite("covering").cases]
    few = [each for each in whole if not {"k5", "s3"} <= set(each.problem.split())]
    assert coverage(few, 1, 2).named["missing"] == ("k 5, s 3",)
    problems = {each.problem: Problem.parse(each.problem) for each in whole}
    wide = [each for each in whole if problems[each.problem].output_padding[0] != 2 or not problems[each.problem].bias]
    assert coverage(wide, 2, 2).named["missing"] == ("op 2 on axis 0, bias 1",)
    assert coverage([], 2, 2).named["missing"] == ()


def test_combinations_that_only_refused_problems_have_are_refused() -> None:
    records = [
        record(case.descriptor, Verdict.REJECTS if max(case.problem.dilation) > 1 else Verdict.CONFORMS, case=case.id)
        for case in cases.read_suite("covering").cases
    ]
    found = coverage(records, 1, 2)
    assert found.counts["refused"] > 0
    parameters = [set(name.split(" x ")) for name, _ in found.worst["refused"]]
    assert all("d" in each or each == {"op", "s"} for each in parameters)  # op 2 beside stride 2 needs a dilation of 3


def test_without_records_every_combination_that_cases_are_made_of_is_missing() -> None:
    whole, none = coverage([], 1, 2), coverage([record("i1 k1")], 1, 2)
    assert whole.counts[ANSWERED] == 0
    assert none.counts[ANSWERED] == np.prod((12, 11)) // 2
    assert none.counts["missing"] == whole.counts["missing"] - none.counts[ANSWERED]
