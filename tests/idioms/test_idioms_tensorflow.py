"""What TensorFlow's and Keras' calls mean, by hand; none of it needs the framework."""

import random
import re
from collections.abc import Iterator

import pytest

from conformance import idioms, layout
from conformance.idioms.base import Claim, Idiom, Refusal
from conformance.idioms.catalogue import _keras, _tf_nn
from conformance.problem import Ints, Problem

SAYING = [each for each in idioms.idioms("tensorflow") if each.say is not None and not each.apart]


def claim(text: str, x: Ints, w: Ints | None = None, variant: str = "onednn") -> Claim:
    return idioms.read("tensorflow", text, {"x": x, **({"w": w} if w else {})}, variant).claim


def one(arguments: str, i: int, k: int, variant: str = "onednn") -> Claim:
    """A call of conv1d_transpose with single channels."""
    return claim(f"tf.nn.conv1d_transpose(x, w, {arguments})", (1, i, 1), (k, 1, 1), variant)


def layer(arguments: str, i: int, variant: str = "onednn") -> Claim:
    """A layer of one filter, on one channel."""
    return claim(f"keras.layers.Conv1DTranspose(1, {arguments})", (1, i, 1), None, variant)


@pytest.mark.parametrize(
    ("i", "k", "s", "out", "window"),
    [
        (7, 5, 2, 14, (1, 2)),  # an odd excess is cut at the end, where PyTorch's padding cuts it at the beginning
        (7, 5, 1, 7, (2, 2)),
        (14, 5, 2, 28, (1, 2)),
        (3, 3, 2, 5, (1, 1)),
        (3, 3, 2, 6, (0, 1)),
        (4, 1, 3, 12, (0, -2)),  # the stamp is shorter than the answer: zeros at the end
    ],
)
def test_same_halves_the_excess(i: int, k: int, s: int, out: int, window: tuple[int, int]) -> None:
    made = one(f"(1, {out}, 1), {s}", i, k)
    assert (made.law, made.problem.window, made.refused) == ("same", (window,), "")


@pytest.mark.parametrize(("padding", "sizes"), [("SAME", [3, 4]), ("VALID", [5, 6])])
@pytest.mark.parametrize("variant", ["onednn", "eigen"])
def test_as_many_sizes_are_legal_as_the_stride(padding: str, sizes: list[int], variant: str) -> None:
    legal = [out for out in range(1, 12) if not one(f'(1, {out}, 1), 2, "{padding}"', 2, 3, variant).refused]
    assert legal == sizes


@pytest.mark.parametrize(("variant", "sizes"), [("onednn", [2, 3, 4, 5, 6]), ("eigen", [4, 5, 6])])
def test_onednn_takes_sizes_below_the_kernel_of_an_input_of_one(variant: str, sizes: list[int]) -> None:
    assert [out for out in range(1, 9) if not one(f'(1, {out}, 1), 3, "VALID"', 1, 4, variant).refused] == sizes
    assert one('(1, 2, 1), 3, "VALID"', 1, 4).problem.window == ((0, 2),)


def test_pairs_cut_the_beginning_and_reach_the_size() -> None:
    text = "tf.nn.conv2d_transpose(x, w, (1, 1, {}, 1), (1, 2), [(0, 0), (0, 0), (1, 2), (0, 0)])"
    windows = {
        out: made.problem.window[1]
        for out in range(1, 20)
        if not (made := claim(text.format(out), (1, 1, 7, 1), (1, 5, 1, 1))).refused
    }
    assert windows == {14: (1, 2), 15: (1, 1)}


@pytest.mark.parametrize(
    ("strides", "spatial"),
    [("2", (2, 2)), ("[2]", (2, 2)), ("(2,)", (2, 2)), ("[3, 2]", (3, 2)), ("[1, 3, 2, 1]", (3, 2))],
)
def test_strides_are_one_two_or_four_numbers(strides: str, spatial: Ints) -> None:
    size = (1, 4 * spatial[0], 4 * spatial[1], 3)
    made = claim(f"tf.nn.conv2d_transpose(x, w, {size}, strides={strides})", (1, 4, 4, 2), (3, 3, 3, 2))
    assert (made.problem.stride, made.refused) == (spatial, "")


def test_four_strides_are_in_the_order_of_the_data() -> None:
    text = 'tf.nn.conv2d_transpose(x, w, (1, 3, 12, 8), [1, 1, 3, 2], data_format="NCHW")'
    made = claim(text, (1, 2, 4, 4), (3, 3, 3, 2))
    assert (made.problem.stride, made.data, made.problem.output) == ((3, 2), "n c k", (12, 8))
    assert claim(text, (1, 2, 4, 4), (3, 3, 3, 2), "eigen").refused == "channels first without oneDNN"


