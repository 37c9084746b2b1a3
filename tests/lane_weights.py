"""Weights that a model moves, casts or dequantizes on their way to a layer, as each framework itself computes them."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.scan import scanning
from conformance.suites.scans.weights import digest_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested

MOVING = """
import torch


class Moving(torch.nn.Module):
    def __init__(self, quantized):
        super().__init__()
        self.quantized = quantized
        self.register_buffer("big", torch.randn(6, 10, 5, 7))
        self.register_buffer("whole", torch.randint(-128, 128, (3, 4, 2, 2), dtype=torch.int8))
        self.register_buffer("halved", torch.randn(3, 4, 2, 2).half())
        self.register_buffer("scales", torch.rand(4) / 10)
        self.register_buffer("zeros", torch.arange(-2, 2, dtype=torch.int32))
        self.kernel = torch.nn.Parameter(torch.randn(3, 3))

    def weights(self):
        big, (left, right) = self.big, self.big.split(5, 1)
        found = {
            "slice": big[1:4, 2::3, :3, -2:],
            "select": big[2, :, :, 1:4][:9].reshape(3, 3, 5, 3),
            "part": right[:3, :4],
            "pieces": torch.cat(big.chunk(4, 0)[1:3])[:3],
            "one": torch.stack(big.unbind(1)[2:4]).transpose(0, 1)[:3],
            "turned": big[:3].flip(2, 3).permute(0, 1, 3, 2),
            "each": self.kernel.expand(3, 1, 3, 3),
            "again": self.kernel[None, None].repeat(3, 2, 1, 1),
            "flat": big[:3].flatten(2).unsqueeze(2),
            "narrow": big.narrow(0, -3, 3).squeeze(),
            "cast": self.halved.float(),
        }
        decomposed = torch.ops.quantized_decomposed
        return found | ({} if not self.quantized else {
            "tensor": decomposed.dequantize_per_tensor.default(self.whole, 0.0371, 3, -128, 127, torch.int8),
            "channel": decomposed.dequantize_per_channel.default(
                self.whole, self.scales, self.zeros, 1, -128, 127, torch.int8),
        })

    def forward(self, x):
        each = {"each": 3}
        return tuple(torch.nn.functional.conv_transpose2d(x, weight, groups=each.get(name, 1))
                     for name, weight in self.weights().items())


def make(quantized):
    torch.manual_seed(0)
    return Moving(quantized).eval()
"""


def test_weights_of_pytorch_are_what_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="read in the lane of PyTorch")
    importlib.import_module("torch.ao.quantization.fx._decomposed")  # which registers the operators of quantized graphs

    (tmp_path / "moving_of_a_test.py").write_text(MOVING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    factory, x = importlib.import_module("moving_of_a_test").make, torch.zeros(1, 3, 6, 8)
    module = factory(quantized=True)
    weights = {name: weight.detach().contiguous().numpy() for name, weight in module.weights().items()}
    program = torch.export.export(module, (x,))
    torch.export.save(program, "moving.pt2")
    torch.export.save(program.run_decompositions(), "decomposed.pt2")
    torch.jit.save(torch.jit.trace(factory(quantized=False), x), "traced.pt")
    for name, inputs in (("moving.pt2", ()), ("decomposed.pt2", ()), ("traced.pt", ("x=1,3,6,8",))):
        found = [*scanning.scan(name, inputs).scan.rows]
        known = {each: digest_of(weight) for each, weight in weights.items()}
        if name == "traced.pt":  # which does not hold the operators of quantized graphs
            del known["tensor"], known["channel"]
        assert dict(zip(known, (row.digest for row in found), strict=True)) == known, name
        assert {row.unknown for row in found} == {""}, name


def test_weights_of_tensorflow_are_what_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tf = pytest.importorskip("tensorflow", reason="read in the lane of TensorFlow")
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    big = tf.constant(rng.standard_normal((5, 7, 6, 10)).astype("f4"))
    halved = tf.constant(rng.standard_normal((2, 2, 4, 3)).astype("f2"))

    def weights() -> dict[str, Any]:
        left, right = tf.split(big, [3, 7], 3)
        even = tf.split(left, 2, 2)
        return {
            "slice": tf.slice(big, [1, 0, 2, 7], [2, -1, 4, 3]),
            "strided": big[::-2, 1:4, :4, 1::3],
            "index": tf.stack([left[0], left[2]], 0),
            "split": tf.concat([even[1], right[..., :3][:, :, 1:2]], 2),
            "gather": tf.gather(big, [9, 0, 4], axis=3),
            "unstack": tf.transpose(tf.stack(tf.unstack(big, axis=3)[2:5]), [1, 2, 3, 0]),
            "turned": tf.reverse(left, [0, 1]),
            "tiled": tf.broadcast_to(tf.tile(left[:1, :1], [2, 1, 1, 1]), [2, 3, 6, 3]),
            "moved": tf.squeeze(tf.expand_dims(tf.reshape(left, [7, 5, -1, 3]), 1)),
            "cast": tf.cast(halved, tf.float32),
        }

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 8, 3), tf.float32, "x")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def applied(x: Any) -> Any:
        return [tf.nn.conv2d_transpose(x, weight, [1, 12, 16, weight.shape[2]], 2, name=f"up_{name}")
                for name, weight in weights().items()]  # fmt: skip

    known = {f"up_{name}": digest_of(np.ascontiguousarray(weight.numpy().transpose(3, 2, 0, 1)))
             for name, weight in weights().items()}  # fmt: skip
    graph = convert_variables_to_constants_v2(applied.get_concrete_function()).graph.as_graph_def()
    Path("m.pb").write_bytes(graph.SerializeToString())
    assert {row.layer: row.digest for row in scanning.scan("m.pb").scan.rows} == known
