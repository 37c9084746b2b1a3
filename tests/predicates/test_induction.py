"""Clustering: a planted region is found again in no more comparisons, and every count is the predicate's own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.predicates.comparisons import Facts, of_axes, of_cases
from conformance.predicates.induction import ENOUGH, MOST, Rule, induce
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.suites import cases
from tests.strategies import problems

FACTS = [
    Facts(case.problem, "mxnet", "native", dtype, "forward")
    for case in cases.read_suite("core").cases[::4]
    for dtype in ("float32", "float64")
]


def split(text: str) -> tuple[list[Facts], list[Facts]]:
    predicate = Predicate.parse(text)
    return [each for each in FACTS if each.satisfies(predicate)], [
        each for each in FACTS if not each.satisfies(predicate)
    ]


def comparisons(text: str) -> int:
    return 1 + text.count(" and ") + text.count(" or ")


@pytest.mark.parametrize(
    "text",
    [
        "rank == 2",
        "bias",
        "dtype == 'float64'",
        "any(stride > kernel)",
        "all(kernel == 1)",
        "any(hi < 0)",
        "any((lo + hi) % 2 == 1)",
        "any(stride % dilation == 0)",
        "any(stride > 1 and dilation > 1)",
        "any(stride > 1) and any(dilation > 1)",
        "any(input > 1 and kernel > 1 and stride > 1 and dilation > 1)",
        "rank == 2 and groups > 1",
        "dtype == 'float32' and any(output_padding > 0)",
        "rank == 1 and any(pad_begin > pad_end)",
        "batch > 1 and bias and any(input == 1)",
        "groups > 1 or any(hi < 0)",
        "any(stride > 1 and dilation > 1) or batch > 1",
    ],
)
def test_finds_a_planted_region_in_no_more_comparisons(text: str) -> None:
    inside, outside = split(text)
    assert inside
    assert outside
    found = induce(inside, outside)
    assert found.exact, str(found)
    assert comparisons(found.predicate) <= comparisons(text), found.predicate


def test_says_a_correlation_of_axes_as_one() -> None:
    inside, outside = split("any(input > 1 and kernel > 1 and stride > 1 and dilation > 1)")
    assert str(induce(inside, outside)) == (
        "exactly where any(input > 1 and kernel > 1 and stride > 1 and dilation > 1): "
        f"covers {len(inside):,} of {len(inside):,}, and 0 of the {len(outside):,} conforming"
    )


@pytest.mark.parametrize(("few", "many"), [(ENOUGH - 1, 200), (200, ENOUGH - 1), (1, 1)])
def test_too_few_cases_on_either_side_do_not_say_where(few: int, many: int) -> None:
    inside, outside = split("bias")
    rule = induce(inside[:few], outside[:many])
    assert rule.exact
    assert str(rule) == f"in all {few} seen; too few to say where"


def test_ten_cases_on_either_side_say_exactly_where() -> None:
    inside, outside = (sides[::2] for sides in split("bias"))  # of one dtype
    rule = induce(inside[:ENOUGH], outside[:ENOUGH])
    assert rule.sentence == f"exactly where {rule.predicate}"
    assert induce(inside[:30], [*outside[:30], inside[31]]).sentence.startswith(("exactly where", "about where"))
    assert Rule("bias", 9, 12, 1, 40).sentence == "about where bias"


def test_a_problem_in_several_dtypes_is_one_problem() -> None:
    inside, outside = split("bias")
    again = [replace(fact, dtype=dtype) for fact in inside[:5] for dtype in ("float32", "float64")]
    assert str(induce(again, outside)) == f"in all {2 * 5} seen; too few to say where"


def test_each_comparison_of_a_predicate_asks_for_ten_problems() -> None:
    inside, outside = (sides[::2] for sides in split("any(stride > 1 and dilation > 1)"))  # of one dtype
    few, enough = induce(inside[:15], outside), induce(inside[: 2 * ENOUGH], outside)
    assert few.sentence == f"exactly where {few.predicate}, as far as 15 problems tell"
    assert (few.is_of_enough, few.is_carried, comparisons(enough.predicate)) == (True, False, 2)
    assert enough.sentence == f"exactly where {enough.predicate}"


@pytest.mark.parametrize("count", [10, 15, 20, 25])
def test_problems_that_have_nothing_in_common_are_in_no_region(count: int) -> None:
    """A predicate of up to four comparisons, or of two times two, tells them apart, by accident."""
    every = [Facts(case.problem) for case in cases.read_suite("smoke").cases]
    chosen = set(np.random.default_rng(count).permutation(len(every))[:count].tolist())
    inside = [fact for at, fact in enumerate(every) if at in chosen]
    rule = induce(inside, [fact for at, fact in enumerate(every) if at not in chosen])
    assert rule.sentence == f"no predicate that was tried says where; the nearest is {rule.predicate}"
    assert comparisons(rule.predicate) == 1


def of_lines(*descriptors: str) -> list[Facts]:
    return [Facts(Problem.parse(descriptor)) for descriptor in descriptors]


@pytest.mark.parametrize(
    ("inside", "outside", "predicate"),
    [
        (("i5 k2 d2", "i4 k3 d2"), ("i5 k2", "i4 k3"), "any(dilation > 1)"),  # an output of 6, and none of 6
        (("i3 k3", "i4 k3", "i6 k3"), ("i5 k3 s2",), "any(stride == 1)"),  # an input of 5, and none of 5
    ],
)
def test_an_argument_is_named_and_no_size_that_is_so_by_chance(
    inside: tuple[str, ...], outside: tuple[str, ...], predicate: str
) -> None:
    assert induce(of_lines(*inside), of_lines(*outside)).predicate == predicate


def test_a_size_that_follows_from_arguments_asks_for_ten_problems_more() -> None:
    said, chance = Rule("any(stride > 1)", 19, 19, 0, 400), Rule("any(output != 6)", 19, 19, 0, 400)
    assert said.sentence == "exactly where any(stride > 1)"
    assert chance.sentence == "exactly where any(output != 6), as far as 19 problems tell"
    assert Rule("any(output > 6)", 20, 20, 0, 400).is_carried
    assert not Rule("any(output != 6)", 20, 20, 0, 400).is_carried
    assert Rule("any(output_padding > 6)", 10, 10, 0, 400).is_carried


def test_a_predicate_that_is_wrong_more_often_than_right_does_not_say_where() -> None:
    near, far = Rule("bias", 20, 30, 10, 400), Rule("bias", 20, 30, 11, 400)
    assert (near.nearness, near.sentence) == (0.5, "about where bias")
    assert far.sentence == "no predicate that was tried says where; the nearest is bias"


def honest(found: Rule, inside: list[Facts], outside: list[Facts]) -> None:
    predicate = Predicate.parse(found.predicate)
    assert (found.covered, found.of) == (sum(each.satisfies(predicate) for each in inside), len(inside))
    assert (found.wrong, found.outside) == (sum(each.satisfies(predicate) for each in outside), len(outside))


@pytest.mark.parametrize("seed", range(3))
def test_counts_honestly_what_no_predicate_tells_apart(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(FACTS))
    inside, outside = [FACTS[at] for at in order[:40]], [FACTS[at] for at in order[40:1000]]
    found = induce(inside, outside)
    honest(found, inside, outside)
    assert not found.exact
    assert comparisons(found.predicate) <= 2 * MOST
    assert found.covered / (found.of + found.wrong) >= 40 / 1000  # no further off than one that covers everything


def test_a_region_with_holes_is_covered_with_few_mistakes() -> None:
    inside, outside = split("any(stride > 1 and dilation > 1)")
    found = induce(inside[10:], [*outside, *inside[:10]])
    honest(found, inside[10:], [*outside, *inside[:10]])
    assert found.of - found.covered + found.wrong <= 10


def test_the_same_case_on_both_sides_cannot_be_told() -> None:
    found = induce(FACTS[:1], FACTS[:1])
    assert not found.exact
    honest(found, FACTS[:1], FACTS[:1])


def test_two_cases_are_told_apart_by_one_comparison() -> None:
    found = induce([Facts(Problem.parse("i5 k3 s2"))], [Facts(Problem.parse("i5 k3"))])
    assert found.exact
    assert comparisons(found.predicate) == 1


def test_with_nothing_outside_everything_is_covered() -> None:
    found = induce(FACTS[:5], [])
    assert (found.predicate, str(found)) == ("rank > 0", "in all 5 seen; too few to say where")
    assert found.exact


def test_nothing_inside_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to cover"):
        induce([], FACTS)


@pytest.mark.slow
@given(st.lists(problems(), min_size=2, max_size=6))
def test_a_column_is_what_the_predicate_says_of_every_case(given: list[Problem]) -> None:
    facts = [Facts(problem, "torch", dtype=dtype) for problem in given for dtype in ("float32", "float64")]
    there, conditions = of_axes(facts)
    columns = [*of_cases(facts), *((f"any({text})", column.any(axis=0)) for text, column in conditions)]
    columns += [(f"all({text})", np.all(column | ~there, axis=0)) for text, column in conditions]
    for text, column in columns[:: 1 + len(columns) // 200]:
        predicate = Predicate.parse(text)
        assert [each.satisfies(predicate) for each in facts] == column.tolist(), text