def test_groups_are_the_channels_of_the_answer_over_the_filters() -> None:
    made = claim("tf.nn.conv1d_transpose(x, w, (1, 8, 6), 2)", (1, 4, 4), (3, 3, 4))
    assert (made.problem.groups, made.problem.in_channels, made.problem.out_channels) == (2, 2, 3)
    assert made.weight == "k o (g i)"


def test_extents_may_stand_alone_in_2d() -> None:
    made = claim("tf.nn.conv2d_transpose(x, w, [8, 8], 2)", (2, 4, 4, 5), (3, 3, 3, 5))
    assert (made.problem.output_shape, made.refused) == ((2, 3, 8, 8), "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tf.nn.conv2d_transpose(x, w, (2, 8, 8, 3), 2)", "x has a batch of 1: output_shape takes 1 there, not 2"),
        ("tf.nn.conv2d_transpose(x, w, (1, 8, 8, 4), 2)", "4 channels do not divide into groups"),
        ("tf.nn.conv2d_transpose(x, w, (1, 9, 8, 3), 2)", "does not turn an answer of this size into the input's size"),
        ("tf.nn.conv2d_transpose(x, w, (1, 8, 8, 3), [2, 2, 2, 1])", "of batch or channels"),
        ("tf.nn.conv2d_transpose(x, w, (1, 7, 7, 3), 2, [(0, 0), (1, 1), (1, -1), (0, 0)])", "negative padding"),
        ("tf.nn.conv2d_transpose(x, w, (1, 7, 7, 3), 2, [(1, 1), (1, 1), (0, 0), (0, 0)])", "padding of batch"),
        ("tf.nn.atrous_conv2d_transpose(x, w, (1, 4, 4, 6), 2, 'SAME')", "groups|no groups"),
        (
            "tf.nn.atrous_conv2d_transpose(x, w, (1, 5, 5, 3), 2, 'SAME')",
            "does not turn an answer of this size into the input's size",
        ),
    ],
)
def test_refused(text: str, reason: str) -> None:
    assert re.search(reason, claim(text, (1, 4, 4, 2), (3, 3, 3, 2)).refused)


