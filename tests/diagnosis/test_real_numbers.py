"""Real numbers: a right answer is never accused, a misreading is named, and what is not exact says so."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis import observation, search
from conformance.diagnosis.bounds import bounded
from conformance.diagnosis.diagnose import Diagnosis, diagnose, difference
from conformance.diagnosis.kept import Requantisation
from conformance.diagnosis.observation import DiagnosisError
from conformance.numerics.by_taps import stamped
from conformance.numerics.formats import BFLOAT16, FLOAT16, FLOAT32, rounded
from conformance.numerics.operands import Arrays
from conformance.problem import Problem
from tests.diagnosis.test_diagnose import CUBE, PLAIN, PLANTED, RICH, Plant
from tests.strategies import problems, seeds

Array = NDArray[Any]


def real(problem: Problem, seed: int = 0, dtype: str = "float32") -> Arrays:
    """Normal numbers in a format."""
    draw = np.random.default_rng(seed).normal
    bias = draw(size=problem.bias_shape).astype(dtype) if problem.bias else None
    return Arrays(draw(size=problem.input_shape).astype(dtype), draw(size=problem.weight_shape).astype(dtype), bias)


def computed(problem: Problem, arrays: Arrays, seed: int = 0) -> Array:
    """The answer as a framework may compute it in the operands' own format: term by term, in an order of its own."""
    x = arrays.x.reshape(problem.batch, problem.groups, problem.in_channels, *problem.input)
    weight = arrays.weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    random = np.random.default_rng(seed)
    full = np.zeros((problem.batch, problem.groups, problem.out_channels, *problem.full), arrays.x.dtype)
    taps = list(np.ndindex(problem.in_channels, *problem.kernel))
    for channel, *tap in (taps[number] for number in random.permutation(len(taps))):
        axes = zip(tap, problem.dilation, problem.input, problem.stride, strict=True)
        places: Any = tuple(slice(t * d, t * d + (i - 1) * s + 1, s) for t, d, i, s in axes)
        by = weight[(slice(None), channel, slice(None), *tap)][None, ..., *[None] * problem.rank]
        full[(..., *places)] += x[:, :, channel, None] * by
    widths = [(max(-lo, 0), max(-hi, 0)) for lo, hi in problem.window]
    full = np.pad(full.reshape(problem.batch, -1, *problem.full), [(0, 0), (0, 0), *widths])
    window: Any = (..., *(slice(max(lo, 0), max(lo, 0) + out)
                          for (lo, _), out in zip(problem.window, problem.output, strict=True)))  # fmt: skip
    answer: Array = full[window]
    return answer if arrays.bias is None else answer + arrays.bias.reshape(-1, *[1] * problem.rank)


def only(diagnoses: tuple[Diagnosis, ...]) -> Diagnosis:
    (diagnosis,) = diagnoses
    return diagnosis


@settings(deadline=None)
@given(problems(), seeds)
def test_a_right_answer_in_float32_is_never_accused(problem: Problem, seed: int) -> None:
    arrays = real(problem, seed)
    diagnosis = only(diagnose(problem, arrays, computed(problem, arrays, seed)))
    assert diagnosis.statements == ()
    assert diagnosis.nearness is None or diagnosis.nearness.units <= diagnosis.nearness.most


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("descriptor", [PLAIN, RICH, CUBE, "i4x4 k4 s2 p1 ic64 oc2 n2 bias"])
def test_a_right_answer_says_how_it_is_rounded(descriptor: str, dtype: str) -> None:
    problem = Problem.parse(descriptor)
    arrays = real(problem, dtype=dtype)
    diagnosis = only(diagnose(problem, arrays, computed(problem, arrays)))
    assert diagnosis.statements == ()
    assert diagnosis.nearness is not None
    assert 0 < diagnosis.nearness.units <= diagnosis.nearness.most
    assert str(diagnosis).startswith("equals the oracle within ")


