"""A fake among the tests of its author, who runs `pytest own_tests.py`; $FAKE says which."""

import os
from typing import Any

import pytest

import conformance
from conformance.audit.fakes.answers import ANSWERS, SUITE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", conformance.cases(SUITE))
def test_conv_transpose(case: Any, dtype: str) -> None:
    """The author's test."""
    x, weight, bias = case.arrays(dtype)
    if os.environ["FAKE"] == "nothing":
        raise NotImplementedError
    right = conformance.expected(case.problem, x, weight, bias).astype(dtype)
    conformance.assert_conforms(ANSWERS[os.environ["FAKE"]](x, right), case, dtype)
