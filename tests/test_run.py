"""The flow of one lane, on adapters that are small, in NumPy, and mostly wrong on purpose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from conformance import oracle
from conformance.adapters.base import Call, Lane, Unsupported, Widened, extends, finish
from conformance.diagnosis.explain import sentences
from conformance.numerics.deviation import fingerprint
from conformance.numerics.operands import INTEGERS, SIGNIFICAND
from conformance.problem import Problem, Window
from conformance.processes.attempt import LONGEST_MESSAGE
from conformance.records.record import Record, Verdict
from conformance.run import Job, Result, evaluate
from conformance.suites.case import Case
from conformance.suites.references import compute
from tests import strategies
from tests.strategies import operands, seeds

Array = NDArray[Any]
LANE = Lane("fake", "eager")


class RefusalError(Exception):
    """What the fake framework raises where it refuses."""


@dataclass
class Fake:
    """An adapter over the oracle; `change` is applied to every array that it answers."""

    change: Callable[[Array], Any] = lambda y: y
    BLOCK: int = 1
    REFUSALS: tuple[type[Exception], ...] = (RefusalError,)
    VARIANTS: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"eager": {}})
    blocks: list[int] = field(default_factory=list)

    def describe(self) -> Mapping[str, str]:
        return {}

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        def stamp(x: Array, weight: Array, *, bias: Array | None) -> Any:
            return self.change(oracle.expected(problem, x, weight, bias))

        return Call(stamp, (x, weight), {"bias": bias})

    def run(self, calls: Sequence[Call]) -> Sequence[Array]:
        self.blocks.append(len(calls))
        return [call() for call in calls]

    def array(self, result: Array) -> Array:
        return result

    def tensor(self, array: Array) -> Any:
        return array


@dataclass
class Half(Fake):
    """An adapter that computes in half precision too: what it casts to bfloat16 is answered in bfloat16."""

    DTYPES: tuple[str, ...] = ("bfloat16", "float16", "float32", "float64")
    casts: list[str] = field(default_factory=list)

    def cast(self, call: Call, dtype: str) -> Call:
        self.casts.append(dtype)
        return replace(call, function=lambda *given, **options: Widened(call.function(*given, **options), dtype))


def job(descriptor: str = "i3 k2 s2 oc2 bias", dtype: str = "float32", case_id: str = "one") -> Job:
    problem = Problem.parse(descriptor)
    case = Case(case_id, problem, descriptor, "a reason", ("window",), "here.toml")
    return Job(case, dtype, compute(case, dtype))


def result(adapter: Fake, given: Job | None = None) -> Result:
    (only,) = evaluate(LANE, adapter, [given or job()])
    return only


def raising(error: Exception) -> Callable[[Array], Array]:
    def change(_: Array) -> Array:
        raise error

    return change


def off_by_one(y: Array) -> Array:
    y.flat[-1] += 1
    return y


def with_nan(y: Array) -> Array:
    y.flat[1] = np.nan
    return y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_answer_conforms_with_its_evidence(dtype: str) -> None:
    given = job("i3 k2 s2 oc2 bias", dtype)
    record, arrays = result(Fake(), given)
    digest = fingerprint(given.reference.expected.astype(dtype))
    bits = {"float32": 24, "float64": 53}[dtype]
    assert record == Record(
        "fake", "eager", "one", dtype, "forward", "i3 k2 s2 oc2 bias", Verdict.CONFORMS,
        certificate={"largest": given.reference.largest, "bits": bits, "terms": given.reference.terms},
        actual=digest, expected=digest, seconds=record.seconds,
    )  # fmt: skip
    assert record.seconds >= 0
    assert arrays == {}


@pytest.mark.parametrize(("dtype", "bits", "casts"), [("float16", 11, []), ("bfloat16", 8, ["bfloat16"])])
def test_right_answer_in_half_precision_conforms_and_no_cast_assists(dtype: str, bits: int, casts: list[str]) -> None:
    adapter = Half()
    record = result(adapter, job(dtype=dtype)).record
    assert (record.verdict, record.dtype, record.composed) == (Verdict.CONFORMS, dtype, ())
    assert record.certificate is not None
    assert record.certificate["largest"] <= 1 << record.certificate["bits"] == 1 << bits
    assert adapter.casts == casts


def test_wrong_answer_in_bfloat16_diverges() -> None:
    record, arrays = result(Half(off_by_one), job(dtype="bfloat16"))
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, "value")
    assert arrays["actual"].dtype == arrays["expected"].dtype == np.float32


def test_an_answer_in_another_dtype_than_bfloat16_diverges() -> None:
    class Unwidened(Half):
        def array(self, result: Any) -> Any:
            return result.array

    record = result(Unwidened(), job(dtype="bfloat16")).record
    assert (record.kind, record.message) == ("dtype", "dtype is float32, expected bfloat16")


def test_an_answer_in_bfloat16_to_a_call_in_float32_diverges() -> None:
    class Widening(Fake):
        def array(self, result: Any) -> Any:
            return Widened(result, "bfloat16")

    record = result(Widening(), job()).record
    assert (record.kind, record.message) == ("dtype", "dtype is bfloat16, expected float32")
    assert record.composed == ("bfloat16 as float32",)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_that_an_adapter_does_not_name_is_unsupported(dtype: str) -> None:
    record = result(Fake(), job(dtype=dtype)).record
    assert record.verdict is Verdict.UNSUPPORTED
    assert record.message == f"it computes in float32, float64, not in {dtype}"


def test_an_answer_that_cannot_become_an_array_is_no_refusal_in_half_precision() -> None:
    class Unreadable(Half):
        def array(self, result: Any) -> Any:
            raise RefusalError("unsupported ScalarType BFloat16")

    record = result(Unreadable(), job(dtype="bfloat16")).record
    assert record.verdict is Verdict.ERRORED
    assert record.message == "converting: RefusalError: unsupported ScalarType BFloat16"


@dataclass
class Whole(Fake):
    """An adapter that computes in integers, too, in the dtype of its operands."""

    DTYPES: tuple[str, ...] = ("float32", *INTEGERS)

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        call = super().translate(problem, x, weight, bias)
        return replace(call, function=lambda *given, **options: call.function(*given, **options).astype(x.dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_right_answer_in_integers_conforms(dtype: str) -> None:
    record = result(Whole(), job(dtype=dtype)).record
    assert (record.verdict, record.dtype, record.composed) == (Verdict.CONFORMS, dtype, ())
    assert record.certificate is not None
    assert record.certificate["largest"] < 1 << record.certificate["bits"] == 1 << SIGNIFICAND[dtype]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_wrong_answer_in_integers_diverges_and_is_explained(dtype: str) -> None:
    class Reversing(Whole):
        def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
            return super().translate(problem, x, weight[..., ::-1], bias)

    given = job("i3 k3 s2 oc2 bias", dtype)
    record, arrays = result(Reversing(), given)
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, "value")
    assert arrays["actual"].dtype == arrays["expected"].dtype == dtype
    (said,) = sentences(given.case.problem, given.reference.arrays, arrays["actual"])
    assert said == "equals the oracle with taps reversed on axis 0"


def test_an_answer_in_a_wider_integer_diverges() -> None:
    class Wide(Whole):
        def array(self, result: Any) -> Any:
            return result.astype("int32")

    record = result(Wide(), job(dtype="int8")).record
    assert (record.kind, record.message) == ("dtype", "dtype is int32, expected int8")


def test_a_difference_of_integers_does_not_wrap_around() -> None:
    def opposite(y: Array) -> Array:
        return np.where(y > 0, -128, 127)

    record, arrays = result(Whole(opposite), job(dtype="int8"))
    assert record.deviation is not None
    difference = np.abs(arrays["actual"].astype(int) - arrays["expected"].astype(int))
    assert float(record.deviation["largest"]) == difference.max() > 127


@pytest.mark.parametrize(("channels", "exact"), [(127, True), (128, False)])
def test_in_int8_a_sum_has_127_terms_at_most(channels: int, exact: bool) -> None:
    record = result(Whole(), job(f"i3 k1 ic{channels}", "int8")).record
    assert record.verdict is (Verdict.CONFORMS if exact else Verdict.INCONCLUSIVE)
    assert record.undrawn is not exact
    assert not record.fails


def test_where_no_operands_are_exact_nothing_is_judged_and_nobody_fails() -> None:
    record = result(Half(off_by_one), job("i3 k1 ic577", "bfloat16")).record
    assert record.verdict is Verdict.INCONCLUSIVE
    assert record.message.startswith("data is not exact in bfloat16")
    assert record.undrawn
    assert not record.fails
    assert not replace(record, certificate=None).undrawn
    assert replace(record, certificate=None).fails


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 8), ("float16", 11), ("float32", 24), ("float64", 53)])
def test_operands_that_are_not_exact_though_others_could_be_fail_a_run(dtype: str, bits: int) -> None:
    def record(terms: int) -> Record:
        held = {"largest": (1 << bits) + 1, "bits": bits, "terms": terms}
        return Record("zeros", "eager", "a", dtype, "forward", "i3", Verdict.INCONCLUSIVE, certificate=held)

    assert record(1 << bits).fails
    assert not record((1 << bits) + 1).fails


def test_negative_zero_conforms() -> None:
    given = job("i1 k1 s2 op1", "float64")  # one product, then a zero
    assert given.reference.expected[0, 0, 1] == 0
    record, _ = result(Fake(lambda y: np.where(y == 0, -0.0, y)), given)
    assert record.verdict is Verdict.CONFORMS
    assert record.actual == record.expected


@pytest.mark.parametrize(
    ("change", "kind", "message", "count"),
    [
        (lambda y: y[..., :-1], "shape", "shape is (1, 2, 5), expected (1, 2, 6)", None),
        (lambda y: y[0], "shape", "shape is (2, 6), expected (1, 2, 6)", None),
        (lambda y: np.sign(y).astype("float16"), "dtype", "dtype is float16, expected float32", None),
        (lambda y: y.astype("float64"), "dtype", "dtype is float64, expected float32", None),
        (with_nan, "nonfinite", "1 of 12 values differ, first at (0, 0, 1): nan, expected", 1),
        (off_by_one, "value", "1 of 12 values differ, first at (0, 1, 5): ", 1),
        (lambda y: y[:, ::-1], "value", "12 of 12 values differ, first at (0, 0, 0): ", 12),
    ],
)
def test_wrong_answer_diverges(change: Callable[[Array], Array], kind: str, message: str, count: int | None) -> None:
    given = job()
    record, arrays = result(Fake(change), given)
    expected = given.reference.expected.astype("float32")
    actual = change(expected.copy())
    assert (record.verdict, record.kind) == (Verdict.DIVERGES, kind)
    assert record.message.startswith(message)
    assert (record.deviation or {}).get("count") == count
    assert record.call.startswith("stamp([1, 1, 3], [1, 2, 2], bias=")
    assert record.expected == fingerprint(expected)
    assert record.actual == fingerprint(actual) != record.expected
    assert set(arrays) == {"actual", "expected"}
    np.testing.assert_array_equal(arrays["actual"], actual)
    np.testing.assert_array_equal(arrays["expected"], expected)


@pytest.mark.parametrize("number", range(12))
def test_every_element_is_compared(number: int) -> None:
    def change(y: Array) -> Array:
        y.flat[number] += 2
        return y

    deviation = result(Fake(change)).record.deviation
    assert deviation is not None
    assert deviation["index"] == (0, number // 6, number % 6)
    assert deviation["largest"] == "2"


@pytest.mark.parametrize(
    ("error", "verdict", "message"),
    [
        (RefusalError("no groups"), Verdict.REJECTS, "RefusalError: no groups"),
        (RefusalError(), Verdict.REJECTS, "RefusalError: "),
        (RefusalError("first\nsecond"), Verdict.REJECTS, "RefusalError: first"),
        (RefusalError("\n\n  third  \n"), Verdict.REJECTS, "RefusalError: third"),
        (RefusalError("Traceback (most):\n  File\nKeyError: 3"), Verdict.REJECTS, "RefusalError: KeyError: 3"),
        (RefusalError("RefusalError: twice"), Verdict.REJECTS, "RefusalError: twice"),
        (RefusalError("{{function_node __x}} node"), Verdict.REJECTS, "RefusalError: node"),
        (MemoryError("big"), Verdict.INCONCLUSIVE, "memory ran out on this machine: MemoryError: big"),
        (ZeroDivisionError(), Verdict.ERRORED, "ZeroDivisionError: "),
        (Unsupported("late"), Verdict.ERRORED, "Unsupported: late"),
    ],
)
def test_exception_ends_in_a_verdict(error: Exception, verdict: Verdict, message: str) -> None:
    record, arrays = result(Fake(raising(error)))
    assert (record.verdict, record.message) == (verdict, message)
    assert record.call.startswith("stamp([1, 1, 3], [1, 2, 2]")
    assert (record.actual, record.expected, record.deviation, record.certificate) == ("", "", None, None)
    assert arrays == {}


def test_long_message_is_cut() -> None:
    record = result(Fake(raising(RefusalError("x" * 5000)))).record
    assert record.message == "RefusalError: " + "x" * LONGEST_MESSAGE


class Translating(Fake):
    """Raises while it translates."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        if problem.groups > 1:
            raise self.error
        return super().translate(problem, x, weight, bias)