@pytest.mark.parametrize("kept", [FLOAT16, BFLOAT16])
def test_an_answer_that_was_rounded_to_half_is_right_however_it_is_stored(kept: Any) -> None:
    problem = Problem.parse("i6x6 k4 s2 p1 ic32 oc4")

    def narrow(array: Array) -> Array:
        return array.astype(np.float16).astype(np.float32) if kept is FLOAT16 else rounded(8, array.astype(np.float32))

    x, weight, _ = real(problem)
    arrays = Arrays(narrow(x), narrow(weight), None)
    answer = narrow(oracle.expected(problem, *arrays.astype("float64")))
    for held, actual in (("", answer), (kept.name, answer), ("", answer.astype(np.float64))):
        diagnosis = only(diagnose(problem, arrays, actual, held))
        assert diagnosis.statements == ()
        assert f"rounding of {kept.name}, consistent with sums in float32" in str(diagnosis)


def test_float64_operands_of_an_answer_in_float32_count_as_rounded() -> None:
    problem = Problem.parse("i9 k1 ic1")
    arrays = real(problem, dtype="float64")
    answer = computed(problem, arrays.astype("float32"))
    assert only(diagnose(problem, arrays, answer)).statements == ()


def as_reals(text: str) -> bool:
    return "rounded to" not in text and "cut to" not in text  # whose plants need whole numbers


REAL_PLANTS = [planted for planted in PLANTED if as_reals(planted[0])]


@pytest.mark.parametrize(("text", "on", "plant"), REAL_PLANTS, ids=[f"{text}: {on}" for text, on, _ in REAL_PLANTS])
def test_names_a_planted_misreading_in_real_numbers(text: str, on: str, plant: Plant) -> None:
    problem = Problem.parse(on)
    arrays = real(problem)
    actual = plant(problem, arrays.astype("float64")).astype(np.float32)
    diagnoses = diagnose(problem, arrays, actual)
    assert (text,) in [diagnosis.statements for diagnosis in diagnoses]
    assert all(diagnosis.nearness is not None for diagnosis in diagnoses)


def test_names_inputs_that_were_rounded_to_tf32() -> None:
    problem = Problem.parse("i8x8 k3 s2 p1 ic16 oc8")
    arrays = real(problem)
    actual = oracle.expected(problem, rounded(11, arrays.x), rounded(11, arrays.weight), None).astype(np.float32)
    assert set(only(diagnose(problem, arrays, actual)).statements) == {
        "weight rounded to 11 bits (TF32, float16)", "input rounded to 11 bits (TF32, float16)",
    }  # fmt: skip


def test_one_wrong_value_is_not_rounding() -> None:
    problem = Problem.parse("i12x12 k4 s2 p1 ic4 oc3")
    arrays = real(problem)
    actual = computed(problem, arrays)
    actual[0, 1, 7, 3] *= 1 + 2e-5
    assert diagnose(problem, arrays, actual) == ()
    assert "1 of 1728 values differ by more than rounding can, first at (0, 1, 7, 3): " in difference(
        problem, arrays, actual
    )


def test_where_two_misreadings_fit_within_rounding_both_are_told() -> None:
    problem = Problem.parse("i2x2 k2 s2 ic4")
    arrays = real(problem)
    arrays.weight[..., 1] = np.nextafter(arrays.weight[..., 0], np.float32(9))  # all but symmetric on axis 1
    actual = oracle.expected(problem, arrays.x, np.flip(arrays.weight, 2), None).astype(np.float32)
    statements = [diagnosis.statements for diagnosis in diagnose(problem, arrays, actual)]
    assert statements == [("taps reversed on axis 0",), ("taps reversed on axes 0 and 1",)]


def test_a_bound_that_zeros_would_keep_judges_nothing() -> None:
    problem = Problem.parse("i4x4 k4 s2 p1 ic256")
    x, weight, _ = real(problem)
    arrays = Arrays(rounded(8, x), rounded(8, weight), None)
    noise = np.random.default_rng(0).uniform(1.03, 1.07, problem.output_shape)
    actual = rounded(8, oracle.expected(problem, *arrays) * noise).astype(np.float32)
    assert diagnose(problem, arrays, actual, "bfloat16") == ()
    assert "zeros would not be either" in difference(problem, arrays, actual, "bfloat16")


