"""The operands and the expected array of a case, and the digest of what decides them."""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle, problem
from conformance.numerics import learnt, operands, products, rounding
from conformance.numerics.operands import EXACT_IN, Arrays, DataError, Sums
from conformance.records.record import Record, Verdict
from conformance.suites.case import Case, Rounded
from conformance.suites.scans.weights import weights_of

SOURCES = (problem, operands, oracle, rounding, learnt)
"""The modules that decide every operand and expected array."""


class Reference(NamedTuple):
    """A case's operands and expected array, int64, with its largest possible partial sum and number of terms.

    No array can be written to.
    """

    arrays: Arrays
    expected: NDArray[Any]
    largest: int
    terms: int


def lacks_data(record: Record) -> bool:
    """Whether there is no reference, since no operands of the problem are exact: nobody's fault."""
    return record.verdict is Verdict.ERRORED and DataError.__name__ in record.message


@cache
def oracle_digest() -> str:
    """Hash of what SOURCES compute, whatever their imports, docstrings and comments say."""
    computing = (_without_words(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in SOURCES)
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


def compute(case: Case, dtype: str = EXACT_IN) -> Reference:
    """The reference of one case in a dtype, from the oracle."""
    if isinstance(case.subject, Rounded):
        arrays = _rounded(case, case.subject)
        return _referred(arrays, operands.stamped(case.drawn, arrays), case.drawn.terms)
    return _referred(*operands.draw_with(operands.stamped, case.id, case.drawn, dtype), case.drawn.terms)


def _rounded(case: Case, subject: Rounded) -> Arrays:
    if subject.learnt is None:
        return rounding.draw(case.id, case.drawn)
    return learnt.draw(case.id, case.drawn, *weights_of(case, subject.learnt))


def compute_small(case: Case, dtype: str = EXACT_IN) -> Reference:
    """The same of a case that is one of very many, whose sums are added up another way, at a fraction of the cost."""
    drawn = operands.draw_with(products.sums_of, case.id, case.drawn, dtype)
    return _referred(*drawn, products.terms_of(case.drawn))


def _referred(arrays: Arrays, sums: Sums, terms: int) -> Reference:
    x, weight, bias = arrays
    sealed = Arrays(_sealed(x), _sealed(weight), None if bias is None else _sealed(bias))
    return Reference(sealed, _sealed(sums.expected), sums.largest, terms)


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    """An array over bytes, which cannot be written to, nor be made so that it can."""
    return np.ndarray(array.shape, array.dtype, array.tobytes())
