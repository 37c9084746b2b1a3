"""The claims ledger: what is written about transposed convolution, as data, read strictly from `cases/claims/`.

A file holds the claims of one document. A claim says what the document says, in our words, and which verdict it has
earned; its checks say what to measure and which law the measurements must obey. `cases/README.md` has the format.
"""

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import adapters
from conformance.io.bounded import read_text
from conformance.io.folders import cases_folder
from conformance.predicates.predicate import PredicateError, relation
from conformance.problem import Problem
from conformance.records.record import CLAIMS
from conformance.suites.case import Case, LedgerClaim, Suite

if TYPE_CHECKING:
    from conformance.claims.checks import Check

ARRAYS = "arrays.toml"
"""Arrays that several claims share, under names that they are referred to by, as in "@FIG_X"."""

ID = re.compile(r"[A-Z][0-9]?-[0-9]{2,3}[a-z]?")
_RESERVED = ("measure", "law", "when", "truth", "frameworks", "given")


class ClaimError(ValueError):
    """A claim that does not say what it must; the message names the file, the claim and the fix."""


class Standing(StrEnum):
    """What has become of a claim."""

    CONFIRMED = "confirmed"
    TRUE_ONLY_WHEN = "true-only-when"
    REFUTED = "refuted"
    NOT_CHECKABLE = "not-checkable"


@dataclass(frozen=True, slots=True)
class Test:
    """A measurement with its parameters, and what is to hold of each of its trials.

    `law` is what the document says, `when` the condition under which it is true, and `truth` what is so instead or
    besides; each is a relation between the names that are measured and those `given`, which are of every trial alike.
    `frameworks` are those it is asked of.
    """

    measure: str
    parameters: Mapping[str, Any]
    law: str
    when: str
    truth: str
    frameworks: tuple[str, ...]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """What its relations may speak of."""
        return _checks()[self.measure].names(self.parameters) | self.given.keys()

    def __str__(self) -> str:
        """What is asked, in a line."""
        given = " ".join(f"{name}={_short(value)}" for name, value in self.parameters.items())
        return f"{self.measure} {given}: {self.law or self.truth}"


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a document says. `condition` is where it is true, `correction` what is right instead.

    With `across`, the condition is about lanes, of which each shows its own side only.
    """

    id: str
    document: str
    source: str
    section: str
    claim: str
    domain: str
    standing: Standing
    condition: str
    correction: str
    tests: tuple[Test, ...] = field(default=())
    across: bool = False

    def tests_on(self, framework: str) -> tuple[Test, ...]:
        """The measurements that a framework can be asked for."""
        return tuple(test for test in self.tests if framework in test.frameworks)

    def applies(self, framework: str) -> bool:
        """Whether a framework can be asked at all."""
        return any(test.law for test in self.tests_on(framework))


def folder() -> Path:
    """Where the claims are."""
    return cases_folder() / "claims"


@cache
def read_claims() -> tuple[Claim, ...]:
    """Every claim of every document, in file order. Raises ClaimError."""
    arrays = _load(folder() / ARRAYS)
    paths = sorted(path for path in folder().glob("*.toml") if path.name != ARRAYS)
    claims = [claim for path in paths for claim in read_file(path, arrays)]
    seen: dict[str, str] = {}
    for claim in claims:
        if claim.id in seen:
            raise ClaimError(f"{claim.source}#{claim.id}: the id stands in {seen[claim.id]} too: ids are unique")
        seen[claim.id] = claim.source
    return tuple(claims)


def find(id: str) -> Claim:
    """The claim of an id. Raises ClaimError where there is none."""
    by_id = {claim.id.lower(): claim for claim in read_claims()}
    if id.lower() not in by_id:
        near = get_close_matches(id.lower(), by_id, 1)
        hint = f", the nearest is {by_id[near[0]].id!r}" if near else ""
        raise ClaimError(f"there is no claim {id!r}{hint}: `conformance claims list` has all")
    return by_id[id.lower()]


@cache
def suite(framework: str, variant: str) -> Suite:
    """The claims that a framework can be asked, each as a case. `variant` makes no difference."""
    return Suite(CLAIMS, tuple(case_of(claim, framework) for claim in read_claims() if claim.applies(framework)),
                 ("float32",))  # fmt: skip


_NOTHING = Problem.of(1, 1)
"""A case has a problem; a claim brings its own, as many as its checks ask."""


def case_of(claim: Claim, framework: str) -> Case:
    """A claim as a case of a framework's suite."""
    asked = "; ".join(map(str, claim.tests_on(framework)))
    return Case(claim.id, _NOTHING, asked, claim.claim, (), f"claims/{claim.source}", LedgerClaim())


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ClaimError(f"{path}: cannot be read: {error}") from None


def read_file(path: Path, arrays: Mapping[str, Any]) -> Iterator[Claim]:
    """The claims of one document; `arrays` are those that checks name. Raises ClaimError."""
    content = _load(path)
    _keys(path.name, content, {"document", "claim"})
    if not isinstance(content["claim"], list):
        raise ClaimError(f"{path.name}: 'claim' is one table: write [[claim]], with double brackets, for each")
    for number, table in enumerate(content["claim"], 1):
        try:
            yield _claim(f"{path.name}#{table.get('id', number)}", path.name, content["document"], table, arrays)
        except (AttributeError, RecursionError, TypeError) as error:  # a value of another type, or nested without end
            raise ClaimError(f"{path.name}#{number}: a value is of a type that it cannot have: {error}") from None


