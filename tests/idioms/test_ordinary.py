"""Layers of which sizes alone are known: their laws, and that nothing of a call is passed over in silence."""

from contextlib import suppress
from typing import Any

import pytest

from conformance import idioms
from conformance.idioms import _reading, expression
from conformance.idioms.base import Refusal, Use
from conformance.idioms.ordinary.base import SizedLayer
from conformance.idioms.sizes.layers import CHANNELS, catalogue, keeps, law_of, layers, rank_of
from tests.idioms.test_catalogue import Asked

ALL = [(framework, layer) for framework in idioms.frameworks() for layer in layers(framework)]
IDS = [layer.idiom.id for _, layer in ALL]


def out(framework: str, text: str, *extents: int) -> list[int]:
    law = law_of(framework, _reading.read(catalogue(framework), text, {}), len(extents))
    assert law is not None
    return [law.of(axis, extent) for axis, extent in enumerate(extents)]


@pytest.mark.parametrize(
    ("framework", "text", "extents", "answer"),
    [
        ("torch", "nn.Conv2d(3, 8, 3, stride=2, padding=1)", [7, 8], [4, 4]),
        ("torch", "nn.Conv1d(3, 8, 3, dilation=2)", [9], [5]),
        ("torch", "nn.Conv1d(3, 8, 4, padding='same')", [9], [9]),
        ("torch", "nn.MaxPool2d(2)", [7, 8], [3, 4]),
        ("torch", "nn.MaxPool1d(3, 2, 1, ceil_mode=True)", [4], [3]),
        ("torch", "nn.AvgPool1d(2, 2, 1, ceil_mode=True)", [3], [2]),  # a third would begin in the padding at the end
        ("torch", "F.max_pool2d(x, 2)", [7, 8], [3, 4]),
        ("torch", "nn.Upsample(scale_factor=1.5)", [3], [4]),
        ("torch", "nn.AdaptiveAvgPool2d((5, None))", [3, 7], [5, 7]),
        ("torch", "nn.PixelShuffle(2)", [3, 4], [6, 8]),
        ("torch", "nn.ZeroPad2d((1, 2, 0, 3))", [3, 4], [6, 7]),  # left and right first
        ("torch", "nn.ReflectionPad2d(1)", [3, 4], [5, 6]),
        ("torch", "F.pad(x, (0, 1))", [3, 4], [3, 5]),
        ("torch", "F.pad(x, [-1, 0, 2, 2], mode='replicate')", [3, 4], [7, 3]),
        ("tensorflow", "layers.Conv2D(8, 3, strides=2, padding='same')", [7, 8], [4, 4]),
        ("tensorflow", "layers.Conv2D(8, 3, strides=2)", [7, 8], [3, 3]),
        ("tensorflow", "layers.MaxPooling2D()", [7, 8], [3, 4]),
        ("tensorflow", "layers.MaxPooling2D(3, 2, 'same')", [7, 8], [4, 4]),
        ("tensorflow", "tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 2, 2, 1], 'VALID')", [7, 8], [3, 4]),
        ("tensorflow", "layers.Cropping2D(((1, 0), (2, 1)))", [7, 8], [6, 5]),
        ("tensorflow", "layers.ZeroPadding1D((1, 2))", [7], [10]),
        ("jax", "nn.Conv(8, (3, 3), strides=2)", [7, 8], [4, 4]),
        ("jax", "nn.max_pool(x, (2, 2))", [7, 8], [6, 7]),  # the strides are 1 where they are not given
        ("jax", "nn.max_pool(x, (2, 2), strides=(2, 2), padding='SAME')", [7, 8], [4, 4]),
        ("jax", "nn.Conv(8, (3,), padding=((2, 0),))", [7], [7]),
        ("mxnet", "nn.Conv2D(8, 3, 2, 1)", [7, 8], [4, 4]),
        ("mxnet", "nn.MaxPool2D()", [7, 8], [3, 4]),
        ("mxnet", "nn.AvgPool1D(2, 2, 1, ceil_mode=True)", [3], [3]),  # unlike PyTorch
        ("mxnet", "mx.nd.Pooling(x, kernel=(2,), pool_type='max')", [7], [6]),
        ("mxnet", "mx.nd.Convolution(x, w, kernel=(3,), stride=(2,), num_filter=8)", [7], [3]),
    ],
)
def test_a_layer_leaves(framework: str, text: str, extents: list[int], answer: list[int]) -> None:
    assert out(framework, text, *extents) == answer


@pytest.mark.parametrize(("framework", "layer"), ALL, ids=IDS)
def test_every_parameter_has_a_part_in_sizes_or_is_set_aside(framework: str, layer: SizedLayer) -> None:
    asked: set[str] = set()
    for text in layer.examples():
        reading = _reading.read(catalogue(framework), text, {})
        arguments = Asked(reading.arguments)
        with suppress(Refusal):
            layer.law(Use(rank_of(reading) or 1, arguments, {}, ""))
        asked |= arguments.names
    idiom = layer.idiom
    parameters = {*expression.signature(idiom.signature).parameters}
    reviewed = asked | {*idiom.aside} | CHANNELS | {*idiom.tensors.values()}
    assert not asked or parameters <= reviewed, parameters - reviewed
    assert not asked & {*idiom.aside}, "set aside, and yet sizes depend on it"


@pytest.mark.parametrize(("framework", "layer"), ALL, ids=IDS)
def test_a_layer_is_known_by_its_own_name_and_is_no_transposed_convolution(framework: str, layer: SizedLayer) -> None:
    for text in list(layer.examples())[:1]:
        reading = _reading.read(catalogue(framework), text, {})
        assert reading.idiom is layer.idiom
        assert not any(reading.idiom is idiom for idiom in idioms.idioms(framework))
        with pytest.raises(Refusal, match="it is no transposed convolution"):
            layer.idiom.read(Use(2, reading.arguments, {}, ""))


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_no_layer_that_keeps_sizes_is_one_that_changes_them(framework: str) -> None:
    assert not keeps(framework) & catalogue(framework).last_names


@pytest.mark.parametrize(
    ("framework", "text", "extents", "reason"),
    [
        ("torch", "nn.MaxPool2d(3)", [2, 2], "the kernel of 3 is larger than the input of 2"),
        ("torch", "nn.ReflectionPad1d(3)", [3], "is more than the input of 3 has for it"),
        ("torch", "F.pad(x, (1, 2, 3))", [3, 3], "it takes a pair for each of 2 axes"),
        ("torch", "nn.AvgPool3d(3, padding=1)", [2, 2, 2], "which 3-D refuses"),
        ("tensorflow", "layers.Conv2D(8, 3, strides=2, dilation_rate=2)", [9, 9], "a stride above 1 together with"),
        ("tensorflow", "layers.Cropping1D(3)", [6], "nothing is left of 6"),
        ("jax", "nn.Conv(8, (3,), padding='some')", [6], "padding is 'some'"),
        ("jax", "nn.Conv(8, (3,), input_dilation=2)", [6], "it is a transposed convolution"),
        ("mxnet", "mx.nd.Pooling(x, kernel=(2,), pooling_convention='same')", [6], "it takes 'valid' or 'full' here"),
    ],
)
def test_what_is_refused_has_no_size(framework: str, text: str, extents: list[int], reason: Any) -> None:
    with pytest.raises(Refusal, match=reason):
        out(framework, text, *extents)
