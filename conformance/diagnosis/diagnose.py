"""Which small misreading of a problem gives an array: "taps reversed on axis 0, window (2, 1) for (1, 2)".

A misreading is up to three statements. All but the window are tried, all of a size at once: first on the one element
that tells most and its neighbours, then in full for the few that fit there. The window is not tried but found, by
laying the array over the whole stamp in every position. Whole numbers must be equal; real ones may differ by what
rounding can do, and the diagnosis says so. Before misreadings come the right answer and what is no answer, such as
zeros; after those of one statement, and before those of several, what is right but for a part.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis import parts
from conformance.diagnosis.answers.axes import has_orders, in_other_axes
from conformance.diagnosis.answers.blank import BLANK, blank, constant
from conformance.diagnosis.answers.integers import requantised_otherwise
from conformance.diagnosis.answers.ranges import narrowed
from conformance.diagnosis.bounds import LONGEST, MOST_OF_LARGE, MOST_STATEMENTS, TooLargeError, is_large
from conformance.diagnosis.kept import Kept, Nearness, Requantisation, Requantised, Rounded, nearness_of, tells, ways_of
from conformance.diagnosis.misreadings import ALONE, ELSEWHERE, WHOLE, Space, restricted
from conformance.diagnosis.misreadings import parts as parts_elsewhere
from conformance.diagnosis.observation import (
    AT_ONCE,
    REPEATED,
    DiagnosisError,
    Observation,
    blocks,
    observed,
    questions,
)
from conformance.diagnosis.search import Explanation, Search, Searches
from conformance.layout import DATA
from conformance.numerics.formats import rounded
from conformance.numerics.operands import Arrays
from conformance.problem import Ints, Problem, Window

Array = NDArray[Any]
Asked = Sequence[tuple[Observation, Search]]

_ROUNDED = re.compile(r"(input|weight)( (?:rounded|cut) to (\d+) bits .*)")
UNTOLD = (
    "no value is further off than sums in so few bits can be, but zeros would not be either, so that this says "
    "nothing: give values with more bits"
)
ALIKE = (
    "no value is another, but those of zeros would not be either, so that this says nothing: give values whose sums "
    "are larger than the scale"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Misreadings that together give an array, and the window at which they do.

    `claimed` is the problem's own window where that one was moved, which is a misreading too; None where it was not.
    `nearness` is None where the array is given exactly. `searched` is the part of the array that was looked at, where
    that is not all of it.
    """

    misreadings: tuple[str, ...]
    window: Window
    claimed: Window | None = None
    nearness: Nearness | None = None
    searched: str = ""

    def __str__(self) -> str:
        near = "" if self.nearness is None else f" {self.nearness}"
        return sentence(self.statements) + near + (f", in {self.searched}" if self.searched else "")

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


