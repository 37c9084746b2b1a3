"""conformance audit: wrong implementations against the cases."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from conformance.audit import gradients, kinds
from conformance.audit.choice import seen_by_vectors
from conformance.audit.elsewhere import PLACES, seen_elsewhere
from conformance.audit.fakes import FAKES, Faked, fakes
from conformance.audit.kills import (
    CORE,
    ENOUGH,
    LEAST,
    SMOKE,
    SUITE_OF,
    SUITES,
    Matrix,
    Sighting,
    kill_matrix,
    sightings,
    sightings_in,
    smallest_cover,
)
from conformance.audit.process_mutants import Struck, process_mutants
from conformance.cli.options import QUIET, VERBOSE
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, first, numbers
from conformance.numerics.operands import EXACT_IN, INTEGERS
from conformance.problem import BACKWARD
from conformance.report.content.audit import FORMAT, Audit, FakeRow, Killer, MutantRow, StruckRow, dump
from conformance.runner.selection import ALL
from conformance.suites import cases
from conformance.vectors.chosen import chosen

PROCESS = "process"
STEPS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of cases for which the matrix says how many mutants have as many killers."""

FEW = 3
"""Survivors that are named."""


@click.command()
@click.option("--matrix", "full", is_flag=True, help="Run every mutant on every case. Takes minutes.")
@click.option(
    "--against", multiple=True, type=click.Choice(list(PLACES)), help="Run the mutants on these cases too; repeatable."
)
@click.option(
    "--fakes", "with_fakes", is_flag=True, help="Also try fakes, which only seem to be implementations. Takes minutes."
)
@QUIET
@VERBOSE
@click.option("--to", type=Path, help="Write the result to a file. The report makes a page of it.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of this file instead of a table.")
@click.option(
    "--dtype", type=click.Choice(list(SUITE_OF)),
    help="Only say what the suite half, or integers, sees with data of this dtype.",
)  # fmt: skip
@click.option(
    "--pass",
    "passes",
    multiple=True,
    type=click.Choice((*BACKWARD, ALL)),
    help="Only run wrong gradients, which the suite gradients must kill; repeatable.",
)
@click.option("--kinds", "only_kinds", is_flag=True, help="Print only how many cases show each known kind of fault.")
def command(
    full: bool,
    against: Sequence[str],
    with_fakes: bool,
    to: Path | None,
    as_json: bool,
    dtype: str | None,
    passes: Sequence[str],
    only_kinds: bool,
) -> int:
    """Run every mutant, an implementation with one documented fault, and say which cases see it.

    A case kills a function mutant if the mutant does not conform on the case. A mutant runs on cases until two cases
    that differ in shape have killed it. A process mutant harms its worker process as a broken framework may do. It is
    killed if its record says exactly what happened, and all other records are right. A fake only seems to be an
    implementation; it is tested in every way in which people test their own. Exit status: 0 enough mutants are killed;
    2 usage; 1 if smoke kills less than 75 %, two cases of core do not kill each mutant, vectors kill fewer than core, a
    mutant that is proved equivalent is killed, or a fake is green anywhere. For gradients in 24 bits it is 1 if two
    cases of the suite gradients do not kill each mutant.
    """
    if only_kinds:
        echo("\n".join(kinds.table()))
        return OK
    if passes and dtype in INTEGERS:
        raise click.UsageError(f"there are no gradients in {dtype}: leave out --pass, or give another --dtype")
    if passes:
        seen = gradients.seen_in(dtype or EXACT_IN, BACKWARD if ALL in passes else passes)
        echo("\n".join(gradient_lines(dtype or EXACT_IN, seen)))
        return OK if dtype or all(len(one.killers) >= ENOUGH for one in seen) else DIVERGED
    if dtype:
        echo("\n".join(half_lines(dtype)))
        return OK
    return _audited(full, against, with_fakes, to, as_json)


def _audited(full: bool, against: Sequence[str], with_fakes: bool, to: Path | None, as_json: bool) -> int:
    """Try every mutant, and keep and print what was seen; 0 where enough are killed."""
    if to:
        require_our_file(to, f'"format": "{FORMAT}"')
    matrix = kill_matrix(cases.read_suite(CORE)) if full else None
    elsewhere = {place: seen_elsewhere(place) for place in against}
    audited = audit(sightings(), elsewhere, matrix, process_mutants(), fakes() if with_fakes else ())
    if to:
        write_atomically(to, dump(audited))
    by_vectors = seen_by_vectors()
    lines = [
        *_curve(audited),
        *_unseen(audited),
        vectors_line(audited, by_vectors),
        *(_matrix_lines(matrix) if matrix else ()),
        *_struck_lines(audited),
        *fake_lines(audited),
    ]
    echo(dump(audited).decode() if as_json else "\n".join(lines))
    return OK if is_enough(audited) and not lost_by_vectors(audited, by_vectors) else DIVERGED