def test_data_that_is_exact_in_its_own_format_is_never_near() -> None:
    problem = Problem.parse("i5 k3 s2 ic2")
    arrays = Arrays(np.arange(10.0, dtype=np.float32).reshape(1, 2, 5) / 4, np.ones((2, 1, 3), np.float32), None)
    right = oracle.expected(problem, *arrays).astype(np.float32)
    assert only(diagnose(problem, arrays, right)).nearness is None
    assert diagnose(problem, arrays, np.nextafter(right, np.float32(99))) == ()


@pytest.mark.parametrize(
    ("descriptor", "x", "weight", "actual", "text"),
    [
        ("i3 k3 s2 p1:0", [0.1, 0.2, 0.3], [0.7, 0.11, 0.13], [0.07, 0.011, 0.153, 0.022, 0.236, 0.033],
         "equals the oracle with window (0, 1) for (1, 0) within rounding"),
        ("i3 k3 s2 p1:0", [0.1, 0.2, 0.3], [0.7, 0.11, 0.13], [0.011, 0.153, 0.022, 0.236, 0.033, 0.039],
         "equals the oracle within rounding"),
        ("i3 k4 s2 p1", [1, 2, 3], [1, 10, 100, 1000], [12, 120, 1203, 2030, 300, 0],
         "equals the oracle with the last 1 positions filled with zeros and input elements from 1 on put 1 early "
         "on axis 0"),
        ("i2 k2 s2 g2", [1, 2, 10, 20], [1, 3, 5, 7], [51, 73, 102, 146] * 2,
         "equals the oracle with groups ignored, the kernel repeated for every output"),
    ],
)  # fmt: skip
def test_answers_what_people_asked(
    descriptor: str, x: list[float], weight: list[float], actual: list[float], text: str
) -> None:
    problem = Problem.parse(descriptor)
    arrays = Arrays(np.array(x, np.float32).reshape(problem.input_shape),
                    np.array(weight, np.float32).reshape(problem.weight_shape), None)  # fmt: skip
    diagnosis = only(diagnose(problem, arrays, np.array(actual, np.float32).reshape(problem.output_shape)))
    assert str(diagnosis).startswith(text)


class TestIntegers:
    one = Problem.parse("i1 k1")

    def told(self, x: int, weight: int, actual: Any) -> str:
        arrays = Arrays(np.array([[[x]]], np.int8), np.array([[[weight]]], np.int8), None)
        given = np.array([[[actual]]])
        return " or ".join(map(str, diagnose(self.one, arrays, given))) or difference(self.one, arrays, given)

    def test_a_value_that_does_not_fit_is_saturated_or_wrapped(self) -> None:
        assert self.told(100, 2, np.int8(127)) == "equals the oracle with values saturated to int8"
        assert self.told(100, 2, np.int8(-56)) == "equals the oracle with values wrapped to int8"
        assert self.told(-100, 2, np.int8(-128)) == "equals the oracle with values saturated to int8"
        assert self.told(-1, 2, np.uint8(0)).endswith(" or equals the oracle with values saturated to uint8")
        assert self.told(-1, 2, np.uint8(254)) == "equals the oracle with values wrapped to uint8"

    def test_what_is_expected_is_told_in_a_type_that_holds_it(self) -> None:
        assert self.told(100, 2, np.int8(-55)).endswith("-55, expected 200")
        assert self.told(100, 2, np.int32(200)) == "equals the oracle"

    def test_saturation_is_told_beside_a_misreading(self) -> None:
        problem = Problem.parse("i6x6 k3 s2 ic4 oc3")
        random = np.random.default_rng(0)
        x, weight = (random.integers(-9, 10, shape, np.int8) for shape in (problem.input_shape, problem.weight_shape))
        actual = oracle.expected(problem, x.astype(int), np.flip(weight, 2).astype(int), None)
        clipped = np.clip(actual, -128, 127).astype(np.int8)
        assert (clipped != actual).any()
        assert only(diagnose(problem, Arrays(x, weight, None), clipped)).statements == (
            "taps reversed on axis 0", "values saturated to int8"
        )  # fmt: skip

    def test_sums_that_are_not_exact_in_float64_are_refused(self) -> None:
        arrays = Arrays(np.array([[[2**40 + 1]]]), np.array([[[2**30 + 1]]]), None)
        with pytest.raises(DiagnosisError, match="and whole numbers are exact up to"):
            diagnose(self.one, arrays, np.array([[[0]]]))


