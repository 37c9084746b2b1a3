"""What the report is handed about the audit of the cases, and the file that it is kept in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from conformance.io.bounded import read_named_bytes

FORMAT: Literal["conformance-audit/1"] = "conformance-audit/1"
DEFAULT = Path("reports/audit.json")
"""Where the report looks for it."""


class AuditError(ValueError):
    """A file that is no audit; the message names it and says what to do."""


class Killer(Struct, frozen=True, forbid_unknown_fields=True):
    """A case that tells a mutant."""

    case: str
    problem: str


class MutantRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A mutant: where it was tried and whether it was seen there, and the cases of core that kill it first.

    `kills` counts the cases of each suite that kill it, where every case was tried. `equivalent` proves that no case
    can.
    """

    name: str
    family: str
    equivalent: str
    seen: Mapping[str, bool]
    killers: Sequence[Killer]
    kills: Mapping[str, int] = {}

    @property
    def is_seen_twice(self) -> bool:
        """Whether two cases of core kill it, which differ in shape."""
        return len(self.killers) > 1


class StruckRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A process mutant: what was recorded of it, and what is wrong with that; nothing, where it is as it must be."""

    fault: str
    verdict: str
    message: str
    wrong: str


class FakeRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A fake: what it does, what came of it on each route, and where it is green, which it must not be anywhere."""

    fake: str
    what: str
    routes: Mapping[str, str]
    wrong: str


class Audit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the cases see of implementations that are wrong on purpose.

    `places` are where mutants were tried, suites first; `cases` counts the cases of those that are suites.
    """

    format: Literal["conformance-audit/1"] = FORMAT
    places: Sequence[str]
    cases: Mapping[str, int]
    mutants: Sequence[MutantRow]
    struck: Sequence[StruckRow]
    fakes: Sequence[FakeRow] = ()

    @property
    def told(self) -> list[MutantRow]:
        """The mutants that are not proved equivalent."""
        return [mutant for mutant in self.mutants if not mutant.equivalent]

    @property
    def equivalent(self) -> list[MutantRow]:
        """The mutants that are proved equivalent."""
        return [mutant for mutant in self.mutants if mutant.equivalent]

    @property
    def families(self) -> Mapping[str, Sequence[MutantRow]]:
        """The mutants that can be told, by family, in their order."""
        names = dict.fromkeys(mutant.family for mutant in self.told)
        return {name: [mutant for mutant in self.told if mutant.family == name] for name in names}

    def unseen(self, place: str) -> list[str]:
        """The names of the mutants that can be told, and are not seen there."""
        return [mutant.name for mutant in self.told if not mutant.seen[place]]


def dump(audit: Audit) -> bytes:
    """The text of an audit's file, the same bytes for the same audit."""
    return msgspec.json.format(msgspec.json.encode(audit), indent=1) + b"\n"


def read(path: Path) -> Audit:
    """The audit in a file. Raises AuditError where it is none, and OSError."""
    try:
        audit = msgspec.json.decode(read_named_bytes(path), type=Audit)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: no audit: {error}: write it again with `conformance audit --to {path}`") from None
    for mutant in audit.told:
        if absent := {*audit.places} - mutant.seen.keys():
            raise AuditError(f"{path}: {mutant.name} was not tried on {', '.join(sorted(absent))}, which is in places: "
                             f"write it again with `conformance audit --to {path}`")  # fmt: skip
    return audit
