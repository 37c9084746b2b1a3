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


def refused(text: str, shapes: dict[str, Ints]) -> bool:
    try:
        return bool(idioms.read("torch", text, shapes).claim.refused)
    except Refusal:
        return True


@pytest.mark.parametrize(
    ("text", "rank", "output", "first"),
    [
        ("nn.ConvTranspose2d(6, 2, 1, stride=(4, 1), padding=3)", 2, ("4*i - 9", "i - 6"), 7),
        ("nn.ConvTranspose1d(6, 2, 3, 1, padding=3)", 1, ("i - 4",), 5),
        ("nn.ConvTranspose1d(6, 2, 3, 1, padding=4)", 1, ("i - 6",), 7),
        ("nn.ConvTranspose2d(6, 4, 2, padding=4, output_padding=(1, 0), dilation=4, groups=2)", 2,
         ("i - 3", "i - 4"), 5),
        ("nn.ConvTranspose1d(6, 2, 1, padding=300)", 1, ("i - 600",), 601),
        ("nn.ConvTranspose1d(6, 2, 3, stride=2, padding=1000000)", 1, ("2*i - 1999999",), 1000000),
    ],
)  # fmt: skip
def test_a_padding_that_cuts_small_inputs_whole_has_a_formula_and_the_first_input_that_is_answered(
    text: str, rank: int, output: tuple[str, ...], first: int
) -> None:
    meaning = meant("torch", text)
    assert (meaning.output, meaning.unknown) == (output, (f"i is the input's extent, from {first} on",))
    for i in (first, first + 1, first + 93):
        claim = idioms.read("torch", text, {"x": (1, 6, *[i] * rank)}).claim
        assert (claim.refused, claim.problem.output) == ("", tuple(eval(formula, {"i": i}) for formula in output))
    assert refused(text, {"x": (1, 6, *[first - 1] * rank)})


@pytest.mark.parametrize(("padding", "i"), [(3, 1), (30, 55), (3000, 5995)])
def test_where_a_padding_needs_a_larger_kernel_the_first_input_is_told_with_its_kernel(padding: int, i: int) -> None:
    text = f"F.conv_transpose1d(x, w, padding={padding})"
    meaning = meant("torch", text)
    assert meaning.output == (f"i + k - {2 * padding + 1}",)
    assert meaning.unknown[0] == f"i is the input's extent, from {i} on where k is 7"
    pairs = (i, 7), (i, 6), (i + 1, 6)
    assert [refused(text, {"x": (1, 2, n), "w": (2, 3, k)}) for n, k in pairs] == [False, True, False]


@pytest.mark.parametrize(("stride", "padding", "k"), [(1, 10, 17), (2, 5, 3), (1, 1, 1)])
def test_of_an_input_that_is_known_the_first_kernel_that_is_taken_is_told(stride: int, padding: int, k: int) -> None:
    text = f"F.conv_transpose2d(x, w, stride={stride}, padding={padding})"
    meaning = meant("torch", text, "x=1,8,5,7")
    assert meaning.unknown == (f"k is the kernel's extent{f', from {k} on' * (k > 1)}",)
    for extent in (k, k + 40):
        claim = idioms.read("torch", text, {"x": (1, 8, 5, 7), "w": (8, 4, extent, extent)}).claim
        output = tuple(eval(str(each), {"k": extent}) for each in meaning.output)
        assert (claim.refused, claim.problem.output) == ("", output)
    assert k == 1 or refused(text, {"x": (1, 8, 5, 7), "w": (8, 4, k - 1, k - 1)})


def test_no_kernel_that_is_not_known_is_said_to_be_refused() -> None:
    sized = "tf.nn.conv2d_transpose(x, w, (1, 30, 14, 4), 2, padding=[[0, 0], [1, 1], [1, 1], [0, 0]])"
    with pytest.raises(Refusal, match=r"of this size depends on the kernel: give --shape w=3,3,None,None"):
        meant("tensorflow", sized, "x=1,5,7,8")
    assert meant("tensorflow", sized, "x=1,5,7,8", "w=24,3,4,8").output == (30, 14)
    with pytest.raises(Refusal, match=r"padding takes 0 to 5 here on axis 0 \(of a kernel of 7\)$"):
        meant("torch", "F.conv_transpose2d(x, w, padding=1000)", "x=1,8,5,7")


