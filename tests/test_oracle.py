"""The oracle: against arrays computed by hand, against its other derivations, and against the adjoint identity."""

import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import draw
from conformance.oracle import _matrices, _threads, conv_transpose, definition
from conformance.problem import Phases, Problem, ProblemError
from conformance.suites.cases import read_suite
from tests import strategies
from tests.strategies import operands, seeds

Array = NDArray[Any]
SEVEN = range(1, 8)
DIGITS = (1, 10, 100, 1000, 10000)
STAMPED = (1, 10, 102, 1020, 10203, 2030, 20304, 3040, 30405, 4050, 40506, 5060, 50607, 6070, 60700, 7000, 70000)
"""The full stamp of 1..7 with the kernel of digits at stride 2: a digit's place says which tap it came through."""


def line(x: Sequence[int] | Array, weight: Sequence[int], **options: Any) -> list[int]:
    """conv_transpose of one channel on one axis."""
    y: list[int] = conv_transpose([[list(x)]], [[list(weight)]], **options)[0, 0].tolist()
    return y


@pytest.mark.parametrize(
    ("weight", "options", "y"),
    [
        ([5], {"stride": 2}, [5, 0, 10, 0, 15]),
        ([1, 10], {"stride": 2}, [1, 10, 2, 20, 3, 30]),
        ([1, 10, 100], {"stride": 2}, [1, 10, 102, 20, 203, 30, 300]),
        ([1, 10, 100], {}, [1, 12, 123, 230, 300]),
        ([1, 10], {"stride": 3}, [1, 10, 0, 2, 20, 0, 3, 30]),
        ([1, 10], {"dilation": 2}, [1, 2, 13, 20, 30]),
        ([1, 10], {"dilation": 3, "stride": 2}, [1, 0, 2, 10, 3, 20, 0, 30]),
        ([1, 10, 100], {"stride": 2, "padding": 1}, [10, 102, 20, 203, 30]),
        ([1, 10, 100], {"stride": 2, "padding": [(1, 0)]}, [10, 102, 20, 203, 30, 300]),
        ([1, 10, 100], {"stride": 2, "padding": [(0, 2)]}, [1, 10, 102, 20, 203]),
        ([1, 10, 100], {"stride": 2, "padding": 1, "output_padding": 1}, [10, 102, 20, 203, 30, 300]),
        ([1, 10], {"stride": 2, "output_padding": 1}, [1, 10, 2, 20, 3, 30, 0]),
        ([1, 10], {"stride": 2, "output_padding": 1, "bias": [7]}, [8, 17, 9, 27, 10, 37, 7]),
        ([1, 10], {"padding": -1, "bias": [7]}, [7, 8, 19, 30, 37, 7]),
        ([1, 10], {"padding": [(-2, 3)]}, [0, 0, 1]),
        ([1, 10], {"padding": [(4, -2)]}, [0, 0]),
    ],
)
def test_line_by_hand(weight: list[int], options: dict[str, Any], y: list[int]) -> None:
    assert line([1, 2, 3], weight, **options) == y


def test_same_and_pytorch_cut_different_windows_of_one_stamp() -> None:
    same = line(SEVEN, DIGITS, stride=2, padding=[(1, 2)])
    pytorch = line(SEVEN, DIGITS, stride=2, padding=2, output_padding=1)
    assert line(SEVEN, DIGITS, stride=2) == list(STAMPED)
    assert same == list(STAMPED[1:15])
    assert pytorch == list(STAMPED[2:16])


def test_image_by_hand() -> None:
    x = [[[[1, 2], [3, 4]]]]
    weight = [[[[1, 10, 100], [1000, 10000, 100000]]]]
    assert conv_transpose(x, weight, stride=(1, 2), padding=((0, 0), (1, 0)))[0, 0].tolist() == [
        [10, 102, 20, 200],
        [10030, 102304, 20040, 200400],
        [30000, 304000, 40000, 400000],
    ]


def test_groups_and_channels_by_hand() -> None:
    x = [[[1], [2], [3], [4]]]  # groups (1, 2) and (3, 4)
    weight = [[[1], [10]], [[100], [1000]], [[1], [10]], [[100], [1000]]]
    assert conv_transpose(x, weight, [5, 6, 7, 8], groups=2).tolist() == [[[206], [2016], [410], [4038]]]


