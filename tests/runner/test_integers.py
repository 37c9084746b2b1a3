"""Integer dtypes as they are selected: which lanes compute in them, which suites have data in them, in which pass."""

from itertools import product

import pytest

from conformance.adapters.base import Lane
from conformance.numerics.operands import DTYPES, HALVES, INTEGERS
from conformance.problem import FORWARD, PASSES
from conformance.records.record import HALF, INTEGER, NEGATIVE, ROUNDING
from conformance.runner.kinds import kind_of
from conformance.runner.selection import (
    NIGHTLY,
    Selection,
    SelectionError,
    dtypes_of,
    dtypes_on,
    every_dtype,
    is_for,
    require_runnable,
    why_not,
)
from conformance.suites.cases import read_suite

LANE = Lane("jax", "jit")
SUITE, SMOKE = read_suite(INTEGER), read_suite("smoke")


def test_the_suite_integers_runs_in_integers_alone_and_every_night() -> None:
    assert dtypes_of(SUITE) == INTEGERS
    assert INTEGER in NIGHTLY


@pytest.mark.parametrize(
    ("framework", "dtypes"), [("torch", ("int64",)), ("tensorflow", ("int32",)), ("jax", ("int8", "int32", "int64"))]
)
def test_a_lane_is_asked_in_the_integers_that_it_has_a_kernel_for(framework: str, dtypes: tuple[str, ...]) -> None:
    assert dtypes_on(framework, SUITE) == dtypes
    require_runnable(framework, SMOKE, dtypes)


def test_the_suite_integers_is_not_for_a_framework_without_such_a_kernel() -> None:
    assert not is_for("mxnet", INTEGER)
    assert why_not("mxnet", INTEGER) == "mxnet computes in float32 and float64"
    with pytest.raises(SelectionError, match="torch does not compute in int8: its dtypes are bfloat16, float16,"):
        require_runnable("torch", SMOKE, ["int8"])


@pytest.mark.parametrize("name", ["smoke", "core", "extreme", "models", HALF, INTEGER])
def test_problems_have_data_in_every_dtype(name: str) -> None:
    assert {*kind_of(read_suite(name).cases[0]).dtypes} == {*HALVES, *INTEGERS}


def test_what_rounds_and_what_is_no_problem_has_no_data_of_integers() -> None:
    assert kind_of(read_suite(ROUNDING).cases[0]).dtypes == HALVES
    with pytest.raises(SelectionError, match=f"'{ROUNDING}' has no data in int64: run it in {' or '.join(DTYPES)} or"):
        require_runnable("torch", read_suite(ROUNDING), ["int64"])
    with pytest.raises(SelectionError, match=f"'{NEGATIVE}' has no data in int64: run it in float32 or float64$"):
        require_runnable("torch", read_suite(NEGATIVE), ["int64"])


def test_there_are_no_gradients_in_integers() -> None:
    with pytest.raises(SelectionError, match="there are no gradients in int64: leave out --pass, or run it in another"):
        require_runnable("torch", SMOKE, ["float32", "int64"], ["weight"])


def test_all_stands_for_every_dtype_and_pass_that_there_is() -> None:
    every = every_dtype("jax", SMOKE, PASSES)
    assert every == (*DTYPES, *HALVES, *INTEGERS)
    assert every_dtype("jax", SMOKE, ("weight",)) == (*DTYPES, *HALVES)
    assert every_dtype("mxnet", SMOKE, PASSES) == DTYPES
    require_runnable("jax", SMOKE, every, PASSES)
    asked = [*Selection(LANE, SMOKE, SMOKE.cases, every, (1, 1), (), (), directions=PASSES).asked]
    assert {(each.dtype, each.direction) for each in asked} == {
        *product((*DTYPES, *HALVES), PASSES), *product(INTEGERS, (FORWARD,))
    }  # fmt: skip
