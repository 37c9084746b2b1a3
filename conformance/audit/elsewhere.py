"""The mutants outside of core: on the suites rounding and negative, on properties and on published vectors."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.adapters.base import ordinary, silent, transposed
from conformance.audit.kills import DTYPE, SMOKE
from conformance.audit.mutants import EVERY, Mutant
from conformance.audit.mutants.base import Implementation, right
from conformance.audit.properties.checking import FAILS, Check, checks_of, found
from conformance.audit.properties.questions import OF_INPUT, OF_WEIGHT, TANGENTS, Question
from conformance.io.bounded import read_text
from conformance.io.folders import cases_folder
from conformance.numerics import gradients
from conformance.numerics.operands import Arrays
from conformance.numerics.rounding import measure_rounding
from conformance.problem import INPUT, WEIGHT, Problem, broken_rule
from conformance.records.record import NEGATIVE, ROUNDING
from conformance.suites import cases, departure
from conformance.suites.case import Case, departure_of
from conformance.suites.references import Reference, compute

Array = NDArray[Any]


OF_ANSWERS = (transposed, silent)
"""Questions of properties that a mutant answers."""


def seen_elsewhere(place: str, chosen: Sequence[Mutant] = EVERY) -> Mapping[str, bool]:
    """Whether each mutant that can be told is seen there, by its name."""
    told = [mutant for mutant in chosen if not mutant.equivalent]
    with ProcessPoolExecutor() as pool:
        seen = pool.map(partial(_seen, place), [EVERY.index(mutant) for mutant in told], chunksize=8)
        return dict(zip((mutant.name for mutant in told), seen, strict=True))


def _seen(place: str, number: int) -> bool:
    return PLACES[place](EVERY[number])


def by_rounding(mutant: Mutant) -> bool:
    """Whether some case of the suite rounding has an answer that errs by more than sums can."""
    answer = mutant.make()
    return any(
        _errs(case.problem, reference, answer(case.problem, *reference.arrays.astype(DTYPE)))
        for case, reference in _rounding()
        if mutant.region(case.problem)
    )


def _errs(problem: Problem, reference: Reference, actual: Array) -> bool:
    if actual.shape != reference.expected.shape or actual.dtype != DTYPE or not np.isfinite(actual).all():
        return True
    return measure_rounding(problem, reference.arrays, reference.expected, actual).count > 0


@cache
def _rounding() -> Sequence[tuple[Case, Reference]]:
    suite = sorted(cases.read_suite(ROUNDING).cases, key=lambda case: case.problem.multiplies)
    return [(case, compute(case)) for case in suite]


def by_negative(mutant: Mutant) -> bool:
    """Whether some case of the suite negative that has an answer gets another one."""
    answer = mutant.make()
    return any(
        not np.array_equal(answer(case.problem, *(operand.copy() for operand in operands), *bias), expected)
        for case, operands, bias, expected in _negative()
        if mutant.region(case.problem)
    )


@cache
def _negative() -> Sequence[tuple[Case, Sequence[Array], Sequence[Array | None], Array]]:
    """The cases with an answer in the type of a run that is a valid problem's, with operands, bias and answer."""
    made = []
    for case in cases.read_suite(NEGATIVE).cases:
        unlike = departure_of(case)
        if not unlike.defined or unlike.calls or unlike.dtypes or broken_rule(case.problem):
            continue
        if _is_huge(case.problem):
            continue
        operands = departure.operands(case.id, case.problem, unlike, DTYPE)
        expected = departure.answer(case.problem, operands)
        if expected is not None and np.isfinite(expected).all():
            bias = operands["bias"] if case.problem.bias else None
            made.append((case, (operands["x"], operands["weight"]), (bias,), expected.astype(DTYPE)))
    return made


def _is_huge(problem: Problem) -> bool:
    """Whether a mutant that reads another window, stride or dilation may want memory that nobody has."""
    ends = [abs(end) for pads in problem.pads for end in pads]
    largest = max(*problem.stride, *problem.dilation, *problem.output_padding, *ends)
    return largest > 1 << 15 or prod(problem.output_shape) > 1 << 20


