"""What the idioms of JAX and Flax claim, in numbers to check by hand; their lane proves the same at large."""

import random
from collections.abc import Iterator

import pytest

from conformance import idioms
from conformance.idioms.base import Claim, Idiom, Refusal, with_window
from conformance.idioms.catalogue import jax
from conformance.idioms.expression import ExpressionError
from conformance.problem import Problem

TRANSPOSE = "jax.lax.conv_transpose(x, w, {})"
GENERAL = "jax.lax.conv_general_dilated(x, w, {})"
NWC = 'dimension_numbers=("NWC", "WIO", "NWC")'


def claim(text: str, **shapes: tuple[int, ...]) -> Claim:
    return idioms.read("jax", text, shapes).claim


def transposed(arguments: str, i: int, k: int) -> Claim:
    return claim(TRANSPOSE.format(arguments), x=(1, i, 1), w=(k, 1, 1))


def window(arguments: str, i: int, k: int) -> tuple[int, int]:
    found = transposed(arguments, i, k)
    assert not found.refused
    return found.problem.window[0]


@pytest.mark.parametrize(
    ("arguments", "i", "k", "expected", "size"),
    [
        ('(2,), "SAME"', 7, 5, (1, 2), 14),  # PyTorch's padding=2, output_padding=1 would be (2, 1)
        ('(2,), "SAME"', 7, 4, (1, 1), 14),
        ('(3,), "SAME"', 3, 2, (0, -1), 9),  # a zero is appended where k < s
        ('(2,), "SAME", (2,)', 7, 3, (1, 2), 14),
        ('(2,), "VALID"', 2, 3, (0, 0), 5),
        ('(3,), "VALID"', 2, 2, (0, -1), 6),
        ("(2,), [(1, 1)]", 3, 3, (1, 1), 5),  # PyTorch's padding 1 for k = 3 alone
        ("(2,), [(1, 1)]", 3, 5, (3, 3), 3),
        ("(2,), [(0, 3)], (2,)", 4, 3, (4, 1), 6),
        ("(1,), [(-1, -1)]", 7, 3, (3, 3), 3),
        ("(2,), [(1, 2)], use_consistent_padding=True", 3, 5, (1, 2), 6),
        ("(2,), [(1, 2), (9, 9)], use_consistent_padding=True", 3, 5, (1, 2), 6),
        ('(2,), "SAME", use_consistent_padding=True', 7, 5, (1, 2), 14),
        ('(1,), "SAME"', 5, 4, (1, 2), 5),
        ('(1,), "same"', 5, 4, (2, 1), 5),  # not "SAME": the padding of an ordinary convolution
        ('(1,), "SAME_LOWER"', 5, 4, (1, 2), 5),
        ('(1,), "VALID"', 5, 3, (0, 0), 7),
        ('(1,), "valid"', 5, 3, (2, 2), 3),
    ],
)
def test_padding_means_a_window(arguments: str, i: int, k: int, expected: tuple[int, int], size: int) -> None:
    assert window(arguments, i, k) == expected
    assert transposed(arguments, i, k).problem.output == (size,)


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        ('(2,), "SAME"', "same"),
        ('(2,), "VALID"', "valid"),
        ("(2,), [(1, 1)]", "stretched"),
        ('(1,), "same"', "stretched"),
        ("(2,), [(1, 1)], use_consistent_padding=True", "pairs"),
    ],
)
def test_laws_of_conv_transpose(arguments: str, law: str) -> None:
    assert transposed(arguments, 4, 3).law == law


def test_the_kernel_is_reversed_unless_it_is_that_of_the_forward_convolution() -> None:
    shapes = {"x": (1, 4, 3), "w": (5, 3, 2)}
    plain = claim(TRANSPOSE.format('(2,), "SAME"'), **shapes)
    assert (plain.data, plain.weight, plain.reversed) == ("n k c", "k i o", True)
    assert (plain.problem.in_channels, plain.problem.out_channels) == (3, 2)
    forward = claim(TRANSPOSE.format('(2,), "SAME", transpose_kernel=True'), x=(1, 4, 3), w=(5, 2, 3))
    assert (forward.data, forward.weight, forward.reversed) == ("n k c", "k o i", False)
    assert forward.problem == plain.problem


