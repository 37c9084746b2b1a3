"""What MXNet's calls mean, by hand; none of it needs the framework."""

import random
from collections.abc import Iterator

import pytest

from conformance import idioms
from conformance.calls.native import program
from conformance.idioms.base import Claim, Idiom, Refusal
from conformance.idioms.catalogue import _nd, mxnet
from conformance.idioms.expression import ExpressionError
from conformance.problem import Ints, Problem, Window

VARIANTS = ["onednn", "native"]
SAYING = [each for each in mxnet.IDIOMS if each.say is not None]


def claim(text: str, variant: str = "onednn", **shapes: Ints) -> Claim:
    return idioms.read("mxnet", text, shapes, variant).claim


def one(arguments: str, i: int, k: int, variant: str = "onednn") -> Claim:
    """A 1-D Deconvolution of single channels."""
    text = f"nd.Deconvolution(x, w, kernel=({k},), num_filter=1{', ' * bool(arguments)}{arguments})"
    return claim(text, variant, x=(1, 1, i), w=(1, 1, k))


def layer(arguments: str, channels: int, variant: str = "onednn", rank: int = 2) -> Claim:
    return claim(f"gluon.nn.Conv{rank}DTranspose({arguments})", variant, x=(1, channels, *(5,) * rank))


def gradient(arguments: str, z: int, k: int, x: int, variant: str = "onednn") -> Claim:
    """Of a 1-D convolution of single channels."""
    call = f"nd.Convolution(z, w, kernel=({k},), num_filter=1, no_bias=True{', ' * bool(arguments)}{arguments})"
    text = f"autograd.grad({call}, [z], head_grads=[x])[0]"
    return claim(text, variant, z=(1, 1, z), w=(1, 1, k), x=(1, 1, x))


def upsampling(words: str, channels: int, weight: Ints) -> Claim:
    return claim(f"mx.nd.UpSampling(x, w, sample_type='bilinear', {words})", x=(1, channels, 3, 5), w=weight)


