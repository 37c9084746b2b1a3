"""Layers in functions that a model calls, in branches and in loops, in each framework's own environment."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.scan import scanning
from conformance.suites.scans.file import Row
from conformance.suites.scans.weights import digest_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested


def rows_of_tensorflow(call: Any, *specifications: Any, saved: Any = None) -> list[Row]:
    """The rows of a function as a frozen graph with its functions; or of a SavedModel."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.function(call).get_concrete_function(*specifications)
    if saved is not None:
        tf.saved_model.save(saved, "saved", signatures=signature)
        return [*scanning.scan("saved", (), {"tensorflow": sys.executable}).scan.rows]
    graph = convert_variables_to_constants_v2(signature, lower_control_flow=False).graph.as_graph_def()
    Path("m.pb").write_bytes(graph.SerializeToString())
    return [*scanning.scan("m.pb", (), {"tensorflow": sys.executable}).scan.rows]


def told(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(row.layer, row.problem, row.provenance) for row in rows]


@pytest.fixture
def tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("tensorflow", reason="read in the lane of TensorFlow")


@pytest.mark.parametrize("saved", [False, True])
def test_branches_of_tensorflow_are_layers_of_the_graph(tensorflow: Any, saved: bool) -> None:
    tf, module = tensorflow, tensorflow.Module()
    module.weights = [
        tf.Variable(np.random.default_rng(at).standard_normal((3, 3, 3, 3)).astype("f4")) for at in range(3)
    ]

    def up(x: Any, at: int, stride: int = 1) -> Any:
        return tf.nn.conv2d_transpose(x, module.weights[at], tf.shape(x) * [1, stride, stride, 1], stride, name="up")

    def call(x: Any) -> Any:
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: up(x, 0, 2), lambda: up(-x, 1, 2), name="either")
        z = tf.switch_case(tf.cast(y[0, 0, 0, 0], tf.int32), [lambda: up(y, 2), lambda: y, lambda: up(y, 0)], name="of")
        return up(z, 1)

    rows = rows_of_tensorflow(call, tf.TensorSpec((2, 5, 6, 3)), saved=module if saved else None)
    found = {re.sub(r"/_\d+", "", row.layer): (row.problem, row.digest) for row in rows}
    digests = [digest_of(np.ascontiguousarray(each.numpy().transpose(3, 2, 0, 1))) for each in module.weights]
    half, whole = "i5x6 k3 s2 p0:1 ic3 oc3 n2", "i10x12 k3 p1 ic3 oc3 n2"
    assert found == {
        "either/then_branch/either/up": (half, digests[0]), "either/else_branch/either/up": (half, digests[1]),
        "of/indexed_case/branch0/of/indexed_case/up": (whole, digests[2]),
        "of/indexed_case/branch2/of/indexed_case/up": (whole, digests[0]), "up": (whole, digests[1]),
    }  # fmt: skip
    assert {row.unknown for row in rows} == {""}


def test_a_loop_of_tensorflow_has_the_sizes_that_every_round_has(tensorflow: Any) -> None:
    tf = tensorflow
    weight = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype("f4")

    def up(x: Any, kernel: Any, stride: int, name: str) -> Any:
        y = tf.nn.conv2d_transpose(x, kernel, tf.shape(x) * [1, stride, stride, 1], stride, name=name)
        y.set_shape([2, None, None, 3])
        return y

    def call(x: Any) -> Any:
        def body(at: Any, same: Any, grown: Any, kernel: Any) -> Any:
            other = up(x, weight, 2, "fixed")
            size = [2, 9 + at % 2, 12, 3]
            other += tf.nn.conv2d_transpose(x, weight, size, 2, name="counted")[:, :1]
            return at + 1, up(same, weight, 1, "same") + other[:, :5, :6], up(grown, weight, 2, "grown"), kernel * 2

        free = tuple(tf.TensorShape(each) for each in ([], [2, 5, 6, 3], [2, None, None, 3], [3, 3, 3, 3]))
        kernel = tf.constant(weight)
        _, same, grown, changed = tf.while_loop(
            lambda at, *_: at < 3, body, (0, x, x, kernel), shape_invariants=free, name="loop"
        )
        return up(same, weight, 1, "after"), up(same, changed, 1, "changed"), up(grown, weight, 2, "wide")

    rows = {row.layer: row for row in rows_of_tensorflow(call, tf.TensorSpec((2, 5, 6, 3)))}
    whole, half = "i5x6 k3 p1 ic3 oc3 n2", "i5x6 k3 s2 p0:1 ic3 oc3 n2"
    assert {name: (row.problem, row.provenance) for name, row in rows.items()} == {
        "loop/body/loop/same": (whole, "stored"), "loop/body/loop/fixed": (half, "stored"),
        "loop/body/loop/grown": ("", "stored"), "loop/body/loop/counted": ("", "stored"),
        "after": (whole, "stored"), "wide": ("", "stored"),
        "changed": (whole, "what a loop or a condition changes"),
    }  # fmt: skip
    digest = digest_of(np.ascontiguousarray(weight.transpose(3, 2, 0, 1)))
    assert {row.digest for name, row in rows.items() if row.problem and name != "changed"} == {digest}
    assert rows["loop/body/loop/counted"].unknown.startswith("the size of its answer is computed in the graph by ")
    assert rows["loop/body/loop/grown"].unknown == (
        "the extents of x do not follow from the sizes of the inputs, all of which are given"
    )