def test_a_filter_in_the_forward_order_is_refused_unless_the_counts_are_equal() -> None:
    assert claim("tf.nn.conv1d_transpose(x, w, (1, 8, 3), 2)", (1, 4, 2), (3, 2, 3)).refused
    assert not claim("tf.nn.conv1d_transpose(x, w, (1, 8, 2), 2)", (1, 4, 2), (3, 2, 2)).refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tf.nn.conv1d_transpose(x, w, (1, 8, 3), 2, [(0, 0), (1, 1), (0, 0)])", '"SAME" or "VALID"'),
        ('tf.nn.conv1d_transpose(x, w, (1, 8, 3), 2, "same")', '"SAME" or "VALID"'),
        ("tf.nn.conv1d_transpose(x, w, (8,), 2)", "3 extents"),
        ("tf.nn.conv1d_transpose(x, w, (1, 8, 3), [2, 2])", "strides"),
        ('tf.nn.conv1d_transpose(x, w, (1, 8, 3), 2, data_format="NHWC")', "NWC or NCW"),
    ],
)
def test_no_problem_at_all(text: str, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        claim(text, (1, 4, 2), (3, 3, 2))


@pytest.mark.parametrize("variant", ["onednn", "eigen"])
def test_atrous_is_dilation_without_onednn(variant: str) -> None:
    same = claim('tf.nn.atrous_conv2d_transpose(x, w, (1, 4, 4, 3), 3, "SAME")', (1, 4, 4, 2), (2, 3, 3, 2), variant)
    assert (same.problem.dilation, same.problem.window, same.refused) == ((3, 3), ((1, 2), (3, 3)), "")
    valid = claim('tf.nn.atrous_conv2d_transpose(x, w, (1, 7, 10, 3), 3, "VALID")', (1, 4, 4, 2), (2, 3, 3, 2), variant)
    assert (valid.problem.window, valid.refused) == (((0, 0), (0, 0)), "")


def test_dilation_and_groups_need_onednn_and_no_pairs() -> None:
    assert not one("(1, 8, 1), 2, dilations=2", 4, 3).refused
    assert one("(1, 8, 1), 2, dilations=2", 4, 3, "eigen").refused == "dilation without oneDNN"
    text = "tf.nn.conv2d_transpose(x, w, (1, 6, 6, 1), 1, [(0, 0), (1, 1), (1, 1), (0, 0)], dilations=2)"
    assert claim(text, (1, 4, 4, 1), (3, 3, 1, 1)).refused == "dilation without oneDNN"
    assert claim("tf.nn.conv3d_transpose(x, w, (1, 4, 4, 4, 2), 1)", (1, 4, 4, 4, 2), (1, 1, 1, 1, 2)).refused


def test_the_gradient_of_a_convolution_is_the_same_call() -> None:
    text = "tf.compat.v1.nn.conv2d_backprop_input([1, 8, 8, 3], w, x, [1, 2, 2, 1], {})"
    same = claim(text.format('"SAME"'), (1, 4, 4, 2), (3, 3, 3, 2))
    pairs = claim(text.format("[(0, 0), (1, 0), (1, 0), (0, 0)]"), (1, 4, 4, 2), (3, 3, 3, 2))
    assert (same.law, same.problem.window) == ("same", ((0, 1), (0, 1)))
    assert (pairs.law, pairs.problem.window, pairs.refused) == ("gradient", ((1, 0), (1, 0)), "")


@pytest.mark.parametrize(
    ("arguments", "i", "size", "window"),
    [
        ('3, strides=2, padding="same"', 4, 8, (0, 1)),
        ('3, strides=2, padding="same", output_padding=0', 4, 7, (1, 1)),  # None is not 0
        ('3, strides=2, padding="same", output_padding=1', 4, 8, (0, 1)),
        ('5, strides=2, padding="SAME"', 7, 14, (1, 2)),
        ("1, strides=2", 2, 4, (0, -1)),
        ("3, strides=2", 2, 5, (0, 0)),
        ("3, strides=2, output_padding=1", 2, 6, (0, -1)),
        ("3, dilation_rate=2", 5, 9, (0, 0)),
    ],
)
def test_a_layer_says_its_size(arguments: str, i: int, size: int, window: tuple[int, int]) -> None:
    made = layer(arguments, i)
    assert (made.problem.output, made.problem.window, made.refused) == ((size,), (window,), "")


@pytest.mark.parametrize(
    "arguments",
    [
        "3, strides=2, output_padding=2",
        "3, strides=2, dilation_rate=2",
        '4, strides=2, padding="same", output_padding=0',  # an even kernel: one less than SAME takes
    ],
)
def test_a_layer_refuses(arguments: str) -> None:
    assert layer(arguments, 4).refused


@pytest.mark.parametrize(
    "more", ['activation="relu"', "activation=keras.activations.relu", 'kernel_constraint="max_norm"', "name=f'up_{i}'"]
)
def test_what_cannot_change_the_answer_is_set_aside_and_said(more: str) -> None:
    point = idioms.read("tensorflow", f"Conv2DTranspose(4, 3, {more})", {"x": (1, 4, 4, 2)})
    assert not point.claim.refused
    assert [each.partition("=")[0] for each in point.aside] == [more.partition("=")[0]]
    assert ("activation" in point.text) is False


def test_another_dtype_than_that_of_the_run_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="dtype is float16: the call is read in float32"):
        layer('3, dtype="float16"', 4)


def test_the_last_parts_of_the_name_decide() -> None:
    shapes = {"x": (1, 4, 4, 2), "w": (3, 3, 3, 2)}
    for prefix in ("keras.layers.", "tf.keras.layers.", "layers.", ""):
        point = idioms.read("tensorflow", f"{prefix}Conv2DTranspose(3, 3)", {"x": (1, 4, 4, 2)})
        assert (point.idiom.id, point.text) == ("keras-layer", "keras.layers.Conv2DTranspose(3, 3)")
    assert idioms.read("tensorflow", "keras.ops.conv_transpose(x, w, 2)", shapes).idiom.id == "keras-ops"
    assert (
        idioms.read("tensorflow", "tf.nn.conv_transpose(x, w, (1, 8, 8, 3), 2)", shapes).idiom.id == "tf-nn-rank-free"
    )


