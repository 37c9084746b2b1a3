"""Files of statements, in `cases/`: one reading and one table for every kind of subject."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import NODEFAULT, Meta

from conformance import adapters
from conformance.audit.stated import ANYTHING, EVERYWHERE, NOT_JUDGED, Statement
from conformance.io.bounded import read_text
from conformance.io.folders import cases_folder
from conformance.predicates.condition import Condition
from conformance.predicates.predicate import Predicate, PredicateError

Text = Annotated[str, Meta(min_length=1)]
Words = tuple[str, ...]
COMMON: Sequence[tuple[str, Any, Any]] = [
    ("lanes", tuple[Text, ...], NODEFAULT), ("does", Text, NODEFAULT), ("reason", Text, NODEFAULT),
    ("when", str, EVERYWHERE), ("partly", str, ""), ("machine", str, ""),
]  # fmt: skip
"""What every entry has beside the fields that name its subjects."""


class StatementError(ValueError):
    """A file of statements that does not say what it must; the message names the file, the entry and the fix."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A file of statements, by what its subjects are.

    `words` are the fields of an entry that name subjects, each with the words that it may hold, and `does` what a
    subject may do. `named` makes an entry's subjects, and their labels in the columns `heads` of a table.
    """

    file: str
    words: Mapping[str, Sequence[str]]
    does: Mapping[str, str]
    heads: Sequence[str]
    named: Callable[[Any], tuple[Words, Words]]
    defaults: Mapping[str, Words] = field(default_factory=dict)

    def read(self) -> tuple[Statement, ...]:
        """All that is stated. Raises StatementError."""
        return _read(self, cases_folder() / self.file)

    def table(self) -> Iterator[str]:
        """What is stated, as a table in Markdown: a row for each lane and statement."""
        texts = {**self.does, ANYTHING: NOT_JUDGED}
        yield f"| lane | {' | '.join(self.heads)} | what it does | where |"
        yield "|---" * (len(self.heads) + 3) + "|"
        rows = [(lane, each) for each in self.read() for lane in each.lanes]
        for lane, each in sorted(rows, key=lambda row: row[0]):
            yield f"| `{lane}` | {' | '.join(each.labels)} | {texts[each.does]} | {each.where} |"


@cache
def _read(kind: Kind, path: Path) -> tuple[Statement, ...]:
    of_subjects = [(name, tuple[Text, ...], kind.defaults.get(name, NODEFAULT)) for name in kind.words]
    entry = msgspec.defstruct("Entry", [*COMMON, *of_subjects], forbid_unknown_fields=True, frozen=True, kw_only=True)
    file = msgspec.defstruct("File", [("statement", tuple[entry, ...])], forbid_unknown_fields=True)  # type: ignore[valid-type]  # a struct that is made here
    try:
        entries: Iterable[Any] = msgspec.convert(tomllib.loads(read_text(path)), file).statement  # type: ignore[attr-defined]  # its field
    except (OSError, ValueError, RecursionError) as error:
        raise StatementError(f"{path}: cannot be read: {error}") from None
    return tuple(_statement(kind, f"{path.name}#{number}", each) for number, each in enumerate(entries, 1))


def _statement(kind: Kind, where: str, entry: Any) -> Statement:
    lanes = [f"{name}-{variant}" for name in adapters.own() for variant in adapters.variants(name)]
    for name, words in {**kind.words, "does": (*kind.does, ANYTHING), "lanes": lanes}.items():
        said = getattr(entry, name)
        for word in (said,) if isinstance(said, str) else said:
            if word not in words:
                raise StatementError(f"{where}: {name} has {word!r}: give of {', '.join(words)}")
    try:
        when = Predicate.parse(entry.when)
        machine = Condition.parse(entry.machine) if entry.machine else None
    except PredicateError as error:
        raise StatementError(f"{where}: {error}") from None
    reason, partly = " ".join(entry.reason.split()), " ".join(entry.partly.split())
    subjects, labels = kind.named(entry)
    return Statement(entry.lanes, subjects, labels, entry.does, when, reason, partly, machine)
