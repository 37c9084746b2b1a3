"""What a run was asked for: a lane, a suite or a part of it, and dtypes."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.calls.suites import SUITES
from conformance.claims import ledger
from conformance.numerics.gradients import passes_of
from conformance.numerics.operands import DTYPES, INTEGERS, SIGNIFICAND, DataError
from conformance.problem import FORWARD, PASSES
from conformance.records.record import (
    CLAIMS,
    GRADIENTS,
    HALF,
    IDIOMS,
    INTEGER,
    NEGATIVE,
    PORTS,
    ROUNDING,
    Header,
    Key,
)
from conformance.runner.kinds import kind_of
from conformance.suites import cases
from conformance.suites.case import Asked, Case, Suite
from conformance.suites.expectation_files import ExpectationError
from conformance.suites.expectations import Expectation, expected_here
from conformance.suites.scans.cases import OWN, is_scan
from conformance.suites.scans.weights import WeightError

NIGHTLY = ("core", "extreme", "models", HALF, INTEGER, GRADIENTS, ROUNDING, IDIOMS, PORTS, CLAIMS, NEGATIVE)
"""The suites that every lane is to run, as `tox.ini` says too: what expectations are held against."""


def nightly(framework: str) -> list[str]:
    """The suites that a framework's lanes run in a night: all, or those that a night has the time for."""
    return weekly(framework) if not adapters.is_known(framework) else [*adapters.night(framework)] or weekly(framework)


def weekly(framework: str) -> list[str]:
    """All suites that a framework's lanes are to run: those of its adapter, or for dtypes and passes that it has."""
    if not adapters.is_known(framework):
        return [*NIGHTLY]
    every = [*adapters.night(framework), *(suite for suite in NIGHTLY if is_for(framework, suite))]
    return [*adapters.suites(framework)] or every


OFTEN: Mapping[str, Callable[[str], list[str]]] = {"nightly": nightly, "weekly": weekly}
"""What stands for all suites that a framework is asked in a night, or in a week."""


def named_suites(framework: str, names: Iterable[str]) -> tuple[str, ...]:
    """The suites of these names, each once; a word of `OFTEN` is several."""
    suites = (suite for name in names for suite in (OFTEN[name](framework) if name in OFTEN else [name]))
    return tuple(dict.fromkeys(suites))


MADE: Mapping[str, Callable[[str, str], Suite]] = {**SUITES, CLAIMS: ledger.suite}
"""The suites that are made for a framework and variant."""


ALL = "all"
"""What stands for every pass, and for every dtype."""


class SelectionError(ValueError):
    """An option that selects nothing that exists."""


USER_ERRORS = (
    adapters.AdapterError, cases.CaseError, ledger.ClaimError, DataError, ExpectationError, SelectionError, WeightError,
)  # fmt: skip
"""Mistakes in what to run that a user can fix; all that `select` raises is among them."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Cases, dtypes and passes to run on a lane. `suite` is whole; `cases` are those chosen by shard and id.

    If isolated, each runs in a process of its own.
    """

    lane: Lane
    suite: Suite
    cases: tuple[Case, ...]
    dtypes: tuple[str, ...]
    shard: tuple[int, int]
    ids: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    done: frozenset[Key] = frozenset()
    """Of records that an earlier process made, so that they are not run again."""
    isolated: bool = False
    directions: tuple[str, ...] = (FORWARD,)
    prefix: str = ""
    """What pytest's names of its cases begin with, where other suites run in the same session."""

    @property
    def block(self) -> int:
        """How many cases are evaluated at once: a claim has calls enough of its own."""
        return adapters.block(self.lane.framework) if kind_of(self.suite.cases[0]).in_blocks else 1

    @property
    def narrowed(self) -> bool:
        """Whether it is another part than its suite or shard; a list of ids that names all of it is not."""
        first, step = self.shard
        part = self.dtypes != dtypes_on(self.lane.framework, self.suite) or self.directions != self.suite.directions
        return part or self.cases != self.suite.cases[first - 1 :: step]

    def name_of(self, asked: Asked) -> str:
        """What pytest calls one of its cases."""
        return f"{self.prefix}{asked.name}"

    @property
    def asked(self) -> Iterator[Asked]:
        """All that the run is to have a record of: the gradient of a bias where there is one, none in integers."""
        for case in self.cases:
            directions = [FORWARD, *passes_of(case.problem)] if self.directions != (FORWARD,) else [FORWARD]
            for dtype in self.dtypes:
                there = (FORWARD,) if dtype in INTEGERS else directions
                yield from (Asked(case, dtype, name) for name in self.directions if name in there)


