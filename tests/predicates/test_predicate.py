"""Predicates: what they mean, what they refuse, and that nothing in them is ever run."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.predicates.predicate import LONGEST, Predicate, PredicateError
from conformance.problem import Problem

PROBLEM = Problem.parse("i5x7 k3x2 s2x1 p1:2x0 op1x0 d1x3 g2 ic3 n2 bias")
RUN = {"framework": "torch", "variant": "eager", "dtype": "float32", "direction": "forward"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("rank == 2", True),
        ("groups * in_channels == 6 and not batch == 1", True),
        ("any(stride > kernel)", False),
        ("any(dilation > kernel)", True),
        ("all(dilation > stride)", False),
        ("min(input) == 5 and max(input) == 7", True),
        ("sum(kernel) == 5 and prod(kernel) == 6", True),
        ("any(pad_begin != pad_end)", True),
        ("any(lo == 1 and hi == 1)", True),
        ("any(kernel == 3 and dilation == 3)", False),  # on different axes: no axis has both
        ("any(kernel == 3) and any(dilation == 3)", True),
        ("all(input % 2 == 1)", True),
        ("any(output_padding >= stride // 2 and output_padding > 0)", True),
        ("any(hi == -1)", False),
        ("bias", True),
        ("dtype == 'float64' or variant == \"eager\"", True),
        ("max(effective_kernel - kernel) == 2", True),
        ("any(full - lo - hi == output)", True),
        ("prod(input, where=kernel != 3) == 7", True),
        ("any(last and kernel == 3)", False),
        ("any(first and kernel == 3) and not any(first and kernel != 3)", True),
        ("any(not last and kernel == 3) and max(kernel, where=last) == 2", True),
        ("any(kernel == 3) and prod(input, where=kernel != 3) > prod(kernel, where=kernel != 3)", True),
        ("prod(input, where=kernel == 9) == 1 and sum(input, where=kernel == 9) == 0", True),  # of no axis
        ("any(stride == 2, where=dilation == 3)", False),
        ("all(stride == 1, where=dilation == 3)", True),
        ("max(input, where=stride == 2 or kernel == 9) == 5", True),
    ],
)
def test_means_what_it_says(text: str, holds: bool) -> None:
    assert Predicate.parse(text)(PROBLEM, **RUN) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stride > 1", "put it inside any"),
        ("any(strde > 1)", "the nearest is 'stride'"),
        ("any(any(stride > 1))", "not allowed"),
        ("prod(input, where=any(stride > 1))", "not allowed"),
        ("prod(input, where=strde > 1)", "the nearest is 'stride'"),
        ("prod(input, axis=1)", "takes an expression and where=CONDITION"),
        ("prod(input, where=rank, where=rank)", "takes an expression and where=CONDITION"),
        ("prod(input, **rank)", "takes an expression and where=CONDITION"),
        ("prod(input, kernel)", "not allowed"),
        ("prod()", "not allowed"),
        ("__import__('os').system('true')", "not allowed"),
        ("rank.__class__", "not allowed"),
        ("(lambda: 1)()", "not allowed"),
        ("[x for x in input]", "not allowed"),
        ("rank ** 9", "not allowed"),
        ("1 < rank < 3", "not allowed"),
        ("1.5 < rank", "not allowed"),
        ("rank ==", "not an expression"),
        ("", "not an expression"),
        ("rank == 1; rank", "not an expression"),
        ("(" * 300 + "rank" + ")" * 300, "not an expression"),
        ("rank == 1 or " * 200 + "rank", f"at most {LONGEST}"),
    ],
)
def test_refuses_what_it_is_not(text: str, message: str) -> None:
    with pytest.raises(PredicateError, match=message):
        Predicate.parse(text)


def test_the_extreme_of_no_axis_has_no_value_and_says_so() -> None:
    with pytest.raises(PredicateError, match="has no value for"):
        Predicate.parse("max(input, where=kernel == 9) == 1")(PROBLEM)


@given(st.text(max_size=60) | st.text(alphabet="anylostride()<>=0123 *%'+-.,[]:", max_size=60))
def test_any_text_is_a_predicate_or_refused(text: str) -> None:
    with contextlib.suppress(PredicateError):
        Predicate.parse(text)
