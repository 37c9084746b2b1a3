"""Which small misreading of a problem gives an array: "taps reversed on axis 0, window (2, 1) for (1, 2)".

A misreading is up to three statements. All but the window are tried, all of a size at once: first on the one element
that tells most, then in full for the few that fit there. The window is not tried but found, by laying the array over
the whole stamp in every position. Whole numbers must be equal; real ones may differ by what rounding can do, and the
diagnosis says so. Before misreadings come the right answer and what is no answer, such as zeros; after them what is
right but for a part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis import parts
from conformance.diagnosis.kept import Kept, Rounded, Sums, ways_of
from conformance.diagnosis.misreadings import PARTS
from conformance.diagnosis.observation import DiagnosisError, Observation, observed, questions
from conformance.diagnosis.search import LARGEST, NEAR, Explanation, Search, is_large
from conformance.numerics.operands import Arrays
from conformance.problem import Problem, Window

Array = NDArray[Any]
Asked = Sequence[tuple[Observation, Search]]

MOST_STATEMENTS = 3
MOST_OF_LARGE = 2
"""Statements of a problem that is large."""
BLANK = ("nothing but zeros", "nothing but the bias", "nothing but one number")
"""Statements that no operand is behind: of an array that has no part in the problem."""


UNTOLD = (
    "no value is further off than sums in so few bits can be, but zeros would not be either, so that this says "
    "nothing: give values with more bits"
)


class TooLargeError(DiagnosisError):
    """A problem that would take too long to search."""


class Nearness(NamedTuple):
    """How near an array is to what a diagnosis gives, where it is not exact.

    The worst value, measured by what rounding can do to it, stands `at`: `units` of u * (convT(|x|, |w|) + |bias|)
    away, of `most` that can be. `beyond` values are infinite since the format cannot hold them, such as `example`.
    """

    kind: str
    at: tuple[int, ...]
    units: float
    most: float
    beyond: int = 0
    example: str = ""

    def __str__(self) -> str:
        place = f"worst at {self.at}: {self.units:.3g} of at most {self.most:.4g} units"
        more = f"; {self.beyond} infinite, such as {self.example}" if self.beyond else ""
        return f"{self.kind} ({place}{more})"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Misreadings that together give an array, and the window at which they do.

    `claimed` is the problem's own window where that one was moved, which is a misreading too; None where it was not.
    `nearness` is None where the array is given exactly.
    """

    misreadings: tuple[str, ...]
    window: Window
    claimed: Window | None = None
    nearness: Nearness | None = None

    def __str__(self) -> str:
        return sentence(self.statements) + ("" if self.nearness is None else f" {self.nearness}")

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


def sentence(statements: Sequence[str]) -> str:
    """Statements about an array as what is to be said of it."""
    words = " and ".join(statements)
    if words in BLANK:
        return f"holds {words}"
    return f"equals the oracle with {words}" if words else "equals the oracle"


def diagnose(problem: Problem, arrays: Arrays, actual: Array, held: str = "") -> tuple[Diagnosis, ...]:
    """Every smallest diagnosis of an array, simplest first; none where nothing explains it.

    `actual` is (batch, channels, *output) with as many axes as the problem; its extents may be any. `held` names the
    format of its numbers where its dtype does not, as bfloat16 that was widened. Several diagnoses of one size mean
    that the data cannot tell them apart. Raises DiagnosisError where operands do not fit the problem.
    """
    _require_operands(problem, arrays)
    if actual.dtype.kind not in "iuf":
        return ()
    asked = observed(problem, arrays, actual)
    kinds, exact = ways_of(asked, actual, held)
    if right := _right(asked, kinds, exact=exact):
        return (right,)
    finite = list(questions(problem, arrays, actual))
    if not finite:
        return ()
    blank = tuple(_blank(asked))
    searches = [(kept, [(question, Search(question, kept)) for question in finite]) for kept in kinds]
    for size in range(1, (MOST_OF_LARGE if is_large(problem) else MOST_STATEMENTS) + 1):
        diagnoses = _of_size(size, searches, exact=exact)
        if size == 1 and (blank or diagnoses):
            return tuple(dict.fromkeys((*blank, *diagnoses)))
        if size == 1 and (constant := _constant(asked)):
            return (constant,)
        if diagnoses:
            return diagnoses
    return _in_part(asked, finite, kinds, exact=exact)


def _right(asked: Observation, kinds: Sequence[Kept], *, exact: bool) -> Diagnosis | None:
    """The diagnosis of an array that is right."""
    if asked.actual.shape != asked.problem.output_shape:
        return None
    for kept in kinds:
        if not kept.said and (sums := Search(asked, kept).equal()):
            return Diagnosis((), asked.problem.window, nearness=_nearness(kept, asked.actual, sums, exact=exact))
    return None


def _of_size(size: int, searches: Sequence[tuple[Kept, Asked]], *, exact: bool) -> tuple[Diagnosis, ...]:
    """The diagnoses of so many statements, of the first way to keep an answer that has any."""
    for kept, asked in searches:
        diagnoses = [
            _diagnosis(question, explanation, kept, exact=exact)
            for question, search in asked
            if len(question.said) + len(kept.said) <= size
            for explanation in search.of_size(size - len(question.said) - len(kept.said))
        ]
        if diagnoses:
            return tuple(dict.fromkeys(diagnoses))
    return ()


def _diagnosis(question: Observation, explanation: Explanation, kept: Kept, *, exact: bool) -> Diagnosis:
    misreadings, window = (*question.said, *explanation.said, *kept.said), explanation.window
    return Diagnosis(
        misreadings, window, None if window in question.windows else question.problem.window,
        _nearness(kept, question.actual, explanation.sums, exact=exact),
    )  # fmt: skip


