"""What must hold of every idiom, parameter by parameter and call by call."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from conformance import adapters, idioms
from conformance.idioms import IdiomError, expression
from conformance.idioms.base import Idiom, Refusal, Use
from conformance.idioms.expression import ExpressionError

ALL = [(framework, idiom) for framework in idioms.frameworks() for idiom in idioms.idioms(framework)]
SPELLED = [(framework, idiom, spelling) for framework, idiom in ALL for spelling in idiom.spellings]


class Asked(dict[str, Any]):
    """Arguments that remember which of them were asked for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def points(framework: str, idiom: Idiom, step: int) -> Iterator[Any]:
    for example in islice(idiom.examples(), 0, None, step):
        try:
            yield idioms.read(framework, *example, adapters.lane(framework).variant)
        except Refusal:
            continue


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_every_parameter_is_claimed_or_set_aside_or_has_one_value(framework: str, idiom: Idiom) -> None:
    claimed: set[str] = set()
    for point in points(framework, idiom, 7):
        asked = Asked(point.arguments)
        idiom.read(Use(point.claim.problem.rank, asked, point.shapes, adapters.lane(framework).variant))
        claimed |= asked.names
    parameters = {*expression.signature(idiom.signature).parameters}
    parameters |= {*expression.signature(idiom.outer).parameters} if idiom.outer else set()
    reviewed = [set(idiom.aside), set(idiom.only), set(idiom.dtypes) - claimed, claimed, set(idiom.tensors.values()),
                set(idiom.lists)]  # fmt: skip
    assert parameters <= set().union(*reviewed), "neither part of the claim nor reviewed"
    assert not set(idiom.aside) & (claimed | set(idiom.only) | idiom.dtypes), "set aside, and yet it counts"


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_what_is_set_aside_is_said_and_changes_no_claim(framework: str, idiom: Idiom) -> None:
    point = next(each for each in points(framework, idiom, 1) if not each.claim.refused)
    for name in sorted(set(idiom.aside) - point.written) if idiom.form == "CALL" else ():
        call, outer = (point.inner, f"({point.outer})") if idiom.layer else (point.text, "")
        text = f"{call[:-1]}, {name}=some(1)[2].thing){outer}"
        again = idioms.read(framework, text, point.shapes, adapters.lane(framework).variant)
        assert again.claim == point.claim
        assert any(each.startswith(f"{name}=") for each in again.aside), name
        assert f"{name}=" not in again.text or name in idiom.tensors.values()


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_what_may_have_one_value_is_refused_by_name_with_another(framework: str, idiom: Idiom) -> None:
    point = next(each for each in points(framework, idiom, 1) if not each.claim.refused)
    for name in [*idiom.only, *idiom.dtypes] if idiom.form == "CALL" else ():
        if name not in point.written:
            call = point.inner if idiom.layer else point.text
            other = "float16" if name in idiom.dtypes else "other"
            with pytest.raises(Refusal, match=f"^{name} is "):
                idioms.read(framework, f"{call[:-1]}, {name}={other})", point.shapes)


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_a_dtype_that_is_known_only_at_run_time_is_set_aside(framework: str, idiom: Idiom) -> None:
    point = next(each for each in points(framework, idiom, 1) if not each.claim.refused)
    for name in sorted(idiom.dtypes) if idiom.form == "CALL" else ():
        if f"{name}=" not in point.text:
            call = point.inner if idiom.layer else point.text
            again = idioms.read(framework, f"{call[:-1]}, {name}=self.{name})", point.shapes)
            assert f"{name}=self.{name}: taken to be the dtype of x" in again.aside
            assert f"{name}=" not in again.text


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
def test_a_parameter_that_no_signature_has_is_refused_by_name(framework: str, idiom: Idiom) -> None:
    point = next(points(framework, idiom, 1))
    call = point.inner if idiom.layer else point.text
    if idiom.form == "CALL":
        with pytest.raises(ExpressionError, match="'wrap_around'"):
            idioms.read(framework, f"{call[:-1]}, wrap_around=True)", point.shapes)


