"""Arrays and expected answers of a case set, computed once and shared by every lane.

They are kept in one flat int64 file whose name is the hash of all that decides its content: the cases, and the source
of the modules that draw, compute and lay out. It begins with a checksum of the rest; a damaged file is made anew.
"""

import ast
import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle, problem
from conformance.io.atomic import write_atomically
from conformance.io.folders import cache_folder
from conformance.numerics import operands, rounding
from conformance.numerics.operands import Arrays
from conformance.problem import Problem
from conformance.suites.cases import Case, Suite

Flat = NDArray[np.int64]

SOURCES = (problem, operands, oracle, rounding)
"""The modules that decide every operand and expected array."""

CHECKSUM = 4  # int64 words: a SHA-256


class Answer(NamedTuple):
    """A case's operands and expected array, int64, with its largest possible partial sum and number of terms.

    No array can be written to.
    """

    arrays: Arrays
    expected: NDArray[Any]
    largest: int
    terms: int


def oracle_digest() -> str:
    """Hash of what SOURCES compute, whatever their imports, docstrings and comments say."""
    computing = (_without_words(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in SOURCES)
    return hashlib.sha256("\0".join(computing).encode()).hexdigest()[:16]


def _without_words(source: str) -> str:
    """A module's source without imports, comments and every string that stands alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_words(each)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_words(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def compute(case: Case) -> Answer:
    """The answer to one case, from the oracle."""
    arrays = (rounding if case.rounds else operands).draw(case.id, case.drawn)
    expected = oracle.expected(case.drawn, *arrays)
    x, weight, bias = arrays
    sealed = Arrays(_sealed(x), _sealed(weight), None if bias is None else _sealed(bias))
    return Answer(sealed, _sealed(expected), operands.largest_sum(case.drawn, arrays), case.drawn.terms)


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    """An array over bytes, which cannot be written to, nor be made so that it can."""
    return np.ndarray(array.shape, array.dtype, array.tobytes())


class Answers:
    """The answers to a suite, by case id, read from the cache or computed and put there."""

    def __init__(self, suite: Suite) -> None:
        self._flat = _load(suite)
        offsets = accumulate((_length(case.drawn) for case in suite.cases), initial=CHECKSUM)
        self._offsets = {case.id: offset for case, offset in zip(suite.cases, offsets, strict=False)}

    def __getitem__(self, case: Case) -> Answer:
        return _unpack(case.drawn, self._flat, self._offsets[case.id])


def _load(suite: Suite) -> Flat:
    layout = Path(__file__).read_text(encoding="utf-8")
    key = (
        f"{oracle_digest()} {layout} {[(case.id, case.descriptor, case.refused, case.rounds) for case in suite.cases]}"
    )
    path = cache_folder() / "answers" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    if path.exists():
        content = path.read_bytes()
        flat = np.frombuffer(content[: len(content) // 8 * 8], np.int64)
        if flat[:CHECKSUM].tobytes() == _checksum(flat[CHECKSUM:]):
            return flat
    body = np.concatenate([part for case in suite.cases for part in _pack(compute(case))])
    content = _checksum(body) + body.tobytes()
    write_atomically(path, content)
    return np.frombuffer(content, np.int64)


def _checksum(body: Flat) -> bytes:
    return hashlib.sha256(body.tobytes()).digest()


def _shapes(problem: Problem) -> Sequence[tuple[int, ...]]:
    bias = [problem.bias_shape] if problem.bias else []
    return [problem.input_shape, problem.weight_shape, *bias, problem.output_shape]


def _length(problem: Problem) -> int:
    return 2 + sum(map(math.prod, _shapes(problem)))


def _pack(answer: Answer) -> Iterator[Flat]:
    yield np.array([answer.largest, answer.terms])
    for array in (*answer.arrays, answer.expected):
        if array is not None:
            yield array.ravel()


def _unpack(problem: Problem, flat: Flat, start: int) -> Answer:
    largest, terms = flat[start : start + 2].tolist()
    start += 2
    arrays = []
    for shape in _shapes(problem):
        end = start + math.prod(shape)
        arrays.append(flat[start:end].reshape(shape))
        start = end
    x, weight, *bias, expected = arrays
    return Answer(Arrays(x, weight, bias[0] if bias else None), expected, largest, terms)