def select(
    framework: str,
    variant: str | None = None,
    suite: str = "core",
    *,
    dtypes: Sequence[str] = (),
    shard: str = "1/1",
    ids: Sequence[str] = (),
    passes: Sequence[str] = (),
    isolated: bool = False,
) -> Selection:
    """A checked selection. Raises one of USER_ERRORS, which says what would help."""
    lane = adapters.lane(framework, variant)
    adapters.require_installed(framework)
    require_dtypes(dtype for dtype in dtypes if dtype != ALL)
    part = parse_shard(shard)
    known_suites = (*cases.SUITES, *MADE)
    if suite not in known_suites and not is_scan(suite):
        near = cases.nearest(suite, known_suites)
        raise SelectionError(f"there is no suite {suite!r}{near}: the suites are {', '.join(known_suites)}, and the "
                             "files that `conformance scan --to` writes")  # fmt: skip
    if suite in _MADE_OF and (reason := why_not(framework, suite)):
        raise SelectionError(f"suite {suite!r} is not for {framework}: {reason}")
    whole = MADE[suite](lane.framework, lane.variant) if suite in MADE else cases.read_suite(suite)
    directions = passes_named(passes) or whole.directions
    chosen_dtypes = every_dtype(framework, whole, directions) if ALL in dtypes else tuple(dtypes)
    chosen_dtypes = chosen_dtypes or dtypes_on(framework, whole)
    require_runnable(framework, whole, chosen_dtypes, directions)
    known = expected_here(lane)
    chosen = cases.find(whole, ids) if ids else whole
    return Selection(
        lane,
        whole,
        chosen.cases[part[0] - 1 :: part[1]],
        chosen_dtypes,
        part,
        tuple(ids),
        known,
        isolated=isolated or kind_of(whole.cases[0]).alone,
        directions=directions,
    )


def beside_each_other(selections: Sequence[Selection]) -> tuple[Selection, ...]:
    """Selections of one lane that run in one session: where they are several, their suites are in the cases' names."""
    if len(selections) == 1:
        return tuple(selections)
    return tuple(replace(selection, prefix=f"{selection.suite.name}:") for selection in selections)


def dtypes_of(suite: Suite) -> tuple[str, ...]:
    """The dtypes that a suite runs in where nothing else is asked for."""
    return suite.dtypes or DTYPES


def passes_named(names: Iterable[str]) -> tuple[str, ...]:
    """The passes of these names, in their order; `all` is every one. Raises SelectionError for an unknown one."""
    names = list(names)
    for name in names:
        if name not in (*PASSES, ALL):
            raise SelectionError(f"there is no pass {name!r}: the passes are {', '.join(PASSES)}, or {ALL} of them")
    return tuple(name for name in PASSES if name in names or ALL in names)


def dtypes_on(framework: str, suite: Suite) -> tuple[str, ...]:
    """Those of a suite that a framework computes in; all of them where it has none."""
    has = adapters.dtypes(framework)
    return tuple(dtype for dtype in dtypes_of(suite) if dtype in has) or dtypes_of(suite)


def every_dtype(framework: str, suite: Suite, directions: Sequence[str]) -> tuple[str, ...]:
    """The dtypes that a framework computes in and a suite has data in; the integers only if it is run forward."""
    data = (*DTYPES, *kind_of(suite.cases[0]).dtypes)
    has = [dtype for dtype in data if dtype in adapters.dtypes(framework)]
    return tuple(dtype for dtype in has if dtype not in INTEGERS or FORWARD in directions)


def require_dtypes(dtypes: Iterable[str]) -> None:
    """Raises SelectionError for a dtype that there is not."""
    for dtype in dtypes:
        if dtype not in SIGNIFICAND:
            raise SelectionError(f"there is no dtype {dtype!r} to run: the dtypes are {', '.join(SIGNIFICAND)}")


def require_runnable(
    framework: str, suite: Suite, dtypes: Iterable[str], directions: Sequence[str] = (FORWARD,)
) -> None:
    """Raises SelectionError for a dtype that the framework has not, or one, or a pass, that the suite has not."""
    if directions != (FORWARD,) and not kind_of(suite.cases[0]).backward:
        raise SelectionError(f"suite {suite.name!r} has no gradients: run it without --pass")
    for dtype in dtypes:
        require_computed(framework, dtype)
        has = (*DTYPES, *kind_of(suite.cases[0]).dtypes)
        if dtype not in has:
            raise SelectionError(f"suite {suite.name!r} has no data in {dtype}: run it in {' or '.join(has)}")
        if dtype in INTEGERS and tuple(directions) not in ((FORWARD,), PASSES):
            raise SelectionError(f"there are no gradients in {dtype}: leave out --pass, or run it in another dtype")