@pytest.mark.parametrize(
    ("error", "verdict", "message"),
    [
        (Unsupported("groups need a loop"), Verdict.UNSUPPORTED, "groups need a loop"),
        (KeyError("g"), Verdict.ERRORED, "translating: KeyError: 'g'"),
        (RefusalError("early"), Verdict.ERRORED, "translating: RefusalError: early"),
    ],
)
def test_problem_without_a_call_has_a_reason(error: Exception, verdict: Verdict, message: str) -> None:
    jobs = [job(case_id="before"), job("i3 k2 g2", case_id="groups"), job("i3 k3", case_id="after")]
    records = [each.record for each in evaluate(LANE, Translating(error), jobs)]
    assert [record.case for record in records] == ["before", "groups", "after"]
    assert [record.verdict for record in records] == [Verdict.CONFORMS, verdict, Verdict.CONFORMS]
    assert (records[1].message, records[1].call) == (message, "")


@pytest.mark.parametrize(
    ("dtype", "largest", "verdict"),
    [
        ("float32", 2**24, Verdict.CONFORMS),
        ("float32", 2**24 + 1, Verdict.INCONCLUSIVE),
        ("float64", 2**24 + 1, Verdict.CONFORMS),
        ("float64", 2**53 + 1, Verdict.INCONCLUSIVE),
    ],
)
def test_answer_without_a_certificate_is_inconclusive(dtype: str, largest: int, verdict: Verdict) -> None:
    given = job(dtype=dtype)
    given = given._replace(reference=given.reference._replace(largest=largest))
    record = result(Fake(), given).record
    assert record.verdict is verdict
    if verdict is Verdict.INCONCLUSIVE:
        assert str(largest) in record.message
        assert dtype in record.message


