"""The front page's answer, and the matrix of lanes and suites below it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from conformance.records.record import NEGATIVE, Header, Record, Run, Verdict
from conformance.report.tables.matrix import answer, matrix


def record(lane: str, number: int, verdict: Verdict, *, claimed: str = "", fault: str = "") -> Record:
    framework, _, variant = lane.partition("-")
    return Record(framework, variant, f"case-{number}", "float32", "forward", "i3 k2", verdict, claimed=claimed,
                  fault=fault)  # fmt: skip


def run(lane: str, verdicts: Sequence[Verdict], suite: str = "core", expected: int = 0) -> Run:
    framework, _, variant = lane.partition("-")
    fault = "stride-0" if suite == NEGATIVE else ""
    records = tuple(record(lane, number, verdict, fault=fault) for number, verdict in enumerate(verdicts))
    header = Header(framework, variant, suite, ("float32",), ("forward",), "c", expected or len(records), "o")
    return Run(header, records, True)


RIGHT, WRONG, REFUSED = Verdict.CONFORMS, Verdict.DIVERGES, Verdict.REJECTS


def test_lanes_that_are_wrong_are_named_with_their_counts_then_those_that_are_silent_then_the_right_ones() -> None:
    runs = [run("mxnet-native", [RIGHT, WRONG, REFUSED]), run("tensorflow-eigen", [RIGHT, REFUSED]),
            run("torch-eager", [RIGHT])]  # fmt: skip
    assert answer(runs) == (
        "No: 1 of 3 lanes gives another answer than expected to some valid calls: mxnet-native (1 of 3). "
        "Never wrong, but without an answer to some: tensorflow-eigen (1 of 2). Right every time: torch-eager."
    )


def test_of_many_lanes_those_with_most_wrong_answers_are_named() -> None:
    runs = [run(f"lane-{number}", [WRONG] * number + [RIGHT] * 10) for number in range(1, 8)]
    assert answer(runs) == (
        "No: 7 of 7 lanes give another answer than expected to some valid calls: "
        "lane-7 (7 of 17), lane-6 (6 of 16), lane-5 (5 of 15) and 4 more."
    )


def test_lanes_agree_where_none_of_them_is_wrong() -> None:
    assert answer([run("torch-eager", [RIGHT]), run("jax-jit", [RIGHT, REFUSED])]) == (
        "Yes, where they answer: no lane gives another answer than expected to a valid call. "
        "Never wrong, but without an answer to some: jax-jit (1 of 2). Right every time: torch-eager."
    )


def test_one_lane_agrees_with_nobody() -> None:
    assert answer([run("torch-eager", [RIGHT])]) == (
        "Only torch-eager was run. It gives no other answer than expected to a valid call. "
        "Right every time: torch-eager."
    )


@pytest.mark.parametrize("verdict", [WRONG, Verdict.CRASHED, Verdict.ACCEPTS_INVALID])
def test_a_hostile_call_is_no_valid_one(verdict: Verdict) -> None:
    assert answer([run("torch-eager", [verdict], NEGATIVE)]).startswith("These records hold no valid call")


def test_a_refusal_that_is_claimed_is_right_and_no_valid_call() -> None:
    refused = record("torch-eager", 0, REFUSED, claimed=REFUSED)
    answered = record("torch-eager", 1, Verdict.ACCEPTS_INVALID, claimed=REFUSED)
    header = Header("torch", "eager", "idioms", ("float32",), ("forward",), "c", 2, "o")
    runs = [Run(header, (refused, answered), True)]
    assert answer(runs).startswith("These records hold no valid call")
    (row,) = matrix(runs).rows
    assert [(cell.right, cell.recorded) for cell in row.cells if cell] == [(1, 2)]


def test_a_sum_that_no_operands_are_exact_for_is_neither_right_nor_left_unanswered() -> None:
    undrawn = replace(
        record("torch-eager", 1, Verdict.INCONCLUSIVE), certificate={"largest": 257, "bits": 8, "terms": 257}
    )
    header = Header("torch", "eager", "half", ("bfloat16",), ("forward",), "c", 2, "o")
    runs = [Run(header, (record("torch-eager", 0, RIGHT), undrawn), True)]
    assert answer(runs).endswith("Right every time: torch-eager.")
    (row,) = matrix(runs).rows
    assert [(cell.right, cell.recorded) for cell in row.cells if cell] == [(1, 2)]


def test_a_refused_hostile_call_is_right() -> None:
    (row,) = matrix([run("torch-eager", [REFUSED, WRONG, RIGHT], NEGATIVE)]).rows
    assert [(cell.right, cell.recorded) for cell in row.cells if cell] == [(2, 3)]


def test_the_largest_suite_is_the_first_column_and_hostile_calls_are_the_last() -> None:
    runs = [
        run("torch-eager", [RIGHT] * 9, NEGATIVE),
        run("torch-eager", [RIGHT] * 3),
        run("jax-jit", [RIGHT], "smoke"),
    ]
    table = matrix(runs)
    assert table.suites == ("core", "smoke", NEGATIVE)
    assert [[cell.suite if cell else None for cell in row.cells] for row in table.rows] == [
        ["core", None, NEGATIVE], [None, "smoke", None],
    ]  # fmt: skip


def test_a_cell_knows_how_many_records_were_to_come() -> None:
    (row,) = matrix([run("torch-eager", [RIGHT, RIGHT], expected=5)]).rows
    assert [(cell.right, cell.recorded, cell.expected) for cell in row.cells if cell] == [(2, 2, 5)]
