"""Ports: which call says a problem elsewhere, what stands around it, and the code that comes out."""

import re
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import adapters, idioms, oracle
from conformance.calls.port import PortError, canonical, code, explain, other_batch, port, port_layers, translate
from conformance.calls.port.reductions import Reduction
from conformance.calls.suites import case_of, ports
from conformance.idioms import IdiomError
from conformance.idioms.base import ClaimedCall, Refusal
from conformance.problem import Ints, Problem
from conformance.records.record import PORTS

KERAS = 'keras.layers.Conv2DTranspose(64, 5, strides=2, padding="same")'
SEVEN = {"x": (1, 7, 7, 32)}


def test_same_in_pytorch_is_symmetric_padding_and_a_crop_at_the_end() -> None:
    made = port(KERAS, "tensorflow", "torch", SEVEN)
    assert (
        made.code
        == '''import torch


def convert_weight(w):
    """From 'k o (g i)' to '(g i) o k', as NumPy arrays."""
    return w.transpose(3, 2, 0, 1).copy()


def conv_transpose(x, w, b):
    """x (N, 32, 7, 7), as 'n c k', to y (N, 64, 14, 14).

    x, w, b and y are arrays of torch; torch.from_numpy(a) makes one of a NumPy array a.
    w comes from convert_weight.
    """
    layer = torch.nn.ConvTranspose2d(32, 64, 5, stride=2, padding=1)
    layer.weight.data = w
    layer.bias.data = b
    y = layer(x)
    y = y[:, :, :-1, :-1]
    return y
'''
    )
    assert (made.native, made.steps, made.output) == (False, ("crop",), (1, 64, 14, 14))
    assert any("window (1, 2) x (1, 2) of (17, 17)" in line for line in explain(made))


def test_data_in_another_layout_comes_with_its_conversion() -> None:
    made = port("nn.ConvTranspose2d(8, 4, 3)", "torch", "jax", {"x": (1, 8, 5, 5)})
    assert made.notes[0] == (
        "data is 'n c k' in the source and 'n k c' here: give x.transpose(0, 2, 3, 1); "
        "the source's answer is y.transpose(0, 3, 1, 2)"
    )
    same = port("nn.ConvTranspose2d(8, 4, 3)", "torch", "mxnet", {"x": (1, 8, 5, 5)})
    assert not any("data is" in note for note in same.notes)


def test_what_stands_beside_a_layer_in_a_row_is_said_to_be_set_aside() -> None:
    text = "nn.Sequential(nn.ConvTranspose2d(8, 4, 3), nn.BatchNorm2d(4), nn.ReLU())"
    made = port(text, "torch", "jax", {"x": (1, 8, 5, 5)})
    assert "set aside: around the call: nn.Sequential(...) with nn.BatchNorm2d, nn.ReLU" in explain(made)
    in_a_list = port("keras.Sequential([keras.layers.Conv1DTranspose(4, 3), keras.layers.ReLU()])", "tensorflow",
                     "torch", {"x": (1, 5, 8)})  # fmt: skip
    assert "set aside: around the call: keras.Sequential(...) with keras.layers.ReLU" in explain(in_a_list)
    alone = port("nn.Sequential(nn.ConvTranspose2d(8, 4, 3))", "torch", "jax", {"x": (1, 8, 5, 5)})
    assert not any("Sequential" in line for line in explain(alone))


def test_an_even_excess_of_same_needs_no_crop() -> None:
    made = port(KERAS.replace("5", "4"), "tensorflow", "torch", SEVEN)
    assert made.target.text == "torch.nn.ConvTranspose2d(32, 64, 4, stride=2, padding=1)"
    assert made.native


def test_same_of_stride_one_and_an_even_kernel_drops_the_last_row_and_column() -> None:
    text = 'tf.nn.conv2d_transpose(x, w, output_shape=(1, 8, 8, 3), strides=1, padding="SAME")'
    made = port(text, "tensorflow", "torch", {"x": (1, 8, 8, 2), "w": (4, 4, 3, 2)})
    assert "padding=1" in made.target.text
    assert "y = y[:, :, :-1, :-1]" in made.code


