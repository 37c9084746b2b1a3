"""What came of a function's cases: a page of text, record files, and an error where something is not as it is to be."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.analysis.groups import by_cause
from conformance.diagnosis.explain import Actual, among, explain_run
from conformance.io.array_files import Archive
from conformance.io.atomic import write_together
from conformance.io.terminal import plural, verdict_count, verdict_counts
from conformance.predicates.comparisons import Facts, facts, size, smallest
from conformance.predicates.induction import ENOUGH, Rule, where
from conformance.records import record_file
from conformance.records.arrays import beside
from conformance.records.messages import label_of, skeleton, with_kind
from conformance.records.record import Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.suites.expectations import expected_of, fails, lack

SHOWN = 10
"""Faults that are printed."""
LONGER = (
    "give a call more time by `seconds` (--seconds in a shell), or leave large problems out by `where` (--where), as "
    "in 'multiplies < 1000000'"
)
SOUGHT = 10_000
"""Diverging records that are diagnosed, the smallest problems first: in several seconds."""


class NonconformityError(AssertionError):
    """What `raise_for_failures` raises: the report as text."""


@dataclass(frozen=True, slots=True)
class Fault:
    """So many records that fail alike: what they show, where they are, and the smallest of them, with what it shows.

    `problems` are theirs, the smallest first.
    """

    count: int
    what: str
    where: Rule
    witness: Record
    problems: tuple[str, ...]
    shown: str = ""


class Report:
    """A run of a function: `run` has the records. Printed, it is a page of text; `again` is how it says that a record
    is judged again."""

    def __init__(self, run: Run, arrays: bytes | None) -> None:
        self.run, self._arrays = run, arrays
        self.again: Callable[[Record], str] = reproduction

    @classmethod
    def read(cls, file: Path) -> "Report":
        """The report of a record file and the arrays beside it, both of which are kept in memory."""
        arrays = beside(file)
        return cls(record_file.read(file), arrays.read_bytes() if arrays.exists() else None)

    @property
    def verdicts(self) -> Mapping[str, int]:
        """How many records of each verdict."""
        return self.run.verdicts

    @cached_property
    def failures(self) -> tuple[Record, ...]:
        """The records that fail, and that no expectation describes."""
        known = expected_of(self.run)
        return tuple(record for record in self.run.records if fails(record, known))

    @property
    def lack(self) -> str:
        """Why the run is no evidence, or answers less than its floor; empty where it is well."""
        return lack(self.run.header, self.run.verdicts)

    @property
    def conforms(self) -> bool:
        """Whether nothing fails, and something was shown."""
        return not self.failures and not self.lack

    def raise_for_failures(self) -> None:
        """Raise NonconformityError, with the report as its text, unless all is as it is to be."""
        if not self.conforms:
            raise NonconformityError(str(self))

    def write(self, folder: Path | str) -> Path:
        """Write the record file into a folder, the arrays beside it, for `conformance report --records FOLDER`."""
        file = self.run.header.path(Path(folder))
        write_together({beside(file): self._arrays, file: record_file.content(file, self.run)})
        return file

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """What fails, the largest first: of diverging records the diagnosis, of others what they say."""
        alike: dict[tuple[str, object], list[Record]] = defaultdict(list)
        for record in self.failures:
            words = "" if record.verdict is Verdict.DIVERGES else skeleton(record.message)
            alike[record.verdict, words].append(record)
        good = [facts(record) for record in self.run.records if record.verdict is Verdict.CONFORMS]
        faults = [
            fault for (verdict, _), records in alike.items()
            for fault in (self._diagnosed(records, good) if verdict == Verdict.DIVERGES else [_said(records, good)])
        ]  # fmt: skip
        return tuple(sorted(faults, key=lambda fault: -fault.count))

    def _diagnosed(self, records: Sequence[Record], good: Sequence[Facts]) -> Iterator[Fault]:
        chosen = sorted(records, key=size)[:SOUGHT]
        with self._actual() as actual:
            explained = explain_run(chosen, self.run.records, actual)
        for cause, those in by_cause(explained):
            own = {member.record.key: member for member in those}
            part = "" if len(chosen) == len(records) else f", of the {len(chosen):,} smallest that were diagnosed"
            fault = _fault(f"{cause.sentence}{part}", [member.record for member in those], good)
            shown = (each.sentence for each in own[fault.witness.key].causes if each.kind == cause.kind)
            yield replace(fault, shown=next(shown, ""))

    @contextmanager
    def _actual(self) -> Iterator[Actual]:
        """What gives the array of a diverging record."""
        with TemporaryDirectory(prefix="conformance-") as folder:
            file = Path(folder, "arrays.npz")
            file.write_bytes(self._arrays or b"")
            with Archive(file) as arrays:
                yield among(arrays)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return f"<report of {next(self._lines())}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{escape(str(self))}</pre>"

    def _lines(self) -> Iterator[str]:
        header = self.run.header
        counts = verdict_counts(self.verdicts)
        yield f"{header.framework}, suite {header.suite}: {plural(len(self.run.records), 'record')}: {counts}"
        if self.lack:
            yield f"it {self.lack}"
        for number, fault in enumerate(self.faults[:SHOWN], 1):
            yield f"{number}. {verdict_count(fault.count, fault.witness.verdict)}: {fault.what}"
            yield f"   {fault.where.sentence}"
            if fault.where.is_of_enough:
                yield f"      {fault.where.coverage}"
            elif 1 < len(fault.problems) < ENOUGH:
                yield f"   the problems: {', '.join(map(repr, fault.problems))}"
            witness = fault.witness
            yield f"   smallest: case {witness.case!r} in {witness.dtype}: {witness.problem}"
            yield f"      {witness.message}"
            if fault.shown not in ("", fault.what):
                yield f"      {fault.shown}"
            yield f"      {self.again(witness)}"
            if witness.verdict is Verdict.TIMED_OUT:
                yield f"      {LONGER}"
        if len(self.faults) > SHOWN:
            yield f"and {plural(len(self.faults) - SHOWN, 'more kind')} of failure"
        yield from self._unsupported()
        if self.conforms:
            yield "nothing fails" + (", the rest is unsupported" if self.verdicts.get(Verdict.UNSUPPORTED) else "")

    def _unsupported(self) -> Iterator[str]:
        """Why cases were not put to the function."""
        reasons = Counter(record.message for record in self.run.records if record.verdict is Verdict.UNSUPPORTED)
        for reason, count in reasons.most_common(SHOWN):
            yield f"{count:,} unsupported: {reason}"


def _said(records: Sequence[Record], good: Sequence[Facts]) -> Fault:
    """Records of one verdict that say the same but for numbers."""
    words = with_kind(records[0].kind, label_of(records))
    return _fault(words, records, good)


def _fault(what: str, records: Sequence[Record], good: Sequence[Facts]) -> Fault:
    problems = dict.fromkeys(record.problem for record in sorted(records, key=size))
    rule = where([facts(record) for record in records], good)
    return Fault(len(records), what, rule, smallest(records), tuple(problems))