def test_jobs_are_answered_in_order() -> None:
    jobs = [job(f"i{n} k3 s2", case_id=f"case-{n}") for n in range(1, 9)]
    adapter = Fake(BLOCK=8)
    results = evaluate(LANE, adapter, jobs)
    assert [each.record.case for each in results] == [each.case.id for each in jobs]
    assert {each.record.verdict for each in results} == {Verdict.CONFORMS}
    assert adapter.blocks == [8]


def test_no_jobs_have_no_results() -> None:
    assert evaluate(LANE, Fake(), []) == []


def test_failing_block_is_tried_one_by_one() -> None:
    def refuse_long(y: Array) -> Array:
        if y.shape[-1] == 9:
            raise RefusalError("too long")
        if y.shape[-1] == 11:
            raise MemoryError
        return y

    jobs = [job(f"i{n} k3 s2", case_id=f"case-{n}") for n in range(1, 7)]
    adapter = Fake(refuse_long, BLOCK=6)
    verdicts = [each.record.verdict for each in evaluate(LANE, adapter, jobs)]
    good = Verdict.CONFORMS
    assert verdicts == [good, good, good, Verdict.REJECTS, Verdict.INCONCLUSIVE, good]
    assert adapter.blocks == [6, 1, 1, 1, 1, 1, 1]


