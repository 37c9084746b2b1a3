"""An implementation that only seems to be one: each variant is a fake."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from conformance import oracle
from conformance.adapters.base import Call, Unsupported
from conformance.audit.fakes.answers import ANSWERS
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {
    "nothing": {"FAKE": "nothing"},
    "zeros": {"FAKE": "zeros"},
    "constant": {"FAKE": "constant"},
    "nan": {"FAKE": "nan"},
    "echo": {"FAKE": "echo"},
    "replay": {"FAKE": "replay"},
    "first": {"FAKE": "first"},
    "fewer": {"FAKE": "fewer"},
    "silence": {"FAKE": "silence"},
    "wider": {"FAKE": "wider"},
    "cases": {"FAKE": "cases"},
    "cache": {"FAKE": "cache"},
    "patches": {"FAKE": "patches"},
}
REFUSALS = (NotImplementedError,)
BLOCK = 1


def describe() -> Mapping[str, str]:
    return {"fake": "1.0"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if os.environ["FAKE"] == "nothing":
        raise Unsupported("not implemented yet")
    return Call(answer, (problem, x, weight, bias))


def answer(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Any:
    return ANSWERS[os.environ["FAKE"]](x, oracle.expected(problem, x, weight, bias).astype(x.dtype))


def run(calls: Sequence[Call]) -> Sequence[Any]:
    answers = [call() for call in calls]
    return answers[1:] if os.environ["FAKE"] == "fewer" else answers


def array(result: Array) -> Array:
    return result


def tensor(array: Array) -> Array:
    return array
