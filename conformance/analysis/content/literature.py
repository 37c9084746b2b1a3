"""The claims with what runs have made of them, for the report's page and for docs/errata.md."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from conformance.claims.ledger import Claim, Standing
from conformance.problem import Problem
from conformance.records.record import CLAIMS, Record, Run
from conformance.report.content.literature import Checked, Document, Entry, Literature, Witness
from conformance.report.drawings.figures import Figure

SHOWN = Problem.of(7, 5, 2, [(1, 2)])
"""The layer that is drawn: the generator's second, whose published padding is another window of the same extent."""

PUBLISHED = (2, 1)
"""The window of padding 2 at both ends with an output_padding of 1."""


def build(claims: Sequence[Claim], runs: Sequence[Run]) -> Literature:
    """The page's content; `runs` may hold other suites, and none at all."""
    checked: dict[str, list[Checked]] = {}
    lanes = []
    for run in sorted((run for run in runs if run.header.suite == CLAIMS), key=lambda run: run.header.lane):
        header = run.header
        version, date = header.version, header.started[:10]
        lanes.append((header.lane, version, date))
        for record in run.records:
            checked.setdefault(record.case, []).append(_checked(record, version, date))
    documents = [
        Document(
            name, _counts(group := list(members)), tuple(_entry(claim, checked.get(claim.id, ())) for claim in group)
        )
        for name, members in groupby(claims, lambda claim: claim.document)
    ]
    return Literature(tuple(documents), tuple(lanes), _witness(), tuple(_figures(claims)))


def _checked(record: Record, version: str, date: str) -> Checked:
    return Checked(record.lane, version, date, not record.fails, record.message)


def _counts(claims: Sequence[Claim]) -> tuple[tuple[str, int], ...]:
    counts = Counter(claim.standing for claim in claims)
    return tuple((standing.value, counts[standing]) for standing in Standing)


def _entry(claim: Claim, checked: Sequence[Checked]) -> Entry:
    texts = {"claim": claim.claim, "domain": claim.domain, "condition": claim.condition, "correction": claim.correction}
    words = {name: " ".join(text.split()) for name, text in texts.items()}
    measured = tuple(dict.fromkeys(test.measure for test in claim.tests))
    return Entry(claim.id, claim.section, **words, verdict=claim.standing.value, measured=measured,
                 checked=tuple(checked))  # fmt: skip


def _figures(claims: Sequence[Claim]) -> Iterator[Figure]:
    """The arrangements that are measured as figures, drawn."""
    for test in (test for claim in claims for test in claim.tests if test.measure == "figures"):
        transposed = test.parameters["transposed"]
        for row in test.parameters["rows"]:
            i, k, o, s, p, d, op = (
                row.get(*default) for default in (("i",), ("k",), ("o",), ("s", 1), ("p", 0), ("d", 1), ("op", 0))
            )
            border = d * (k - 1) - p if transposed else p
            name = f"{row['name']}{', transposed' if transposed else ''}"
            yield Figure(name, i, k, o, s if transposed else 1, d, (border, border + op))


def _witness() -> Witness:
    """The full stamp's extent and both windows of it, for one axis."""
    (full,), ((lo, hi),) = SHOWN.full, SHOWN.window
    return Witness(SHOWN.input[0], SHOWN.kernel[0], SHOWN.stride[0], full, SHOWN.output[0], (lo, hi), PUBLISHED)