def test_what_every_input_is_refused_for_is_told_with_the_input_that_the_numbers_are_of() -> None:
    with pytest.raises(Refusal, match=r"padding takes 0 to 127 here \(of an input of 256\)$"):
        meant("torch", "nn.ConvTranspose1d(6, 2, 1, padding=300000000)")
    with pytest.raises(Refusal, match=r"negative padding is not supported$"):
        meant("torch", "nn.ConvTranspose1d(6, 2, 1, padding=-1)")


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


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "extents"),
    [
        ("tensorflow", "tf.nn.conv2d_transpose(h, w, tf.stack([tf.shape(h)[0], 28, 30, 4]), [1, 2, 2, 1])",
         ["w=4,4,4,8"], "14 x 15"),
        ("tensorflow", "tf.nn.conv3d_transpose(h, w, [bs, 4, 6, 8, 4], [1, 2, 2, 2, 1])", ["w=3,3,3,4,3"], "2 x 3 x 4"),
        ("mxnet", "mx.sym.Deconvolution(x, kernel=(4,4), stride=(2,2), pad=(1,1), target_shape=(8,10), num_filter=4)",
         [], "4 x 5"),
        ("torch", "nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=[5, 200])", [], "2 x 99"),
    ],
)  # fmt: skip
def test_a_size_that_is_given_says_the_extents_of_the_input(
    framework: str, text: str, shapes: list[str], extents: str
) -> None:
    meaning = meant(framework, text, *shapes)
    assert meaning.unknown[-1] == f"the input's extents, which are {extents} here"
    x = [int(extent) for extent in extents.split(" x ")]
    channels = {"torch": 3, "mxnet": 4, "tensorflow": 8 if "2d" in text else 3}[framework]
    given = [1, *x, channels] if framework == "tensorflow" else [1, channels, *x]
    name = "h" if framework == "tensorflow" else "x"
    again = meant(framework, text, *shapes, f"{name}={','.join(map(str, given))}")
    assert (again.window, again.output) == (meaning.window, meaning.output)


@pytest.mark.parametrize(
    ("framework", "text", "message"),
    [
        (
            "torch",
            "nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=[2, 200])",
            "no input is found .*: give --shape x=None",
        ),
        (
            "tensorflow",
            "tf.nn.conv2d_transpose(x, w, [1, 8, 10, 4], 2)",
            "depends on the kernel: give --shape w=3,3,None,",
        ),
        (
            "tensorflow",
            "tf.nn.conv2d_transpose(x, w, [1, 9, 9, 4], 1, 'VALID')",
            "depends on the kernel: give --shape w=",
        ),
        ("tensorflow", "tf.nn.conv2d_transpose(x, w, [1, 8, 10, 4], [1, s, s, 1])", 'the value of s .* --let "s=2"'),
        ("jax", "lax.conv_transpose(x, params['w'], (2, 2), 'SAME')", "give --shape w=3,3,None,None"),
    ],
)
def test_what_is_not_said_is_named_with_the_option_that_says_it(framework: str, text: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        meant(framework, text)


def test_a_batch_that_is_known_at_run_time_is_that_of_x() -> None:
    text = "tf.nn.conv2d_transpose(inputs, w, [batch_size, 8, 10, n], [1, 2, 2, 1])"
    point = idioms.read("tensorflow", text, {"inputs": (2, 4, 5, 3), "w": (3, 3, 4, 3)})
    assert point.claim.problem.batch == 2
    assert point.text == "tf.nn.conv2d_transpose(x, w, [2, 8, 10, 4], [1, 2, 2, 1])"
    assert point.aside == ("the batch batch_size taken to be 2, as of x", "the channels n taken to be 4, as of w")