def test_batch_elements_stay_apart() -> None:
    assert conv_transpose([[[1, 2]], [[3, 4]]], [[[1, 10]]]).tolist() == [[[1, 12, 20]], [[3, 34, 40]]]


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2},
        {"stride": (2, 2), "padding": (1, 1), "output_padding": (1, 1), "dilation": (2, 2)},
        {"stride": [2, 2], "padding": [(1, 1), (1, 1)], "output_padding": [1, 1], "dilation": [2, 2]},
        {"stride": np.int64(2), "padding": (np.int8(1), (1, np.int64(1))), "output_padding": [1, 1], "dilation": 2},
    ],
)
def test_arguments_are_ints_axes_or_pairs(options: dict[str, Any]) -> None:
    x, weight = np.arange(12).reshape(1, 1, 3, 4), np.arange(6).reshape(1, 1, 2, 3)
    problem = Problem.parse("i3x4 k2x3 s2 p1 op1 d2")
    np.testing.assert_array_equal(conv_transpose(x, weight, **options), oracle.expected(problem, x, weight, None))


def test_padding_differs_per_axis_and_end() -> None:
    x, weight = np.arange(12).reshape(1, 1, 3, 4), np.arange(6).reshape(1, 1, 2, 3)
    whole = conv_transpose(x, weight)
    np.testing.assert_array_equal(conv_transpose(x, weight, padding=(1, 2)), whole[..., 1:-1, 2:-2])
    np.testing.assert_array_equal(conv_transpose(x, weight, padding=((1, 2), (0, 3))), whole[..., 1:-2, :-3])


def test_four_axes_separate_into_lines() -> None:
    lines = [([1, 2, 3], [1, 10]), ([4, 5], [1, 2, 3]), ([6], [7, 8]), ([1, -1], [2])]
    xs, weights = zip(*lines, strict=True)
    stride, padding = (2, 1, 3, 2), ((1, 0), (0, 0), (-1, 0), (0, -1))

    def outer(factors: Sequence[Sequence[int]]) -> Array:
        product: Array = np.einsum("a,b,c,d->abcd", *map(np.array, factors))
        return product[None, None]

    y = [line(x, w, stride=s, padding=[p]) for x, w, s, p in zip(xs, weights, stride, padding, strict=True)]
    actual = conv_transpose(outer(xs), outer(weights), stride=stride, padding=padding)
    np.testing.assert_array_equal(actual, outer(y))


def test_whole_numbers_are_exact_beyond_float64() -> None:
    assert line([2**53 + 1, 2**60 + 1], [3, 1], padding=[(0, 1)]) == [3 * 2**53 + 3, 3 * 2**60 + 2**53 + 4]


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "bool"])
def test_whole_numbers_of_any_width_give_int64(dtype: str) -> None:
    y = conv_transpose(np.array([[[1, 1]]], dtype), np.array([[[1, 1]]], dtype))
    assert y.dtype == np.int64
    assert y.tolist() == [[[1, 2, 1]]]


def test_narrow_operands_do_not_overflow() -> None:
    narrow = np.full((1, 1, 1), 127, np.int8)
    assert conv_transpose(narrow, narrow, np.array([127], np.int8)).item() == 127 * 128


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_give_float64(dtype: str) -> None:
    y = conv_transpose(np.array([[[0.5, 2.0]]], dtype), np.array([[[0.25, 3.0]]], dtype), np.array([1.0], dtype))
    assert y.dtype == np.float64
    assert y.tolist() == [[[1.125, 3.0, 7.0]]]


def test_operands_are_left_as_they_were() -> None:
    x, weight, bias = np.ones((1, 1, 3)), np.ones((1, 1, 2)), np.ones(1)
    conv_transpose(x, weight, bias, padding=1)
    assert all((array == 1).all() for array in (x, weight, bias))


