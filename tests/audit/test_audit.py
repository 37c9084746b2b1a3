"""The audit: what it calls killed a run would call so too, and its covers are the smallest."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance.adapters.base import Call, Lane
from conformance.audit import elsewhere
from conformance.audit.kills import (
    BLOCK,
    CORE,
    DTYPE,
    ENOUGH,
    SMOKE,
    Matrix,
    Sighting,
    _wrong,
    killers,
    shapes,
    sighting,
    sightings_in,
    smallest_cover,
)
from conformance.audit.kinds import KINDS, Kind, table
from conformance.audit.mutants import EVERY, FUNCTIONS, REGIONAL, Mutant
from conformance.audit.mutants.base import right
from conformance.audit.process_mutants import PROCESS, STRUCK, Struck, _struck, process_mutants
from conformance.cli.audit import _curve, _matrix_lines, _unseen, audit, is_enough, once, refuted, survivors
from conformance.layout import Array
from conformance.numerics.operands import HALVES, SIGNIFICAND
from conformance.problem import Problem
from conformance.records.record import Record, Run, Verdict
from conformance.report.content.audit import Audit
from conformance.run import Job, evaluate
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.suites.reference_cache import References
from conformance.suites.references import compute
from tests.records.test_record import HEADER

FAMILIES = {"window", "taps", "axes", "numerics", "boundary", "memory", "contract"}
REGIONAL_FAMILIES = {"popular", "blocks", "combinations", "integers", "joint", "ranges", "whole", "tiles"}


@cache
def answered(name: str) -> tuple[Suite, References]:
    suite = cases.read_suite(name)
    return suite, References(suite)


def test_there_are_mutants_of_every_family() -> None:
    families = Counter(mutant.family for mutant in FUNCTIONS)
    assert families.keys() == FAMILIES
    assert families.total() >= 110
    regional = Counter(mutant.family for mutant in REGIONAL)
    assert regional.keys() == REGIONAL_FAMILIES
    assert min(regional.values()) >= 25
    assert len({mutant.name for mutant in EVERY}) == families.total() + regional.total()


@pytest.mark.slow
def test_the_right_answer_is_killed_by_nothing() -> None:
    assert not killers(Mutant("none", "none", lambda: right), *answered(CORE)).any()


@pytest.mark.parametrize("mutant", REGIONAL, ids=lambda mutant: mutant.name)
def test_outside_of_its_region_a_mutant_is_right(mutant: Mutant) -> None:
    suite, answers = answered(SMOKE)
    outside = tuple(case for case in suite.cases if not mutant.region(case.problem))
    assert not killers(replace(mutant, region=lambda _: True), Suite(SMOKE, outside), answers).any()


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_two_cases_of_core_that_differ_in_shape_kill_every_mutant(mutant: Mutant) -> None:
    (smoke, _), (core, answers) = answered(SMOKE), answered(CORE)
    seen = sighting(mutant, smoke.cases, core.cases, answers)
    killing = [case for case in core.cases if case.id in seen.killers]
    assert len({shapes(case.problem) for case in killing}) == len(killing) == len(seen.killers)
    assert len(killing) == 0 if mutant.equivalent else len(killing) >= ENOUGH


FEWER_BITS = ("numerics", "combinations", "ranges")
"""The families with mutants that are wrong for want of bits that half precision has not either."""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALVES)
def test_with_data_of_half_precision_only_a_lack_of_bits_is_not_seen(dtype: str) -> None:
    told = [mutant for mutant in EVERY if not mutant.equivalent]
    unseen = [one.mutant for one in sightings_in(dtype, told) if not one.killers]
    assert {mutant.family for mutant in unseen} == {*FEWER_BITS}
    words = re.compile(r"TF32|bfloat16 only for|rounded to|kept in|saturated|wrapped at")
    assert [mutant.name for mutant in unseen if not words.search(mutant.name)] == []
    blind = {"x rounded to bfloat16", "weight rounded to bfloat16", "bias rounded to bfloat16"}
    assert blind & {mutant.fault for mutant in unseen} == (blind if dtype == "bfloat16" else set())
    assert documented(f"{SIGNIFICAND[dtype]} bits") == {
        **{family: sum(mutant.family == family for mutant in told) - sum(mutant.family == family for mutant in unseen)
           for family in FEWER_BITS},
        "each of the other 12": sum(mutant.family not in FEWER_BITS for mutant in told),
        "all": len(told) - len(unseen),
    }  # fmt: skip


PLAIN = ("window", "taps", "axes", "boundary", "contract", "memory", "numerics")
"""The families of function mutants, whose region is everywhere."""


@pytest.mark.slow
def test_with_data_of_int8_every_fault_of_windows_taps_and_axes_is_seen() -> None:
    told = [mutant for mutant in EVERY if not mutant.equivalent]
    seen = [one.mutant for one in sightings_in("int8", told) if one.killers]
    of = {family: sum(mutant.family == family for mutant in seen) for family in PLAIN}
    assert documented("seen in int8", "integers") == {
        **of, "the regional families": len(seen) - sum(of.values()), "all": len(seen),
    }  # fmt: skip
    lost = {mutant.family for mutant in told if mutant.family in PLAIN and mutant not in seen}
    assert lost == {"memory", "numerics"}


def documented(column: str, suite: str = "half") -> dict[str, int]:
    """How many mutants a suite is said to see, by family, in a column of its table."""
    text = (Path(__file__).parents[2] / "docs/audit.md").read_text().partition(f"## What `{suite}` sees")[2]
    lines = text.partition("\n## ")[0].splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    return {row[0]: int(row[rows[0].index(column)]) for row in rows[1:]}


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


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [*FUNCTIONS, *REGIONAL[::7]], ids=lambda mutant: mutant.name)
def test_a_case_kills_where_a_run_would_not_conform(mutant: Mutant) -> None:
    suite, answers = answered("smoke")
    jobs = [Job(case, DTYPE, answers[case]) for case in suite.cases]
    adapter = Adapter(mutant)
    blocks = [jobs[start : start + BLOCK] for start in range(0, len(jobs), BLOCK)]
    records = [each.record for block in blocks for each in evaluate(Lane("f", "v"), adapter, block)]
    expected = [record.verdict is not Verdict.CONFORMS for record in records]
    assert killers(mutant, suite, answers).tolist() == expected
    assert sighting(mutant, suite.cases, suite.cases, answers).smoke is any(expected)


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


IDS = [case.id for case in cases.read_suite(CORE).cases[:2]]


def seen(number: int, smoke: bool, killers: Sequence[str] = IDS) -> Sighting:
    return Sighting(replace(FUNCTIONS[0], fault=str(number)), smoke, killers)


def audited(told: Sequence[Sighting], struck: Sequence[Struck] = ()) -> Audit:
    return audit(told, {}, None, struck)


@pytest.mark.slow
def test_smoke_has_enough_at_75_percent_and_not_below() -> None:
    assert not is_enough(audited([seen(number, number < 74) for number in range(100)]))
    found = audited([seen(number, number < 75) for number in range(100)])
    assert is_enough(found)
    assert [len(survivors(found, suite)) for suite in (SMOKE, CORE)] == [25, 0]


@pytest.mark.slow
def test_core_has_enough_where_two_cases_see_every_mutant() -> None:
    assert is_enough(audited([seen(0, True)]))
    one, never = audited([seen(1, True, IDS[:1])]), audited([seen(2, False, [])])
    assert (is_enough(one), once(one)) == (False, ["window: 1"])
    assert (is_enough(never), survivors(never, CORE)) == (False, ["window: 2"])
    assert not is_enough(audited([seen(0, True)], [Struck("hangs", "conforms", "", "wrong")]))


@pytest.mark.slow
def test_a_mutant_that_was_proved_equivalent_and_is_killed_is_not_enough() -> None:
    same = Sighting(replace(FUNCTIONS[0], equivalent="It is the same."), False, [])
    assert is_enough(audited([seen(0, True), same]))
    found = audited([seen(0, True), replace(same, killers=IDS)])
    assert (is_enough(found), refuted(found)) == (False, [same.mutant.name])


def test_the_curve_has_a_line_a_family_and_the_unseen_are_named() -> None:
    unseen = Sighting(REGIONAL[0], False, [])
    found = audited([seen(0, True), seen(1, False, IDS[:1]), unseen])
    lines = [line.split() for line in _curve(found)]
    assert lines[1:3] == [["window", "2", "50%", "100%", "50%"], [REGIONAL[0].family, "1", "0%", "0%", "0%"]]
    assert any(REGIONAL[0].name in line for line in _unseen(found))
    assert any(line == "killed by cases of one shape alone: window: 1" for line in _unseen(found))


@pytest.mark.slow
def test_the_audit_keeps_what_was_seen_everywhere_and_how_many_cases_of_each_suite_kill() -> None:
    suite = cases.read_suite(SMOKE)
    kills = np.zeros((1, len(suite.cases)), bool)
    kills[0, :3] = True
    found = audit([seen(0, True)], {"rounding": {"window: 0": False}}, Matrix(FUNCTIONS[:1], suite.cases, kills), [])
    (row,) = found.mutants
    assert (found.places, row.seen) == ((SMOKE, CORE, "rounding"), {SMOKE: True, CORE: True, "rounding": False})
    assert (row.kills[SMOKE], row.kills["grid"]) == (3, 0)
    assert [killer.case for killer in row.killers] == IDS
    assert found.unseen("rounding") == ["window: 0"]
    assert found.cases == {name: len(cases.read_suite(name).cases) for name in found.places}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.where}: {kind.smallest}")
def test_the_smallest_problem_of_a_kind_tells_it(kind: Kind) -> None:
    assert str(kind.problem) == kind.smallest
    assert kind.mutant.region(kind.problem)
    drawn = [Case(f"smallest-{number}", kind.problem, kind.smallest, "w", ("limits",), "") for number in range(10)]
    assert any(_wrong(kind.mutant.make(), drawn, [compute(case) for case in drawn]))


@pytest.mark.slow
def test_the_document_says_how_many_cases_tell_each_kind() -> None:
    lines = list(table())
    assert "\n".join(lines) in (Path(__file__).parents[2] / "docs/audit.md").read_text()
    assert len(lines) == len(KINDS) + 4
    assert all(int(line.split("|")[-2].replace(",", "")) >= ENOUGH for line in lines[2:])


def test_the_matrix_counts_the_killers_of_every_mutant() -> None:
    suite = cases.read_suite(SMOKE)
    kills = np.zeros((2, len(suite.cases)), bool)
    kills[0, :3] = kills[1, 2] = True
    lines = list(_matrix_lines(Matrix(FUNCTIONS[:2], suite.cases, kills)))
    assert (
        "mutants killed by at least so many cases: 2 by 1, 1 by 2, 0 by 4, 0 by 8, 0 by 16, 0 by 32, 0 by 64" in lines
    )
    assert lines[1].split()[:2] == ["window", "2/2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "fault", "sees"),
    [
        ("rounding", "inputs rounded to TF32", True),
        ("rounding", "reversed on every axis", True),
        ("negative", "reversed on every axis", True),
        ("properties", "bias added twice", True),
        ("vectors", "reversed on every axis", True),
        ("vectors", "bias ignored", False),
    ],
)
def test_a_mutant_is_seen_elsewhere(place: str, fault: str, sees: bool) -> None:
    unseen = Mutant("none", fault, lambda: right)
    mutant = next((mutant for mutant in EVERY if mutant.fault == fault), unseen)
    assert elsewhere.PLACES[place](mutant) is sees


@pytest.mark.slow
@pytest.mark.parametrize("place", elsewhere.PLACES)
def test_the_right_answer_is_right_elsewhere(place: str) -> None:
    assert elsewhere.PLACES[place](Mutant("none", "none", lambda: right)) is False


FEW_FAMILIES = {"properties": (FAMILIES | REGIONAL_FAMILIES) - {"numerics", "ranges"}}
"""The families that are asked again, where some of them take long: those which no property sees."""


@pytest.mark.slow
@pytest.mark.parametrize("place", elsewhere.PLACES)
def test_the_document_says_how_many_mutants_are_seen_elsewhere(place: str) -> None:
    text = (Path(__file__).parents[2] / "docs/audit.md").read_text()
    text = text.partition("## What is seen elsewhere")[2].partition("## Properties")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    column = rows[0].index(place)
    told = [mutant for mutant in EVERY if not mutant.equivalent]
    asked = [mutant for mutant in told if mutant.family in FEW_FAMILIES.get(place, FAMILIES | REGIONAL_FAMILIES)]
    seen = elsewhere.seen_elsewhere(place, asked)
    said = {row[0]: (int(row[1]), int(row[column])) for row in rows[1:]}
    for family in {mutant.family for mutant in asked}:
        names = [mutant.name for mutant in asked if mutant.family == family]
        assert said[family] == (len(names), sum(seen[name] for name in names)), family
    counts = [count for family, count in said.items() if family != "all"]
    assert said["all"] == tuple(map(sum, zip(*counts, strict=True)))


class TestProcessMutants:
    @pytest.mark.slow
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