@pytest.mark.parametrize(("framework", "idiom"), ALL, ids=lambda each: getattr(each, "id", each))
@pytest.mark.parametrize("root", ["paddle.nn", "foo.bar", "mlx.nn", "torch.quantized", "snt", "keras.legacy"])
def test_a_path_that_the_framework_does_not_have_is_refused(framework: str, idiom: Idiom, root: str) -> None:
    point = next(points(framework, idiom, 1))
    last = point.text.partition("(")[0].rpartition(".")[2]
    if idiom.form == "CALL":
        with pytest.raises(IdiomError, match=f"{root}.{last}"):
            idioms.read(framework, f"{root}.{last}({point.text.partition('(')[2]}", point.shapes)


@pytest.mark.parametrize(
    ("framework", "text", "owner"),
    [
        ("tensorflow", "paddle.nn.Conv2DTranspose(4, 6, 3)", "but of PaddlePaddle:"),
        ("torch", "mlx.nn.ConvTranspose2d(4, 8, 3, stride=2)", "but of MLX:"),
        ("tensorflow", "snt.Conv2DTranspose(output_channels=3, kernel_shape=3)", "but of Sonnet:"),
        ("tensorflow", "slim.conv2d_transpose(x, 64, 3, 2)", "TF-Slim's"),
        (
            "torch",
            "import paddle.nn as nn\nself.up = nn.Conv2DTranspose(4, 6, 3)",
            "no idiom|PaddlePaddle's, whose calls",
        ),
        ("tensorflow", "from paddle.nn import Conv2DTranspose\nup = Conv2DTranspose(4, 6, 3)", "but of PaddlePaddle:"),
        ("torch", "torch.quantized.conv_transpose3d(x, w)", "torch has no function of this name"),
        ("torch", "foo.bar.conv_transpose2d(x, w)", "torch has no function of this name"),
        ("jax", "haiku.ConvTranspose(3, 3)", "but of Haiku:"),
    ],
)
def test_the_owner_of_another_function_is_named(framework: str, text: str, owner: str) -> None:
    with pytest.raises(IdiomError, match=owner):
        idioms.read(framework, text, {})


@pytest.mark.parametrize(
    ("framework", "texts"),
    [
        ("torch", ["ConvTranspose1d", "nn.ConvTranspose1d", "torch.nn.ConvTranspose1d", "self.nn.ConvTranspose1d"]),
        ("tensorflow", ["layers.Conv1DTranspose", "L.Conv1DTranspose", "tf.keras.layers.Conv1DTranspose"]),
        ("mxnet", ["nn.Conv1DTranspose", "gluon.nn.Conv1DTranspose", "mx.gluon.nn.Conv1DTranspose"]),
    ],
)
def test_usual_aliases_mean_the_same(framework: str, texts: list[str]) -> None:
    arguments = "(3, 4, 3)" if framework == "torch" else "(4, 3)"
    shape = (1, 8, 3) if framework == "tensorflow" else (1, 3, 8)
    assert len({idioms.read(framework, text + arguments, {"x": shape}).text for text in texts}) == 1


