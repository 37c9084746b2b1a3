"""What is stated of lanes and special values, in `cases/specials.toml`, held against what is measured.

Without a statement a lane does what IEEE 754 and the definition say. A statement says where it does not, by a
predicate over problems, and is exact: what is in its region is to show it, unless `partly` says why not all does.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.audit.specials.experiments import ANSWER, DOES, OPERANDS, VALUES
from conformance.audit.specials.measuring import Measured
from conformance.io.bounded import read_text
from conformance.io.folders import cases_folder
from conformance.predicates.condition import Condition
from conformance.predicates.predicate import Predicate, PredicateError
from conformance.problem import Problem
from conformance.records.machine import Machine

Text = Annotated[str, Meta(min_length=1)]
EVERYWHERE = "rank > 0"


class StatementError(ValueError):
    """A file of statements that does not say what it must; the message names the file, the entry and the mend."""


class _Entry(Struct, forbid_unknown_fields=True, frozen=True):
    """A `[[statement]]` of the file."""

    lanes: tuple[Text, ...]
    values: tuple[Text, ...]
    operands: tuple[Text, ...]
    does: Text
    reason: Text
    when: str = EVERYWHERE
    partly: str = ""
    machine: str = ""


class _File(Struct, forbid_unknown_fields=True, frozen=True):
    statement: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a lane does with special values of some kinds in some operands, `when` a problem is of a region, and why.

    `partly` says why not all that is in the region shows it; with `machine` it is about machines of that condition.
    """

    lanes: tuple[str, ...]
    values: tuple[str, ...]
    operands: tuple[str, ...]
    does: str
    when: Predicate
    reason: str
    partly: str
    machine: Condition | None

    def reaches(self, lane: Lane, one: Measured) -> bool:
        """Whether it is about what was measured."""
        return (
            str(lane) in self.lanes
            and one.value in self.values
            and one.operand in self.operands
            and self.when(Problem.parse(one.problem), framework=lane.framework, variant=lane.variant, dtype=one.dtype)
        )

    def holds_on(self, machine: Machine) -> bool:
        """Whether it is about runs on a machine."""
        return self.machine is None or self.machine(machine) is True


@dataclass(frozen=True, slots=True)
class Departure:
    """What was measured and not stated, or stated and not measured: how often, and the smallest problem."""

    value: str
    operand: str
    does: str
    stated: bool
    count: int
    of: int
    smallest: Measured

    @property
    def facts(self) -> str:
        """The sentence that a run prints."""
        one = self.smallest
        where = f'smallest "{one.problem}" in {one.dtype}'
        what = f"{self.value} in the {self.operand} {DOES[self.does]}"
        if self.stated:
            return f"it is stated that {what}, and in {self.count} of {self.of} it does not: {where}"
        return f"{what} in {self.count} of {self.of}, which is not stated: {where}"


def held(lane: Lane, statements: Sequence[Statement], found: Sequence[Measured]) -> Iterator[Departure]:
    """Where a lane and what is stated of it do not agree."""
    for value, operand, does in sorted({(one.value, one.operand, does) for one in found for does in DOES}):
        asked = [one for one in found if (one.value, one.operand) == (value, operand)]
        of_does = [each for each in statements if each.does == does]
        exact = [each for each in of_does if not each.partly]
        new = [one for one in asked if does in one.does and not any(each.reaches(lane, one) for each in of_does)]
        gone = [one for one in asked if does not in one.does and any(each.reaches(lane, one) for each in exact)]
        for stated, those in ((False, new), (True, gone)):
            if those:
                yield Departure(value, operand, does, stated, len(those), len(asked), min(those, key=_size))


def unshown(lane: Lane, statements: Sequence[Statement], found: Sequence[Measured]) -> Iterator[Statement]:
    """Statements of a lane that nothing measured shows, though something is in their region."""
    for each in statements:
        inside = [one for one in found if each.reaches(lane, one)]
        if each.partly and inside and not any(each.does in one.does for one in inside):
            yield each


def _size(one: Measured) -> tuple[int, str, str]:
    return Problem.parse(one.problem).multiplies, one.problem, one.dtype


def stated_here(lane: Lane) -> tuple[Statement, ...]:
    """What is stated of a lane on this machine. Raises StatementError."""
    machine = adapters.machine(lane)
    return tuple(each for each in read() if str(lane) in each.lanes and each.holds_on(machine))


def read() -> tuple[Statement, ...]:
    """All that is stated. Raises StatementError."""
    return _read(cases_folder() / "specials.toml")


@cache
def _read(path: Path) -> tuple[Statement, ...]:
    try:
        entries = msgspec.convert(tomllib.loads(read_text(path)), _File).statement
    except (OSError, ValueError, RecursionError) as error:
        raise StatementError(f"{path}: cannot be read: {error}") from None
    return tuple(_statement(f"{path.name}#{number}", entry) for number, entry in enumerate(entries, 1))


def _statement(where: str, entry: _Entry) -> Statement:
    known = {"values": VALUES, "operands": (*OPERANDS, ANSWER), "does": tuple(DOES), "lanes": _lanes()}
    for name, words in known.items():
        said = getattr(entry, name)
        for word in (said,) if isinstance(said, str) else said:
            if word not in words:
                raise StatementError(f"{where}: {name} has {word!r}: give of {', '.join(words)}")
    try:
        when = Predicate.parse(entry.when)
        machine = Condition.parse(entry.machine) if entry.machine else None
    except PredicateError as error:
        raise StatementError(f"{where}: {error}") from None
    return Statement(
        entry.lanes, entry.values, entry.operands, entry.does, when, " ".join(entry.reason.split()),
        " ".join(entry.partly.split()), machine,
    )  # fmt: skip


def _lanes() -> tuple[str, ...]:
    return tuple(f"{name}-{variant}" for name in adapters.own() for variant in adapters.variants(name))


def table(statements: Iterable[Statement]) -> Iterator[str]:
    """What is stated, as a table in Markdown: a row for each lane and statement."""
    yield "| lane | value | in | what it does | where |"
    yield "|---|---|---|---|---|"
    rows = [(lane, each) for each in statements for lane in each.lanes]
    for lane, each in sorted(rows, key=lambda row: row[0]):
        where = "everywhere" if each.when.text == EVERYWHERE else f"`{each.when.text}`"
        where += ", partly" * bool(each.partly) + (f", on machines with `{each.machine.text}`" if each.machine else "")
        yield f"| `{lane}` | {', '.join(each.values)} | {', '.join(each.operands)} | {DOES[each.does]} | {where} |"
