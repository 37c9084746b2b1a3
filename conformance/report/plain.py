"""A fault, or any other record, as lines of text: the facts of its page, for a terminal."""

from collections.abc import Iterator

from conformance.io.terminal import columns, wrapped
from conformance.problem import FORWARD
from conformance.records.reproduction import reproduction
from conformance.report.content.faults import Fault


def facts(fault: Fault) -> Iterator[str]:
    """What happened, where and why, the smallest witness, and what other lanes make of it."""
    many = f"{len(fault.records):,} records on {', '.join(fault.lanes)}" if len(fault.records) > 1 else fault.lanes[0]
    if fault.witness.fails:
        since = f"known since {fault.known.since}: {fault.known.id}" if fault.known else "no expectation knows of it"
        yield from wrapped(f"{fault.framework}: {fault.headline}")
        yield from wrapped(f"{fault.verdict} on {many}; {since}", hanging="  ")
    else:
        yield f"{fault.verdict} on {many}"
    yield from columns([*_why(fault), *_witness(fault)])
    others = [answer.record for answer in fault.answers if answer.record.lane != fault.witness.lane]
    if others:
        yield "\nother lanes on the witness:"
        yield from columns(
            ((record.lane, record.verdict, record.message or "equals the expected array") for record in others), "  "
        )


def _why(fault: Fault) -> Iterator[tuple[str, str]]:
    if fault.diagnosis:
        equal = "equals the oracle's answer to the last bit, if that is computed with " if fault.misread else ""
        yield "diagnosis", f"{equal}{fault.diagnosis}"
    for where in fault.where:
        yield f"on {where.lane}", f"{where.predicate} ({where.coverage})" if where.predicate else where.sentence
    if fault.known:
        yield "expected", f"where {' '.join(fault.known.when.split())}"
        yield "because", fault.known.reason
        yield "upstream", fault.known.upstream


def _witness(fault: Fault) -> Iterator[tuple[str, str]]:
    witness = fault.witness
    of = "" if witness.direction == FORWARD else f", gradient by {witness.direction}"
    yield "witness", f"{witness.case} on {witness.lane}: '{fault.problem}' in {witness.dtype}{of}"
    if witness.call:
        yield "call", witness.call
    if witness.message:
        yield "message", witness.message
    yield "again", reproduction(witness)


def script(fault: Fault) -> Iterator[str]:
    """A script of the witness's own framework, or why there is none."""
    own = [snippet for snippet in fault.snippets if snippet.framework == fault.framework]
    for snippet in own:
        yield f"\nscript of {snippet.framework} alone:" if snippet.code else f"\nno script: {snippet.missing}"
        if snippet.code:
            yield ""
            yield from (f"    {line}".rstrip() for line in snippet.code.strip().splitlines())
