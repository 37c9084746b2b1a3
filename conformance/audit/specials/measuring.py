"""Experiments made on a lane, in processes that may die."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np

from conformance import adapters
from conformance.adapters.base import Adapter, Call, Casting, Lane, differentiated
from conformance.audit.properties.checking import finished
from conformance.audit.specials.experiments import CRASHED, REFUSED, UPSTREAM, Array, Asked, Experiment, experiments
from conformance.numerics.operands import held_in
from conformance.problem import BIAS, FORWARD, Problem
from conformance.processes.attempt import Ended, begin, make
from conformance.processes.isolation import Death, Isolation

SECONDS = 120.0
"""What a process may take, in which a framework may have to compile all of it."""
TOGETHER = 16
"""Problems whose experiments share a process."""

Named = tuple[str, Problem]
"""A problem with the key that its data is drawn from."""


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


def measured(lane: Lane, problems: Sequence[Named], dtype: str, direction: str = FORWARD) -> Iterator[Measured]:
    """What a lane makes of special values in a pass. Of a problem that it does not answer without, nothing is said."""
    isolation = Isolation(lane)
    for start in range(0, len(problems), TOGETHER):
        yield from _apart(isolation, lane, problems[start : start + TOGETHER], dtype, direction)


def _apart(
    isolation: Isolation, lane: Lane, problems: Sequence[Named], dtype: str, direction: str
) -> Iterator[Measured]:
    """In one process; where it dies, each problem in its own, and then each experiment."""
    reply = isolation.call(measure, lane, problems, dtype, direction, seconds=SECONDS)
    if not isinstance(reply, Death):
        yield from reply
    elif len(problems) > 1:
        for one in problems:
            yield from _apart(isolation, lane, [one], dtype, direction)
    elif not isinstance(isolation.call(_plain, lane, problems, dtype, direction, seconds=SECONDS), Death):
        ((key, problem),) = problems
        for number, experiment in enumerate(experiments(key, problem, dtype, direction)):
            alone = isolation.call(measure, lane, problems, dtype, direction, number, seconds=SECONDS)
            if isinstance(alone, Death):
                yield Measured(str(problem), dtype, experiment.operand, experiment.value, (CRASHED,), direction)
            else:
                yield from alone


def measure(
    lane: Lane, problems: Sequence[Named], dtype: str, direction: str, number: int | None = None
) -> list[Measured]:
    """What a lane in this process makes of special values, or of that of one experiment."""
    made = [experiment for key, problem in problems for experiment in experiments(key, problem, dtype, direction)]
    return list(shown_by(adapters.load(lane), made if number is None else [made[number]], dtype))


def _plain(lane: Lane, problems: Sequence[Named], dtype: str, direction: str) -> None:
    """Ask a lane in this process without special values, to show whether it dies of the problem alone."""
    ((key, problem),) = problems
    asked = [experiment.plain for experiment in experiments(key, problem, dtype, direction)]
    _answers(adapters.load(lane), asked, dtype)


def shown_by(adapter: Adapter, made: Sequence[Experiment], dtype: str) -> Iterator[Measured]:
    """What experiments show, but for those whose problem is not answered right, and those that are not the call's."""
    once = {id(experiment.plain): experiment.plain for experiment in made}
    plain = dict(zip(once, _answers(adapter, [*once.values()], dtype), strict=True))
    special = _answers(adapter, [experiment.special for experiment in made], dtype)
    for experiment, (_, after) in zip(made, special, strict=True):
        call, before = plain[id(experiment.plain)]
        ours = isinstance(call, Call) and _is_ours(experiment, call)
        if ours or isinstance(before, Ended) or not np.array_equal(before, experiment.plain.expected):
            continue
        does = tuple(sorted(_shown(experiment, before, after)))
        asked = experiment.plain
        yield Measured(str(asked.problem), dtype, experiment.operand, experiment.value, does, asked.direction)


def _is_ours(experiment: Experiment, call: Call) -> bool:
    """Whether a value meets what is done for the framework: a bias that is added, or zeros where a window was cut.

    The upstream gradient has such zeros, which an infinity in another operand meets, and in which -0 is none.
    """
    if experiment.operand == BIAS:
        return call.bias is not None
    if experiment.plain.upstream is None or "crop" not in call.prepared:
        return False
    return experiment.value == "-0" or (experiment.value in ("inf", "nan") and experiment.operand != UPSTREAM)


def _shown(experiment: Experiment, before: Array, after: Array | Ended) -> frozenset[str]:
    if isinstance(after, Ended):
        return frozenset({REFUSED})
    with np.errstate(invalid="ignore"):
        return experiment.judge(before, after)


def _answers(adapter: Adapter, asked: Sequence[Asked], dtype: str) -> list[tuple[Call | Ended, Array | Ended]]:
    """The calls of problems, with their answers."""
    translated = [begin(lambda one=one: _call(adapter, one, dtype)) for one in asked]  # type: ignore[misc]  # a default
    calls = [call for call in translated if isinstance(call, Call)]
    blocks = (calls[at : at + adapter.BLOCK] for at in range(0, len(calls), adapter.BLOCK))
    answers = iter([answer for block in blocks for answer in make(adapter, block)])
    return [(call, call if isinstance(call, Ended) else finished(call, next(answers))) for call in translated]


def _call(adapter: Adapter, asked: Asked, dtype: str) -> Call:
    own = asked.astype(dtype)
    call = adapter.translate(asked.problem, *own.arrays)
    if own.upstream is not None:
        call = differentiated(adapter, asked.problem, call, asked.direction, own.upstream)
    return call if held_in(dtype) == dtype else cast(Casting, adapter).cast(call, dtype)
