"""The operands and the expected array of a vector: those of its case, or narrow ones where they are many.

A large vector is about sizes, which narrow numbers tell as well; they take a byte each, and those of an operand are
repeated. Vectors that others published have their own numbers.
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from math import isqrt, prod

import numpy as np

from conformance import oracle
from conformance.io.bounded import read_text
from conformance.io.folders import cases_folder
from conformance.layout import Array
from conformance.numerics.operands import Arrays, largest_sum, whole_numbers
from conformance.problem import Ints, Problem
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference
from conformance.vectors.chosen import CORE, elements
from conformance.vectors.schema import Width

FEW = 2**14
"""Numbers of a vector up to which they are those of its case."""
PERIOD = 4093
"""After how many numbers those of a large operand are repeated: a prime, so that no size is a multiple of it."""
MOST, MOST_BIAS, LEAST = 9, 27, 3
"""The largest magnitudes of narrow operands and of their bias, and the least that is taken for the largest one."""


FILE = "external/vectors.toml"
WHY = "Others published these numbers, and the definition gives the same."


class Data:
    """The operands and expected arrays of the cases of core, as vectors have them."""

    def __init__(self) -> None:
        self._of_cases = References(read_suite(CORE))

    def __getitem__(self, case: Case) -> Reference:
        return self._of_cases[case] if elements(case) <= FEW else _narrow(case)


@cache
def data() -> Data:
    """The data of every vector, which is read once."""
    return Data()


def _narrow(case: Case) -> Reference:
    """Narrow operands of a case, drawn from its id, of which an answer of few terms takes a byte."""
    problem = case.problem
    terms = problem.terms
    most = max(LEAST, min(MOST, isqrt((np.iinfo(np.int8).max - problem.bias * MOST_BIAS) // max(1, terms))))
    x, weight = (
        _repeated(f"{case.id} {name}", shape, most)
        for name, shape in (("x", problem.input_shape), ("weight", problem.weight_shape))
    )
    bias = _repeated(f"{case.id} bias", problem.bias_shape, MOST_BIAS) if problem.bias else None
    arrays = Arrays(x, weight, bias)
    return Reference(arrays, oracle.expected(problem, *arrays), largest_sum(problem, arrays), terms)


def _repeated(key: str, shape: Ints, most: int) -> Array:
    """Whole numbers up to a magnitude, drawn from a key."""
    return np.resize(whole_numbers(key, (PERIOD,), most), shape)


def stored(largest: int) -> Width:
    """The narrowest type of whole numbers that holds a magnitude, such as int8."""
    widths: tuple[Width, ...] = ("int8", "int16", "int32")
    return next(name for name in widths if largest <= np.iinfo(name).max)


def size(case: Case) -> int:
    """About how many bytes the numbers of a vector take."""
    if elements(case) <= FEW:
        return 4 * elements(case)
    return 2 * PERIOD + prod(case.problem.output_shape)


def published() -> Iterator[tuple[Case, Reference]]:
    """Every published vector that is of whole numbers and of a transposed convolution."""
    document = tomllib.loads(read_text(cases_folder() / FILE))
    for vector in document["vector"]:
        x, weight, expected = (np.array(vector[name]) for name in ("x", "weight", "expected"))
        if vector["kind"] == "transposed" and {x.dtype.kind, weight.dtype.kind, expected.dtype.kind} == {"i"}:
            problem = Problem.parse(vector["problem"])
            arrays = Arrays(x, weight, None)
            case = Case(f"published-{vector['id']}", problem, str(problem), WHY, ("window", "taps"), vector["source"])
            yield case, Reference(arrays, expected, largest_sum(problem, arrays), problem.terms)
