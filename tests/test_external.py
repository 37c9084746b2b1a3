"""The oracle gives what others published: see cases/external/README.md."""

import tomllib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from conformance import oracle
from conformance.io.folders import cases_folder
from conformance.problem import Problem

VECTORS = tomllib.loads((cases_folder() / "external" / "vectors.toml").read_text(encoding="utf-8"))["vector"]
WAYS = (oracle.expected, oracle.by_zero_insertion, oracle.by_matrix)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_oracle_gives_a_published_vector(vector: Mapping[str, Any]) -> None:
    problem = Problem.parse(vector["problem"])
    x, weight, expected = (np.array(vector[name]) for name in ("x", "weight", "expected"))
    assert vector["source"]
    assert weight.shape == problem.weight_shape
    if vector["kind"] == "ordinary":
        assert (x.shape, expected.shape) == (problem.output_shape, problem.input_shape)
        actual = np.einsum("gio,ngo->ngi", oracle.matrix(problem, weight), x.reshape(*x.shape[:1], problem.groups, -1))
        np.testing.assert_array_equal(actual.reshape(expected.shape), expected)
        return
    assert vector["kind"] == "transposed"
    for way in WAYS:
        np.testing.assert_array_equal(way(problem, x, weight, None), expected)


def test_vectors_have_an_id_each() -> None:
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS) >= 17