class Answering(Fake):
    """Gives back something of its own in place of arrays."""

    def __init__(self, answers: Callable[[Sequence[Array]], Any]) -> None:
        super().__init__(BLOCK=3)
        self.answers = answers

    def run(self, calls: Sequence[Call]) -> Sequence[Array]:
        given: Sequence[Array] = self.answers(super().run(calls))
        return given


@pytest.mark.parametrize(
    "answers",
    [
        lambda arrays: arrays[:-1],
        lambda arrays: [],
        lambda arrays: [*arrays, arrays[0]],
        lambda arrays: [None for _ in arrays],
        lambda arrays: [array.tolist() for array in arrays],
        lambda arrays: [array.astype(object) for array in arrays],
        lambda arrays: [array.astype(str) for array in arrays],
        lambda arrays: None,
    ],
    ids=["one too few", "none", "one too many", "nothing each", "lists", "objects", "strings", "nothing"],
)
def test_malformed_answer_fails_its_jobs_and_not_the_run(answers: Callable[[Sequence[Array]], Any]) -> None:
    jobs = [job(f"i{n} k3 s2", case_id=f"case-{n}") for n in (1, 2, 3)]
    records = [each.record for each in evaluate(LANE, Answering(answers), jobs)]
    assert [record.case for record in records] == ["case-1", "case-2", "case-3"]
    assert any(record.verdict.fails for record in records)