@pytest.mark.parametrize(
    ("x", "weight", "options", "text"),
    [
        ((4, 5), (4, 1, 3), {}, r"x \(4, 5\) and weight \(4, 1, 3\) must have two axes and the same spatial ones"),
        ((1, 4, 5), (4, 1, 3, 3), {}, r"weight \(4, 1, 3, 3\) must have two axes and the same spatial ones"),
        ((1, 4, 5), (4, 1, 3), {"groups": 3}, r"x \(1, 4, 5\) has 4 channels, which 3 groups do not divide"),
        ((1, 4, 5), (4, 1, 3), {"groups": 0}, "4 channels, which 0 groups do not divide"),
        ((1, 4, 5), (3, 1, 3), {}, r"weight is \(3, 1, 3\), x \(1, 4, 5\) in 1 groups takes \(4, 1, 3\)"),
        ((1, 4, 5), (4, 2, 3), {"groups": 2, "bias": [1, 1]}, r"bias is \(2,\), .* in 2 groups takes \(4,\)"),
        ((1, 4, 5), (4, 2, 3), {"bias": [[1, 1]]}, r"bias is \(1, 2\), .* takes \(2,\)"),
        ((1, 4, 5), (4, 1, 3), {"padding": 4}, r"the window \(\(4, 4\),\) cuts more than the full extents \(7,\)"),
        ((1, 4, 5), (4, 1, 3), {"stride": (1, 2)}, "stride has 2 axes, input has 1: give one value per axis"),
        ((1, 4, 5), (4, 1, 3), {"padding": (1, 2)}, "pads has 2 axes, input has 1: give one value per axis"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    x: tuple[int, ...], weight: tuple[int, ...], options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ProblemError, match=text):
        conv_transpose(np.ones(x), np.ones(weight), **options)


def test_window_that_leaves_nothing_gives_an_empty_array() -> None:
    assert conv_transpose(np.ones((1, 1, 5)), np.ones((1, 1, 2)), padding=3).shape == (1, 1, 0)


ONES: tuple[Array, Array] = (np.ones((1, 2, 3), int), np.ones((2, 1, 2), int))
NUMBER = "give a whole number"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"groups": True}, f"groups is True: {NUMBER}"),
        ({"groups": 1.0}, f"groups is 1.0: {NUMBER}"),
        ({"groups": None}, f"groups is None: {NUMBER}"),
        ({"groups": np.float32(1)}, f"groups is .*: {NUMBER}"),
        ({"stride": True}, f"stride is True: {NUMBER}, or one an axis"),
        ({"stride": 2.0}, f"stride is 2.0: {NUMBER}, or one an axis"),
        ({"stride": None}, f"stride is None: {NUMBER}, or one an axis"),
        ({"stride": {2}}, rf"stride is \{{2\}}: {NUMBER}, or one an axis"),
        ({"stride": {2: 1}}, rf"stride is \{{2: 1\}}: {NUMBER}, or one an axis"),
        ({"stride": "2"}, f"stride is '2': {NUMBER}, or one an axis"),
        ({"padding": {1}}, rf"pads is \{{1\}}: {NUMBER}, or one an axis"),
        ({"padding": 0.5}, f"pads is 0.5: {NUMBER}, or one an axis"),
        ({"dilation": b"1"}, f"dilation is b'1': {NUMBER}, or one an axis"),
        ({"output_padding": -1}, r"output_padding is \(-1,\): it must not be negative on any axis"),
    ],
)
def test_an_argument_that_is_no_whole_number_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ProblemError, match=text):
        conv_transpose(*ONES, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": np.int64(1)}, {"padding": np.array([1])}, {"padding": np.array([[1, 1]], np.uint8)},
        {"padding": 1, "stride": np.array([1]), "dilation": np.int8(1), "groups": np.uint16(1)},
    ],
)  # fmt: skip
def test_numbers_of_numpy_are_numbers(options: dict[str, Any]) -> None:
    assert conv_transpose(*ONES, **options).tolist() == [[[4, 4]]]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.ones((1, 2, 3), complex), "x is of complex128: give whole numbers or floats"),
        (np.zeros((1, 2, 3), "m8[s]"), r"x is of timedelta64\[s\]: give whole numbers or floats"),
        (np.zeros((1, 2, 3), "M8[D]"), r"x is of datetime64\[D\]: give whole numbers or floats"),
        (np.full((1, 2, 3), "a"), "x is of <U1: give whole numbers or floats"),
        (np.full((1, 2, 3), None), "x is of object: give whole numbers or floats"),
        (np.ma.array(np.ones((1, 2, 3))), "x is a masked array: give one in which every value counts"),
    ],
)
def test_an_operand_that_is_no_number_is_refused(x: Array, text: str) -> None:
    with pytest.raises(ProblemError, match=text):
        conv_transpose(x, ONES[1])


