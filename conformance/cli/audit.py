"""conformance audit: wrong implementations against the cases."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np

from conformance.audit.kills import LEAST, SUITES, Matrix, Struck, kill_matrix, process_mutants, smallest_cover
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo
from conformance.suites import cases

SHOWN = 12


@dataclass(frozen=True, slots=True)
class Kills:
    """How many mutants a suite kills, of those that can be told; `families` has both numbers of each family."""

    suite: str
    cases: int
    killed: int
    mutants: int
    share_of_pairs: float
    families: Mapping[str, tuple[int, int]]
    survivors: Sequence[str]

    @property
    def enough(self) -> bool:
        return self.killed >= LEAST.get(self.suite, 0) * self.mutants


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, each mutant's killers included.")
def command(as_json: bool) -> int:
    """Run every mutant, a wrong implementation with one documented fault, and say which cases kill it.

    A function mutant is killed by a case on which it would not conform. A process mutant does to its worker what a
    broken framework may do: it is killed where its record says exactly that and no other record is harmed.
    Exit status: 0 enough are killed, 2 usage, and 1 where smoke kills less than 95 % or core less than all, or a mutant
    proved equivalent is killed.
    """
    matrix = kill_matrix(cases.read_suite(SUITES[-1]))
    smoke = kill_matrix(cases.read_suite(SUITES[0]))  # in its own order, which mutants with a memory tell
    struck = process_mutants()
    summaries = [_kills(name, smoke if name == SUITES[0] else matrix, struck) for name in SUITES]
    refuted = [m.name for m, row in zip(matrix.mutants, matrix.kills, strict=True) if m.equivalent and row.any()]
    if as_json:
        echo(json.dumps(_document(matrix, struck, summaries, refuted)))
    else:
        echo("\n".join(_lines(matrix, struck, summaries, refuted)))
    return OK if all(summary.enough for summary in summaries) and not refuted else DIVERGED


def _kills(name: str, matrix: Matrix, struck: Sequence[Struck]) -> Kills:
    suite = cases.read_suite(name)
    kills = matrix.of(suite)
    killed = {m.name: bool(row.any()) for m, row in zip(matrix.mutants, kills, strict=True) if not m.equivalent}
    if name in LEAST:  # the others are parts of core, in which no process mutant is run
        killed |= {f"process: {ending.fault}": not ending.wrong for ending in struck}
    families: dict[str, tuple[int, int]] = {}
    for mutant, dead in killed.items():
        family = mutant.partition(":")[0]
        before = families.get(family, (0, 0))
        families[family] = before[0] + dead, before[1] + 1
    survivors = [mutant for mutant, dead in killed.items() if not dead]
    share = float(np.round(kills.mean(), 4))
    return Kills(name, len(suite.cases), sum(killed.values()), len(killed), share, families, survivors)


def _lines(
    matrix: Matrix, struck: Sequence[Struck], summaries: Sequence[Kills], refuted: Sequence[str]
) -> Iterator[str]:
    yield f"{'killed / mutants':16}" + "".join(f"{summary.suite:>10}" for summary in summaries)
    for family in summaries[-1].families:
        cells = [summary.families.get(family) for summary in summaries]
        yield f"{family:16}" + "".join(f"{f'{cell[0]}/{cell[1]}' if cell else '':>10}" for cell in cells)
    yield f"{'all':16}" + "".join(f"{f'{summary.killed}/{summary.mutants}':>10}" for summary in summaries)
    yield f"{'':16}" + "".join(f"{summary.killed / summary.mutants:>10.1%}" for summary in summaries)
    yield f"{'cases':16}" + "".join(f"{summary.cases:>10}" for summary in summaries)
    yield f"{'share of pairs':16}" + "".join(f"{summary.share_of_pairs:>10.1%}" for summary in summaries)
    for summary in summaries:
        if summary.suite in LEAST:
            survivors = "; ".join(summary.survivors) or "none"
            yield f"{summary.suite} must kill {LEAST[summary.suite]:.0%}; survivors: {survivors}"
    for mutant in matrix.mutants:
        if mutant.equivalent:
            judgement = "NOT equivalent, a case kills it" if mutant.name in refuted else "equivalent"
            yield f"{judgement}: {mutant.name}: {mutant.equivalent}"
    yield from _case_lines(matrix)
    for one in struck:
        yield f"process: {one.fault}: {one.verdict} {one.message}".rstrip() + (f": {one.wrong}" if one.wrong else "")


def _case_lines(matrix: Matrix) -> Iterator[str]:
    cover = smallest_cover(matrix.kills)
    yield f"smallest set of cases that kills all functions that any case kills, exactly: {len(cover)} cases"
    for at in cover:
        yield f"  {matrix.cases[at].id}: '{matrix.cases[at].descriptor}' kills {matrix.kills[:, at].sum()}"
    alone = _alone(matrix)
    yield (f"{len(matrix.cases) - len(alone)} of {len(matrix.cases)} cases kill nothing that others do not"
           + (", all but:" if alone else ""))  # fmt: skip
    for case, names in list(alone.items())[:SHOWN]:
        yield f"  {case}: alone kills {'; '.join(names)}"
    few = sorted((int(row.sum()), m.name) for m, row in zip(matrix.mutants, matrix.kills, strict=True) if row.any())
    yield "killed by the fewest cases: " + "; ".join(f"{name} ({count})" for count, name in few[:5])


def _alone(matrix: Matrix) -> dict[str, list[str]]:
    """The mutants that a case alone kills, by the case's id."""
    alone: dict[str, list[str]] = {}
    for mutant, row in zip(matrix.mutants, matrix.kills, strict=True):
        if row.sum() == 1:
            alone.setdefault(matrix.cases[int(row.argmax())].id, []).append(mutant.name)
    return alone


def _document(
    matrix: Matrix, struck: Sequence[Struck], summaries: Sequence[Kills], refuted: Sequence[str]
) -> dict[str, Any]:
    ids = [case.id for case in matrix.cases]
    alone = _alone(matrix)
    return {
        "suites": [asdict(summary) | {"enough": summary.enough} for summary in summaries],
        "equivalent": {m.name: m.equivalent for m in matrix.mutants if m.equivalent},
        "refuted": refuted,
        "smallest": {"exact": True, "cases": [ids[at] for at in smallest_cover(matrix.kills)]},
        "alone": alone,
        "redundant": [case for case in ids if case not in alone],
        "process": [asdict(ending) for ending in struck],
        "killers": {
            m.name: [case for case, dead in zip(ids, row, strict=True) if dead]
            for m, row in zip(matrix.mutants, matrix.kills, strict=True)
        },
    }  # fmt: skip
