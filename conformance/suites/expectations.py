"""Known divergences and refusals: what a framework is known to do, where, why, and since when.

`cases/expectations/FRAMEWORK.toml` holds `[[expectation]]` tables; those of an implementation from outside are in a
folder `expectations` beside its adapter, or in a file that the user names (`expectation_files`). An expectation is
exact: it states a region by a predicate, and every case in it is to show the verdict. It excuses those that do; it
never hides them, and whatever else happens in its region fails a run as a new divergence would. Where exactness cannot
be had the entry says so, and why.

`[floor.VARIANT]` tables say how much a lane must answer, suite by suite: `core = {answered = 4200, of = 11916}`.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.io.bounded import read_text
from conformance.numerics.operands import DTYPES
from conformance.predicates.condition import Condition
from conformance.predicates.predicate import Predicate, PredicateError
from conformance.problem import BACKWARD, FORWARD, Problem
from conformance.records.evidence import Floor, absent_evidence, below_floor
from conformance.records.machine import Machine
from conformance.records.record import Header, Record, Run, SubjectKind, Verdict
from conformance.suites.cases import ONLY_IN, PASSES_OF
from conformance.suites.expectation_files import ExpectationError, path

_KEYS = {"id": str, "when": str, "verdict": str, "reason": str, "upstream": str, "since": date}
_OPTIONAL = {
    "message": str, "diagnosis": str, "idiom": (str, list), "versions": str, "expires": date, "partly": str,
    "chance": str, "machine": str,
}  # fmt: skip
CHECKED = 'checked == "'
"""What a predicate about a property has; the field is empty of all else."""
_NAMES: Mapping[Any, str] = {str: "text", date: "date", (str, list): "text, or list of texts,"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """A known divergence: `verdict` is expected wherever `when` holds, for `reason`, as reported at `upstream`.

    With `message`, it must occur in the record's; with `diagnosis`, in what explains its array. `idiom` are patterns of
    the claims that it is about, such as "mx-gluon/*"; without any it is about problems in the adapter's own words.
    `partly` says why not every case of the region shows the verdict, `chance` why two runs of one build do not agree.
    With `machine` it is about the runs alone whose machine fulfils that condition.
    """

    id: str
    when: Predicate
    verdict: Verdict
    reason: str
    upstream: str
    since: date
    message: str = ""
    idiom: tuple[str, ...] = ()
    versions: SpecifierSet = field(default_factory=SpecifierSet)
    expires: date | None = None
    partly: str = ""
    chance: str = ""
    diagnosis: str = ""
    machine: Condition | None = None

    @property
    def exact(self) -> bool:
        """Whether every case of the region is to show the verdict."""
        return not (self.partly or self.chance)

    @property
    def of_property(self) -> bool:
        """Whether it is about what is checked of a property, and about no record of a run."""
        return CHECKED in self.when.text

    def reaches(self, record: Record, checked: str = "") -> bool:
        """Whether a record is inside the region, whatever its verdict.

        It is not if nothing was asked: a gradient has no call, or no operands are exact in the dtype. `checked` is the
        property that the record is of.
        """
        if record.undrawn or (record.direction in BACKWARD and record.verdict is Verdict.UNSUPPORTED):
            return False
        about = (
            any(fnmatchcase(record.idiom, pattern) for pattern in self.idiom)
            if self.idiom
            else record.subject is SubjectKind.PROBLEM
        )
        return about and self.when(
            _problem(record.problem),
            framework=record.framework, variant=record.variant, dtype=record.dtype, direction=record.direction,
            claimed=record.claimed, fault=record.fault, checked=checked,
        )  # fmt: skip

    def shows(self, record: Record) -> bool:
        """Whether a record has the verdict and the message, wherever it is."""
        return record.verdict is self.verdict and self.message in record.message

    def covers(self, record: Record, checked: str = "") -> bool:
        """Whether a record is of the expected verdict and message and inside the region."""
        return self.shows(record) and self.reaches(record, checked)

    def holds_on(self, machine: Machine) -> bool:
        """Whether it is about runs on a machine; it is not where what its condition asks for is not known."""
        return self.machine is None or self.machine(machine) is True

    def applies(self, version: str, day: date) -> bool:
        """Whether it is about this version of the framework, "" for one that is not known, and has not expired."""
        if self.expires is not None and day > self.expires:
            return False
        try:
            return not version or self.versions.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return True


_problem = lru_cache(maxsize=2**14)(Problem.parse)


def read_expectations(framework: str) -> tuple[Expectation, ...]:
    """The known divergences of a framework; none where it has no file. Raises ExpectationError."""
    file = path(framework)
    if not file.exists():
        return ()
    state = file.stat()
    return _read_once(file, (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=2**6)
def _read_once(file: Path, state: tuple[int, ...]) -> tuple[Expectation, ...]:
    """The known divergences of a file, which is read again where its state is another."""
    return read_file(file)


def read_file(file: Path) -> tuple[Expectation, ...]:
    """The known divergences of one file. Raises ExpectationError."""
    tables, _ = _document(file)
    read = tuple(
        _expectation_of(f"{file.name}#{table.get('id', number)}", table) for number, table in enumerate(tables, 1)
    )
    _refuse_twins(file, [expectation.id for expectation in read])
    return read


def read_floors(framework: str) -> Mapping[tuple[str, str], Floor]:
    """How much each lane of a framework must answer, by variant and suite. Raises ExpectationError."""
    file = path(framework)
    _, floors = _document(file) if file.exists() else ([], {})
    return {
        (variant, suite): _floor_of(f"{file.name}#floor.{variant}.{suite}", stated)
        for variant, suites in floors.items()
        for suite, stated in suites.items()
    }


def _document(file: Path) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The tables of a file: of expectations, and of floors by variant."""
    try:
        document = tomllib.loads(read_text(file))
    except (OSError, ValueError, RecursionError) as error:
        raise ExpectationError(f"{file}: cannot be read: {error}") from None
    floors = document.pop("floor", {})
    tables = document.pop("expectation", [])
    listed = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    named = isinstance(floors, dict) and all(isinstance(suites, dict) for suites in floors.values())
    if document or not listed or not named:
        raise ExpectationError(
            f"{file}: must hold [[expectation]] and [floor.VARIANT] tables and nothing else: fix the headings"
        )
    return tables, floors