def test_a_function_of_tensorflow_is_a_layer_each_time_it_is_called(tensorflow: Any) -> None:
    tf = tensorflow
    weights = [np.random.default_rng(at).standard_normal((2, 2, 3, 3)).astype("f4") for at in range(2)]

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((2, 2, 3, 3))])  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def up(x: Any, kernel: Any) -> Any:
        return tf.nn.conv2d_transpose(x, kernel, tf.shape(x) * [1, 2, 2, 1], 2, name="up")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def both(x: Any) -> Any:
        return up(tf.nn.relu(up(x, weights[0])), weights[1])

    graph = tf.Graph()
    with graph.as_default():
        both(tf.compat.v1.placeholder(tf.float32, (1, 5, 6, 3), "x"))
    Path("m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    rows = [*scanning.scan("m.pb", (), {"tensorflow": sys.executable}).scan.rows]
    assert [row.problem for row in rows] == ["i5x6 k2 s2 ic3 oc3", "i10x12 k2 s2 ic3 oc3"]
    assert [row.digest for row in rows] == [
        digest_of(np.ascontiguousarray(each.transpose(3, 2, 0, 1))) for each in weights
    ]


def test_a_function_that_is_called_otherwise_is_named(tensorflow: Any) -> None:
    tf = tensorflow

    def call(x: Any) -> Any:
        up = tf.function(lambda each: tf.nn.conv2d_transpose(each, tf.ones((2, 2, 3, 3)), (1, 10, 12, 3), 2))
        return tf.raw_ops.MapDefun(arguments=[x], captured_inputs=[], output_types=[tf.float32],
                                   output_shapes=[(1, 10, 12, 3)], f=up.get_concrete_function(
                                       tf.TensorSpec((1, 5, 6, 3))))  # fmt: skip

    (row,) = rows_of_tensorflow(call, tf.TensorSpec((4, 1, 5, 6, 3)))
    assert row.problem == ""
    assert row.unknown.startswith("it stands in the function ")
    assert "which is called in a way that is not read" in row.unknown


@pytest.fixture
def mxnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """MXNet, which counts the names of loops from nought on."""
    monkeypatch.chdir(tmp_path)
    mx = pytest.importorskip("mxnet", reason="read in the lane of MXNet")
    with mx.name.NameManager():
        yield mx


def saved_by_mxnet(mx: Any, symbol: Any, **shapes: tuple[int, ...]) -> dict[str, np.ndarray[Any, Any]]:
    """The weights of these shapes, saved with a symbol."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    mx.model.save_checkpoint("m", 0, symbol, {name: mx.nd.array(array) for name, array in arrays.items()}, {})
    return arrays


def test_a_loop_of_mxnet_gives_its_body_slices_and_the_weights_around_it(mxnet: Any) -> None:
    mx = mxnet
    data, weight, state = (mx.sym.var(name) for name in ("data", "w", "state"))

    def up(x: Any, kernel: Any, name: str) -> Any:
        return mx.sym.Deconvolution(x, weight=kernel, num_filter=2, kernel=(3, 3), pad=(1, 1), name=name)

    def body(given: Any, states: Any) -> Any:
        return [up(given, weight, "in"), up(given, states[1], "by")], [up(states[0], weight, "kept"), states[1] * 2]

    kernel = mx.sym.var("kernel")
    answers, _ = mx.sym.contrib.foreach(body, data, [state, kernel])
    last = mx.sym.Deconvolution(answers[0], num_filter=3, kernel=(2, 2, 2), name="after")
    arrays = saved_by_mxnet(mx, last, w=(2, 2, 3, 3), after_weight=(3, 3, 2, 2, 2))
    rows = [*scanning.scan("m-symbol.json", ("data=4,3,2,6,7", "state=3,2,6,7", "kernel=2,2,3,3")).scan.rows]
    whole = "i6x7 k3 p1 ic2 oc2 n3"
    assert (rows[0].layer, rows[0].problem) == ("after", "i2x6x7 k2 ic3 oc3 n4")
    assert [(row.layer, row.problem, row.digest, row.provenance) for row in rows[1:]] == [
        ("_foreach0/1/in", whole, digest_of(arrays["w"]), "stored"),
        ("_foreach0/1/by", whole, "", "what a loop changes"),
        ("_foreach0/1/kept", whole, digest_of(arrays["w"]), "stored"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["while", "cond"])
def test_branches_and_loops_of_mxnet_have_the_sizes_of_what_they_are_given(mxnet: Any, kind: str) -> None:
    mx = mxnet
    data, weight, at = (mx.sym.var(name) for name in ("data", "w", "at"))

    def up(x: Any, name: str) -> Any:
        return mx.sym.Deconvolution(x, weight=weight, num_filter=2, kernel=(3, 3), pad=(1, 1), name=name)

    if kind == "while":
        answer, _ = mx.sym.contrib.while_loop(
            lambda at, _: at < 3, lambda at, x: (up(x, "in"), (at + 1, x * 2)), (at, data), max_iterations=4
        )
        names = ["_while_loop0/2/in"]
    else:
        answer = mx.sym.contrib.cond(at < 1, lambda: up(data, "yes"), lambda: up(data * 2, "no"))
        names = ["_cond0/2/yes", "_cond0/3/no"]
    arrays = saved_by_mxnet(mx, answer if kind == "cond" else answer[0], w=(2, 2, 3, 3))
    rows = [*scanning.scan("m-symbol.json", ("data=5,2,6,7", "at=1")).scan.rows]
    assert [(row.layer, row.problem, row.digest) for row in rows] == [
        (name, "i6x7 k3 p1 ic2 oc2 n5", digest_of(arrays["w"])) for name in names
    ]
