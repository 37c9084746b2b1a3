"""Weights that a call turns before it takes them: what is claimed is of the weight itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import idioms, layout
from conformance.calls.meaning import understand
from conformance.idioms.base import Refusal
from conformance.idioms.weights.views import turned_shape, view_of, whole_shape

W = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
STEPS = st.sampled_from([
    "np.flip({}, (2, 3))", "np.flip({}, axis=-1)", "np.flip({})", "{}[:, :, ::-1, ::-1]", "{}[..., ::-1]", "{}[::-1]",
    "{}.transpose(1, 0, 2, 3)", "{}.transpose((2, 3, 0, 1))", "{}.swapaxes(0, 1)", "np.transpose({}, (0, 1, 3, 2))",
    "np.transpose({})", "{}.copy()",
])  # fmt: skip


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_a_view_is_what_numpy_makes_of_it(steps: list[str]) -> None:
    text = "w"
    for step in steps:
        text = step.format(text)
    turned = eval(text, {"np": np, "w": W})  # of this test's own steps
    view = view_of(text, "np")
    if view is None:
        assert set(steps) == {"{}.copy()"}
        return
    order = view.order(2)
    mine = W.transpose([axis for axis, _ in order])
    mine = np.flip(mine, tuple(at for at, (_, reversed_) in enumerate(order) if reversed_))
    np.testing.assert_array_equal(mine, turned)
    np.testing.assert_array_equal(eval(view.text, {"np": np, "w": W}), turned)
    assert turned_shape(view, W.shape) == turned.shape
    assert whole_shape(view, turned.shape) == W.shape


@pytest.mark.parametrize(
    ("framework", "text", "shape", "weight", "reversed_"),
    [
        ("torch", "F.conv_transpose2d(x, w.flip([2, 3]), stride=2)", (4, 2, 3, 3), "(g i) o k", True),
        ("torch", "F.conv_transpose2d(x, torch.flip(self.up.weight, (-1, -2)))", (4, 2, 3, 3), "(g i) o k", True),
        ("torch", "F.conv_transpose2d(x, w.transpose(0, 1).contiguous())", (2, 4, 3, 3), "o (g i) k", False),
        ("torch", "F.conv_transpose2d(x, w.permute(2, 3, 0, 1))", (3, 3, 4, 2), "k (g i) o", False),
        ("torch", "F.conv_transpose2d(x, w.permute(3, 2, 0, 1))", (3, 3, 2, 4), "k o (g i)", False),
        ("torch", "F.conv_transpose2d(x, w.flip(2))", (4, 2, 3, 1), "(g i) o k", True),
        ("tensorflow", "tf.nn.conv2d_transpose(x, tf.reverse(w, axis=[0, 1]), (1, 5, 5, 2), 1)", (3, 3, 2, 4),
         "k o (g i)", True),
        ("jax", "jax.lax.conv_transpose(x, jnp.flip(w, (0, 1)), (1, 1), 'SAME')", (3, 3, 4, 2), "k i o", False),
        ("mxnet", "mx.nd.Deconvolution(x, mx.nd.flip(w, axis=(2, 3)), kernel=(3, 3), num_filter=2)", (4, 2, 3, 3),
         "(g i) o k", True),
    ],
)  # fmt: skip
def test_a_claim_is_of_the_weight_itself(
    framework: str, text: str, shape: tuple[int, ...], weight: str, reversed_: bool
) -> None:
    reading = idioms.reading(framework, text)
    x = (1, 5, 5, 4) if layout.groups(reading.idiom.data)[-1] == "c" else (1, 4, 5, 5)
    name = reading.tensors["w"]
    point = idioms.read(framework, text, {"x": x, name: shape})
    assert (point.claim.weight, point.claim.reversed, point.shapes["w"]) == (weight, reversed_, shape)
    again = idioms.read(framework, point.text, {"x": x, "w": shape})  # as it stands in a record
    assert again.claim == point.claim


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("F.conv_transpose2d(x, w.flip(2))", "the kernel is reversed on some of its axes, and a claim is about all or"),
        ("F.conv_transpose2d(x, w.flip(0))", "the channels are reversed, which no layout expresses"),
        ("F.conv_transpose2d(x, w.transpose(2, 3))", "the axes of the kernel are reordered or separated"),
        ("F.conv_transpose2d(x, w.permute(1, 0, 2))", r"w.permute\(1, 0, 2\): w has 4 axes"),
    ],
)
def test_a_view_that_no_layout_says_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        idioms.read("torch", text, {"x": (1, 4, 5, 5), "w": (4, 4, 3, 3)})


@pytest.mark.parametrize("text", ["w * 2", "F.relu(w)", "np.roll(w, 1)", "w.flip(n)", "open('x').flip(0)"])
def test_any_other_expression_stands_for_its_value_and_is_said(text: str) -> None:
    meaning = understand("torch", idioms.reading("torch", f"F.conv_transpose2d(x, {text}, stride=2)"), {})
    assert meaning.set_aside == (f"w is {text}",)
    assert not meaning.reversed


def test_the_shape_of_a_turned_weight_need_not_be_given() -> None:
    meaning = understand("torch", idioms.reading("torch", "F.conv_transpose2d(x, w.transpose(0, 1))"), {})
    assert (meaning.weight, meaning.output) == ("o (g i) k", ("i + k - 1", "i + k - 1"))