def _floor_of(where: str, stated: Any) -> Floor:
    counts: list[Any] = [stated.get(name) for name in Floor._fields] if isinstance(stated, dict) else []
    if not counts or len(stated) > len(counts) or not all(type(count) is int for count in counts):
        raise ExpectationError(f"{where} is {stated!r}: give {{answered = 4200, of = 11916}}")
    if not 0 < counts[0] <= counts[1]:
        raise ExpectationError(f"{where} is {counts[0]} of {counts[1]}: give a number from 1 to {counts[1]}")
    return Floor(*counts)


def lack(header: Header, verdicts: Mapping[Any, int]) -> str:
    """Why a run is no evidence, or answers less than it must, in words that follow its name; empty where it is well."""
    return absent_evidence(header, verdicts) or below_floor(verdicts, floor_of(header))


def floor_of(header: Header) -> Floor | None:
    """How much a run must answer; not stated of dtypes and passes that are not its suite's own."""
    dtypes, passes = ONLY_IN.get(header.suite, DTYPES), PASSES_OF.get(header.suite, (FORWARD,))
    own = {*header.dtypes} <= {*dtypes} and {*header.directions} <= {*passes}
    return read_floors(header.framework).get((header.variant, header.suite)) if own else None


def applying(expectations: Iterable[Expectation], version: str, day: date, machine: Machine) -> tuple[Expectation, ...]:
    """Those that are about a version of the framework and a machine, and have not expired by that day."""
    return tuple(
        expectation
        for expectation in expectations
        if expectation.applies(version, day) and expectation.holds_on(machine)
    )


def expected_of(run: Run) -> tuple[Expectation, ...]:
    """What was expected of a run's lane, in its version, on its day and machine. Raises ExpectationError."""
    header = run.header
    day = date.fromisoformat(header.started[:10]) if re.match(r"\d{4}-\d\d-\d\d", header.started) else date.min
    version = header.version
    return applying(read_expectations(header.framework), version, day, header.machine)


def expected_here(lane: Lane) -> tuple[Expectation, ...]:
    """What is expected of a lane today: of the version that is installed, on this machine."""
    today = datetime.now(UTC).date()
    return applying(
        read_expectations(lane.framework), adapters.installed_version(lane.framework), today, adapters.machine(lane)
    )


