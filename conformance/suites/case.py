"""A case and a suite, as values."""

import hashlib
from dataclasses import dataclass, replace

from conformance.idioms.base import Point
from conformance.problem import Problem
from conformance.suites.departure import Hostile


@dataclass(frozen=True, slots=True)
class Case:
    """A problem worth testing: a permanent id, the fact that makes it worth it, and what it probes.

    `point` is the call to make, where a certain one is tested and not whichever says the problem; `hostile` is what is
    unlike a problem in a negative case, whose problem may be invalid; `claim` says that it is one of the ledger, with
    problems of its own; `rounds` that its operands are those of `numerics.rounding`, whose answer is not exact.
    """

    id: str
    problem: Problem
    descriptor: str
    why: str
    probes: tuple[str, ...]
    source: str
    point: Point | None = None
    hostile: Hostile | None = None
    claim: bool = False
    rounds: bool = False

    @property
    def refused(self) -> str:
        """Why the framework is claimed to refuse the call; empty where it is to answer."""
        return "" if self.point is None else self.point.claim.refused

    @property
    def drawn(self) -> Problem:
        """The problem that data is drawn for: the whole stamp where a refused call says no valid window or stride."""
        said = self.problem
        if not self.refused:
            return said
        stride, dilation = (tuple(max(1, step) for step in steps) for steps in (said.stride, said.dilation))
        zeros = (0,) * said.rank
        return replace(said, pads=((0, 0),) * said.rank, output_padding=zeros, stride=stride, dilation=dilation)

    @property
    def claimed(self) -> str:
        """The verdict that a claim says; only idioms claim one."""
        return "rejects" if self.refused else "conforms"


@dataclass(frozen=True, slots=True)
class Suite:
    """A named set of cases, in file order; `dtypes` are those it is for, if not all."""

    name: str
    cases: tuple[Case, ...]
    dtypes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Hash of every id and problem: two runs with the same digest ran the same cases."""
        lines = sorted(f"{case.id} {case.descriptor}\n" for case in self.cases)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
