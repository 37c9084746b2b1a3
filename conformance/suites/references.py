"""The operands and the expected array of a case, and the digest of what decides them."""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import problem
from conformance.numerics import gradients, learnt, operands, products, rounding, upstream
from conformance.numerics.operands import EXACT_IN, Arrays, DataError, Sums, drawn_for
from conformance.oracle import _arrays, _matrices, definition
from conformance.problem import FORWARD
from conformance.records.record import Record, Verdict
from conformance.suites.case import Case, Rounded
from conformance.suites.scans.weights import weights_of

SOURCES = (problem, operands, definition, _arrays, _matrices, rounding, learnt)
"""The modules that decide every operand and expected array of the forward pass."""
BACKWARD_SOURCES = (gradients, upstream)
"""Those that decide them of gradients, too."""


class Reference(NamedTuple):
    """A case's operands and expected array, with its largest possible partial sum and number of terms.

    All are int64, but float64 for sums that round in half precision. `upstream` is the gradient that comes from above,
    where a gradient is expected. No array can be written to.
    """

    arrays: Arrays
    expected: NDArray[Any]
    largest: int
    terms: int
    upstream: NDArray[Any] | None = None


def lacks_data(record: Record) -> bool:
    """Whether there is no reference, since no operands of the problem are exact: nobody's fault."""
    return record.verdict is Verdict.ERRORED and DataError.__name__ in record.message


@cache
def oracle_digest(directions: tuple[str, ...] = (FORWARD,)) -> str:
    """Hash of what the sources of some passes compute, whatever their imports, docstrings and comments say."""
    sources = SOURCES if directions == (FORWARD,) else (*SOURCES, *BACKWARD_SOURCES)
    computing = (_without_words(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in sources)
    return hashlib.sha256("\0".join(computing).encode()).hexdigest()[:16]


def _without_words(source: str) -> str:
    """A module's source without imports, comments and every string that stands alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [statement for statement in node.body if not _is_words(statement)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_words(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def compute(case: Case, dtype: str = EXACT_IN, direction: str = FORWARD) -> Reference:
    """The reference of one case in a dtype and a pass, from the oracle."""
    if direction != FORWARD:
        return _backward(case, dtype, direction)
    if isinstance(case.subject, Rounded):
        arrays = _rounded(case, case.subject, dtype)
        return _referred(arrays, operands.stamped(case.drawn, arrays), case.drawn.terms)
    return _referred(*operands.draw_with(operands.stamped, case.id, case.drawn, dtype), case.drawn.terms)


def _rounded(case: Case, subject: Rounded, dtype: str) -> Arrays:
    if subject.learnt is None:
        return rounding.draw(case.id, case.drawn, dtype)
    return learnt.draw(case.id, case.drawn, *weights_of(case, subject.learnt))


def _backward(case: Case, dtype: str, direction: str) -> Reference:
    drawn = upstream.draw(case.id, case.problem, drawn_for(dtype))
    expected = gradients.expected(case.problem, direction, *drawn)
    largest = int(gradients.magnitudes(case.problem, direction, *drawn).max())
    count = gradients.terms(case.problem, direction)
    return Reference(_all_sealed(drawn.arrays), _sealed(expected), largest, count, _sealed(drawn.upstream))


def compute_small(case: Case, dtype: str = EXACT_IN, direction: str = FORWARD) -> Reference:
    """The same of a case that is one of very many, whose sums are added up another way, at a fraction of the cost.

    Those of gradients are not.
    """
    if direction != FORWARD:
        return _backward(case, dtype, direction)
    drawn = operands.draw_with(products.sums_of, case.id, case.drawn, dtype)
    return _referred(*drawn, products.terms_of(case.drawn))


def _referred(arrays: Arrays, sums: Sums, terms: int) -> Reference:
    return Reference(_all_sealed(arrays), _sealed(sums.expected), sums.largest, terms)


def _all_sealed(arrays: Arrays) -> Arrays:
    x, weight, bias = arrays
    return Arrays(_sealed(x), _sealed(weight), None if bias is None else _sealed(bias))


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    """An array over bytes, which cannot be written to, nor be made so that it can."""
    return np.ndarray(array.shape, array.dtype, array.tobytes())
