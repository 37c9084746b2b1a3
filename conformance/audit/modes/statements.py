"""What is stated of modes, in `cases/modes.toml`: without a statement a mode does what eager execution does."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from conformance.adapters import modes
from conformance.audit import stated
from conformance.audit.modes.measuring import DOES
from conformance.audit.stated import EVERYWHERE, Statement
from conformance.io.folders import cases_folder

Text = Annotated[str, Meta(min_length=1)]


class _Entry(Struct, forbid_unknown_fields=True, frozen=True):
    """A `[[statement]]` of the file."""

    lanes: tuple[Text, ...]
    modes: tuple[Text, ...]
    does: Text
    reason: Text
    when: str = EVERYWHERE
    partly: str = ""
    machine: str = ""


class _File(Struct, forbid_unknown_fields=True, frozen=True):
    statement: tuple[_Entry, ...]


def read() -> tuple[Statement, ...]:
    """All that is stated. Raises StatementError."""
    return _read(cases_folder() / "modes.toml")


@cache
def _read(path: Path) -> tuple[Statement, ...]:
    names = tuple(name for framework in modes.frameworks() for name in modes.names(framework))
    known = {"modes": names, "does": tuple(DOES)}
    entries = stated.read_file(path, _File).statement
    return tuple(stated.statement(f"{path.name}#{number}", entry, entry.modes, (", ".join(entry.modes),), known)
                 for number, entry in enumerate(entries, 1))  # fmt: skip


def table(statements: Iterable[Statement]) -> Iterator[str]:
    """What is stated, as a table in Markdown."""
    yield from stated.table(statements, ("mode",), DOES)
