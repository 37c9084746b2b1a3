"""Classes of accumulation: right sums of each are in bounds, those of a wider one are not, and nothing else is."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters, oracle
from conformance.adapters.base import Call
from conformance.numerics.accumulation import CLASSES, DECLARED, gamma, judges, limit, sums_of
from conformance.numerics.formats import rounded
from conformance.numerics.operands import HALVES, SIGNIFICAND, Arrays, magnitudes
from conformance.numerics.rounding import HALF_SUM, class_of, draw
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.records.record_file import parse
from conformance.regression import change
from conformance.run import Job, evaluate
from conformance.runner.kinds import kind_of
from conformance.suites.case import Case, Learnt, Rounded
from conformance.suites.cases import read_suite
from conformance.suites.references import compute
from tests.test_run import LANE, Half

Array = NDArray[Any]
CASES = read_suite("rounding").cases
SMALL = [case for case in CASES if case.problem.multiplies < 20_000][::4]
STAMPS = next(case for case in CASES if case.problem.terms // case.problem.in_channels > 4 and case in SMALL)


def case_of(descriptor: str) -> Case:
    return replace(CASES[0], id=f"sum-{descriptor.replace(' ', '-')}", problem=Problem.parse(descriptor))


def added_up(problem: Problem, arrays: Arrays, bits: int, tap_bits: int) -> Array:
    """The answer with what a tap gives rounded to `tap_bits`, and every sum of stamps, with the bias, to `bits`."""
    total = np.zeros((problem.batch, problem.groups * problem.out_channels, *problem.output))
    for tap in np.ndindex(problem.kernel):
        weight = np.zeros_like(arrays.weight)
        weight[(..., *tap)] = arrays.weight[(..., *tap)]
        total = rounded(bits, total + rounded(tap_bits, oracle.expected(problem, arrays.x, weight, None)))
    if arrays.bias is not None:
        total = rounded(bits, total + arrays.bias.reshape(-1, *[1] * problem.rank))
    return total


@dataclass
class Adding(Half):
    """An adapter whose sums are rounded as they are told to be, and which declares a class."""

    answers: Callable[[Problem, Arrays], Array] = field(default=lambda problem, arrays: arrays.x)
    ACCUMULATION: dict[str, str] = field(default_factory=dict)

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        def conv(x: Array, weight: Array, *, bias: Array | None) -> Any:
            wide = Arrays(*(None if each is None else each.astype("float64") for each in (x, weight, bias)))  # type: ignore[arg-type]  # x and weight are arrays
            return self.answers(problem, wide).astype(x.dtype)

        return Call(conv, (x, weight), {"bias": bias})


def judged(case: Case, dtype: str, declared: str, answers: Callable[[Problem, Arrays], Array]) -> Record:
    adapter = Adding(answers=answers, ACCUMULATION={dtype: declared})
    (result,) = evaluate(LANE, adapter, [Job(case, dtype, compute(case, dtype))])
    return result.record


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", CASES[::9], ids=lambda case: case.id)
def test_operands_are_held_by_the_dtype_and_their_sums_by_float64(case: Case, dtype: str) -> None:
    arrays = draw(case.id, case.problem, dtype)
    for array in arrays:
        assert array is None or (rounded(SIGNIFICAND[dtype], array) == array).all()
        assert array is None or np.abs(array).min() >= 1
    assert magnitudes(case.problem, arrays).max() <= HALF_SUM < float(np.finfo(np.float16).max)
    steps = compute(case, dtype).expected * 2.0**20
    assert (steps == np.rint(steps)).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_sums_of_each_class_are_within_it(case: Case, dtype: str) -> None:
    bits = SIGNIFICAND[dtype]
    once = judged(case, dtype, "A", lambda problem, arrays: rounded(bits, oracle.expected(problem, *arrays)))
    assert (once.verdict, once.accumulation) == (Verdict.CONFORMS, {"declared": "A", "measured": "A"})
    stamps = judged(case, dtype, "S", lambda problem, arrays: added_up(problem, arrays, bits, bits))
    assert stamps.verdict is Verdict.CONFORMS
    assert parse(stamps.to_json()) == stamps


@pytest.mark.parametrize("dtype", HALVES)
def test_stamps_added_up_in_the_dtype_leave_class_a(dtype: str) -> None:
    bits = SIGNIFICAND[dtype]
    record = judged(STAMPS, dtype, "A", lambda problem, arrays: added_up(problem, arrays, bits, bits))
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, "precision")
    assert record.accumulation == {"declared": "A", "measured": "S"}
    assert f"class A ({CLASSES['A']}) allows" in record.message
    assert record.message.endswith(f"within class S ({CLASSES['S']})")


def one_by_one(bits: int) -> Callable[[Problem, Arrays], Array]:
    """Sums over in channels of which each is rounded to so many bits."""

    def answers(problem: Problem, arrays: Arrays) -> Array:
        total = np.zeros((1, problem.out_channels, 1))
        for x, weight in zip(arrays.x[0, :, 0], arrays.weight[:, :, 0], strict=True):
            total = rounded(bits, total + (x * weight).reshape(total.shape))
        return total

    return answers


@pytest.mark.parametrize(("dtype", "channels"), [("float16", 400), ("bfloat16", 100)])
def test_channels_added_up_in_the_dtype_leave_class_s_and_are_in_b(dtype: str, channels: int) -> None:
    case = case_of(f"i1 k1 ic{channels} oc40")
    answers = one_by_one(SIGNIFICAND[dtype])
    record = judged(case, dtype, "S", answers)
    assert (record.kind, record.accumulation) == ("precision", {"declared": "S", "measured": "B"})
    assert judged(case, dtype, "B", answers).verdict is Verdict.CONFORMS


def test_narrower_operands_are_of_class_c_in_any_dtype() -> None:
    def narrow(problem: Problem, arrays: Arrays) -> Array:
        x, weight, bias = arrays
        return oracle.expected(problem, rounded(8, x), rounded(8, weight), bias)

    case = case_of("i3 k2 ic3 oc4")
    for dtype in ("float16", "float32"):
        record = judged(case, dtype, "A", narrow)
        assert (record.kind, record.accumulation) == ("precision", {"declared": "A", "measured": "C"})
        assert record.deviation is not None
        assert record.deviation["cause"] == "as if x and weight had been rounded to the 8 bits of bfloat16"


@pytest.mark.parametrize("dtype", HALVES)
def test_a_wrong_answer_is_of_no_class(dtype: str) -> None:
    record = judged(STAMPS, dtype, "B", lambda problem, arrays: -oracle.expected(problem, *arrays))
    assert (record.verdict, record.kind, record.accumulation) == (Verdict.DIVERGES, "value", {"declared": "B"})


def test_where_zeros_would_be_within_class_b_nothing_is_judged() -> None:
    long = case_of("i1 k1 ic200 oc4")
    record = judged(long, "bfloat16", "B", one_by_one(8))
    assert (record.verdict, record.fails) == (Verdict.INCONCLUSIVE, False)
    assert record.message == ("class B has no bound for a sum of 200 products in bfloat16: zeros would be within it")
    assert judged(long, "bfloat16", "S", lambda p, a: rounded(8, oracle.expected(p, *a))).verdict is Verdict.CONFORMS
    assert [judges("B", "bfloat16", terms) for terms in (127, 128)] == [True, False]


@pytest.mark.parametrize("dtype", HALVES)
def test_where_class_b_judges_zeros_are_told(dtype: str) -> None:
    for case in SMALL:
        if judges("B", dtype, case.problem.terms):
            record = judged(case, dtype, "B", lambda problem, arrays: 0 * oracle.expected(problem, *arrays))
            assert record.verdict is Verdict.DIVERGES


def test_a_bias_that_is_added_behind_the_call_is_one_more_rounding() -> None:
    problem = Problem.parse("i1 k1 bias")
    arrays = Arrays(np.array([[[1.5]]]), np.array([[[1.25]]]), np.array([1.0]))
    exact = oracle.expected(problem, *arrays)
    inside, behind = (sums_of(problem, arrays, exact, late) for late in (0, 11))
    assert (limit("A", "float16", behind) > limit("A", "float16", inside)).all()
    assert (behind.native == exact - 1).all()


def test_classes_are_one_where_the_dtype_has_the_bits() -> None:
    case = SMALL[0]
    reference = compute(case)
    sums = sums_of(case.problem, reference.arrays, reference.expected)
    for dtype in ("float32", "float64"):
        assert all((limit(name, dtype, sums) == limit("A", dtype, sums)).all() for name in DECLARED)
        assert class_of(dtype, sums, reference.expected.astype(dtype), reference.expected) == "A"
    assert gamma(2.0**-8, np.array([256, 300])).min() > 1e280


def test_adapters_declare_known_classes_of_dtypes_that_they_have() -> None:
    for framework in adapters.own():
        declared = adapters._literal_or_none(framework, "ACCUMULATION")
        assert set(declared.values()) <= {*DECLARED}
        assert set(declared) == {dtype for dtype in adapters.dtypes(framework) if dtype in HALVES}


def test_the_order_of_classes_is_one() -> None:
    assert "".join(CLASSES) == change.CLASSES


def test_the_own_weights_of_a_model_have_no_half_precision() -> None:
    learnt = Rounded(Learnt("file", "w", "d", "i o k", reverse=False, bias=False))
    assert kind_of(CASES[0]).dtypes == HALVES
    assert kind_of(replace(CASES[0], subject=learnt)).dtypes == ()
