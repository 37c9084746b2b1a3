"""Draws around regions: the same by seed, on both sides of the border; and a wrong expectation is found by them."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters.base import Lane
from conformance.analysis.predictions import better, false_predictions, run, run_of
from conformance.predicates.predicate import Predicate
from conformance.problem import PER_AXIS, Problem
from conformance.records import record_file
from conformance.records.record import Record, Verdict
from conformance.run import record_of
from conformance.suites import cases
from conformance.suites.borders import Draw, draw, is_cheap, simpler
from conformance.suites.case import Asked, Case
from conformance.suites.expectations import Expectation
from tests.adapters import copy_with_expectations

LANE = Lane("region_adapter", "only")
FIELDS_OF_AXES = ("input", *PER_AXIS)
TRUE = "any(stride > 1 and dilation > 1) and rank <= 2"


@cache
def start() -> list[Problem]:
    return [case.problem for case in cases.read_suite("smoke").cases]


def expectation(when: str, id: str = "planted") -> Expectation:
    return Expectation(id, Predicate.parse(when), Verdict.DIVERGES, "r", "u", date(2026, 1, 1))


def drawn(*expectations: Expectation, seed: int = 1, count: int = 40) -> list[Draw]:
    return draw(LANE, expectations, start(), seed=seed, count=count)


def test_a_seed_gives_the_same_problems_and_another_seed_others() -> None:
    one = expectation(TRUE)
    assert drawn(one) == drawn(one)
    assert drawn(one) != drawn(one, seed=2)


def test_half_of_the_problems_are_inside_and_all_are_cheap_and_said_rightly() -> None:
    found = drawn(expectation(TRUE))
    assert len(found) == 40
    assert sum(each.inside for each in found) == 20
    assert all(is_cheap(each.problem) for each in found)
    predicate = Predicate.parse(TRUE)
    assert all(predicate(each.problem, dtype=each.dtype) is each.inside for each in found)


def test_problems_around_a_region_are_at_its_border() -> None:
    """Of all that is outside, what one comparison less would let in: a narrow miss of each condition is among them."""
    around = [each for each in drawn(expectation(TRUE), count=120) if not each.inside]
    for wider in (
        "any(stride > 1 and dilation > 1)",
        "any(stride > 1) and rank <= 2",
        "any(dilation > 1) and rank <= 2",
    ):
        assert any(Predicate.parse(wider)(each.problem) for each in around), wider


def test_regions_take_turns_and_one_that_two_share_is_drawn_once() -> None:
    found = drawn(expectation(TRUE), expectation(TRUE, "twin"), expectation("bias", "other"))
    assert [each.about for each in found[:4]] == ["planted", "other"] * 2
    assert {each.about for each in found} == {"planted", "other"}


@pytest.mark.parametrize("when", ['fault == "groups-0"', "any(input == 0)", 'claimed == "rejects"', "rank > 3"])
def test_a_region_without_a_valid_problem_gets_none(when: str) -> None:
    assert drawn(expectation(when)) == []


def test_a_region_of_a_long_constant_is_reached() -> None:
    problems = [*start(), Problem.parse("i2 k1 s65536")]
    found = draw(LANE, [expectation("any(stride >= 65536)")], problems, seed=1, count=20)
    assert {65535, 65536} <= {each.problem.stride[0] for each in found}


def test_what_is_simpler_is_valid_and_less() -> None:
    problem = Problem.parse("i5x7 k3x2 s2x1 p1:2x0 op1x0 d1x3 g2 ic3 n2 bias")
    found = list(simpler(problem))
    assert all(is_cheap(each) for each in found)
    assert problem not in found
    assert {each.rank for each in found} == {1, 2}
    assert list(simpler(Problem.of(1, 1))) == []


ENTRY = """
[[expectation]]
id = "planted"
when = '{when}'
verdict = "diverges"
{more}
reason = "because"
upstream = "none found"
since = 2026-11-22
"""


def borders(
    folder: Path, when: str, *arguments: str, more: str = "", true: str = TRUE, **environment: str
) -> tuple[int, str]:
    """The command on an adapter that is wrong where `true` holds, with an expectation that says `when`."""
    own = copy_with_expectations("region_adapter", folder / "adapters", ENTRY.format(when=when, more=more))
    variables = {"CONFORMANCE_ADAPTERS": str(own), "WRONG": true}
    words = ["borders", "region_adapter", "--seed", "7", "--seconds", "200", "--to", str(folder), *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words], env=os.environ | variables | environment, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.slow
def test_an_exact_expectation_holds_and_its_records_can_be_read(tmp_path: Path) -> None:
    status, out = borders(tmp_path, TRUE)
    assert status == 0, out
    assert "planted (exact): 10 inside, 10 around" in out
    made = record_file.read(tmp_path / "region_adapter-only.jsonl")
    assert made.header.selection == "--seed 7 --draws 20"
    assert len(made.records) == 20
    assert made.verdicts == {"conforms": 10, "diverges": 10}


def judged(case: Case, dtype: str) -> Record:
    """The record of a framework that is wrong in the true region."""
    wrong = Predicate.parse(TRUE)(case.problem)
    return record_of(
        LANE, Asked(case, dtype), Verdict.DIVERGES if wrong else Verdict.CONFORMS, kind="value" if wrong else ""
    )


@pytest.mark.parametrize(
    ("stated", "about", "smallest"),
    [
        ("any(stride > 1 and dilation > 1)", "planted", "i1x1x1 k1 s2x1x1 d2x1x1"),
        (f"{TRUE} and not bias", "near planted", "i1 k1 s2 d2 bias"),
        ("any(stride > 2 and dilation > 1) and rank <= 2", "near planted", "i1 k1 s2 d2"),
    ],
    ids=["too wide", "too narrow", "off by one"],
)
def test_a_wrong_border_is_found_with_its_smallest_problem_and_a_better_predicate(
    stated: str, about: str, smallest: str
) -> None:
    told = (expectation(stated),)
    outcomes = run(drawn(*told, count=80), told, judged, 600)
    (false,) = false_predictions(outcomes, told, judged, 600)
    assert false.about == about
    assert false.record.problem in {smallest, str(Problem.parse(smallest)), *_turned(smallest)}
    (found,) = better(told, run_of(LANE, outcomes, "--seed 1", "", {}, {}))
    assert found.where is not None
    assert found.where.exact
    better_one, true = Predicate.parse(found.where.predicate), Predicate.parse(TRUE)
    assert all(better_one(each.draw.problem) is true(each.draw.problem) for each in outcomes)


def _turned(descriptor: str) -> set[str]:
    """The descriptors of the same problem with its axes in every order."""
    problem = Problem.parse(descriptor)

    def turned(order: tuple[int, ...]) -> Problem:
        values: dict[str, Any] = {name: tuple(getattr(problem, name)[at] for at in order) for name in FIELDS_OF_AXES}
        return replace(problem, **values)

    return {str(turned(order)) for order in permutations(range(problem.rank))}


@pytest.mark.slow
def test_a_fault_that_is_gone_is_stale(tmp_path: Path) -> None:
    status, out = borders(tmp_path, TRUE, true="rank > 3")
    assert status == 1
    assert "planted: stale: " in out


@pytest.mark.slow
def test_what_is_wrong_by_chance_is_run_again_and_counted(tmp_path: Path) -> None:
    status, out = borders(tmp_path, TRUE, more='chance = "a coin"', COIN="1")
    assert status == 0, out
    line = next(each for each in out.splitlines() if "planted (chance)" in each)
    counts = {word: int(count) for count, word in (pair.split() for pair in line.partition("inside: ")[2].split(", "))}
    assert set(counts) == {"conform", "diverge"}
    assert sum(counts.values()) == 30