def of_records(runs: Iterable[Run]) -> Callable[[Record], Expectation | None]:
    """Which expectation knew of a failing record of some runs, each of which has its own version, day and machine."""
    of = {
        (failed.lane, failed.key): here
        for run in runs
        for here in [expected_of(run)]
        for failed in run.records
        if failed.fails
    }
    return lambda record: known(record, of.get((record.lane, record.key), ()))


def known(record: Record, expectations: Sequence[Expectation], checked: str = "") -> Expectation | None:
    """The first expectation that covers a record, of a property that is `checked`, if of any.

    None covers a claim, which is about no single problem.
    """
    return (
        None
        if record.subject is SubjectKind.CLAIM
        else next((expectation for expectation in expectations if expectation.covers(record, checked)), None)
    )


def unkept(record: Record, expectations: Sequence[Expectation]) -> Expectation | None:
    """The first expectation that a record does not keep: it is inside an exact region and shows something else.

    Of negative cases, which are invalid in ways of their own, nothing exact is stated.
    """
    if record.fault:
        return None
    return next(
        (
            expectation
            for expectation in expectations
            if expectation.exact and not expectation.shows(record) and expectation.reaches(record)
        ),
        None,
    )


def by_chance(record: Record, expectations: Sequence[Expectation]) -> bool:
    """Whether no two runs need agree on a record."""
    return any(expectation.chance and expectation.reaches(record) for expectation in expectations)


def fails(record: Record, expectations: Sequence[Expectation]) -> bool:
    """Whether a run with this record fails: no expectation describes its failure, or one is no longer true."""
    if record.fails and known(record, expectations) is None:
        return True
    return unkept(record, expectations) is not None


def _expectation_of(where: str, table: Mapping[str, Any]) -> Expectation:
    if differ := (table.keys() - _OPTIONAL.keys()) ^ _KEYS.keys():
        raise ExpectationError(f"{where}: keys differ by {sorted(differ)}: give {', '.join(_KEYS)}")
    kinds: Mapping[str, Any] = {**_KEYS, **_OPTIONAL}
    for key, kind in kinds.items():
        if key in table and not (isinstance(table[key], kind) and str(table[key] or "").strip()):
            raise ExpectationError(f"{where}: {key} is {table[key]!r}: give a {_NAMES[kind]} that says something")
    if "diagnosis" in table and table["verdict"] != Verdict.DIVERGES:
        raise ExpectationError(f"{where}: a diagnosis is of what diverges, verdict is {table['verdict']}: leave it out")
    if "partly" in table and "chance" in table:
        raise ExpectationError(f"{where}: says partly and chance: chance is enough, leave partly out")
    try:
        when, verdict = Predicate.parse(table["when"]), Verdict(table["verdict"])
        versions = SpecifierSet(table.get("versions", ""))
        machine = Condition.parse(table["machine"]) if "machine" in table else None
    except PredicateError as error:
        raise ExpectationError(f"{where}: {error}") from None
    except InvalidSpecifier:
        raise ExpectationError(f"{where}: versions is {table['versions']!r}: give a range such as '>=1.9,<2'") from None
    except ValueError:
        raise ExpectationError(
            f"{where}: no verdict {table['verdict']!r}: the verdicts are {', '.join(Verdict)}"
        ) from None
    return Expectation(
        table["id"], when, verdict, table["reason"], table["upstream"], table["since"], table.get("message", ""),
        _patterns(where, table.get("idiom", [])), versions, table.get("expires"), table.get("partly", ""),
        table.get("chance", ""), table.get("diagnosis", ""), machine,
    )  # fmt: skip


def _patterns(where: str, idiom: str | list[Any]) -> tuple[str, ...]:
    patterns = [idiom] if isinstance(idiom, str) else idiom
    if not all(isinstance(pattern, str) and pattern for pattern in patterns):
        raise ExpectationError(f"{where}: idiom is {idiom!r}: give patterns of claims, such as 'mx-gluon/*'")
    return tuple(patterns)


def _refuse_twins(file: Path, ids: Sequence[str]) -> None:
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ExpectationError(f"{file}: {twice[0]} stands there twice: an id is of one expectation, rename one")
