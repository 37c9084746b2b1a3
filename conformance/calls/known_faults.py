"""What is known of a port's target on the very problem that its call puts: other answers, refusals, ends of processes.

It is what `cases/expectations/` states, asked for the call that a port makes, in the dtypes that it may be run in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.calls.meaning import without_kernel
from conformance.calls.port import Port, reductions
from conformance.idioms.base import DTYPES, Refusal, Use
from conformance.problem import FORWARD, Problem
from conformance.records.record import Verdict
from conformance.suites.expectations import Expectation, read_expectations

SAID = {
    Verdict.DIVERGES: "gives another answer", Verdict.REJECTS: "refuses this",
    Verdict.CRASHED: "ends the process", Verdict.ERRORED: "fails by an exception that is no clean refusal",
    Verdict.TIMED_OUT: "may not come to an end",
}  # fmt: skip
"""What happens, by the verdict that is expected."""
MAY = {
    Verdict.DIVERGES: "may give another answer", Verdict.REJECTS: "may refuse this",
    Verdict.CRASHED: "may end the process", Verdict.ERRORED: "may fail by an exception that is no clean refusal",
    Verdict.TIMED_OUT: "may not come to an end",
}  # fmt: skip
"""The same where the expectation is not exact: it does not happen to every problem of the region, or not every time."""
HELPS = {
    "crop": "cut the whole window after a call that cuts nothing",
    "stretch": "stretch the kernel by zeros in place of dilation",
    "groups": "take the groups one by one",
    "dense": "make the groups one kernel with zeros between them",
}
"""What can be done instead, by the step that stands around a call then."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault of a port's target on its problem: what happens in these dtypes, why, where it is said, and what helps.

    `only` says when it does not happen, or which machines it is of; empty where it always happens.
    """

    id: str
    framework: str
    happens: str
    dtypes: tuple[str, ...]
    reason: str
    upstream: str = ""
    only: str = ""
    helps: tuple[str, ...] = ()
    lane: Lane | None = None
    """Where it happens, if not in the lane that is to run the port."""
    certain: bool = True
    """Whether it happens to every problem of the region, each time."""

    def lines(self, told: Set[str] = frozenset()) -> Iterator[str]:
        """The fault in words; its reason is not repeated where it is among what was `told`."""
        link = f" ({self.upstream})" if self.upstream.startswith("http") else ""
        reason = "for the same reason" if self.reason in told else f"{' '.join(self.reason.split())}{link}"
        where = f" on {self.lane}" if self.lane else ""
        yield f"known in {' and '.join(self.dtypes)}{where}: {self.framework} {self.happens}: {reason}"
        if self.only and self.reason not in told:
            yield f"  not always: {self.only}"
        if self.helps:
            yield f"  what helps: {'; or '.join(self.helps)}"


def fault_lines(faults: Sequence[KnownFault]) -> Iterator[str]:
    """Faults in words, a reason once."""
    for at, fault in enumerate(faults):
        yield from fault.lines({other.reason for other in faults[:at]})


def known_faults(port: Port, lane: Lane) -> list[KnownFault]:
    """The known faults of a port's target on its problem, each told once: where it is run in a lane, and then those of
    the framework's other lanes that this one has not."""
    faults = list(_of_port(port, lane))
    for variant in adapters.variants(lane.framework):
        if variant != lane.variant:
            other = Lane(lane.framework, variant)
            faults += [replace(fault, lane=other) for fault in _unlike(_of_port(port, other), faults)]
    return faults


def faults_of_problem(problem: Problem, lane: Lane, dtype: str) -> list[KnownFault]:
    """The known faults of a lane on a problem in a dtype, in whatever call its adapter makes of it."""
    asked = _Asked(problem, (), lane, tuple(each for each in _applying(lane.framework) if not each.idiom))
    return [replace(fault, lane=lane) for fault in _of_lane(asked, (dtype,))]


def _unlike(others: Iterable[KnownFault], told: Sequence[KnownFault]) -> Iterator[KnownFault]:
    """Faults in the dtypes in which nothing of the kind is told yet."""
    for fault in others:
        known = {dtype for other in told if other.happens == fault.happens for dtype in other.dtypes}
        if dtypes := tuple(dtype for dtype in fault.dtypes if dtype not in known):
            yield replace(fault, dtypes=dtypes)


def _of_port(port: Port, lane: Lane) -> Iterator[KnownFault]:
    """The known faults of a port in one lane, each told once, and where the target's call is claimed to be refused."""
    names = (port.target.name, port.point.origin)
    asked = _Asked(port.target.claim.problem, names, lane, tuple(_applying(lane.framework)))
    faults = list(_of_lane(asked, DTYPES))
    yield from faults
    yield from _refused(port, asked, {dtype for fault in faults for dtype in fault.dtypes})


