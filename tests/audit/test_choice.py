"""The cases that test vectors are made of: they kill what core kills, and how they are chosen."""

from collections.abc import Sequence
from functools import cache

import pytest
from click.testing import CliRunner

from conformance.audit import choice
from conformance.audit.kills import ENOUGH, Sighting, shapes, sighting
from conformance.audit.mutants import EVERY, FUNCTIONS, Mutant
from conformance.audit.mutants.base import right
from conformance.cli import commands
from conformance.cli.audit import audit, lost_by_vectors, vectors_line
from conformance.io.folders import cases_folder
from conformance.suites import cases
from conformance.suites.case import Case
from conformance.vectors.chosen import chosen, path
from conformance.vectors.data import data, size
from conformance.vectors.faults import known

TOLD = [mutant for mutant in EVERY if not mutant.equivalent]


@cache
def by_id() -> dict[str, Case]:
    return {case.id: case for case in cases.read_suite("core").cases}


@pytest.mark.parametrize("mutant", TOLD, ids=lambda mutant: mutant.name)
def test_two_vectors_that_differ_in_shape_kill_every_mutant(mutant: Mutant) -> None:
    seen = sighting(mutant, (), chosen().cases, data())
    assert len({shapes(by_id()[case].problem) for case in seen.killers}) >= ENOUGH


def test_no_vector_kills_the_right_answer() -> None:
    assert not sighting(Mutant("none", "none", lambda: right), (), chosen().cases, data()).killers


def test_the_file_says_what_wrote_it() -> None:
    assert path().read_text(encoding="utf-8").startswith(f'why = """\n{choice.WHY}\n"""\ncases = [\n')
    assert path().is_relative_to(cases_folder())


@pytest.mark.slow
def test_chosen_cases_stand_in_order_of_size_and_each_fault_has_one() -> None:
    sizes = [size(case) for case in chosen().cases]
    assert sizes == sorted(sizes)
    ids = {case.id for case in chosen().cases}
    assert choice._telling() <= ids
    reached = [fault for fault in known() if any(fault.reaches(case.problem) for case in by_id().values())]
    assert len(reached) > 2
    assert all(any(fault.reaches(case.problem) for case in chosen().cases) for fault in reached)


def test_a_mutant_that_is_not_killed_twice_gets_the_smallest_cases_that_kill_it() -> None:
    number = next(at for at, mutant in enumerate(EVERY) if mutant.fault == "reversed on every axis")
    added = choice._added([], number)
    assert len(added) == ENOUGH
    assert size(by_id()[added[-1]]) < 200
    assert choice._added(added, number) == []


def seen(killers: Sequence[str]) -> Sighting:
    return Sighting(FUNCTIONS[0], True, killers)


@pytest.mark.parametrize(
    ("vectors", "lost"), [(("nothing-but-one", "one-row"), False), (("nothing-but-one",), True), ((), True)]
)
def test_the_audit_names_what_fewer_vectors_kill_than_cases_of_core(vectors: Sequence[str], lost: bool) -> None:
    audited = audit([seen(("nothing-but-one", "one-row"))], {}, None, [])
    by_vectors = [seen(vectors)]
    assert lost_by_vectors(audited, by_vectors) == ([FUNCTIONS[0].name] if lost else [])
    assert (FUNCTIONS[0].name in vectors_line(audited, by_vectors)) is lost


@pytest.mark.parametrize(("more", "status"), [("", 0), ("\n", 1)])
def test_generate_checks_the_chosen_cases_only_where_it_is_asked_to(
    more: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "text", lambda: path().read_text(encoding="utf-8") + more)  # it takes minutes
    result = CliRunner().invoke(commands, ["generate", "--vectors", "--check"], standalone_mode=False)
    assert result.return_value == status
    assert ("is not what `conformance generate --vectors` writes" in result.output) is bool(status)
