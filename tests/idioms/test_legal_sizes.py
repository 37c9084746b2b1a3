"""A size that a call cannot have is refused with those that it can."""

import ast
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from conformance import adapters, idioms
from conformance.idioms._edges import neighbours
from conformance.idioms.base import Claim, ClaimedCall, Refusal, Use
from conformance.idioms.sizes.legal import listed

LEGAL = re.compile(r": (?P<name>\w+) takes (?P<values>[\d ,.ort]+) here(?: on axis (?P<axis>\d))?$")
OF_BATCH_OR_CHANNELS = re.compile(r"a batch of|channels do not divide")
SIZES = {
    "torch": ("output_padding", "output_size", "input_size", "z", "padding"),
    "tensorflow": ("output_padding", "output_shape", "input_sizes"),
    "jax": ("z",),
    "onnx": ("output_padding", "output_shape"),
    "mxnet": ("adj", "output_padding", "target_shape", "z", "pad", "padding"),
}
"""What names a size in each framework's calls, or moves one."""


def refused(framework: str, step: int = 29) -> Iterator[tuple[ClaimedCall, str]]:
    """Calls of all idioms, with those beside them, that are claimed to be refused for a size; and in which variant."""
    for idiom in idioms.idioms(framework):
        for example in islice(idiom.examples(), 0, None, step):
            for variant in adapters.variants(framework):
                for beside in (example, *neighbours(example)):
                    try:
                        point = idioms.read(framework, *beside, variant)
                    except (Refusal, ValueError):
                        continue
                    if LEGAL.search(point.claim.refused):
                        yield point, variant


def values(text: str) -> set[int]:
    """Those that a refusal names, but for what stands between the ends of a long list."""
    first, _, last = text.partition(" to ")
    return {*range(int(first), int(last) + 1)} if last else {int(number) for number in re.findall(r"\d+", text)}


def claim_with(point: ClaimedCall, variant: str, name: str, axis: int, value: int) -> Claim:
    """The claim of a call with another value on an axis of an argument, or of the tensor z."""
    rank = point.claim.problem.rank
    shapes, arguments = dict(point.shapes), dict(point.arguments)
    if name == "z":
        at = 1 if point.claim.data.endswith("c") else 2
        shapes["z"] = changed(shapes["z"], at + axis, value) if at + rank <= len(shapes["z"]) else shapes["z"]
    else:
        given = arguments[name]
        given = (given,) * rank if isinstance(given, int) else tuple(given)
        first = 0 if len(given) == rank else 1 + (not str(point.claim.data).endswith("c"))
        arguments[name] = list(changed(given, first + axis, value))
    return point.idiom.read(Use(rank, arguments, shapes, variant))


def still(point: ClaimedCall, variant: str, name: str, axis: int, value: int) -> bool:
    """Whether a call is still refused for an argument on that axis, or leaves nothing there, with another value."""
    try:
        again = LEGAL.search(claim_with(point, variant, name, axis, value).refused)
    except Refusal as reason:
        left = re.search(r"leaves (\(.*?\)),", str(reason))
        return left is None or ast.literal_eval(left[1])[axis] < 1
    return again is not None and (again["name"], int(again["axis"] or 0)) == (name, axis)


def changed(sizes: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*sizes[:at], value, *sizes[at + 1 :])


@pytest.mark.slow
@pytest.mark.parametrize("framework", idioms.frameworks())
def test_what_a_refusal_of_a_size_names_is_taken(framework: str) -> None:
    """Taken on that axis: another axis may be refused in its turn, which is then the one that is named."""
    tried: set[str] = set()
    for point, variant in refused(framework):
        match = LEGAL.search(point.claim.refused)
        assert match is not None
        axis = int(match["axis"] or 0)
        for value in sorted(values(match["values"]))[:6]:
            assert not still(point, variant, match["name"], axis, value), (str(point), point.claim.refused, value)
        tried.add(match["name"])
    assert tried == set(SIZES[framework])


@pytest.mark.slow
@pytest.mark.parametrize("framework", idioms.frameworks())
def test_what_a_refusal_of_a_size_does_not_name_is_not_taken(framework: str) -> None:
    for point, variant in islice(refused(framework, 61), 0, None, 5):
        match = LEGAL.search(point.claim.refused)
        assert match is not None
        if "..." in match["values"]:
            continue
        legal = values(match["values"])
        for value in {min(legal) - 1, max(legal) + 1} - {0}:
            try:
                assert claim_with(point, variant, match["name"], int(match["axis"] or 0), value).refused, str(point)
            except Refusal:
                continue


