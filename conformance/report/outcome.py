"""Whether runs are green or red, and why: every reason with the fact and the command to go on with."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from conformance.io.terminal import one_line, plural
from conformance.records.messages import line
from conformance.records.record import Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report.content.faults import Fault
from conformance.report.integrity import Integrity

SHOWN = 10
"""Reasons that are printed; two lines each, they are a screen."""

EVIDENCE, SILENT, SHORT, NEW = "incomplete", "silent", "short", "new"
COMMAND, PROPERTY, SPECIAL, MODE = "failed", "property", "special", "mode"
BORDER, UNCONFIRMED = "border", "unconfirmed"
NOUNS = {
    COMMAND: ("command that failed", "commands that failed"),
    EVIDENCE: ("gap in the evidence", "gaps in the evidence"),
    SILENT: ("run that is no evidence", "runs that are no evidence"),
    SHORT: ("run that answers too little", "runs that answer too little"),
    NEW: ("new fault", "new faults"),
    "stale": ("stale expectation", "stale expectations"),
    "narrower": ("expectation that is too wide", "expectations that are too wide"),
    "wider": ("expectation that is too narrow", "expectations that are too narrow"),
    "empty": ("expectation without a case", "expectations without a case"),
    "overlap": ("pair of expectations that overlap", "pairs of expectations that overlap"),
    "expired": ("expired expectation", "expired expectations"),
    "flaky": ("expectation that one build does not repeat", "expectations that one build does not repeat"),
    "otherwise": ("expectation of another diagnosis", "expectations of another diagnosis"),
    PROPERTY: ("property that fails", "properties that fail"),
    SPECIAL: ("special value that is not as stated", "special values that are not as stated"),
    MODE: ("mode of execution that is not as stated", "modes of execution that are not as stated"),
    BORDER: ("lane with false predictions", "lanes with false predictions"),
    UNCONFIRMED: ("lane with unconfirmed divergences", "lanes with unconfirmed divergences"),
}
"""What a reason is, by its kind, in the order in which reasons are told."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why runs are red: its kind, its subject, the fact, and the command to go on with.

    `framework` and `lane` say whose it is, as far as it is anybody's; `record` is one to see it on, `page` the site's
    page about it.
    """

    kind: str
    subject: str
    facts: str
    command: str
    framework: str = ""
    lane: str = ""
    record: Record | None = None
    page: str = ""

    def concerns(self, lane: str) -> bool:
        """Whether it is a reason for a lane to be red."""
        return self.lane == lane or (not self.lane and self.framework in ("", lane.partition("-")[0]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether runs are green, which they are without any reason to be red, and what was counted."""

    reasons: tuple[Reason, ...]
    lanes: int
    records: int
    known: int
    unsupported: int = 0

    @property
    def green(self) -> bool:
        return not self.reasons

    @property
    def incomplete(self) -> bool:
        """Whether evidence is missing or inconsistent, so that not everything could be judged."""
        return any(reason.kind == EVIDENCE for reason in self.reasons)

    @property
    def title(self) -> str:
        """Green or red, and for how many reasons."""
        return "Green" if self.green else f"Red, {plural(len(self.reasons), 'reason')}"

    @property
    def sentence(self) -> str:
        """Green or red, and why, in a sentence."""
        judged = f"{plural(self.lanes, 'lane')}, {plural(self.records, 'record')}"
        if self.green:
            unsupported = f", {self.unsupported:,} of them unsupported" if self.unsupported else ""
            return f"Green: {judged}, all as expected{unsupported}"
        return f"{self.title}: {', '.join(self.kinds())}"

    def kinds(self) -> Iterator[str]:
        """How many reasons there are of each kind."""
        counts = Counter(reason.kind for reason in self.reasons)
        for kind in sorted(counts, key=_order):
            one, many = NOUNS[kind]
            yield f"{counts[kind]:,} {one if counts[kind] == 1 else many}"

    @property
    def counts(self) -> str:
        """How many faults are new and known, and how many reasons of each other kind there are."""
        kinds = Counter(reason.kind for reason in self.reasons)
        rest = [f"{kinds[kind]:,} {kind}" for kind in sorted(kinds, key=_order) if kind != NEW]
        return ", ".join([f"{kinds[NEW]:,} new", f"{self.known:,} known", *rest])

    def lines(self) -> Iterator[str]:
        """The outcome for people at a terminal, on at most a screen."""
        yield self.sentence if self.green else f"{self.title}:"
        for reason in self.reasons[:SHOWN]:
            yield f"  {_plain(reason.subject)}: {_plain(reason.facts)}"
            yield f"      {one_line(reason.command)}"
        if len(self.reasons) > SHOWN:
            yield f"  and {len(self.reasons) - SHOWN:,} more"
        judged = "" if self.green else f"{plural(self.lanes, 'lane')}, {plural(self.records, 'record')}: "
        yield f"{judged}{self.counts}"


def outcome_of(
    runs: Sequence[Run], integrity: Integrity, faults: Iterable[tuple[str, Fault]], others: Iterable[Reason]
) -> Outcome:
    """The outcome of runs, from what was found of them; faults by the names of their pages."""
    named = list(faults)
    reasons = [*_evidence(integrity), *(_new(page, fault) for page, fault in named if fault.new), *others]
    lanes = {run.header.lane for run in runs}
    return Outcome(
        tuple(sorted(reasons, key=lambda reason: _order(reason.kind))), len(lanes),
        sum(len(run.records) for run in runs), sum(not fault.new for _, fault in named),
        sum(run.verdicts.get(Verdict.UNSUPPORTED, 0) for run in runs),
    )  # fmt: skip


def _evidence(integrity: Integrity) -> Iterator[Reason]:
    for finding in integrity.findings:
        kind = SILENT if finding.silent else EVIDENCE
        yield Reason(kind, finding.subject, finding.facts, finding.command or finding.next_step, lane=finding.lane)


def _new(page: str, fault: Fault) -> Reason:
    lanes = ", ".join(fault.lanes)
    where = f", where {fault.predicates[0]}" if len(fault.predicates) == 1 else ""
    facts = f"{fault.verdict} in {plural(len(fault.records), 'record')}{where}; no expectation describes this"
    lane = fault.lanes[0] if len(fault.lanes) == 1 else ""
    return Reason(NEW, lanes, facts, reproduction(fault.witness), fault.framework, lane, fault.witness, f"{page}.html")


def _order(kind: str) -> int:
    return list(NOUNS).index(kind)


def _plain(text: str) -> str:
    """Text on one line of bounded length."""
    return one_line(line(text))
