"""Model files in each lane's own environment: small ones are built, saved and scanned back with all their fields."""

import importlib
import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from conformance import expected
from conformance.scan import scanning
from conformance.scan.layer import Array, ScanError
from conformance.suites.scans.file import Row
from conformance.suites.scans.weights import digest_of
from tests.lane_snippets import installed

FRAMEWORKS = sorted({lane.framework for lane in installed()})
pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested


class Saved(NamedTuple):
    """A saved model, the sizes to scan it at, and each row that is expected: layer, problem, weight and provenance."""

    name: str
    inputs: tuple[str, ...]
    rows: Sequence[tuple[str, str, Array | None, str]]
    dtype: str = "float32"


class Refused(NamedTuple):
    """A file that is refused, what is said of it, and the sizes that it is scanned at."""

    name: str
    message: str
    inputs: tuple[str, ...] = ()


TORCH = """
import torch


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down = torch.nn.Conv2d(3, 4, 2, 2)
        self.up = torch.nn.ConvTranspose2d(4, 6, 4, 2, 1)
        self.weight = torch.nn.Parameter(torch.randn(6, 1, 2, 3))

    def forward(self, x):
        h = self.up(self.down(x))
        h = torch.cat([h, x], 1)[:, :6]
        return torch.nn.functional.conv_transpose2d(h, self.weight, stride=2, dilation=(1, 2), groups=2)


def make():
    torch.manual_seed(0)
    return Decoder().eval()
"""
PROBLEMS = ["i4x5 k4 s2 p1 ic4 oc6 bias", "i8x10 k2x3 s2 d1x2 g2 ic3"]
LARGER = ["i20x5 k4 s2 p1 ic4 oc6 bias", "i40x10 k2x3 s2 d1x2 g2 ic3"]


GREEDY = """
import torch


class Greedy(torch.nn.Module):
    def forward(self, x):
        return x + torch.zeros([1000000, 1000000]).sum()


def make():
    return torch.jit.script(Greedy())
"""


def torch_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Saved]:
    import torch

    (folder / "decoder_of_a_test.py").write_text(TORCH)
    (folder / "vocoder_of_a_test.py").write_text(VOCODER)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    model = importlib.import_module("decoder_of_a_test").make()
    weights = [model.up.weight.detach().numpy(), model.weight.detach().numpy()]
    x = torch.zeros(1, 3, 8, 10)
    one, more = ("x=1,3,8,10",), ("x=1,3,8..41,10",)

    def rows(*names: str) -> list[tuple[str, str, Array | None, str]]:
        return [(name, PROBLEMS[at], weights[at], "stored") for at, name in enumerate(names)]

    yield Saved("decoder_of_a_test:make", one, rows("up", "weight"))
    (first, second), third = rows("up", "weight"), LARGER
    yield Saved("decoder_of_a_test:make", more, [
        first, (first[0], third[0], *first[2:]), second, (second[0], third[1], *second[2:]),
    ])  # fmt: skip
    torch.jit.save(torch.jit.trace(model, x), "traced.pt")
    yield Saved("traced.pt", one, rows("up", "weight"))
    torch.export.save(torch.export.export(model, (x,)), "static.pt2")
    yield Saved("static.pt2", (), rows("up", "conv_transpose2d_1"))
    height = 2 * torch.export.Dim("half", min=2, max=100)
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=({2: height},)), "dynamic.pt2")
    yield Saved("dynamic.pt2", more, [
        ("up", PROBLEMS[0], weights[0], "stored"), ("up", LARGER[0], weights[0], "stored"),
        ("conv_transpose2d_1", PROBLEMS[1], weights[1], "stored"),
        ("conv_transpose2d_1", LARGER[1], weights[1], "stored"),
    ])  # fmt: skip
    yield from weight_norms_of_torch()


VOCODER = """
import torch
from torch.nn.utils import parametrizations


class Vocoder(torch.nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.first = norm(torch.nn.ConvTranspose1d(4, 3, 8, 4, 2))
        self.last = norm(torch.nn.ConvTranspose1d(3, 2, 4, 2, 1))

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def make(norm=parametrizations.weight_norm):
    torch.manual_seed(0)
    return Vocoder(norm).eval()


def older():
    return make(torch.nn.utils.weight_norm)
"""


