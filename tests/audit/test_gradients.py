"""Wrong gradients: there are many, and the suite of gradients sees each of them twice."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from conformance.audit.gradients import Seen, is_wrong, seen_in
from conformance.audit.kills import ENOUGH
from conformance.audit.mutants.gradients import MUTANTS, right
from conformance.numerics.gradients import passes_of
from conformance.problem import BACKWARD
from conformance.records.record import GRADIENTS
from conformance.suites.cases import read_suite
from conformance.suites.references import compute

NARROW = 22
"""Of those that half precision cannot show: what is rounded to formats that are as wide, or wider."""


def test_there_are_many_wrong_gradients_of_each_operand() -> None:
    counts = {direction: sum(mutant.direction == direction for mutant in MUTANTS) for direction in BACKWARD}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) == sum(counts.values()) > 140
    assert min(counts.values()) > 20


@cache
def seen(dtype: str) -> Sequence[Seen]:
    return seen_in(dtype, BACKWARD)


@pytest.mark.slow
def test_the_suite_of_gradients_sees_each_wrong_gradient_twice() -> None:
    assert [one.mutant.name for one in seen("float32") if len(one.killers) < ENOUGH] == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_misses_nothing_but_narrower_numbers(dtype: str) -> None:
    missed = [one.mutant for one in seen(dtype) if not one.killers]
    assert {mutant.family for mutant in missed} == {"numerics"}
    assert len(missed) < NARROW


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_document_says_how_many_are_seen_twice(dtype: str) -> None:
    text = (Path(__file__).parents[2] / "docs/audit.md").read_text().partition("## What `gradients` sees")[2]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    said = {row[0]: (int(row[1]), int(row[rows[0].index(dtype)])) for row in rows[1 : len(BACKWARD) + 2]}
    made = [(one.mutant.direction, len(one.killers) >= ENOUGH) for one in seen(dtype)]
    counts = {
        way: (sum(of == way for of, _ in made), sum(twice for of, twice in made if of == way)) for way in BACKWARD
    }
    assert said == {**counts, "all": (len(made), sum(twice for _, twice in made))}


def test_a_right_gradient_is_not_seen() -> None:
    for case in read_suite(GRADIENTS).cases[::5]:
        for direction in passes_of(case.problem):
            reference = compute(case, "float32", direction)
            assert not is_wrong(lambda *given, way=direction: right(way, *given), case, reference, "float32")