def audit(
    seen: Sequence[Sighting], elsewhere: Mapping[str, Mapping[str, bool]], matrix: Matrix | None,
    struck: Sequence[Struck], faked: Sequence[Faked] = (),
) -> Audit:  # fmt: skip
    """What is known of all mutants, as it is kept."""
    problems = {case.id: case.descriptor for case in cases.read_suite(CORE).cases}
    counts = {name: matrix.of(cases.read_suite(name)).sum(axis=1).tolist() for name in SUITES} if matrix else {}
    rows = []
    for number, sighting in enumerate(seen):
        mutant = sighting.mutant
        seen_there = {place: found[mutant.name] for place, found in elsewhere.items() if mutant.name in found}
        rows.append(MutantRow(
            mutant.name, mutant.family, mutant.equivalent,
            {SMOKE: sighting.smoke, CORE: bool(sighting.killers), **seen_there},
            [Killer(case_id, problems[case_id]) for case_id in sighting.killers],
            {name: of_suite[number] for name, of_suite in counts.items()},
        ))  # fmt: skip
    places = (SMOKE, CORE, *elsewhere)
    sizes = {place: len(cases.read_suite(place).cases) for place in places if place in cases.SUITES}
    processes = [StruckRow(one.fault, one.verdict, one.message, one.wrong) for one in struck]
    return Audit(places=places, cases=sizes, mutants=rows, struck=processes, fakes=fake_rows(faked))


def fake_rows(faked: Sequence[Faked]) -> list[FakeRow]:
    """What came of each fake, by route."""
    by_fake = {name: [one for one in faked if one.fake == name] for name in FAKES}
    return [
        FakeRow(
            name, FAKES[name], {one.route: one.outcome for one in those},
            "; ".join(f"{one.route}: {one.wrong}" for one in those if one.wrong),
        )
        for name, those in by_fake.items() if those
    ]  # fmt: skip


def refuted(audited: Audit) -> list[str]:
    """The mutants that were proved equivalent, and are not: a case kills them."""
    return [mutant.name for mutant in audited.equivalent if mutant.killers]


def survivors(audited: Audit, suite: str) -> list[str]:
    """The mutants that a suite does not kill; those of processes are killed by both or by none."""
    return audited.unseen(suite) + [f"{PROCESS}: {struck.fault}" for struck in audited.struck if struck.wrong]


def once(audited: Audit) -> list[str]:
    """The mutants that cases of one shape alone kill."""
    return [mutant.name for mutant in audited.told if 0 < len(mutant.killers) < ENOUGH]


def lost_by_vectors(audited: Audit, by_vectors: Sequence[Sighting]) -> list[str]:
    """The mutants that fewer test vectors kill than cases of core, of which two are enough."""
    killers = {mutant.name: min(ENOUGH, len(mutant.killers)) for mutant in audited.told}
    return [seen.mutant.name for seen in by_vectors if len(seen.killers) < killers.get(seen.mutant.name, 0)]


def vectors_line(audited: Audit, by_vectors: Sequence[Sighting]) -> str:
    """How many mutants the test vectors kill."""
    counts = [len(seen.killers) for seen in by_vectors if not seen.mutant.equivalent]
    twice, lost = sum(count >= ENOUGH for count in counts), lost_by_vectors(audited, by_vectors)
    return (f"{len(chosen().cases)} test vectors kill {sum(map(bool, counts))} of {len(counts)}, {twice} of them by "
            f"two that differ in shape; fewer than core: {'; '.join(lost) or 'none'}")  # fmt: skip


def is_enough(audited: Audit) -> bool:
    """Whether every suite kills as many as it must, core each of them twice, and nothing a right answer."""
    size = len(audited.told) + len(audited.struck)
    shares = all(size - len(survivors(audited, suite)) >= LEAST[suite] * size for suite in LEAST)
    return shares and not once(audited) and not refuted(audited) and not any(fake.wrong for fake in audited.fakes)


def _curve(audited: Audit) -> Iterator[str]:
    """How many of each family are seen."""
    right = str(sum(not struck.wrong for struck in audited.struck))
    struck = [PROCESS, str(len(audited.struck)), right, right]
    size = ["cases", "", *(str(audited.cases.get(place, "")) for place in audited.places)]
    head = ["seen of mutants", "mutants", *audited.places, "core twice"]
    rows = [
        *(_share(family, audited.places, rows) for family, rows in audited.families.items()),
        struck,
        _share("all functions", audited.places, audited.told),
        size,
    ]
    return numbers(head, [row + [""] * (len(head) - len(row)) for row in rows])


