"""Cases and suites: what is tested, read strictly from the files under `cases/`.

A curated TOML file holds `[[case]]` tables with a reason each; a generated JSONL file holds a header line with the
reason its cases share, then one line a case. `cases/README.md` describes both formats.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from conformance.io.bounded import read_json, read_text
from conformance.io.folders import cases_folder
from conformance.numerics.operands import DTYPES, HALVES, INTEGERS
from conformance.problem import BACKWARD, FORWARD, Problem, ProblemError, broken_rule
from conformance.records.record import GRADIENTS, HALF, INTEGER, NEGATIVE, ROUNDING
from conformance.suites.case import Case, Rounded, Suite
from conformance.suites.departure import OPERANDS, Departure, DepartureError, misfit, read
from conformance.suites.scans.cases import is_scan, suite_of
from conformance.suites.scans.file import ScanFileError

SUITES: Mapping[str, tuple[str, ...]] = {
    "smoke": ("chosen/smoke.toml",),
    "curated": ("curated/*.toml",),
    "grid": ("grid.jsonl",),
    "covering": ("covering.jsonl",),
    "sizes": ("sizes.jsonl",),
    "popular": ("popular/*.toml",),
    "models": ("models/*.toml",),
    "core": ("curated/*.toml", "smoke.jsonl", "covering.jsonl", "grid.jsonl", "sizes.jsonl", "popular/*.toml"),
    "extreme": ("extreme/*.toml",),
    ROUNDING: ("rounding.jsonl",),
    HALF: ("chosen/vectors.toml", "chosen/half.toml"),
    INTEGER: ("chosen/gradients.toml",),
    GRADIENTS: ("chosen/gradients.toml",),
    NEGATIVE: ("negative/*.toml", "negative/*.jsonl"),
}
"""A suite's case files, as patterns in the cases folder."""

OF_PROBLEMS = ("core", "extreme", ROUNDING, "models")
"""The suites that share no case, and together have every one that an implementation from outside can be asked."""

ONLY_IN: Mapping[str, tuple[str, ...]] = {
    NEGATIVE: ("float32",),
    HALF: HALVES,
    INTEGER: INTEGERS,
    GRADIENTS: (*DTYPES, *HALVES),
    ROUNDING: (*DTYPES, *HALVES),
}
"""The dtypes of a suite that is not for `DTYPES`; docs/adr/0006 says what negative cases in float64 would add."""

PASSES_OF: Mapping[str, tuple[str, ...]] = {GRADIENTS: BACKWARD}
"""The passes of a suite that is not for the forward one."""

PROBES = {
    "window": "which part of the stamp is cut out, and on which side an odd remainder falls",
    "output-padding": "rows revealed at the end by output_padding",
    "stride": "spacing of the stamps, gaps included",
    "dilation": "spacing of the taps inside a stamp",
    "taps": "order of the kernel's taps",
    "groups": "how channels are split into groups and laid out in the weight",
    "channels": "in and out channel axes, and channel counts that select a blocked kernel",
    "bias": "the bias, added once, after the window",
    "batch": "independence of batch elements",
    "rank": "one, two or three spatial axes treated separately",
    "extent": "extents of one, and kernels larger than the input",
    "limits": "parameters at, just before and past the limits of what is a transposed convolution",
    "operands": "operands whose shapes, dtypes or memory do not fit each other or the problem",
    "nonfinite": "how far a NaN or an infinity spreads",
    "rounding": "how much error the sums gather",
}
"""What a case can probe: the closed set that `probes` draws from."""

FORMAT = "conformance-cases/1"
_DEPARTURES = {"dtypes", "view", "values", "calls", "seconds", *OPERANDS}
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class CaseError(ValueError):
    """A case file, case or suite that does not say what it must; the message names the file, the case and the fix."""


def read_suite(name: str) -> Suite:
    """The suite of that name, or of a scan's file. Raises CaseError for an unknown name, a bad file, or no cases."""
    if is_scan(name):
        return _of_scan(name)
    if name not in SUITES:
        raise CaseError(f"there is no suite {name!r}{nearest(name, SUITES)}: the suites are {', '.join(SUITES)}")
    members = tuple(case for path in _files(name) for case in read_file(path))
    suite = Suite(name, members, ONLY_IN.get(name, ()), directions=PASSES_OF.get(name, (FORWARD,)))
    if not suite.cases:
        raise CaseError(
            f"suite {name!r} has no cases in {cases_folder()}: set CONFORMANCE_CASES to a folder that has them"
        )
    _refuse_duplicates(suite.cases)
    return suite


def _of_scan(name: str) -> Suite:
    try:
        return suite_of(name)
    except (ScanFileError, OSError) as error:
        raise CaseError(str(error) if isinstance(error, ScanFileError) else f"{error.filename}: {error.strerror}: give "
                        "a scan, which `conformance scan MODEL --to FILE` writes") from None  # fmt: skip


