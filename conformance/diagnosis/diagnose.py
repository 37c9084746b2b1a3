"""Which small misreading of a problem gives an array exactly: "taps reversed on axis 0, window (2, 1) for (1, 2)".

A misreading is up to three statements. All but the window are tried, all of a size at once: first on the one element
that tells most, then in full for the few that fit there. The window is not tried but found, by laying the array over
the whole stamp in every position. Only exact equality explains.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis.observation import Observation, questions
from conformance.diagnosis.search import Explanation, Search
from conformance.numerics.deviation import measure_deviation
from conformance.numerics.operands import Arrays
from conformance.problem import Problem, Window

Array = NDArray[Any]

MOST_STATEMENTS = 3
LARGEST = 2**23
"""Products of one stamp above which a problem is not searched."""


class DiagnosisError(ValueError):
    """Arrays that are not of the problem they are said to be of; the message says what they must be."""


class TooLargeError(DiagnosisError):
    """A problem that would take too long to search."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Misreadings that together give an array exactly, and the window at which they do.

    `claimed` is the problem's own window where that one was moved, which is a misreading too; None where it was not.
    """

    misreadings: tuple[str, ...]
    window: Window
    claimed: Window | None = None

    def __str__(self) -> str:
        return f"equals the oracle with {self.words}" if self.statements else self.words

    @property
    def words(self) -> str:
        """The statements in a line."""
        return " and ".join(self.statements) or "equals the oracle"

    @property
    def statements(self) -> tuple[str, ...]:
        """The misreadings, a moved window said by where it is and where it was to be."""
        if self.claimed is None:
            return self.misreadings
        return (*self.misreadings, f"window {_ends(self.window)} for {_ends(self.claimed)}")

    @property
    def moves(self) -> tuple[str, ...]:
        """The misreadings, a moved window said by how far it was moved, which other problems can share."""
        if self.claimed is None:
            return self.misreadings
        moved = tuple((lo - a, hi - b) for (lo, hi), (a, b) in zip(self.window, self.claimed, strict=True))
        return (*self.misreadings, f"window moved by {_ends(moved, '+d')}")


def diagnose(problem: Problem, arrays: Arrays, actual: Array) -> tuple[Diagnosis, ...]:
    """Every smallest diagnosis of an array, simplest first; none where nothing explains it.

    `actual` is (batch, channels, *output) with as many axes as the problem; its extents may be any. Several diagnoses
    of one size mean that the data cannot tell them apart. Raises DiagnosisError where operands do not fit the problem,
    TooLargeError where there are too many products to search.
    """
    _require_shapes(problem, arrays)
    require_searchable(problem)
    searches = [(question, Search(question)) for question in questions(problem, arrays, actual)]
    for size in range(MOST_STATEMENTS + 1):
        candidates = [
            _diagnosis(question, explanation)
            for question, search in searches
            if len(question.said) <= size
            for explanation in search.of_size(size - len(question.said))
        ]
        if candidates:
            return tuple(dict.fromkeys(candidates))
    return ()


def _diagnosis(question: Observation, explanation: Explanation) -> Diagnosis:
    misreadings, window = (*question.said, *explanation.said), explanation.window
    return Diagnosis(misreadings, window, None if window in question.windows else question.problem.window)


def _ends(window: Window, sign: str = "d") -> str:
    return " x ".join(f"({lo:{sign}}, {hi:{sign}})" for lo, hi in window)


def difference(problem: Problem, arrays: Arrays, actual: Array) -> str:
    """Where and how an array differs from the expected one, in words."""
    _require_shapes(problem, arrays)
    exact = (array if array is None or array.dtype.kind in "iu" else array.astype(np.float64) for array in arrays)
    expected = oracle.expected(problem, *exact).astype(actual.dtype)  # type: ignore[arg-type]  # as many as operands
    deviation = measure_deviation(actual, expected)
    return deviation.message if deviation else "nothing differs"


def _require_shapes(problem: Problem, arrays: Arrays) -> None:
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape if problem.bias else None)
    for name, array, shape in zip(Arrays._fields, arrays, shapes, strict=True):
        actual = None if array is None else array.shape
        if actual != shape:
            raise DiagnosisError(f"{name} is {actual}, '{problem}' takes {shape}: give that, or another descriptor")


def require_searchable(problem: Problem) -> None:
    """Raises TooLargeError where there are too many products to search."""
    count = problem.multiplies // problem.in_channels
    if count > LARGEST:
        raise TooLargeError(
            f"'{problem}' has {count} products to place, at most {LARGEST} are searched: give a smaller problem like it"
        )
