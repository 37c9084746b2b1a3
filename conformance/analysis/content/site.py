"""Everything that the report is made of, from record files, the arrays beside them, and what is on file."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from conformance import adapters
from conformance.analysis import domain, proofs
from conformance.analysis.aside import aside
from conformance.analysis.content import coverage, handbook, literature
from conformance.analysis.content.faults import find_faults, read_arrays, where_of
from conformance.analysis.content.history import NOTHING, of_fault, read
from conformance.analysis.proofs import Proofs
from conformance.claims import ledger
from conformance.io.terminal import progress
from conformance.records.record import Key, Record, Run
from conformance.report import Site, overview
from conformance.report.content.faults import ChangeLine, Domain, Known, Region
from conformance.runner.selection import is_awaited
from conformance.suites import expectations


def gather(
    runs: Sequence[Run],
    folder: Path,
    expected_lanes: Sequence[str],
    changes: Sequence[ChangeLine] | None = None,
    more: Mapping[str, str] | None = None,
    history: Path | None = None,
) -> Site:
    """The site of some runs, whose arrays lie in a folder. Raises DiagnosisError where arrays are missing."""
    kept = read(history, runs) if history else NOTHING
    on_file, known = expected(runs)
    of_lanes = aside(lambda: tuple(domains(runs, on_file)))
    arrays = read_arrays(folder, runs)
    proved = proofs.collect(runs, lambda record: expectation.id if (expectation := known(record)) else "")
    everything = Proofs({**proofs.read().lanes, **proved.lanes})
    faults_found = tuple(
        replace(fault, past=of_fault(fault.records, kept)) for fault in find_faults(runs, arrays, known)
    )
    return Site(
        runs, expected_lanes, adapters.own(), known, on_file, faults_found, of_lanes(),
        handbook.build(everything), _proofs(everything), literature.build(ledger.read_claims(), runs), changes,
        more or {}, kept.kept, coverage.of_lanes(runs), is_for=is_awaited,
    )  # fmt: skip


def expected(runs: Sequence[Run]) -> tuple[tuple[Known, ...], Callable[[Record], Known | None]]:
    """The expectations on file, and which of them knew of a record; asked once of each."""
    knew = expectations.of_records(runs)
    plain = {
        (name, entry.id): Known(entry.id, name, entry.when.text, entry.verdict, " ".join(entry.reason.split()),
                               entry.upstream, entry.since, " ".join(entry.chance.split()))
        for run in overview.ordered(runs) for name in [run.header.framework] for entry in expectations.expected_of(run)
    }  # fmt: skip
    asked: dict[tuple[str, Key], Known | None] = {}

    def known(record: Record) -> Known | None:
        name = (record.lane, record.key)
        if not record.fails:
            return None
        if name not in asked:
            expectation = knew(record)
            asked[name] = plain[record.framework, expectation.id] if expectation else None
        return asked[name]

    return tuple(plain.values()), known


def domains(runs: Sequence[Run], on_file: Sequence[Known]) -> Iterator[Domain]:
    """What each lane accepts. `on_file` are the expectations of all runs."""
    departing, knew = domain.departing(), expectations.of_records(runs)
    by_name = {(entry.framework, entry.id): entry for entry in on_file}
    for name, records in progress(domain.by_lane(runs).items(), "domains", "lanes"):
        lane = domain.domain(name, records, departing, knew)
        counts = {outcome: lane.counts[outcome] for outcome in domain.OUTCOMES if lane.counts[outcome]}
        yield Domain(name, counts, tuple(_region(name, region, by_name) for region in lane.regions))


def _region(lane: str, region: domain.Region, on_file: Mapping[tuple[str, str], Known]) -> Region:
    where = where_of(lane, region.where) if region.where else None
    known = on_file.get((region.witness.framework, region.known.id)) if region.known else None
    return Region(region.outcome, region.message, region.count, where, region.faults, region.witness, known)


def _proofs(proofs_by_claim: Proofs) -> Mapping[str, tuple[str, ...]]:
    """What is proved of each idiom, a line a claim and lane."""
    lines: dict[str, list[str]] = defaultdict(list)
    for claim in sorted({claim for lane in proofs_by_claim.lanes.values() for claim in lane.claims}):
        lines[claim.partition("/")[0]] += proofs_by_claim.of(claim)
    return {name: tuple(those) for name, those in lines.items()}