def _files(name: str) -> Iterator[Path]:
    return (path for pattern in SUITES[name] for path in sorted(cases_folder().glob(pattern)))


def find(suite: Suite, ids: Iterable[str]) -> Suite:
    """The suite with only the cases of those ids, in file order. Raises CaseError for an id that it does not have."""
    known = {case.id for case in suite.cases}
    chosen = set(ids)
    for missing in sorted(chosen - known):
        raise CaseError(f"suite {suite.name!r} has no case {missing!r}{nearest(missing, known)}: "
                        "`conformance cases list` has the ids")  # fmt: skip
    return replace(suite, cases=tuple(case for case in suite.cases if case.id in chosen))


def suite_with(ids: Sequence[str]) -> Suite:
    """The first suite of problems that has all of these cases. Raises CaseError, which names core's, where none has."""
    for name in OF_PROBLEMS:
        suite = read_suite(name)
        if {case.id for case in suite.cases} >= {*ids}:
            return suite
    return find(read_suite(OF_PROBLEMS[0]), ids)


def read_file(path: Path, wanted: Set[str] = frozenset()) -> Iterator[Case]:
    """The cases of one file, checked; of a file in `chosen/`, those of core that it names.

    Of a generated file with some `wanted` ids, no others are read. Raises CaseError naming file, case and fix.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise CaseError(f"{path}: cannot be read: {error}") from None
    name = source(path)
    return _read_toml(name, text) if path.suffix == ".toml" else _read_jsonl(name, text, wanted)


def source(path: Path) -> str:
    """A case file's name inside the cases folder; its own where it lies elsewhere."""
    folder = cases_folder()
    for file, above in ((path.absolute(), folder.absolute()), (path.resolve(), folder.resolve())):
        if file.is_relative_to(above):  # by its name first: it may be a link to elsewhere
            return file.relative_to(above).as_posix()
    return path.name


def dump_jsonl(cases: Sequence[Case], *, why: str, probes: tuple[str, ...]) -> str:
    """A generated case file's text."""
    lines = [json.dumps({"id": case.id, "problem": case.descriptor}) for case in cases]
    rounds = {"rounds": True} if any(isinstance(case.subject, Rounded) for case in cases) else {}
    header = {"format": FORMAT, "cases": len(lines), "why": why, "probes": probes, **rounds}
    return "\n".join([json.dumps(header), *lines]) + "\n"


def _read_toml(name: str, text: str) -> Iterator[Case]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # its own decoding error, and int's for numbers of many digits
        raise CaseError(f"{name}: not TOML: {error}") from None
    if name.startswith("chosen/"):
        yield from _chosen(name, document)
        return
    _keys(name, document, {"case"})
    if not isinstance(document["case"], list):
        raise CaseError(f"{name}: 'case' is one table: write [[case]], with double brackets, for each case")
    for number, table in enumerate(document["case"], 1):
        where = f"{name}#{table.get('id', f'case {number}') if isinstance(table, dict) else f'case {number}'}"
        if name.startswith(f"{NEGATIVE}/"):
            yield from _negative(where, name, table)
            continue
        _keys(where, table, {"id", "problem", "output", "why", "probes"})
        case = _case(where, name, table, table["why"], table["probes"])
        if list(case.problem.output) != table["output"]:
            formula = list(case.problem.output)
            raise CaseError(f"{where}: output is {table['output']}, the formula gives {formula}: fix the wrong one")
        yield case


def _chosen(name: str, document: Mapping[str, Any]) -> Iterator[Case]:
    """The cases of core that a file names, in its order."""
    _keys(name, document, {"why", "cases"})
    ids = document["cases"]
    if not isinstance(ids, list) or not all(isinstance(case_id, str) for case_id in ids):
        raise CaseError(f"{name}: cases is {ids!r}: give a list of ids of cases of core")
    wanted = frozenset(ids)
    known = {case.id: case for path in _files("core") for case in read_file(path, wanted)}
    for case_id in ids:
        if case_id not in known:
            near = nearest(case_id, [case.id for case in read_suite("core").cases])
            raise CaseError(f"{name}: core has no case {case_id!r}{near}: remove or correct it")
        yield known[case_id]


def _read_jsonl(name: str, text: str, wanted: Set[str]) -> Iterator[Case]:
    try:
        header, *lines = [read_json(line) for line in text.splitlines()]
    except ValueError as error:
        raise CaseError(f"{name}: not JSON lines: {error}: run `conformance generate`") from None
    _keys(name, header, {"format", "cases", "why", "probes"}, {"rounds"})
    if header["format"] != FORMAT:
        raise CaseError(f"{name}: format is {header['format']!r}, this version reads {FORMAT!r}: regenerate it")
    if header["cases"] != len(lines):
        raise CaseError(f"{name}: the header counts {header['cases']} cases, {len(lines)} follow: regenerate it")
    for number, line in enumerate(lines, 2):
        if name.startswith(f"{NEGATIVE}/"):
            yield _pair(f"{name}:{number}", name, line, header)
            continue
        _keys(f"{name}:{number}", line, {"id", "problem"})
        if wanted and line["id"] not in wanted:
            continue
        case = _case(f"{name}#{line['id']}", name, line, header["why"], header["probes"])
        yield replace(case, subject=Rounded()) if header.get("rounds") is True else case


