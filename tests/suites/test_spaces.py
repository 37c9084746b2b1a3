"""Numbers and problems of a space are one to one, and a seed's order repeats nothing."""

import re
from itertools import product
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.operands import stamped
from conformance.numerics.products import sums_of, terms_of
from conformance.problem import Problem, broken_rule
from conformance.suites.borders import case_of
from conformance.suites.cases import read_suite
from conformance.suites.references import compute, compute_small
from conformance.suites.spaces.files import names, read_space
from conformance.suites.spaces.permutation import Permutation
from conformance.suites.spaces.shares import Shares
from conformance.suites.spaces.space import Space, SpaceError
from tests.strategies import problems

TINY = """
why = "Small enough to be gone through."
[shared]
groups = [1, 2]
in_channels = [1, 3]
out_channels = [1, 2]
batch = [1]
bias = [false, true]
[rank.1]
share = 1
most = 12
input = [1, 2, 3]
kernel = [1, 2]
stride = [1, 2]
dilation = [1, 2]
begin = [-1, 0, 2]
end = [0, 1]
output_padding = [0, 1]
[rank.2]
share = 3
most = 20
input = [1, 2]
kernel = [2, 1]
stride = [1, 3]
dilation = [1]
begin = [0, 1]
end = [0]
output_padding = [0, 2]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def by_hand() -> set[Problem]:
    """Every valid problem of the levels above that can be paid, by loops."""
    found = set()
    axis = list(product((1, 2, 3), (1, 2), (1, 2), (1, 2), (-1, 0, 2), (0, 1), (0, 1)))
    flat = list(product((1, 2), (1, 2), (1, 3), (1,), (0, 1), (0,), (0, 2)))
    for axes, most in ((([row] for row in axis), 12), (([a, b] for a in flat for b in flat), 20)):
        for chosen in axes:
            i, k, s, d, begin, end, op = zip(*chosen, strict=True)
            for g, ic, oc, bias in product((1, 2), (1, 3), (1, 2), (False, True)):
                problem = Problem(i, k, s, tuple(zip(begin, end, strict=True)), op, d, g, ic, oc, 1, bias)
                if broken_rule(problem) is None and work(problem) <= most:
                    found.add(problem)
    return found


def work(problem: Problem) -> int:
    axes = zip(problem.input, problem.kernel, problem.output, strict=True)
    shared = problem.batch * problem.groups * problem.in_channels * problem.out_channels
    return shared * prod(max(i * k, out) for i, k, out in axes)


def test_a_space_has_every_valid_problem_that_can_be_paid_once(tiny: Path) -> None:
    space = read_space(str(tiny), seed=5)
    found = [space[number] for number in range(space.size)]
    assert len(found) == len(set(found)) > 1000
    assert set(found) == by_hand()
    assert [space.index(problem) for problem in found] == list(range(space.size))


def test_a_seed_is_an_order_and_levels_are_a_set(tiny: Path) -> None:
    space, other = read_space(str(tiny)), read_space(str(tiny), seed=1)
    assert space.digest == other.digest
    assert [space[n] for n in range(50)] != [other[n] for n in range(50)]
    tiny.write_text(TINY.replace("input = [1, 2, 3]", "input = [3, 2, 1, 1]").replace("Small", "Tiny"))
    again = read_space(str(tiny))
    assert again.digest == space.digest
    assert [space[n] for n in range(50)] == [again[n] for n in range(50)] == [
        Space.of_text(space.text)[n] for n in range(50)
    ]  # fmt: skip


def test_ranks_have_their_share_of_the_first_numbers(tiny: Path) -> None:
    space = read_space(str(tiny))
    assert [space[n].rank for n in range(8)] == [1, 2, 2, 2, 1, 2, 2, 2]


@pytest.mark.parametrize("name", names())
def test_a_named_space_is_one_to_one(name: str) -> None:
    space = read_space(name)
    some = [number * (space.size // 97) + number for number in range(97)]
    found = [space[number] for number in some]
    assert [space.index(problem) for problem in found] == some
    assert not any(map(broken_rule, found))
    assert space.size > 10**7
    with pytest.raises(SpaceError, match="the numbers of this space are 0 to"):
        space[space.size]
    with pytest.raises(SpaceError, match="is not in this space"):
        space.index(Problem.of(99, 99))


@pytest.mark.parametrize("name", ["plain", "small", "wide"])
def test_a_space_that_is_swept_has_more_than_the_levels_of_core(name: str) -> None:
    assert read_space(name).size > 10 * max(read_space(core).size for core in ("smoke", "covering", "sizes"))


@pytest.mark.parametrize("kind", ["smoke", "covering", "sizes"])
def test_generated_cases_are_of_their_space(kind: str) -> None:
    space = read_space(kind)
    ids = {"smoke": r"smoke-\dd-", "covering": r"(cover|plain)-\dd-", "sizes": r"wide-(plain-)?\dd-"}
    cases = [case for case in read_suite("core").cases if re.match(ids[kind], case.id)]
    assert cases
    assert all(space[space.index(case.problem)] == case.problem for case in cases)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("most = 12", "most = 0", "Expected `int` >= 1"),
        ("begin = [-1, 0, 2]", "begin = [90]", "rank 1 has no valid problem of at most 12 work"),
        ("share = 1", "shares = 1", "unknown field `shares`"),
        ("[rank.2]", "[rank.4]", "rank '4' is none"),
        ("[rank.2]", "[rank", "tiny.toml: "),
        ("input = [1, 2, 3]", f"input = {list(range(1, 90000))}", "give fewer"),
        ("kernel = [1, 2]", "kernel = [0]", "Expected `int` >= 1"),
    ],
)
def test_what_is_no_space_is_told_in_a_line(tiny: Path, before: str, after: str, message: str) -> None:
    tiny.write_text(TINY.replace(before, after, 1))
    with pytest.raises(SpaceError, match=message) as told:
        read_space(str(tiny))
    assert "\n" not in str(told.value)


def test_a_space_that_there_is_not_names_the_nearest() -> None:
    with pytest.raises(SpaceError, match="the nearest is 'wide'"):
        read_space("wider")


@given(st.integers(1, 10**20), st.text(max_size=5), st.data())
def test_a_permutation_has_an_inverse(size: int, key: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, size - 1))
    order = Permutation(key, size)
    assert order.index(order[number]) == number
    assert 0 <= order[number] < size


@pytest.mark.parametrize("size", [1, 2, 3, 100, 4097])
def test_a_permutation_repeats_nothing(size: int) -> None:
    assert sorted(map(Permutation("key", size).__getitem__, range(size))) == list(range(size))
    with pytest.raises(IndexError):
        Permutation("key", size)[size]


@given(st.dictionaries(st.integers(1, 4), st.tuples(st.integers(1, 40), st.integers(1, 7)), min_size=1))
def test_shares_are_one_to_one(parts: dict[int, tuple[int, int]]) -> None:
    shares = Shares(parts)
    found = [shares[number] for number in range(shares.size)]
    assert sorted(found) == [(part, number) for part, (size, _) in sorted(parts.items()) for number in range(size)]
    assert [shares.index(*each) for each in found] == list(range(shares.size))


@given(problems())
def test_sums_of_products_are_those_of_the_definition(problem: Problem) -> None:
    reference, small = compute(case_of(problem)), compute_small(case_of(problem))
    assert small.expected.dtype == reference.expected.dtype
    assert small.expected.tolist() == reference.expected.tolist()
    assert small[2:] == reference[2:]
    assert terms_of(problem) == problem.terms


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_sums_of_swept_problems_are_those_of_the_definition(name: str) -> None:
    space = read_space(name, seed=7)
    for number in range(150):
        case = case_of(space[number])
        arrays = compute(case).arrays
        ours, theirs = sums_of(case.problem, arrays), stamped(case.problem, arrays)
        assert (ours.expected.tolist(), ours.largest) == (theirs.expected.tolist(), theirs.largest)
