"""Whether records can be trusted as they stand: what is absent, cut off, apart, or about other questions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from conformance.records.evidence import absent_evidence
from conformance.records.record import CLAIMS, IDIOMS, PORTS, Key, Run
from conformance.records.reproduction import of_suites


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason not to trust the records as they stand: its subject, the facts against each other, the next step.

    `command` does the next step where one command can, `lane` is the lane that it is about where it is about one.
    `silent` where all records are there, and show nothing.
    """

    subject: str
    facts: str
    next_step: str
    command: str = ""
    lane: str = ""
    silent: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.facts}: {self.next_step}"


@dataclass(frozen=True, slots=True)
class Integrity:
    """Whether the records are complete and consistent: they are where there is no finding."""

    findings: tuple[Finding, ...]
    expected_lanes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the records."""
        return not self.findings


def measure_integrity(
    runs: Sequence[Run], expected_lanes: Sequence[str] = (), environments: Collection[str] = (),
    is_for: Callable[[str, str], bool] = lambda framework, suite: True,
) -> Integrity:  # fmt: skip
    """What speaks against trusting the runs: absent, cut off, apart, or not about the same questions.

    `environments` are the frameworks that tox has an environment of; `is_for` is whether a framework is asked a suite.
    """
    expected = tuple(sorted(set(expected_lanes)))
    checks = (
        _absent(runs, expected, environments, is_for),
        _unfinished(runs),
        _silent(runs),
        _mixed_builds(runs),
        _questions(runs),
        _answers(runs),
    )
    return Integrity(tuple(chain.from_iterable(checks)), expected)


def _absent(
    runs: Sequence[Run], expected_lanes: Sequence[str], environments: Collection[str],
    is_for: Callable[[str, str], bool],
) -> Iterator[Finding]:  # fmt: skip
    if not runs:
        yield Finding("records", "no run was given, so nothing is known", "run a lane first")
    for lane, missing, everything in absent(runs, expected_lanes, is_for):
        nowhere = everything and len(missing) != 1
        facts = f"it is expected, and has no record in {'any suite' if nowhere else ', '.join(missing)}"
        framework = lane.partition("-")[0]
        by_tox = everything and framework in environments
        command = f"tox run -e {framework}" if by_tox else of_suites(lane, missing)
        yield Finding(lane, facts, "run this lane, or expect it no longer: see --lane", command, lane)


def absent(
    runs: Sequence[Run], lanes: Sequence[str], is_for: Callable[[str, str], bool]
) -> Iterator[tuple[str, list[str], bool]]:
    """Of some lanes those without a record in a suite that is here and asked of them, or in any.

    Each with these suites, and whether they are all.
    """
    present = {(run.header.suite, run.header.lane) for run in runs}
    every = sorted({suite for suite, _ in present})
    recorded = {lane for _, lane in present}
    for lane in lanes:
        suites = [suite for suite in every if is_for(lane.partition("-")[0], suite)]
        missing = [suite for suite in suites if (suite, lane) not in present]
        if missing or lane not in recorded:
            yield lane, missing, missing == suites


def _unfinished(runs: Sequence[Run]) -> Iterator[Finding]:
    for run in runs:
        count, expected = len(run.records), run.header.expected
        if not count:
            facts = f"it ran nothing: 0 records, {expected:,} expected"
        elif not run.complete:
            facts = f"it did not finish: it has {count:,} of {expected:,} expected records"
        elif count != expected:
            facts = f"it is marked complete, and has {count:,} of {expected:,} expected records"
        else:
            continue
        lane, suite = run.header.lane, run.header.suite
        yield Finding(f"{lane}, {suite}", facts, "run this lane again", of_suites(lane, [suite]), lane)


def _silent(runs: Sequence[Run]) -> Iterator[Finding]:
    for run in runs:
        if lack := absent_evidence(run.header, run.verdicts):
            lane, suite = run.header.lane, run.header.suite
            fix = "fix the lane's environment or its adapter"
            yield Finding(f"{lane}, {suite}", f"it {lack}", fix, of_suites(lane, [suite]), lane, silent=True)


def _mixed_builds(runs: Sequence[Run]) -> Iterator[Finding]:
    parts = defaultdict(list)
    for run in runs:
        parts[f"{run.header.lane}, {run.header.suite}"].append(run)
    for subject, same in parts.items():
        shards = [run.header.shard for run in same]
        if set(shards) != {(1, 1)}:
            named = ", ".join(f"{number} of {count}" for number, count in shards)
            yield Finding(subject, f"shards {named} stand apart, one whole run is expected", "merge the shards first")
        elif len(same) > 1:
            counts = " and ".join(f"{len(run.records):,}" for run in same)
            yield Finding(subject, f"{len(same)} runs are counted together, of {counts} records", "keep one of them")


def _questions(runs: Sequence[Run]) -> Iterator[Finding]:
    for suite in sorted({run.header.suite for run in runs}):
        headers = [run.header for run in runs if run.header.suite == suite]
        sets = {} if suite in (CLAIMS, IDIOMS, PORTS) else {"case set": [header.cases for header in headers]}
        for what, digests in {**sets, "oracle": [header.oracle for header in headers]}.items():
            lanes: dict[str, dict[str, None]] = defaultdict(dict)
            for header, digest in zip(headers, digests, strict=True):
                lanes[digest][header.lane] = None
            if len(lanes) > 1:
                facts = "; ".join(f"{what} {digest or 'unnamed'} in {', '.join(lanes[digest])}" for digest in lanes)
                yield Finding(f"suite {suite}", facts, f"run its lanes again with one {what}")


def _answers(runs: Sequence[Run]) -> Iterator[Finding]:
    first: dict[tuple[Key, str], tuple[str, str]] = {}
    conflicts = defaultdict(list)
    for run in runs:
        for record in filter(lambda record: record.expected, run.records):
            asked = record.key, record.problem  # since one call can mean two problems in two variants
            lane, expected = first.setdefault(asked, (run.header.lane, record.expected))
            if expected != record.expected:
                conflict = f"{record.case} {record.dtype}: {expected} against {record.expected}"
                conflicts[f"{lane} and {run.header.lane}"].append(conflict)
    for subject, stated in conflicts.items():
        facts = f"{len(stated):,} expected answers differ, first {stated[0]}"
        yield Finding(subject, facts, "run both again from one version of the cases and the oracle")
