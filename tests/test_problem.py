"""Problems: the descriptor, the geometry, and the words for what is wrong with either."""

from collections import Counter
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.problem import FIELDS, LARGEST, Problem, ProblemError, broken_rule
from tests import strategies


@st.composite
def any_problems(draw: st.DrawFn) -> Problem:
    """Problems of every rank and value, valid or not: what a descriptor can say."""
    rank = draw(st.integers(1, 4))
    numbers = st.one_of(st.integers(-3, 4), st.integers(-(10**19) + 1, 10**19 - 1))

    def axes() -> tuple[int, ...]:
        return draw(st.one_of(numbers.map(lambda n: (n,) * rank), st.tuples(*[numbers] * rank)))

    pads = draw(st.tuples(*[st.one_of(numbers.map(lambda n: (n, n)), st.tuples(numbers, numbers))] * rank))
    groups, in_channels, out_channels, batch = (draw(numbers) for _ in range(4))
    bias = draw(st.booleans())
    return Problem(axes(), axes(), axes(), pads, axes(), axes(), groups, in_channels, out_channels, batch, bias)


@given(any_problems())
def test_descriptor_says_the_whole_problem(problem: Problem) -> None:
    assert Problem.parse(str(problem)) == problem


@given(any_problems())
def test_spelling_is_the_only_one(problem: Problem) -> None:
    assert str(Problem.parse(str(problem))) == str(problem)


@pytest.mark.parametrize(
    ("problem", "descriptor"),
    [
        (Problem.of(5, 3), "i5 k3"),
        (Problem.of((5, 5), 3), "i5x5 k3"),
        (Problem.of((5, 7), (3, 2)), "i5x7 k3x2"),
        (Problem.of(5, 3, 2, 1, 1, 3), "i5 k3 s2 p1 op1 d3"),
        (Problem.of(5, 3, pads=((1, 2),)), "i5 k3 p1:2"),
        (Problem.of((5, 7), 3, pads=((1, 2), (0, 0))), "i5x7 k3 p1:2x0"),
        (Problem.of((5, 7), 3, pads=((1, 2), (1, 2))), "i5x7 k3 p1:2"),
        (Problem.of((5, 7), 3, pads=(-1, -2)), "i5x7 k3 p-1x-2"),
        (Problem.of(5, 3, pads=((-1, 2),)), "i5 k3 p-1:2"),
        (Problem.of((5, 7), 3, (2, 1), output_padding=(1, 0)), "i5x7 k3 s2x1 op1x0"),
        (
            Problem.of(5, 3, groups=2, in_channels=3, out_channels=4, batch=5, bias=True),
            "i5 k3 g2 ic3 oc4 n5 bias",
        ),
        (Problem.of((2, 3, 4, 5), 1), "i2x3x4x5 k1"),
    ],
)
def test_spells(problem: Problem, descriptor: str) -> None:
    assert str(problem) == descriptor
    assert Problem.parse(descriptor) == problem


def test_words_stand_in_any_order() -> None:
    assert Problem.parse(" bias  n2 k3\ti5 ") == Problem.of(5, 3, batch=2, bias=True)


def test_single_value_stands_for_every_axis() -> None:
    assert Problem.parse("i4x5x6 k3 s2 p1:2 op1 d2") == Problem(
        (4, 5, 6), (3,) * 3, (2,) * 3, ((1, 2),) * 3, (1,) * 3, (2,) * 3
    )