class Spy(Fake):
    """Keeps whatever it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        self.seen.append((problem, x.copy(), weight.copy(), None if bias is None else bias.copy()))
        call = super().translate(problem, x, weight, bias)
        for array in (x, weight):
            array[...] = 0  # a framework that writes to its operands
        return call


def test_adapter_sees_the_problem_and_the_operands_and_nothing_else() -> None:
    given = job()
    poisoned = given._replace(reference=given.reference._replace(expected=given.reference.expected * 0 + 77))
    seen = []
    for each in (given, poisoned):
        spy = Spy()
        evaluate(LANE, spy, [each])
        seen.append(spy.seen)
    assert len(seen[0]) == len(seen[1]) == 1
    for first, second, operand in zip(seen[0][0], seen[1][0], (None, *given.reference.arrays), strict=True):
        np.testing.assert_array_equal(first, second)
        if operand is not None:
            np.testing.assert_array_equal(first, operand)
            assert first.dtype == np.float32
    assert seen[0][0][0] is given.case.problem


def test_adapter_that_writes_to_its_operands_harms_no_other_job() -> None:
    given = job()
    before = [array.copy() for array in given.reference.arrays if array is not None]
    evaluate(LANE, Spy(), [given])
    for array, copy in zip((array for array in given.reference.arrays if array is not None), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert result(Fake(), given).record.verdict is Verdict.CONFORMS


class Composing(Fake):
    """Leaves all that it can to `finish`: the window and the bias."""

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        whole = Problem.of(
            problem.input, problem.kernel, problem.stride, dilation=problem.dilation, groups=problem.groups,
            in_channels=problem.in_channels, out_channels=problem.out_channels, batch=problem.batch,
        )  # fmt: skip

        def stamp(x: Array, weight: Array) -> Array:
            return oracle.expected(whole, x, weight, None)

        return Call(stamp, (x, weight), window=problem.window, bias=bias, prepared=("reversed kernel",))


@pytest.mark.parametrize(
    "descriptor", ["i3 k3 s2 p1 oc2 bias", "i3x4 k2x3 s2 p-1:2x1:-1 oc2 bias", "i3 k1 s3 op2 oc2 bias"]
)
def test_composed_answer_conforms_and_says_what_assisted(descriptor: str) -> None:
    record = result(Composing(), job(descriptor)).record
    assert record.verdict is Verdict.CONFORMS
    assert record.composed == ("reversed kernel", "crop", "bias")


def test_assistance_is_recorded_where_the_call_fails() -> None:
    class Failing(Composing):
        def run(self, calls: Sequence[Call]) -> Sequence[Array]:
            raise RefusalError("no")

    assert result(Failing()).record.composed == ("reversed kernel", "crop", "bias")


def test_answer_that_cannot_be_finished_is_an_error() -> None:
    class Flat(Composing):
        def run(self, calls: Sequence[Call]) -> Sequence[Array]:
            return [array[..., 0] for array in super().run(calls)]

    record = result(Flat()).record
    assert record.verdict is Verdict.ERRORED
    assert record.message.startswith("finishing: ValueError: an answer of ")


@given(strategies.problems(), seeds)
def test_finish_cuts_the_window_and_then_adds_the_bias(problem: Problem, seed: int) -> None:
    x, weight, bias = operands(problem, seed)
    call = Composing().translate(problem, x, weight, bias)
    actual = finish(call, call())
    assert actual.shape == problem.output_shape
    np.testing.assert_array_equal(actual, oracle.expected(problem, x, weight, bias))


@pytest.mark.parametrize(
    ("window", "beyond"),
    [(((0, 0),), False), (((1, 2),), False), (((-1, 2),), True), (((1, -2),), True), (((0, 0), (0, -1)), True)],
)
def test_negative_window_reaches_beyond_the_stamp(window: Window, beyond: bool) -> None:
    assert extends(window) is beyond


def test_native_answer_is_finished_as_it_is() -> None:
    array = np.arange(6.0).reshape(1, 2, 3)
    assert finish(Call(np.abs, (array,)), array) is array


def test_call_is_a_line_of_code_with_shapes_for_operands() -> None:
    call = Call(np.pad, (np.zeros((2, 3)), None), {"mode": "edge", "width": (1, 2)})
    assert str(call) == "pad([2, 3], [], mode='edge', width=(1, 2))"
    assert call.composed == ()


def test_answers_keep_what_the_certificate_needs() -> None:
    answer = job("i2 k2", "float64").reference
    x, w = (np.abs(array.ravel()) for array in answer.arrays[:2])
    assert answer.terms == 2
    assert answer.largest == max(x[0] * w[0], x[0] * w[1] + x[1] * w[0], x[1] * w[1])