@pytest.mark.parametrize(("framework", "idiom", "spelling"), SPELLED)
def test_every_other_spelling_names_parameters_that_there_are(framework: str, idiom: Idiom, spelling: Any) -> None:
    ours = set(expression.signature(idiom.signature).parameters)
    theirs = set(expression.signature(spelling.signature).parameters)
    assert set(spelling.names) <= theirs
    assert {spelling.names.get(name, name) for name in theirs - {spelling.applied}} - {None} <= ours


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"x": (1, 1, 3), "y": (1, 1, 99)}, "y is no tensor of this call, nn.ConvTranspose1d: those are x"),
        ({"x": (1, 1, 3), "w": (1, 1, 2)}, "w is no tensor of this call"),
    ],
)
def test_the_shape_of_no_tensor_is_refused(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(IdiomError, match=message):
        idioms.read("torch", "nn.ConvTranspose1d(1, 1, 2)", shapes)


def test_a_bias_has_the_channels_of_the_answer() -> None:
    shapes = {"x": (1, 2, 5), "w": (2, 3, 3)}
    assert idioms.read("torch", "F.conv_transpose1d(x, w, b)", {**shapes, "b": (3,)}).claim.problem.bias
    with pytest.raises(Refusal, match=r"b \(5,\) is not one number for each of the 3 channels"):
        idioms.read("torch", "F.conv_transpose1d(x, w, b)", {**shapes, "b": (5,)})


def test_a_claim_takes_the_dtype() -> None:
    target = "mx.nd.Deconvolution(x, w, kernel=(3,), stride=(2,), target_shape=(4,), num_filter=1)"
    shapes = {"x": (1, 1, 3), "w": (1, 1, 3)}
    single, double = (
        idioms.read("mxnet", target, shapes, "onednn", dtype=each).claim for each in ("float32", "float64")
    )
    assert (single.refused != "", double.refused, double.law) == (True, "", "centred-late")
    dilated = "tf.nn.conv1d_transpose(x, w, (1, 9, 1), 1, 'VALID', dilations=2)"
    of = {"x": (1, 5, 1), "w": (3, 1, 1)}
    found = [idioms.read("tensorflow", dilated, of, "onednn", dtype=each).claim for each in ("float32", "float64")]
    assert [each.refused for each in found] == ["", "dilation without oneDNN"]


def test_nothing_is_claimed_of_an_empty_answer() -> None:
    with pytest.raises(Refusal, match="nothing is left of the stamp"):
        idioms.read("torch", "nn.ConvTranspose1d(1, 1, 2, padding=1)", {"x": (2, 1, 1)})
    assert idioms.read("torch", "nn.ConvTranspose1d(1, 1, 2, padding=2)", {"x": (2, 1, 1)}).claim.refused


@pytest.mark.parametrize(
    ("framework", "text", "hint"),
    [
        ("torch", "nn.ConvTranspose2d(1, 3, 3, strides=2)", "nearest is 'stride'"),
        ("torch", "nn.ConvTranspose2d(1, 3, kernel=3)", "nearest is 'kernel_size'"),
        ("torch", "nn.ConvTranspose2d(1, filters=3, kernel_size=3)", "nearest is 'out_channels'"),
        ("torch", "nn.ConvTranspose2d(1, 3, 3, dilation_rate=2)", "nearest is 'dilation'"),
        ("torch", "F.conv_transpose2d(x, kernel=w)", "nearest is 'weight'"),
        ("torch", "F.conv_transpose2d(x, w, pad=1)", "nearest is 'padding'"),
        ("torch", "F.conv_transpose2d(x, w, transpose_kernel=True)", "only JAX and Flax have it"),
        ("torch", "F.conv_transpose2d(x, w, data_format='NHWC')", "order of axes is always the same"),
        ("tensorflow", "Conv2DTranspose(1, 3, stride=2)", "nearest is 'strides'"),
        ("tensorflow", "Conv2DTranspose(filter=1, kernel_size=3)", "nearest is 'filters'"),
        ("tensorflow", "Conv2DTranspose(1, 3, groups=2)", "no argument says groups"),
        ("tensorflow", "tf.nn.conv2d_transpose(x, weight=w, output_shape=[1, 4, 4, 1], strides=2)", "'filters'"),
        ("mxnet", "nd.Deconvolution(x, w, kernel=(3, 3), num_filter=2, padding=1)", "nearest is 'pad'"),
        ("mxnet", "nn.Conv2DTranspose(8, 4, stride=2)", "nearest is 'strides'"),
        ("jax", "lax.conv_transpose(x, w, stride=2, padding='SAME')", "nearest is 'strides'"),
        ("jax", "nn.ConvTranspose(features=3, kernel_size=(3, 3), dilation=2)", "nearest is 'kernel_dilation'"),
    ],
)
def test_what_is_meant_by_an_argument_of_another_framework_is_said(framework: str, text: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=hint):
        idioms.read(framework, text, {})
