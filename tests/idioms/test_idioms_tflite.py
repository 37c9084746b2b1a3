"""What TensorFlow Lite's operators mean, by hand, and the vectors that its own tests publish; none of it needs it."""

import numpy as np
import pytest

from conformance import idioms, oracle
from conformance.calls import native
from conformance.calls.port import PortError, port
from conformance.idioms.base import Claim, Idiom, Refusal
from conformance.idioms.catalogue import _tflite
from conformance.problem import Ints

SEVEN = {"x": (1, 7, 7, 32), "w": (64, 5, 5, 32)}
SAME = 'tfl.transpose_conv((1, 14, 14, 64), w, x, b, padding="SAME", stride_h=2, stride_w=2)'


def claim(text: str, x: Ints, w: Ints, dtype: str = "float32") -> Claim:
    return idioms.read("tensorflow", text, {"x": x, "w": w}, dtype=dtype).claim


def test_an_operator_has_the_window_of_the_function_that_it_is_converted_from() -> None:
    made = claim(SAME, SEVEN["x"], SEVEN["w"])
    there = idioms.read("tensorflow", "tf.nn.conv2d_transpose(x, w, (1, 14, 14, 64), 2)", {
        "x": (1, 7, 7, 32), "w": (5, 5, 64, 32)}).claim  # fmt: skip
    assert made.problem.window == there.problem.window == ((1, 2), (1, 2))
    assert (made.law, made.data, made.weight, made.refused) == ("same", "n k c", "o k i", "")


def test_strides_are_of_height_and_width_whatever_their_order() -> None:
    made = claim('tfl.transpose_conv((1, 9, 4, 1), w, x, padding="VALID", stride_w=1, stride_h=3)', (1, 3, 4, 1),
                 (1, 3, 1, 1))  # fmt: skip
    assert made.problem.stride == (3, 1)