def test_the_inverse_of_a_convolution_has_its_output_padding() -> None:
    text = "torch.autograd.grad(F.conv2d(z, w, stride=2, padding=1), z, x)[0]"
    made = port(text, "torch", "torch", {"x": (1, 8, 4, 4), "w": (8, 3, 3, 3), "z": (1, 3, 8, 8)})
    assert made.target.text == (
        "torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1)"
    )  # fmt: skip


def test_jax_reverses_the_kernel_and_the_port_says_so() -> None:
    text = 'jax.lax.conv_transpose(x, w, (2, 2), "SAME")'
    made = port(text, "jax", "torch", {"x": (1, 7, 7, 2), "w": (3, 3, 2, 4)})
    assert "w.transpose(2, 3, 0, 1)[:, :, ::-1, ::-1].copy()" in made.code
    assert any("opposite order" in note for note in made.notes)


def test_dilation_that_a_target_does_not_know_is_a_kernel_with_zeros() -> None:
    text = "F.conv_transpose3d(x, w, dilation=(1, 2, 1))"
    made = port(text, "torch", "mxnet", {"x": (1, 2, 3, 3, 3), "w": (2, 4, 2, 2, 2)})
    assert made.steps == ("stretch",)
    assert "stretched[:, :, ::1, ::2, ::1] = w" in made.code


def test_groups_that_a_target_does_not_know_are_taken_one_by_one() -> None:
    text = "F.conv_transpose3d(x, w, b, groups=2)"
    made = port(text, "torch", "tensorflow", {"x": (1, 4, 3, 3, 3), "w": (4, 5, 2, 2, 2)})
    assert made.steps == ("bias", "groups")
    assert "for g in range(2)" in made.code
    assert "y = y + b" in made.code


LAYER_OF_GROUPS = "nn.ConvTranspose1d(2, 2, 2, stride=2, groups=2, bias=False)"


def test_groups_in_a_layer_that_has_none_are_a_kernel_with_zeros() -> None:
    made = port(LAYER_OF_GROUPS, "torch", "tensorflow", {"x": (1, 2, 2)}, idiom="keras-layer")
    assert made.steps == ("dense",)
    assert made.target.text == "keras.layers.Conv1DTranspose(2, 2, strides=2, use_bias=False)"
    namespace: dict[str, Any] = {"np": np}
    exec("\n".join(made.definitions), namespace)
    weight = namespace["convert_weight"](np.array([[[1, 3]], [[5, 7]]]))
    np.testing.assert_array_equal(weight, [[[1, 0], [0, 5]], [[3, 0], [0, 7]]])  # taps, channels out, channels in
    dense = oracle.expected(made.target.claim.problem, np.array([[[1, 2], [10, 20]]]), weight.transpose(2, 1, 0), None)
    np.testing.assert_array_equal(dense, [[[1, 3, 2, 6], [50, 70, 100, 140]]])


def test_a_port_that_takes_groups_one_by_one_names_the_layer() -> None:
    made = port(LAYER_OF_GROUPS, "torch", "tensorflow", {"x": (1, 2, 2)}, variant="eigen")
    assert made.steps == ("groups",)
    assert "--idiom keras-layer makes one layer of it, whose kernel has zeros between the groups" in made.notes


def test_a_layer_that_cannot_be_made_of_groups_is_not_named_and_the_reason_is_of_the_whole_kernel() -> None:
    layer, shapes = "torch.nn.ConvTranspose2d(4, 4, 3, stride=2, groups=2, dilation=2)", {"x": (1, 4, 5, 5)}
    assert not [note for note in port(layer, "torch", "tensorflow", shapes).notes if "--idiom" in note]
    with pytest.raises(PortError, match=r"keras-layer: a stride above 1 together with a dilation above 1[^;]*$"):
        port(layer, "torch", "tensorflow", shapes, idiom="keras-layer")


def test_a_weight_is_not_given_the_shape_that_it_has() -> None:
    made = port(
        "torch.nn.ConvTranspose2d(4, 4, 3, groups=2)", "torch", "tensorflow", {"x": (1, 4, 5, 5)}, idiom="keras-layer"
    )
    assert "groups = w.reshape(2, 2, 2, 3, 3)" in [line.strip() for line in made.definitions]