def diagnose(
    problem: Problem, arrays: Arrays, actual: Array, held: str = "", given: str = DATA, *,
    by: Requantisation | None = None, most: int = MOST_STATEMENTS, space: Space = WHOLE,
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """Every smallest diagnosis of an array, simplest first; none where nothing explains it.

    `actual` is (batch, channels, *output) with as many axes as the problem; its extents may be any. `held` names the
    format of its numbers where its dtype does not, as bfloat16 that was widened; `given` is the layout that the array
    had, in which an order of its axes is said; `by` is how integers were requantised. At most `most` statements of a
    space are made at once. Several diagnoses of one size mean that the data cannot tell them apart. Raises
    DiagnosisError where operands do not fit the problem.
    """
    _require_operands(problem, arrays)
    if actual.dtype.kind not in "iuf":
        return ()
    asked = observed(problem, arrays, actual)
    kinds, exact = ways_of(asked, actual, held, by)
    searches = Searches(space, most)
    right, (start, sample) = _right(asked, kinds, searches, exact=exact)
    if right is not None:
        return (right,)
    diagnoses = (
        tuple(_requantised(asked, actual.dtype.name, by, kinds, searches))
        or _misread(sample, kinds, searches, exact=exact)
        or _reordered(asked, kinds, searches, given, exact=exact)
        or tuple(_reordered_and_misread(asked, kinds, searches, given, exact=exact))
    )
    if sample is asked:
        return diagnoses
    channels = f"out channels {start} to {start + sample.problem.out_channels - 1} of each group alone"
    return tuple(
        replace(diagnosis, searched=channels, nearness=_in_whole(diagnosis.nearness, start, sample, asked))
        for diagnosis in diagnoses
    )


def _right(
    asked: Observation, kinds: Sequence[Kept], searches: Searches, *, exact: bool
) -> tuple[Diagnosis | None, tuple[int, Observation]]:  # fmt: skip
    """The diagnosis of an array that is right; else the first of its blocks that is not, with its first channel."""
    wrong = 0, asked
    if asked.actual.shape != asked.problem.output_shape:
        return None, wrong
    for kept in (kind for kind in kinds if not kind.said):
        worst: Nearness | None = None
        for start, block in blocks(asked):
            search = Search(block, kept, searches.space)
            sums = search.equal()
            if sums is None:
                searches.keep(search)
                wrong = start, block
                break
            near = _in_whole(nearness_of(kept, block.actual, sums, exact=exact), start, block, asked)
            worst = near if worst is None or (near is not None and near.share > worst.share) else worst
        else:
            return Diagnosis((), asked.problem.window, nearness=worst), wrong
    return None, wrong


def _in_whole(near: Nearness | None, start: int, block: Observation, asked: Observation) -> Nearness | None:
    """How near a block is, with the place as it is in the whole array."""
    if near is None or block is asked:
        return near
    batch, channel, *at = near.at
    group, channel = divmod(channel, block.problem.out_channels)
    return near._replace(at=(batch, group * asked.problem.out_channels + start + channel, *at))


def _misread(
    asked: Observation, kinds: Sequence[Kept], searches: Searches, *, exact: bool
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """The diagnoses of an array that is not right."""
    finite = [question for question in questions(asked) if searches.space.has(*question.said)]
    if not finite:
        return ()
    blanks = tuple(Diagnosis((text,), asked.problem.window) for text in blank(asked))
    ways = [
        (kept, [(question, searches.of(question, kept)) for question in finite])
        for kept in kinds if _tells(searches.of(asked, kept))
    ]  # fmt: skip
    diagnoses = _of_size(1, ways, exact=exact)
    if blanks or diagnoses:
        diagnoses += tuple(_of_both_operands(asked, diagnoses))
        return tuple(dict.fromkeys((*blanks, *diagnoses)))
    ways_kept = [kept for kept, _ in ways]
    if same := tuple(constant(asked)):
        return (*_in_a_range(asked, ways_kept, searches, exact=exact), Diagnosis(same, asked.problem.window))
    sought_before = searches.space.kinds is not None and searches.most > 1
    in_part = () if sought_before else _in_part(asked, finite, ways_kept, searches, exact=exact)
    if in_part and len(in_part[0].statements) == 1:
        return in_part
    for size in range(2, min(searches.most, MOST_OF_LARGE if is_large(asked.problem) else MOST_STATEMENTS) + 1):
        if diagnoses := _of_size(size, ways, exact=exact):
            return diagnoses
    return in_part


def _tells(search: Search) -> bool:
    """Whether it says something that an array is one that is kept so: of what is no answer's shape, it may."""
    return search.right is None or tells(search.kept, search.right)


def _of_both_operands(asked: Observation, diagnoses: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """That both operands were rounded, where one was and the other has no more bits, so that nobody can tell."""
    for diagnosis in diagnoses:
        said = _ROUNDED.fullmatch(diagnosis.words)
        if said is None:
            continue
        operand, how, bits = said.groups()
        other = asked.x if operand == "weight" else asked.weight
        if np.array_equal(rounded(int(bits), other), other):
            yield replace(diagnosis, misreadings=(f"input and weight{how}",))


def _of_size(size: int, ways: Sequence[tuple[Kept, Asked]], *, exact: bool) -> tuple[Diagnosis, ...]:
    """The diagnoses of so many statements, of the first way to keep an answer that has any."""
    for kept, asked in ways:
        for repeated in (False, True):  # what was sought first is told first
            diagnoses = [
                _diagnosis(question, explanation, kept, exact=exact)
                for question, search in asked
                if (REPEATED in question.said) is repeated and len(question.said) + len(kept.said) <= size
                for explanation in search.of_size(size - len(question.said) - len(kept.said))
            ]
            if diagnoses:
                return tuple(dict.fromkeys(diagnoses))
    return ()


def _diagnosis(question: Observation, explanation: Explanation, kept: Kept, *, exact: bool) -> Diagnosis:
    misreadings, window = (*question.said, *explanation.said, *kept.said), explanation.window
    return Diagnosis(
        misreadings, window, None if window in question.windows else question.problem.window,
        nearness_of(kept, question.actual, explanation.sums, exact=exact),
    )  # fmt: skip


def _in_a_range(
    asked: Observation, kinds: Sequence[Kept], searches: Searches, *, exact: bool
) -> Iterator[Diagnosis]:  # fmt: skip
    """That an array of one number is right but for a range, beyond which all of its values are."""
    for kept in kinds if asked.actual.shape == asked.problem.output_shape else ():
        right = searches.of(asked, kept).right
        for text, sums in () if right is None else narrowed(asked.actual, kept, right):
            if kept.fits(asked.actual, sums).all():
                near = nearness_of(kept, asked.actual, sums, exact=exact)
                yield Diagnosis((text,), asked.problem.window, nearness=near)
                return


def _in_part(
    asked: Observation, finite: Sequence[Observation], kinds: Sequence[Kept], searches: Searches, *, exact: bool
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """Diagnoses of a fault of part of the array."""
    whole = asked.actual.shape == asked.problem.output_shape
    for kept in kinds:
        if kept.said:
            continue
        diagnoses = [
            Diagnosis((text,), asked.problem.window, nearness=nearness_of(kept, actual, sums, exact=exact))
            for text, actual, sums in (parts.partly_right(asked, searches.of(asked, kept)) if whole else ())
            if searches.space.has(text)
        ]
        diagnoses += [
            _diagnosis(question, explanation, kept, exact=exact)
            for question in finite
            for explanation in _apart(question, searches.of(question, kept))
        ]
        if diagnoses:
            fewest = min(len(diagnosis.statements) for diagnosis in diagnoses)
            return tuple(dict.fromkeys(some for some in diagnoses if len(some.statements) == fewest))
    return ()


def _apart(question: Observation, search: Search) -> Iterator[Explanation]:
    """What is sought alone, and not together with another statement."""
    alone = search.within(restricted(ALONE, search.space.kinds))
    yield from alone.of_size(1) if question.said else alone.claimed(1)  # its window was sought among all statements
    if any(map(search.space.has, ELSEWHERE)):
        yield from _elsewhere(question, search)


def _reordered(
    asked: Observation, kinds: Sequence[Kept], searches: Searches, given: str, *, exact: bool
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """Diagnoses of an array that is right in another order of its axes, which is sought among all statements alone."""
    if searches.space.kinds is not None:
        return ()
    return tuple(
        Diagnosis((text,), asked.problem.window, nearness=nearness_of(kept, actual, sums, exact=exact))
        for kept in kinds if not kept.said and asked.actual.size <= AT_ONCE
        for text, actual, sums in parts.in_another_order(asked, searches.of(asked, kept), given)
    )  # fmt: skip


def _reordered_and_misread(
    asked: Observation, kinds: Sequence[Kept], searches: Searches, given: str, *, exact: bool
) -> Iterator[Diagnosis]:  # fmt: skip
    """Diagnoses of one statement more of an array that has its axes in another order, where orders are sought."""
    if searches.most == 1 or not has_orders(searches.space) or asked.actual.size > AT_ONCE:
        return
    for text, question in in_other_axes(asked, given):
        if is_large(asked.problem) and question.actual.shape == asked.actual.shape:
            continue  # nothing but the order of its values says so, and each order takes a search
        for diagnosis in _misread(question, kinds, Searches(searches.space, most=1), exact=exact):
            if not set(diagnosis.words.split(" and ")) & set(BLANK):
                yield replace(diagnosis, misreadings=(text, *diagnosis.misreadings))


def _requantised(
    asked: Observation, dtype: str, by: Requantisation | None, kinds: Sequence[Kept], searches: Searches
) -> Iterator[Diagnosis]:  # fmt: skip
    """Diagnoses of right sums that were requantised otherwise than is said."""
    if by is None or asked.actual.size > AT_ONCE:
        return
    right = searches.of(asked, kinds[0]).right
    for text, near in () if right is None else requantised_otherwise(asked.actual, dtype, by, right.values):
        yield Diagnosis((text,), asked.problem.window, nearness=near)


def _elsewhere(question: Observation, search: Search) -> Iterator[Explanation]:
    """That a part of the array is elsewhere, which is sought by the first row of each axis that is wrong."""
    if search.right is None:
        return
    wrong = ~search.kept.fits(question.actual, search.right)
    axes = range(2, wrong.ndim)
    rows = [wrong.any(axis=tuple(other for other in range(wrong.ndim) if other != axis)) for axis in axes]
    firsts = tuple(int(np.argmax(row)) for row in rows)
    yield from search.within(parts_elsewhere(firsts, search.may_be_elsewhere)).claimed(1)


def difference(
    problem: Problem, arrays: Arrays, actual: Array, held: str = "", by: Requantisation | None = None
) -> str:  # fmt: skip
    """Where and how an array differs from the expected one, in words: in a type that holds what is expected."""
    _require_operands(problem, arrays)
    if actual.shape != problem.output_shape:
        order = ", both with their axes in the order n c k" if actual.ndim == len(problem.output_shape) else ""
        return f"shape is {actual.shape}, expected {problem.output_shape}{order}"
    if actual.dtype.kind not in "iuf":
        return f"dtype is {actual.dtype}, expected numbers"
    asked = observed(problem, arrays, actual)
    kinds, _ = ways_of(asked, actual, held, by)
    kept = kinds[-1] if isinstance(kinds[0], Rounded) else kinds[0]
    count, odd, first = 0, 0, ""
    worst, largest = 0.0, ""
    for start, block in blocks(asked):
        right = Search(block, kept).right
        differs = np.zeros(block.actual.shape, bool) if right is None else ~kept.fits(block.actual, right)
        count += int(np.count_nonzero(differs))
        if right is None or not differs.any():
            continue
        values = kept.expected(right.values) if isinstance(kept, Requantised) else right.values

        def said(at: Ints, block: Observation = block, values: Array = values, start: int = start) -> str:
            group, channel = divmod(at[1], block.problem.out_channels)
            place = (at[0], group * problem.out_channels + start + channel, *at[2:])
            return f"{place}: {block.actual[at]:.9g}, expected {values[at]:.9g}"

        if not first:
            first = said(tuple(map(int, np.argwhere(differs)[0]))) + (parts.place(differs) if block is asked else "")
        odd += int(np.count_nonzero(~np.isfinite(block.actual)))
        deviation = np.where(differs & np.isfinite(block.actual), np.abs(block.actual - values), 0)
        if deviation.max() > worst:
            worst, at = float(deviation.max()), np.unravel_index(deviation.argmax(), deviation.shape)
            largest = f"; largest deviation at {said(tuple(map(int, at)))}"
    if not count:
        return ALIKE if isinstance(kept, Requantised) else "nothing differs" if kept.exact else UNTOLD
    more = "" if kept.exact else " by more than rounding can"
    more += f", {odd} of them NaN or infinite" if odd else ""
    return f"{count} of {actual.size} values differ{more}, first at {first}{largest if count > 1 else ''}"


def _require_operands(problem: Problem, arrays: Arrays) -> None:
    if max(problem.full) > LONGEST:
        raise TooLargeError(f"'{problem}' has {max(problem.full)} positions on an axis of its stamp, at most {LONGEST} "
                            "are searched: give a smaller problem like it")  # fmt: skip
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape if problem.bias else None)
    for name, array, shape in zip(Arrays._fields, arrays, shapes, strict=True):
        actual = None if array is None else array.shape
        if actual != shape:
            raise DiagnosisError(
                f"{name} is {actual}, '{problem}' takes {shape}: give an array of this shape, or another problem"
            )
        if array is not None and not (finite := np.isfinite(array)).all():
            at = tuple(map(int, np.argwhere(~finite)[0]))
            raise DiagnosisError(f"{name} is {array[at]} at {at}: no sum with it can be judged: give finite numbers")


def _ends(window: Window, sign: str = "d") -> str:
    return " x ".join(f"({lo:{sign}}, {hi:{sign}})" for lo, hi in window)
