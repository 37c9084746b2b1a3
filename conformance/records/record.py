"""One verdict with its evidence, and the run that it is of.

Timestamps and the environment stand in the header only; `seconds` is the only other field that two runs of the same
build may disagree on.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from conformance.problem import BACKWARD
from conformance.records.machine import Machine

IDIOMS, PORTS, CLAIMS = "idioms", "ports", "claims"
"""The suites whose cases are a framework's own, so that no two frameworks have the same."""

NEGATIVE = "negative"
"""The suite whose cases are calls at and past the limits, and need not be problems that have an answer."""

PARTIAL = "partial"
"""The folder, among record files, for those of a run of some cases or dtypes."""

HALF = "half"
"""The suite that runs in half precision alone."""

INTEGER = "integers"
"""The suite that runs in integer dtypes alone."""

GRADIENTS = "gradients"
"""The suite that runs the passes of gradients alone."""

ROUNDING = "rounding"
"""The suite whose answers cannot be exact."""

FUNCTION = "function"
"""The variant of a function of the user, which `conformance.check` put to the cases: no command runs its lane."""


class Verdict(StrEnum):
    """What one lane made of one case; never folded into each other."""

    CONFORMS = "conforms"
    DIVERGES = "diverges"
    REJECTS = "rejects"
    UNSUPPORTED = "unsupported"
    ACCEPTS_INVALID = "accepts-invalid"
    ERRORED = "errored"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    INCONCLUSIVE = "inconclusive"

    @property
    def fails(self) -> bool:
        """Whether a run with this verdict fails where nobody expected it; an adapter says itself what it cannot say."""
        return self not in (Verdict.CONFORMS, Verdict.UNSUPPORTED)


class SubjectKind(StrEnum):
    """What a record's case put to the framework."""

    PROBLEM = "problem"
    """A problem, in whatever call the adapter has for it; a negative case's, in unchecked words."""
    CALL = "call"
    """A call as it is written, whose meaning an idiom claims."""
    PORT = "port"
    """A call of another framework, ported."""
    CLAIM = "claim"
    """A claim of the ledger."""


_PORTED = "port/"


class RecordError(ValueError):
    """A record file that cannot be trusted; the message names the file, the fault and the fix."""


Key = tuple[str, str, str]

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
Name = Annotated[str, Meta(pattern=rf"^{NAME}$(?!\n)")]
"""Text that can be part of a file's name, and never of another folder's."""

Label = Annotated[str, Meta(min_length=1, description="Text on one line, of which a terminal shows every character.")]
"""What a case is called; `record_file.read` refuses one that is not printable."""

_INSTANT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00)?$(?!\n)"
Instant = Annotated[
    str, Meta(pattern=_INSTANT, description="A time in UTC to the second; empty where it is not known.")
]
"""A time such as 2026-11-01T02:17:00+00:00."""

Count = Annotated[int, Meta(ge=0)]
Position = Annotated[int, Meta(ge=1)]

Number = float | int
"""A number as JSON has it: a whole one is written as a whole one again."""


