"""Calls are read into claims; the catalogue agrees with itself."""

import pytest

from conformance import adapters, idioms
from conformance.calls.native import program
from conformance.idioms import IdiomError, laws
from conformance.idioms._edges import draws
from conformance.idioms.base import Example, Refusal

FUNCTION = "torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1)"
SHAPES = {"x": (1, 4, 5, 7), "w": (4, 2, 3, 3)}


def test_every_framework_with_idioms_is_one_with_an_adapter() -> None:
    assert set(idioms.frameworks()) <= set(adapters.frameworks())


def test_no_two_idioms_have_one_id() -> None:
    ids = [idiom.id for framework in idioms.frameworks() for idiom in idioms.idioms(framework)]
    assert len(ids) == len(set(ids))


def test_a_module_names_its_framework() -> None:
    for name, framework in [("keras", "tensorflow"), ("tf", "tensorflow"), ("flax", "jax"), ("mx", "mxnet")]:
        assert idioms.framework_of(name) == framework
        assert idioms.framework_of(framework) == framework
    with pytest.raises(IdiomError, match="there is no framework 'paddle'"):
        idioms.framework_of("paddle")


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_every_claim_is_stated_in_words(framework: str) -> None:
    assert all(len((idiom.read.__doc__ or "").split()) > 5 for idiom in idioms.idioms(framework))


def test_a_call_is_read_as_a_problem_with_its_window() -> None:
    claim = idioms.read("torch", FUNCTION, SHAPES).claim
    assert str(claim.problem) == "i5x7 k3 s2 p1 op1 ic4 oc2"
    assert (claim.law, claim.data, claim.weight, claim.reversed, claim.refused) == (
        "padding", "n c k", "(g i) o k", False, "",
    )  # fmt: skip


def test_short_names_and_other_variables_mean_the_same() -> None:
    shapes = {"inputs": (1, 4, 5, 7), "self.weight": (4, 2, 3, 3)}
    point = idioms.read("torch", "F.conv_transpose2d(inputs, self.weight, None, 2, 1, 1)", shapes)
    assert point.claim == idioms.read("torch", FUNCTION, SHAPES).claim
    assert point.text == "torch.nn.functional.conv_transpose2d(x, w, None, 2, 1, 1)"


def test_a_layer_is_run_with_its_weights_and_called_as_it_was_written() -> None:
    point = idioms.read("torch", "nn.ConvTranspose1d(2, 3, 3, stride=2)(x, output_size=[6])", {"x": (1, 2, 2)})
    assert program(point) == (
        "def call(x, w, b, z):\n"
        "    layer = torch.nn.ConvTranspose1d(2, 3, 3, stride=2)\n"
        "    layer.weight.data = w\n"
        "    layer.bias.data = b\n"
        "    y = layer(x, output_size=[6])\n"
        "    return y\n"
    )


def test_an_input_of_too_many_axes_is_told_how_many_there_are_with_a_batch() -> None:
    with pytest.raises(Refusal, match=r"\(1, 8, 5, 7\) has 4 axes, 'n c k' with 1 spatial axis has 3$"):
        idioms.read("torch", "nn.ConvTranspose1d(8, 4, 3)", {"x": (1, 8, 5, 7)})


@pytest.mark.parametrize(
    ("framework", "text", "shapes", "message"),
    [
        ("torchx", FUNCTION, SHAPES, "no framework 'torchx', the nearest is 'torch'"),
        ("torch", "F.conv_transposed2d(x, w)", SHAPES, "the nearest is 'torch.nn.functional.conv_transpose2d'"),
        ("torch", "3", SHAPES, "no call that torch has"),
        ("torch", FUNCTION, {"w": (4, 2, 3, 3)}, "the shape of x is missing: give it, as in --shape x="),
        ("torch", FUNCTION, {"x": (1, 4, 5, 7)}, "the shape of w is missing: give it, as in --shape w=8,4,3,3"),
        ("torch", "F.conv_transpose2d(x, w)(x)", SHAPES, "makes no layer"),
        ("keras", FUNCTION, SHAPES, "no framework 'keras', it is among the idioms of 'tensorflow'"),
    ],
)
def test_what_no_idiom_knows_names_the_nearest(
    framework: str, text: str, shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(IdiomError, match=message):
        idioms.read(framework, text, shapes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("F.conv_transpose2d(x, w, stride=(2, 2, 2))", "stride is \\(2, 2, 2\\): it takes 2 numbers"),
        ("F.conv_transpose2d(x, w, padding='same')", "padding is 'same'"),
        ("F.conv_transpose2d(x, w, stride=True)", "stride is True"),
        ("F.conv_transpose2d(x, w, groups=0)", "0 groups"),
        ("F.conv_transpose2d(x, w, groups='2')", "groups is '2': it takes a whole number"),
        ("nn.ConvTranspose2d(a, b, 3)", "in channels is a: it takes a whole number"),
        ("nn.ConvTranspose2d(4, 4, 0)", "kernel \\(0, 0\\): nothing is claimed of extents below 1"),
        ("torch.nn.grad.conv2d_input(5, w, x)", "input_size is 5: it takes 4 extents"),
    ],
)
def test_arguments_that_say_no_problem_are_refused(text: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        idioms.read("torch", text, {"x": SHAPES["x"]} if text.startswith("nn.Conv") else SHAPES)


def test_draws_are_the_same_ones_for_a_key_and_never_twice() -> None:
    picks = [list(draws(key, 50, 2, {"i": (1, 2, 3)}, {"g": (1, 2)})) for key in ("a", "a", "b")]
    assert picks[0] == picks[1] != picks[2]
    assert len({str(pick) for pick in picks[0]}) == len(picks[0]) == 18


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.id)
def test_every_law_has_a_formula_and_a_witness_that_follows_it(law: laws.Law) -> None:
    assert law.formula
    points = [witness.read() for witness in law.witnesses]
    assert law.id in {point.claim.law for point in points}
    assert not any(point.claim.refused for point in points)


def test_every_law_that_a_claim_names_is_in_the_catalogue() -> None:
    names = {
        idioms.read(framework, *example).claim.law
        for framework in idioms.frameworks()
        for idiom in idioms.idioms(framework)
        for example, _ in zip(idiom.examples(), range(60), strict=False)
        if _readable(framework, example)
    }
    assert names <= set(laws.BY_ID)


def _readable(framework: str, example: Example) -> bool:
    try:
        idioms.read(framework, *example)
    except Refusal:
        return False
    return True


def test_same_crops_seven_to_fourteen_by_one_and_two() -> None:
    same, usual = laws.BY_ID["same"].witnesses[:2]
    assert same.read().claim.problem.window == ((1, 2),)
    assert usual.read().claim.problem.window == ((2, 1),)
    assert same.read().claim.problem.output == usual.read().claim.problem.output == (14,)


def test_a_gradient_of_an_input_with_too_few_axes_says_no_problem() -> None:
    text = "torch.autograd.grad(F.conv2d(z, w, stride=2, padding=1), z, x)[0]"
    with pytest.raises(Refusal, match=r"z \(1, 3, 8\) has 3 axes: it takes 4"):
        idioms.read("torch", text, {"x": (1, 8, 4, 4), "w": (8, 3, 3, 3), "z": (1, 3, 8)})