def _of_lane(asked: "_Asked", dtypes_asked: Sequence[str]) -> Iterator[KnownFault]:
    """The known faults in one lane, each told once."""
    lane, problem = asked.lane, asked.problem
    faults: dict[tuple[str, str], KnownFault] = {}
    for expectation in asked.expectations:
        if dtypes := tuple(dtype for dtype in dtypes_asked if asked.holds(expectation, lane.variant, dtype, problem)):
            machine = f"it is of machines where {expectation.machine.text}" if expectation.machine else ""
            only = [" ".join(text.split()) for text in (expectation.partly, expectation.chance, machine) if text]
            happens = (SAID if expectation.exact else MAY)[expectation.verdict]
            fault = KnownFault(
                expectation.id, lane.framework, happens, dtypes, expectation.reason, expectation.upstream,
                "; ".join(only), tuple(asked.helps(dtypes)), certain=expectation.exact,
            )  # fmt: skip
            faults.setdefault((fault.happens, fault.upstream if fault.upstream.startswith("http") else fault.id), fault)
    yield from faults.values()


_version = cache(adapters.installed_version)
"""The version that is installed here, looked up once: a scan asks of each lane at each size."""


def _applying(framework: str) -> Iterator[Expectation]:
    """What is expected of a framework in the version that is installed here, or in any, on some machine."""
    version, today = _version(framework), datetime.now(UTC).date()
    for expectation in read_expectations(framework):
        if expectation.verdict in SAID and expectation.applies(version, today):
            yield expectation


@dataclass(frozen=True, slots=True)
class _Asked:
    """A problem, the names of the call that puts it, the lane that is to run it, and what is expected of that."""

    problem: Problem
    names: tuple[str, ...]
    lane: Lane
    expectations: tuple[Expectation, ...]

    def holds(self, expectation: Expectation, variant: str, dtype: str, problem: Problem) -> bool:
        """Whether the region of an expectation holds a problem of the call; where it is of no idiom, it is of what is
        beneath each."""
        if expectation.idiom and not any(
            fnmatchcase(name, pattern) for name in self.names for pattern in expectation.idiom
        ):
            return False
        claimed = str(Verdict.CONFORMS) if expectation.idiom else ""
        run = {"framework": self.lane.framework, "variant": variant, "dtype": dtype, "direction": FORWARD}
        return expectation.when(problem, **run, claimed=claimed, fault="")

    def sound(self, variant: str, dtype: str, problem: Problem) -> bool:
        """Whether no region holds a problem."""
        return not any(self.holds(expectation, variant, dtype, problem) for expectation in self.expectations)

    def helps(self, dtypes: Sequence[str]) -> Iterator[str]:
        """What is in no region: another dtype, another way to execute, or steps around the call."""
        problem, ours = self.problem, self.lane.variant
        there = (dtype for dtype in DTYPES if _computes(self.lane, dtype) and self.sound(ours, dtype, problem))
        yield from (f"compute in {dtype}" for dtype in there)
        ways: dict[str, list[str]] = {}
        for dtype in dtypes:
            for way in (*self.variants(dtype), *self._steps(dtype)):
                ways.setdefault(way, []).append(dtype)
        yield from (f"in {' and '.join(where)} {way}" for way, where in ways.items())

    def variants(self, dtype: str, refuses: Callable[[str], str] = lambda _: "") -> Iterator[str]:
        """Other ways to execute that are in no region, and of which it is not known that they refuse the call."""
        for variant in adapters.variants(self.lane.framework):
            if variant != self.lane.variant and self.sound(variant, dtype, self.problem) and not refuses(variant):
                how = adapters.how_to_run(Lane(self.lane.framework, variant), self.lane.variant)
                yield f"run it as {variant}: {how}"

    def _steps(self, dtype: str) -> Iterator[str]:
        apart = (way for way in reductions(self.problem) if set(way.steps) - {"bias"})
        if way := next((way for way in apart if self.sound(self.lane.variant, dtype, way.problem)), None):
            yield " and ".join(HELPS[step] for step in way.steps if step in HELPS)


def _computes(lane: Lane, dtype: str) -> bool:
    """Whether a lane is known to compute in a dtype, which is said of those alone whose calls are read."""
    return lane.framework in idioms.frameworks() and not without_kernel(lane.framework, lane.variant, dtype)


def _refused(port: Port, asked: _Asked, told: Set[str]) -> Iterator[KnownFault]:
    """The dtypes in which the target's call is claimed to be refused, and of which nothing is told yet."""
    target, lane = port.target, asked.lane

    def reason(dtype: str, variant: str) -> str:
        rank = target.claim.problem.rank
        return target.idiom.read(Use(rank, target.arguments, target.shapes, variant, dtype)).refused

    for dtype in DTYPES:
        with suppress(Refusal):  # of which nothing is claimed
            if dtype not in told and (refused := reason(dtype, lane.variant)):
                ways = asked.variants(dtype, partial(reason, dtype))
                helps = tuple(f"in {dtype} {way}" for way in ways)
                yield KnownFault("", lane.framework, SAID[Verdict.REJECTS], (dtype,), refused, helps=helps)


def as_data(fault: KnownFault) -> dict[str, Any]:
    """A fault as data, by the keys that docs/porting.md documents."""
    return {
        "id": fault.id or None, "lane": str(fault.lane) if fault.lane else None, "happens": fault.happens,
        "dtypes": list(fault.dtypes),
        "reason": " ".join(fault.reason.split()), "upstream": fault.upstream or None, "only": fault.only or None,
        "helps": list(fault.helps),
    }  # fmt: skip
