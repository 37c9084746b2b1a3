"""What the report is handed about faults: plain values of what failed, where, why and how it looks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from numpy.typing import NDArray

from conformance.records.record import Record, SubjectKind, Verdict
from conformance.report.content.history import Past
from conformance.report.words import slug

PREFIX = "fault-"
"""How the name of a fault's page begins."""
Array = NDArray[Any]
Window = tuple[tuple[int, int], ...]


DOES = {
    Verdict.CONFORMS: "answers", Verdict.DIVERGES: "answers otherwise",
    Verdict.REJECTS: "refuses", Verdict.UNSUPPORTED: "cannot say it", Verdict.ACCEPTS_INVALID: "accepts it",
    Verdict.ERRORED: "ends in an error", Verdict.CRASHED: "dies", Verdict.TIMED_OUT: "does not answer in time",
    Verdict.INCONCLUSIVE: "cannot be judged",
}  # fmt: skip
"""What a framework does, by verdict."""


@dataclass(frozen=True, slots=True)
class Known:
    """An expectation on file: a known fault, where it is expected, why, and since when.

    `chance` says why one build does not always show it; empty where it does.
    """

    id: str
    framework: str
    when: str
    verdict: Verdict
    reason: str
    upstream: str
    since: date
    chance: str = ""

    @property
    def headline(self) -> str:
        """The first sentence of the reason, without its full stop."""
        return re.split(r"(?<=[^.])[.:;](?=\s|$)", self.reason.strip(), maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.id}, since {self.since}. {self.reason} Upstream: {self.upstream}."


@dataclass(frozen=True, slots=True)
class Where:
    """Where something is in one lane, in words: by a predicate with its coverage, if there are enough records to say.

    `exact` is of a predicate that covers every record meant and no other. With too few records there is no predicate.
    """

    lane: str
    predicate: str
    coverage: str
    exact: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of a witness in NC* order: operands, the whole stamp, and the answer that is expected.

    `window` is cut from the stamp; `moved` is the one that the diagnosis says was cut instead, if any.
    """

    x: Array
    weight: Array
    bias: Array | None
    full: Array
    expected: Array
    window: Window
    moved: Window | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lane made of the witness; `actual` is kept where it diverges."""

    record: Record
    actual: Array | None


@dataclass(frozen=True, slots=True)
class Snippet:
    """A script that makes the witness's call in a framework's own words and compares; or why there is none."""

    framework: str
    lane: str
    code: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Records of one framework that fail alike: by one diagnosis, or with one message, expected by the same or nobody.

    `where` has a predicate a lane, for those that are told apart by one. `diagnosis` is the misreading that gives the
    arrays exactly (`misread`), or what else is known of them; empty where no array came. `also` counts the records
    whose data cannot tell it from another one.
    """

    framework: str
    verdict: Verdict
    title: str
    diagnosis: str
    also: Mapping[str, int]
    where: tuple[Where, ...]
    records: tuple[Record, ...]
    known: Known | None
    witness: Record
    problem: str
    arrays: Arrays | None
    answers: tuple[Answer, ...]
    snippets: tuple[Snippet, ...]
    past: Past | None = None
    misread: bool = False

    @property
    def name(self) -> str:
        """The name of its page, which stays the same as long as the fault does."""
        known = self.known.id if self.known else ""
        parts = (self.framework, self.verdict, known, self.title, " ".join(self.suites))
        return f"{PREFIX}{slug(self.framework)}-{slug(self.title)}-{sha256(repr(parts).encode()).hexdigest()[:6]}"

    @property
    def new(self) -> bool:
        """Whether nobody expected it."""
        return self.known is None

    @property
    def headline(self) -> str:
        """What it is in our own words: its diagnosis, or the reason of its expectation, or its verdict."""
        if self.diagnosis:
            return self.title
        return self.known.headline if self.known else DOES[self.verdict]

    @property
    def predicates(self) -> tuple[str, ...]:
        """The different predicates of its lanes."""
        return tuple(dict.fromkeys(where.predicate for where in self.where if where.predicate))

    @property
    def lanes(self) -> tuple[str, ...]:
        return tuple(sorted({record.lane for record in self.records}))

    @property
    def called(self) -> tuple[str, ...]:
        """What is wrong with the calls of its negative cases."""
        return tuple(sorted({record.fault for record in self.records} - {""}))

    @property
    def of_invalid_calls(self) -> bool:
        """Whether all its calls are ones that are to be refused."""
        return all(record.fault or record.claimed == Verdict.REJECTS for record in self.records)

    @property
    def suites(self) -> tuple[str, ...]:
        """What its cases are: problems, or a framework's own calls."""
        return tuple(
            sorted({"problems" if record.subject is SubjectKind.PROBLEM else "calls" for record in self.records})
        )


@dataclass(frozen=True, slots=True)
class Region:
    """Problems of which a lane makes one thing other than the right answer, with one message: where they are.

    `known` is the expectation that all of them are of, whose region is told first. `faults` name
    the operands or words of negative calls, which no predicate over problems says.
    """

    outcome: str
    message: str
    count: int
    where: Where | None
    faults: tuple[str, ...]
    witness: Record
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """What a lane accepts: how often it does what, and where it does not answer rightly."""

    lane: str
    counts: Mapping[str, int]
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """Something that is not as it was in the run before: what, in which lane, of how many cases, and where to look."""

    lane: str
    change: str
    title: str
    count: int
    worse: bool
    link: str = ""
