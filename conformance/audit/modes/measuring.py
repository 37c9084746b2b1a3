"""Problems put to a lane eagerly and in modes, and what each mode does otherwise, in processes that may die.

The data is of whole numbers that every order of summation adds up exactly. So two right answers are the same in every
bit, and a difference is no rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, oracle
from conformance.adapters.base import Adapter, Call, Casting, Lane, Widened
from conformance.adapters.modes import load_modes
from conformance.adapters.modes.base import Inferred, Modes
from conformance.audit.properties.checking import finished
from conformance.io.terminal import progress
from conformance.numerics.operands import Arrays, draw, held_in, largest_sum, room
from conformance.problem import Problem
from conformance.processes.attempt import Answered, Ended, begin, make
from conformance.processes.isolation import Death, Isolation
from conformance.records.record import Verdict

Array = NDArray[Any]
Named = tuple[str, Problem]
"""A problem with the key that its data is drawn from."""

WRONG, RIGHT, OTHER, REFUSED, ANSWERED, ACCEPTED = "wrong", "right", "other", "refused", "answered", "accepted"
SHAPE, FAILED, CRASHED = "shape", "failed", "crashed"
DOES = {
    WRONG: "answers wrong where eager execution answers right",
    RIGHT: "answers right where eager execution answers wrong",
    OTHER: "is wrong in another way than eager execution",
    REFUSED: "refuses what eager execution answers",
    ANSWERED: "answers right what eager execution refuses",
    ACCEPTED: "answers wrong what eager execution refuses",
    SHAPE: "infers another shape or dtype than the answer has",
    FAILED: "ends in an error that is no refusal",
    CRASHED: "ends the process",
}
"""What a mode may do other than eager execution."""

EAGER = "eager"
"""What a mode is held against, which may end its process, too: then nothing is said of modes."""

SECONDS = 600.0
"""What a process may take, in which a framework may have to compile all of it."""
TOGETHER = 64
"""Problems that share a process, in which a compiler or an exporter takes seconds to be imported."""


class Measured(NamedTuple):
    """What a mode does on a problem in a dtype: a word of `DOES`, or none where it does what eager execution does.

    `message` is what a refusal or a death said.
    """

    problem: str
    dtype: str
    mode: str
    does: tuple[str, ...]
    message: str = ""

    @property
    def subject(self) -> str:
        """What a statement is about."""
        return self.mode


@dataclass(frozen=True, slots=True)
class _InMode:
    """An adapter whose calls are made one by one, as they are; what is inferred is an array of zeros."""

    adapter: Adapter

    @property
    def REFUSALS(self) -> tuple[type[Exception], ...]:  # noqa: N802  # a name of the protocol
        return self.adapter.REFUSALS

    def run(self, calls: Sequence[Call]) -> list[Any]:
        return [call() for call in calls]

    def array(self, result: Any) -> Array | Widened:
        if not isinstance(result, Inferred):
            return self.adapter.array(result)
        held = held_in(result.dtype)
        zeros = np.zeros(result.shape, held)
        return zeros if held == result.dtype else Widened(zeros, result.dtype)


class _Eager(NamedTuple):
    """A problem's call, what eager execution made of it, and whether that is right."""

    problem: Problem
    call: Call
    native: Answered | Ended
    answer: Array | Ended
    expected: Array


def measured(lane: Lane, problems: Sequence[Named], dtype: str, modes: Sequence[str]) -> Iterator[Measured]:
    """What modes of a lane do on problems. Of a problem that no call says, nothing is said."""
    isolation = Isolation(lane)
    for start in progress(range(0, len(problems), TOGETHER), f"{lane} {dtype} in {len(modes)} modes", "blocks"):
        yield from _apart(isolation, lane, problems[start : start + TOGETHER], dtype, modes)


def _apart(
    isolation: Isolation, lane: Lane, problems: Sequence[Named], dtype: str, modes: Sequence[str]
) -> Iterator[Measured]:
    """In one process; where it dies, each problem in its own, and then each mode."""
    reply = isolation.call(measure, lane, problems, dtype, modes, seconds=SECONDS)
    if not isinstance(reply, Death):
        yield from reply
    elif len(problems) > 1:
        for one in problems:
            yield from _apart(isolation, lane, [one], dtype, modes)
    elif len(modes) > 1:
        for mode in modes:
            yield from _apart(isolation, lane, problems, dtype, [mode])
    else:
        alone = isolation.call(measure, lane, problems, dtype, [], seconds=SECONDS)
        mode, death = (EAGER, alone) if isinstance(alone, Death) else (modes[0], reply)
        yield Measured(str(problems[0][1]), dtype, mode, (CRASHED,), death.message)