def test_a_batch_of_none_and_a_sum_over_no_channels() -> None:
    assert conv_transpose(np.ones((0, 2, 3)), ONES[1]).shape == (0, 1, 4)
    assert conv_transpose(np.ones((1, 0, 3)), np.ones((0, 1, 2)), [7.0]).tolist() == [[[7, 7, 7, 7]]]


@pytest.mark.parametrize(
    ("x", "weight", "bias", "answer"),
    [
        ([2**62], [2], None, 2**63),
        ([2**62, 2**62], [1, 1], None, 2**63),
        ([2**63 + 1], [1], None, 2**63 + 1),
        ([1], [1], [2**63 - 1], 2**63),
        ([-(2**62)], [2], [-1], -(2**63) - 1),
    ],
)
def test_an_answer_that_int64_does_not_hold_is_refused(
    x: list[int], weight: list[int], bias: list[int] | None, answer: int
) -> None:
    with pytest.raises(ProblemError, match=f"the answer holds {answer}, which int64 does not: give smaller numbers"):
        line(np.array(x, np.uint64 if max(x) >= 2**63 else np.int64), weight, bias=bias)


def test_sums_beyond_int64_whose_answer_it_holds_are_right() -> None:
    assert line([2**62, -(2**62), 5], [2, 2], padding=1) == [0, 10 - 2**63]
    assert line(np.array([2**63 + 5], np.uint64), [1], bias=[-10]) == [2**63 - 5]
    assert line([2**64, -(2**64)], [1, 1, 1], padding=[(1, 1)]) == [0, 0]


HUGE = (
    "i2 k1 s1048576 p1048576:0", "i2x2 k1 s65536 p65536:0", "i2x2 k1 s65536 p0:65536", "i2x3 k2x1 s65537x1 p1:65535x0",
    "i2x2x2 k1 s65536 p65536:0", "i1x1x1 k2 d65536 p65536:0", "i1x2x1 k3x1x2 p65537x0x65536:0 d65537x1x65536 oc2",
    "i3x1x2 k1x2x1 s65536x1x65537 p65536x0x65537:0 g2 ic2 n2 bias",
)  # fmt: skip
"""Answers of a few elements, cut out of a stamp of 2**20 to 2**51."""