def test_the_imports_of_an_engine_stand_before_its_definitions() -> None:
    made = port("torch.nn.ConvTranspose2d(4, 4, 3)", "torch", "onnx", {"x": (1, 4, 5, 5)})
    assert made.code.startswith("import numpy as np\nimport onnx\nimport onnxruntime\n\n\ndef model_of(")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["mxnet", "jax", "torch"]),
)  # fmt: skip
def test_a_dense_kernel_gives_what_the_groups_give(g: int, ic: int, oc: int, kernel: Ints, source: str) -> None:
    problem = Problem.of((3, 2), kernel, (2, 1), in_channels=ic, out_channels=oc, groups=g)
    point = canonical(problem, source)
    made = translate(point, source, "tensorflow", idiom="keras-layer")
    rng = np.random.Generator(np.random.Philox(g))
    x, w = rng.integers(-9, 9, problem.input_shape), rng.integers(-9, 9, problem.weight_shape)
    namespace: dict[str, Any] = {"np": np}
    exec("\n".join(made.definitions), namespace)
    weight = namespace["convert_weight"](w)
    dense = oracle.expected(made.target.claim.problem, x, weight.transpose(3, 2, 0, 1), None)
    np.testing.assert_array_equal(dense, oracle.expected(problem, x, w, None))


def test_a_bias_is_added_after_zeros_are_appended() -> None:
    text = 'keras.layers.Conv1DTranspose(3, 2, strides=4, padding="valid")'
    made = port(text, "tensorflow", "torch", {"x": (1, 5, 2)}, idiom="torch-functional")
    assert made.native, made.code
    far = port(text.replace("strides=4", "strides=4, output_padding=3"), "tensorflow", "mxnet", {"x": (1, 5, 2)})
    assert set(far.steps) <= {"bias", "crop"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "F.conv_transpose1d(x, w, output_padding=1)"}, "torch refuses this itself: output_padding must be"),
        ({"text": "F.conv_transpose1d(x, w, padding='same')"}, "padding is 'same'"),
        ({"text": "F.conv_transpose1d(x, w)", "idiom": "keras"}, "no idiom 'keras' to port to: those are tf-nn"),
    ],
)
def test_what_cannot_be_ported_says_why(arguments: dict[str, str], message: str) -> None:
    words = {"idiom": "", **arguments}
    with pytest.raises((PortError, IdiomError, Refusal), match=message):
        port(words["text"], "torch", "tensorflow", {"x": (1, 1, 3), "w": (1, 1, 3)}, idiom=words["idiom"])


@pytest.mark.parametrize(("framework", "module"), [("tensorflow", "keras"), ("tensorflow", "tf"), ("jax", "flax")])
def test_a_module_is_ported_to_by_its_own_calls_alone(framework: str, module: str) -> None:
    text, shapes = "F.conv_transpose2d(x, w, stride=2, padding=2)", {"x": (1, 2, 5, 7), "w": (2, 3, 4, 4)}
    made = port(text, "torch", framework, shapes, module=module)
    assert made.target.text.startswith(f"{module}.")
    again = idioms.read(framework, made.target.text, made.target.shapes)
    assert again.claim.problem.kernel == (4, 4)


def test_what_no_call_says_is_not_expressible_because() -> None:
    with pytest.raises(PortError, match=r"no code of mxnet says it on mxnet-native: .*without oneDNN there is no 3-D"):
        port(
            "F.conv_transpose3d(x, w)", "torch", "mxnet", {"x": (1, 1, 3, 3, 3), "w": (1, 1, 2, 2, 2)}, variant="native"
        )


@pytest.mark.parametrize("target", idioms.frameworks())
def test_a_stack_of_layers_is_ported_layer_by_layer(target: str) -> None:
    stack = [
        "keras.layers.Conv2DTranspose(128, 5, strides=1, padding='same', use_bias=False)",
        "keras.layers.Conv2DTranspose(64, 5, strides=2, padding='same', use_bias=False)",
        "keras.layers.Conv2DTranspose(1, 5, strides=2, padding='same', use_bias=False)",
    ]
    made = port_layers(stack, "tensorflow", target, (1, 7, 7, 256))
    assert [each.source.claim.problem.output for each in made] == [(7, 7), (14, 14), (28, 28)]
    assert [each.source.claim.problem.in_channels for each in made] == [256, 128, 64]


