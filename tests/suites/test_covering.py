"""Covering arrays: every valid combination of levels occurs, counted without the module's own arithmetic."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np
import pytest

from conformance.numerics.operands import HALVES, INTEGERS
from conformance.problem import BACKWARD, FORWARD, Problem
from conformance.records.record import GRADIENTS, HALF, INTEGER
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.covering import covering_array
from conformance.suites.generated import sizes
from conformance.suites.spaces.files import levels_of
from conformance.suites.spaces.levels import Axis

Row = tuple[int, ...]

SMOKE, COVERING, SIZES = (levels_of(name).axes for name in ("smoke", "covering", "sizes"))
SHARED = levels_of("covering").shared


def combined(rows: Iterable[Row], columns: Sequence[int]) -> set[Row]:
    return {tuple(row[column] for column in columns) for row in rows}


def achievable(units: Sequence[Sequence[Row]], columns: Sequence[int]) -> set[Row]:
    """The level combinations of some columns that valid rows have, where a row is any choice of one from each unit."""
    parts, start = [], 0
    for unit in units:
        inside = [column - start for column in columns if start <= column < start + len(unit[0])]
        parts.append(combined(unit, inside))
        start += len(unit[0])
    return {tuple(level for part in choice for level in part) for choice in product(*parts)}


def missing(units: Sequence[Sequence[Row]], rows: Sequence[Row], strength: int) -> list[tuple[Row, Row]]:
    width = sum(len(unit[0]) for unit in units)
    return [
        (columns, levels)
        for columns in combinations(range(width), strength)
        for levels in achievable(units, columns) - combined(rows, columns)
    ]


def axes(levels: Axis[Sequence[int]]) -> list[Row]:
    """The valid axes: 1 <= output extent, output_padding < max(stride, dilation)."""
    return [
        (i, k, s, d, begin, end, op)
        for i, k, s, d, begin, end, op in product(*levels)
        if op < max(s, d) and (i - 1) * s + d * (k - 1) + 1 - begin - end + op >= 1
    ]


def channels(groups: Sequence[int] = SHARED.groups) -> list[Row]:
    """The valid channel counts: in and out differ, or are depthwise."""
    return [
        (g, ic, oc, n, bias)
        for g, ic, oc, n, bias in product(groups, *SHARED[1:])
        if ic != oc or (ic == oc == 1 and g > 1)
    ]


def row(problem: Problem) -> Row:
    """A problem as a covering array's row of levels."""
    per_axis = zip(
        problem.input,
        problem.kernel,
        problem.stride,
        problem.dilation,
        problem.pads,
        problem.output_padding,
        strict=True,
    )
    levels = [(i, k, s, d, begin, end, op) for i, k, s, d, (begin, end), op in per_axis]
    shared = (problem.groups, problem.in_channels, problem.out_channels, problem.batch, int(problem.bias))
    return (*(level for axis in levels for level in axis), *shared)


