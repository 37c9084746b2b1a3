"""The references of a suite, computed once and shared by every lane.

They are kept in one flat int64 file whose name is the hash of all that decides its content: the cases, and the source
of the modules that draw, compute and lay out.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.io.atomic import kept
from conformance.io.folders import cache_folder
from conformance.numerics.operands import EXACT_IN, Arrays, drawn_for
from conformance.problem import Problem
from conformance.suites.case import Case, Rounded, Suite
from conformance.suites.references import Reference, compute, oracle_digest

Flat = NDArray[np.int64]


class References:
    """The references of a suite in a dtype, by case id, read from the cache or computed and put there."""

    def __init__(self, suite: Suite, dtype: str = EXACT_IN) -> None:
        self._flat = _load(suite, drawn_for(dtype))
        offsets = accumulate((_length(case.drawn) for case in suite.cases), initial=0)
        self._offsets = {case.id: offset for case, offset in zip(suite.cases, offsets, strict=False)}

    def __getitem__(self, case: Case) -> Reference:
        return _unpack(case.drawn, self._flat, self._offsets[case.id])


def digests(suite: Suite) -> dict[str, str]:
    """A hash of each vector of a suite, by case id: of its problem, its operands and what is expected of it."""
    references = References(suite)
    return {case.id: _digest(case, references[case]) for case in suite.cases}


def _digest(case: Case, reference: Reference) -> str:
    arrays = [array for array in (*reference.arrays, reference.expected) if array is not None]
    vector = hashlib.sha256(f"{case.descriptor} {[array.shape for array in arrays]}".encode())
    for array in arrays:
        vector.update(np.ascontiguousarray(array, np.dtype("<i8")).tobytes())
    return vector.hexdigest()[:12]


def _load(suite: Suite, dtype: str) -> Flat:
    layout = Path(__file__).read_text(encoding="utf-8")
    drawn = [(case.id, case.descriptor, case.refused, _data_of(case)) for case in suite.cases]
    key = f"{oracle_digest()} {layout} {dtype} {drawn}"
    path = cache_folder() / "answers" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    body = kept(path, lambda: _computed(suite, dtype))
    return np.frombuffer(body, np.int64, len(body) // 8)


def _computed(suite: Suite, dtype: str) -> bytes:
    return np.concatenate([part for case in suite.cases for part in _pack(compute(case, dtype))]).tobytes()


def _data_of(case: Case) -> bool | str:
    """Which operands a case has beside what its id decides: whether they must round, and the digest of own weights."""
    rounded = case.subject if isinstance(case.subject, Rounded) else None
    return rounded.learnt.digest if rounded and rounded.learnt else rounded is not None


def _shapes(problem: Problem) -> Sequence[tuple[int, ...]]:
    bias = [problem.bias_shape] if problem.bias else []
    return [problem.input_shape, problem.weight_shape, *bias, problem.output_shape]


def _length(problem: Problem) -> int:
    return 2 + sum(map(math.prod, _shapes(problem)))


def _pack(reference: Reference) -> Iterator[Flat]:
    yield np.array([reference.largest, reference.terms])
    for array in (*reference.arrays, reference.expected):
        if array is not None:
            yield array.ravel()


def _unpack(problem: Problem, flat: Flat, start: int) -> Reference:
    largest, terms = flat[start : start + 2].tolist()
    start += 2
    arrays = []
    for shape in _shapes(problem):
        end = start + math.prod(shape)
        arrays.append(flat[start:end].reshape(shape))
        start = end
    x, weight, *bias, expected = arrays
    return Reference(Arrays(x, weight, bias[0] if bias else None), expected, largest, terms)
