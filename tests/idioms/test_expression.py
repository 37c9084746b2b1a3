"""Calls are read as people write them, and nothing in them is ever evaluated."""

import pytest

from conformance.idioms.expression import ExpressionError, Name, parse, write
from conformance.idioms.names.parameters import bind


def test_a_call_has_its_dotted_function_its_literals_and_its_names() -> None:
    call = parse("nn.ConvTranspose2d(8, 4, (3, 2), stride=[2, 1], bias=False, padding_mode='zeros', device=self.dev)")
    assert call is not None
    assert (call.function, call.last) == ("nn.ConvTranspose2d", "ConvTranspose2d")
    assert call.positional == (8, 4, (3, 2))
    assert call.named == {"stride": [2, 1], "bias": False, "padding_mode": "zeros", "device": Name("self.dev")}
    assert call.outer is None


def test_the_call_of_a_layer_is_read_with_the_layer() -> None:
    call = parse("ConvTranspose1d(1, 1, 3)(x, output_size=[7])")
    assert call is not None
    assert call.outer is not None
    assert (call.outer.positional, call.outer.named) == ((Name("x"),), {"output_size": [7]})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("torch.autograd.grad(F.conv2d(inp, self.w), inp, dy)[0]", "torch.autograd.grad(CALL, z, x)[0]"),
        ("linear_transpose(lambda t: F.conv2d(t, w), z)(x)[0]", "jax.linear_transpose(lambda z: CALL, z)(x)[0]"),
    ],
)
def test_a_call_is_found_in_its_form_whatever_the_variables_are_called(text: str, form: str) -> None:
    call = parse(text, form)
    assert call is not None
    assert call.function == "F.conv2d"


@pytest.mark.parametrize("text", ["f(x)[1]", "grad(f(z), z)", "3", "x", "f(x) + 1"])
def test_what_is_of_another_form_is_none(text: str) -> None:
    assert parse(text, "torch.autograd.grad(CALL, z, x)[0]") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f(", "not a Python expression"),
        ("f(x", "not a Python expression"),
        ("import os", "not a Python expression"),
        ("f(__import__('os').system('true'))", "neither a literal nor a name"),
        ("f(2 ** 9 ** 9)", "neither a literal nor a name"),
        ("f(*shape)", "unpacks arguments"),
        ("f(**options)", "unpacks arguments"),
        ("f(padding=[p, 1])", "neither a literal nor a name"),
        ("(lambda: 1)()", "not the name of a function"),
        ("f\0()", "not a Python expression"),
        ("(" * 5000 + ")" * 5000, "not a Python expression|nested too deeply"),
    ],
)
def test_what_cannot_be_read_says_so_in_a_line(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_arguments_are_bound_like_python_binds_them() -> None:
    call = parse("f(x, 3, d=(1, 2))")
    assert call is not None
    arguments, written = bind("a, b, c=1, *, d=0", call)
    assert arguments == {"a": Name("x"), "b": 3, "c": 1, "d": (1, 2)}
    assert written == {"a", "b", "d"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("f()", "missing a required argument: 'a'"), ("f(1, b=2)", "unexpected keyword"), ("f(1, 2)", "too many")],
)
def test_arguments_that_do_not_fit_name_those_that_do(text: str, message: str) -> None:
    call = parse(text)
    assert call is not None
    with pytest.raises(ExpressionError, match=f"{message}.*its arguments are a"):
        bind("a", call)


def test_a_written_call_reads_as_it_was() -> None:
    text = write("f", Name("x"), 3, s=(2,), p="same", q=[(0, 0), (1, 2)], r=None)
    assert text == 'f(x, 3, s=(2,), p="same", q=[(0, 0), (1, 2)], r=None)'
    call = parse(text)
    assert call is not None
    assert call.named == {"s": (2,), "p": "same", "q": [(0, 0), (1, 2)], "r": None}
