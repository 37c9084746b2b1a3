"""One suite of a run: its journal while the run lasts, and its record file at the end."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.numerics.operands import drawn_for
from conformance.problem import FORWARD
from conformance.records.journal import Identity, Journal
from conformance.records.record import Header, Record
from conformance.runner.selection import Selection
from conformance.suites.expectations import lack
from conformance.suites.reference_cache import References
from conformance.suites.references import oracle_digest

NARROWING = ("keyword", "markexpr", "deselect", "lf")
"""pytest's options by which a run can be less than its selection."""


class Part:
    """A selection of a run. `expected` is how many records it is to have, once the cases are known."""

    def __init__(self, config: pytest.Config, selection: Selection, started: str, machine: Mapping[str, str]) -> None:
        self.selection = selection
        self.expected = 0
        self._config = config
        self._started, self._machine = started, machine
        self._folder = Path(config.option.records)
        self._journal = Journal(*journal_of(config, selection), resume=config.option.resume)
        self._journal.tell("machine", machine)
        self.done = frozenset(self._journal.keys)
        """Keys of the records that an earlier process made."""

    def prepare(self) -> None:
        """Keep expected arrays, once, before every worker wants them."""
        if not self.selection.isolated and FORWARD in self.selection.directions:
            for dtype in sorted(set(map(drawn_for, self.selection.dtypes))):
                References(self.selection.suite, dtype)

    def tell(self, environment: Mapping[str, str]) -> None:
        """Say on what the records to come are made. Raises RecordError where earlier ones were made on another."""
        self._journal.tell("environment", environment)

    def take(self, record: Record, arrays: Mapping[str, bytes]) -> None:
        """Keep a record, and its evidence as .npy by name."""
        self._journal.add(record, arrays)

    @property
    def is_begun(self) -> bool:
        """Whether a case has a record."""
        return len(self._journal) > 0

    @property
    def is_complete(self) -> bool:
        """Whether every selected case has a record."""
        return len(self._journal) == self.expected > 0

    @property
    def counts(self) -> str:
        """How many of the selected cases have a record, in words."""
        facts = f"incomplete: {len(self._journal)} of {self.expected} selected cases have a record"
        return f"{self.selection.lane} {self.selection.suite.name}: {facts}"

    def close(self, environment: Mapping[str, str]) -> str:
        """Write the record file, made in an environment if the journal knows none; what a complete one lacks, or "".

        Raises OSError where it cannot be written; the journal stays for --resume.
        """
        header, complete = self._header(self._journal.environment or environment), self.is_complete
        self._journal.close(header.path(self._folder), header, complete=complete)
        facts = lack(header, self._journal.verdicts) if complete else ""
        return f"{self.selection.suite.name} {facts}" if facts else ""

    def abandon(self) -> None:
        """Let go of the journal; where no record came, nothing of it stays."""
        self._journal.abandon()

    def _header(self, environment: Mapping[str, str]) -> Header:
        selection = self.selection
        return Header(
            framework=selection.lane.framework,
            variant=selection.lane.variant,
            suite=selection.suite.name,
            dtypes=selection.dtypes,
            directions=selection.directions,
            cases=selection.suite.digest,
            expected=self.expected,
            oracle=oracle_digest(selection.directions),
            shard=selection.shard,
            selection=self._narrowed(),
            environment=environment,
            started=self._started,
            machine=self._machine,
        )

    def _narrowed(self) -> str:
        """What made this run less than its suite or shard, as the user gave it; empty for a whole one."""
        given = (str(word) for word in self._config.invocation_params.args if word != "--resume")
        whole = self.expected == sum(1 for _ in self.selection.asked)
        return "" if whole and not self.selection.narrowed else " ".join(given)


def journal_of(config: pytest.Config, selection: Selection) -> tuple[Path, Identity]:
    """Where a run keeps its journal, and what it has in common with the run that it can go on with."""
    chosen = {name: getattr(config.option, name, None) for name in NARROWING}
    identity = {
        "lane": str(selection.lane), "suite": selection.suite.name, "cases": selection.suite.digest,
        "oracle": oracle_digest(selection.directions), "dtypes": selection.dtypes, "passes": selection.directions,
        "shard": selection.shard, "ids": selection.ids, **chosen,
    }  # fmt: skip
    words = json.dumps([identity[name] for name in ("dtypes", "passes", "shard", "ids", *NARROWING)])
    name = f".{selection.lane}-{selection.suite.name}-{hashlib.sha256(words.encode()).hexdigest()[:8]}.journal"
    return Path(config.option.records, name), identity
