"""The catalogue of conventions, made from the idioms' claims, the laws' witnesses and the evidence on file."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, replace

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from conformance import adapters, idioms, layout, oracle
from conformance.analysis.content.constants import constant
from conformance.analysis.proofs import Proofs
from conformance.calls import copies, suites
from conformance.idioms import laws
from conformance.idioms.base import ClaimedCall, Idiom
from conformance.idioms.expression import HOLE
from conformance.idioms.laws import Law, Witness
from conformance.io.terminal import progress
from conformance.problem import Problem
from conformance.records.messages import skeleton
from conformance.report.content.handbook import CopyEntry, Handbook, IdiomEntry, LawEntry, LayoutEntry, Shown

MAIN_LAYOUTS = ("(g i) o k", "k o (g i)", "k i o")
"""The layouts of weights that most calls take where nothing else is asked for."""

_EXTENTS = {"g": 1, "i": 2, "o": 3, "k": (4, 5)}


class _Catalogue(Struct, frozen=True):
    """The handbook without evidence, which is the same for all records, and the claims of each law."""

    book: Handbook
    claims: Mapping[str, tuple[str, ...]]


def build(evidence: Proofs) -> Handbook:
    """The handbook."""
    kept = constant("handbook", lambda: msgspec.json.encode(_catalogue()))
    catalogue = msgspec.json.decode(kept, type=_Catalogue)
    proved = (
        replace(law, proved=tuple(line for name in catalogue.claims[law.id] for line in evidence.of(name)))
        for law in catalogue.book.laws
    )
    lanes = tuple((name, lane.version, lane.date) for name, lane in evidence.lanes.items())
    return replace(catalogue.book, laws=tuple(proved), lanes=lanes)


def _catalogue() -> _Catalogue:
    written = [name for name in idioms.frameworks() if adapters.variants(name)]
    points = {
        framework: {
            variant: [case.subject for case in suites.suite(framework, variant).cases
                      if isinstance(case.subject, ClaimedCall)]
            for variant in adapters.variants(framework)
        }
        for framework in progress(written, "the handbook, once for each version", "frameworks")
    }  # fmt: skip
    flat = [(framework, point) for framework, by in points.items() for listed in by.values() for point in listed]
    book = Handbook(
        laws=tuple(_law(law, flat) for law in laws.LAWS),
        taps=tuple(_witness_shown(witness) for witness in laws.TAPS),
        reversed=_users((framework, point) for framework, point in flat if point.claim.reversed),
        weights=tuple(_layouts(flat, weight=True)),
        data=tuple(_layouts(flat, weight=False)),
        idioms=tuple(_idiom(framework, idiom, points[framework]) for framework in points
                     for idiom in idioms.idioms(framework)),
        copies=tuple(_copies()),
        given=tuple(astuple(given) for given in copies.given_as_it_is(MAIN_LAYOUTS)),
    )  # fmt: skip
    return _Catalogue(
        book,
        {law.id: tuple(sorted({point.name for _, point in flat if point.claim.law == law.id})) for law in laws.LAWS},
    )


def _law(law: Law, points: list[tuple[str, ClaimedCall]]) -> LawEntry:
    follow = [(framework, point) for framework, point in points if point.claim.law == law.id]
    witnesses = tuple(_witness_shown(witness) for witness in law.witnesses)
    return LawEntry(law.id, law.title, law.formula, law.meaning, witnesses, _users(follow), ())


def _users(points: Iterable[tuple[str, ClaimedCall]]) -> dict[str, tuple[str, ...]]:
    """Function names by framework."""
    by_form: dict[str, dict[str, None]] = defaultdict(dict)
    for framework, point in points:
        by_form[framework][_named(point.idiom)] = None
    return {framework: tuple(names) for framework, names in by_form.items()}


def _named(idiom: Idiom) -> str:
    """The functions of an idiom as one name, such as conv_transpose{1,2,3}d, in the form that they stand in."""
    names = sorted(set(idiom.functions.values()))
    name = names[0]
    if len(names) > 1:
        ranks = ",".join(str(rank) for rank in sorted(idiom.functions))
        name = re.sub(r"[123](?=D|d)", f"{{{ranks}}}", name)
    return name if idiom.form == HOLE else idiom.form.replace(HOLE, f"{name}(...)")


def _witness_shown(witness: Witness) -> Shown:
    point = witness.read()
    x, weight, y, full = (" ".join(map(str, array)) for array in _probe(point))
    return Shown(
        witness.framework, witness.text, str(point.claim.problem.window[-1]), x, weight, y, witness.fact, full
    )  # fmt: skip


def _layouts(points: list[tuple[str, ClaimedCall]], *, weight: bool) -> Iterator[LayoutEntry]:
    calls: dict[str, list[tuple[str, ClaimedCall]]] = defaultdict(list)
    for framework, point in points:
        calls[point.claim.weight if weight else point.claim.data].append((framework, point))
    for name, users in calls.items():
        text = layout.conversion("w", "(g i) o k", name, _EXTENTS, reverse=False) if weight else ""
        yield LayoutEntry(name, _users(users), text)


def _idiom(framework: str, idiom: Idiom, points: Mapping[str, list[ClaimedCall]]) -> IdiomEntry:
    own = [point for listed in points.values() for point in listed if point.idiom is idiom]
    answered = [point.claim for point in own if not point.claim.refused]
    refusals: dict[str, dict[str, None]] = defaultdict(dict)
    for variant, of_variant in points.items():
        for point in of_variant:
            if point.idiom is idiom and point.claim.refused:
                reason, *_ = re.split(r": (?!it )\w+ takes ", point.claim.refused)  # what is legal depends on the call
                refusals["n".join(skeleton(reason))][variant] = None
    return IdiomEntry(
        idiom.id, framework, tuple(dict.fromkeys(idiom.functions.values())),
        " ".join((idiom.read.__doc__ or "").split()),
        tuple(dict.fromkeys(claim.law for claim in answered)), tuple(dict.fromkeys(claim.data for claim in answered)),
        tuple(dict.fromkeys(claim.weight for claim in answered)),
        tuple(dict.fromkeys("reversed" if claim.reversed else "as stored" for claim in answered)),
        tuple((reason, "" if len(where) == len(points) else ", ".join(where)) for reason, where in refusals.items()),
    )  # fmt: skip


def _copies() -> Iterator[CopyEntry]:
    for outcome in copies.outcomes():
        source = next(name for name in idioms.frameworks() if outcome.source.idiom in idioms.idioms(name))
        yield CopyEntry(
            source, outcome.source.text, copies.idiom_named(outcome.target)[0], outcome.text, outcome.kind, outcome.how
        )


def _probe(point: ClaimedCall) -> tuple[NDArray[np.int64], ...]:
    """x = 1, 2, ..., w = 1, 10, 100, ... in the call's own order of taps, the answer, and the whole stamp: last axis.

    Every digit of an answer is one input element, so it shows which taps met which inputs.
    """
    claimed = point.claim.problem
    problem = Problem.of(
        claimed.input[-1], claimed.kernel[-1], claimed.stride[-1], claimed.window[-1:], 0, claimed.dilation[-1]
    )
    x = np.arange(1, problem.input[0] + 1)
    weight = 10 ** np.arange(problem.kernel[0])
    stored = weight[::-1] if point.claim.reversed else weight
    arrays = x.reshape(1, 1, -1), stored.reshape(1, 1, -1), None
    y, full = (oracle.expected(variation, *arrays).ravel() for variation in (problem, replace(problem, pads=((0, 0),))))
    return x, weight, y, full
