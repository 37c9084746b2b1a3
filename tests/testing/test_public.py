"""The public names: what they are, what they cost, and what each says of what it cannot take."""

import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conformance
from conformance import (
    CaseError,
    CheckError,
    NonconformityError,
    Problem,
    ProblemError,
    assert_conforms,
    cases,
    diagnose,
    expected,
    oracle,
)

CASE = next(case for case in cases("smoke") if case.problem.rank == 2 and min(case.problem.kernel) > 1)
X, WEIGHT, BIAS = CASE.arrays("float32")


class Foreign:
    """An array of another library, which NumPy reads by its method."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        return self.array


class Capsule:
    """An array of another library that has DLPack alone."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class Wanted(Foreign):
    """An array as PyTorch has it where a gradient is wanted: it is read only once it is detached."""

    requires_grad = True

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self) -> Foreign:
        return Foreign(self.array)


def test_the_public_names_are_these_and_have_types_and_words() -> None:
    assert conformance.__all__ == [
        "CaseError", "CheckError", "DiagnosisError", "NonconformityError", "Problem", "ProblemError",
        "assert_conforms", "cases", "check", "diagnose", "expected",
    ]  # fmt: skip
    for name in conformance.__all__:
        value = getattr(conformance, name)
        assert value.__doc__, name
        assert name in dir(conformance)
        if name.islower():
            hints = typing.get_type_hints(value)
            assert "return" in hints, name
    assert all(issubclass(getattr(conformance, name), ValueError | AssertionError)
               for name in conformance.__all__ if name.endswith("Error"))  # fmt: skip


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'conformance' has no attribute 'golden'"):
        conformance.golden  # type: ignore[attr-defined]  # noqa: B018  # that there is none is what is tested


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import conformance; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['conformance']\n"


def test_a_case_puts_its_problem_to_a_function_as_check_does() -> None:
    def function(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
        return Foreign(oracle.conv_transpose(x, weight, bias, **options).astype(x.dtype))

    for case in cases("smoke"):
        for dtype in ("float32", "float64"):
            assert_conforms(case.answer(function, dtype), case, dtype)
    channels_last = CASE.answer(lambda x, weight, bias, **options: np.zeros((*CASE.expected.shape[:1], 9, 9, 1)),
                                data="n k c")  # fmt: skip
    assert channels_last.shape[:2] == (CASE.problem.batch, 1)


def test_a_case_that_a_function_has_no_argument_for_is_named() -> None:
    strided = next(case for case in cases("smoke") if set(case.problem.stride) != {1})
    with pytest.raises(CaseError, match=f"{strided.id}: the function takes no stride: leave the case out"):
        strided.answer(lambda x, weight, bias: x)
    with pytest.raises(CheckError, match="the data layout 'c k': give one such as 'n c k'"):
        CASE.answer(lambda x, weight, bias, **options: x, data="c k")


def test_a_case_has_operands_and_their_answer_in_every_dtype() -> None:
    for dtype in ("float32", "float64"):
        x, weight, bias = CASE.arrays(dtype)
        assert {x.dtype, weight.dtype} == {np.dtype(dtype)}
        assert_conforms(expected(CASE.problem, x, weight, bias).astype(dtype), CASE, dtype)
    assert CASE.expected.dtype == np.int64
    CASE.expected[...] = 0
    CASE.arrays()[0][...] = 0
    assert np.array_equal(expected(str(CASE.problem), X, WEIGHT, BIAS), CASE.expected)


@pytest.mark.parametrize("case", cases("smoke")[:3])
def test_cases_are_parameters_with_their_ids(case: Any, request: pytest.FixtureRequest) -> None:
    assert request.node.name.endswith(f"[{case.id}]")
    assert_conforms(expected(case.problem, *case.arrays()).astype("float32"), case)


@pytest.mark.parametrize("library", [Foreign, Capsule, Wanted])
def test_arrays_of_any_library_are_read(library: Any) -> None:
    y = expected(CASE.problem, library(X), library(WEIGHT), BIAS if BIAS is None else library(BIAS))
    assert_conforms(library(y.astype("float32")), CASE)


def test_the_failure_text_is_the_diagnosis() -> None:
    wrong = expected(CASE.problem, X, np.flip(WEIGHT, -1), BIAS).astype("float32")
    with pytest.raises(NonconformityError) as error:
        assert_conforms(wrong, CASE)
    text = str(error.value)
    assert text.splitlines()[0].startswith(f"{CASE.id}: value: ")
    assert "equals the oracle with taps reversed on axis 1" in text
    assert f"problem: {CASE.problem}, in float32" in text
    assert next(str(found) for found in diagnose(wrong, CASE.problem, X, WEIGHT, BIAS)) in text


def test_explanations_are_printed_as_sentences_and_shown_as_rows() -> None:
    wrong = expected(CASE.problem, X, np.flip(WEIGHT, -1), BIAS).astype("float32")
    found = diagnose(wrong, CASE.problem, X, WEIGHT, BIAS)
    assert str(found) == "\n".join(str(one) for one in found) != ""
    assert "(misreadings=" not in str(found)
    assert found._repr_html_().count("<tr>") == len(found)
    none = diagnose(wrong + 0.5, CASE.problem, X, WEIGHT, BIAS)
    assert (len(none), str(none)) == (0, "no small misreading of the problem gives it")
    assert "no small misreading" in none._repr_html_()


RIGHT = CASE.expected.astype("float32")


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (RIGHT.astype("float64"), "dtype is float64, expected float32"),
        (RIGHT[0], "shape is "),
        (RIGHT.tolist(), "actual is a list: give an array"),
        (None, "actual is a NoneType: give an array"),
        (np.ma.masked_array(RIGHT), "actual is a masked array: give a plain one"),
        (RIGHT.astype(object), "actual is an array of object: give one of numbers"),
        (np.full_like(RIGHT, np.nan), "nonfinite: "),
        (np.zeros_like(RIGHT), "nothing but zeros"),
    ],
    ids=["wider", "rank", "list", "none", "masked", "object", "nan", "zeros"],
)
def test_what_is_no_answer_is_a_failure_that_says_so(actual: Any, words: str) -> None:
    with pytest.raises(NonconformityError) as error:
        assert_conforms(actual, CASE)
    assert words in str(error.value)
    assert CASE.id in str(error.value)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lambda: expected("i5 k3", X, WEIGHT), "x is "),
        (lambda: expected("i5 q3", X, WEIGHT), "is not a field"),
        (lambda: expected("i5 k3 s0", X, WEIGHT), "stride 0 on axis 0 must be at least 1"),
        (lambda: expected(5, X, WEIGHT), "problem is a int: give a Problem"),  # type: ignore[arg-type]  # on purpose
        (lambda: expected(CASE.problem, X.tolist(), WEIGHT), "x is a list: give an array"),
        (lambda: expected(CASE.problem, None, WEIGHT), "x is missing"),
        (lambda: diagnose(X > 0, CASE.problem, X, WEIGHT, BIAS), "actual is an array of bool"),
    ],
)
def test_arrays_that_are_not_of_a_problem_are_refused_by_name(asked: Any, words: str) -> None:
    with pytest.raises(ProblemError) as error:
        asked()
    assert words in str(error.value)