def drawn(count: int) -> Iterator[Problem]:
    choose = random.Random(1)
    for _ in range(count):
        rank = choose.choice((1, 2, 2, 3))
        extents = [
            tuple(choose.choice(each) for _ in range(rank)) for each in ((1, 2, 3, 5), (1, 2, 3, 4, 5), (1, 2, 3))
        ]
        dilation = choose.choice((1, 1, 1, 2))
        effective = [dilation * (k - 1) + 1 for k in extents[1]]
        lows = [choose.choice((0, 0, ke // 2, (ke - 1) // 2)) for ke in effective]
        pads = [(lo, choose.choice((0, lo, lo + 1, lo - 1))) for lo in lows]
        problem = Problem.of(
            extents[0], extents[1], extents[2], pads, 0, dilation,
            groups=choose.choice((1, 1, 2)), in_channels=choose.choice((1, 2)), out_channels=choose.choice((1, 3)),
            batch=2, bias=choose.choice((False, True)),
        )  # fmt: skip
        if min(problem.output) > 0:
            yield problem


def shapes(idiom: Idiom, problem: Problem) -> dict[str, Ints]:
    of_x = {"n": (problem.batch,), "c": (problem.groups * problem.in_channels,), "k": problem.input}
    x = tuple(extent for letter in layout.groups(idiom.data) for extent in of_x[letter])
    w = (*problem.kernel, problem.out_channels, problem.groups * problem.in_channels)
    return {"x": x} if idiom.layer else {"x": x, "w": w}


@pytest.mark.parametrize("idiom", SAYING, ids=lambda each: each.id)
def test_what_is_said_is_read_as_the_same_problem(idiom: Idiom) -> None:
    said = 0
    for problem in drawn(800):
        assert idiom.say is not None
        try:
            text = idiom.say(problem)
        except Refusal:
            continue
        point = idioms.read("tensorflow", text, shapes(idiom, problem), "onednn")
        made = point.claim.problem
        assert (point.idiom, point.claim.refused) == (idiom, ""), text
        assert str(made) == str(Problem.of(
            problem.input, problem.kernel, problem.stride, problem.window, 0, problem.dilation, groups=problem.groups,
            in_channels=problem.in_channels, out_channels=problem.out_channels, batch=2, bias=problem.bias,
        )), text  # fmt: skip
        said += 1
    assert said > 50


def test_arguments_prefer_a_name_to_pairs() -> None:
    named = Problem.of((7, 7), 5, 2, [(1, 2), (1, 2)])
    assert _tf_nn.arguments(named)["padding"] == "SAME"
    assert _tf_nn.arguments(Problem.of(2, 3, 2))["padding"] == "VALID"
    assert _tf_nn.arguments(Problem.of((7, 7), 5, 2, 2, 1))["padding"] == [(0, 0), (2, 1), (2, 1), (0, 0)]
    assert _keras.arguments(named) == {"padding": "same"}
    assert _keras.arguments(Problem.of(4, 3, 2, 1)) == {"padding": "same", "output_padding": (0,)}


@pytest.mark.parametrize(
    "text", ["i7 k5 s2 p2 op1", "i5x5x5 k3 p1:0", "i5x5 k3 p-1", "i5x5 k3 s2 p1:0 d2", "i4x4x4 k1 g2"]
)
def test_windows_that_no_call_means(text: str) -> None:
    with pytest.raises(Refusal):
        _tf_nn.arguments(Problem.parse(text))


@pytest.mark.parametrize("text", ["i7 k5 s2 p2 op1", "i5 k3 g2", "i5 k3 s2 d2", "i5 k4 s2 p2:1"])
def test_windows_that_no_layer_means(text: str) -> None:
    with pytest.raises(Refusal):
        _keras.arguments(Problem.parse(text))


def test_a_filter_without_channels_says_no_problem() -> None:
    with pytest.raises(Refusal, match="extents below 1"):
        idioms.read(
            "tensorflow", "tf.nn.conv2d_transpose(x, w, (1, 8, 8, 3), 2)", {"x": (1, 4, 4, 2), "w": (3, 3, 0, 2)}
        )


@pytest.mark.parametrize(
    ("text", "rank", "window"),
    [
        ("layers.Conv2DTranspose(1, 3, 2, 'same', 1)", 2, (0, 1)),
        ("layers.Conv2DTranspose(1, 3, 2, 'same', 0, 'channels_last', 1, 'relu', False)", 2, (1, 1)),
        ("layers.Conv3DTranspose(1, 3, 2, 'same', 'channels_last', 0)", 3, (1, 1)),
        ("layers.Conv1DTranspose(1, 3, 2, 'valid', 1)", 1, (0, -1)),
    ],
)
def test_arguments_of_keras_without_names_are_read_in_the_order_of_keras_3(
    text: str, rank: int, window: tuple[int, int]
) -> None:
    call = idioms.read("tensorflow", text, {"x": (1, *(8,) * rank, 3)})
    assert call.claim.problem.window == (window,) * rank
    assert any("other versions may have another order" in reason for reason in call.aside)


def test_the_fifth_argument_of_a_keras_layer_is_the_data_format_in_3_d_alone() -> None:
    with pytest.raises(idioms.Refusal, match="data_format is 1"):
        idioms.read("tensorflow", "layers.Conv3DTranspose(1, 3, 2, 'same', 1)", {"x": (1, 8, 8, 8, 3)})
    with pytest.raises(idioms.Refusal, match="output_padding is 'channels_last'"):
        idioms.read("tensorflow", "layers.Conv2DTranspose(1, 3, 2, 'same', 'channels_last')", {"x": (1, 8, 8, 3)})
