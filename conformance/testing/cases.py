"""Cases for the tests of other people: operands, the expected array, and a comparison whose failure is a diagnosis."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.adapters.base import Unsupported, finish
from conformance.diagnosis.diagnose import Diagnosis
from conformance.diagnosis.diagnose import diagnose as diagnoses_of
from conformance.diagnosis.explain import FEW
from conformance.diagnosis.observation import DiagnosisError
from conformance.numerics.deviation import measure_deviation
from conformance.numerics.operands import DTYPES, Arrays, DataError
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.suites import cases as case_files
from conformance.suites.case import Case, Exact
from conformance.suites.cases import CaseError
from conformance.suites.references import Reference, compute
from conformance.testing.function import Function, read, require_layouts
from conformance.testing.report import NonconformityError

Array = NDArray[Any]

DTYPE = "float32"
"""Of the operands where no other is asked for."""

UNEXPLAINED = "no small misreading of the problem gives it"
SPARSE = 32
"""One case in so many has operands that were never seen before, so that answers that are looked up are told."""


@dataclass(frozen=True)
class ArrayCase:
    """A case and its arrays, in PyTorch's order of axes. pytest shows it by its id.

    Where it is `fresh`, its operands are drawn anew in each process; else they are always the same.
    """

    case: Case
    fresh: bool = False

    @property
    def id(self) -> str:
        """The case's permanent id."""
        return self.case.id

    @property
    def __name__(self) -> str:
        """What pytest calls it among the parameters of a test."""
        return self.case.id

    @property
    def problem(self) -> Problem:
        """Its geometry."""
        return self.case.problem

    @property
    def why(self) -> str:
        """The fact that makes it worth running."""
        return self.case.why

    def arrays(self, dtype: str = DTYPE) -> Arrays:
        """Copies of `x`, `weight` and `bias`, which is None where there is none. Raises CaseError for another dtype.

        x is (batch, groups*in_channels, *input), weight (groups*in_channels, out_channels, *kernel).
        """
        if dtype not in DTYPES:
            raise CaseError(f"{self.id}: no function is checked in {dtype!r}: the dtypes are {', '.join(DTYPES)}")
        return self._reference.arrays.astype(dtype)

    def answer(
        self, function: Callable[..., Any], dtype: str = DTYPE, *, data: str = "n c k", weight: str = "(g i) o k",
        tensor: Callable[[Array], Any] | None = None,
    ) -> Array:  # fmt: skip
        """What a function answers that takes what `check` gives, called in this process.

        A window that no padding and output_padding say is cut from the answer, as there. Raises CaseError where the
        case needs an argument that the function does not take, CheckError for a layout that there is not, and what the
        function raises.
        """
        require_layouts(data, weight)
        given = Function(function, data, weight, tensor)
        try:
            call = given.translate(self.problem, *self.arrays(dtype))
        except Unsupported as reason:
            raise CaseError(f"{self.id}: {reason}: leave the case out") from None
        return finish(call, given.array(call()))

    @property
    def expected(self) -> Array:
        """A copy of the expected array, in int64; the same whole numbers are right in every dtype."""
        return self._reference.expected.copy()

    @cached_property
    def _reference(self) -> Reference:
        if self.fresh:
            with suppress(DataError):  # of a problem for which few operands are exact
                return compute(replace(self.case, id=secrets.token_hex(16)))
        return compute(self.case)

    def __repr__(self) -> str:
        return f"<case {self.id}: {self.case.descriptor}>"


def cases(suite: str = "core") -> tuple[ArrayCase, ...]:
    """The cases of a suite, for `pytest.mark.parametrize("case", conformance.cases("smoke"))`.

    The first case, and one of so many after it, has operands that are drawn anew in each process: who only looks
    answers up is told. Raises CaseError for a suite that there is not, and for one whose cases are not exact or no
    problems.
    """
    made = case_files.read_suite(suite)
    if not all(isinstance(case.subject, Exact) for case in made.cases):
        raise CaseError(f"the cases of {suite!r} are not judged by equal arrays alone: give another suite, as core")
    return tuple(ArrayCase(case, fresh=number % SPARSE == 0) for number, case in enumerate(made.cases))


def expected(problem: Problem | str, x: Any, weight: Any, bias: Any = None) -> Array:
    """What a transposed convolution gives: exact in int64 for whole numbers, in float64 for others.

    `problem` may be a descriptor such as "i5x7 k3 s2"; the arrays are as it says, in PyTorch's order of axes. Raises
    ProblemError for a problem without an answer, for arrays that are not of it, and for an answer beyond int64.
    """
    asked = _problem(problem)
    arrays = _operands(asked, x, weight, bias)
    return oracle.of_any_size(asked, *arrays)


