"""What a check stands on: a lane to ask, the questions that can be asked of it, and what is measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from conformance import idioms, layout
from conformance.adapters.base import Adapter, Call, Lane, finish
from conformance.adapters.operators.base import Convolution, Operators
from conformance.calls import native
from conformance.calls.port import canonical, translate
from conformance.idioms.base import ClaimedCall
from conformance.layout import Array
from conformance.numerics.operands import Arrays, draw
from conformance.predicates.predicate import relation
from conformance.problem import Problem
from conformance.processes.attempt import Answered, Ended, make
from conformance.records.record import Verdict
from conformance.suites.expectations import Expectation

Trial = Mapping[str, Any]
"""What was measured once: numbers, flags and words by name, for a claim's law to judge."""


class CheckError(ValueError):
    """Parameters that a check cannot use; the message says which and what it takes."""


class NoAnswer(Exception):
    """A call that a check needs and that gave no answer; the message says how it ended."""


class Check(NamedTuple):
    """A measurement by name: what it does with a bench and parameters, and the names of what it measures."""

    name: str
    measure: Callable[..., Iterator[Trial]]
    measures: frozenset[str]

    def names(self, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What a trial has: what is measured, and the numbers that stand in rows of expressions, or are arguments."""
        rows = parameters.get("rows", ()) if self.name == "expressions" else ()
        columns = {name for row in rows for name in row} - {"text", "gives", "raises"}
        return frozenset({*self.measures, *columns, *parameters.get("arguments", {})})

    @property
    def summary(self) -> str:
        """What it measures, in a line."""
        return (self.measure.__doc__ or "").partition("\n")[0]


CHECKS: dict[str, Check] = {}


def check(*measures: str) -> Callable[[Callable[..., Iterator[Trial]]], Callable[..., Iterator[Trial]]]:
    """Register a measurement under its function's name, its underscores as hyphens."""

    def register(function: Callable[..., Iterator[Trial]]) -> Callable[..., Iterator[Trial]]:
        name = function.__name__.replace("_", "-")
        CHECKS[name] = Check(name, function, frozenset(measures))
        return function

    return register


class Question(NamedTuple):
    """A problem with its operands."""

    problem: Problem
    x: Array
    weight: Array
    bias: Array | None = None


@dataclass(frozen=True, eq=False)
class Bench:
    """A lane with what can be asked of it. Operands are float32 unless they are said to be otherwise."""

    lane: Lane
    adapter: Adapter
    operators: Operators
    faults: Sequence[Expectation] = ()
    shapes: dict[Any, tuple[int, ...]] = field(default_factory=dict)

    @property
    def framework(self) -> str:
        return self.lane.framework

    def faulty(self, problem: Problem) -> bool:
        """Whether the lane is known to fail at a problem, which is reported elsewhere and says nothing of a claim."""
        run = {"dtype": "float32", "direction": "forward", "claimed": ""}
        return any(
            fault.when(problem, framework=self.lane.framework, variant=self.lane.variant, **run)
            for fault in self.faults
        )

    def transposed(self, questions: Sequence[Question]) -> list[Array]:
        """The framework's answers, through its adapter. Raises NoAnswer where one is missing."""
        answers: list[Array] = []
        for start in range(0, len(questions), self.adapter.BLOCK):
            block = questions[start : start + self.adapter.BLOCK]
            calls = [self.adapter.translate(*map(_float, question)) for question in block]
            for question, call, answer in zip(block, calls, make(self.adapter, calls), strict=True):
                refused = isinstance(answer, Ended) and answer.verdict is Verdict.REJECTS
                answers.append(self._ported(question) if refused else _finished(call, answer))
        return answers

    def _ported(self, question: Question) -> Array:
        """The answer where no single call gives it, such as a dilation in TensorFlow without oneDNN."""
        problem, x, weight, bias = question
        point = canonical(problem, self.framework)
        made = translate(point, self.framework, self.framework, variant=self.lane.variant)
        return self.answered(made.point, x, weight, bias)

    def convolved(self, convolutions: Sequence[Convolution]) -> list[Array]:
        """The answers of ordinary convolutions."""
        return self.operators.convolve(convolutions)

    def point(self, text: str, x: Array, weight: Array) -> ClaimedCall:
        """A call as it is written, read by its idiom. x and weight are canonical."""
        first, reading = idioms.idioms(self.framework)[0], idioms.reading(self.framework, text)
        shapes = {"x": layout.arrange(x, layout.DATA, first.data).shape}
        if not reading.idiom.layer:
            shapes["w"] = layout.arrange(weight[None], layout.WEIGHT, first.weight).shape
        return idioms.point(reading, shapes, self.lane.variant)

    def called(self, text: str, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """The answer of a call as it is written, (n, c, *k); the kernel is handed over as stored, never reversed."""
        return self.answered(self.point(text, x, weight), x, weight, bias)

    def answered(self, point: ClaimedCall, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """The answer of a call that has been read. Raises NoAnswer where there is none."""
        groups = point.claim.problem.groups
        grouped = weight.reshape(groups, -1, *weight.shape[1:])
        operands = [
            layout.arrange(x, layout.DATA, point.claim.data),
            layout.arrange(grouped, layout.WEIGHT, point.claim.weight),
            bias,
        ]
        call = native.translate(self.adapter, point, [_float(operand) for operand in operands])
        (answer,) = make(self.adapter, [call])
        return _finished(call, answer)


def _finished(call: Call, answer: Answered | Ended) -> Array:
    """The array of an answer. Raises NoAnswer where there is none."""
    if isinstance(answer, Ended):
        raise NoAnswer(answer.message)
    return finish(call, answer.array)


def _float(value: Any) -> Any:
    """Whole numbers as float32; floats, problems and None as they are."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32 if value.dtype.kind in "iub" else value.dtype)
    return value


def whole(rows: Any) -> Array:
    """A table of whole numbers as float32."""
    return np.array(rows, np.float32)


def plane(rows: Any) -> Array:
    """A 2-D table as (1, 1, h, w), float32."""
    return whole(rows)[None, None]


def drawn(problem: Problem) -> Arrays:
    """Operands of a problem for which every order of summation is exact."""
    arrays = draw(str(problem), problem)
    return arrays.astype("float32")


Numbers = int | str | Sequence[Any]


def sweep(where: str = "", **axes: Numbers) -> Iterator[dict[str, Any]]:
    """Every combination of the values of some names, the first name slowest, where a relation between them holds.

    Values are one, a list, or a range such as "1..4", both ends included. Raises CheckError and PredicateError.
    """
    holds = relation(where or "True", axes)
    for values in product(*(_values(name, given) for name, given in axes.items())):
        named = dict(zip(axes, values, strict=True))
        if holds(named):
            yield named


def _values(name: str, given: Numbers) -> Sequence[Any]:
    if isinstance(given, str):
        first, dots, last = given.partition("..")
        if not dots:
            return [given]
        try:
            return range(int(first), int(last) + 1)
        except ValueError:
            raise CheckError(f"{name} is {given!r}: give a number, a list or a range such as '1..4'") from None
    return [given] if isinstance(given, int) else given


def square(i: int, k: int, s: int = 1, p: int = 0, d: int = 1, op: int = 0, **rest: Any) -> Problem:
    """A problem with two axes alike."""
    return Problem.of((i, i), (k, k), s, p, op, d, **rest)
