"""A call of which not everything is known is answered with a formula, or with the option that would say the rest."""

import pytest

from conformance import idioms
from conformance.calls.meaning import Meaning, understand
from conformance.cli.call import parse_shapes
from conformance.idioms import Refusal
from conformance.problem import Ints

NCHW = "dimension_numbers=('NCHW', 'OIHW', 'NCHW')"
PAIRS, ONE = "((1, 1), (1, 1))", "[(1, 2)]"


def meant(framework: str, text: str, *shapes: str) -> Meaning:
    return understand(framework, idioms.reading(framework, text), parse_shapes(shapes))


FORMULAS = [
    (f"jax.lax.conv_transpose(x, w, (2, 2), {PAIRS}, {NCHW})", "n c k", "o i k", ("k - 2", "k - 2"), "2*i - k + 2"),
    (f"jax.lax.conv_transpose(x, w, (2, 2), {PAIRS}, {NCHW}, transpose_kernel=True)", "n c k", "i o k",
     ("k - 2", "k - 2"), "2*i - k + 2"),
    (f"jax.lax.conv_transpose(x, w, (2,), {ONE}, dimension_numbers=('CNH', 'HIO', 'CNH'))", "c n k", "k i o",
     ("k - 2", "k - 3"), "2*i - k + 3"),
    (f"jax.lax.conv_transpose(x, w, (3,), {ONE})", "n k c", "k i o", ("k - 2", "k - 3"), "3*i - k + 2"),
    (f"jax.lax.conv_general_dilated(x, w, (1,), {ONE}, lhs_dilation=(2,))", "n c k", "(g o) i k",
     ("k - 2", "k - 3"), "2*i - k + 3"),
    (f"jax.lax.conv_general_dilated(x, w, (1, 1), {PAIRS}, (2, 2), feature_group_count=3, {NCHW})", "n c k",
     "(g o) i k", ("k - 2", "k - 2"), "2*i - k + 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data", "weight", "window", "output"), FORMULAS)
def test_a_call_in_any_order_of_axes_is_a_formula_in_both_extents(
    text: str, data: str, weight: str, window: tuple[str, str], output: str
) -> None:
    meaning = meant("jax", text)
    assert (meaning.data, meaning.weight) == (data, weight)
    assert (meaning.window[-1], meaning.output[-1]) == (window, output)


@pytest.mark.parametrize(("text", "data", "weight", "window", "output"), FORMULAS)
@pytest.mark.parametrize(("i", "k"), [(7, 4), (9, 3), (12, 5)])
def test_a_formula_is_what_the_claim_says_of_numbers(
    text: str, data: str, weight: str, window: tuple[str, str], output: str, i: int, k: int
) -> None:
    groups = 3 if "group" in text else 1
    rank = 2 if "(2, 2)" in text or "(1, 1)," in text else 1
    extents: dict[str, Ints] = {"n": (1,), "c": (2 * groups,), "k": (i,) * rank}
    channels: dict[str, Ints] = {"i": (2,), "o": (5,), "(g o)": (5 * groups,), "k": (k,) * rank}
    x = [extent for letter in data.split() for extent in extents[letter]]
    w = [extent for letter in weight.replace(" o)", "_o)").split() for extent in channels[letter.replace("_", " ")]]
    claim = idioms.read("jax", text, {"x": tuple(x), "w": tuple(w)}).claim
    assert claim.refused == ""
    values = {"i": i, "k": k}
    assert claim.problem.window[-1] == tuple(eval(formula, values) for formula in window)
    assert claim.problem.output[-1] == eval(output, values)


SAME = f"jax.lax.conv_transpose(x, w, (2, 2), 'SAME', {NCHW})"


def test_what_is_no_formula_is_told_with_the_option_that_would_say_it() -> None:
    with pytest.raises(Refusal, match=r"the window is no plain formula .*: give --shape w=None,None,3,3"):
        meant("jax", SAME)
    meaning = meant("jax", SAME, "w=None,None,3,3")
    assert (meaning.window, meaning.output) == (((0, 1), (0, 1)), ("2*i", "2*i"))
    assert meant("jax", SAME, "w=3,2,3,3", "x=1,2,16,16").output == (32, 32)
    with pytest.raises(Refusal, match=r"give --let \"k=3\""):
        meant("tensorflow", "layers.Conv1DTranspose(3, k, strides=2, padding='same')")


@pytest.mark.parametrize(
    ("framework", "text", "weight"),
    [
        ("torch", "F.conv_transpose2d(x, w, stride=2, groups=2)", "w=6,5,3,3"),
        ("tensorflow", "tf.nn.conv2d_transpose(x, w, (1, 9, 9, 5), 2, 'VALID')", "w=3,3,5,6"),
        ("jax", f"jax.lax.conv_transpose(x, w, (2, 2), {PAIRS}, {NCHW})", "w=5,6,3,3"),
        ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3, 3), num_filter=5)", "w=6,5,3,3"),
    ],
)
def test_the_channels_of_x_are_those_of_a_weight_that_is_given(framework: str, text: str, weight: str) -> None:
    assert meant(framework, text, weight).refused == ""


def test_lengths_of_arguments_say_how_many_axes_there_are() -> None:
    assert len(meant("jax", "jax.lax.conv_transpose(x, w, (2,), [(1, 1)])").window) == 1
    assert len(meant("jax", "jax.lax.conv_transpose(x, w, (2, 2, 2), 'VALID')", "w=3,3,3,1,1").window) == 3
    assert len(meant("tensorflow", "tf.nn.conv_transpose(x, w, (1, 40, 3), 2)", "w=4,3,3").window) == 1
