"""The oracle gives ONNX's node tests; where ONNX's reference evaluator or shape inference differs, it is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.adapters.base import Unsupported
from conformance.adapters.modes.base import Inferred
from conformance.problem import Problem, Window

onnx = pytest.importorskip("onnx", reason="ONNX's node tests come from its package, which `tox run -e tests` installs")

from onnx.backend.test.case import node  # noqa: E402  # only where there is onnx
from onnx.backend.test.case.node import convtranspose  # noqa: E402, F401  # its import makes the node tests
from onnx.reference import ReferenceEvaluator  # noqa: E402  # only where there is onnx

from conformance.adapters._onnx import call_of  # noqa: E402  # only where there is onnx
from conformance.adapters.modes import onnx as modes  # noqa: E402  # only where there is onnx

Array = NDArray[Any]

NODE_TESTS = [test for test in node._NodeTestCases if test.name.startswith("test_convtranspose")]
WAYS = (oracle.expected, oracle.by_zero_insertion, oracle.by_matrix)


def said(attributes: Sequence[Any]) -> dict[str, Any]:
    return {each.name: onnx.helper.get_attribute_value(each) for each in attributes}


def problem_of(attributes: Mapping[str, Any], x: Array, weight: Array) -> Problem:
    """The problem that the attributes of a ConvTranspose mean, by ONNX's text; a cut is halved towards the begin."""
    groups, rank = attributes.get("group", 1), x.ndim - 2
    problem = Problem.of(
        x.shape[2:], weight.shape[2:], attributes.get("strides", 1),
        output_padding=attributes.get("output_padding", 0), dilation=attributes.get("dilations", 1),
        groups=groups, in_channels=x.shape[1] // groups, out_channels=weight.shape[1], batch=x.shape[0],
    )  # fmt: skip
    pads = attributes.get("pads", (0,) * 2 * rank)
    window: Window = tuple(
        (begin, end - op) for begin, end, op in zip(pads[:rank], pads[rank:], problem.output_padding, strict=True)
    )
    upper = attributes.get("auto_pad") == b"SAME_UPPER"
    output = attributes.get("output_shape", [i * s for i, s in zip(problem.input, problem.stride, strict=True)])
    if upper or "output_shape" in attributes:
        totals = [full - out for full, out in zip(problem.full, output, strict=True)]
        window = tuple((t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in totals)
    return Problem.of(
        problem.input, problem.kernel, problem.stride, window, 0, problem.dilation,
        groups=groups, in_channels=problem.in_channels, out_channels=problem.out_channels, batch=problem.batch,
    )  # fmt: skip


def test_onnx_has_the_node_tests_that_are_known() -> None:
    assert len(NODE_TESTS) >= 11


@pytest.mark.parametrize("test", NODE_TESTS, ids=lambda test: test.name)
def test_the_oracle_gives_an_onnx_node_test(test: Any) -> None:
    (of,) = test.model.graph.node
    for inputs, (expected,) in test.data_sets:
        x, weight = inputs
        problem = problem_of(said(of.attribute), x, weight)
        for way in WAYS:
            actual = way(problem, x, weight, None)
            assert actual.shape == expected.shape
            np.testing.assert_array_equal(actual, expected)


def evaluated(x: Array, weight: Array, bias: Array, groups: int) -> Array:
    """What ONNX's reference evaluator makes of a ConvTranspose."""
    made = onnx.helper.make_node("ConvTranspose", ["X", "W", "B"], ["Y"], group=groups)
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None) for name in "XWBY"]
    model = onnx.helper.make_model(onnx.helper.make_graph([made], "one", tensors[:3], tensors[3:]))
    (y,) = ReferenceEvaluator(model).run(None, {"X": x, "W": weight, "B": bias})
    found: Array = y
    return found


@pytest.mark.parametrize(
    "descriptor",
    ["i3x3 k2 g2 ic1 oc1 bias", "i3x3 k2 g2 ic1 oc2 bias", "i3x3 k2 g2 ic2 oc1 bias", "i3x3 k2 g3 ic2 oc2 bias"],
)
def test_onnx_reference_evaluator_is_wrong_for_groups_and_right_for_each_of_them(descriptor: str) -> None:
    problem = Problem.parse(descriptor)
    random = np.random.default_rng(0)
    x, weight, bias = (
        random.permutation(np.arange(1.0, 1 + np.prod(shape))).reshape(shape)
        for shape in (problem.input_shape, problem.weight_shape, problem.bias_shape)
    )
    expected = oracle.expected(problem, x, weight, bias)
    parts = [np.array_split(array, problem.groups, axis) for array, axis in ((x, 1), (weight, 0), (bias, 0))]
    alone = [evaluated(x_, w_, b_, 1) for x_, w_, b_ in zip(*parts, strict=True)]
    np.testing.assert_array_equal(np.concatenate(alone, axis=1), expected)
    if problem.in_channels == problem.out_channels == 1:
        together = evaluated(x, weight, bias, problem.groups)
        differs = together - expected
        np.testing.assert_array_equal(differs[:, 0], 0)
        np.testing.assert_array_equal(differs[:, 1], bias[0] - bias[1])
    else:
        with pytest.raises(ValueError, match=r"could not broadcast|cannot reshape"):
            evaluated(x, weight, bias, problem.groups)


@pytest.mark.parametrize(
    ("descriptor", "by_pads", "by_auto_pad"),
    [
        ("i2x3 k3 s2 p1 op1 oc2", (1, 2, 4, 6), (1, 2, 5, 7)),  # of the size that the window leaves, and op more
        ("i2 k3 s2 p0:1", (1, 1, 4), (1, 1, 4)),
        ("i2 k3 s2 p1:0", (1, 1, 4), (1, 1, 4)),
        ("i2 k3 s2", (1, 1, 5), None),  # no auto_pad leaves so much
        ("i1 k1 s2 op1", (1, 1, 2), (1, 1, 2)),
    ],
)
def test_shape_inference_is_right_of_pads_and_leaves_output_padding_out_of_auto_pad(
    descriptor: str, by_pads: tuple[int, ...], by_auto_pad: tuple[int, ...] | None
) -> None:
    problem = Problem.parse(descriptor)
    x, weight = (np.ones(shape, "float32") for shape in (problem.input_shape, problem.weight_shape))
    call = call_of(oracle.expected, problem, x, weight, None)
    assert modes.infer_shapes(call)() == Inferred(by_pads, "float32")
    if by_auto_pad is None:
        with pytest.raises(Unsupported):
            modes.infer_auto_pad(call)
    else:
        assert modes.infer_auto_pad(call)() == Inferred(by_auto_pad, "float32")
