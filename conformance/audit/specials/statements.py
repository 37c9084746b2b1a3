"""What is stated of lanes and special values, in `cases/specials.toml`.

Without a statement a lane does what IEEE 754 and the definition say.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product, starmap
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from conformance.audit import stated
from conformance.audit.specials.experiments import ANSWER, DOES, OPERANDS, VALUES
from conformance.audit.specials.measuring import subject_of
from conformance.audit.stated import ANYTHING, EVERYWHERE, Statement
from conformance.io.folders import cases_folder
from conformance.problem import FORWARD, PASSES

NOT_JUDGED = "is not judged"
Text = Annotated[str, Meta(min_length=1)]


class _Entry(Struct, forbid_unknown_fields=True, frozen=True):
    """A `[[statement]]` of the file."""

    lanes: tuple[Text, ...]
    values: tuple[Text, ...]
    operands: tuple[Text, ...]
    does: Text
    reason: Text
    passes: tuple[Text, ...] = (FORWARD,)
    when: str = EVERYWHERE
    partly: str = ""
    machine: str = ""


class _File(Struct, forbid_unknown_fields=True, frozen=True):
    statement: tuple[_Entry, ...]


def read() -> tuple[Statement, ...]:
    """All that is stated. Raises StatementError."""
    return _read(cases_folder() / "specials.toml")


@cache
def _read(path: Path) -> tuple[Statement, ...]:
    entries = stated.read_file(path, _File).statement
    return tuple(_statement(f"{path.name}#{number}", entry) for number, entry in enumerate(entries, 1))


def _statement(where: str, entry: _Entry) -> Statement:
    known = {"values": VALUES, "operands": (*OPERANDS, ANSWER), "does": (*DOES, ANYTHING), "passes": PASSES}
    subjects = tuple(starmap(subject_of, product(entry.passes, entry.values, entry.operands)))
    of = "the answer" if entry.passes == (FORWARD,) else f"the gradient by {', '.join(entry.passes)}"
    labels = ", ".join(entry.values), ", ".join(entry.operands), of
    return stated.statement(where, entry, subjects, labels, known)


def table(statements: Iterable[Statement]) -> Iterator[str]:
    """What is stated, as a table in Markdown."""
    yield from stated.table(statements, ("value", "in", "seen in"), {**DOES, ANYTHING: NOT_JUDGED})