def weight_norms_of_torch() -> Iterator[Saved]:
    """Weights that are computed whenever they are taken: by PyTorch as it runs, and of the numbers of a file."""
    import torch
    from torch.nn.utils import parametrizations

    module = importlib.import_module("vocoder_of_a_test")
    model, x = module.make(), torch.zeros(1, 4, 5)
    layers = {"first": (model.first, "i5 k8 s4 p2 ic4 oc3 bias"), "last": (model.last, "i20 k4 s2 p1 ic3 oc2 bias")}
    folded = "folded with weight norm"
    run = [(name, problem, layer.weight.detach().numpy(), folded) for name, (layer, problem) in layers.items()]
    yield Saved("vocoder_of_a_test:make", ("x=1,4,5",), run)
    yield Saved("vocoder_of_a_test:older", ("x=1,4,5",), run)
    for name, dtype in (("norms", torch.float32), ("half_norms", torch.bfloat16)):
        model, x = model.to(dtype), x.to(dtype)
        rows = [(layer, problem, norm_of(module), folded) for layer, (module, problem) in layers.items()]
        yield from exported(name, model, x, rows)
    torch.jit.save(torch.jit.trace(model, x), "half_norms.pt")
    run = [(name, problem, layer.weight.detach().float().numpy(), folded) for name, (layer, problem) in layers.items()]
    yield Saved("half_norms.pt", ("x=1,4,5",), run, "bfloat16")
    for axis in (1, 2, None):
        module = parametrizations.weight_norm(torch.nn.ConvTranspose1d(4, 3, 8, 4, 2), dim=axis)
        rows = [("0", "i5 k8 s4 p2 ic4 oc3 bias", norm_of(module), folded)]
        yield from exported(f"along_{axis}", torch.nn.Sequential(module), torch.zeros(1, 4, 5), rows)


def norm_of(module: Any) -> Array:
    """The weight of a module under a weight norm, computed in float64 and rounded once; bfloat16 in float32."""
    parts = module.parametrizations.weight
    g, v = parts.original0.detach().double(), parts.original1.detach().double()
    axes = [axis for axis in range(v.dim()) if not g.dim() or g.shape[axis] == 1]
    exact = g * v / (v * v).sum(axes, keepdim=True).sqrt()
    rounded = exact.to(parts.original1.dtype)
    weight: Array = (rounded.float() if rounded.element_size() == 2 else rounded).numpy()
    return weight


def exported(name: str, model: Any, x: Any, rows: Sequence[tuple[str, str, Array | None, str]]) -> Iterator[Saved]:
    """A module by torch.export, as it is and with its operators decomposed."""
    import torch

    program = torch.export.export(model.eval(), (x,))
    dtype = str(x.dtype).removeprefix("torch.")
    torch.export.save(program, f"{name}.pt2")
    yield Saved(f"{name}.pt2", (), rows, dtype)
    torch.export.save(program.run_decompositions(), f"{name}_decomposed.pt2")
    if x.dtype != torch.float32:  # it is computed in float32, and what is computed is then cast
        rows = [(layer, problem, None, "computed in the graph by mul") for layer, problem, *_ in rows]
    yield Saved(f"{name}_decomposed.pt2", (), rows, dtype)


BY_SIZE = """
import torch


class BySize(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.big = torch.nn.ConvTranspose2d(3, 5, 3, stride=2)
        self.small = torch.nn.ConvTranspose2d(3, 7, 4, stride=3)

    def forward(self, x):
        return self.big(x) if x.shape[-1] > 10 else self.small(x)


class ByData(BySize):
    def forward(self, x):
        return self.small(x) if float(x.sum()) < 1 else self.big(x)


class Two(BySize):
    def forward(self, narrow, wide):
        return self.small(narrow).sum() + self.big(wide).sum()


class Quantized(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up = torch.ao.nn.quantized.dynamic.ConvTranspose2d(3, 4, 3, stride=2)

    def forward(self, x):
        return self.up(x)


def make():
    torch.manual_seed(0)
    return BySize()
"""