def test_a_suite_or_dtype_that_there_is_not_is_named() -> None:
    with pytest.raises(conformance.CaseError, match="there is no suite 'smok', the nearest is 'smoke'"):
        cases("smok")
    with pytest.raises(conformance.CaseError, match="'rounding' are not judged by equal arrays alone"):
        cases("rounding")
    with pytest.raises(conformance.CaseError, match="no function is checked in 'int8'"):
        CASE.arrays("int8")


def test_one_case_in_32_has_operands_that_were_never_seen_before_and_the_others_are_always_the_same() -> None:
    one, other = cases("smoke"), cases("smoke")
    changed = [
        at for at, (before, after) in enumerate(zip(one, other, strict=True))
        if not np.array_equal(before.arrays().x, after.arrays().x)
    ]  # fmt: skip
    assert changed == list(range(0, len(one), 32))
    for case in (one[0], other[0]):
        assert case.id == one[0].case.id
        assert np.array_equal(case.expected, expected(case.problem, *case.arrays()))


def test_a_problem_is_made_by_hand() -> None:
    problem = Problem.of((5, 7), 3, stride=2, pads=1, output_padding=1, bias=True)
    assert str(problem) == "i5x7 k3 s2 p1 op1 bias"


def test_the_package_says_that_it_has_types() -> None:
    assert (Path(conformance.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize(
    ("x", "weight", "says"),
    [
        (np.array([[[2**62]]]), np.array([[[4]]]), "the answer holds 18446744073709551616, which int64 does not"),
        (np.array([[[2**63 + 5]]], np.uint64), np.array([[[1]]]), "the answer holds 9223372036854775813"),
    ],
)
def test_an_answer_that_int64_does_not_hold_is_refused(x: Any, weight: Any, says: str) -> None:
    with pytest.raises(ProblemError, match=says):
        expected("i1 k1", x, weight)


def test_a_sum_may_leave_int64_on_its_way() -> None:
    x, weight = np.array([[[2**62], [2**62], [1]]]).reshape(1, 3, 1), np.array([4, -4, 7]).reshape(3, 1, 1)
    assert expected("i1 k1 ic3", x, weight).tolist() == [[[7]]]


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (Problem.of(2, 2, batch=0), "batch 0 must be at least 1"),
        (Problem.of(2, 2, output_padding=-1), "output_padding -1 on axis 0 must not be negative"),
    ],
)
def test_a_problem_without_an_answer_is_refused(problem: Problem, says: str) -> None:
    with pytest.raises(ProblemError, match=says):
        expected(problem, np.ones((problem.batch, 1, 2)), np.ones((1, 1, 2)))
