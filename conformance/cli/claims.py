"""conformance claims: what is written about transposed convolution, and what has become of it."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from conformance import adapters
from conformance.claims import ledger
from conformance.claims.ledger import Claim, Standing, Test
from conformance.cli.options import QUIET, VERBOSE
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import read_named_bytes
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.folders import PACKAGE, making
from conformance.io.terminal import columns, echo, first, progress

SHOWN = 12
DOCUMENT = PACKAGE.parent / "docs" / "errata.md"


@click.group()
def command() -> None:
    """Explore the claims: list, show ID, check ID; and write the errata."""


@command.command(name="list")
@click.option(
    "--verdict", type=click.Choice([standing.value for standing in Standing]), help="Only claims of this verdict."
)
@click.option("--framework", help="Only claims that are checked on this framework.")
@click.option("--json", "json_", is_flag=True, help="One JSON object per line.")
def list_(verdict: str | None, framework: str | None, json_: bool) -> None:
    """List the claims, then count them by document and verdict."""
    if framework is not None:
        adapters.variants(framework)
    chosen = [
        claim
        for claim in ledger.read_claims()
        if verdict in (None, claim.standing) and (framework is None or claim.applies(framework))
    ]
    if json_:
        echo("\n".join(json.dumps(_as_data(claim)) for claim in chosen))
        return
    for line in columns((claim.id, claim.standing, " ".join(claim.claim.split())) for claim in chosen):
        echo(line)
    counts = Counter((claim.document, claim.standing) for claim in chosen)
    for document in dict.fromkeys(claim.document for claim in chosen):
        words = ", ".join(
            f"{counts[document, standing]} {standing}" for standing in Standing if counts[document, standing]
        )
        echo(f"{document}: {words}", err=True)


@command.command()
@click.argument("claim_id", metavar="ID")
def show(claim_id: str) -> None:
    """Show one claim: where it is written, its verdict, and how it is checked."""
    echo("\n".join(about(ledger.find(claim_id))))


@command.command()
@click.argument("claim_id", metavar="ID")
@click.option("--framework", help="The framework to measure (default: all that are installed here).")
@click.option("--variant", help="How the framework executes (default: its first variant).")
@VERBOSE
@QUIET
def check(claim_id: str, framework: str | None, variant: str | None) -> int:
    """Measure one claim here, and judge it. Exit status: 0 its verdict is confirmed, 1 it is not, 2 usage."""
    from conformance.claims import judgement

    claim = ledger.find(claim_id)
    lanes = [adapters.lane(name, variant) for name in ([framework] if framework else _installed(claim))]
    if not lanes:
        raise ledger.ClaimError(
            f"{claim.id} is asked of {_asked_of(claim)}, and none is installed here: {_step(claim)}"
        )
    faults = 0
    echo(_text(claim))
    for lane in lanes:
        if not claim.applies(lane.framework):
            raise ledger.ClaimError(
                f"{claim.id} is asked of {_asked_of(claim)}, not of {lane.framework}: {_step(claim)}"
            )
        adapters.require_installed(lane.framework)
        finding = judgement.examine(claim, judgement.bench(lane, adapters.load(lane)),
                                    partial(progress, what=str(lane), unit="test"))  # fmt: skip
        echo(f"{lane}: {'NOT EARNED, ' + finding.fault if finding.fault else 'earned'}: {finding}")
        for weighed in first([trial for trial in finding.trials if trial.law is False], SHOWN):
            echo(f"  {'inside' if weighed.inside else 'outside'} fails: {dict(weighed.trial)}")
        faults += bool(finding.fault)
    return DIVERGED if faults else OK


@command.command()
@click.option(
    "--check", "checked", is_flag=True, help="Write nothing; exit status 1 if the document is not up to date."
)
@click.option("--to", "document", default=DOCUMENT, type=Path, help="Where to write (default: docs/errata.md).")
def errata(checked: bool, document: Path) -> int:
    """Write docs/errata.md: the errors in these texts, for people who write such texts."""
    from conformance.analysis.content import literature
    from conformance.report.content import literature as pages

    text = pages.errata(literature.build(ledger.read_claims(), ())).encode()
    if checked:
        stale = not document.exists() or read_named_bytes(document) != text
        if stale:
            echo(f"{document}: not what the claims say: run `conformance claims errata`", err=True)
        return DIVERGED if stale else OK
    require_our_file(document, "`conformance claims errata`")
    write_atomically(document, text)
    echo(str(document))
    return OK


def _as_data(claim: Claim) -> dict[str, Any]:
    """A claim by the keys that docs/running.md documents."""
    texts = {"claim": claim.claim, "domain": claim.domain, "condition": claim.condition, "correction": claim.correction}
    return {
        "id": claim.id, "document": claim.document, "section": claim.section, "verdict": claim.standing.value,
        **{name: " ".join(text.split()) for name, text in texts.items()},
        "frameworks": _frameworks_of(claim), "file": f"cases/claims/{claim.source}",
    }  # fmt: skip


def _frameworks_of(claim: Claim) -> list[str]:
    return [framework for framework in adapters.frameworks() if claim.applies(framework)]


def _asked_of(claim: Claim) -> str:
    return " and ".join(_frameworks_of(claim)) or "no framework"


def _step(claim: Claim) -> str:
    """How the claim can be judged, or where its text is."""
    asked = _frameworks_of(claim)
    if not asked:
        return f"`conformance claims show {claim.id}` says why"
    return f"{making(asked[0])} makes an environment, .tox/{asked[0]}, that can judge it"


def _installed(claim: Claim) -> list[str]:
    listed = []
    for framework in adapters.frameworks():
        try:
            adapters.require_installed(framework)
        except adapters.AdapterError:
            continue
        listed += [framework] if claim.applies(framework) else []
    return listed


def about(claim: Claim) -> Iterator[str]:
    """Where a claim is written, its verdict, and how it is checked."""
    yield _text(claim)
    yield from map(_test_text, claim.tests)


def _text(claim: Claim) -> str:
    words = {"domain": claim.domain, "true only when": claim.condition, "correction": claim.correction}
    lines = [f"{claim.id} ({claim.document}, {claim.section}; {Path('cases/claims', claim.source)})",
             " ".join(claim.claim.split()), f"verdict: {claim.standing}"]  # fmt: skip
    return "\n".join([*lines, *(f"{name}: {' '.join(text.split())}" for name, text in words.items() if text)])


def _test_text(test: Test) -> str:
    relations = {"law": test.law, "when": test.when, "truth": test.truth}
    related = "".join(f"\n    {name}: {' '.join(text.split())}" for name, text in relations.items() if text)
    return f"  {test.measure} on {', '.join(test.frameworks)}{related}"
