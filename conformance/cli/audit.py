"""conformance audit: wrong implementations against the cases."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np

from conformance.audit.elsewhere import PLACES, seen_elsewhere
from conformance.audit.kills import (
    CORE,
    ENOUGH,
    LEAST,
    SMOKE,
    SUITES,
    Matrix,
    Sighting,
    kill_matrix,
    sightings,
    smallest_cover,
)
from conformance.audit.process_mutants import Struck, process_mutants
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo
from conformance.suites import cases

PROCESS = "process"
STEPS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of cases for which the matrix says how many mutants have as many killers."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the cases see: of every mutant that can be told, of those that cannot, and of what strikes processes."""

    told: Sequence[Sighting]
    equivalent: Sequence[Sighting]
    struck: Sequence[Struck]

    @property
    def refuted(self) -> Sequence[str]:
        """The mutants that were proved equivalent, and are not: a case kills them."""
        return [seen.mutant.name for seen in self.equivalent if seen.killers]

    @property
    def survivors(self) -> Mapping[str, Sequence[str]]:
        """The mutants that a suite does not kill, by suite; those of processes by both."""
        lost = [f"{PROCESS}: {struck.fault}" for struck in self.struck if struck.wrong]
        return {
            SMOKE: [seen.mutant.name for seen in self.told if not seen.smoke] + lost,
            CORE: [seen.mutant.name for seen in self.told if not seen.killers] + lost,
        }

    @property
    def once(self) -> Sequence[str]:
        """The mutants that cases of one shape alone kill."""
        return [seen.mutant.name for seen in self.told if 0 < len(seen.killers) < ENOUGH]

    @property
    def enough(self) -> bool:
        """Whether every suite kills as many as it must, core each of them twice, and nothing a right answer."""
        size = len(self.told) + len(self.struck)
        shares = all(size - len(lost) >= LEAST[suite] * size for suite, lost in self.survivors.items())
        return shares and not self.once and not self.refuted


@click.command()
@click.option("--matrix", "full", is_flag=True, help="Every mutant on every case: minutes.")
@click.option("--against", multiple=True, type=click.Choice(list(PLACES)), help="Try them there too; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, each mutant's killers included.")
def command(full: bool, against: Sequence[str], as_json: bool) -> int:
    """Run every mutant, a wrong implementation with one documented fault, and say which cases see it.

    A function mutant is killed by a case on which it would not conform. It meets cases until two that differ in shape
    have killed it. A process mutant does to its worker what a broken framework may do: it is killed where its record
    says exactly that and no other record is harmed. Exit status: 0 enough are killed, 2 usage, and 1 where smoke kills
    less than 75 % or core not each by two cases, or a mutant proved equivalent is killed.
    """
    found = audit()
    matrix = kill_matrix(cases.read_suite(CORE)) if full else None
    elsewhere = {place: seen_elsewhere(place) for place in against}
    if as_json:
        echo(json.dumps(_document(found, matrix, elsewhere)))
    else:
        lines = [*_curve(found), *_unseen(found), *(_matrix_lines(matrix) if matrix else ()), *_elsewhere(elsewhere)]
        echo("\n".join([*lines, *_struck_lines(found.struck)]))
    return OK if found.enough else DIVERGED


def audit() -> Audit:
    """Every mutant on the cases."""
    seen = sightings()
    told = [sighting for sighting in seen if not sighting.mutant.equivalent]
    return Audit(told, [sighting for sighting in seen if sighting.mutant.equivalent], process_mutants())


def _curve(found: Audit) -> Iterator[str]:
    """How many of each family are seen."""
    yield f"{'seen of mutants':16}{'mutants':>10}{SMOKE:>10}{CORE:>10}{'twice':>10}"
    families = list(dict.fromkeys(sighting.mutant.family for sighting in found.told))
    for family in families:
        yield _share(family, [sighting for sighting in found.told if sighting.mutant.family == family])
    right = sum(not struck.wrong for struck in found.struck)
    yield f"{PROCESS:16}{len(found.struck):>10}{right:>10}{right:>10}"
    yield _share("all functions", found.told)
    sizes = [len(cases.read_suite(name).cases) for name in (SMOKE, CORE)]
    yield f"{'cases':16}{'':>10}" + "".join(f"{size:>10}" for size in sizes)


