"""The oracle adapter, wrong wherever $WRONG, a predicate, holds; in a process or not by a coin where $COIN is set."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from conformance import oracle
from conformance.adapters.base import Call
from conformance.layout import Array
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem

VARIANTS = {"only": {"REGION_VARIANT": "only"}}
REFUSALS = (ArithmeticError,)
BLOCK = 1
WRONG_HERE = "COIN" not in os.environ or os.urandom(1)[0] % 2 == 0
"""Tossed once, so that all answers of one question are of one kind."""


def describe() -> Mapping[str, str]:
    return {"region_adapter": "1.0"}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    return Call(answer, (problem, x, weight, bias))


def run(calls: Sequence[Call]) -> Sequence[Array]:
    return [call() for call in calls]


def array(result: Array) -> Array:
    return result


def tensor(array: Array) -> Array:
    return array


def answer(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """The oracle's answer, and one more where it is to be wrong."""
    wrong = Predicate.parse(os.environ["WRONG"])(problem, dtype=str(x.dtype))
    return np.asarray(oracle.expected(problem, x, weight, bias).astype(x.dtype) + (wrong and WRONG_HERE))