def test_torchs_weight_goes_in_as_it_is() -> None:
    text = TRANSPOSE.format('(2,), "SAME", dimension_numbers=("NCW", "OIW", "NCW"), transpose_kernel=True')
    found = claim(text, x=(1, 3, 4), w=(3, 2, 5))
    assert (found.data, found.weight, found.reversed) == ("n c k", "i o k", False)


def test_torchs_arguments_mean_the_window_from_the_other_side() -> None:
    for p, k, d in ((0, 3, 1), (1, 3, 2), (2, 5, 1)):
        assert window(f"(2,), [({p}, {p})], ({d},)", 6, k) == (d * (k - 1) - p,) * 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('2, "SAME"', "strides takes a sequence"),
        ('(2,), "SAME", 2', "rhs_dilation takes a sequence"),
        ("(2,), 1", "padding 1 is not a (begin, end) tuple"),
        ("(2,), (1, 1)", "is not a (begin, end) tuple"),
        ("(2,), [(1, 1), (1, 1)]", "is not a (begin, end) tuple"),
        ("(2,), [[1, 1]], use_consistent_padding=True", "is not a (begin, end) tuple"),
        ('(2,), "same", use_consistent_padding=True', "is not a (begin, end) tuple"),
        ('(2,), "same"', "needs stride 1"),
        ("(2,), [(-4, -4)]", "negative padding"),
        ('(0,), "VALID"', "are positive"),
    ],
)
def test_what_conv_transpose_refuses(arguments: str, reason: str) -> None:
    assert reason in transposed(arguments, 4, 3).refused


