"""How many taps meet in an element, why unevenly, and the taps that interpolate."""

from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conformance import oracle
from conformance.calls.sizes.overlap import bilinear, overlap, say
from conformance.cli import commands
from conformance.problem import Problem

CHECKERBOARD = "in an inner element; a checkerboard can show, since"


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4))
def test_overlap_counts_the_taps_that_meet(k: int, s: int, d: int) -> None:
    i = 60  # so that the stamp has a middle of which every element is away from the borders
    problem = Problem.of(i, k, s, 0, 0, d)
    hits = [0] * problem.full[0]
    for x, tap in product(range(i), range(k)):
        hits[x * s + tap * d] += 1
    middle = hits[k * d : (i - 1) * s - k * d]
    assert overlap(problem) == (min(middle), max(middle))


@pytest.mark.parametrize(
    ("descriptor", "text"),
    [
        ("i9 k4 s2", "2 taps of the kernel in every inner element"),
        ("i9 k2 s2", "1 tap of the kernel in every inner element"),
        (
            "i9x9 k3 s2",
            f"1 to 4 taps of the kernel {CHECKERBOARD} kernel 3 is not a multiple of stride 2",
        ),
        (
            "i9x9 k4x3 s2",
            f"2 to 4 taps of the kernel {CHECKERBOARD} kernel 3 is not a multiple of stride 2",
        ),
        (
            "i9 k2 s3",
            f"0 to 1 tap of the kernel {CHECKERBOARD} kernel 2 is not a multiple of stride 3",
        ),
        (
            "i9 k4 s2 d2",
            f"0 to 4 taps of the kernel {CHECKERBOARD} dilation 2 and stride 2 have a common divisor",
        ),
    ],
)
def test_what_makes_an_overlap_uneven_is_said(descriptor: str, text: str) -> None:
    assert say(Problem.parse(descriptor)) == text


@pytest.mark.parametrize("s", [2, 3, 4, 5, 8])
def test_bilinear_taps_interpolate_a_straight_line_exactly(s: int) -> None:
    k, i = 2 * s - s % 2, 7
    problem = Problem.of(i, k, s, (s - s % 2) // 2)
    taps = np.array([int(tap * 2 * s) for tap in bilinear(problem)])
    line = oracle.expected(problem, 2 * s * np.arange(i)[None, None], taps[None, None], None)[0, 0]
    inside = line[s:-s]  # in units of 1 / (2s)**2: away from the border an output step is 1 / s of an input step
    assert problem.output == (s * i,)
    assert set(np.diff(inside)) == {4 * s}


@pytest.mark.parametrize(
    "descriptor",
    [
        "i9 k3 s2 p1",
        "i9 k4 s2",
        "i9 k4 s2 p1:0",
        "i9 k4 s2 p1 d2",
        "i9x9 k4 s2x4 p1",
        "i9 k1",
        "i9 k4 s2 p1 ic2",
        "i9 k4 s2 p1 oc2 g2",
    ],
)
def test_other_calls_have_no_bilinear_taps(descriptor: str) -> None:
    assert bilinear(Problem.parse(descriptor)) == ()


def test_a_call_says_both() -> None:
    call = "nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=8)"
    output = CliRunner().invoke(commands, ["call", "torch", call, "--claim"]).output
    assert "  overlap: 4 taps of the kernel in every inner element" in output
    assert (
        "  bilinear: the kernel 1/4 3/4 3/4 1/4 on each axis upsamples by 2 as bilinear interpolation does\n" in output
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("nn.ConvTranspose1d(1, 1, 4, 2, 1)", "linear: the kernel 1/4 3/4 3/4 1/4 upsamples by 2 as linear"),
        (
            "nn.ConvTranspose1d(6, 6, 4, 2, 1, groups=2)",
            "linear: a weight that is the kernel 1/4 3/4 3/4 1/4 between equal channels and 0 elsewhere upsamples by 2 "
            "as linear",
        ),
        (
            "nn.ConvTranspose3d(2, 2, 3, 3)",
            "",
        ),
        (
            "nn.ConvTranspose3d(2, 2, 5, 3, 1)",
            "trilinear: a weight that is the kernel 1/3 2/3 1 2/3 1/3 on each axis between equal channels and 0 "
            "elsewhere upsamples by 3 as trilinear",
        ),
        ("nn.ConvTranspose2d(8, 4, 4, 2, 1)", ""),
    ],
)
def test_the_kernel_that_interpolates_is_told_in_the_words_of_its_rank(call: str, said: str) -> None:
    output = CliRunner().invoke(commands, ["call", "torch", call, "--claim"]).output
    told = [line.strip() for line in output.splitlines() if "linear" in line]
    assert told == ([f"{said} interpolation does"] if said else [])


@pytest.mark.parametrize("descriptor", ["i7 k4 s2 p1 ic3 oc3 g2", "i5x6 k5 s3 p1", "i5x6x5 k4 s2 p1 ic2 oc2"])
def test_a_weight_of_these_taps_between_equal_channels_interpolates(descriptor: str) -> None:
    problem = Problem.parse(descriptor)
    taps = [np.array([float(tap) for tap in bilinear(problem)])] * problem.rank
    kernel = np.ones(())
    for along in taps:
        kernel = np.multiply.outer(kernel, along)
    weight = np.zeros(problem.weight_shape)
    for channel in range(len(weight)):
        weight[channel, channel % problem.out_channels] = kernel
    planes = [np.arange(extent) * (axis + 1.0) for axis, extent in enumerate(problem.input)]
    plane = np.sum(np.meshgrid(*planes, indexing="ij"), axis=0)
    scale = 1.0 + np.arange(len(weight))
    x = plane * scale.reshape(1, -1, *[1] * problem.rank) * np.ones((problem.batch, 1, *[1] * problem.rank))
    answer = oracle.expected(problem, x, weight, None)
    s = problem.stride[0]
    inside = tuple([slice(s, -s)] * problem.rank)
    for channel, factor in enumerate(scale):
        for axis in range(problem.rank):  # a step of the answer is 1 / s of a step of the input
            assert np.allclose(np.diff(answer[0, channel][inside], axis=axis), factor * (axis + 1) / s)