def _case(where: str, source: str, table: Mapping[str, Any], why: Any, probes: Any) -> Case:
    problem = _parsed(where, table["problem"])
    if rule := broken_rule(problem):
        raise CaseError(f"{where}: {rule}")
    return _checked(where, source, table, problem, why, probes)


def _parsed(where: str, descriptor: Any) -> Problem:
    if not isinstance(descriptor, str):
        raise CaseError(f'{where}: problem is {descriptor!r}: give a descriptor, such as "i5x7 k3 s2"')
    try:
        problem = Problem.parse(descriptor)
    except ProblemError as error:
        raise CaseError(f"{where}: {error}") from None
    if str(problem) != descriptor:
        raise CaseError(f"{where}: the problem is spelt {descriptor!r}, its one spelling is {str(problem)!r}")
    return problem


def _checked(where: str, source: str, table: Mapping[str, Any], problem: Problem, why: Any, probes: Any) -> Case:
    if not isinstance(table["id"], str) or not _ID.fullmatch(table["id"]):
        raise CaseError(f"{where}: id must be kebab-case: lower-case letters, digits and single hyphens")
    if not isinstance(why, str) or not why.strip():
        raise CaseError(f"{where}: why is empty: state the fact that makes the case worth running")
    if not isinstance(probes, list) or not probes or not set(map(str, probes)) <= PROBES.keys():
        raise CaseError(f"{where}: probes is {probes}: name at least one of {', '.join(PROBES)}, and no other")
    return Case(table["id"], problem, table["problem"], why, tuple(probes), source)


def _negative(where: str, source: str, table: Any) -> Iterator[Case]:
    """The cases of a negative table: one for each of its problems, which are of different ranks."""
    _keys(where, table, {"id", "problems", "why", "probes", "defined"}, _DEPARTURES)
    descriptors = table["problems"]
    if not isinstance(descriptors, list) or not descriptors:
        raise CaseError(f"{where}: problems is {descriptors!r}: give a list of descriptors, one for each rank")
    for at, descriptor in enumerate(descriptors):
        problem = _parsed(where, descriptor)
        departure = _departure(where, str(table["id"]), problem, table, at)
        line = {"id": f"{table['id']}-{problem.rank}d", "problem": descriptor}
        case = _checked(where, source, line, problem, table["why"], table["probes"])
        yield replace(case, subject=departure)


def _pair(where: str, source: str, line: Any, header: Mapping[str, Any]) -> Case:
    """The negative case of a generated line, of which both faults are named."""
    _keys(where, line, {"id", "problem", "faults", "defined"}, _DEPARTURES)
    match line["faults"]:
        case [str(one), str(other)]:
            problem = _parsed(where, line["problem"])
            departure = _departure(where, f"{one} {other}", problem, line, 0)
            case = _checked(where, source, line, problem, header["why"], header["probes"])
            return replace(case, subject=departure)
    raise CaseError(f"{where}: faults is {line['faults']!r}: give the names of two")


def _departure(where: str, fault: str, problem: Problem, table: Mapping[str, Any], at: int) -> Departure:
    try:
        departure = read(fault, table, at)
    except DepartureError as error:
        raise CaseError(f"{where}: {error}") from None
    if not departure.calls and (not misfit(problem, departure)) is not table["defined"]:
        raise CaseError(f"{where}: '{problem}' has {'no' if table['defined'] else 'an'} answer by the "
                        f"definition, defined is {table['defined']}: fix the wrong one")  # fmt: skip
    return departure


def _keys(where: str, table: Any, required: set[str], optional: Set[str] = frozenset()) -> None:
    if not isinstance(table, dict):
        raise CaseError(f"{where}: is a {type(table).__name__}, must be a table with {', '.join(sorted(required))}")
    for unknown in sorted(table.keys() - required - optional):
        near = nearest(unknown, required | optional)
        raise CaseError(f"{where}: unknown key {unknown!r}{near}: remove or correct it")
    for missing in sorted(required - table.keys()):
        raise CaseError(f"{where}: {missing!r} is missing: add it")


def _refuse_duplicates(cases: Iterable[Case]) -> None:
    seen: dict[str, str] = {}
    for case in cases:
        if case.id in seen:
            raise CaseError(
                f"{case.source}#{case.id}: the id stands in {seen[case.id]} too: ids are unique, rename one"
            )
        seen[case.id] = case.source


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was meant, to follow the name that does not exist; empty where nothing is near."""
    near = get_close_matches(name, known, 1)
    return f", the nearest is {near[0]!r}" if near else ""
