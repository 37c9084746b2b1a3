"""conformance cases: list, show and count what is tested."""

import json
from collections import Counter

import click

from conformance.io.terminal import echo
from conformance.records.record import ROUNDING
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.suites.cases import SUITES

SMALL = 64

suite_option = click.option("--suite", default="core", show_default=True, help="Which cases.")


@click.group()
def command() -> None:
    """Explore the cases."""


@command.command(name="list")
@suite_option
@click.option("--probes", help="Only cases that probe this.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(suite: str, probes: str | None, as_json: bool) -> None:
    """List the cases of a suite: id and descriptor."""
    if probes is not None and probes not in cases.PROBES:
        raise cases.CaseError(f"nothing probes {probes!r}: the probes are {', '.join(cases.PROBES)}")
    for case in cases.read_suite(suite).cases:
        if probes is None or probes in case.probes:
            echo(_json(case) if as_json else f"{case.id:32} {case.descriptor}")


@command.command()
@click.argument("case_id", metavar="ID")
def show(case_id: str) -> None:
    """Show one case: why it is there, its geometry, and the oracle's arrays where they are small."""
    from conformance.suites.references import compute

    everything = tuple(case for suite in ("core", "extreme", ROUNDING) for case in cases.read_suite(suite).cases)
    (case,) = cases.find(Suite("core, extreme or rounding", everything), [case_id]).cases
    problem, answer = case.problem, compute(case)
    echo(f"{case.id} ({case.source})\n{case.why}\nprobes: {', '.join(case.probes)}\n\n{case.descriptor}")
    echo(f"x {problem.input_shape}, weight {problem.weight_shape}, output {problem.output_shape}")
    echo(f"window {problem.window} of {problem.full}, {problem.multiplies} multiplications")
    echo(f"no partial sum of the {answer.terms} terms exceeds {answer.largest}")
    for name, array in {**answer.arrays._asdict(), "expected": answer.expected}.items():
        if array is not None:
            echo(f"\n{name} {array.shape}" + (f"\n{array}" if array.size <= SMALL else ": too large to print"))


@command.command()
def count() -> None:
    """Count the cases of each suite, by file and rank."""
    for name in SUITES:
        suite = cases.read_suite(name)
        sources = Counter(case.source for case in suite.cases)
        ranks = Counter(f"{case.problem.rank}-D" for case in suite.cases)
        parts = ", ".join(f"{number} {label}" for label, number in [*sources.items(), *sorted(ranks.items())])
        echo(f"{name:10} {len(suite.cases):6}  {parts}")


def _json(case: Case) -> str:
    fields = {"id": case.id, "problem": case.descriptor, "why": case.why, "probes": case.probes, "source": case.source}
    return json.dumps(fields)