def half_lines(dtype: str) -> Iterator[str]:
    """How many mutants of each family the suite of a dtype sees with its data, and which functions it does not."""
    seen = [sighting for sighting in sightings_in(dtype) if not sighting.mutant.equivalent]
    rows = [
        [name, str(len(those)), str(sum(those))]
        for name, those in _by_name(
            [(sighting.mutant.family, bool(sighting.killers)) for sighting in seen], "all functions"
        )
    ]
    yield from numbers([f"seen in {dtype}", "mutants", SUITE_OF[dtype]], rows)
    yield f"not seen: {'; '.join(sighting.mutant.name for sighting in seen if not sighting.killers) or 'none'}"


def gradient_lines(dtype: str, seen: Sequence[gradients.Seen]) -> Iterator[str]:
    """How many wrong gradients of each pass and family are seen in a dtype, and which are not, or by one case alone."""
    by_family = _by_name(
        [(f"{one.mutant.direction} {one.mutant.family}", len(one.killers)) for one in seen], "all gradients"
    )
    rows = [
        [name, *map(str, (len(those), sum(map(bool, those)), sum(n >= ENOUGH for n in those)))]
        for name, those in by_family
    ]
    yield from numbers([f"seen in {dtype}", "mutants", "seen", "twice"], rows)
    few = [f"{one.mutant.name} ({len(one.killers)})" for one in seen if len(one.killers) < ENOUGH]
    yield f"not seen twice: {'; '.join(few) or 'none'}"


def _by_name(found: Sequence[tuple[str, int]], every: str) -> Iterator[tuple[str, list[int]]]:
    """The numbers of each name, and at the end those of all names together."""
    for name in dict.fromkeys(name for name, _ in found):
        yield name, [number for other, number in found if other == name]
    yield every, [number for _, number in found]


def _share(name: str, places: Sequence[str], rows: Sequence[MutantRow]) -> list[str]:
    seen = [sum(row.seen[place] for row in rows) for place in places]
    seen.append(sum(len(row.killers) >= ENOUGH for row in rows))
    return [name, str(len(rows)), *(f"{number / len(rows):.0%}" for number in seen)]


def _unseen(audited: Audit) -> Iterator[str]:
    size = len(audited.told) + len(audited.struck)
    for suite, least in LEAST.items():
        left = survivors(audited, suite)
        named = "; ".join(first(left, FEW))
        rest = f"; and {len(left) - FEW} more, which -v names" if len(first(left, FEW)) < len(left) else ""
        yield f"{suite} must kill {least:.0%} of {size}; survivors: {named or 'none'}{rest}"
    yield f"killed by cases of one shape alone: {'; '.join(once(audited)) or 'none'}"
    for mutant in audited.equivalent:
        said = "NOT equivalent, a case kills it" if mutant.killers else "equivalent"
        yield f"{said}: {mutant.name}: {mutant.equivalent}"


def _matrix_lines(matrix: Matrix) -> Iterator[str]:
    table = []
    for family in dict.fromkeys(mutant.family for mutant in matrix.mutants):
        rows = [mutant.family == family and not mutant.equivalent for mutant in matrix.mutants]
        killed = [int(matrix.of(cases.read_suite(name))[rows].any(axis=1).sum()) for name in SUITES]
        table.append([family, *(f"{count}/{sum(rows)}" for count in killed)])
    yield from numbers(["killed by", *SUITES], table)
    kills = matrix.kills.sum(axis=1)
    several = ", ".join(f"{int((kills >= step).sum())} by {step}" for step in STEPS)
    yield f"mutants killed by at least so many cases: {several}"
    few = sorted((int(count), mutant.name) for count, mutant in zip(kills, matrix.mutants, strict=True) if count)
    yield "killed by the fewest cases: " + "; ".join(f"{name} ({count})" for count, name in few[:12])
    cover = smallest_cover(matrix.kills[matrix.unbounded])
    yield f"smallest set of cases that kills all that are wrong in no region alone: {len(cover)} cases"
    for at in cover:
        yield f"  {matrix.cases[at].id}: '{matrix.cases[at].descriptor}' kills {matrix.kills[:, at].sum()}"


def _struck_lines(audited: Audit) -> Iterator[str]:
    for one in audited.struck:
        yield f"{PROCESS}: {one.fault}: {one.verdict} {one.message}".rstrip() + (f": {one.wrong}" if one.wrong else "")


def fake_lines(audited: Audit) -> Iterator[str]:
    """What came of each fake on each route."""
    for fake in audited.fakes:
        told = "; ".join(f"{route}: {outcome}" for route, outcome in fake.routes.items())
        yield f"fake that {fake.what}: {told}" + (f": {fake.wrong}" if fake.wrong else "")