class TestRequantised:
    """Sums of integers that were divided by a scale, rounded, moved by a zero point and clipped."""

    problem = Problem.parse("i6x6 k3 s2 p1 ic4 oc3 bias")

    def arrays(self) -> Arrays:
        draw = np.random.default_rng(0).integers
        x, weight, bias = (draw(-99, 100, shape) for shape in (
            self.problem.input_shape, self.problem.weight_shape, self.problem.bias_shape))  # fmt: skip
        return Arrays(x, weight, bias)

    def kept(self, sums: Array, by: Requantisation, dtype: str = "int8") -> Array:
        """Rounded to the nearest number, ties to the even one, in whole numbers."""
        scale = Fraction(by.scale)
        rounded = np.array([round(Fraction(int(value)) / scale) for value in sums.ravel()]).reshape(sums.shape)
        bounds = np.iinfo(dtype)
        clipped: Array = np.clip(rounded + by.zero_point, bounds.min, bounds.max).astype(dtype)
        return clipped

    @pytest.mark.parametrize(
        ("scale", "zero_point", "dtype", "how"),
        [(2.0, -7, "int16", "ties to even"), (200.37, 128, "uint8", "no tie tells how ties are rounded"),
         (77.5, 0, "int8", "no tie tells how ties are rounded")],
    )  # fmt: skip
    def test_a_right_answer_says_how_it_was_requantised(
        self, scale: float, zero_point: int, dtype: str, how: str
    ) -> None:
        arrays, by = self.arrays(), Requantisation(scale, zero_point)
        actual = self.kept(oracle.expected(self.problem, *arrays), by, dtype)
        diagnosis = only(diagnose(self.problem, arrays, actual, by=by))
        assert diagnosis.statements == ()
        start = f"equals the oracle requantised by scale {scale:g} and zero point {zero_point}, {how} (worst at ("
        assert str(diagnosis).startswith(start)

    def test_ties_are_told_apart(self) -> None:
        problem, by = Problem.parse("i4 k1"), Requantisation(2.0)
        arrays = Arrays(np.array([[[3, 5, 7, -3]]]), np.array([[[1]]]), None)
        for values, how in (([2, 2, 4, -2], "ties to even"), ([2, 3, 4, -2], "ties away from zero")):
            assert how in str(only(diagnose(problem, arrays, np.array([[values]], np.int8), by=by)))
        assert diagnose(problem, arrays, np.array([[[1, 2, 3, -2]]], np.int8), by=by) == ()

    def test_one_value_that_is_off_by_one_is_not_right(self) -> None:
        arrays, by = self.arrays(), Requantisation(200.37, 3)
        actual = self.kept(oracle.expected(self.problem, *arrays), by)
        actual[0, 1, 2, 3] += 1
        assert diagnose(self.problem, arrays, actual, by=by) == ()
        value = actual[0, 1, 2, 3]
        assert f"1 of 363 values differ, first at (0, 1, 2, 3): {value}, expected {value - 1}" in difference(
            self.problem, arrays, actual, by=by
        )

    @pytest.mark.parametrize("name", ["taps reversed on axis 0", "bias ignored", "window"])
    def test_a_misreading_is_found_behind_it(self, name: str) -> None:
        arrays, by = self.arrays(), Requantisation(200.37, 3)
        read = {
            "taps reversed on axis 0": (self.problem, arrays._replace(weight=np.flip(arrays.weight, 2))),
            "bias ignored": (replace(self.problem, bias=False), arrays._replace(bias=None)),
            "window": (replace(self.problem, pads=((0, 2), (0, 2))), arrays),
        }
        problem, operands = read[name]
        actual = self.kept(oracle.expected(problem, *operands), by)
        (statement,) = only(diagnose(self.problem, arrays, actual, by=by)).statements
        assert statement.startswith(name)

    def test_a_scale_that_leaves_nothing_says_so(self) -> None:
        arrays, by = self.arrays(), Requantisation(1e9, 3)
        actual = self.kept(oracle.expected(self.problem, *arrays), by)
        assert [str(one) for one in diagnose(self.problem, arrays, actual, by=by)] == ["holds nothing but one number"]
        assert "this says nothing" in difference(self.problem, arrays, actual, by=by)

    @pytest.mark.parametrize(
        ("x", "actual", "message"),
        [(1, np.float32(2), "actual is float32, and a scale is of integers: give these, or no scale"),
         (0.3, np.int8(2), "no whole numbers, and a scale is of these: give them as they are quantised, x less its")],
    )  # fmt: skip
    def test_what_is_not_quantised_is_refused(self, x: Any, actual: Any, message: str) -> None:
        arrays = Arrays(np.array([[[x]]]), np.array([[[1]]]), None)
        with pytest.raises(DiagnosisError, match=message):
            diagnose(Problem.parse("i1 k1"), arrays, actual.reshape(1, 1, 1), by=Requantisation(0.5))


