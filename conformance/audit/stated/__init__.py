"""What is stated of lanes, held against what is measured.

Without a statement a lane does what is due. A statement says where it does not, by a predicate over problems, and is
exact: what is in its region is to show it, unless `partly` says why not all does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.predicates.condition import Condition
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.records.machine import Machine

EVERYWHERE = "rank > 0"
ANYTHING = "anything"
"""What a lane may do where it was not measured, as on other machines, or differs from run to run: nothing is judged."""
NOT_JUDGED = "is not judged"


class Shown(Protocol):
    """What was measured on a problem in a dtype: what `subject` does, none where all is as due."""

    @property
    def problem(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def does(self) -> tuple[str, ...]: ...

    @property
    def message(self) -> str:
        """What was said of it, if anything."""
        ...


@dataclass(frozen=True, slots=True)
class Statement:
    """What subjects of lanes do, `when` a problem is of a region, and why.

    `labels` are what a table says of the subjects. `partly` says why not all that is in the region shows it; with
    `machine` it is about machines of that condition.
    """

    lanes: tuple[str, ...]
    subjects: tuple[str, ...]
    labels: tuple[str, ...]
    does: str
    when: Predicate
    reason: str
    partly: str = ""
    machine: Condition | None = None

    def reaches(self, lane: Lane, one: Shown) -> bool:
        """Whether it is about what was measured."""
        return (
            str(lane) in self.lanes
            and one.subject in self.subjects
            and self.when(Problem.parse(one.problem), framework=lane.framework, variant=lane.variant, dtype=one.dtype)
        )

    def holds_on(self, machine: Machine) -> bool:
        """Whether it is about runs on a machine."""
        return self.machine is None or self.machine(machine) is True

    @property
    def where(self) -> str:
        """Its region, for a table in Markdown."""
        where = "everywhere" if self.when.text == EVERYWHERE else f"`{self.when.text}`"
        return (
            where
            + ", partly" * bool(self.partly)
            + (f", on machines with `{self.machine.text}`" if self.machine else "")
        )


@dataclass(frozen=True, slots=True)
class Departure:
    """What was measured and not stated, or stated and not measured: how often, and the smallest problem."""

    what: str
    stated: bool
    count: int
    of: int
    smallest: Shown

    @property
    def facts(self) -> str:
        """The sentence that a run prints."""
        one = self.smallest
        where = f'smallest "{one.problem}" in {one.dtype}{f": {one.message}" if one.message else ""}'
        if self.stated:
            return f"a statement says that {self.what}, and in {self.count} of {self.of} problems it does not: {where}"
        return f"{self.what} in {self.count} of {self.of} problems, and no statement says so: {where}"


def held(
    lane: Lane, statements: Sequence[Statement], found: Sequence[Shown], texts: Mapping[str, str]
) -> Iterator[Departure]:
    """Where a lane and what is stated of it do not agree; `texts` says each thing that a subject may do."""
    judged = _judged(lane, statements, found)
    for subject, does in sorted({(one.subject, does) for one in judged for does in texts}):
        asked = [one for one in judged if one.subject == subject]
        of_does = [each for each in statements if each.does == does]
        exact = [each for each in of_does if not each.partly]
        new = [one for one in asked if does in one.does and not any(each.reaches(lane, one) for each in of_does)]
        gone = [one for one in asked if does not in one.does and any(each.reaches(lane, one) for each in exact)]
        for stated, those in ((False, new), (True, gone)):
            if those:
                what = f"{subject} {texts[does]}"
                yield Departure(what, stated, len(those), len(asked), min(those, key=_size))


def unshown(
    lane: Lane, statements: Sequence[Statement], found: Sequence[Shown], texts: Mapping[str, str]
) -> Iterator[str]:
    """Statements of a lane that nothing measured shows, though something is in their region, each as a sentence."""
    judged = _judged(lane, statements, found)
    for each in statements:
        inside = [one for one in judged if each.reaches(lane, one)]
        if each.partly and inside and not any(each.does in one.does for one in inside):
            yield f"a statement says that {' in '.join(each.labels)} {texts[each.does]}, and no problem shows it"


def _judged(lane: Lane, statements: Iterable[Statement], found: Iterable[Shown]) -> list[Shown]:
    """What was measured, but for that which may be anything."""
    free = [each for each in statements if each.does == ANYTHING]
    return [one for one in found if not any(each.reaches(lane, one) for each in free)]


def _size(one: Shown) -> tuple[int, str, str]:
    return Problem.parse(one.problem).multiplies, one.problem, one.dtype


def stated_here(lane: Lane, statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Which of statements are about a lane on this machine."""
    machine = adapters.machine(lane)
    return tuple(each for each in statements if str(lane) in each.lanes and each.holds_on(machine))