_TEXTS = ("id", "section", "claim", "domain", "verdict")


def _claim(where: str, source: str, document: str, table: Mapping[str, Any], arrays: Mapping[str, Any]) -> Claim:
    _keys(where, table, set(_TEXTS), {"condition", "correction", "check", "across"})
    for name in (*_TEXTS, "condition", "correction"):
        if not isinstance(table.get(name, "text"), str) or not table.get(name, "text").strip():
            raise ClaimError(f"{where}: {name} is {table[name]!r}: give text that says something")
    if not ID.fullmatch(table["id"]):
        raise ClaimError(f"{where}: the id is not like D1-92 or D1-92b: give the ledger's")
    try:
        standing = Standing(table["verdict"])
    except ValueError:
        raise ClaimError(f"{where}: no verdict {table['verdict']!r}: those are {', '.join(Standing)}") from None
    tests = tuple(_test(where, check, arrays) for check in table.get("check", ()))
    texts = {name: table[name] for name in ("id", "section", "claim", "domain")}
    rest = {name: table.get(name, "") for name in ("condition", "correction")}
    claim = Claim(document=document, source=source, standing=standing, tests=tests, across=table.get("across", False),
                  **texts, **rest)  # fmt: skip
    _require_earnable(where, claim)
    return claim


def _require_earnable(where: str, claim: Claim) -> None:
    """Raises ClaimError where the verdict could not be earned, whatever is measured."""
    laws = [test for test in claim.tests if test.law]
    if bool(laws) == (claim.standing is Standing.NOT_CHECKABLE):
        raise ClaimError(f"{where}: is {claim.standing} with {len(laws)} laws: only what is not checkable has none")
    if (claim.standing is Standing.TRUE_ONLY_WHEN) != any(test.when for test in laws):
        raise ClaimError(f"{where}: is {claim.standing}: 'when' is for what is true-only-when, and it needs one")
    if claim.standing is Standing.TRUE_ONLY_WHEN and not claim.condition:
        raise ClaimError(f"{where}: is true-only-when and says no condition: add it in words")
    if claim.standing is Standing.REFUTED and not (claim.correction and any(test.truth for test in claim.tests)):
        raise ClaimError(f"{where}: is refuted without a correction: add it in words, and as a check's 'truth'")


def _checks() -> "Mapping[str, Check]":
    """The checks by their names, which nobody waits for who reads no claim."""
    from conformance.claims.checks import CHECKS

    return CHECKS


def _test(where: str, table: Mapping[str, Any], arrays: Mapping[str, Any]) -> Test:
    name = str(table.get("measure"))
    if name not in (checks := _checks()):
        near = get_close_matches(name, checks, 1)
        raise ClaimError(f"{where}: nothing measures {name!r}{f', the nearest is {near[0]!r}' if near else ''}: "
                         f"those are {', '.join(sorted(checks))}")  # fmt: skip
    parameters = {key: _resolved(where, value, arrays) for key, value in table.items() if key not in _RESERVED}
    accepted = list(inspect.signature(checks[name].measure).parameters.values())[1:]
    required = {parameter.name for parameter in accepted if parameter.default is parameter.empty}
    _keys(f"{where}, {name}", parameters, required, {parameter.name for parameter in accepted})
    able = tuple(filter(adapters.has_operators, adapters.frameworks()))
    frameworks = tuple(table.get("frameworks", able))
    if unknown := set(frameworks) - set(able):
        raise ClaimError(f"{where}: no framework {sorted(unknown)}: those are {', '.join(able)}")
    law, when, truth = (table.get(key, "") for key in ("law", "when", "truth"))
    test = Test(name, parameters, law, when, truth, frameworks, table.get("given", {}))
    if not (test.law or test.truth):
        raise ClaimError(f"{where}: {name} is measured for nothing: give a law or a truth")
    for text in filter(None, (test.law, test.when, test.truth)):
        try:
            relation(text, test.names)
        except PredicateError as error:
            raise ClaimError(f"{where}, {name}: {error}") from None
    return test


def _resolved(where: str, value: Any, arrays: Mapping[str, Any]) -> Any:
    """A parameter with the arrays in place of their names."""
    if isinstance(value, str) and value.startswith("@"):
        if value[1:] not in arrays:
            raise ClaimError(f"{where}: there is no array {value!r} in {ARRAYS}: those are {', '.join(arrays)}")
        return arrays[value[1:]]
    if isinstance(value, list):
        return [_resolved(where, entry, arrays) for entry in value]
    if isinstance(value, dict):
        return {key: _resolved(where, entry, arrays) for key, entry in value.items()}
    return value


def _keys(where: str, table: Mapping[str, Any], required: set[str], optional: Sequence[str] | set[str] = ()) -> None:
    for unknown in sorted(table.keys() - required - set(optional)):
        near = get_close_matches(unknown, [*required, *optional], 1)
        hint = f", the nearest is {near[0]!r}" if near else ""
        raise ClaimError(f"{where}: unknown key {unknown!r}{hint}: remove or correct it")
    for missing in sorted(required - table.keys()):
        raise ClaimError(f"{where}: {missing!r} is missing: add it")


def _short(value: Any) -> str:
    text = re.sub(r"\s", "", str(value))
    return text if len(text) <= 40 else f"{text[:37]}..."