def measure(lane: Lane, problems: Sequence[Named], dtype: str, modes: Sequence[str]) -> list[Measured]:
    """What modes of a lane in this process do on problems."""
    return list(shown_by(adapters.load(lane), load_modes(lane), problems, dtype, modes))


def shown_by(
    adapter: Adapter, modes: Modes, problems: Sequence[Named], dtype: str, names: Sequence[str]
) -> Iterator[Measured]:
    """What modes do beside eager execution; one that cannot make a call is left out."""
    eager = list(_eager(adapter, problems, dtype))
    inside = cast(Adapter, _InMode(adapter))
    for name in names:
        mode = {**modes.MODES, **modes.SLOW, **modes.INFERENCES}[name]
        for one in eager:
            call = begin(lambda one=one, mode=mode: mode(one.call))  # type: ignore[misc]  # a default
            if isinstance(call, Ended) and call.verdict is Verdict.UNSUPPORTED:
                continue
            native = call if isinstance(call, Ended) else make(inside, [call])[0]
            if isinstance(native, Ended) and native.verdict is Verdict.INCONCLUSIVE:
                continue
            does, message = _judged(one, native, inferring=name in modes.INFERENCES)
            yield Measured(str(one.problem), dtype, name, (does,) * bool(does), message)


def _judged(one: _Eager, native: Answered | Ended, *, inferring: bool) -> tuple[str, str]:
    """What a mode did otherwise than eager execution, and what there is to say of it."""
    if isinstance(native, Ended):
        does = _ended(one, native)
        return does, native.message if does else ""
    answer = finished(one.call, native)
    if isinstance(answer, Ended):
        return FAILED, answer.message
    return _inferred(one, native, answer) if inferring else (_done(one, answer), "")


def _inferred(one: _Eager, native: Answered, answer: Array) -> tuple[str, str]:
    """Beside the eager answer as the framework gave it; where it refused, beside what the answer is to be."""
    if isinstance(one.native, Answered):
        said, due = _form(native), _form(one.native)
    else:
        said, due = _form(Answered(answer, 0.0)), _form(Answered(one.expected, 0.0))
    return ("", "") if said == due else (SHAPE, "{1}{0}, due {3}{2}".format(*said, *due))


def _form(native: Answered) -> tuple[tuple[int, ...], str]:
    return native.array.shape, native.widened or native.array.dtype.name


def _done(one: _Eager, answer: Array) -> str:
    right = _same(answer, one.expected)
    if isinstance(one.answer, Ended):
        return ANSWERED if right else ACCEPTED
    if _same(answer, one.answer):
        return ""
    return RIGHT if right else WRONG if _same(one.answer, one.expected) else OTHER


def _ended(one: _Eager, native: Ended) -> str:
    if native.step or native.verdict is not Verdict.REJECTS:
        return FAILED
    return "" if isinstance(one.answer, Ended) else REFUSED


def _same(left: Array, right: Array) -> bool:
    return left.dtype == right.dtype and np.array_equal(left, right)


def _eager(adapter: Adapter, problems: Sequence[Named], dtype: str) -> Iterator[_Eager]:
    """What eager execution makes of problems, but for those that no call says, or whose data is not exact."""
    made: list[tuple[Problem, Call, Array]] = []
    for key, problem in problems:
        drawn = draw(key, problem, dtype)
        if largest_sum(problem, drawn) > room(dtype):
            continue
        arrays = drawn.astype(dtype)
        call = begin(lambda problem=problem, arrays=arrays: _call(adapter, problem, dtype, arrays))  # type: ignore[misc]  # defaults
        if isinstance(call, Call):
            made.append((problem, call, oracle.expected(problem, *arrays).astype(held_in(dtype))))
    blocks = (made[at : at + adapter.BLOCK] for at in range(0, len(made), adapter.BLOCK))
    natives = iter([answer for block in blocks for answer in make(adapter, [call for _, call, _ in block])])
    for (problem, call, expected), native in zip(made, natives, strict=True):
        if not (isinstance(native, Ended) and native.verdict is not Verdict.REJECTS):
            yield _Eager(problem, call, native, finished(call, native), expected)


def _call(adapter: Adapter, problem: Problem, dtype: str, arrays: Arrays) -> Call:
    call = adapter.translate(problem, *arrays)
    return call if held_in(dtype) == dtype else cast(Casting, adapter).cast(call, dtype)