@pytest.mark.parametrize("descriptor", HUGE)
def test_a_small_window_of_a_huge_stamp_takes_the_memory_of_the_window(descriptor: str) -> None:
    problem = Problem.parse(descriptor)
    arrays = draw(descriptor, problem)
    tracemalloc.start()
    answers = [way(problem, *arrays) for way in (oracle.expected, oracle.by_zero_insertion, oracle.by_matrix)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 16
    assert answers[0].shape == problem.output_shape
    assert answers[0].any()
    for other in answers[1:]:
        np.testing.assert_array_equal(other, answers[0])


@pytest.mark.slow
@pytest.mark.parametrize("derivation", [oracle.by_zero_insertion, oracle.by_matrix])
def test_derivations_agree_on_every_case(derivation: Any) -> None:
    for case in (*read_suite("core").cases, *read_suite("extreme").cases):
        arrays = draw(case.id, case.problem)
        expected, other = oracle.expected(case.problem, *arrays), derivation(case.problem, *arrays)
        assert expected.dtype == other.dtype == np.int64
        assert expected.shape == other.shape == case.problem.output_shape
        np.testing.assert_array_equal(other, expected, case.id)


@given(strategies.problems(), seeds)
def test_derivations_agree(problem: Problem, seed: int) -> None:
    arrays = operands(problem, seed)
    expected = oracle.expected(problem, *arrays)
    assert expected.shape == problem.output_shape
    np.testing.assert_array_equal(oracle.by_zero_insertion(problem, *arrays), expected)
    np.testing.assert_array_equal(oracle.by_matrix(problem, *arrays), expected)


@given(strategies.problems(ranks=(1, 2)), seeds)
def test_public_function_says_every_problem(problem: Problem, seed: int) -> None:
    x, weight, bias = operands(problem, seed)
    actual = conv_transpose(
        x, weight, bias, stride=problem.stride, padding=problem.pads, output_padding=problem.output_padding,
        groups=problem.groups, dilation=problem.dilation,
    )  # fmt: skip
    np.testing.assert_array_equal(actual, oracle.expected(problem, x, weight, bias))


def convolution(problem: Problem, a: Array, weight: Array) -> Array:
    """The ordinary convolution that a problem transposes, element by element: from output shape to input shape."""
    y = np.zeros(problem.input_shape, np.int64)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    for n, group, i, o in product(range(problem.batch), range(g), range(ic), range(oc)):
        for at in product(*map(range, problem.input)):
            for tap in product(*map(range, problem.kernel)):
                from_ = [
                    position * stride + t * dilation - begin
                    for position, t, stride, dilation, (begin, _) in zip(
                        at, tap, problem.stride, problem.dilation, problem.pads, strict=True
                    )
                ]
                if all(0 <= f < extent for f, extent in zip(from_, problem.output, strict=True)):
                    element = a[(n, group * oc + o, *from_)] * weight[(group * ic + i, o, *tap)]
                    y[(n, group * ic + i, *at)] += element
    return y


@given(strategies.problems(ranks=(1, 2)), seeds)
def test_transposed_convolution_is_the_adjoint_of_convolution(problem: Problem, seed: int) -> None:
    x, weight, _ = operands(problem, seed)
    a = np.random.default_rng(seed + 1).integers(-9, 10, problem.output_shape)
    transposed = oracle.expected(problem, x, weight, None)
    assert np.vdot(convolution(problem, a, weight), x) == np.vdot(a, transposed)


@given(strategies.problems(ranks=(1, 2)), seeds)
def test_matrix_is_that_of_convolution(problem: Problem, seed: int) -> None:
    _, weight, _ = operands(problem, seed)
    a = np.random.default_rng(seed + 1).integers(-9, 10, problem.output_shape)
    columns = a.reshape(problem.batch, problem.groups, -1)
    by_matrix = np.einsum("grc,ngc->ngr", oracle.matrix(problem, weight), columns)
    np.testing.assert_array_equal(by_matrix.reshape(problem.input_shape), convolution(problem, a, weight))


@pytest.mark.parametrize("width", [9, 1 << 12, 1 << 20, 1 << 27])
@pytest.mark.parametrize(
    "descriptor",
    ["i9x7 k4x3 s2 p1 ic5 oc6 n2", "i12 k16 s8 p4 g3 ic4 oc2", "i2x3 k5x6 s3x1 d2 ic7 oc5 n3", "i3x4x5 k2 s2 g2 ic3"],
)
def test_many_products_are_added_up_in_floats_without_a_rounding(
    descriptor: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, rng = Problem.parse(descriptor), np.random.default_rng(width)
    x = rng.integers(-width, width + 1, problem.input_shape)
    weight = rng.integers(-width, width + 1, problem.weight_shape)
    one_by_one = oracle.expected(problem, x, weight, None)
    monkeypatch.setattr(definition, "MANY", 0)
    assert np.array_equal(oracle.expected(problem, x, weight, None), one_by_one)
    assert np.array_equal(oracle.expected(problem, np.abs(x) * 0, weight, None), one_by_one * 0)


@given(strategies.problems(), seeds, st.sampled_from([1, 50, 1 << 21]), st.sampled_from(["_stamped", "_in_phases"]))
def test_products_of_matrices_are_the_stamp_in_blocks_of_any_size(
    problem: Problem, seed: int, block: int, way: str
) -> None:
    x, weight, _ = operands(problem, seed)
    by_zero_insertion = oracle.by_zero_insertion(problem, x, weight, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definition, "MANY", 0)
        patch.setattr(_matrices, "BLOCK", block)
        patch.setattr(_matrices, "_stamped", getattr(_matrices, way))
        patch.setattr(_matrices, "_in_phases", getattr(_matrices, way))
        np.testing.assert_array_equal(oracle.expected(problem, x, weight, None), by_zero_insertion)


@pytest.mark.parametrize(
    ("descriptor", "axes"),
    [
        ("i5 k7 s3", [[Phases(0, 1, 3, 0, 7), Phases(1, 2, 2, 0, 6)]]),
        ("i5 k2 s3", [[Phases(0, 2, 1, 0, 5)]]),
        ("i5 k5 s4 d6", [[Phases(0, 1, 3, 0, 11), Phases(1, 1, 2, 0, 8)]]),
        ("i5 k7 s3 p8:9", [[Phases(0, 1, 3, 3, 4), Phases(1, 2, 2, 2, 3)]]),
        ("i5x4 k7x4 s3x2 p0x3", [[Phases(0, 1, 3, 0, 7), Phases(1, 2, 2, 0, 6)], [Phases(0, 2, 2, 1, 4)]]),
    ],
)
def test_an_axis_as_ordinary_convolutions_by_hand(descriptor: str, axes: list[list[Phases]]) -> None:
    problem = Problem.parse(descriptor)
    assert [axis.phases for axis in problem.axes] == axes
    assert [axis.turned.turned for axis in problem.axes] == problem.axes


@pytest.mark.parametrize(
    "descriptor", ["i12x12x12 k3 s2 ic9 oc31", "i300 k31 s4 ic20 oc30 g3", "i40 k2 s1 n20 ic40 oc40"]
)
def test_products_of_matrices_take_little_more_memory_than_the_answer(descriptor: str) -> None:
    problem = Problem.parse(descriptor)
    x, weight, _ = draw(descriptor, problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_matrices, "BLOCK", 1 << 12)
        tracemalloc.start()
        answer = oracle.expected(problem, x, weight, None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert problem.multiplies > definition.MANY
    assert peak < answer.nbytes + 2 * (x.nbytes + weight.nbytes) + (1 << 18)


@pytest.mark.parametrize("descriptor", HUGE)
def test_products_of_matrices_do_not_fill_a_huge_stamp_with_zeros(
    descriptor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition, "MANY", 0)
    test_a_small_window_of_a_huge_stamp_takes_the_memory_of_the_window(descriptor)


@pytest.mark.parametrize(
    "descriptor", ["i9x7 k4x3 s2 p1 ic5 oc6 n2", "i12 k16 s8 p4 g3 ic4 oc2", "i9x8 k5x6 s3x2 d2 ic7 oc5", "i3 k1 s2"]
)
def test_no_sum_of_parts_leaves_what_floats_hold(descriptor: str) -> None:
    """Whatever is added first: magnitudes are what no partial sum is larger than."""
    problem, floats = Problem.parse(descriptor), set()
    for width in [*(int(2 ** (at / 8)) for at in range(64, 112)), 1 << 20, 1 << 28, 1 << 53]:
        x, weight = (np.full(shape, width) for shape in (problem.input_shape, problem.weight_shape))
        for _, part_x, part_weight in definition._parts(problem, x, weight):
            whole_x, whole_weight = (abs(part.astype(np.int64).astype(object)) for part in (part_x, part_weight))
            largest = oracle.expected(problem, whole_x, whole_weight, None)
            assert largest.max() <= 1 << definition.HOLDS[part_x.dtype.type]
            floats.add(part_x.dtype.name)
    assert floats == {"float32", "float64"}


@pytest.mark.parametrize(
    "descriptor",
    ["i40x41 k3x5 s2 p1 ic20 oc30", "i40 k2 s1 n20 ic40 oc40", "i30x30 k7 s2 p3 ic6 oc7", "i20x20 k4 s2 g9 ic3 oc5",
     "i200 k90 s40 ic5 oc7", "i9x9x9 k3 s2 ic9 oc31 n2", "i25x25 k4 s2 g64", "i1x1 k9 n9 ic30 oc60"],
)  # fmt: skip
def test_an_answer_has_the_same_bytes_on_any_number_of_threads(
    descriptor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem.parse(descriptor)
    monkeypatch.setattr(definition, "MANY", 0)
    for bits in (0, 30):  # in float32, and in parts
        x, weight = (array << bits // 2 for array in draw(descriptor, problem)[:2])
        answers = []
        for threads in (1, 2, 3, 8):
            monkeypatch.setattr(definition, "threads_for", lambda _, threads=threads: threads)
            answers.append(oracle.expected(problem, x, weight, None))
        assert np.array_equal(answers[0], oracle.by_zero_insertion(problem, x, weight, None))
        assert len({answer.tobytes() for answer in answers}) == 1


def test_no_more_parts_are_held_than_threads_take() -> None:
    made: list[int] = []
    done: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            assert len(made) - len(done) <= 5  # one is made, three wait or run, and one may be finished and not counted
            yield number

    _threads.each(parts(), done.append, 3)
    assert sorted(done) == made == [*range(50)]


def test_what_a_thread_raises_is_raised() -> None:
    def failing(number: int) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        _threads.each(range(9), failing, 2)


def test_a_small_answer_takes_one_thread() -> None:
    assert _threads.threads_for(_threads.WORTH - 1) == 1
    assert _threads.threads_for(_threads.WORTH) >= 1