@pytest.mark.parametrize(
    ("arguments", "i", "k", "window", "out"),
    [
        ("", 3, 3, (0, 0), 5),
        ("stride=(2,), pad=(1,)", 3, 3, (1, 1), 5),
        ("stride=(2,), pad=(1,), adj=(1,)", 3, 3, (1, 0), 6),
        ("stride=(2,), pad=(2,), adj=(1,)", 7, 5, (2, 1), 14),
        ("pad=(3,)", 7, 3, (3, 3), 3),  # more than the kernel reaches is cut all the same
        ("stride=(2,), dilate=(2,)", 3, 3, (0, 0), 9),
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_adj_gives_back_at_the_end(
    arguments: str, i: int, k: int, window: tuple[int, int], out: int, variant: str
) -> None:
    made = one(arguments, i, k, variant)
    assert (made.law, made.problem.window, made.problem.output, made.refused) == ("padding", (window,), (out,), "")


@pytest.mark.parametrize(
    ("target", "i", "k", "s", "window"),
    [(14, 7, 5, 2, (2, 1)), (13, 7, 5, 2, (2, 2)), (17, 7, 5, 2, (0, 0)), (3, 3, 3, 1, (1, 1)), (1, 1, 3, 3, (1, 1))],
)
def test_target_shape_cuts_the_odd_one_at_the_beginning(
    target: int, i: int, k: int, s: int, window: tuple[int, int]
) -> None:
    made = one(f"stride=({s},), target_shape=({target},), pad=(7,)", i, k, "native")
    assert (made.law, made.problem.window, made.refused) == ("centred-late", (window,), "")
    assert made.problem.output == (target,)


@pytest.mark.parametrize(("i", "k", "s", "target"), [(7, 5, 2, 14), (7, 5, 2, 13), (1, 4, 3, 2), (4, 3, 3, 10)])
def test_onednn_agrees_where_pad_is_what_target_shape_cuts(i: int, k: int, s: int, target: int) -> None:
    excess = (i - 1) * s + k - target
    arguments = f"stride=({s},), target_shape=({target},), pad=({(excess + 1) // 2},)"
    onednn, native = (one(arguments, i, k, variant) for variant in VARIANTS)
    assert onednn.problem == native.problem
    assert onednn.refused == native.refused == ""


def test_onednn_refuses_a_target_shape_that_pad_is_not_for() -> None:
    assert "oneDNN takes target_shape with the pad for it" in one("stride=(2,), target_shape=(14,)", 7, 5).refused


@pytest.mark.parametrize(
    ("arguments", "i", "k", "window"),
    [
        ("stride=(3,), target_shape=(2,)", 1, 4, (0, 2)),  # one element: pad 0 where 1 is meant
        ("stride=(3,), target_shape=(7,), pad=(1,)", 2, 4, (1, -1)),  # nothing is to be cut
    ],
)
def test_onednn_cuts_pad_whatever_target_shape_is(arguments: str, i: int, k: int, window: tuple[int, int]) -> None:
    made = one(arguments, i, k)
    assert (made.law, made.problem.window, made.refused) == ("output-size", (window,), "")
    assert one(arguments, i, k, "native").problem.window != (window,)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [("target_shape=(8,)", "larger than the stamp"), ("target_shape=(4,)", "stride"), ("adj=(1,)", "adj is from 0")],
)
def test_adj_stays_below_the_stride(arguments: str, reason: str, variant: str) -> None:
    assert reason in one(arguments, 3, 3, variant).refused


def test_a_target_shape_of_zeros_is_none() -> None:
    assert one("target_shape=(0,), pad=(1,)", 3, 3).problem.window == ((1, 1),)


@pytest.mark.parametrize(
    ("arguments", "i", "k", "refused"),
    [
        ("stride=(2,), adj=(-1,)", 1, 3, {"native"}),
        ("stride=(2,), dilate=(2,), adj=(-1,)", 1, 3, set()),  # of 5 are 4 left, the kernel is 3
        ("stride=(4,), dilate=(2,), adj=(-3,)", 1, 3, {"native"}),
        ("stride=(2,), adj=(-2,)", 1, 3, {"native", "onednn"}),
        ("stride=(2,), adj=(-1,)", 2, 3, {"native", "onednn"}),
    ],
)
def test_a_negative_adj_takes_an_input_of_one(arguments: str, i: int, k: int, refused: set[str]) -> None:
    assert {variant for variant in VARIANTS if one(arguments, i, k, variant).refused} == refused


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("text", "w", "reason"),
    [
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=4)", (2, 3, 2, 3), "4 filters"),
        ("nd.Deconvolution(x, w, kernel=(3, 3), num_filter=3)", (2, 3, 2, 3), "kernel (3, 3)"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=3)", (4, 3, 2, 3), "4 in channels"),
        ("nd.Deconvolution(x, w, b, kernel=(2, 3), num_filter=3)", (2, 3, 2, 3), "a bias takes no_bias=False"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=3, no_bias=False)", (2, 3, 2, 3), "takes a bias"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=3, pad=(0, -1))", (2, 3, 2, 3), "pad is not negative"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=3, layout='NHWC')", (5, 2, 3, 3), "NHWC is for GPUs"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, w: Ints, reason: str, variant: str) -> None:
    assert reason in claim(text, variant, x=(1, 2, 4, 5), w=w).refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nd.Deconvolution(x, w, num_filter=3)", "required"),
        ("nd.Deconvolution(x, w, kernel=(2, 3))", "required"),
        ("nd.Deconvolution(x, w, kernel=3, num_filter=3)", "2 numbers"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), stride=2, num_filter=3)", "2 numbers"),
        ("nd.Deconvolution(x, w, kernel=(2, 3), num_filter=3, layout='NCW')", "'NCHW'"),
        ("gluon.nn.Conv2DTranspose(3, (2, 2, 2))", "2 of them|2 numbers"),
        ("nd.UpSampling(x, w, scale=2, sample_type='nearest')", "no transposed convolution"),
    ],
)
def test_what_says_no_problem(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        idioms.read("mxnet", text, {"x": (1, 2, 4, 5)} | ({} if "gluon" in text else {"w": (2, 3, 2, 3)}), "onednn")


def test_upsampling_takes_two_spatial_axes() -> None:
    with pytest.raises(Refusal, match="x has 1 axes: it takes 4"):
        claim("mx.nd.UpSampling(x, w, scale=2, sample_type='bilinear')", x=(3,), w=(3, 1, 4, 4))


def test_a_number_is_the_kernel_of_one_axis() -> None:
    made = claim("nd.Deconvolution(x, w, kernel=3, stride=2, num_filter=1)", x=(1, 1, 4), w=(1, 1, 3))
    assert (made.problem.output, made.refused) == ((9,), "")


@pytest.mark.parametrize(("variant", "dilation", "refused"), [
    ("onednn", 1, ""), ("onednn", 2, "no dilation in 3-D"),
    ("native", 1, "without oneDNN there is no 3-D"), ("native", 2, "no dilation in 3-D"),
])  # fmt: skip
def test_three_axes(variant: str, dilation: int, refused: str) -> None:
    assert layer(f"4, 3, dilation={dilation}", 2, variant, rank=3).refused == refused


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ("8, 3", ""),
        ("8, 3, groups=2, in_channels=4", ""),
        ("8, 3, groups=2", "groups need in_channels"),
        ("8, 3, groups=4", "groups need in_channels"),
        ("8, 3, in_channels=3", "the layer has 3 in channels, the input 4"),
        ("9, 3, groups=2, in_channels=4", "2 groups do not divide both 4 in and 9 out channels"),
        ("8, 3, output_padding=1", "output_padding is from 0 to stride - 1: output_padding takes 0 here on axis 0"),
        ("8, 3, in_channels=4, layout='NHWC'", "NHWC is for GPUs"),
    ],
)
def test_layers(arguments: str, refused: str) -> None:
    shape = (1, 5, 5, 4) if "NHWC" in arguments else (1, 4, 5, 5)
    assert claim(f"gluon.nn.Conv2DTranspose({arguments})", x=shape).refused == refused


