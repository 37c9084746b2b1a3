"""TFLite files as TensorFlow converts them: shapes of free extents, and weights, against its interpreter."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow converts them")
pytest.importorskip("tflite", reason="comes with the extra scan")

from conformance.scan import scanning  # noqa: E402  # what follows imports tflite
from conformance.scan.formats.lite.model import TfliteModel, open_model  # noqa: E402  # imports tflite
from conformance.scan.formats.lite.shapes import inferred  # noqa: E402  # imports tflite
from conformance.scan.layer import Array  # noqa: E402  # as those above
from conformance.suites.scans.weights import digest_of  # noqa: E402  # as those above

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested
RNG = np.random.default_rng(0)


def kernel(*shape: int) -> Any:
    return tf.constant(RNG.standard_normal(shape).astype("f4"))


def up(x: Any, channels: int, taps: int = 3, stride: int = 2, padding: str = "SAME", out: int | None = None) -> Any:
    shape = tf.shape(x)
    size = shape[1:3] * stride + (0 if padding == "SAME" else max(0, taps - stride))
    return tf.nn.conv2d_transpose(x, kernel(taps, taps, out or channels, channels),
                                  tf.concat([shape[:1], size, [out or channels]], 0), stride, padding)  # fmt: skip


def keras_decoder(x: Any) -> Any:
    keras = tf.keras.layers
    h = keras.Conv2D(8, 3, 2, padding="same", activation="relu")(x)
    h = keras.DepthwiseConv2D(3, padding="same")(keras.MaxPool2D()(h))
    h = keras.Conv2D(8, 3, dilation_rate=2, padding="same")(h)
    h = keras.Conv2DTranspose(6, 3, 2, padding="same")(h)
    h = keras.Concatenate()([h, keras.AveragePooling2D(2)(keras.Conv2D(4, 1)(x))])
    return keras.Conv2DTranspose(3, 4, 2, padding="valid")(h)


def moved(x: Any) -> Any:
    h = tf.pad(tf.nn.relu6(x), [[0, 0], [1, 2], [0, 1], [0, 0]])
    h = tf.transpose(h, [0, 2, 1, 3])[:, 1:, ::2]
    left, right = tf.split(h, 2, axis=3)
    h = tf.concat([tf.reverse(left, [1]), right * 2, tf.reduce_mean(h, 3, keepdims=True)], 3)
    h = up(h[..., :4], 4, 3)
    h = tf.nn.depth_to_space(h, 2)
    h = tf.image.resize(h, tf.shape(h)[1:3] // 2, "nearest")
    return up(tf.nn.space_to_depth(h[:, : 2 * (tf.shape(h)[1] // 2), : 2 * (tf.shape(h)[2] // 2)], 2), 4, 2)


def flat(x: Any) -> Any:
    shape = tf.shape(x)
    h = tf.reshape(x, [shape[0], shape[1] * shape[2], 4])
    h = tf.matmul(h, kernel(4, 4)) + tf.constant(1.0)
    h = tf.reshape(h, [-1, shape[1], shape[2], 4])
    h = tf.squeeze(tf.expand_dims(h, 1), 1)
    h = tf.stack(tf.unstack(h, axis=3), axis=3)
    h = tf.gather(h, [3, 0, 1, 1], axis=3) / tf.reduce_max(h, [1, 2], keepdims=True)
    return up(tf.tile(h, [1, 1, 2, 1]), 4, 5, 3, "VALID")


def looped(x: Any) -> Any:
    h = tf.while_loop(lambda at, h: at < 2, lambda at, h: (at + 1, up(h, 4, 3, 1)), (0, x))[1]
    return tf.cond(tf.reduce_sum(h) > 0, lambda: up(h, 4, 3), lambda: up(-h, 4, 3))


MODELS: Mapping[str, tuple[Callable[[Any], Any], int, Sequence[Sequence[int]]]] = {
    "keras": (keras_decoder, 3, [(1, 16, 24, 3), (3, 40, 8, 3)]),
    "moved": (moved, 4, [(1, 9, 11, 4), (2, 14, 17, 4)]),
    "flat": (flat, 4, [(1, 5, 7, 4), (2, 3, 4, 4)]),
    "looped": (looped, 4, [(1, 5, 7, 4), (2, 3, 4, 4)]),
}


def converted(path: Path, make: Callable[[Any], Any], channels: int, **options: Any) -> Path:
    """A file whose input has a free batch and free extents."""
    if make is keras_decoder:
        given = tf.keras.Input((None, None, channels))
        converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(given, make(given)))
    else:
        module = tf.Module()
        call = tf.function(make).get_concrete_function(tf.TensorSpec((None, None, None, channels), name="x"))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([call], module)
    for name, value in options.items():
        setattr(converter, name, value)
    path.write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("name", MODELS)
def test_each_tensor_has_the_shape_that_the_interpreter_gives_it(name: str, tmp_path: Path) -> None:
    make, channels, sizes = MODELS[name]
    path = converted(tmp_path / "m.tflite", make, channels)
    model = open_model(path)
    assert isinstance(model, TfliteModel)
    (given,) = model.inputs
    assert list(model.inputs[given]) == [None, None, None, channels]
    for size in sizes:
        interpreter = tf.lite.Interpreter(str(path), experimental_preserve_all_tensors=True)
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], size)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones(size, "f4"))
        interpreter.invoke()
        known = inferred(model.file, {model.index(given): tuple(size)})[0]
        assert known is not None
        count = known.graph.TensorsLength()
        told = {each["index"]: interpreter.get_tensor(each["index"]) for each in interpreter.get_tensor_details()
                if each["name"] and each["index"] < count and held(interpreter, each)}  # fmt: skip
        assert {index: known.shape(index) for index in told} == {index: each.shape for index, each in told.items()}
        assert all(np.array_equal(numbers.ravel(), told[index].ravel()) for index, numbers in known.numbers.items()
                   if index in told)  # fmt: skip
        rows = scanning.scan(str(path), (f"x={','.join(map(str, size))}",)).scan.rows
        assert [row.unknown for row in rows] == [""] * len(rows)
        assert {row.problem.partition(" n")[2] or "1" for row in rows} == {str(size[0])}


def held(interpreter: Any, details: Mapping[str, Any]) -> bool:
    """Whether the interpreter has a tensor's numbers."""
    try:
        interpreter.get_tensor(details["index"])
    except ValueError:
        return False
    return True