def test_in_channels_must_agree() -> None:
    assert "in channels" in claim(TRANSPOSE.format('(2,), "SAME"'), x=(1, 4, 3), w=(5, 2, 2)).refused


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("(2,), [(-3, -3)]", "nothing is left of the stamp"),  # answered, with nothing in it
        ('(1,), "FULL"', "the strings are SAME, VALID, SAME_LOWER"),
        ('(2,), "SAME", dimension_numbers=("NWC", "WIO")', "three strings"),
        ('(2,), "SAME", dimension_numbers=("NWC", "WIO", "NCW")', "differ in order"),
        ('(2,), "SAME", dimension_numbers=("NWX", "WIO", "NWC")', "does not name N, C"),
    ],
)
def test_what_says_no_problem(arguments: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        transposed(arguments, 4, 3)


def test_spatial_axes_in_different_orders_say_no_problem() -> None:
    text = TRANSPOSE.format('(2, 1), "SAME", dimension_numbers=("NHWC", "WHIO", "NHWC")')
    with pytest.raises(Refusal, match="differ in order"):
        claim(text, x=(1, 4, 4, 1), w=(3, 3, 1, 1))


def test_an_output_type_and_a_precision_mean_nothing() -> None:
    plain = transposed('(2,), "SAME"', 4, 3)
    assert transposed('(2,), "SAME", precision="highest", preferred_element_type=jnp.float32', 4, 3) == plain


def test_lhs_dilation_is_the_stride_of_a_reversed_kernel() -> None:
    text = GENERAL.format(f"(1,), [(1, 2)], (2,), {NWC}, feature_group_count=2")
    found = claim(text, x=(1, 4, 6), w=(3, 3, 8))
    assert (found.law, found.data, found.weight, found.reversed) == ("stretched", "n k c", "k i (g o)", True)
    assert str(found.problem) == "i4 k3 s2 p1:0 g2 ic3 oc4"


def test_axes_of_conv_general_dilated_are_torchs_by_default() -> None:
    found = claim(GENERAL.format("(1,), [(2, 2)], (2,)"), x=(1, 3, 4), w=(2, 3, 3))
    assert (found.data, found.weight) == ("n c k", "(g o) i k")


def test_a_convolution_of_stride_1_is_a_transposed_one() -> None:
    assert claim(GENERAL.format('(1,), "SAME"'), x=(1, 1, 6), w=(1, 1, 4)).problem.window == ((2, 1),)
    assert claim(GENERAL.format('(1,), "VALID"'), x=(1, 1, 6), w=(1, 1, 4)).problem.window == ((3, 3),)


def test_what_conv_general_dilated_refuses() -> None:
    shapes = {"x": (1, 1, 6), "w": (1, 1, 4)}
    assert "needs stride 1" in claim(GENERAL.format('(1,), "SAME", (2,)'), **shapes).refused
    assert "lhs_dilation takes" in claim(GENERAL.format("(1,), [(1, 1)], 2"), **shapes).refused
    with pytest.raises(Refusal, match="window_strides"):
        claim(GENERAL.format("(2,), [(1, 1)]"), **shapes)


@pytest.mark.parametrize("form", list(jax.FORMS.values()))
def test_a_gradient_has_the_size_of_the_convolutions_input(form: str) -> None:
    text = form.replace("CALL", "lax.conv_general_dilated(z, w, (3,), [(1, 1)])")
    windows = [claim(text, x=(1, 1, 2), w=(1, 1, 3), z=(1, 1, z)).problem.window for z in (4, 5, 6)]
    assert windows == [((1, 1),), ((1, 0),), ((1, -1),)]
    assert "x has not the shape" in claim(text, x=(1, 1, 2), w=(1, 1, 3), z=(1, 1, 7)).refused


@pytest.mark.parametrize(
    ("padding", "z", "expected"),
    [("SAME", 14, (1, 2)), ("SAME", 13, (2, 2)), ("SAME_LOWER", 14, (2, 1)), ("VALID", 18, (0, -1))],
)
def test_a_gradient_of_named_padding(padding: str, z: int, expected: tuple[int, int]) -> None:
    text = f'jax.linear_transpose(lambda z: jax.lax.conv(z, w, (2,), "{padding}"), z)(x)[0]'
    assert claim(text, x=(1, 1, 7), w=(1, 1, 5), z=(1, 1, z)).problem.window == (expected,)


def test_a_gradient_sees_the_weight_from_the_other_side() -> None:
    call = f'jax.lax.conv_general_dilated(z, w, (2,), "VALID", feature_group_count=2, {NWC})'
    found = claim(f"jax.vjp(lambda z: {call}, z)[1](x)[0]", x=(1, 3, 6), w=(3, 4, 6), z=(1, 7, 8))
    assert (found.law, found.data, found.weight, found.reversed) == ("gradient", "n k c", "k o (g i)", False)
    assert (found.problem.groups, found.problem.in_channels, found.problem.out_channels) == (2, 3, 4)
    assert not found.refused
    other = claim(f"jax.vjp(lambda z: {call}, z)[1](x)[0]", x=(1, 3, 6), w=(3, 4, 6), z=(1, 7, 9))
    assert "channels" in other.refused


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("(5,), strides=(2,)", (1, 2)),
        ("5, 2", (1, 2)),
        ("(5,), (2,), padding=1", (3, 3)),
        ("(5,), (2,), padding=(1,)", (3, 3)),
        ("(5,), (2,), padding=[[1, 2]]", (3, 2)),
        ('(5,), (7,), padding="VALID"', (0, -2)),
        ("(3,), (2,), 0, kernel_dilation=2", (4, 4)),
    ],
)
def test_flax_hands_its_arguments_to_conv_transpose(arguments: str, expected: tuple[int, int]) -> None:
    for text, made in (("nn", f"4, {arguments}"), ("flax.linen", f"4, {arguments}, transpose_kernel=True")):
        found = claim(f"{text}.ConvTranspose({made})", x=(1, 7, 3))
        assert (found.problem.window, found.refused) == ((expected,), "")
        assert found.problem.bias
        assert (found.weight, found.reversed) == (("k i o", True) if text == "nn" else ("k o i", False))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('flax.linen.ConvTranspose(4, (3,), padding="CIRCULAR")', "wraps the answer around"),
        ('flax.linen.ConvTranspose(4, (3,), padding="CAUSAL")', "the strings are"),
        ("flax.linen.ConvTranspose(4, (3, 3))", "kernel_size \\(3, 3\\) is of 2 axes"),
        ("flax.linen.ConvTranspose(4, (3,), mask=m)", "a mask"),
    ],
)
def test_what_flax_says_that_no_window_does(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        claim(text, x=(1, 7, 3))


def test_what_flax_refuses() -> None:
    assert "is not a (begin, end) tuple" in claim("nn.ConvTranspose(4, (3,), padding=(1, 1))", x=(1, 7, 3)).refused
    assert "needs stride 1" in claim('nn.ConvTranspose(4, (3,), (2,), padding="same")', x=(1, 7, 3)).refused
    assert (
        "is not a (begin, end) tuple"
        in claim("nnx.ConvTranspose(3, 4, (3,), padding=[[1, 1]], rngs=rngs)", x=(1, 7, 3)).refused
    )
    assert "in channels" in claim("nnx.ConvTranspose(2, 4, (3,), rngs=rngs)", x=(1, 7, 3)).refused
    with pytest.raises(ExpressionError, match="rngs"):
        claim("nnx.ConvTranspose(3, 4, (3,))", x=(1, 7, 3))


def test_flaxs_two_interfaces_are_told_apart() -> None:
    linen = idioms.read("jax", "flax.linen.ConvTranspose(4, (3,))", {"x": (1, 7, 3)})
    nnx = idioms.read("jax", "nnx.ConvTranspose(3, 4, (3,), rngs=self.rngs)", {"x": (1, 7, 3)})
    assert (linen.idiom.id, nnx.idiom.id) == ("flax-linen", "flax-nnx")
    assert nnx.text == "flax.nnx.ConvTranspose(3, 4, (3,), rngs=rngs)"
    assert linen.claim == nnx.claim


def drawn(count: int) -> Iterator[Problem]:
    choose = random.Random("idioms of jax")
    for _ in range(count):
        rank = choose.choice((1, 1, 2, 3))
        axes = [[choose.randint(1, 5) for _ in range(rank)] for _ in range(4)]
        window = [(choose.randint(-2, 4), choose.randint(-2, 4)) for _ in range(rank)]
        problem = Problem.of(
            axes[0], axes[1], axes[2], window, 0, axes[3], groups=choose.choice((1, 1, 2)),
            in_channels=choose.randint(1, 3), out_channels=choose.randint(1, 3), bias=choose.random() < 0.3,
        )  # fmt: skip
        if min(problem.output) > 0:
            yield problem


def shapes_of(idiom: Idiom, problem: Problem) -> dict[str, tuple[int, ...]]:
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    channels = {"k o i": (oc, ic), "k i (g o)": (ic, g * oc)}[idiom.weight]
    x = {"x": (problem.batch, *problem.input, g * ic)}
    return x if idiom.layer else {**x, "w": (*problem.kernel, *channels)}


SAYING = [idiom for idiom in idioms.idioms("jax") if idiom.say]


@pytest.mark.parametrize("idiom", SAYING, ids=lambda idiom: idiom.id)
def test_what_is_said_is_read_as_the_same_problem(idiom: Idiom) -> None:
    assert idiom.say
    said = 0
    for problem in drawn(400):
        try:
            text = idiom.say(problem)
        except Refusal:
            continue
        said += 1
        found = idioms.read("jax", text, shapes_of(idiom, problem))
        assert with_window(found.claim.problem, found.claim.problem.window) == with_window(problem, problem.window)
        assert (found.idiom.id, found.claim.refused) == (idiom.id, "")
        assert (found.claim.data, found.claim.weight) == (idiom.data, idiom.weight)
    assert said > 100


def test_groups_and_a_bias_are_said_where_they_are_known() -> None:
    grouped = Problem.of(4, 3, 2, groups=2)
    with_bias = Problem.of(4, 3, 2, bias=True)
    says = {idiom.id: idiom.say for idiom in SAYING}
    for name, problem, known in (
        ("jax-conv-transpose", grouped, False), ("jax-conv-general-dilated", grouped, True),
        ("flax-linen", grouped, False), ("jax-conv-transpose", with_bias, False),
        ("jax-conv-general-dilated", with_bias, False), ("flax-linen", with_bias, True),
    ):  # fmt: skip
        say = says[name]
        assert say
        if known:
            assert say(problem)
        else:
            with pytest.raises(Refusal):
                say(problem)


def test_a_window_is_named_where_a_name_means_it() -> None:
    assert jax.arguments(Problem.of(7, 5, 2, [(1, 2)]))["padding"] == "SAME"
    assert jax.arguments(Problem.of(7, 5, 2))["padding"] == "VALID"
    assert jax.arguments(Problem.of(7, 5, 2, [(2, 1)]))["padding"] == [(2, 3)]
