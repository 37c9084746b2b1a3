"""The audit: what it calls killed a run would call so too, and its covers are the smallest."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance.adapters.base import Call, Lane
from conformance.audit.kills import (
    BLOCK,
    DTYPE,
    PROCESS,
    STRUCK,
    Matrix,
    Struck,
    _struck,
    killers,
    process_mutants,
    smallest_cover,
)
from conformance.audit.mutants import FUNCTIONS, Mutant
from conformance.audit.mutants.base import right
from conformance.cli.audit import _kills
from conformance.layout import Array
from conformance.problem import Problem
from conformance.records.record import Record, Run, Verdict
from conformance.run import Job, evaluate
from conformance.suites import cases
from conformance.suites.case import Suite
from conformance.suites.reference_cache import References
from tests.records.test_record import HEADER

FAMILIES = {"window", "taps", "axes", "numerics", "boundary", "memory", "contract"}

LARGE = (
    "in and out channels swapped where there are as many", "out channels beyond the last whole block of 16 lost",
    "only for batches above 2", "only for 3x3 kernels, as Winograd's method takes them, on several channels",
    "index of an answer in 16 bits",
)  # fmt: skip
"""Faults that no case of smoke tells, whose levels are small: core has cases for each."""


@cache
def answered(name: str) -> tuple[Suite, References]:
    suite = cases.read_suite(name)
    return suite, References(suite)


def test_there_are_mutants_of_every_family() -> None:
    families = Counter(mutant.family for mutant in FUNCTIONS)
    assert families.keys() == FAMILIES
    assert families.total() >= 110
    assert len({mutant.name for mutant in FUNCTIONS}) == families.total()


def test_the_right_answer_is_killed_by_nothing() -> None:
    assert not killers(right, *answered("core")).any()


class Adapter:
    """A mutant as a lane would have it."""

    VARIANTS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    REFUSALS: tuple[type[Exception], ...] = ()
    BLOCK = BLOCK

    def __init__(self, mutant: Mutant) -> None:
        self.answer = mutant.make()

    def describe(self) -> Mapping[str, str]:
        return {}

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        return Call(self.answer, (problem, x, weight, bias))

    def run(self, calls: Sequence[Call]) -> Sequence[Array]:
        return [call() for call in calls]

    def array(self, result: Array) -> Array:
        return result

    def tensor(self, array: Array) -> Array:
        return array


@pytest.mark.parametrize("mutant", FUNCTIONS, ids=lambda mutant: mutant.name)
def test_a_case_kills_where_a_run_would_not_conform(mutant: Mutant) -> None:
    suite, answers = answered("smoke")
    jobs = [Job(case, DTYPE, answers[case]) for case in suite.cases]
    adapter = Adapter(mutant)
    blocks = [jobs[start : start + BLOCK] for start in range(0, len(jobs), BLOCK)]
    records = [each.record for block in blocks for each in evaluate(Lane("f", "v"), adapter, block)]
    expected = [record.verdict is not Verdict.CONFORMS for record in records]
    assert killers(mutant.make(), suite, answers).tolist() == expected
    assert any(expected) != (mutant.fault in LARGE or bool(mutant.equivalent))


def test_a_modified_operand_is_told_from_a_wrong_answer() -> None:
    (mutant,) = (each for each in FUNCTIONS if each.fault == "input modified in place")
    suite, answers = answered("smoke")
    job = Job(suite.cases[0], DTYPE, answers[suite.cases[0]])
    (result,) = evaluate(Lane("f", "v"), Adapter(mutant), [job])
    assert (result.record.verdict, result.record.message) == (Verdict.ERRORED, "the call modified its operand x")


tables = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(tables)
def test_the_cover_is_the_smallest_that_kills_all(table: list[list[bool]]) -> None:
    kills = np.array(table)
    cover = smallest_cover(kills)
    killable = kills.any(axis=1)
    assert covered(kills, cover) == covered(kills, range(kills.shape[1])) == int(killable.sum())
    smaller = combinations(range(kills.shape[1]), len(cover) - 1) if cover else ()
    assert all(covered(kills, fewer) < killable.sum() for fewer in smaller)


def covered(kills: NDArray[np.bool_], chosen: Iterable[int]) -> int:
    return int(kills[:, list(chosen)].any(axis=1).sum())


def summary(matrix: Matrix, struck: list[Struck]) -> tuple[int, int, bool]:
    found = _kills("smoke", matrix, struck)
    return found.killed, found.mutants, found.enough


def test_smoke_has_enough_at_95_percent_and_not_below() -> None:
    suite = cases.read_suite("smoke")
    mutants = [replace(FUNCTIONS[0], fault=str(number)) for number in range(100)]
    kills = np.zeros((100, len(suite.cases)), bool)
    kills[:94, 0] = True
    assert summary(Matrix(mutants, suite.cases, kills), []) == (94, 100, False)
    kills[94, 3] = True
    assert summary(Matrix(mutants, suite.cases, kills), []) == (95, 100, True)
    mutants[99] = replace(mutants[99], equivalent="a reason")
    assert summary(Matrix(mutants, suite.cases, kills), []) == (95, 99, True)
    lost = [Struck(str(number), "conforms", "", "wrong") for number in range(2)]
    assert summary(Matrix(mutants, suite.cases, kills), lost) == (95, 101, False)


class TestProcessMutants:
    def test_noise_and_exhausted_memory_harm_no_other_case(self) -> None:
        prints, exhausts = process_mutants(["prints", "exhausts"])
        assert (prints.verdict, prints.wrong) == ("conforms", "")
        assert (exhausts.verdict, exhausts.wrong) == ("inconclusive", "")

    RIGHT = Record("process", "exits", STRUCK, DTYPE, "forward", "i1 k1", Verdict.CRASHED, message=PROCESS["exits"][1])
    OTHER = Record("process", "exits", "other", DTYPE, "forward", "i1 k1", Verdict.CONFORMS)

    @pytest.mark.parametrize(
        ("struck", "other", "complete", "wrong"),
        [
            (RIGHT, OTHER, True, ""),
            (RIGHT, OTHER, False, "the run is incomplete"),
            (RIGHT, replace(OTHER, verdict=Verdict.DIVERGES, message="m"), True, "other float32: diverges m"),
            (replace(RIGHT, verdict=Verdict.ERRORED), OTHER, True, "must be crashed: exited with status 7"),
            (replace(RIGHT, message="killed"), OTHER, True, "must be crashed: exited with status 7"),
        ],
    )
    def test_whatever_else_happened_is_wrong(self, struck: Record, other: Record, complete: bool, wrong: str) -> None:
        assert _struck("exits", Run(HEADER, (other, struck), complete)).wrong == wrong
