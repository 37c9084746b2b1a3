"""The suites `idioms` and `ports`: calls as people write them, as cases that expect what the calls claim."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path

from conformance import adapters, idioms
from conformance.calls.kept import kept_suite
from conformance.calls.port import PortError, translate
from conformance.idioms import laws
from conformance.idioms._edges import edges
from conformance.idioms.base import Claim, ClaimedCall, Example, Refusal, Shapes
from conformance.io.folders import PACKAGE
from conformance.records.record import IDIOMS, PORTS
from conformance.suites.case import Case, Suite
from conformance.suites.cases import CaseError

SAMPLE = 13
"""Of so many examples of an idiom, one is ported."""
EDGES = 40
"""How many calls across a border of its claim's domain an idiom has."""
EVERY = 9
"""Of so many examples of an idiom, one has its neighbours tried for that."""


@cache
def suite(framework: str, variant: str) -> Suite:
    """Every example of a framework's idioms, the laws' witnesses, the calls that are copied from other frameworks, and
    calls on both sides of the borders of every claim.

    A case's id is made of the call and stays as long as that does.
    """
    return kept_suite(
        IDIOMS, framework, variant, lambda: Suite(IDIOMS, tuple(_cases(framework, variant)), ("float32",))
    )


@cache
def ports(framework: str, variant: str) -> Suite:
    """Calls of all other frameworks ported into one: a sample of every idiom's examples."""
    return kept_suite(PORTS, framework, variant, lambda: Suite(PORTS, tuple(_ported(framework, variant)), ("float32",)))


def _ported(framework: str, variant: str) -> Iterator[Case]:
    for other in idioms.frameworks():
        for idiom in idioms.idioms(other) if other != framework else ():
            for example in islice(idiom.examples(), 0, None, SAMPLE):
                point = _call_or_none(other, adapters.lane(other).variant, *example)
                if point and not point.claim.refused:
                    with suppress(PortError):  # such as 3-D in MXNet without oneDNN: nothing could be run
                        yield case_of(translate(point, other, framework, variant=variant).point, framework)


def source(framework: str) -> Path:
    """The file that a framework's idioms stand in."""
    return PACKAGE / "idioms" / "catalogue" / f"{framework}.py"


def _cases(framework: str, variant: str) -> Iterator[Case]:
    seen = set()
    for idiom in idioms.idioms(framework):
        for example in idiom.examples():
            point = _call_or_none(framework, variant, *example)
            if point is None or variant not in (point.idiom.variants or (variant,)):
                continue
            if point.idiom is not idiom:
                raise CaseError(f"{example.text} is of {idiom.id}, but reads as {point.idiom.id}")
            case = case_of(point, framework)
            if case.id in seen:
                raise CaseError(f"{idiom.id}: {example.text} stands twice in the grid: {example.shapes}")
            seen.add(case.id)
            yield case
    witnesses = (_call_or_none(framework, variant, *example) for example in laws.examples(framework))
    for point in chain(filter(None, witnesses), copied(framework, variant), _edges(framework, variant)):
        if (case := case_of(point, framework)).id not in seen:
            seen.add(case.id)
            yield case


def _edges(framework: str, variant: str) -> Iterator[ClaimedCall]:
    """Calls beside the borders of every claim's domain: what the claim says to be refused is asked there most."""
    reader = partial(_of_example, framework, variant)
    for idiom in idioms.idioms(framework):
        if variant in (idiom.variants or (variant,)):
            yield from map(reader, edges(idiom, reader, EDGES, EVERY))


def _of_example(framework: str, variant: str, example: Example) -> ClaimedCall:
    return idioms.read(framework, *example, variant)


def copied(framework: str, variant: str) -> Iterator[ClaimedCall]:
    """Calls copied from elsewhere. One that says no problem is claimed to be refused on the arrays of its source."""
    from conformance.calls import copies  # which searches misreadings, and who runs no such suite need not wait for

    for source, idiom, example in copies.copies(framework):
        try:
            yield idioms.read(framework, *example, variant)
        except Refusal as reason:
            claim = Claim(source.claim.problem, "none", idiom.data, idiom.weight, refused=str(reason))
            yield ClaimedCall(idiom, example.text, example.shapes, claim, example.text, "x" if idiom.layer else "")


def _call_or_none(framework: str, variant: str, text: str, shapes: Shapes) -> ClaimedCall | None:
    """The call with its claim; None where its arguments say no problem, so that there is nothing to compare."""
    try:
        return idioms.read(framework, text, shapes, variant)
    except Refusal:
        return None


def case_of(point: ClaimedCall, framework: str) -> Case:
    """A call as a case."""
    digest = hashlib.sha256(str(point).encode()).hexdigest()[:8]
    problem = point.claim.problem
    return Case(
        f"{point.name.replace('/', '-')}-{problem.rank}d-{digest}", problem, str(problem),
        f"{point.text} means what {point.name} claims", ("window", "taps"), source(framework).name, point,
    )  # fmt: skip


SUITES: Mapping[str, Callable[[str, str], Suite]] = {IDIOMS: suite, PORTS: ports}
"""The suites that are made for a framework and variant."""
