"""Experiments made on a lane, in processes that may die."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from conformance import adapters
from conformance.adapters.base import Adapter, Call, Casting, Lane, differentiated
from conformance.audit.properties.checking import finished
from conformance.audit.specials.experiments import CRASHED, REFUSED, UPSTREAM, Array, Asked, Experiment, experiments
from conformance.io.terminal import progress
from conformance.numerics.operands import held_in
from conformance.problem import BIAS, FORWARD, Problem
from conformance.processes.attempt import Ended, begin, make
from conformance.processes.isolation import Death, Isolation

SECONDS = 2.0
"""What a process may take for each call, which a framework may have to compile, and `START` for itself."""
START = 120.0
TOGETHER = 240
"""Problems, in a dtype and a pass, whose experiments share a process: each process loads anew what comes late."""

Named = tuple[str, Problem]
"""A problem with the key that its data is drawn from."""
Question = tuple[str, Asked]
"""What is asked, and the kind of experiment that it is asked for."""


class Reply(NamedTuple):
    """A lane's answer to a question, or how its call or process ended, and what was done for the framework."""

    answer: Array | Ended | Death
    added: bool = False
    cut: bool = False

    def is_right(self, asked: Asked) -> bool:
        """Whether it is the answer to operands that are whole numbers."""
        return isinstance(self.answer, np.ndarray) and np.array_equal(self.answer, asked.expected)


Ask = Callable[[Sequence[Question]], Sequence[Reply]]
"""A lane that answers."""


class Measured(NamedTuple):
    """What a special value in an operand does on one problem in one dtype: words of `DOES`, none where it is as due.

    `direction` is the pass.
    """

    problem: str
    dtype: str
    operand: str
    value: str
    does: tuple[str, ...]
    direction: str = FORWARD

    @property
    def subject(self) -> str:
        """What a statement is about."""
        return subject_of(self.direction, self.value, self.operand)

    @property
    def message(self) -> str:
        """Nothing: what was done says it."""
        return ""


def subject_of(direction: str, value: str, operand: str) -> str:
    """A special value in an operand, in words, with the pass where it is a gradient's."""
    return f"{value} in the {operand}" + (f", in the gradient by {direction}," if direction != FORWARD else "")


def measured(
    lane: Lane, problems: Sequence[Named], dtypes: Sequence[str], directions: Sequence[str] = (FORWARD,)
) -> Iterator[Measured]:
    """What a lane makes of special values. Of a problem that it does not answer without, nothing is said."""
    ask = partial(_apart, Isolation(lane), lane)
    jobs = [(*named, dtype, each) for dtype in dtypes for each in directions for named in problems]
    for start in progress(range(0, len(jobs), TOGETHER), f"{lane} special values", "blocks"):
        yield from shown_by(ask, [each for job in jobs[start : start + TOGETHER] for each in experiments(*job)])


def shown_by(ask: Ask, made: Sequence[Experiment]) -> Iterator[Measured]:
    """What experiments show, but for those whose problem is not answered right, and those that are not the call's."""
    first = {id(each.plain): each for each in reversed(made)}
    replies = dict(zip(first, ask([(each.kind, each.plain) for each in first.values()]), strict=True))
    right = {which for which, each in first.items() if replies[which].is_right(each.plain)}
    tried = [each for each in made if id(each.plain) in right and not _is_ours(each, replies[id(each.plain)])]
    for each, after in zip(tried, ask([(each.kind, each.special) for each in tried]), strict=True):
        does = tuple(sorted(_shown(each, replies[id(each.plain)], after)))
        yield Measured(str(each.plain.problem), each.plain.dtype, each.operand, each.value, does, each.plain.direction)


def _apart(isolation: Isolation, lane: Lane, questions: Sequence[Question]) -> Sequence[Reply]:
    """The answers of a process; where it dies, each half is asked in its own, down to the question that it dies of."""
    if not questions:
        return []
    replies = isolation.call(answers, lane, questions, seconds=START + SECONDS * len(questions))
    if not isinstance(replies, Death):
        return cast(Sequence[Reply], replies)
    if len(questions) == 1:
        return [Reply(replies)]
    half = len(questions) // 2
    return [*_apart(isolation, lane, questions[:half]), *_apart(isolation, lane, questions[half:])]


def answers(lane: Lane, questions: Sequence[Question]) -> list[Reply]:
    """The answers of a lane in this process."""
    return answered_by(adapters.load(lane), questions)


def answered_by(adapter: Adapter, questions: Sequence[Question]) -> list[Reply]:
    """The answers of an adapter.

    A block holds questions of one kind, so that a framework which compiles a block meets most of them again.
    """
    calls = [begin(partial(_call, adapter, asked)) for _, asked in questions]
    replies = {at: Reply(call) for at, call in enumerate(calls) if isinstance(call, Ended)}
    kinds: dict[object, list[tuple[int, Call]]] = {}
    for at, (kind, asked) in enumerate(questions):
        if isinstance(call := calls[at], Call):
            kinds.setdefault((kind, asked.dtype, asked.direction), []).append((at, call))
    for those in kinds.values():
        for start in range(0, len(those), adapter.BLOCK):
            block = those[start : start + adapter.BLOCK]
            for (at, call), answer in zip(block, make(adapter, [call for _, call in block]), strict=True):
                replies[at] = Reply(finished(call, answer), call.bias is not None, "crop" in call.prepared)
    return [replies[at] for at in range(len(questions))]


def _call(adapter: Adapter, asked: Asked) -> Call:
    call = adapter.translate(asked.problem, *asked.arrays)
    if asked.upstream is not None:
        call = differentiated(adapter, asked.problem, call, asked.direction, asked.upstream)
    return call if held_in(asked.dtype) == asked.dtype else cast(Casting, adapter).cast(call, asked.dtype)


def _is_ours(experiment: Experiment, reply: Reply) -> bool:
    """Whether a value meets what is done for the framework: a bias that is added, or zeros where a window was cut.

    The upstream gradient has such zeros, which an infinity in another operand meets, and in which -0 is none.
    """
    if experiment.operand == BIAS:
        return reply.added
    if experiment.plain.upstream is None or not reply.cut:
        return False
    return experiment.value == "-0" or (experiment.value in ("inf", "nan") and experiment.operand != UPSTREAM)


def _shown(experiment: Experiment, before: Reply, after: Reply) -> frozenset[str]:
    if not isinstance(after.answer, np.ndarray):
        return frozenset({CRASHED if isinstance(after.answer, Death) else REFUSED})
    with np.errstate(invalid="ignore"):
        return experiment.judge(cast(Array, before.answer), after.answer)
