"""From two sizes to the calls that have them: what is named fits, and what fits is named."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import idioms
from conformance.calls.sizes.answers import answer, answer_lines
from conformance.calls.sizes.proposals import SizesError, Wanted, nearest, proposals, with_output
from conformance.calls.sizes.spellings import Target, first, spellings
from conformance.idioms.base import Refusal
from conformance.problem import Ints, Problem

ABLE = [(framework, idiom.id) for framework in idioms.frameworks() for idiom in Target(framework).idioms()]
SIZES = st.fixed_dictionaries({
    "i": st.integers(1, 12), "out": st.integers(1, 40), "k": st.integers(1, 7), "s": st.integers(1, 5),
    "d": st.integers(1, 3), "g": st.sampled_from([1, 1, 1, 2]), "rank": st.integers(1, 3),
})  # fmt: skip


def asked(i: Ints | int, out: Ints | int, k: int, s: int, d: int = 1, g: int = 1, rank: int = 1) -> Problem:
    extents = (i,) * rank if isinstance(i, int) else i
    answers = (out,) * len(extents) if isinstance(out, int) else out
    return with_output(Problem.of(extents, k, s, 0, 0, d, groups=g), answers)


def texts(framework: str, problem: Problem, **given: Any) -> list[str]:
    return [call.text for call in spellings(Target(framework, given=given), problem)]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(idioms.frameworks()), st.sampled_from(["", "native", "eigen"]), SIZES)
def test_every_call_that_is_named_is_claimed_to_have_just_the_sizes(
    framework: str, variant: str, sizes: dict[str, int]
) -> None:
    problem = asked(**sizes)
    for call in spellings(Target(framework, variant), problem):
        claim = idioms.read(framework, call.text, call.shapes, variant).claim
        assert claim.refused == ""
        assert (claim.problem.input, claim.problem.output) == (problem.input, problem.output), call.text
        assert (claim.problem.kernel, claim.problem.stride) == (problem.kernel, problem.stride), call.text
        assert (claim.problem.dilation, claim.problem.groups) == (problem.dilation, problem.groups), call.text


def forms(framework: str, problem: Problem) -> Iterator[tuple[str, dict[str, Ints]]]:
    """Every way, within bounds that no legal one passes, to write a 1-D layer's or function's sizes."""
    (k,), (s,), (d,), (i,), (out,) = (
        problem.kernel, problem.stride, problem.dilation, problem.input, problem.output
    )  # fmt: skip
    if framework == "torch":
        for p, op in product(range(30), range(max(s, d))):
            yield f"nn.ConvTranspose1d(1, 1, {k}, {s}, {p}, {op}, dilation={d})", {"x": (1, 1, i)}
    if framework == "mxnet":
        for p, op in product(range(30), range(s)):
            yield f"gluon.nn.Conv1DTranspose(1, {k}, {s}, {p}, {op}, {d}, in_channels=1)", {"x": (1, 1, i)}
    if framework == "tensorflow":
        for padding, op in product(("same", "valid"), (None, *range(s))):
            text = f"layers.Conv1DTranspose(1, {k}, {s}, '{padding}', output_padding={op}, dilation_rate={d})"
            yield text, {"x": (1, i, 1)}
        for padding in ("SAME", "VALID"):
            text = f"tf.nn.conv1d_transpose(x, w, (1, {out}, 1), {s}, '{padding}', dilations={d})"
            yield text, {"x": (1, i, 1), "w": (k, 1, 1)}


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.sampled_from(["torch", "mxnet", "tensorflow"]), SIZES.map(lambda sizes: sizes | {"rank": 1, "g": 1}))
def test_every_window_that_a_layer_can_have_for_two_sizes_is_named(framework: str, sizes: dict[str, int]) -> None:
    problem = asked(**sizes)
    possible = set()
    for text, shapes in forms(framework, problem):
        try:
            claim = idioms.read(framework, text, shapes).claim
        except Refusal:
            continue
        if not claim.refused and claim.problem.output == problem.output:
            possible.add(claim.problem.window)
    named = {call.claim.problem.window for call in spellings(Target(framework), problem)}
    assert possible <= named
    assert bool(possible) == bool(named)


KNOWN = [
    ("tensorflow", asked(20, 39, 3, 2), {},
     'keras.layers.Conv1DTranspose(1, 3, padding="same", output_padding=0, strides=2)'),
    ("torch", asked(32, 160, 10, 5), {}, "torch.nn.ConvTranspose1d(1, 1, 10, stride=5, padding=3, output_padding=1)"),
    ("torch", asked(4, 9, 2, 2), {}, "torch.nn.ConvTranspose1d(1, 1, 2, stride=2, output_padding=1)"),
    ("torch", asked((7, 7), 14, 4, 2), {}, "torch.nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1)"),
    ("torch", asked((7, 7), 14, 4, 2, g=2), {}, "torch.nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1, groups=2)"),
    ("torch", asked(32, 160, 10, 5), {"padding": (4,)},
     "torch.nn.ConvTranspose1d(1, 1, 10, stride=5, padding=4, output_padding=3)"),
    ("torch", asked(32, 160, 10, 5), {"output_padding": (0,)},
     "torch.nn.ConvTranspose1d(1, 1, 10, stride=5, padding=3)(x, output_size=[160])"),
    ("mxnet", asked(32, 160, 10, 5), {},
     "mxnet.gluon.nn.Conv1DTranspose(1, 10, strides=5, padding=3, output_padding=1, in_channels=1)"),
    ("jax", asked(20, 40, 3, 2), {"padding": "same"},
     'flax.linen.ConvTranspose(1, (3,), strides=(2,), padding="SAME")'),
    ("jax", asked(5, 5, 4, 1), {"padding": "same_lower"},
     'flax.linen.ConvTranspose(1, (4,), strides=(1,), padding="SAME_LOWER")'),
]  # fmt: skip


@pytest.mark.parametrize(("framework", "problem", "given", "text"), KNOWN)
def test_the_natural_call_comes_first(framework: str, problem: Problem, given: dict[str, Any], text: str) -> None:
    assert texts(framework, problem, **given)[0] == text


@pytest.mark.parametrize(
    ("framework", "words"),
    [
        ("torch", ["output_padding=1", "output_size=[160]", "conv1d_input((1, 1, 160)", "aten.convolution"]),
        ("mxnet", ["output_padding=1", "adj=(1,)", "target_shape=(160,)"]),
        ("tensorflow", ['padding="same"', "output_shape=(1, 160, 1)", "keras.ops"]),
        ("jax", ['padding="SAME"', "[(6, 7)]", "use_consistent_padding=True", "lhs_dilation=(5,)", "flax.nnx"]),
    ],
)
def test_every_way_to_say_a_size_is_named(framework: str, words: list[str]) -> None:
    named = "\n".join(texts(framework, asked(32, 160, 10, 5)))
    assert [word for word in words if word not in named] == []


@pytest.mark.parametrize(("framework", "idiom"), ABLE)
def test_every_idiom_that_says_sizes_says_some(framework: str, idiom: str) -> None:
    problems = [asked((7, 7), 14, 4, 2), asked((7, 7), 7, 3, 1, 2)]
    assert any(first(Target(framework, idiom=idiom), problem) for problem in problems)


def test_an_idiom_that_says_no_sizes_is_refused_with_those_that_do() -> None:
    with pytest.raises(idioms.IdiomError, match="no idiom 'torch-autograd' that says sizes: those are torch-func"):
        Target("torch", idiom="torch-autograd").idioms()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["torch", "mxnet", "tensorflow"]), SIZES.map(lambda sizes: sizes | {"rank": 1, "g": 1}))
def test_no_size_nearer_than_the_nearest_can_be_had(framework: str, sizes: dict[str, int]) -> None:
    problem = asked(**sizes)
    if texts(framework, problem):
        return
    found = [call.claim.problem.output[0] for call in nearest(Target(framework), problem)]
    distance = min((abs(out - sizes["out"]) for out in found), default=30)
    for out in range(max(sizes["out"] - distance + 1, 1), sizes["out"] + distance):
        assert not texts(framework, with_output(problem, (out,)))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(SIZES.map(lambda sizes: sizes | {"rank": 1, "g": 1}), st.integers(0, 4))
def test_no_size_nearer_than_the_nearest_can_be_had_with_a_padding(sizes: dict[str, int], padding: int) -> None:
    problem, target = asked(**sizes), Target("torch", given={"padding": (padding,)})
    legal = [out for out in range(1, 100) if first(target, with_output(problem, (out,)))]
    if not legal or sizes["out"] in legal:
        return
    found = [call.claim.problem.output[0] for call in nearest(target, problem)]
    assert found[0] in legal
    assert abs(found[0] - sizes["out"]) == min(abs(out - sizes["out"]) for out in legal)


@pytest.mark.slow
def test_the_nearest_size_is_found_however_far_an_axis_is() -> None:
    problem = asked((286, 300), (571, 300), 4, 2)
    near = nearest(Target("torch", given={"padding": (1,)}), problem)
    assert [call.claim.problem.output for call in near] == [(572, 600)]
    assert [call.claim.problem.output for call in nearest(Target("torch"), asked((20, 20), (571, 300), 4, 2))] == [
        (43, 43)
    ]


@pytest.mark.parametrize(
    ("target", "wanted", "line"),
    [
        (Target("torch", given={"output_padding": (5,)}), Wanted((20,), (41,), (3,), (2,)),
         "no call of torch with kernel 3, stride 2 and output_padding 5 gives 41 from 20: without --output-padding "
         "there is one"),
        (Target("torch", given={"padding": (1,)}), Wanted((4, 4), (11, 11), (4, 4), (2, 2)),
         "no call of torch with kernel 4x4, stride 2x2 and padding 1 gives 11x11 from 4x4: the nearest is 9x9; without "
         "--padding or --kernel or --stride there is one"),
        (Target("tensorflow", idiom="keras-layer"), Wanted((20,), (40,), groups=2),
         "no call of keras-layer with groups 2 gives 40 from 20 that was tried: without --idiom or --groups there "
         "is one"),
        (Target("mxnet", "native"), Wanted((2, 2, 2), (4, 4, 4), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
         "no call of mxnet with kernel 2x2x2, stride 2x2x2 and dilation 2x2x2 gives 4x4x4 from 2x2x2"),
    ],
)  # fmt: skip
def test_what_fits_nothing_is_told_with_all_that_was_asked_and_what_is_in_the_way(
    target: Target, wanted: Wanted, line: str
) -> None:
    assert next(answer_lines(answer(target, wanted))) == f"nothing fits: {line}"


def test_sizes_of_one_axis_are_told_with_how_to_give_two() -> None:
    lines = list(answer_lines(answer(Target("torch"), Wanted((20,), (40,), (4,), (2,)))))
    assert (
        lines[-1]
        == "  these calls have one spatial axis: for images, which have two, give --input 20x20 --output 40x40"
    )
    assert "of one axis" not in "".join(
        answer_lines(answer(Target("torch"), Wanted((20, 20), (40, 40), (4, 4), (2, 2))))
    )
    with pytest.raises(SizesError, match=r"--kernel has 2 axes, --input has 1: .* as in --input 20x20"):
        Wanted((20,), (40,), (3, 3))


def test_nearest_sizes_stand_on_both_sides() -> None:
    problem = asked(4, 5, 3, 1)
    assert [call.claim.problem.output for call in nearest(Target("mxnet"), problem)] == [(4,), (6,)]


def test_only_the_axis_that_does_not_fit_is_changed() -> None:
    problem = asked((4, 4, 4), (9, 10, 8), 2, 2)
    assert [call.claim.problem.output for call in nearest(Target("torch"), problem)] == [(9, 9, 8)]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 3))
def test_a_proposal_has_the_sizes(i: int, out: int, rank: int) -> None:
    for call in proposals(Target("torch"), Wanted((i,) * rank, (out,) * rank)):
        assert call.claim.problem.output == (out,) * rank
        assert all(k >= s for k, s in zip(call.claim.problem.kernel, call.claim.problem.stride, strict=True))


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Wanted((20,), (40,)), "torch.nn.ConvTranspose1d(1, 1, 4, stride=2, padding=1)"),
        (Wanted((1, 1), (4, 4)), "torch.nn.ConvTranspose2d(1, 1, 4)"),
        (Wanted((7, 7), (7, 7)), "torch.nn.ConvTranspose2d(1, 1, 3, padding=1)"),
        (Wanted((32,), (160,), kernel=(10,)),
         "torch.nn.ConvTranspose1d(1, 1, 10, stride=5, padding=3, output_padding=1)"),
        (Wanted((20,), (39,), stride=(2,)), "torch.nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1)"),
        (Wanted((7,), (15,)), "torch.nn.ConvTranspose1d(1, 1, 3, stride=2)"),
    ],
)  # fmt: skip
def test_the_best_proposal_comes_first(wanted: Wanted, text: str) -> None:
    assert next(proposals(Target("torch"), wanted)).text == text


def test_without_a_fit_there_is_no_call_but_the_nearest() -> None:
    found = answer(Target("torch"), Wanted((4,), (10,), (2,), (2,)))
    assert found.calls == ()
    assert [call.claim.problem.output for call in found.near] == [(9,)]


def test_sizes_of_other_axes_are_refused() -> None:
    with pytest.raises(SizesError, match="--kernel has 3 axes, --input has 2"):
        Wanted((2, 2), (4, 4), (2, 2, 2))
    with pytest.raises(SizesError, match="--input has 4 axes"):
        Wanted((2,) * 4, (4,) * 4)


def test_cuts_that_are_equal_come_before_others_and_holes_last() -> None:
    proposed = [call.text for call in answer(Target("torch"), Wanted((4,), (7,))).calls]
    assert proposed[:3] == [
        "torch.nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1)",
        "torch.nn.ConvTranspose1d(1, 1, 5, stride=2, padding=2)",
        "torch.nn.ConvTranspose1d(1, 1, 7, stride=2, padding=3)",
    ]
    windows = [
        call.claim.problem.window
        for call in answer(Target("jax", module="flax"), Wanted((16,), (32,), (4,), (2,))).calls
    ]
    assert windows == [((1, 1),), ((1, 1),), ((0, 2),)] * 2


def test_flax_says_sizes_without_what_no_size_hangs_on() -> None:
    calls = answer(Target("jax", module="flax"), Wanted((16,), (32,), (4,), (2,))).calls
    assert calls[0].text == 'flax.linen.ConvTranspose(1, (4,), strides=(2,), padding="SAME")'
    assert not any("transpose_kernel" in call.text for call in calls)


def test_an_output_that_is_smaller_than_the_input_is_told_what_makes_sizes_smaller() -> None:
    said = list(answer_lines(answer(Target("torch"), Wanted((32,), (16,)))))
    assert any("an ordinary convolution with a stride makes sizes smaller" in line for line in said)
    assert not any("smaller" in line for line in answer_lines(answer(Target("torch"), Wanted((16,), (32,)))))


def test_an_ordinary_convolution_is_named_only_where_one_with_a_stride_gives_such_a_size() -> None:
    def said(out: int) -> str:
        return "\n".join(answer_lines(answer(Target("torch"), Wanted((100,), (out,)))))

    assert "an ordinary convolution with a stride" in said(50)
    assert "an ordinary convolution with a stride" not in said(99)


def test_so_many_axes_as_no_call_has_are_refused_with_the_sizes_to_give() -> None:
    message = "tflite has no call of 1 spatial axis, and calls of 2 or 3: give --input 13x13 --output 26x26"
    with pytest.raises(SizesError, match=message):
        answer(Target("tensorflow", module="tflite"), Wanted((13,), (26,)))
