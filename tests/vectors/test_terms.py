"""A problem in the terms of frameworks: the single call where there is one, else the reason, and the code around it."""

import pytest

from conformance import idioms
from conformance.problem import Problem
from conformance.vectors.schema import Call
from conformance.vectors.terms import framework_call


def call(descriptor: str, framework: str) -> Call:
    return framework_call(Problem.parse(descriptor), framework)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_call_means_the_problem_in_the_order_of_axes_beside_it(framework: str) -> None:
    problem = Problem.parse("i5x4 k3x2 s2x1 ic2 oc3 n2")
    said = framework_call(problem, framework)
    assert said.call is not None
    text = said.call.replace("tf.shape(x)[0]", "2")
    extents = {"n": 2, "(g i)": 2, "(g o)": 3, "o": 3, "k0": 5, "k1": 4}
    kernel = extents | {"k0": 3, "k1": 2}
    parts = [part.replace("_", " ") for part in said.x.replace("g i", "g_i").split()]
    x = tuple(extents[part] for part in parts)
    weight = tuple(kernel[part.replace("_", " ")] for part in said.weight.replace("g i", "g_i").split())
    claim = idioms.read(framework, text, {"x": x, "w": weight}, {"torch": "eager", "tensorflow": "onednn"}[framework])
    assert not claim.claim.refused
    assert (claim.claim.problem.output, claim.claim.problem.window) == (problem.output, problem.window)


def test_a_bias_that_is_added_afterwards_counts_as_said() -> None:
    said = call("i3 k2 s2 g2 bias", "tensorflow")
    assert said.call is not None
    assert said.around == ("bias",)
    assert said.code is not None
    assert "y = y + b" in said.code


def test_what_no_single_call_says_is_null_with_the_reason_and_code() -> None:
    said = call("i3 k3 p0:1", "torch")
    assert said.call is None
    assert "window (0, 1)" in said.reason
    assert said.around == ("crop",)
    assert said.code is not None
    assert "def conv_transpose" in said.code


def test_what_is_said_has_no_reason() -> None:
    assert call("i3 k3 p1", "torch").reason == ""