def rows(cases: Iterable[Case], prefix: str) -> list[Row]:
    return [row(case.problem) for case in cases if case.id.startswith(prefix)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_pair_of_levels_is_in_core(rank: int) -> None:
    units = [axes(SMOKE[rank])] * rank + [channels()]
    assert missing(units, rows(read_suite("core").cases, f"smoke-{rank}d-"), 2) == []


@pytest.mark.parametrize(("name", "dtypes"), [(HALF, HALVES), (INTEGER, INTEGERS), (GRADIENTS, HALVES)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_pair_of_levels_is_met_in_every_dtype_and_in_every_pass(
    rank: int, name: str, dtypes: Sequence[str]
) -> None:
    suite = read_suite(name)
    units = [axes(SMOKE[rank])] * rank + [channels()]
    assert missing(units, [row(case.problem) for case in suite.cases if case.problem.rank == rank], 2) == []
    assert {*dtypes} <= {*suite.dtypes}
    assert suite.directions == (BACKWARD if name == GRADIENTS else (FORWARD,))


def test_every_pair_of_levels_in_one_and_two_dimensions_is_in_smoke() -> None:
    chosen, core = ({case.id for case in read_suite(name).cases} for name in ("smoke", "core"))
    assert {case_id for case_id in core if case_id.startswith(("smoke-1d-", "smoke-2d-"))} <= chosen


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_triple_of_levels_is_in_covering(rank: int) -> None:
    units = [axes(COVERING[rank])] * rank + [channels()]
    assert missing(units, rows(read_suite("covering").cases, f"cover-{rank}d-"), 3) == []


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_triple_without_dilation_and_groups_is_in_plain(rank: int) -> None:
    units = [axes(COVERING[rank]._replace(d=(1,)))] * rank + [channels(groups=(1,))]
    assert missing(units, rows(read_suite("covering").cases, f"plain-{rank}d-"), 3) == []


@pytest.mark.parametrize(("suite", "prefix", "levels"), [("core", "smoke", SMOKE), ("covering", "cover", COVERING)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_row_is_valid(suite: str, prefix: str, levels: dict[int, Axis[Sequence[int]]], rank: int) -> None:
    valid_axes, valid_channels = set(axes(levels[rank])), set(channels())
    found = rows(read_suite(suite).cases, f"{prefix}-{rank}d-")
    assert found
    for each in found:
        assert all(each[7 * n : 7 * n + 7] in valid_axes for n in range(rank))
        assert each[-5:] in valid_channels


SMALL: list[tuple[list[list[Row]], int]] = [
    ([[(0,), (1,)], [(0,), (1,), (2,)]], 2),
    ([[(0, 0), (0, 1), (1, 1)], [(0,), (2,)], [(1,), (3,)]], 2),
    ([[(0, 0), (0, 1), (1, 1)], [(0,), (2,)], [(1,), (3,)]], 3),
    ([[(0, 1, 2), (2, 1, 0), (1, 1, 1)]], 2),
    ([[(n,) for n in range(4)]] * 5, 2),
]


@pytest.mark.parametrize(("units", "strength"), SMALL)
def test_small_arrays_cover(units: list[list[Row]], strength: int) -> None:
    array = covering_array([np.array(unit) for unit in units], strength, key=1)
    found = [tuple(each) for each in array.tolist()]
    assert missing(units, found, strength) == []
    assert set(found) <= {tuple(level for part in choice for level in part) for choice in product(*units)}
    assert len(set(found)) == len(found) <= len(list(product(*units)))


def test_an_array_has_no_row_that_is_dear_and_all_that_others_cover() -> None:
    units = [np.arange(4)[:, None]] * 3

    def cheap(row: Sequence[int]) -> bool:
        return sum(row) <= 5

    array = covering_array(units, 2, key=1, cheap=cheap)
    rows = [tuple(row) for row in product(range(4), repeat=3) if cheap(row)]
    assert all(cheap(row) for row in array.tolist())
    for columns in combinations(range(3), 2):
        assert combined([tuple(row) for row in array.tolist()], columns) == combined(rows, columns)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_wide_cases_are_valid_affordable_and_reach_every_level(rank: int) -> None:
    found = [case.problem for case in read_suite("sizes").cases if case.id.startswith(f"wide-{rank}d-")]
    assert all(problem.multiplies <= sizes.MULTIPLIES for problem in found)
    reached = [set(column) for column in zip(*map(row, found), strict=True)]
    assert reached == [set(levels) for levels in (*[*SIZES[rank]] * rank, *levels_of("sizes").shared)]


def test_array_is_far_smaller_than_the_product() -> None:
    assert len(covering_array([np.arange(4)[:, None]] * 5, 2, key=1)) <= 30


def test_array_is_the_same_every_time() -> None:
    first, second, other = (covering_array([np.arange(4)[:, None]] * 5, 2, key=key) for key in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.tolist() != other.tolist()


def test_a_removed_row_is_missed() -> None:
    """The counting above sees a hole."""
    units = [[(0,), (1,)], [(0,), (1,), (2,)]]
    assert missing(units, list(product(range(2), range(3)))[1:], 2) == [((0, 1), (0, 0))]