class Diagnoses(tuple[Diagnosis, ...]):
    """Misreadings of a problem, each of which gives an array: printed, a sentence a line."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or UNEXPLAINED

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each."""
        rows = "".join(f"<tr><td>{escape(str(one))}</td></tr>" for one in self)
        return f"<table>{rows}</table>" if rows else f"<p>{UNEXPLAINED}</p>"


def diagnose(actual: Any, problem: Problem | str, x: Any, weight: Any, bias: Any = None) -> Diagnoses:
    """Every smallest misreading of a problem that gives an array; none where nothing explains it.

    Printed, each is a sentence. Raises ProblemError as `expected` does, and DiagnosisError for what cannot be searched.
    """
    asked = _problem(problem)
    return Diagnoses(diagnoses_of(asked, _operands(asked, x, weight, bias), _numbers("actual", actual)))


def assert_conforms(actual: Any, case: ArrayCase, dtype: str = DTYPE) -> None:
    """Raise NonconformityError unless an array is the answer to a case on operands of a dtype, to the bit.

    -0 equals +0. The error's text says how it differs, and which misreading of the problem gives it.
    """
    if not isinstance(case, ArrayCase):
        raise CaseError(f"case is a {type(case).__name__}: give one of conformance.cases(...)")
    operands = case.arrays(dtype)
    try:
        answer = _numbers("actual", actual)
    except ProblemError as error:
        raise NonconformityError(f"{case.id}: {error}\n{_asked(case, dtype)}") from None
    deviation = measure_deviation(answer, case.expected.astype(dtype))
    if deviation is None:
        return
    lines = [f"{case.id}: {deviation.kind}: {deviation.message}", *_sentences(case.problem, operands, answer)]
    raise NonconformityError("\n".join([*lines, _asked(case, dtype)]))


def _asked(case: ArrayCase, dtype: str) -> str:
    return f"problem: {case.case.descriptor}, in {dtype}\nwhy: {case.why}"


def _sentences(problem: Problem, operands: Arrays, actual: Array) -> Iterator[str]:
    """What gives a wrong array, in a few sentences."""
    try:
        found = diagnoses_of(problem, operands, actual)
    except DiagnosisError as error:
        yield f"not diagnosed: {error}"
        return
    yield from map(str, found[:FEW])
    if not found:
        yield UNEXPLAINED


def _problem(problem: Problem | str) -> Problem:
    """A problem that has an answer. Raises ProblemError."""
    asked = Problem.parse(problem) if isinstance(problem, str) else problem
    if not isinstance(asked, Problem):
        raise ProblemError(f"problem is a {type(problem).__name__}: give a Problem, or a descriptor such as 'i5 k3 s2'")
    if rule := broken_rule(asked):
        raise ProblemError(f"'{asked}': {rule}")
    return asked


def _operands(problem: Problem, x: Any, weight: Any, bias: Any) -> Arrays:
    """The operands of a problem as NumPy's arrays. Raises ProblemError where they are not of it."""
    given = {"x": x, "weight": weight, "bias": bias}
    arrays = {name: None if array is None else _numbers(name, array) for name, array in given.items()}
    shapes = {"x": problem.input_shape, "weight": problem.weight_shape, "bias": problem.bias_shape}
    for name, array in arrays.items():
        wanted = None if name == "bias" and not problem.bias else shapes[name]
        if (None if array is None else array.shape) != wanted:
            shape = "missing" if array is None else array.shape
            raise ProblemError(f"{name} is {shape}, '{problem}' takes {'none' if wanted is None else wanted}")
    return Arrays(arrays["x"], arrays["weight"], arrays["bias"])  # type: ignore[arg-type]  # none of them is missing


def _numbers(name: str, values: Any) -> Array:
    """An array of numbers from an array of any library. Raises ProblemError for what is none."""
    if isinstance(values, np.ma.MaskedArray):
        raise ProblemError(f"{name} is a masked array: give a plain one")
    try:
        array = read(values)
    except Exception as error:
        raise ProblemError(f"{name} cannot be read as an array: {type(error).__name__}: {error}") from None
    if array is None:
        raise ProblemError(f"{name} is a {type(values).__name__}: give an array")
    if array.dtype.kind not in "iuf":
        raise ProblemError(f"{name} is an array of {array.dtype}: give one of numbers")
    return array