@pytest.mark.parametrize(
    ("descriptor", "texts"),
    [
        ("i5 k3 z2", ("'z2'", "is not a field", "the fields are", *FIELDS)),
        ("i5 k3 I2", ("'I2'", "the fields are")),
        ("i5 k3 2", ("'2'", "the fields are")),
        ("i5 k3 k4", ("'k4'", "kernel a second time", "give it once")),
        ("i5 k3 bias bias", ("bias a second time", "give it once")),
        ("k3", ("has no input", "starts like 'i5x7 k3'")),
        ("i5", ("has no kernel", "starts like 'i5x7 k3'")),
        ("", ("has no input", "starts like 'i5x7 k3'")),
        ("i5 k3 bias1", ("'bias1'", "bias takes no value")),
        ("i5 k3 p1:2:3", ("'p1:2:3'", "pads takes numbers or begin:end pairs joined by 'x'")),
        ("i5 k3 p", ("'p'", "pads takes")),
        ("i k3", ("'i'", "input takes whole numbers joined by 'x'")),
        ("i5 k3.5", ("'k3.5'", "kernel takes whole numbers")),
        ("i5 k3 s2x", ("'s2x'", "stride takes whole numbers")),
        ("i5 k3 op1:2", ("'op1:2'", "output_padding takes whole numbers")),
        ("i5 k3 d+2", ("'d+2'", "dilation takes whole numbers")),
        ("i5 k3 g1x2", ("'g1x2'", "groups takes a single number")),
        ("i5 k3 ic1x2", ("'ic1x2'", "in_channels takes a single number")),
        ("i5 k3 oc1x2", ("'oc1x2'", "out_channels takes a single number")),
        ("i5 k3 n1x2", ("'n1x2'", "batch takes a single number")),
        ("i5 k3 s" + "9" * 20, ("stride takes whole numbers",)),
        *(
            (
                f"i5x5 k{'3x3x3' if name == 'kernel' else 3} {word}",
                (f"{name} has 3 axes", "input has 2", "a single one"),
            )
            for name, word in [
                ("kernel", ""),
                ("stride", "s1x2x3"),
                ("pads", "p0x1x2:3"),
                ("output_padding", "op0x0x1"),
                ("dilation", "d1x2x1"),
            ]
        ),
    ],
)
def test_misspelt_descriptor_is_refused(descriptor: str, texts: tuple[str, ...]) -> None:
    with pytest.raises(ProblemError) as raised:
        Problem.parse(descriptor)
    for text in texts:
        assert text in str(raised.value)


@given(st.text(alphabet="ikspodgcnbias0123456789x:-. ", max_size=30))
def test_any_text_is_a_problem_or_refused(text: str) -> None:
    try:
        problem = Problem.parse(text)
    except ProblemError:
        return
    assert Problem.parse(str(problem)) == problem


def test_problem_without_axes_is_refused() -> None:
    with pytest.raises(ProblemError, match="input has 0 axes: a problem has at least 1"):
        Problem((), (), (), (), (), ())


def test_of_refuses_a_wrong_number_of_axes() -> None:
    with pytest.raises(ProblemError, match="stride has 1 axes, input has 2"):
        Problem.of((5, 5), 3, (2,))


@pytest.mark.parametrize(
    ("descriptor", "rule"),
    [
        ("i1x1x1x1 k1", "4 spatial axes, at most 3"),
        ("i5 k3 n0", "batch 0 must be at least 1"),
        ("i5 k3 g0", "groups 0 must be at least 1"),
        ("i5 k3 ic-1", "in_channels -1 must be at least 1"),
        ("i5 k3 oc0", "out_channels 0 must be at least 1"),
        ("i5x0 k3", "input 0 on axis 1 must be at least 1"),
        ("i5 k0", "kernel 0 on axis 0 must be at least 1"),
        ("i5x5 k3 s0x1", "stride 0 on axis 0 must be at least 1"),
        ("i5x5x5 k3 d1x1x-2", "dilation -2 on axis 2 must be at least 1"),
        ("i5x5 k3 s2 op0x-1", "output_padding -1 on axis 1 must not be negative"),
        ("i5 k3 op1", "output_padding 1 on axis 0 must be less than stride 1 or dilation 1"),
        ("i5x5 k3 s4x2 op3x2", "output_padding 2 on axis 1 must be less than stride 2 or dilation 1"),
        ("i5 k3 d2 op2", "output_padding 2 on axis 0 must be less than stride 1 or dilation 2"),
        ("i2 k3 p2", "output extent 0 on axis 0 must be at least 1: full extent 4, window (2, 2)"),
        ("i9x2 k3 s1x2 p0x3:5 op0x1", "output extent -2 on axis 1 must be at least 1: full extent 5, window (3, 4)"),
        (f"i1 k1 p0:{-(2**59)}", "more than 2**59 elements"),
        (f"i{2**31}x{2**31} k1 s1x2", "more than 2**59 elements"),
        (f"i1 k{2**61} p0:{2**61 - 1} oc4", "more than 2**59 elements"),
    ],
)
def test_broken_rule_is_named(descriptor: str, rule: str) -> None:
    assert rule in str(broken_rule(Problem.parse(descriptor)))