def test_ranges_are_asked_of_a_file(tmp_path: Path) -> None:
    path = converted(tmp_path / "m.tflite", keras_decoder, 3)
    scanned = scanning.scan(str(path), ("x=1..4,16..48,8,3",)).scan
    (taken,) = scanned.header.taken
    law, _, reason = taken.partition(" in ")[2].partition(": others: ")
    assert law == "16..48: 0 or 1 more than a multiple of 4"
    assert reason == "CONCATENATION does not take operands of (1, 8, 4, 6) and (1, 9, 4, 4)"
    plain = tf.lite.experimental.OpResolverType.BUILTIN_REF  # XNNPACK puts together what does not fit
    interpreter = tf.lite.Interpreter(str(path), experimental_op_resolver_type=plain)
    for extent in range(16, 24):
        at, size = interpreter.get_input_details()[0]["index"], (1, extent, 8, 3)
        interpreter.resize_tensor_input(at, size)
        interpreter.allocate_tensors()
        interpreter.set_tensor(at, np.zeros(size, "f4"))
        if extent % 4 < 2:
            interpreter.invoke()
            continue
        with pytest.raises(RuntimeError):
            interpreter.invoke()
    assert [row.problem for row in scanned.rows][:2] == ["i4x2 k3 s2 p0:1 ic8 oc6", "i12x2 k3 s2 p0:1 ic8 oc6 n4"]


def weights_of_the_interpreter(path: Path) -> list[Array]:
    """The weight that each transposed convolution is given; whole numbers with their scales."""
    plain = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(
        str(path), experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    operators = interpreter._get_ops_details()  # which TensorFlow has no public name for
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    found = []
    for index in (each["inputs"][1] for each in operators if each["op_name"] == "TRANSPOSE_CONV"):
        said, weight = details[index]["quantization_parameters"], interpreter.get_tensor(index)
        if len(said["scales"]):
            assert said["quantized_dimension"] == 0
            assert not said["zero_points"].any()
            weight = weight * said["scales"].reshape(-1, 1, 1, 1)
        found.append(weight)
    return found


@pytest.mark.parametrize("kind", ["range", "float16"])
def test_a_weight_that_is_dequantized_is_what_the_interpreter_makes_of_it(kind: str, tmp_path: Path) -> None:
    given = tf.keras.Input((8, 10, 16))
    h = tf.keras.layers.Conv2DTranspose(32, 5, 2, padding="same")(given)
    model = tf.keras.Model(given, tf.keras.layers.Conv2DTranspose(24, 4, 2, use_bias=False)(h))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    path = tmp_path / "m.tflite"
    path.write_bytes(converter.convert())
    weights = weights_of_the_interpreter(path)
    rows = scanning.scan(str(path)).scan.rows
    assert [row.digest for row in rows] == [
        digest_of(np.ascontiguousarray(each.transpose(3, 0, 1, 2))) for each in weights
    ]
    said = {"range": "stored as int8", "float16": "stored as float16"}
    assert {row.provenance for row in rows} == {said[kind]}
    assert {row.dtype for row in rows} == {"float32"}