def test_a_function_in_a_stack_comes_with_its_weight() -> None:
    (made,) = port_layers([("F.conv_transpose1d(x, w, stride=2)", {"w": (2, 3, 4)})], "torch", "jax", (1, 2, 5))
    assert made.output == (1, 12, 3)


@pytest.mark.parametrize("source", idioms.frameworks())
@pytest.mark.parametrize("target", idioms.frameworks())
def test_every_call_can_be_said_in_every_framework(source: str, target: str) -> None:
    variant = adapters.lane(source).variant
    for idiom in idioms.idioms(source):
        for example in islice(idiom.examples(), 0, None, 60):
            try:
                point = idioms.read(source, *example, variant)
            except Refusal:
                continue
            if not point.claim.refused:
                made = port(example.text, source, target, example.shapes)
                compile(made.code, "port", "exec")
                assert made.target.claim.refused == ""


def test_the_converted_weight_means_what_the_source_claims() -> None:
    """The conversions alone, with the oracle in the framework's place; the suite `ports` runs the rest for real."""
    made = port('jax.lax.conv_transpose(x, w, (2,), "SAME")', "jax", "torch", {"x": (1, 7, 2), "w": (4, 2, 3)})
    rng = np.random.Generator(np.random.Philox(1))
    x, w = rng.integers(-9, 9, (1, 2, 7)), rng.integers(-9, 9, (4, 2, 3))
    namespace: dict[str, object] = {}
    exec(made.code.replace("import torch\n", "").replace("torch.nn.functional.conv_transpose1d", "oracle"), namespace)
    namespace["oracle"] = oracle.conv_transpose
    y = namespace["conv_transpose"](x, namespace["convert_weight"](w), None)  # type: ignore[operator]  # just defined
    claim = made.source.claim
    canonical = np.flip(w.transpose(1, 2, 0), 2)
    np.testing.assert_array_equal(y, oracle.expected(claim.problem, x, canonical, None))


@pytest.mark.slow
def test_the_suite_of_ports_has_every_pair_and_every_rank() -> None:
    suite = ports("torch", "eager")
    names = {(case.subject.name, case.problem.rank) for case in suite.cases if isinstance(case.subject, ClaimedCall)}
    assert suite.name == PORTS
    assert names == {(f"port/{other}-to-torch", rank) for other in ("jax", "mxnet", "onnx", "tensorflow")
                     for rank in (1, 2, 3)}  # fmt: skip


def test_a_case_of_a_call_keeps_its_id_as_long_as_the_call() -> None:
    point = port(KERAS, "tensorflow", "torch", SEVEN).source
    assert case_of(point, "tensorflow").id == case_of(point, "tensorflow").id
    assert case_of(point, "tensorflow").problem == Problem.parse("i7x7 k5 s2 p1:2 ic32 oc64 bias")


@pytest.mark.parametrize(
    ("text", "source", "target", "shapes"),
    [
        ("nn.ConvTranspose2d(5, 2, 3, 2, 1, output_padding=1)", "torch", "tensorflow", {"x": (1, 5, 6, 6)}),
        ("F.conv_transpose1d(x, w, stride=2)", "torch", "tensorflow", {"x": (3, 4, 5), "w": (4, 2, 3)}),
        ("tf.nn.conv2d_transpose(x, w, (1, 8, 8, 3), 2)", "tensorflow", "jax", {"x": (1, 4, 4, 5), "w": (3, 3, 3, 5)}),
    ],
)  # fmt: skip
def test_a_port_is_for_any_batch_and_is_verified_for_another(
    text: str, source: str, target: str, shapes: dict[str, tuple[int, ...]]
) -> None:
    made = port(text, source, target, shapes, idiom="tf-nn" if target == "tensorflow" else "")
    assert ("output_shape=(tf.shape(x)[0], " in made.code) == (target == "tensorflow")
    other = other_batch(made)
    assert other is not None
    assert other.code == made.code
    assert other.source.claim.problem.batch == shapes["x"][0] + 1
    assert other.source.shapes["x"] == (shapes["x"][0] + 1, *shapes["x"][1:])


