"""Faults of part of an array, and orders that nobody named."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis.diagnose import diagnose, difference
from conformance.diagnosis.parts import beyond_stamp
from conformance.diagnosis.scatter import Part, Shift, shifted_landing
from conformance.numerics.formats import rounded
from conformance.numerics.operands import Arrays, draw
from conformance.problem import Problem, Window
from tests.diagnosis.test_real_numbers import computed, real

Array = NDArray[Any]
PLAIN = Problem.parse("i5x4 k3x2 s2x1 p1:2x1 d1x2 ic3 oc5 n2")
GROUPED = Problem.parse("i5x4 k3 s2 p1 g2 ic3 oc4 bias")


def told(problem: Problem, change: Any, *, whole: bool) -> list[str]:
    """What is said of an answer that was changed, in whole numbers or in real ones."""
    arrays = draw("parts", problem) if whole else real(problem)
    actual = oracle.expected(problem, *arrays) if whole else computed(problem, arrays)
    return [text for diagnosis in diagnose(problem, arrays, change(actual, arrays)) for text in diagnosis.statements]


def erased(index: Any, value: float = 0) -> Any:
    def change(actual: Array, _: Arrays) -> Array:
        actual[index] = value
        return actual

    return change


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("index", "text"),
    [
        (np.s_[:, :, 2:5], "rows 2 to 4 on axis 0 holding zeros, as if never written"),
        (np.s_[:, :, :, [0, 3]], "rows 0, 3 on axis 1 holding zeros, as if never written"),
        (np.s_[:, 4], "out channel 4 holding zeros, as if never written"),
        (np.s_[1], "item 1 of the batch holding zeros, as if never written"),
    ],
)
def test_rows_that_were_never_written_are_named(index: Any, text: str, *, whole: bool) -> None:
    assert told(PLAIN, erased(index), whole=whole) == [text]


@pytest.mark.parametrize("whole", [True, False])
def test_rows_that_hold_the_bias_alone_are_named(*, whole: bool) -> None:
    def change(actual: Array, arrays: Arrays) -> Array:
        assert arrays.bias is not None
        actual[:, :, 1] = arrays.bias.reshape(-1, 1)
        return actual

    assert told(GROUPED, change, whole=whole) == ["row 1 on axis 0 holding the bias alone, as if never written"]


@pytest.mark.parametrize("whole", [True, False])
def test_out_channels_in_any_order_are_named(*, whole: bool) -> None:
    text = "out channels in the order 3 1 0 4 2"
    assert told(PLAIN, lambda actual, _: actual[:, [3, 1, 0, 4, 2]], whole=whole) == [text]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("order", [(1, 2, 0, 3, 5, 4), (4, 0, 5, 1, 3, 2)])  # within groups, and across them
def test_in_channels_in_any_order_are_named(order: tuple[int, ...], *, whole: bool) -> None:
    def change(_: Array, arrays: Arrays) -> Array:
        moved = arrays._replace(x=arrays.x[:, list(order)])
        return oracle.expected(GROUPED, *moved) if whole else computed(GROUPED, moved)

    assert told(GROUPED, change, whole=whole) == [f"in channels in the order {' '.join(map(str, order))}"]


def shifted(problem: Problem, arrays: Arrays, axis: int, of: Part, start: int, by: int) -> Array:
    """The answer with part of an axis put elsewhere, by loops; what leaves the stamp is lost."""
    full = np.zeros((problem.batch, problem.out_channels, *problem.full))
    for i in np.ndindex(problem.input):
        for k in np.ndindex(problem.kernel):
            at = [a * s + t * d for a, t, s, d in zip(i, k, problem.stride, problem.dilation, strict=True)]
            at[axis] += by * ((i if of == "input elements" else k)[axis] >= start)
            if all(0 <= place < extent for place, extent in zip(at, problem.full, strict=True)):
                full[(..., *at)] += arrays.x[(..., *i)] @ arrays.weight[(..., *k)]
    window: Any = (..., *(slice(lo, lo + out) for (lo, _), out in zip(problem.window, problem.output, strict=True)))
    kept: Array = full[window]
    return kept


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("axis", "of", "start", "by"),
    [(0, "input elements", 2, -1), (0, "input elements", 3, 2), (0, "taps", 1, 1), (0, "taps", 2, -1)],
)
def test_a_part_that_is_put_elsewhere_is_named(axis: int, of: Part, start: int, by: int, *, whole: bool) -> None:
    arrays = draw("parts", PLAIN) if whole else real(PLAIN)
    exact = shifted(PLAIN, arrays.astype("float64"), axis, of, start, by)
    texts = [diagnosis.statements for diagnosis in diagnose(PLAIN, arrays, exact if whole else exact.astype("f4"))]
    moved = f"{of} from {start} on put {abs(by)} {'late' if by > 0 else 'early'} on axis {axis}"
    assert (moved,) in texts


def test_a_part_lands_where_loops_say() -> None:
    for i, k, s, d in ((3, 2, 2, 1), (4, 3, 1, 2), (2, 4, 3, 1)):
        for of in ("input elements", "taps"):
            for start, by in ((1, -2), (1, 1), (2, 3)):
                table = shifted_landing(i, k, s, d, Shift(0, of, start, by))
                rows: list[list[int]] = [[] for _ in range((i - 1) * s + d * (k - 1) + 1)]
                for h in range(i):
                    for t in range(k):
                        at = h * s + t * d + by * ((h if of == "input elements" else t) >= start)
                        if 0 <= at < len(rows):
                            rows[at].append(h * k + t)
                assert [[pair for pair in row if pair < i * k] for row in table.tolist()] == rows


def test_an_unexplained_difference_of_few_rows_says_where() -> None:
    problem = Problem.parse("i9x9 k3 s2 ic2")
    arrays = draw("parts", problem)
    actual = oracle.expected(problem, *arrays)
    actual[:, :, 4] += 1
    assert difference(problem, arrays, actual).partition("; largest")[0].endswith("; they are all in row 4 on axis 0")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda y: y.transpose(0, 2, 3, 1),
            "its axes as NHWC where NCHW is expected (np.transpose(actual, (0, 3, 1, 2)) is right)",
        ),
        (
            lambda y: y.transpose(1, 0, 2, 3),
            "its axes as CNHW where NCHW is expected (np.transpose(actual, (1, 0, 2, 3)) is right)",
        ),
        (
            lambda y: y.transpose(0, 2, 3, 1).reshape(y.shape),
            "its memory as NHWC where NCHW is expected (actual.reshape(2, 8, 4, 5).transpose(0, 3, 1, 2) is right)",
        ),
    ],
)
def test_an_array_in_another_layout_is_named(change: Any, text: str, *, whole: bool) -> None:
    assert told(PLAIN, lambda actual, _: change(actual), whole=whole) == [text]


def in_nhwc(array: Array) -> Array:
    """The values of an array that is given as NHWC, in the order of a problem."""
    return array.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda y: in_nhwc(y), "its axes as NCHW where NHWC is expected (np.transpose(actual, (0, 2, 3, 1)) is right)"),
        (lambda y: in_nhwc(y.reshape(2, *y.shape[2:], 5)),
         "its memory as NCHW where NHWC is expected (actual.reshape(2, 5, 8, 6).transpose(0, 2, 3, 1) is right)"),
        (lambda y: in_nhwc(y.transpose(0, 3, 2, 1)),
         "its axes as NWHC where NHWC is expected (np.transpose(actual, (0, 2, 1, 3)) is right)"),
    ],
)  # fmt: skip
def test_another_layout_is_told_as_the_array_was_given(change: Any, text: str) -> None:
    problem = replace(PLAIN, kernel=(3, 3))
    arrays = real(problem)
    actual = change(computed(problem, arrays))
    assert [one.statements for one in diagnose(problem, arrays, actual, given="n k c")] == [(text,)]


def test_orders_that_differ_in_extents_of_one_are_told_once() -> None:
    problem = Problem.parse("i4x5 k3 s2 oc3")
    arrays = draw("parts", problem)
    (diagnosis,) = diagnose(problem, arrays, oracle.expected(problem, *arrays).transpose(0, 2, 3, 1))
    assert diagnosis.statements[0].startswith("its axes as NHWC where NCHW is expected")


@pytest.mark.parametrize(
    ("window", "bias", "rows"),
    [
        (((0, -1), (1, 1)), False, {"row 8 on axis 0": "zeros"}),
        (((-2, 0), (-1, -1)), True, {"rows 0, 1 on axis 0": "the bias alone", "rows 0, 8 on axis 1": "the bias alone"}),
        (((0, 2), (0, 0)), False, {}),
    ],
)
def test_rows_that_no_tap_reaches_are_told(window: Window, *, bias: bool, rows: dict[str, str]) -> None:
    assert list(beyond_stamp(window, (9, 9), bias=bias)) == [
        f"{where} beyond the stamp, where no tap reaches: the definition has {held} there"
        for where, held in rows.items()
    ]


BLOCKED = Problem.parse("i3x4 k2x3 s2 p1 g2 ic6 oc6 n2 bias")


def read(**operands: Any) -> Any:
    """An answer on operands that are changed by name."""

    def change(_: Array, arrays: Arrays) -> Array:
        given = arrays._replace(**{name: made(getattr(arrays, name)) for name, made in operands.items()})
        return oracle.expected(BLOCKED, *given)

    return change


def lost(axis: int, *at: int) -> Any:
    def change(array: Array) -> Array:
        array = array.copy()
        np.moveaxis(array, axis, 0)[list(at)] = 0
        return array

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (read(x=lost(1, 4, 5, 10, 11)), "in channels of each group from 4 on lost"),
        (read(bias=lost(0, *range(6, 12))), "bias for the first group only"),
        (read(bias=lost(0, 8, 9, 10, 11)), "bias from 8 on lost"),
        (read(bias=lambda b: b.reshape(6, 2).T.ravel()), "bias dealt to groups in turn"),
        (
            read(x=lambda x: np.moveaxis(x.reshape(2, 3, 4, 12), -1, 1)),
            "memory of the input read with channels last",
        ),
        (
            read(x=lambda x: x.reshape(12, 2, 3, 4).swapaxes(0, 1)),
            "memory of the input read with channels before the batch",
        ),
        (
            read(weight=lambda w: w.reshape(2, 3, 12, 6).transpose(2, 3, 0, 1)),
            "memory of the weight read with taps first",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_blocks_or_layouts_is_named(change: Any, text: str) -> None:
    assert told(BLOCKED, change, whole=True) == [text]


def test_what_one_statement_says_already_is_not_said_of_blocks() -> None:
    texts = told(Problem.parse("i3 k2 ic5"), lambda _, arrays: oracle.expected(
        Problem.parse("i3 k2 ic5"), lost(1, 4)(arrays.x), arrays.weight, None), whole=True)  # fmt: skip
    assert texts == ["the last in channel lost"]


@pytest.mark.parametrize(("narrow", "wide"), [("x", "weight"), ("weight", "x")])
def test_where_one_operand_has_few_bits_nobody_can_tell_whether_both_were_rounded(narrow: str, wide: str) -> None:
    problem = Problem.parse("i4x3 k2x3 s2 p1 ic2")
    drawn = draw("bits", problem)
    arrays = drawn._replace(**{narrow: np.sign(getattr(drawn, narrow)) * 3, wide: getattr(drawn, wide) % 7 + 70_001})
    actual = oracle.expected(problem, rounded(11, arrays.x), rounded(11, arrays.weight), None)
    name = "input" if wide == "x" else wide
    assert [diagnosis.statements for diagnosis in diagnose(problem, arrays, actual)] == [
        (f"{name} rounded to 11 bits (TF32, float16)",), ("input and weight rounded to 11 bits (TF32, float16)",),
    ]  # fmt: skip
