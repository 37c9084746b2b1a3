"""The folders of node tests: onnx reads them, and its reference evaluator gives their outputs."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from conformance.idioms.base import Refusal
from conformance.problem import Problem
from conformance.vectors.chosen import chosen_of, elements
from conformance.vectors.data import data
from conformance.vectors.making import Made, make
from conformance.vectors.terms import onnx_attributes
from tests.test_onnx import problem_of

onnx = pytest.importorskip("onnx", reason="the models are read by its package, which `tox run -e tests` installs")

from onnx import numpy_helper  # noqa: E402  # only where there is onnx
from onnx.reference import ReferenceEvaluator  # noqa: E402  # only where there is onnx

from conformance.vectors import onnx_tests  # noqa: E402  # it imports onnx

SMALL = [case for case in chosen_of("core").cases if elements(case) < 2000]


def made(number: int) -> Made:
    case = SMALL[number]
    return make(case, data()[case])


def array(content: bytes) -> Any:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(content)
    return numpy_helper.to_array(tensor)


def folders(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    by_folder: dict[str, dict[str, bytes]] = {}
    for name, content in files.items():
        folder, *rest = PurePosixPath(name).parts[1:]
        by_folder.setdefault(folder, {})["/".join(rest)] = content
    return by_folder


@pytest.mark.parametrize("number", range(0, len(SMALL), 2))
def test_a_model_is_valid_says_the_problem_and_gives_its_output(number: int) -> None:
    one = made(number)
    files = dict(onnx_tests.files([one]))
    if one.vector.calls.onnx.attributes is None:
        assert not files
        return
    ((name, test),) = folders(files).items()
    assert name == f"test_convtranspose_{one.vector.id.replace('-', '_')}"
    inputs = 3 if one.vector.bias else 2
    data_set = [f"test_data_set_0/input_{at}.pb" for at in range(inputs)]
    assert test.keys() == {"model.onnx", *data_set, "test_data_set_0/output_0.pb"}
    model = onnx.load_from_string(test["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    x, weight, *bias = (array(test[name]) for name in data_set)
    expected = array(test["test_data_set_0/output_0.pb"])
    np.testing.assert_array_equal(expected, one.reference.expected)
    (node,) = model.graph.node
    said = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    problem = Problem.parse(one.vector.problem)
    read = problem_of(said, x, weight)
    assert (read.window, read.full, read.groups) == (problem.window, problem.full, problem.groups)
    if problem.groups > 1:
        return  # the evaluator is wrong there: tests/test_onnx.py
    given = dict(zip("XWB", (x, weight, *bias), strict=False))
    if any(op >= s for op, s in zip(said["output_padding"], said["strides"], strict=True)):
        with pytest.raises(ValueError, match="sliding blocks"):  # ONNX allows it below the dilation
            ReferenceEvaluator(model).run(None, given)
        return
    (y,) = ReferenceEvaluator(model).run(None, given)
    np.testing.assert_array_equal(y, expected)


def test_many_models_are_run() -> None:
    run = [case for case in SMALL[::2] if case.problem.groups == 1 and min(map(min, case.problem.pads)) >= 0]
    assert len(run) > 40
    assert {case.problem.rank for case in run} == {1, 2, 3}


def test_the_same_bytes_come_every_time() -> None:
    assert dict(onnx_tests.files([made(3)])) == dict(onnx_tests.files([made(3)]))


@pytest.mark.parametrize(
    ("descriptor", "pads", "output_padding"),
    [
        ("i3 k3 s2 p1 op1", (1, 1), (1,)),
        ("i3 k3 s2 p1:0", (1, 0), (0,)),
        ("i3 k3 s2 p1:-1", (1, 0), (1,)),
        ("i3 k3 s3 p0:-1 op1", (0, 0), (2,)),
        ("i3x3 k3 s2 p1:0x0:2", (1, 0, 0, 2), (0, 0)),
    ],
)
def test_onnx_says_a_window_by_pads_and_output_padding(
    descriptor: str, pads: tuple[int, ...], output_padding: tuple[int, ...]
) -> None:
    attributes = onnx_attributes(Problem.parse(descriptor))
    assert (attributes.pads, attributes.output_padding) == (pads, output_padding)


@pytest.mark.parametrize("descriptor", ["i3 k3 p-1:1", "i3 k3 s2 p0:-2", "i3x3 k3 p0x-1"])
def test_onnx_refuses_a_window_that_begins_before_the_stamp_or_ends_too_late(descriptor: str) -> None:
    with pytest.raises(Refusal, match="pads must not be negative"):
        onnx_attributes(Problem.parse(descriptor))