CALLS = [
    ("tensorflow", "tf.nn.conv1d_transpose(x, w, (1, 9, 1), 2, 'SAME')", {"x": (1, 4, 1), "w": (3, 1, 1)},
     "output_shape takes 7 or 8 here"),
    ("tensorflow", "tf.nn.conv1d_transpose(x, w, (1, 4, 1), 2, 'VALID')", {"x": (1, 2, 1), "w": (3, 1, 1)},
     "output_shape takes 5 or 6 here"),
    ("tensorflow", "tf.nn.atrous_conv2d_transpose(x, w, (1, 5, 5, 3), 2, 'SAME')",
     {"x": (1, 4, 4, 1), "w": (3, 3, 3, 1)}, "output_shape takes 4 here on axis 0"),
    ("tensorflow", "tf.nn.conv1d_transpose(x, w, (2, 8, 1), 2)", {"x": (1, 4, 1), "w": (3, 1, 1)},
     "output_shape takes 1 there, not 2"),
    ("tensorflow", "tf.nn.conv1d_transpose(x, w, (1, 8, 5), 2)", {"x": (1, 4, 6), "w": (3, 2, 6)},
     "output_shape takes 2, 4, 6 or 12 channels here"),
    ("tensorflow", "keras.layers.Conv1DTranspose(1, 4, strides=2, padding='same', output_padding=0)",
     {"x": (1, 4, 1)}, "output_padding takes 1 here"),
    ("torch", "nn.ConvTranspose1d(1, 1, 2, 2)(x, output_size=(10,))", {"x": (1, 1, 4)},
     "output_size takes 8 or 9 here"),
    ("torch", "nn.ConvTranspose2d(1, 1, 2, 2, output_padding=(0, 3))", {"x": (1, 1, 4, 4)},
     "output_padding takes 0 or 1 here on axis 1"),
    ("torch", "nn.ConvTranspose1d(1, 1, 2, padding=4)", {"x": (1, 1, 3)}, "padding takes 0 or 1 here"),
    ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3,), stride=(2,), target_shape=(4,), num_filter=1)",
     {"x": (1, 1, 3), "w": (1, 1, 3)}, "target_shape takes 7 here"),
    ("mxnet", "mx.nd.Deconvolution(x, w, kernel=(3,), stride=(2,), adj=(2,), num_filter=1)",
     {"x": (1, 1, 3), "w": (1, 1, 3)}, "adj takes 0 or 1 here"),
    ("jax", "jax.vjp(lambda z: jax.lax.conv_general_dilated(z, w, (2,), 'SAME'), z)[1](x)[0]",
     {"x": (1, 1, 3), "w": (1, 1, 3), "z": (1, 1, 9)}, "z takes 5 or 6 here"),
]  # fmt: skip


@pytest.mark.parametrize(("framework", "text", "shapes", "legal"), CALLS)
def test_a_refused_size_is_answered_with_what_is_legal(
    framework: str, text: str, shapes: dict[str, Any], legal: str
) -> None:
    variant = adapters.lane(framework).variant
    assert idioms.read(framework, text, shapes, variant).claim.refused.endswith(f": {legal}")


NODE = 'onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2], {})'
KERAS = "keras.layers.Conv1DTranspose(1, 4, strides=2, padding='same', output_padding={})"
WORDS = [
    ("onnx", NODE.format("output_padding=[2]"), {"x": (1, 1, 7), "w": (1, 1, 3)},
     "output_padding must be less than the stride: output_padding takes 0 or 1 here"),
    ("onnx", NODE.format("output_shape=[20]"), {"x": (1, 1, 7), "w": (1, 1, 3)},
     "an input of this size does not give this output_shape: output_shape takes 1 to 16 here"),
    ("tensorflow", KERAS.format(0), {"x": (1, 4, 1)},
     "TensorFlow does not take the size that this output_padding gives: output_padding takes 1 here"),
    ("tensorflow", KERAS.format(2), {"x": (1, 4, 1)},
     "output_padding must be less than the stride: output_padding takes 1 here"),
    ("tensorflow", "tf.nn.conv1d_transpose(x, w, (1, 9, 1), 2, 'SAME')", {"x": (1, 4, 1), "w": (3, 1, 1)},
     "an ordinary convolution does not turn an answer of this size into the input's size: output_shape takes 7 or 8 "
     "here"),
]  # fmt: skip


@pytest.mark.parametrize(("framework", "text", "shapes", "said"), WORDS)
def test_a_refused_size_says_what_is_wrong_with_it(
    framework: str, text: str, shapes: dict[str, Any], said: str
) -> None:
    variant = adapters.lane(framework).variant
    assert idioms.read(framework, text, shapes, variant).claim.refused == said


@pytest.mark.parametrize(
    ("numbers", "words"),
    [(range(7, 9), "7 or 8"), ([4], "4"), (range(3, 9), "3 to 8"), ([1, 3, 5], "1, 3 or 5"), ([], "nothing"),
     (range(2, 99, 2), "2, 4, ... 98")],
)  # fmt: skip
def test_numbers_are_listed_in_words(numbers: list[int], words: str) -> None:
    assert listed(numbers) == words


def test_a_stride_of_0_in_a_gradient_is_refused() -> None:
    shapes = {"x": (1, 1, 3), "w": (1, 1, 3), "z": (1, 1, 9)}
    with pytest.raises(Refusal, match="stride is 0: it takes numbers of at least 1"):
        idioms.read("torch", "torch.autograd.grad(F.conv1d(z, w, stride=0), z, x)[0]", shapes)