@pytest.mark.parametrize(
    "descriptor",
    [
        "i1 k1",
        "i1x1x1 k1",
        "i5 k3 s2 op1",
        "i5 k3 d2 op1",
        "i5 k3 p6:0",
        "i5 k3 p-4",
        "i1 k1 d3 op2",
        f"i1 k1 p0:{1 - LARGEST}",
    ],
)
def test_valid_problem_breaks_no_rule(descriptor: str) -> None:
    assert broken_rule(Problem.parse(descriptor)) is None


@given(strategies.problems())
def test_drawn_problem_breaks_no_rule(problem: Problem) -> None:
    assert broken_rule(problem) is None


@pytest.mark.parametrize(
    ("descriptor", "effective", "full", "window", "output"),
    [
        ("i5 k3", (3,), (7,), ((0, 0),), (7,)),
        ("i7 k5 s2 p1:2", (5,), (17,), ((1, 2),), (14,)),
        ("i7 k5 s2 p2 op1", (5,), (17,), ((2, 1),), (14,)),
        ("i3 k1 s2 op1", (1,), (5,), ((0, -1),), (6,)),
        ("i2 k3 d4", (9,), (10,), ((0, 0),), (10,)),
        ("i1 k3 s5", (3,), (3,), ((0, 0),), (3,)),
        ("i3 k2 p-1:-2", (2,), (4,), ((-1, -2),), (7,)),
        ("i5x7 k3 s2x1 p1:2x0 op1x0", (3, 3), (11, 9), ((1, 1), (0, 0)), (9, 9)),
        ("i2x3x4 k1x2x3 s4x3x2 d1x2x3 p0x1x2", (1, 3, 7), (5, 9, 13), ((0, 0), (1, 1), (2, 2)), (5, 7, 9)),
    ],
)
def test_geometry(
    descriptor: str,
    effective: tuple[int, ...],
    full: tuple[int, ...],
    window: tuple[tuple[int, int], ...],
    output: tuple[int, ...],
) -> None:
    problem = Problem.parse(descriptor)
    assert problem.effective_kernel == effective
    assert problem.full == full
    assert problem.window == window
    assert problem.output == output


def test_shapes_count_channels_per_group() -> None:
    problem = Problem.parse("i5x7 k3x2 g2 ic3 oc4 n5 bias")
    assert problem.input_shape == (5, 6, 5, 7)
    assert problem.weight_shape == (6, 4, 3, 2)
    assert problem.bias_shape == (8,)
    assert problem.output_shape == (5, 8, 7, 8)


@pytest.mark.parametrize(
    ("descriptor", "multiplies", "terms"),
    [
        ("i1 k1", 1, 1),
        ("i5 k3", 15, 3),
        ("i2 k3", 6, 2),
        ("i5 k3 s2", 15, 2),
        ("i5 k3 s3", 15, 1),
        ("i5 k3 ic4", 60, 12),
        ("i5 k3 oc4 n2 g3", 360, 3),
        ("i5x4 k3x2 s2x1 g2 ic3", 720, 12),
        ("i2 k2 p1", 4, 2),
        ("i2 k2 p0:2", 4, 1),
        ("i1 k1 s2 p1:-2 op1", 1, 0),
    ],
)
def test_work(descriptor: str, multiplies: int, terms: int) -> None:
    problem = Problem.parse(descriptor)
    assert problem.multiplies == multiplies
    assert problem.terms == terms


@given(strategies.problems())
def test_terms_are_the_most_products_in_one_output_element(problem: Problem) -> None:
    lows = [lo for lo, _ in problem.window]
    hits = Counter(
        tuple(
            i * s + k * d - lo for i, k, s, d, lo in zip(at, tap, problem.stride, problem.dilation, lows, strict=True)
        )
        for at in product(*map(range, problem.input))
        for tap in product(*map(range, problem.kernel))
    )
    most = max(hits[at] for at in product(*map(range, problem.output)))
    assert problem.terms == problem.in_channels * most


@given(strategies.problems())
def test_multiplies_are_those_of_the_whole_stamp(problem: Problem) -> None:
    assert problem.multiplies == prod(problem.input_shape) * prod(problem.weight_shape) // (
        problem.groups * problem.in_channels
    )