def _share(name: str, family: Sequence[Sighting]) -> str:
    size = len(family)
    counts = (
        sum(seen.smoke for seen in family), sum(bool(seen.killers) for seen in family),
        sum(len(seen.killers) >= ENOUGH for seen in family),
    )  # fmt: skip
    return f"{name:16}{size:>10}" + "".join(f"{count / size:>10.0%}" for count in counts)


def _unseen(found: Audit) -> Iterator[str]:
    for suite, lost in found.survivors.items():
        yield f"{suite} must kill {LEAST[suite]:.0%}; survivors: {'; '.join(lost) or 'none'}"
    yield f"killed by cases of one shape alone: {'; '.join(found.once) or 'none'}"
    for seen in found.equivalent:
        said = "NOT equivalent, a case kills it" if seen.killers else "equivalent"
        yield f"{said}: {seen.mutant.name}: {seen.mutant.equivalent}"


def _matrix_lines(matrix: Matrix) -> Iterator[str]:
    yield f"{'killed by':16}" + "".join(f"{name:>10}" for name in SUITES)
    for family in dict.fromkeys(mutant.family for mutant in matrix.mutants):
        rows = [mutant.family == family and not mutant.equivalent for mutant in matrix.mutants]
        killed = [int(matrix.of(cases.read_suite(name))[rows].any(axis=1).sum()) for name in SUITES]
        yield f"{family:16}" + "".join(f"{f'{count}/{sum(rows)}':>10}" for count in killed)
    counts = matrix.kills.sum(axis=1)
    several = ", ".join(f"{int((counts >= step).sum())} by {step}" for step in STEPS)
    yield f"mutants killed by at least so many cases: {several}"
    few = sorted((int(count), mutant.name) for count, mutant in zip(counts, matrix.mutants, strict=True) if count)
    yield "killed by the fewest cases: " + "; ".join(f"{name} ({count})" for count, name in few[:12])
    cover = smallest_cover(matrix.kills[matrix.unbounded])
    yield f"smallest set of cases that kills all that are wrong in no region alone: {len(cover)} cases"
    for at in cover:
        yield f"  {matrix.cases[at].id}: '{matrix.cases[at].descriptor}' kills {matrix.kills[:, at].sum()}"


def _elsewhere(elsewhere: Mapping[str, Mapping[str, bool]]) -> Iterator[str]:
    for place, seen in elsewhere.items():
        families = Counter(name.partition(":")[0] for name in seen)
        right = Counter(name.partition(":")[0] for name, killed in seen.items() if killed)
        counts = ", ".join(f"{family} {right[family]}/{count}" for family, count in families.items())
        yield f"{place} see {sum(seen.values())} of {len(seen)}: {counts}"


def _struck_lines(struck: Sequence[Struck]) -> Iterator[str]:
    for one in struck:
        yield f"{PROCESS}: {one.fault}: {one.verdict} {one.message}".rstrip() + (f": {one.wrong}" if one.wrong else "")


def _document(found: Audit, matrix: Matrix | None, elsewhere: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:
    known = {
        seen.mutant.name: {"family": seen.mutant.family, "smoke": seen.smoke, "killers": list(seen.killers)}
        for seen in found.told
    }
    document = {
        "enough": found.enough, "mutants": known, "survivors": found.survivors, "once": found.once,
        "equivalent": {seen.mutant.name: seen.mutant.equivalent for seen in found.equivalent}, "refuted": found.refuted,
        "process": [asdict(struck) for struck in found.struck], "against": elsewhere,
    }  # fmt: skip
    if matrix is not None:
        ids = np.array([case.id for case in matrix.cases])
        document["matrix"] = {
            mutant.name: ids[row].tolist() for mutant, row in zip(matrix.mutants, matrix.kills, strict=True)
        }
    return document
