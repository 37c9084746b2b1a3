"""Messages of one kind are told as one, and no number that varies is told as if it did not."""

from dataclasses import replace

import pytest

from conformance.records.messages import (
    ELLIPSIS,
    LONGEST,
    beyond,
    is_beyond_a_rule,
    label_of,
    line,
    skeleton,
    with_kind,
    without_numbers,
)
from conformance.records.record import Record, Verdict

RECORD = Record("torch", "eager", "a", "float32", "forward", "i3 k2", Verdict.REJECTS)


def saying(*messages: str) -> list[Record]:
    return [replace(RECORD, message=message) for message in messages]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stride -1 is not positive", "stride 0 is not positive"),
        ("shape is (1, 1, 6), expected (1, 1, 7)", "shape is (2, 3), expected (2, 4)"),
        ("5 of 6 values differ, largest 1e+20", "1 of 9 values differ, largest 3.5"),
        ("at 0x7ffe12", "at 0x00ab"),
        ("3x3 is too small", "5x5x5 is too small"),
        ("a" * (LONGEST - 3) + " 5 b", "a" * (LONGEST - 3) + " 12345 b"),
    ],
)
def test_messages_that_differ_in_numbers_alone_are_alike(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)
    assert without_numbers(one) == without_numbers(other)


def test_a_number_that_is_the_same_everywhere_is_told_and_one_that_varies_is_not() -> None:
    assert (
        label_of(saying("dilation 1 needs stride 2", "dilation 1 needs stride 3")) == "dilation 1 needs stride \u2026"
    )
    assert label_of(saying("dilation 1 needs stride 2")) == "dilation 1 needs stride 2"


def test_messages_of_different_kinds_are_told_by_the_first() -> None:
    assert label_of(saying("no groups", "no dilation")) == "no groups"


def test_a_long_message_is_cut_and_stays_on_one_line() -> None:
    assert line("a\n b") == "a b"
    assert line("a" * 2 * LONGEST) == "a" * LONGEST + ELLIPSIS


@pytest.mark.parametrize(
    ("kind", "message", "told"),
    [
        ("shape", "shape is (1, 1, 6), expected (1, 1, 7)", "shape is (1, 1, 6), expected (1, 1, 7)"),
        ("value", "5 of 6 values differ", "value 5 of 6 values differ"),
        ("value", "", "value"),
        ("", "no groups", "no groups"),
    ],
)
def test_the_kind_of_a_deviation_is_said_once(kind: str, message: str, told: str) -> None:
    assert with_kind(kind, message) == told


def test_a_right_answer_beyond_a_rule_is_told_from_a_right_answer() -> None:
    conforming = replace(RECORD, verdict=Verdict.CONFORMS)
    assert is_beyond_a_rule(replace(conforming, message=beyond("output_padding 2 on axis 0")))
    assert not is_beyond_a_rule(conforming)
    assert not is_beyond_a_rule(replace(RECORD, message=beyond("output_padding 2 on axis 0")))
    assert beyond(None) == ""