def test_the_names_of_the_schema_are_read_as_those_of_the_dialect() -> None:
    text = 'TRANSPOSE_CONV([1, 14, 14, 64], w, x, stride_w=2, stride_h=2, padding="SAME", ' \
           'fused_activation_function="RELU")'  # fmt: skip
    point = idioms.read("tensorflow", text, SEVEN)
    assert point.claim.problem.window == ((1, 2), (1, 2))
    assert point.aside == ("read as tfl.transpose_conv", "fused_activation_function='RELU': apply it to the answer "
                           "yourself")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SAME.replace("14, 14", "14, 15"), "output_shape takes 13 or 14 here on axis 1"),
        (SAME.replace("64", "128"), "there are no groups"),
        (SAME.replace("(1,", "(2,"), "a batch of 1 as one of 2"),
        (SAME.replace("SAME", "FULL"), "it takes 'SAME' or 'VALID'"),
        (SAME.replace("stride_h=2", "stride_h=0"), "strides below 1"),
        (SAME.replace("(1, 14, 14, 64)", "(14, 14)"), "it takes 4 extents"),
        (SAME.replace("(1, 14, 14, 64)", "(1, -1, 14, 64)"), "numbers of at least 1"),
    ],
)
def test_nothing_is_claimed_of_what_is_not_checked(text: str, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        claim(text, SEVEN["x"], SEVEN["w"])


def test_other_channels_and_dtypes_are_refused() -> None:
    assert "in channels" in claim(SAME, (1, 7, 7, 31), (64, 5, 5, 32)).refused
    assert "float32 is the only dtype" in claim(SAME, SEVEN["x"], SEVEN["w"], "float64").refused


def test_the_solid_operator_has_its_filter_in_another_order() -> None:
    text = 'tfl.conv_3d_transpose((1, 4, 6, 6, 5), w, x, padding="SAME", stride_d=2, stride_h=3, stride_w=3{})'
    made = claim(text.format(""), (1, 2, 2, 2, 3), (3, 3, 3, 5, 3))
    assert (made.weight, made.problem.stride, made.problem.out_channels) == ("k o i", (2, 3, 3), 5)
    with pytest.raises(Refusal, match="dilation_d_factor is 2"):
        claim(text.format(", dilation_d_factor=2"), (1, 2, 2, 2, 3), (3, 3, 3, 5, 3))


PUBLISHED = [
    ((1, 4, 4, 1), (1, 3, 3, 1), (1, 4, 4, 1), "SAME", 1, list(range(1, 10)),
     [29, 62, 83, 75, 99, 192, 237, 198, 207, 372, 417, 330, 263, 446, 485, 365]),
    ((1, 4, 4, 2), (1, 3, 3, 2), (1, 6, 6, 1), "VALID", 1, list(range(1, 19)),
     [5, 22, 59, 101, 114, 83, 52, 184, 412, 568, 528, 344, 237, 678, 1347, 1689, 1434, 879, 597, 1494, 2715, 3057,
      2442, 1431, 856, 1968, 3352, 3652, 2760, 1548, 689, 1534, 2543, 2729, 2010, 1103]),
    ((1, 2, 2, 1), (2, 3, 3, 1), (1, 5, 5, 2), "VALID", 2, [*range(1, 18, 2), *range(2, 19, 2)],
     [1, 2, 3, 4, 7, 10, 6, 8, 10, 12, 7, 8, 9, 10, 25, 28, 18, 20, 22, 24, 16, 20, 24, 28, 62, 72, 42, 48, 54, 60, 21,
      24, 27, 30, 61, 68, 36, 40, 44, 48, 39, 42, 45, 48, 103, 110, 60, 64, 68, 72]),
    ((1, 1, 2, 1), (1, 3, 3, 1), (1, 3, 4, 1), "SAME", 3, [9, 5, 6, 9, 8, 5, 3, 1, 4],
     [1615, 1938, 4689, 2605, 2584, 1615, 4689, 4168, 323, 1292, 1563, 521]),
]  # fmt: skip
"""Of tensorflow/lite/kernels/transpose_conv_test.cc: shapes of input, weight and answer, padding, stride, numbers."""


@pytest.mark.parametrize(("x", "w", "y", "padding", "stride", "weight", "answer"), PUBLISHED)
def test_published_vectors(
    x: Ints, w: Ints, y: Ints, padding: str, stride: int, weight: list[int], answer: list[int]
) -> None:  # fmt: skip
    made = claim(f'tfl.transpose_conv({y}, w, x, padding="{padding}", stride_h={stride}, stride_w={stride})', x, w)
    data = np.array([323, 521] if np.prod(x) == 2 else range(1, int(np.prod(x)) + 1)).reshape(x)
    kernel = np.array(weight).reshape(w)
    expected = oracle.expected(made.problem, np.moveaxis(data, -1, 1), kernel.transpose(3, 0, 1, 2), None)
    assert np.moveaxis(expected, 1, -1).ravel().tolist() == answer


def test_it_is_ported_from_and_to_by_its_name_alone() -> None:
    made = port(SAME, "tensorflow", "torch", SEVEN)
    assert "w.transpose(3, 0, 1, 2)" in made.code
    back = port("torch.nn.functional.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1)", "torch",
                "tensorflow", {"x": (1, 8, 4, 4), "w": (8, 4, 3, 3), "b": (4,)}, module="tfl")  # fmt: skip
    assert "tfl.transpose_conv" in back.code
    assert "import flatbuffers" in back.code
    plain = port("torch.nn.functional.conv_transpose2d(x, w, b, stride=2)", "torch", "tensorflow",
                 {"x": (1, 8, 4, 4), "w": (8, 4, 3, 3), "b": (4,)})  # fmt: skip
    assert "tfl" not in plain.code
    with pytest.raises(PortError, match="has 2 spatial axes, the problem 1"):
        port("torch.nn.functional.conv_transpose1d(x, w)", "torch", "tensorflow", {"x": (1, 8, 4), "w": (8, 4, 3)},
             module="tfl")  # fmt: skip


@pytest.mark.parametrize("idiom", _tflite.IDIOMS, ids=lambda each: each.id)
def test_what_is_said_of_an_example_is_read_as_the_same_problem(idiom: Idiom) -> None:
    assert idiom.say is not None
    for example in idiom.examples():
        problem = idioms.read("tensorflow", *example).claim.problem
        again = idioms.read("tensorflow", idiom.say(problem), example.shapes)
        assert (again.idiom, again.claim.problem) == (idiom, problem)


def test_what_it_is_run_by_builds_a_model_of_one_operator() -> None:
    point = idioms.read("tensorflow", SAME, SEVEN, "onednn")
    assert "y = tfl.transpose_conv" in native.program(point)
    assert "OpResolverType.AUTO" in point.idiom.engines["onednn"]
