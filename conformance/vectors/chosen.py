"""The cases that test vectors are made of: those of a suite that `cases/chosen/vectors.toml` names.

The file is generated: `conformance.audit.choice` chooses the cases, since mutants are for the audit alone.
"""

from dataclasses import replace
from functools import cache
from math import prod
from pathlib import Path

from conformance.io.folders import cases_folder
from conformance.suites.case import Case, Suite
from conformance.suites.cases import CaseError, read_file, read_suite

CORE = "core"
SUITES = (CORE, "smoke", "curated", "covering", "grid", "sizes", "popular")
"""Suites that vectors are made of: core, and those that are part of it."""


def path() -> Path:
    """Where the chosen cases are named."""
    return cases_folder() / "chosen" / "vectors.toml"


@cache
def chosen() -> Suite:
    """Every chosen case, in the order of the file. Raises CaseError."""
    return Suite("vectors", tuple(read_file(path())))


def chosen_of(name: str) -> Suite:
    """The chosen cases of a suite. Raises CaseError for a suite that vectors are not made of."""
    if name not in SUITES:
        raise CaseError(f"no vectors are made of suite {name!r}: they are of {', '.join(SUITES)}")
    suite = read_suite(name)
    ids = {case.id for case in suite.cases}
    return replace(suite, cases=tuple(case for case in chosen().cases if case.id in ids))


def elements(case: Case) -> int:
    """How many numbers the vector of a case holds."""
    problem = case.problem
    shapes = (problem.input_shape, problem.weight_shape, problem.output_shape)
    return sum(map(prod, shapes)) + problem.bias * prod(problem.bias_shape)