def require_computed(framework: str, dtype: str) -> None:
    """Raises SelectionError for a dtype that the framework does not compute in."""
    if dtype not in (has := adapters.dtypes(framework)):
        raise SelectionError(f"{framework} does not compute in {dtype}: its dtypes are {', '.join(has)}")


def require_pass(framework: str, dtype: str, direction: str) -> None:
    """Raises SelectionError for a gradient that the framework has not, or that is of integers."""
    if direction != FORWARD and not adapters.differentiates(framework):
        raise SelectionError(f"{framework} has no gradients here: leave out --pass")
    if direction != FORWARD and dtype in INTEGERS:
        raise SelectionError(f"there are no gradients in {dtype}: leave out --pass, or run it in another dtype")


def is_for(framework: str, suite: str) -> bool:
    """Whether a framework computes in a dtype that the suite is for, and has what its cases are made of."""
    return not why_not(framework, suite)


def is_awaited(framework: str, suite: str) -> bool:
    """Whether a report that has a suite of some lanes misses it on another lane.

    Of an adapter from outside, or one that is not here, it is not known whether it has idioms or gradients.
    """
    if framework in adapters.own():
        of_a_night = any(suite in nightly(each) for each in adapters.own())
        return suite in nightly(framework) if of_a_night else is_for(framework, suite)
    return suite not in _MADE_OF and suite not in cases.PASSES_OF and suite not in cases.ONLY_IN


def why_not(framework: str, suite: str) -> str:
    """Why a suite is not for a framework; empty where it is."""
    if suite in cases.PASSES_OF and not adapters.differentiates(framework):
        return f"{framework} has no gradients here"
    made_of, has = _MADE_OF.get(suite, ("", lambda framework: True))
    if framework in adapters.own() and not has(framework):
        return f"{framework} has no {made_of} here"
    if suite in cases.ONLY_IN and {*cases.ONLY_IN[suite]}.isdisjoint(adapters.dtypes(framework)):
        return f"{framework} computes in {' and '.join(adapters.dtypes(framework))}"
    return ""


def _has_idioms(framework: str) -> bool:
    return framework in idioms.frameworks()


_MADE_OF: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    IDIOMS: ("idioms", _has_idioms),
    PORTS: ("idioms", _has_idioms),
    CLAIMS: ("operators", adapters.has_operators),
    NEGATIVE: ("words for invalid calls", lambda name: _has_idioms(name) and idioms.words(name) is not None),
}
"""What the cases of a suite take beside an adapter, in words, and whether a framework has it."""


def absent(framework: str, headers: Iterable[Header]) -> list[str]:
    """The lanes and suites of a framework's week of which no run is whole, such as "jax-jit core".

    The lanes of a framework whose adapter is not here are those of the headers.
    """
    headers = list(headers)
    whole = {(header.lane, header.suite) for header in headers if header.shard == (1, 1) and not header.selection}
    if adapters.is_known(framework):
        lanes = [f"{framework}-{variant}" for variant in adapters.variants(framework)]
    else:
        lanes = sorted({header.lane for header in headers})
    return [f"{lane} {suite}" for lane in lanes for suite in weekly(framework) if (lane, suite) not in whole]


def require_seconds(seconds: float) -> None:
    """Raises SelectionError for what is no limit of time."""
    if not 0 < seconds < math.inf:
        raise SelectionError(f"--timeout {seconds:g} is no limit of time: give a number of seconds above 0")


def require_suites(suites: Sequence[str]) -> None:
    """Raises SelectionError for a suite that no lane has, and CaseError for a scan that cannot be read."""
    every = (*cases.SUITES, *MADE)
    for suite in suites:
        if is_scan(suite):
            cases.read_suite(suite)
        elif suite not in every:
            raise SelectionError(f"there is no suite {suite!r}: the suites are {', '.join(every)}")


def with_weights(suites: Sequence[str], *, own: bool) -> tuple[str, ...]:
    """Suites with those of the models' own weights behind each scan, if asked. Raises SelectionError for no scan."""
    if own and not any(map(is_scan, suites)):
        raise SelectionError("--weights are of a model that was scanned: give its scan, as in --suite scan.jsonl")
    named = [name for suite in suites for name in (suite, f"{suite}{OWN}" if own and is_scan(suite) else "") if name]
    return tuple(dict.fromkeys(named))


def require_workers(workers: str) -> None:
    """Raises SelectionError for what is no number of worker processes."""
    if not re.fullmatch(r"auto|logical|\d{1,4}", workers):
        raise SelectionError(f"-n {workers} is no number of workers: give auto, or 0, 1, 2 and so on")


def parse_shard(text: str) -> tuple[int, int]:
    """(I, N) from "I/N", 1 <= I <= N."""
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise SelectionError(f"shard {text!r} is not I/N with 1 <= I <= N: give for example 2/8")
    return int(match[1]), int(match[2])