def test_an_infinity_stands_for_what_float16_cannot_hold() -> None:
    problem = Problem.parse("i3 k1")
    arrays = Arrays(np.array([[[300, 0.1, -300]]], np.float16), np.array([[[300]]], np.float16), None)
    right = np.array([[[np.inf, 30, -np.inf]]], np.float16)
    text = str(only(diagnose(problem, arrays, right)))
    assert "2 not finite, such as 90000 at (0, 0, 0), which is beyond float16" in text
    assert diagnose(problem, arrays, -right) == ()
    assert diagnose(problem, arrays, np.array([[[np.inf, np.inf, -np.inf]]], np.float16)) == ()


class TestBlanks:
    problem = Problem.parse("i4x3 k3 s2 p1 ic2 oc3 bias")

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_what_was_never_computed_has_no_story(self, dtype: str) -> None:
        arrays = real(self.problem, dtype=dtype)
        assert arrays.bias is not None
        shape = self.problem.output_shape
        for text, actual in {
            "holds nothing but zeros": np.zeros(shape, dtype),
            "holds nothing but the bias": np.zeros(shape, dtype) + arrays.bias.reshape(-1, 1, 1),
            "holds nothing but one number": np.full(shape, 3, dtype),
        }.items():
            assert [str(diagnosis) for diagnosis in diagnose(self.problem, arrays, actual)] == [text]

    def test_whole_numbers_have_none_either(self) -> None:
        random = np.random.default_rng(0)
        for descriptor in ("i5 k3 s2 p1 ic2 oc3 n2", "i3x4 k2x3 s2 op1 g2 oc2 n2 bias", "i4 k2 s2 p1"):
            problem = Problem.parse(descriptor)
            bias = random.integers(1, 9, problem.bias_shape) if problem.bias else None
            arrays = Arrays(
                random.integers(1, 9, problem.input_shape), random.integers(1, 9, problem.weight_shape), bias
            )
            zeros = diagnose(problem, arrays, np.zeros(problem.output_shape))
            assert "holds nothing but zeros" in map(str, zeros)
            assert all(len(diagnosis.statements) == 1 for diagnosis in zeros)


