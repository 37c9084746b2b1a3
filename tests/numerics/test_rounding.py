"""Answers that must round: the operands make every sum do so, no right order is accused, and narrower formats are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.audit import mutants
from conformance.audit.mutants.numerics import rounded
from conformance.numerics.operands import DTYPES, DataError, largest_sum
from conformance.numerics.rounding import BITS, SUM_BITS, draw, explain, measure_rounding
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.records.record_file import parse
from conformance.records.reproduction import reproduction
from conformance.run import Job, evaluate
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.references import compute
from tests.test_run import LANE, Fake

CASES = read_suite("rounding").cases
SMALL = [case for case in CASES if case.problem.multiplies < 20_000][::3]
LONGEST = max(CASES, key=lambda case: case.problem.terms)
SHORT = next(case for case in CASES if 8 < case.problem.terms < 64 and case.problem.multiplies < 20_000)
Array = NDArray[np.floating]
Terms = NDArray[np.floating]


def judged(case: Case, dtype: str, change: Callable[[Array], Array] = lambda y: y) -> Record:
    (result,) = evaluate(LANE, Fake(change), [Job(case, dtype, compute(case))])
    return result.record


@pytest.mark.parametrize("case", CASES[::10], ids=lambda case: case.id)
def test_operands_are_exact_in_either_dtype_and_fill_the_narrower(case: Case) -> None:
    for array in draw(case.id, case.problem):
        if array is None:
            continue
        odd = array // (array & -array)
        assert (array.astype(np.float32) == array).all()
        assert np.abs(odd).max() >= 1 << BITS - 4 or array.size < 8
    assert largest_sum(case.problem, draw(case.id, case.problem)) <= 1 << SUM_BITS


def test_no_dtype_holds_the_answer_of_a_long_sum() -> None:
    exact = compute(LONGEST).expected
    for dtype in DTYPES:
        assert (exact.astype(dtype).astype(np.int64) != exact).mean() > 0.5


def test_draws_depend_on_the_id_alone() -> None:
    problem = Problem.parse("i5 k3 ic2")
    assert all(np.array_equal(*pair) for pair in zip(draw("one", problem)[:2], draw("one", problem)[:2], strict=True))
    assert not np.array_equal(draw("one", problem).x, draw("two", problem).x)


def test_too_many_terms_are_refused() -> None:
    with pytest.raises(DataError, match=r"big: \d+ products of 48 bits do not fit int64: give it a smaller size"):
        draw("big", Problem.parse("i1 k1 ic40000"))


def orders(case: Case, dtype: str) -> Iterator[Array]:
    """Right answers of a one-input, one-tap problem, added up in several orders, one rounding a step."""
    x, weight, _ = compute(case).arrays.astype(dtype)
    terms = (x[0, :, 0, None] * weight[:, :, 0]).astype(dtype)  # (in, out)
    for order in (terms, terms[::-1], terms[np.abs(terms[:, 0]).argsort()], terms[terms[:, 0].argsort()]):
        total = np.zeros(terms.shape[1], dtype)
        for row in order:
            total = total + row
        yield total.reshape(1, -1, 1)
    while len(terms) > 1:
        half = len(terms) // 2
        terms = np.concatenate([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    yield terms.reshape(1, -1, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 17, 500, 4000])
def test_every_order_of_summation_is_in_bounds(channels: int, dtype: str) -> None:
    case = replace(SHORT, id=f"sum-{channels}", problem=Problem.of(1, 1, in_channels=channels, out_channels=40))
    answer = compute(case)
    found = [measure_rounding(case.problem, answer.arrays, answer.expected, y) for y in orders(case, dtype)]
    assert all(each.count == 0 and each.share <= 1 for each in found)
    assert channels < 500 or (max(each.rho for each in found) > 1 and len({each.rho for each in found}) > 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_distance_is_exact(dtype: str) -> None:
    answer = compute(SHORT)
    actual = answer.expected.astype(dtype)
    errors = [abs(Fraction(float(y)) - int(e)) for y, e in zip(actual.flat, answer.expected.flat, strict=True)]
    found = measure_rounding(SHORT.problem, answer.arrays, answer.expected, actual)
    assert Fraction(found.largest) <= max(errors) * Fraction(1001, 1000)
    assert 0 < found.rho <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_the_rounded_exact_answer_conforms(case: Case, dtype: str) -> None:
    record = judged(case, dtype, lambda y: compute(case).expected.astype(dtype))
    assert record.verdict is Verdict.CONFORMS
    assert record.rounding is not None
    assert record.rounding["terms"] == case.problem.terms
    assert record.rounding["rho"] <= 1  # as of one rounding, of the result


def replaced_by(answer: Array) -> Callable[[Array], Array]:
    return lambda _: answer


def test_one_product_may_be_rounded_once_and_no_further() -> None:
    case = replace(SHORT, id="product", problem=Problem.of(1, 1, out_channels=64))
    nearest = compute(case).expected.astype("float32")
    assert judged(case, "float32", lambda _: nearest).verdict is Verdict.CONFORMS
    for towards in (np.float32(np.inf), np.float32(-np.inf)):
        two_off = np.nextafter(np.nextafter(nearest, towards), towards)
        assert judged(case, "float32", replaced_by(two_off)).verdict is Verdict.DIVERGES


def test_what_no_product_reaches_is_exact() -> None:
    case = replace(SHORT, id="gaps", problem=Problem.parse("i3 k1 s3 bias oc2"))
    answer = compute(case).expected.astype("float64")

    def nudged(y: Array) -> Array:
        answer[0, 0, 1] = np.nextafter(answer[0, 0, 1], np.inf)
        return answer

    record = judged(case, "float64", nudged)
    assert record.verdict is Verdict.DIVERGES
    assert "worst at (0, 0, 1) where nothing is to round" in record.message
    assert "Infinity" not in record.to_json()
    assert parse(record.to_json()).rounding == record.rounding


FAULTS = {mutant.fault: mutant for mutant in mutants.FUNCTIONS if mutant.family == "numerics" and not mutant.equivalent}


@pytest.mark.parametrize("name", FAULTS)
def test_every_numerics_mutant_is_killed(name: str) -> None:
    assert any(wrong(case, FAULTS[name].make()) for case in sorted(CASES, key=lambda case: case.problem.multiplies))


def wrong(case: Case, answer: Callable[..., Array]) -> bool:
    drawn = compute(case)
    actual = answer(case.problem, *drawn.arrays.astype("float32"))
    return (
        not np.isfinite(actual).all() or measure_rounding(case.problem, drawn.arrays, drawn.expected, actual).count > 0
    )


@pytest.mark.parametrize(
    ("name", "words"), [("inputs rounded to TF32", "11 bits of TF32"), ("inputs rounded to bfloat16", "8 bits of bf")]
)
def test_narrower_operands_are_named(name: str, words: str) -> None:
    drawn = compute(SHORT)
    actual = FAULTS[name].make()(SHORT.problem, *drawn.arrays.astype("float32"))
    assert f"as if x and weight had been rounded to the {words}" in explain(SHORT.problem, drawn.arrays, actual)


def test_one_narrower_operand_is_named() -> None:
    drawn = compute(SHORT)
    x, weight, bias = drawn.arrays.astype("float32")
    actual = oracle.expected(SHORT.problem, rounded(x, 11), weight, bias).astype("float32")
    assert explain(SHORT.problem, drawn.arrays, actual) == "as if x had been rounded to the 11 bits of TF32 or float16"


def test_float32_behind_float64_is_too_far_off() -> None:
    drawn = compute(SHORT)
    narrow = oracle.expected(SHORT.problem, *drawn.arrays.astype("float32")).astype("float32").astype("float64")
    record = judged(SHORT, "float64", lambda _: narrow)
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, "value")
    assert "values err by more than any order of summation can, worst at (" in record.message
    assert record.rounding is not None
    assert record.rounding["share"] > 1


def test_a_record_keeps_how_it_was_rounded() -> None:
    record = judged(SHORT, "float32")
    assert parse(record.to_json()) == record
    assert record.answer == ""
    assert record.actual
    assert not record.redrawn
    assert reproduction(record).startswith("conformance run fake --variant eager --suite rounding --case rounding-")


def test_a_wrong_shape_is_no_matter_of_rounding() -> None:
    record = judged(SHORT, "float32", lambda y: y[..., :-1])
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, "shape")
    assert record.rounding == {"terms": SHORT.problem.terms}