@dataclass(frozen=True, slots=True)
class Record:
    """One verdict with its evidence; hashes are of arrays in the run's dtype, `seconds` is the native call's time.

    `idiom` names the claim that was put to the proof, where there was one: of a call such as "torch-layer/padding", of
    a port such as "port/torch-to-jax", "claim" of the ledger's. `subject` tells them apart; `claimed` is the verdict
    that the claim says.
    `replicated` are explanations of a diverging array by several statements, in words, each with whether it explained
    the answer to the same problem on redrawn operands, too; those that were not asked are not there.
    `fault` is what is wrong with the call of a negative case, which its problem alone does not say; `trace` the last
    lines that a process wrote before it died. `rounding` is of a case that cannot be exact: its number of `terms`, and
    how far it was rounded, as in `rounding.Rounding`; `accumulation` its class as `declared` by the adapter, and as
    `measured` where the answer is within one.
    """

    framework: str
    variant: str
    case: Label
    dtype: Name
    direction: Name
    problem: str
    verdict: Verdict
    kind: str = ""
    message: str = ""
    call: str = ""
    composed: tuple[str, ...] = ()
    deviation: Mapping[str, Any] | None = None
    certificate: Mapping[str, int] | None = None
    expected: str = ""
    actual: str = ""
    seconds: Number = 0.0
    idiom: str = ""
    claimed: str = ""
    fault: str = ""
    trace: tuple[str, ...] = ()
    rounding: Mapping[str, Number] | None = None
    accumulation: Mapping[str, str] | None = None
    replicated: Mapping[str, bool] | None = None

    @property
    def subject(self) -> SubjectKind:
        """What was put to the framework."""
        if not self.idiom:
            return SubjectKind.PROBLEM
        if self.idiom == SubjectKind.CLAIM:
            return SubjectKind.CLAIM
        return SubjectKind.PORT if self.idiom.startswith(_PORTED) else SubjectKind.CALL

    @property
    def ported_from(self) -> str:
        """The framework whose call was ported; empty where none was."""
        source, to, _ = self.idiom.removeprefix(_PORTED).partition("-to-")
        return source if to and self.subject is SubjectKind.PORT else ""

    @property
    def fails(self) -> bool:
        """Whether a run with this record fails: a claim by any verdict but its own, a negative case by no refusal.

        That no operands can be exact in its dtype is nobody's failure.
        """
        if (self.fault and self.verdict is Verdict.REJECTS) or self.undrawn:
            return False
        return self.verdict != self.claimed if self.claimed else self.verdict.fails

    @property
    def answer(self) -> str:
        """The answer's hash where another one would be a change; an answer that may round has many that conform."""
        return "" if self.rounding and self.verdict is Verdict.CONFORMS else self.actual

    @property
    def redrawn(self) -> bool:
        """Whether `operands.draw` gives its operands again: not of claims, negative cases, gradients, nor those that
        round."""
        return not (self.fault or self.rounding or self.subject is SubjectKind.CLAIM or self.direction in BACKWARD)

    @property
    def undrawn(self) -> bool:
        """Whether nothing can be said in its dtype: a sum has more terms than it counts to, and no operand is zero;
        or where sums may round, than the bound of any but the first classes of accumulation is for.

        Other operands that are not exact are a failure, since exact ones could have been drawn.
        """
        held = self.certificate
        if self.verdict is not Verdict.INCONCLUSIVE or held is None:
            return False
        most = (1 << held["bits"]) - self.dtype.startswith("int")  # an integer dtype ends before that power of two
        return 2 * held["terms"] >= most if self.rounding else held["terms"] > most

    @property
    def key(self) -> Key:
        return self.case, self.dtype, self.direction

    @property
    def lane(self) -> str:
        return f"{self.framework}-{self.variant}"

    def to_json(self) -> str:
        """The record as one line: empty fields left out, `direction` under its name on disk, `pass`."""
        return _text({name: value for field, name in WRITTEN.items() if (value := getattr(self, field))})


ON_DISK = {"direction": "pass"}
"""Names of fields on disk, where they are others."""

NAMES = tuple(f.name for f in fields(Record))
WRITTEN = {name: ON_DISK.get(name, name) for name in NAMES}
"""Names of all fields with those on disk."""

_text = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Header:
    """What was run, on what: `cases` is the suite's digest, `expected` how many records the run was to have.

    `environment` is what the build consists of, `machine` where it ran, as in `machine.FACTS`; files that were written
    before there was a `machine` are read, and theirs is not known.

    `selection` says what narrowed the suite (such as "-k grid"); empty where all of it, or of a shard, was to run.
    """

    framework: Name
    variant: Name
    suite: Name
    dtypes: tuple[str, ...]
    directions: tuple[str, ...]
    cases: str
    expected: Count
    oracle: str
    shard: tuple[Position, Position] = (1, 1)
    selection: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    started: Instant = ""
    machine: Machine = field(default_factory=dict)

    @property
    def lane(self) -> str:
        return f"{self.framework}-{self.variant}"

    @property
    def version(self) -> str:
        """The framework's version, as it says itself; empty where it was not recorded."""
        return self.environment.get(self.framework, "")

    def path(self, folder: Path) -> Path:
        """Where the record file belongs."""
        return path(folder, self.lane, self.suite, self.shard, narrowed=bool(self.selection))


@dataclass(frozen=True, slots=True)
class Run:
    """A record file: a header and records in key order; `complete` says whether the run came to its own end."""

    header: Header
    records: tuple[Record, ...]
    complete: bool
    path: Path | None = field(default=None, compare=False)
    """The file that it was read from."""

    @property
    def verdicts(self) -> Mapping[str, int]:
        """How many records of each verdict, in the order of `Verdict`."""
        counts = Counter(record.verdict for record in self.records)
        return {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}


def path(folder: Path, lane: str, suite: str, shard: tuple[int, int] = (1, 1), *, narrowed: bool = False) -> Path:
    """Where a record file belongs; a narrowed run goes apart, so that it never replaces a whole one."""
    part = "" if shard == (1, 1) else f".{shard[0]}of{shard[1]}"
    return folder / (PARTIAL if narrowed else "") / f"{lane}-{suite}{part}.jsonl"