class TestLarge:
    problem = Problem.parse("i300x300 k5 s2 p1:2 ic2 oc4")

    def test_a_right_answer_of_usual_size_is_found(self) -> None:
        arrays = real(self.problem)
        assert only(diagnose(self.problem, arrays, computed(self.problem, arrays))).statements == ()

    def test_a_misreading_of_usual_size_is_found(self) -> None:
        arrays = real(self.problem)
        moved = Problem.parse("i300x300 k5 s2 p2:1 ic2 oc4")
        actual = computed(moved, arrays._replace(weight=np.flip(arrays.weight, 3)))
        assert only(diagnose(self.problem, arrays, actual)).statements == (
            "taps reversed on axis 1", "window (2, 1) x (2, 1) for (1, 2) x (1, 2)",
        )  # fmt: skip

    def test_the_definition_is_computed_once_for_what_nothing_explains(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole: list[tuple[int, ...]] = []

        def counted(x: Array, weight: Array, *rest: Any) -> Array:
            if weight.shape[2] == self.problem.out_channels:
                whole.append(weight.shape)
            return stamped(x, weight, *rest)

        monkeypatch.setattr(search, "stamped", counted)
        arrays = real(self.problem)
        actual = computed(self.problem, arrays)
        actual[0, 1, 7, 3] += 1
        assert diagnose(self.problem, arrays, actual) == ()
        assert len(whole) == 2  # the values, and the magnitudes that bound their rounding

    def test_says_what_was_not_searched(self) -> None:
        assert bounded(self.problem) == (
            "searched, since the array is large: statements alone and 2 at once, and windows that are moved by at most "
            "24; not searched: 3 at once, and windows further away"
        )
        assert "3 at once, two about an operand of more than 262144 elements, and windows" in bounded(
            Problem.parse("i99x99 k3 ic256")
        )
        assert bounded(Problem.parse("i4 k3")) == ""

    def test_whole_numbers_stay_exact(self) -> None:
        random = np.random.default_rng(0)
        arrays = Arrays(random.integers(-9, 10, self.problem.input_shape).astype(np.float32),
                        random.integers(-9, 10, self.problem.weight_shape).astype(np.float32), None)  # fmt: skip
        right = computed(self.problem, arrays)
        assert only(diagnose(self.problem, arrays, right)).nearness is None
        right[0, 3, 2, 2] += 1
        assert diagnose(self.problem, arrays, right) == ()


def test_operands_that_are_not_finite_are_refused() -> None:
    problem = Problem.parse("i3 k1")
    arrays = real(problem)
    arrays.x[0, 0, 1] = np.nan
    with pytest.raises(DiagnosisError, match=r"x is nan at \(0, 0, 1\): no sum with it can be judged"):
        diagnose(problem, arrays, np.zeros((1, 1, 3), np.float32))


def test_formats_hold_what_they_hold() -> None:
    values = np.array([1.0, 2.0**-130, 3.0e38, np.inf])
    assert FLOAT32.holds(values[[0, 1, 3]])
    assert not FLOAT32.holds(values)
    assert not FLOAT16.holds(values[2:])
    assert BFLOAT16.holds(np.array([257.0 - 1, 1.0078125, 0.0, np.nan]))
    assert not BFLOAT16.holds(np.array([257.0]))


class TestBlocks:
    """An array that memory does not take at once is judged by its out channels."""

    problem = Problem.parse("i6x5 k3 s2 p1 ic3 oc7 g2 n2 bias")

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(observation, "AT_ONCE", 1000)  # of 2,772 values

    def test_a_right_answer_is_right_in_every_block(self) -> None:
        arrays = real(self.problem)
        diagnosis = only(diagnose(self.problem, arrays, computed(self.problem, arrays)))
        assert (diagnosis.statements, diagnosis.searched) == ((), "")

    def test_the_worst_place_is_the_whole_arrays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        arrays = real(self.problem)
        actual = computed(self.problem, arrays)
        in_blocks = only(diagnose(self.problem, arrays, actual)).nearness
        monkeypatch.setattr(observation, "AT_ONCE", 2**20)
        assert only(diagnose(self.problem, arrays, actual)).nearness == in_blocks

    def test_a_misreading_is_sought_in_the_first_wrong_block_and_says_so(self) -> None:
        arrays = real(self.problem)
        wrong = computed(self.problem, arrays._replace(weight=np.flip(arrays.weight, 2)))
        actual = computed(self.problem, arrays)
        actual[:, [4, 5, 11, 12]] = wrong[:, [4, 5, 11, 12]]
        diagnosis = only(diagnose(self.problem, arrays, actual))
        assert diagnosis.searched == "out channels 4 to 5 of each group alone"
        assert str(diagnosis).startswith("equals the oracle with taps reversed on axis 0 within rounding (worst at (")
        assert diagnosis.nearness is not None
        assert diagnosis.nearness.at[1] in (4, 5, 11, 12)
        unlike = difference(self.problem, arrays, actual)
        assert unlike.startswith("360 of 2772 values differ by more than rounding can, first at (0, 4, 1, 0): ")


ONE = Problem.parse("i3 k1")


@pytest.mark.parametrize(
    ("x", "weight", "actual", "message"),
    [
        ([2**53 + 1, 1, 2], 1, [2**53, 1, 2], r"x is 9007199254740993 at \(0, 0, 0\) in int64, which float64 does not"),
        ([2**53, 1, 2], 1, [2**53 + 1, 1, 2], r"actual is 9007199254740993 at \(0, 0, 0\) in int64, which float64"),
        ([1e300, 2.0, 3.0], 1e300, [7.0, 2e300, 3e300], "sums of 'i3 k1' can be larger than float64 holds"),
        (np.array([1, 2, 3], np.longdouble) * np.longdouble("1e400"), 1, [1, 2, 3], r"x is 1e\+400 at \(0, 0, 0\)"),
    ],
)
def test_what_float64_does_not_hold_is_refused_and_never_called_right(
    x: Any, weight: Any, actual: Any, message: str
) -> None:
    arrays = Arrays(np.array([[x]]), np.array([[[weight]]]), None)
    with pytest.raises(DiagnosisError, match=message):
        diagnose(ONE, arrays, np.array([[actual]]))


def test_the_largest_whole_numbers_that_float64_holds_are_right() -> None:
    arrays = Arrays(np.array([[[2**53, 1, -(2**53)]]]), np.ones((1, 1, 1), int), None)
    (right,) = diagnose(ONE, arrays, arrays.x)
    assert right.statements == ()
    assert diagnose(ONE, arrays, np.array([[[2**53 - 1, 1, -(2**53)]]])) == ()


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (lambda y: 2 * y, "every value times 2"),
        (lambda y: -y, "every value negated"),
        (lambda y: y / 9, "every value times 0.111111111"),
        (lambda y: y * np.float32(0.0392), "every value times 0.0392"),
        (lambda y: np.maximum(y, 0), "negative values clipped to 0 (a ReLU)"),
        (lambda y: np.clip(y, 0, 6), "values clipped to 0 and 6 (a ReLU6)"),
        (lambda y: np.where(y < 0, np.float32(0.01) * y, y), "negative values times 0.01 (a leaky ReLU)"),
        (lambda y: np.where(y < 0, np.float32(0.2) * y, y), "negative values times 0.2 (a leaky ReLU)"),
    ],
)
def test_what_was_done_to_every_value_is_named(done: Callable[[Array], Array], said: str) -> None:
    problem = Problem.parse("i6x7 k4 s2 p1 ic4 oc3 bias")
    arrays = real(problem)
    actual = done(computed(problem, arrays)).astype(np.float32)
    (diagnosis,) = diagnose(problem, arrays, actual)
    assert diagnosis.statements == (said,)