def test_what_has_no_batch_is_not_verified_for_another() -> None:
    assert other_batch(port("nn.ConvTranspose1d(2, 3, 3)", "torch", "jax", {"x": (2, 5)})) is None


@pytest.mark.parametrize("framework", idioms.frameworks())
@pytest.mark.parametrize("bias", [False, True])
def test_a_problem_becomes_code_of_every_framework_on_canonical_operands(framework: str, bias: bool) -> None:
    problem = Problem.parse(f"i4x5 k3 g2 ic2 oc3{' bias' * bias}")
    made = translate(canonical(problem, framework), framework, framework).point
    assert (made.claim.problem, made.claim.weight, made.claim.reversed) == (problem, "(g i) o k", False)
    assert "def convert_weight(w):" in made.code
    assert made.claim.data == idioms.idioms(framework)[0].data


def test_a_port_to_nodes_defines_each_function_once() -> None:
    made = port("nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1)", "torch", "onnx", {"x": (1, 8, 5, 7)})
    names = re.findall(r"(?m)^def (\w+)", made.code)
    assert sorted(names) == ["conv_transpose", "convert_weight", "evaluate", "model_of"]


def test_a_claim_in_place_of_an_idiom_is_told_with_the_idiom() -> None:
    with pytest.raises(IdiomError, match=r"no idiom 'torch-functional/padding' to port to: this is a claim of "):
        port("nn.ConvTranspose2d(8, 4, 3)", "torch", "torch", {"x": (1, 8, 5, 7)}, idiom="torch-functional/padding")


def test_a_window_is_told_as_the_code_makes_it_zeros_first_and_the_cut_then() -> None:
    text = "nn.ConvTranspose2d(6, 4, (3, 5), stride=(2, 3), padding=(0, 1), output_padding=(1, 2), groups=2)"
    made = port(text, "torch", "tensorflow", {"x": (2, 6, 5, 7)}, module="keras")
    at = made.code.index
    assert at("tf.pad(y, [[0, 0], [0, 1], [0, 1], [0, 0]])") < at("y = y[:, :, 1:]") < at("y = y + b")
    own = "the call's own window is (0, 0) x (0, 0)"
    window = (f"{own}: after it zeros are added, (0, 1) x (0, 1), and then rows are cut, (0, 0) x (1, 0), at the "
              "beginning and end of each axis")  # fmt: skip
    said = explain(made)
    assert said.index(window) + 1 == said.index("the bias is added afterwards")
    cut = port("nn.ConvTranspose2d(6, 4, 3, padding=2)", "torch", "tensorflow", {"x": (2, 6, 5, 7)}, idiom="keras-ops")
    assert f"{own}: after it rows are cut, (2, 2) x (2, 2), at the beginning and end of each axis" in explain(cut)


def test_an_activation_is_left_out_and_not_set_aside() -> None:
    made = port("keras.layers.Conv2DTranspose(6, 4, activation='relu')", "tensorflow", "mxnet", {"x": (1, 5, 5, 2)})
    assert "left out: activation='relu': apply it to the answer yourself" in explain(made)
    assert "relu" not in made.code


@pytest.mark.parametrize(
    ("target", "shape"), [("jax", "*w.shape[:2], 5, 5"), ("tensorflow", "5, 5, *w.shape[2:]")]
)  # fmt: skip
def test_a_stretched_kernel_has_no_empty_slice_in_its_shape(target: str, shape: str) -> None:
    source = idioms.read("torch", "F.conv_transpose2d(x, w, dilation=2)", {"x": (1, 2, 3, 3), "w": (2, 4, 3, 3)})
    data = {"jax": "o i k", "tensorflow": "k o i"}[target]
    given = replace(source, claim=replace(source.claim, weight=data))
    lines = code.convert_weight(source, given, Reduction(source.claim.problem, ("stretch",), None))
    assert f"    stretched = np.zeros(({shape}), w.dtype)" in lines