def _nearness(kept: Kept, actual: Array, sums: Sums, *, exact: bool) -> Nearness | None:
    """How near an array is that fits; None where it is equal, and nothing was rounded on the way."""
    if not isinstance(kept, Rounded) or (exact and np.array_equal(actual, sums.values)):
        return None
    finite = np.isfinite(actual)
    error = np.abs(np.where(finite, actual, sums.values) - sums.values)
    most = np.broadcast_to(kept.limit(sums), error.shape)
    share = np.divide(error, most, out=np.zeros(error.shape), where=(most > 0) & np.isfinite(most))
    worst = tuple(map(int, np.unravel_index(share.argmax(), share.shape)))
    scale = kept.answer.unit * float(sums.magnitudes[worst]) or 1.0
    beyond = np.argwhere(~finite)
    example = ""
    if beyond.size:
        first = tuple(map(int, beyond[0]))
        example = f"{sums.values[first]:g} at {first}, which is beyond {kept.answer.name}"
    return Nearness(kept.words, worst, float(error[worst]) / scale, float(most[worst]) / scale, len(beyond), example)


def _blank(asked: Observation) -> Iterator[Diagnosis]:
    """What an array that was never computed holds."""
    actual, bias = asked.actual, asked.bias[0]
    if not actual.any():
        yield Diagnosis((BLANK[0],), asked.problem.window)
    elif asked.problem.bias and actual.shape[1] == bias.size and (
        actual == bias.reshape(-1, *[1] * (actual.ndim - 2))
    ).all():  # fmt: skip
        yield Diagnosis((BLANK[1],), asked.problem.window)


def _constant(asked: Observation) -> Diagnosis | None:
    """What an array holds that has the same number everywhere."""
    first = asked.actual.ravel()[:1]
    if asked.actual.size < 2 or not (asked.actual == first).all():
        return None
    return Diagnosis((BLANK[2],), asked.problem.window)


def _in_part(
    asked: Observation, finite: Sequence[Observation], kinds: Sequence[Kept], *, exact: bool
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """Diagnoses of a fault of part of the array."""
    whole = asked.actual.shape == asked.problem.output_shape
    for kept in kinds:
        if kept.said:
            continue
        diagnoses = [
            Diagnosis((text,), asked.problem.window, nearness=_nearness(kept, actual, sums, exact=exact))
            for text, actual, sums in (parts.partly_right(asked, kept) if whole else ())
        ]
        diagnoses += [
            _diagnosis(question, explanation, kept, exact=exact)
            for question in finite
            for explanation in Search(question, kept, PARTS).of_size(1)
        ]
        if diagnoses:
            fewest = min(len(diagnosis.statements) for diagnosis in diagnoses)
            return tuple(dict.fromkeys(some for some in diagnoses if len(some.statements) == fewest))
    return ()


def difference(problem: Problem, arrays: Arrays, actual: Array, held: str = "") -> str:
    """Where and how an array differs from the expected one, in words: in a type that holds what is expected."""
    _require_operands(problem, arrays)
    if actual.shape != problem.output_shape:
        return f"shape is {actual.shape}, expected {problem.output_shape}"
    if actual.dtype.kind not in "iuf":
        return f"dtype is {actual.dtype}, expected numbers"
    asked = observed(problem, arrays, actual)
    kinds, _ = ways_of(asked, actual, held)
    kept = kinds[-1] if isinstance(kinds[0], Rounded) else kinds[0]
    right = Search(asked, kept).right()
    differs = np.zeros(actual.shape, bool) if right is None else ~kept.fits(asked.actual, right)
    if right is None or not differs.any():
        return "nothing differs" if kept.exact else UNTOLD
    first = tuple(map(int, np.argwhere(differs)[0]))
    more = "" if kept.exact else " by more than rounding can"
    return (f"{np.count_nonzero(differs)} of {actual.size} values differ{more}, first at {first}: "
            f"{asked.actual[first]:.9g}, expected {right.values[first]:.9g}{parts.place(differs)}")  # fmt: skip


def bounded(problem: Problem) -> str:
    """What was not searched for, since the problem is large; nothing where all was."""
    if not is_large(problem):
        return ""
    return (f"more than {LARGEST} products are placed, so that only {MOST_OF_LARGE} statements at once were tried, and "
            f"windows that are moved by at most {NEAR[problem.rank]}")  # fmt: skip


def _require_operands(problem: Problem, arrays: Arrays) -> None:
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape if problem.bias else None)
    for name, array, shape in zip(Arrays._fields, arrays, shapes, strict=True):
        actual = None if array is None else array.shape
        if actual != shape:
            raise DiagnosisError(f"{name} is {actual}, '{problem}' takes {shape}: give that, or another descriptor")
        if array is not None and not (finite := np.isfinite(array)).all():
            at = tuple(map(int, np.argwhere(~finite)[0]))
            raise DiagnosisError(f"{name} is {array[at]} at {at}: no sum with it can be judged: give finite numbers")


def require_searchable(problem: Problem) -> None:
    """Raises TooLargeError where there are too many products to search in whole."""
    count = problem.multiplies // problem.in_channels
    if count > LARGEST:
        raise TooLargeError(
            f"'{problem}' has {count} products to place, at most {LARGEST} are searched: give a smaller problem like it"
        )


def _ends(window: Window, sign: str = "d") -> str:
    return " x ".join(f"({lo:{sign}}, {hi:{sign}})" for lo, hi in window)