def test_three_groups_divide_the_unknown() -> None:
    assert [groups for groups in range(1, 20) if not layer(f"{groups}, 3, groups={groups}", groups).refused] == [
        1, 3, 5, 15, 17
    ]  # fmt: skip


def test_a_layer_has_a_bias_unless_told_otherwise() -> None:
    assert [layer(f"4, 3{words}", 2).problem.bias for words in ("", ", use_bias=False")] == [True, False]


def test_a_layer_gets_its_arrays_before_the_call() -> None:
    point = idioms.read("mxnet", "Conv1DTranspose(1, 3, in_channels=2)", {"x": (1, 2, 4)})
    assert program(point).splitlines()[1:] == [
        "    layer = mxnet.gluon.nn.Conv1DTranspose(1, 3, in_channels=2)",
        "    layer.initialize()",
        "    layer.weight.set_data(w)",
        "    layer.bias.set_data(b)",
        "    y = layer(x)",
        "    return y",
    ]


@pytest.mark.parametrize(
    ("arguments", "z", "k", "x", "window"),
    [
        ("stride=(3,), pad=(1,)", 6, 3, 2, (1, -1)),  # inputs of 5 and of 6 both give 2
        ("stride=(3,), pad=(1,)", 5, 3, 2, (1, 0)),
        ("", 5, 3, 3, (0, 0)),
        ("dilate=(2,), pad=(2,)", 5, 3, 5, (2, 2)),
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gradient_has_the_size_of_the_input(
    arguments: str, z: int, k: int, x: int, window: tuple[int, int], variant: str
) -> None:
    made = gradient(arguments, z, k, x, variant)
    assert (made.law, made.problem.window, made.problem.output, made.refused) == ("gradient", (window,), (z,), "")


def test_without_onednn_a_gradient_takes_any_extent() -> None:
    assert [bool(gradient("", 5, 3, 4, variant).refused) for variant in VARIANTS] == [True, False]
    assert [bool(gradient("", 5, 1, 4, variant).refused) for variant in VARIANTS] == [True, True]


def test_a_gradient_takes_no_bias() -> None:
    text = "autograd.grad(nd.Convolution(z, w, kernel=(3,), num_filter=1), [z], head_grads=[x])[0]"
    assert claim(text, z=(1, 1, 5), w=(1, 1, 3), x=(1, 1, 3)).refused == "no_bias=False, its default, takes a bias"


@pytest.mark.parametrize(
    ("scale", "kernel", "pad"), [(1, 1, 0), (2, 4, 1), (3, 5, 1), (4, 8, 2), (5, 9, 2), (6, 12, 3)]
)
def test_upsampling_is_a_transposed_convolution(scale: int, kernel: int, pad: int) -> None:
    made = upsampling(f"scale={scale}, num_filter=4", 4, (4, 1, kernel, kernel))
    assert (made.law, made.refused) == ("upsampling", "")
    assert made.problem == Problem.of(
        (3, 5), kernel, scale, pad, groups=4, in_channels=1, out_channels=1
    )  # fmt: skip
    assert made.problem.output == (3 * scale, 5 * scale)


def test_nothing_is_claimed_of_an_upsampling_that_ends_the_process() -> None:
    with pytest.raises(Refusal, match="num_filter is 0, its default: it ends the process"):
        upsampling("scale=2", 4, (4, 1, 4, 4))


@pytest.mark.parametrize(
    ("words", "weight", "reason"),
    [
        ("scale=2, num_filter=4", (4, 4, 4, 4), "(channels, 1, 4, 4)"),
        ("scale=2, num_filter=4", (4, 1, 3, 3), "(channels, 1, 4, 4)"),
        ("scale=2, num_filter=2", (4, 1, 4, 4), "num_filter"),
    ],
)
def test_upsampling_takes_a_filter_a_channel(words: str, weight: Ints, reason: str) -> None:
    assert reason in upsampling(words, 4, weight).refused


def drawn(count: int) -> Iterator[Problem]:
    """Problems of every kind, some of whose windows no argument says."""
    choose = random.Random("mxnet").choice
    for _ in range(count):
        rank = choose((1, 1, 2, 2, 3))
        i, k, s, d, pad, op = (
            tuple(choose(values) for _ in range(rank))
            for values in ((1, 2, 3, 5), (1, 2, 3, 4), (1, 2, 3), (1, 1, 1, 2), (0, 0, 1, 2), (0, 0, 0, 1, -1))
        )
        problem = Problem.of(
            i, k, s, pad, op, d, groups=choose((1, 1, 2, 3)), in_channels=choose((1, 2, 3)),
            out_channels=choose((1, 2, 3)), batch=choose((1, 2)), bias=choose((True, False)),
        )  # fmt: skip
        if min(problem.output) > 0:
            yield problem


def summary(problem: Problem) -> tuple[Window, int, int, int, bool, Ints, Ints]:
    return (problem.window, problem.groups, problem.in_channels, problem.out_channels, problem.bias, problem.stride,
            problem.dilation)  # fmt: skip


@pytest.mark.parametrize("idiom", SAYING, ids=lambda idiom: idiom.id)
def test_what_is_said_is_read_again(idiom: Idiom) -> None:
    assert idiom.say is not None
    said = 0
    for problem in drawn(900):
        try:
            text = idiom.say(problem)
        except Refusal:
            continue
        said += 1
        shapes = {"x": problem.input_shape} | ({} if idiom.layer else {"w": problem.weight_shape})
        point = idioms.read("mxnet", text, shapes, "onednn")
        assert point.idiom is idiom
        assert (summary(point.claim.problem), point.claim.refused) == (summary(problem), ""), text
        assert point.claim.weight == idiom.weight
    assert said > 250


@pytest.mark.parametrize("window", [(-1, -1), (0, 1), (1, -1), (0, -2)])
def test_windows_that_no_argument_says(window: tuple[int, int]) -> None:
    problem = Problem.of(4, 3, 2, [window])
    for idiom in SAYING:
        assert idiom.say is not None
        with pytest.raises(Refusal, match="must not be negative"):
            idiom.say(problem)


def test_three_axes_with_dilation_are_not_said() -> None:
    with pytest.raises(Refusal, match="no dilation in 3-D"):
        _nd.arguments(Problem.of((2, 2, 2), 2, dilation=2))


def test_what_is_said_is_short() -> None:
    problem = Problem.of((4, 4), (3, 3), 2, 1, 1, in_channels=2, out_channels=3, bias=True)
    said = [idiom.say(problem) for idiom in SAYING if idiom.say]
    assert said == [
        "mxnet.nd.Deconvolution(x, w, b, kernel=(3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 1), num_filter=3, "
        "no_bias=False)",
        "mxnet.gluon.nn.Conv2DTranspose(3, 3, strides=2, padding=1, output_padding=1, in_channels=2)",
    ]


@pytest.mark.parametrize(("rank", "text"), [
    (1, 'mxnet.nd.pad(y.expand_dims(2), mode="constant", pad_width=(0, 0, 0, 0, 0, 0, 1, 2)).squeeze(axis=2)'),
    (2, 'mxnet.nd.pad(y, mode="constant", pad_width=(0, 0, 0, 0, 1, 2, 1, 2))'),
])  # fmt: skip
def test_zeros_around_an_array(rank: int, text: str) -> None:
    assert mxnet.DIALECT.pad("y", [(0, 0), (0, 0), *[(1, 2)] * rank]) == text


@pytest.mark.parametrize("name", ["mx.nd.Deconvolution", "nd.Deconvolution", "mxnet.ndarray.Deconvolution"])
def test_modules_have_any_name(name: str) -> None:
    point = idioms.read("mxnet", f"{name}(data, weight, kernel=(3,), num_filter=1)",
                        {"data": (1, 1, 4), "weight": (1, 1, 3)})  # fmt: skip
    assert point.text == "mxnet.nd.Deconvolution(x, w, kernel=(3,), num_filter=1)"


@pytest.mark.parametrize(
    ("text", "whole", "weight"),
    [
        ("mx.sym.Deconvolution(data=data, kernel=(4, 4), num_filter=3)",
         "mxnet.nd.Deconvolution(x, w, kernel=(4, 4), num_filter=3)", (2, 3, 4, 4)),
        ("sym.Deconvolution(data, kernel=(4, 4), num_filter=3, no_bias=False)",
         "mxnet.nd.Deconvolution(x, w, b, kernel=(4, 4), num_filter=3, no_bias=False)", (2, 3, 4, 4)),
        ("mx.symbol.UpSampling(data, scale=2, sample_type='bilinear', num_filter=2, name='up')",
         'mxnet.nd.UpSampling(x, w, scale=2, sample_type="bilinear", num_filter=2, name="up")', (2, 1, 4, 4)),
    ],
)  # fmt: skip
def test_the_variables_that_a_symbol_makes_are_written(text: str, whole: str, weight: Ints) -> None:
    call = idioms.read("mxnet", text, {"data": (1, 2, 5, 6)})
    assert (call.text, call.shapes["w"], call.claim.refused) == (whole, weight, "")
    assert idioms.read("mxnet", call.text, call.shapes).claim == call.claim  # as a process of its own reads it


def test_a_call_on_arrays_makes_no_weight() -> None:
    with pytest.raises(ExpressionError, match=r"weight is missing: .* write weight=w"):
        idioms.reading("mxnet", "mx.nd.Deconvolution(x, kernel=(4, 4), num_filter=3)")
