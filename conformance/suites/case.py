"""A case and a suite, as values."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from conformance.idioms.base import ClaimedCall
from conformance.problem import FORWARD, Problem
from conformance.records.record import Key, SubjectKind
from conformance.suites.departure import Departure


@dataclass(frozen=True, slots=True)
class Exact:
    """The problem, in whatever call the adapter has for it, on operands for which every sum is exact."""


EXACT = Exact()


@dataclass(frozen=True, slots=True)
class Learnt:
    """The weight of a model's layer: the file and the name that it has there, its digest, the order of its axes and
    taps, and whether a bias lies beside it."""

    file: str
    name: str
    digest: str
    axes: str
    reverse: bool
    bias: bool


@dataclass(frozen=True, slots=True)
class Rounded:
    """The problem, in whatever call the adapter has for it, on the operands of `numerics.rounding`; with a weight of
    a model, on those of `numerics.learnt`."""

    learnt: Learnt | None = None


@dataclass(frozen=True, slots=True)
class LedgerClaim:
    """A claim of the ledger, which brings problems of its own."""


Subject = Exact | Rounded | ClaimedCall | Departure | LedgerClaim
"""What a case puts to a framework: a problem, one written call, a call at or past the limits, or a claim."""


@dataclass(frozen=True, slots=True)
class Case:
    """A problem worth testing: a permanent id, the fact that makes it worth it, and what it probes.

    The problem of a negative case may be invalid.
    """

    id: str
    problem: Problem
    descriptor: str
    why: str
    probes: tuple[str, ...]
    source: str
    subject: Subject = EXACT

    @property
    def refused(self) -> str:
        """Why the framework is claimed to refuse the call; empty where it is to answer."""
        return self.subject.claim.refused if isinstance(self.subject, ClaimedCall) else ""

    @property
    def drawn(self) -> Problem:
        """The problem that data is drawn for: the whole stamp where a refused call says no valid window or stride."""
        problem = self.problem
        if not self.refused:
            return problem
        stride, dilation = (tuple(max(1, step) for step in steps) for steps in (problem.stride, problem.dilation))
        zeros = (0,) * problem.rank
        return replace(problem, pads=((0, 0),) * problem.rank, output_padding=zeros, stride=stride, dilation=dilation)

    @property
    def seconds(self) -> float:
        """What the call may take; 0 where the case sets no limit of its own."""
        return self.subject.seconds if isinstance(self.subject, Departure) else 0.0

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What a record says of its case's subject, by the record's fields."""
        match self.subject:
            case ClaimedCall() as call:
                claimed = "rejects" if call.claim.refused else "conforms"
                return {"idiom": call.name, "claimed": claimed, "call": str(call)}
            case Departure() as departure:
                return {"fault": departure.fault}
            case LedgerClaim():
                return {"idiom": SubjectKind.CLAIM.value}
            case Rounded(learnt):
                own = {} if learnt is None else {"learnt": 1}
                return {"rounding": {"terms": self.problem.terms, **own}}
            case Exact():
                return {}


class Asked(NamedTuple):
    """What is asked of a lane at once: a case, in a dtype and a pass."""

    case: Case
    dtype: str
    direction: str = FORWARD

    @property
    def key(self) -> Key:
        """That of its record."""
        return self.case.id, self.dtype, self.direction

    @property
    def name(self) -> str:
        """What pytest calls it; the forward pass is not named."""
        return ".".join((self.case.id, self.dtype, *[self.direction] * (self.direction != FORWARD)))


def departure_of(case: Case) -> Departure:
    """What is unlike a problem in a negative case. Raises TypeError for a case of another subject."""
    if isinstance(case.subject, Departure):
        return case.subject
    raise TypeError(f"case {case.id} is no negative case")


@dataclass(frozen=True, slots=True)
class Suite:
    """A named set of cases of one kind of subject, in file order.

    `dtypes` are those that it is for, if not all; `directions` the passes that it runs in where no other is asked for.
    `file` is what it is asked for by, where that is another name: of a scan, its file.
    """

    name: str
    cases: tuple[Case, ...]
    dtypes: tuple[str, ...] = ()
    file: str = ""
    directions: tuple[str, ...] = (FORWARD,)

    @property
    def digest(self) -> str:
        """Hash of every id and problem: two runs with the same digest ran the same cases."""
        lines = sorted(f"{case.id} {case.descriptor}\n" for case in self.cases)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
