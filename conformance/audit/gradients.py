"""The audit of gradients: which wrong gradients the suite of gradients sees, in a dtype."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.audit.kills import ENOUGH, shapes
from conformance.audit.mutants.gradients import MUTANTS, GradientMutant, applies
from conformance.io.terminal import progress
from conformance.numerics.operands import HALVES, Certificate, modified
from conformance.problem import Ints
from conformance.records.record import GRADIENTS
from conformance.suites.case import Case
from conformance.suites.cases import read_suite
from conformance.suites.references import Reference, compute

Array = NDArray[Any]
Referring = Callable[[Case, str, str], Reference]


@dataclass(frozen=True, slots=True)
class Seen:
    """A wrong gradient, and cases that see it, no two of one shape, until they are enough."""

    mutant: GradientMutant
    killers: Sequence[str]


def seen_in(dtype: str, directions: Sequence[str], reference: Referring = compute) -> list[Seen]:
    """What the suite of gradients sees with its data of a dtype of the mutants of some passes.

    Mutants compute in float32 where a dtype is of half precision, whose data and sums it holds.
    """
    chosen = [mutant for mutant in MUTANTS if mutant.direction in directions]
    kept: dict[tuple[str, str], Reference] = {}

    def drawn(case: Case, direction: str) -> Reference:
        key = case.id, direction
        return kept[key] if key in kept else kept.setdefault(key, reference(case, dtype, direction))

    return [Seen(mutant, _killers(mutant, dtype, drawn)) for mutant in progress(chosen, "audit", "mutants")]


def _killers(mutant: GradientMutant, dtype: str, drawn: Callable[[Case, str], Reference]) -> Sequence[str]:
    run, by_shape = mutant.make(), dict[tuple[Ints, ...], str]()
    for case in read_suite(GRADIENTS).cases:
        if applies(mutant, case.problem) and is_wrong(run, case, drawn(case, mutant.direction), dtype):
            by_shape.setdefault(shapes(case.problem), case.id)
        if len(by_shape) >= ENOUGH:
            break
    return list(by_shape.values())


def is_wrong(run: Callable[..., Array], case: Case, reference: Reference, dtype: str) -> bool:
    """Whether a record of a gradient would not be one that conforms; of data that is not exact there is no such."""
    assert reference.upstream is not None, "a gradient's reference has what comes from above"
    if not Certificate(reference.largest, dtype, reference.terms).holds:
        return False
    held = "float32" if dtype in HALVES else dtype
    arrays, upstream = reference.arrays.astype(held), reference.upstream.astype(held)
    before = arrays.contents()
    actual = run(case.problem, arrays, upstream)
    wrong = actual.dtype != held or not np.array_equal(actual, reference.expected)
    return wrong or modified(arrays, before) is not None or not np.array_equal(upstream, reference.upstream)
