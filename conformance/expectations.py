"""Known divergences: where a framework is known to fail, why, and since when; so that only what is new fails a run.

`cases/expectations/FRAMEWORK.toml` holds `[[expectation]]` tables. An expectation covers the records of its verdict
whose problem and run its predicate holds for. It excuses them; it never hides them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from conformance.cases import folder
from conformance.predicate import Predicate, PredicateError
from conformance.problem import Problem
from conformance.record import Record, Verdict

_KEYS = {"id": str, "when": str, "verdict": str, "reason": str, "upstream": str, "since": date}
_OPTIONAL = {"message": str}


class ExpectationError(ValueError):
    """An expectation that does not say what it must; the message names the file, the entry and the mend."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A known divergence: `verdict` is expected wherever `when` holds, for `reason`, as reported at `upstream`.

    With `message`, only of records in whose message it occurs.
    """

    id: str
    when: Predicate
    verdict: Verdict
    reason: str
    upstream: str
    since: date
    message: str = ""

    def covers(self, record: Record) -> bool:
        """Whether a record is of the expected verdict and message and inside the region."""
        return record.verdict is self.verdict and self.message in record.message and self.when(
            Problem.parse(record.problem),
            framework=record.framework, variant=record.variant, dtype=record.dtype, direction=record.direction,
            claimed=record.claimed,
        )  # fmt: skip


def read_expectations(framework: str) -> tuple[Expectation, ...]:
    """The known divergences of a framework; none where it has no file. Raises ExpectationError."""
    path = folder() / "expectations" / f"{framework}.toml"
    if not path.exists():
        return ()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExpectationError(f"{path}: cannot be read: {error}") from None
    tables = document.pop("expectation", None)
    if document or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ExpectationError(f"{path}: must hold [[expectation]] tables and nothing else: mend the headings")
    return tuple(_read(f"{path.name}#{table.get('id', number)}", table) for number, table in enumerate(tables, 1))


def known(record: Record, expectations: Sequence[Expectation]) -> Expectation | None:
    """The first expectation that covers a record."""
    return next((each for each in expectations if each.covers(record)), None)


def _read(where: str, table: Mapping[str, Any]) -> Expectation:
    if differ := (table.keys() - _OPTIONAL.keys()) ^ _KEYS.keys():
        raise ExpectationError(f"{where}: keys differ by {sorted(differ)}: give {', '.join(_KEYS)}")
    for key, kind in {**_KEYS, **_OPTIONAL}.items():
        if key in table and not (isinstance(table[key], kind) and str(table[key]).strip()):
            raise ExpectationError(f"{where}: {key} is {table[key]!r}: give a {kind.__name__} that says something")
    try:
        when, verdict = Predicate.parse(table["when"]), Verdict(table["verdict"])
    except PredicateError as error:
        raise ExpectationError(f"{where}: {error}") from None
    except ValueError:
        raise ExpectationError(
            f"{where}: no verdict {table['verdict']!r}: the verdicts are {', '.join(Verdict)}"
        ) from None
    return Expectation(
        table["id"], when, verdict, table["reason"], table["upstream"], table["since"], table.get("message", "")
    )