@pytest.mark.skipif("torch" not in FRAMEWORKS, reason="PyTorch's environment")
def test_a_module_that_chooses_by_size_or_data_or_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (tmp_path / "by_size_of_a_test.py").write_text(BY_SIZE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("by_size_of_a_test").make().eval()
    torch.jit.save(torch.jit.script(module), "scripted.pt")
    torch.jit.save(torch.jit.freeze(torch.jit.script(module)), "frozen.pt")
    small, big = ("i8x6 k4 s3 ic3 oc7 bias", "i8x10 k4 s3 ic3 oc7 bias"), ("i8x11 k3 s2 ic3 oc5 bias",)
    for name, layers in (("by_size_of_a_test:make", ("small", "big")), ("scripted.pt", ("small", "big")),
                         ("frozen.pt", ("convolution.1", "convolution.2"))):  # fmt: skip
        rows = scan_of_torch(name, "x=1,3,8,6..11").rows
        assert [(row.layer, row.problem) for row in rows] == [
            *((layers[0], problem) for problem in small), *((layers[1], problem) for problem in big),
        ], name  # fmt: skip
        weights = [module.small.weight, module.small.weight, module.big.weight]
        assert [row.digest for row in rows] == [digest_of(each.detach().numpy()) for each in weights], name
        assert {row.provenance for row in rows} == {"stored"}, name

    (taken,) = scan_of_torch("by_size_of_a_test:ByData", "x=1,3,8,6..9").header.taken
    assert taken.startswith(
        "axis 3 of x in 6..9: 6 of those tried: others: cannot be told: what runs depends on numbers"
    )

    rows = scan_of_torch("by_size_of_a_test:Two", "wide=1,3,8,9", "narrow=1,3,2,3").rows
    assert [row.problem for row in rows] == ["i2x3 k4 s3 ic3 oc7 bias", "i8x9 k3 s2 ic3 oc5 bias"]
    with pytest.raises(ScanError, match="forward has no input 'y': its inputs are narrow, wide"):
        scan_of_torch("by_size_of_a_test:Two", "y=1,3,8,9", "narrow=1,3,2,3")

    (row,) = scan_of_torch("by_size_of_a_test:Quantized", "x=1,3,8,9").rows
    assert (row.layer, row.problem, row.provenance) == ("up", "", "")
    assert row.unknown.startswith("quantized.conv_transpose2d_dynamic.default is not read")


def scan_of_torch(name: str, *inputs: str) -> Any:
    return scanning.scan(name, inputs, {"torch": sys.executable}).scan


def torch_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Refused]:
    import torch

    torch.save({"w": torch.zeros(2)}, folder / "state.pt")
    yield Refused("state.pt", "holds weights, or a pickle that would be run as it is loaded")
    (folder / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    yield Refused("old.pt", "is a pickle, which would be run as it is loaded")
    (folder / "greedy_of_a_test.py").write_text(GREEDY)
    monkeypatch.syspath_prepend(str(folder))
    torch.jit.save(importlib.import_module("greedy_of_a_test").make(), str(folder / "greedy.pt"))
    yield Refused("greedy.pt", "takes more memory to read it than 4 GiB and 8 times its size", ("x=1",))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(folder / "whole.pt"))
    (folder / "half.pt").write_bytes((folder / "whole.pt").read_bytes()[:700])
    yield Refused("half.pt", "no whole file")
    yield Refused("whole.pt", "takes inputs of which it does not say the sizes")
    with zipfile.ZipFile(folder / "writes.pt", "w") as archive:
        archive.writestr("writes/code/__torch__.py", "def forward(self, x):\n  torch.save(x, 'anywhere')\n  return x\n")
    yield Refused("writes.pt", "has code with 'torch.save', which is not run")
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), folder / "linear.pt2")
    yield Refused("torch.nn:Nothing", "cannot be made: AttributeError")
    content = (folder / "linear.pt2").read_bytes()
    (folder / "half.pt2").write_bytes(content[: len(content) // 2])
    yield Refused("half.pt2", "is no archive")
    torch.export.save(torch.export.export(torch.nn.ConvTranspose1d(1, 1, 4), (torch.zeros(1, 1, 2),)), folder / "w.pt2")
    with zipfile.ZipFile(folder / "w.pt2") as whole, zipfile.ZipFile(folder / "short.pt2", "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name)[: -3 if name.endswith("weight_0") else None])
    yield Refused("short.pt2", "the parameter 'weight' is of shape (1, 1, 4) and has 3 numbers")


def tensorflow_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Saved]:
    import keras
    import tensorflow as tf

    monkeypatch.chdir(folder)
    keras.utils.clear_session()  # which counts the names of models
    keras.utils.set_random_seed(0)
    given = keras.Input((None, 10, 3))
    h = keras.layers.Conv2DTranspose(6, 4, strides=2, padding="same", name="up")(given)
    h = keras.layers.Conv2DTranspose(4, (2, 3), strides=3, use_bias=False, name="last")(keras.layers.ReLU()(h))
    model = keras.Model(given, h)
    weights = [np.transpose(model.get_layer(name).kernel.numpy(), (3, 2, 0, 1)) for name in ("up", "last")]
    problems = ["i8x10 k4 s2 p1 ic3 oc6", "i16x20 k2x3 s3 p0:-1x0 ic6 oc4"]
    inputs = ("x=1,8,10,3",)

    def rows(*names: str, bias: str = "") -> list[tuple[str, str, Array | None, str]]:
        return [(name, problems[at] + (bias if not at else ""), weights[at], "stored") for at, name in enumerate(names)]

    model.save("model.keras")
    yield Saved("model.keras", inputs, rows("up", "last", bias=" bias"))
    model.export("saved", verbose=False)
    names = "functional_1/up_1/conv_transpose", "functional_1/last_1/conv_transpose"
    yield Saved("saved", inputs, rows(*names))
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((1, 8, 10, 3)))
    frozen = convert_variables_to_constants_v2(function).graph.as_graph_def()
    Path("frozen.pb").write_bytes(frozen.SerializeToString())
    yield Saved("frozen.pb", (), rows(*(name.replace("_1/", "_1/").replace("functional_1", "functional_1")
                                         for name in _operators(frozen))))  # fmt: skip
    yield from weight_norms_of_tensorflow()
    yield from halves_of_keras()
    if importlib.util.find_spec("tflite"):
        fixed = keras.Sequential([keras.Input((8, 10, 3)), *(layer for layer in model.layers[1:])])
        Path("model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())
        scanned = scanning.scan("model.tflite").scan.rows
        yield Saved("model.tflite", (), rows(*(row.layer for row in scanned)))


def weight_norms_of_tensorflow() -> Iterator[Saved]:
    """Weights that are computed of variables, each way once in a SavedModel and once in a frozen graph."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    rng = np.random.default_rng(0)
    v, g = rng.standard_normal((4, 4, 6, 3)), rng.uniform(0.5, 2, (1, 1, 6, 1))
    for dtype in (tf.float32, tf.bfloat16):
        module = tf.Module()
        module.v, module.g = tf.Variable(tf.cast(v, dtype)), tf.Variable(tf.cast(g, dtype))
        written = {
            "by_a_sum": lambda m=module: m.g * m.v / tf.sqrt(tf.reduce_sum(tf.square(m.v), (0, 1, 3), keepdims=True)),
            "by_l2_normalize": lambda m=module: m.g * tf.nn.l2_normalize(m.v, (0, 1, 3)),
        }
        held_g, held_v = (tf.cast(part, tf.float64).numpy() for part in (module.g, module.v))
        exact = held_g * held_v / np.sqrt((held_v**2).sum((0, 1, 3), keepdims=True))
        rounded = tf.cast(tf.cast(exact, dtype), tf.float32).numpy()
        rows = [("conv2d_transpose", "i8x10 k4 s2 p1 ic3 oc6", np.transpose(rounded, (3, 2, 0, 1)),
                 "folded with weight norm")]  # fmt: skip
        for how, weight in written.items():
            call = tf.function(lambda x, w=weight: tf.nn.conv2d_transpose(x, w(), (1, 16, 20, 6), 2, "SAME"))
            signature = call.get_concrete_function(tf.TensorSpec((1, 8, 10, 3), dtype, name="x"))
            name = f"{how}_{dtype.name}"
            if (how == "by_a_sum") == (dtype == tf.bfloat16):
                tf.saved_model.save(module, name, signatures=signature)
            else:
                graph = convert_variables_to_constants_v2(signature).graph.as_graph_def()
                Path(name := f"{name}.pb").write_bytes(graph.SerializeToString())
            yield Saved(name, (), rows, dtype.name)


def halves_of_keras() -> Iterator[Saved]:
    """Layers that compute in bfloat16, of weights in bfloat16 and in float32; as files of Keras and exported."""
    import keras
    import tensorflow as tf

    stored = {"bfloat16": "stored", "mixed_bfloat16": "stored in float32"}
    exported = {"bfloat16": "stored", "mixed_bfloat16": "computed in the graph by Cast of Const"}
    for policy in stored:
        layer = keras.layers.Conv2DTranspose(6, 4, strides=2, padding="same", dtype=policy, name="up")
        model = keras.Sequential([keras.Input((8, 10, 3)), layer], name=policy)
        weight = np.transpose(tf.cast(tf.cast(layer.kernel.value, tf.bfloat16), tf.float32).numpy(), (3, 2, 0, 1))
        model.save(f"{policy}.keras")
        yield Saved(f"{policy}.keras", (), [("up", "i8x10 k4 s2 p1 ic3 oc6 bias", weight, stored[policy])], "bfloat16")
        model.export(policy, verbose=False)
        name = f"{policy}_1/up_1/conv_transpose"
        yield Saved(policy, (), [(name, "i8x10 k4 s2 p1 ic3 oc6", weight, exported[policy])], "bfloat16")


@pytest.mark.skipif("tensorflow" not in FRAMEWORKS, reason="reads what TensorFlow has saved")
def test_signatures_and_functions_of_tensorflow_are_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those beside the signature that is served, both branches of a condition, and what stands in the library."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    monkeypatch.chdir(tmp_path)
    module = tf.Module()
    module.w = tf.Variable(np.random.default_rng(0).standard_normal((3, 3, 5, 3)).astype("f4"))

    def up(x: Any, size: Any = (1, 13, 15, 5)) -> Any:
        return tf.nn.conv2d_transpose(x, module.w, size, 2, "VALID")

    given = tf.TensorSpec((1, 6, 7, 3), name="x")
    one = tf.function(up).get_concrete_function(given)
    either = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: up(x), lambda: up(-x)))
    branches = either.get_concrete_function(given)
    plain = tf.function(tf.nn.relu).get_concrete_function(given)
    sized = tf.function(up).get_concrete_function(given, tf.TensorSpec((4,), tf.int32, name="size"))
    tf.saved_model.save(module, "saved", {"serving_default": plain, "alike": plain, "branches": branches, "up": one,
                                          "sized": sized})  # fmt: skip
    scan = scanning.scan("saved", (), {"tensorflow": sys.executable}).scan
    assert {*scan.header.inputs} == {"x", "branches/x", "up/x", "sized/x", "sized/size"}
    assert [row.layer.partition("/")[0] for row in scan.rows] == ["branches", "branches", "sized", "up"]
    weight = digest_of(np.ascontiguousarray(np.transpose(module.w.numpy(), (3, 2, 0, 1))))
    assert {row.provenance for row in scan.rows} == {"stored"}
    assert {row.digest for row in scan.rows if row.problem} == {weight}
    assert {row.problem for row in scan.rows if "sized" not in row.layer} == {"i6x7 k3 s2 ic3 oc5"}
    assert scan.rows[2].unknown == "the size of its answer is an input of the model, and no number of the file"
    assert scan.rows[-1].place == "signature up: operator 1 of 1, Conv2DBackpropInput"
    graph = convert_variables_to_constants_v2(branches, lower_control_flow=False).graph.as_graph_def()
    (tmp_path / "branches.pb").write_bytes(graph.SerializeToString())
    rows = scanning.scan("branches.pb", (), {"tensorflow": sys.executable}).scan.rows
    assert [(row.problem, row.digest) for row in rows] == [("i6x7 k3 s2 ic3 oc5", weight)] * 2


@pytest.mark.skipif("tensorflow" not in FRAMEWORKS, reason="reads what Keras has saved")
def test_a_layer_of_keras_that_is_applied_twice_is_one_layer_and_inputs_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    given = {name: keras.Input((extent, 4, 3), name=name) for name, extent in (("b", 3), ("a", 5))}
    up = keras.layers.Conv2DTranspose(3, 2, 2, name="up")
    keras.Model(given, [up(given["a"]), up(given["b"])]).save("named.keras")
    rows = scanning.scan("named.keras", (), {"tensorflow": sys.executable}).scan.rows
    assert {row.problem for row in rows} == {"i5x4 k2 s2 ic3 oc3 bias", "i3x4 k2 s2 ic3 oc3 bias"}
    assert [row.place for row in rows] == [
        "layer 1 of 1, Conv2DTranspose", "layer 1 of 1, Conv2DTranspose, applied for the time 2",
    ]  # fmt: skip


def test_a_kernel_that_gets_an_axis_is_known_and_an_input_without_axes_is_not_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = pytest.importorskip("tensorflow", reason="read in the lane of TensorFlow")
    monkeypatch.chdir(tmp_path)
    kernel = np.arange(60, dtype=np.float32).reshape(4, 5, 3)

    @tf.function(input_signature=[tf.TensorSpec([1, 6, 3], tf.float32, "x"), tf.TensorSpec([], tf.float32, "scale")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def applied(x: Any, scale: Any) -> Any:
        return tf.nn.conv1d_transpose(x, tf.constant(kernel), [1, 12, 5], 2) * scale

    module = tf.Module()
    module.applied = applied
    tf.saved_model.save(module, "m", signatures=applied.get_concrete_function())
    scanned = scanning.scan("m").scan
    assert scanned.header.inputs == {"x": "1,6,3"}
    (row,) = scanned.rows
    canonical = np.ascontiguousarray(kernel.transpose(2, 1, 0)[:, :, None])
    assert (row.problem, row.dynamic) == ("i1x6 k1x4 s1x2 p0x1 ic3 oc5", [])
    assert (row.digest, row.provenance) == (digest_of(canonical), "computed in the graph by ExpandDims")


def test_an_operator_of_tensorflow_that_may_be_one_is_told_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = pytest.importorskip("tensorflow", reason="read in the lane of TensorFlow")
    monkeypatch.chdir(tmp_path)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [2, 6, 5, 2], "x")
        tf.nn.depthwise_conv2d_backprop_input([2, 6, 5, 2], tf.ones([3, 3, 2, 1]), x, [1] * 4, "SAME", name="up")
    Path("m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (row,) = scanning.scan("m.pb").scan.rows
    assert (row.layer, row.problem) == ("up", "")
    assert row.unknown.startswith("DepthwiseConv2dNativeBackpropInput is, or may hold, a transposed convolution")


def test_a_factory_that_fails_says_all_that_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="read in the lane of PyTorch")
    monkeypatch.chdir(tmp_path)
    Path("failing.py").write_text("def make():\n    raise ValueError('first\\nsecond')\n", encoding="utf-8")
    with pytest.raises(ScanError, match="cannot be made: ValueError: first second: give the name of a function"):
        scanning.scan("failing:make", ("x=1,3,8,8",))


EXPORTED = """
import torch


class Choosing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.ConvTranspose2d(3, 4, 2, 2)
        self.b = torch.nn.ConvTranspose2d(3, 4, 2, 2)
        self.register_buffer("kernel", torch.randn(4, 2, 3, 3), persistent=False)
        self.plain = torch.randn(2, 1, 2, 2)

    def forward(self, x):
        x = torch.cond(x.sum() > 0, lambda x: self.a(x), lambda x: self.b(x), (x,))
        x = torch.nn.functional.conv_transpose2d(x, self.kernel)
        with torch.no_grad():
            x = torch.nn.functional.conv_transpose2d(x, self.plain, stride=2)
        return torch.nn.functional.conv_transpose2d(x, self.b.weight[:1].transpose(0, 1)[:1])
"""


def test_layers_that_share_a_weight_are_told_apart_by_their_biases_and_gradients_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="read in the lane of PyTorch")
    monkeypatch.chdir(tmp_path)
    tied = torch.nn.Sequential(torch.nn.ConvTranspose2d(3, 3, 3), torch.nn.ConvTranspose2d(3, 3, 3))
    tied[1].weight = tied[0].weight
    torch.jit.save(torch.jit.script(tied.eval()), "tied.pt")
    scanned = scanning.scan("tied.pt", ("x=1,3,4,5",)).scan
    weight = digest_of(tied[0].weight.detach().numpy())
    assert [(row.layer, row.problem, row.digest) for row in scanned.rows] == [
        ("0", "i4x5 k3 ic3 oc3 bias", weight), ("1", "i6x7 k3 ic3 oc3 bias", weight)
    ]  # fmt: skip
    Path("choosing.py").write_text(EXPORTED, encoding="utf-8")
    with pytest.raises(ScanError, match=r"calls cond, whose functions are not watched: export it by torch.export.save"):
        scanning.scan("choosing:Choosing", ("x=1,3,4,5",))
    Path("gradient.py").write_text(GRADIENT, encoding="utf-8")
    (row,) = scanning.scan("gradient:Gradient", ("x=1,4,6,6",)).scan.rows
    assert row.problem == ""
    assert row.unknown.startswith("aten.convolution_backward.default is not read")


GRADIENT = """
import torch


class Gradient(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x):
        return torch.nn.grad.conv2d_input((1, 3, 8, 8), self.weight, x)
"""


def test_branches_and_constants_of_an_exported_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="read in the lane of PyTorch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("choosing.py").write_text(EXPORTED, encoding="utf-8")
    module = importlib.import_module("choosing").Choosing().eval()
    torch.export.save(torch.export.export(module, (torch.randn(1, 3, 4, 5),)), "m.pt2")
    scanned = scanning.scan("m.pt2").scan
    digests = {row.digest: row.problem for row in scanned.rows if row.digest}
    moved = module.b.weight[:1].transpose(0, 1)[:1]
    held = (module.a.weight, module.b.weight, module.kernel, module.plain, moved)
    assert digests == {
        digest_of(weight.detach().contiguous().numpy()): problem for weight, problem in zip(held, (
            "i4x5 k2 s2 ic3 oc4 bias", "i4x5 k2 s2 ic3 oc4 bias", "i8x10 k3 ic4 oc2", "i10x12 k2 s2 ic2", "i20x24 k2",
        ), strict=True)
    }  # fmt: skip
    (last,) = (row for row in scanned.rows if row.provenance != "stored")
    assert (last.problem, last.provenance) == ("i20x24 k2", "computed in the graph by slice of transpose of slice")


def _operators(graph: Any) -> list[str]:
    return [node.name for node in graph.node if node.op == "Conv2DBackpropInput"]


def tensorflow_refused(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Refused]:
    import keras
    import tensorflow as tf

    inner = keras.layers.Lambda(lambda x: x * 2)
    keras.Sequential([keras.Input((4,)), inner]).save(folder / "lambda.keras")
    yield Refused("lambda.keras", "is not read by Keras in its safe mode")
    (folder / "foreign.keras").write_bytes(b"no archive")
    yield Refused("foreign.keras", "is no .keras file")
    (folder / "foreign.pb").write_bytes(b"\xff\xff\xff no graph")
    yield Refused("foreign.pb", "is not a frozen graph")
    (folder / "empty.pb").write_bytes(b"")
    yield Refused("empty.pb", "it has no nodes")
    graph = tf.Graph()
    with graph.as_default():
        tf.io.read_file("/etc/hostname")
    (folder / "reads.pb").write_bytes(graph.as_graph_def().SerializeToString())
    yield Refused("reads.pb", "has the operator ReadFile, which runs code or touches files")
    (folder / "greedy.pb").write_bytes(_greedy(tf.compat.v1.GraphDef()))
    yield Refused("greedy.pb", "takes more memory to read it than 4 GiB and 8 times its size")
    definition = tf.compat.v1.GraphDef()
    definition.node.add(name="own", op="MyOperator")
    (folder / "own.pb").write_bytes(definition.SerializeToString())
    yield Refused("own.pb", "has the operator MyOperator of an author's own")


def _greedy(graph: Any) -> bytes:
    """A graph whose weight is one number, and 90 billion by its shape."""
    given, sizes, weight = (graph.node.add(name=name, op=op) for name, op in
                            (("x", "Placeholder"), ("sizes", "Const"), ("w", "Const")))  # fmt: skip
    made = graph.node.add(name="up", op="Conv2DBackpropInput", input=["sizes", "w", "x"])
    for node, attribute, kind in ((given, "dtype", 1), (sizes, "dtype", 3), (weight, "dtype", 1), (made, "T", 1)):
        node.attr[attribute].type = kind
    shapes = (
        given.attr["shape"].shape,
        weight.attr["value"].tensor.tensor_shape,
        sizes.attr["value"].tensor.tensor_shape,
    )
    for shape, extents in zip(shapes, ((1, 4, 4, 100000), (3, 3, 100000, 100000), (4,)), strict=True):
        for extent in extents:
            shape.dim.add(size=extent)
    weight.attr["value"].tensor.dtype, sizes.attr["value"].tensor.dtype = 1, 3
    weight.attr["value"].tensor.float_val.append(1.0)
    sizes.attr["value"].tensor.int_val.extend([1, 8, 8, 100000])
    made.attr["strides"].list.i.extend([1, 2, 2, 1])
    made.attr["padding"].s = b"SAME"
    return bytes(graph.SerializeToString())


def mxnet_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Saved]:
    import mxnet as mx

    monkeypatch.chdir(folder)
    h = mx.sym.Deconvolution(
        mx.sym.Variable("data"), kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=6, no_bias=False, name="up"
    )
    y = mx.sym.Deconvolution(h, kernel=(2, 3), stride=(2, 2), adj=(1, 0), num_filter=4, num_group=2, name="last")
    rng = np.random.default_rng(0)
    shapes = {"up_weight": (3, 6, 4, 4), "up_bias": (6,), "last_weight": (6, 2, 2, 3)}
    arrays = {name: rng.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    mx.model.save_checkpoint("m", 0, y, {name: mx.nd.array(array) for name, array in arrays.items()}, {})
    yield Saved("m-symbol.json", ("data=1,3,8,10",), [
        ("up", "i8x10 k4 s2 p1 ic3 oc6 bias", arrays["up_weight"], "stored"),
        ("last", "i16x20 k2x3 s2 p0:-1x0 g2 ic3 oc2", arrays["last_weight"], "stored"),
    ])  # fmt: skip


def test_inner_graphs_and_windows_that_there_are_not_of_mxnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mx = pytest.importorskip("mxnet", reason="read in the lane of MXNet")
    monkeypatch.chdir(tmp_path)
    data, weight = mx.sym.var("data"), mx.sym.var("w")

    def body(given: Any, state: Any) -> Any:
        return mx.sym.Deconvolution(given, weight=weight, num_filter=4, kernel=(3, 3), name="in"), state

    answer, _ = mx.sym.contrib.foreach(body, data, [mx.sym.var("state")])
    answer.save("loop-symbol.json")
    (row,) = scanning.scan("loop-symbol.json").scan.rows
    assert (row.layer, row.problem) == ("_foreach0/1/in", "")
    assert row.unknown == "its extents are not known: give the sizes of the inputs by --input"
    (row,) = scanning.scan("loop-symbol.json", ("data=2,5,3,6,7", "state=1", "w=3,4,3,3")).scan.rows
    assert (row.problem, row.unknown) == ("i6x7 k3 ic3 oc4 n5", "")
    mx.sym.UpSampling(data, scale=2, sample_type="bilinear", num_filter=3, name="up").save("up-symbol.json")
    mx.sym.UpSampling(data, scale=2, sample_type="nearest", name="up").save("no-symbol.json")
    (row,) = scanning.scan("up-symbol.json", ("data=1,3,4,4",)).scan.rows
    assert (row.layer, row.problem) == ("up", "")
    assert row.unknown.startswith("MXNet computes it as a transposed convolution, which is not read")
    assert scanning.scan("no-symbol.json", ("data=1,3,4,4",)).scan.rows == ()
    for name, pad in (("far", (9, 9)), ("near", (1, 0))):
        mx.sym.Deconvolution(data, num_filter=4, kernel=(3, 3), stride=(2, 2), target_shape=(14, 15), pad=pad,
                             name="up").save(f"{name}-symbol.json")  # fmt: skip
    (row,) = scanning.scan("far-symbol.json", ("data=2,3,7,7",)).scan.rows
    assert row.problem == ""
    assert row.unknown.startswith("oneDNN takes target_shape with the pad for it")
    (row,) = scanning.scan("near-symbol.json", ("data=2,3,7,7",)).scan.rows
    symbol, x = mx.sym.load("near-symbol.json"), np.arange(294).reshape(2, 3, 7, 7) % 7 - 3
    w = np.arange(108).reshape(3, 4, 3, 3) % 5 - 2
    bound = symbol.bind(mx.cpu(), {"data": mx.nd.array(x), "up_weight": mx.nd.array(w)})
    np.testing.assert_array_equal(bound.forward()[0].asnumpy(), expected(row.problem, x, w))


def mxnet_refused(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Refused]:
    import mxnet as mx

    (folder / "m-symbol.json").write_text('{"nodes": [{"op": "Custom", "name": "a", "inputs": []}]}')
    yield Refused("m-symbol.json", "has an operator Custom, whose code would be run")
    (folder / "n-symbol.json").write_text('{"nodes": [{"op": "Deconvolution", "name": "a", "inputs": [[7, 0]]}]}')
    yield Refused("n-symbol.json", "is no symbol of MXNet")
    (folder / "p-symbol.json").write_text(
        mx.sym.Deconvolution(mx.sym.Variable("data"), kernel=(2,), num_filter=1).tojson()
    )
    (folder / "p-0000.params").write_bytes(b"nothing")
    yield Refused("p-symbol.json", "its parameters p-0000.params are not read: MXNetError: Check failed")


Models = Callable[[Path, pytest.MonkeyPatch], Iterator[Saved]]
MODELS: Mapping[str, Models] = {"torch": torch_models, "tensorflow": tensorflow_models, "mxnet": mxnet_models}
REFUSED: Mapping[str, Callable[[Path, pytest.MonkeyPatch], Iterator[Refused]]] = {
    "torch": torch_refused, "tensorflow": tensorflow_refused, "mxnet": mxnet_refused,
}  # fmt: skip


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in MODELS])
def test_models_are_scanned_back(framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    for saved in MODELS[framework](tmp_path, monkeypatch):
        scanned = scanning.scan(saved.name, saved.inputs, {framework: sys.executable})
        assert [fields(row) for row in scanned.scan.rows] == [
            (layer, problem, "" if weight is None else digest_of(np.ascontiguousarray(weight)), provenance)
            for layer, problem, weight, provenance in saved.rows
        ], saved.name  # fmt: skip
        assert {row.dtype for row in scanned.scan.rows} == {saved.dtype}, saved.name
        assert {row.layer for row in scanned.scan.rows if row.digest} <= {*scanned.weights}
        count += 1
    assert count


def fields(row: Row) -> tuple[str, str, str, str]:
    assert row.place
    assert row.call.endswith(")")
    assert row.unknown == ""
    return row.layer, row.problem, row.digest, row.provenance


SKIP = """
import torch


class Skip(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down = torch.nn.Conv2d(3, 4, 3, 2, 1)
        self.up = torch.nn.ConvTranspose2d(4, 3, 2, 2)

    def forward(self, x):
        return torch.cat([self.up(self.down(x)), x], 1)


def make():
    return torch.jit.script(Skip().eval())
"""


def skip_of_torch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    import torch

    (folder / "skip_of_a_test.py").write_text(SKIP)
    monkeypatch.syspath_prepend(str(folder))
    torch.jit.save(importlib.import_module("skip_of_a_test").make(), "skip.pt")
    return "skip.pt", "x=1,3,4..40,4"


def skip_of_keras(_: Path, __: pytest.MonkeyPatch) -> tuple[str, str]:
    import keras

    given = keras.Input((None, 4, 3))
    down = keras.layers.Conv2D(4, 3, 2, padding="same")(given)
    up = keras.layers.Conv2DTranspose(3, 2, 2, name="up")(down)
    keras.Model(given, keras.layers.Concatenate()([up, given])).save("skip.keras")
    return "skip.keras", "x=1,4..40,4,3"


SKIPS = {"torch": skip_of_torch, "tensorflow": skip_of_keras}


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in SKIPS])
def test_what_comes_together_decides_which_sizes_are_taken(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, sizes = SKIPS[framework](tmp_path, monkeypatch)
    (taken,) = scanning.scan(name, (sizes,), {framework: sys.executable}).scan.header.taken
    assert "in 4..40: multiples of 2: others:" in taken
    assert re.search(r"\b6\b.*\b5\b", taken), taken


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in REFUSED])
def test_no_mutant_of_a_model_does_more_than_be_refused(framework: str, tmp_path: Path) -> None:
    """In a process of its own, since a fork takes along what this one has at work."""
    command = [sys.executable, "-m", "tests.hostile_models", framework, "--each=4", "--seed=1000"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in REFUSED])
def test_what_would_run_code_or_is_no_model_is_refused_in_a_line(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for refused in REFUSED[framework](tmp_path, monkeypatch):
        with pytest.raises(ScanError) as raised:
            scanning.scan(refused.name, refused.inputs, {framework: sys.executable})
        assert refused.message in str(raised.value), raised.value
        assert str(raised.value).startswith((refused.name, "--input"))
        assert "\n" not in str(raised.value)
