"""A case as a vector: what is written of it, and the files of its numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from conformance.layout import Array
from conformance.numerics.operands import EXACT_IN, SIGNIFICAND
from conformance.problem import Problem
from conformance.suites.case import Case
from conformance.suites.references import Reference
from conformance.vectors import terms
from conformance.vectors.data import PERIOD, stored
from conformance.vectors.faults import told_by
from conformance.vectors.schema import FORMAT, Attributes, Exact, Numbers, Tells, Vector
from conformance.vectors.telling import told

IN_JSON = 256
"""Numbers of an array up to which they stand in the JSON."""
FOLDER = "numbers"


@dataclass(frozen=True, slots=True)
class Made:
    """A vector and the content of its files of numbers, by their paths in the folder of vectors."""

    vector: Vector
    reference: Reference
    numbers: Mapping[str, bytes]


def make(case: Case, reference: Reference) -> Made:
    """The vector of a case, on these operands."""
    problem, (x, weight, bias) = case.problem, reference.arrays
    files: dict[str, bytes] = {}

    def numbers(name: str, array: Array, order: str) -> Numbers:
        axes = terms.axes(order, problem.rank)
        if array.size <= IN_JSON:
            return Numbers(axes, array.shape, values=tuple(array.ravel().tolist()))
        dtype = stored(int(np.abs(array).max()))
        path = f"{FOLDER}/{case.id}.{name}.{dtype}"
        start = array.ravel()[:PERIOD]
        is_repeated = array.size > PERIOD and np.array_equal(np.resize(start, array.shape), array)
        kept = start if is_repeated else array
        files[path] = kept.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        return Numbers(axes, array.shape, file=path, dtype=dtype, repeated=is_repeated)

    vector = Vector(
        format=FORMAT, id=case.id, why=case.why, probes=case.probes, source=case.source, problem=case.descriptor,
        attributes=_attributes(problem), full=problem.full, window=problem.window,
        x=numbers("x", x, terms.X),
        weight=numbers("weight", weight, terms.WEIGHT),
        bias=None if bias is None else numbers("bias", bias, "(g o)"),
        expected=numbers("expected", reference.expected, terms.Y),
        exact=Exact(reference.largest, SIGNIFICAND[EXACT_IN], reference.terms),
        tells=Tells(told(problem, reference.arrays, reference.expected), tuple(_faults(problem))),
        calls=terms.calls(problem),
    )  # fmt: skip
    return Made(vector, reference, files)


def _attributes(problem: Problem) -> Attributes:
    return Attributes(problem.stride, problem.pads, problem.output_padding, problem.dilation, problem.groups)


def _faults(problem: Problem) -> Iterator[str]:
    return (fault.expectation.id for fault in told_by(problem))