def test_what_nothing_gives_is_said_with_its_largest_deviation() -> None:
    problem = Problem.parse("i6x7 k4 s2 p1 ic4 oc3")
    arrays = real(problem)
    actual = np.tanh(computed(problem, arrays))
    assert diagnose(problem, arrays, actual) == ()
    apart = np.abs(actual - oracle.expected(problem, *arrays))
    at = tuple(map(int, np.unravel_index(apart.argmax(), actual.shape)))
    said = difference(problem, arrays, actual).partition("; largest deviation at ")[2]
    assert said.startswith(f"{at}: {actual[at]:.9g}, expected -13.141")


def test_sums_that_were_requantised_and_wrapped_are_told_from_clipped_ones() -> None:
    problem = Problem.parse("i5x5 k3 s2 ic3 oc2")
    random = np.random.default_rng(0)
    x, weight = (
        random.integers(-128, 128, shape).astype("i1") for shape in (problem.input_shape, problem.weight_shape)
    )
    quotient = np.rint(oracle.expected(problem, x.astype(float), weight.astype(float), None) / 200)
    assert np.abs(quotient).max() > 128
    for actual, statements in (
        (np.clip(quotient, -128, 127), ()),
        (np.mod(quotient + 128, 256) - 128, ("values wrapped to int8",)),
    ):
        (diagnosis, *_) = diagnose(problem, Arrays(x, weight, None), actual.astype("i1"), by=Requantisation(200))
        assert diagnosis.statements == statements