def by_properties(mutant: Mutant) -> bool:
    """Whether some property fails on some problem of smoke.

    The mutant is asked for what is inside of its region alone: its answer is right everywhere else.
    """
    answer = mutant.make()
    for check, asked in _checks():
        wrong = [question.translate in OF_ANSWERS and mutant.region(_said(question)) for question, _ in asked]
        answers = [
            _answer(answer, question) if inside else due for inside, (question, due) in zip(wrong, asked, strict=True)
        ]
        if any(wrong) and any(finding.outcome == FAILS for finding in found([check], DTYPE, lambda _: answers)):  # noqa: B023  # called at once
            return True
    return False


@cache
def _checks() -> Sequence[tuple[Check, Sequence[tuple[Question, Array]]]]:
    """The checks of the properties on smoke, the cheapest first, each with its questions and their right answers."""
    asked: list[tuple[Check, list[tuple[Question, Array]]]] = []

    def answers(questions: Sequence[Question]) -> list[Array]:
        due = [_answer(right, question) for question in questions]
        asked[-1][1].extend(zip(questions, due, strict=True))
        return due

    for case in sorted(cases.read_suite(SMOKE).cases, key=lambda case: case.problem.multiplies):
        for check in checks_of(case.id, case.problem):
            asked.append((check, []))
            found([check], DTYPE, answers)
    return asked


def _said(question: Question) -> Problem:
    """The problem that an implementation is told."""
    problem = question.problem
    return replace(problem, dilation=(1,) * problem.rank) if question.translate is silent else problem


def _answer(answer: Implementation, question: Question) -> Array:
    """A mutant's answer; a framework's ordinary convolution, and derivatives, which mutants do not have, are right.

    A call that is to fail is not made: a mutant may answer it.
    """
    problem, x, weight, bias, translate, *_ = question
    if question.invalid:
        return x
    if translate in TANGENTS:
        return right(problem, x, weight, bias)
    if translate in OF_INPUT:
        return gradients.expected(problem, INPUT, Arrays(np.zeros(problem.input_shape, x.dtype), weight, None), x)
    if translate in OF_WEIGHT:
        return gradients.expected(problem, WEIGHT, Arrays(x, np.zeros(problem.weight_shape, x.dtype), None), weight)
    if translate is ordinary:
        return _convolved(problem, x, weight)
    return answer(_said(question), np.array(x), np.array(weight), None if bias is None else np.array(bias))


def _convolved(problem: Problem, canvas: Array, weight: Array) -> Array:
    """The ordinary convolution that a problem without a window transposes."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    taken = canvas.reshape(problem.batch, g, oc, *canvas.shape[2:])
    grouped = weight.reshape(g, ic, oc, *problem.kernel)
    y = np.zeros((problem.batch, g, ic, *problem.input), canvas.dtype)
    axes = list(zip(problem.dilation, problem.stride, problem.input, strict=True))
    for tap in np.ndindex(problem.kernel):
        at: Any = (..., *(slice(k * d, k * d + (i - 1) * s + 1, s) for k, (d, s, i) in zip(tap, axes, strict=True)))
        y += np.einsum("ngo...,gio->ngi...", taken[at], grouped[(..., *tap)])
    return y.reshape(problem.input_shape)


def by_vectors(mutant: Mutant) -> bool:
    """Whether some published vector is not what comes back."""
    answer = mutant.make()
    return any(
        not np.array_equal(answer(problem, x.astype(DTYPE), weight.astype(DTYPE), None), expected)
        for problem, x, weight, expected in _vectors()
    )


def _vectors() -> Iterator[tuple[Problem, Array, Array, Array]]:
    document = tomllib.loads(read_text(cases_folder() / "external" / "vectors.toml"))
    for vector in document["vector"]:
        if vector["kind"] == "transposed":
            x, weight, expected = (np.array(vector[name]) for name in ("x", "weight", "expected"))
            yield Problem.parse(vector["problem"]), x, weight, expected


PLACES: Mapping[str, Callable[[Mutant], bool]] = {
    ROUNDING: by_rounding, NEGATIVE: by_negative, "properties": by_properties, "vectors": by_vectors,
}  # fmt: skip
"""Where else mutants are tried, on demand."""
