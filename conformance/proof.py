"""The suite `idioms`: every example of a framework's idioms as a case, whose expected answer is that of its claim."""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance import idioms
from conformance.cases import Case, CaseError, Suite
from conformance.idioms.base import Example, Idiom, Point, Refusal

SUITE = "idioms"


@cache
def suite(framework: str, variant: str) -> Suite:
    """Every example of a framework's idioms as a case; an id is made of the call and stays as long as it does."""
    return Suite(SUITE, tuple(_cases(framework, variant)), ("float32",))


def source(framework: str) -> Path:
    """The file that a framework's idioms stand in."""
    return Path(idioms.__file__).with_name(f"{framework}.py")


def _cases(framework: str, variant: str) -> Iterator[Case]:
    seen = set()
    for idiom in idioms.idioms(framework):
        if idiom.variants and variant not in idiom.variants:
            continue
        for example in idiom.examples():
            if case := _case(framework, variant, idiom, example):
                if case.id in seen:
                    raise CaseError(f"{idiom.id}: {example.text} stands twice in the grid: {example.shapes}")
                seen.add(case.id)
                yield case


def _case(framework: str, variant: str, idiom: Idiom, example: Example) -> Case | None:
    try:
        point = idioms.read(framework, example.text, example.shapes, variant)
    except Refusal:
        return None
    if point.idiom is not idiom:
        raise CaseError(f"{example.text} is of {idiom.id}, but reads as {point.idiom.id}")
    return case_of(point, framework)


def case_of(point: Point, framework: str) -> Case:
    """A call as a case."""
    digest = hashlib.sha256(str(point).encode()).hexdigest()[:8]
    problem = point.claim.problem
    return Case(
        f"{point.idiom.id}-{point.claim.law}-{problem.rank}d-{digest}", problem, str(problem),
        f"{point.text} means what {point.idiom.id} claims", ("window", "taps"), source(framework).name, point,
    )  # fmt: skip
