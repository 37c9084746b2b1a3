"""Half precision as it is selected: which lanes compute in it, which suites have data in it, and what runs nightly."""

import pytest

from conformance import adapters
from conformance.idioms import base
from conformance.numerics.operands import DTYPES, HALVES, INTEGERS, SIGNIFICAND
from conformance.records.record import HALF, INTEGER, NEGATIVE, ROUNDING
from conformance.runner.kinds import kind_of
from conformance.runner.selection import (
    NIGHTLY,
    SelectionError,
    dtypes_of,
    dtypes_on,
    is_for,
    nightly,
    require_dtypes,
    require_runnable,
)
from conformance.suites.cases import read_suite

SMOKE = read_suite("smoke")
EVERY = {*HALVES, *DTYPES}


@pytest.mark.parametrize(
    ("framework", "dtypes"),
    [
        ("torch", {*HALVES, *DTYPES, "int64"}),
        ("tensorflow", {*HALVES, *DTYPES, "int32"}),
        ("jax", {*HALVES, *DTYPES, *INTEGERS}),
        ("mxnet", {*DTYPES}),
        ("mlx", {*HALVES, "float32"}),
    ],
)
def test_a_framework_computes_in_the_dtypes_that_its_adapter_names(framework: str, dtypes: set[str]) -> None:
    assert set(adapters.dtypes(framework)) == dtypes <= SIGNIFICAND.keys()


def test_the_suite_half_runs_in_half_precision_and_the_others_do_not() -> None:
    assert dtypes_of(read_suite(HALF)) == HALVES
    assert {dtypes_of(read_suite(name)) for name in ("smoke", "core", "extreme")} == {DTYPES}
    assert set(dtypes_of(read_suite(ROUNDING))) == EVERY


def test_a_suite_runs_in_those_of_its_dtypes_that_a_framework_has() -> None:
    assert dtypes_on("torch", SMOKE) == DTYPES
    assert dtypes_on("mlx", SMOKE) == ("float32",)
    assert dtypes_on("mlx", read_suite(HALF)) == HALVES


def test_the_night_of_a_framework_without_half_precision_leaves_the_suite_half_out() -> None:
    assert nightly("torch") == list(NIGHTLY)
    assert nightly("mxnet") == [suite for suite in NIGHTLY if suite not in (HALF, INTEGER)]
    assert is_for("mxnet", "core")
    assert not is_for("mxnet", HALF)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_suite_of_problems_runs_in_half_precision_where_the_framework_does(dtype: str) -> None:
    require_runnable("torch", SMOKE, [dtype])
    with pytest.raises(SelectionError, match=f"mxnet does not compute in {dtype}: its dtypes are float32, float64"):
        require_runnable("mxnet", SMOKE, [dtype])


def test_a_suite_without_data_of_half_precision_is_refused_in_it() -> None:
    with pytest.raises(
        SelectionError, match=f"suite '{NEGATIVE}' has no data in float16: run it in float32 or float64"
    ):
        require_runnable("torch", read_suite(NEGATIVE), ["float16"])


def test_a_dtype_that_there_is_not_is_refused() -> None:
    require_dtypes(SIGNIFICAND)
    with pytest.raises(SelectionError, match="there is no dtype 'int16' to run: the dtypes are float64,"):
        require_dtypes(["int16"])


def test_only_problems_have_data_of_half_precision() -> None:
    with_data = {name for name in ("smoke", "core", "extreme", HALF, ROUNDING, NEGATIVE)
                 if {*HALVES} <= {*kind_of(read_suite(name).cases[0]).dtypes}}  # fmt: skip
    assert with_data == {"smoke", "core", "extreme", HALF, ROUNDING}


def test_the_dtypes_that_calls_are_read_in_are_those_that_data_is_drawn_for() -> None:
    assert (base.DTYPES, base.HALVES, base.INTEGERS) == (DTYPES, HALVES, INTEGERS)
    assert {*DTYPES, *HALVES, *INTEGERS} == SIGNIFICAND.keys()
