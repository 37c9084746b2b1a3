"""conformance call, of a problem: a single one on a framework, in a process of its own."""

import json
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.cli.asked import DTYPE, PASS, of_pass
from conformance.io.bounded import require_no_path
from conformance.io.exit_status import OK
from conformance.io.terminal import echo, waiting
from conformance.problem import BIAS, FORWARD, Problem, ProblemError, broken_rule
from conformance.records.record import Verdict
from conformance.suites import cases
from conformance.suites.case import Asked, Case, Suite
from conformance.suites.cases import read_suite

if TYPE_CHECKING:  # what a claim, for which no call is made, need not wait for
    from conformance.run import Result
    from conformance.suites.references import Reference

SMALL = 64
MOST_NUMBERS, MOST_PRODUCTS = 2**27, 10**11
"""Of the operands and the answer together, which take 8 bytes each several times, and what takes minutes."""
SECONDS, MEMORY = 600.0, 2**44
"""What a single call may take: it is watched by a person, and has the memory that the machine has."""


@click.command()
@click.argument("framework")
@click.argument("descriptor", required=False)
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    metavar="NAME",
    help="In place of FRAMEWORK: a lane such as torch-eager, a framework, or all; repeatable.",
)
@click.option("--variant", help="How the framework executes (default: its first variant).")
@DTYPE
@PASS
@click.option("--case", metavar="ID", help="Use the data of the case with this id.")
@click.option("--claim", is_flag=True, help="Say which window and output it has, and make no call.")
@click.option("--json", "json_", is_flag=True, help="Print everything as one JSON object.")
def command(
    framework: str, descriptor: str | None, lanes: tuple[str, ...], variant: str | None, dtype: str, direction: str,
    case: str | None, claim: bool, json_: bool,
) -> int:  # fmt: skip
    """Evaluate the problem of DESCRIPTOR, such as "i5x7 k3 s2 p1 op1 bias", on FRAMEWORK.

    This prints the verdict, the native call, the deviation and its diagnosis, and small arrays. With --lane in place of
    FRAMEWORK it runs the problem on each lane in its own environment, several lanes at once. It then prints one table:
    which lanes give the same answer, which diverge and why, which refuse, how long a call takes, and which lanes are
    not installed. Exit status: 0 conforms, refuses or is unsupported; 1 diverges, crashes or fails in another way; 2
    usage, or none of the lanes is installed.
    """
    if claim:
        if descriptor is not None:
            adapters.lane(framework, variant)  # which says that there is none, and no more of it is asked
        return _claim(descriptor or framework)
    if lanes:
        return everywhere(lanes, [framework, *filter(None, [descriptor, variant, case])], dtype, direction, json_=json_)
    if descriptor is None:
        raise click.UsageError("give FRAMEWORK and DESCRIPTOR, or DESCRIPTOR and --lane all")
    problem = problem_of(descriptor, direction)
    lane = adapters.lane(framework, variant)
    if case is not None:
        require_case(lane, case)
    chosen = Asked(Case(case or "one", problem, str(problem), "", (), ""), dtype, direction)
    if not json_:
        return show(lane, chosen)
    evaluated = evaluate(lane, chosen)
    echo(json.dumps(_as_data(evaluated)))
    return evaluated.status


def _claim(descriptor: str) -> int:
    """Print what a problem is, by the definition alone."""
    from conformance.calls.meaning.wording import stamp_lines, window_line

    problem = problem_of(descriptor, FORWARD)
    echo(f"means '{problem}': x {problem.input_shape}, weight {problem.weight_shape}, output {problem.output_shape}")
    for line in (window_line(problem.window, problem.full, problem.output), *stamp_lines(problem)):
        echo(line)
    return OK


def problem_of(descriptor: str, direction: str) -> Problem:
    """The problem of a descriptor. Raises ProblemError for one that is none, or that has not that pass."""
    require_no_path(descriptor, 'give a problem, such as "i5x7 k3 s2 p1"')
    problem = Problem.parse(descriptor)
    if rule := broken_rule(problem):
        raise ProblemError(f"{descriptor!r}: {rule}")
    if direction == BIAS and not problem.bias:
        raise ProblemError(f"{descriptor!r} has no bias, so that there is no gradient of one: add the word bias")
    numbers = prod(problem.input_shape) + prod(problem.weight_shape) + prod(problem.output_shape)
    if numbers > MOST_NUMBERS or problem.multiplies > MOST_PRODUCTS:
        raise ProblemError(f"{descriptor!r} has {numbers:,} numbers and {problem.multiplies:,} products, and at most "
                           f"{MOST_NUMBERS:,} and {MOST_PRODUCTS:,} are evaluated: give smaller extents or fewer "
                           "channels")  # fmt: skip
    return problem


def everywhere(names: Sequence[str], words: Sequence[str], dtype: str, direction: str, *, json_: bool) -> int:
    """Ask lanes in their own environments, and print what they answer."""
    descriptor, *more = words
    if more:
        left = ", ".join(map(repr, more))
        raise click.UsageError(f"--lane takes DESCRIPTOR, a dtype and a pass alone: leave out {left}")
    from conformance.runner.outside import everywhere as elsewhere  # which a single lane need not wait for

    problem_of(descriptor, direction)
    answers = elsewhere.ask(elsewhere.named(names), descriptor, dtype, direction)
    if json_:
        echo(json.dumps([answer.as_data() for answer in answers]))
    else:
        echo("\n".join(elsewhere.lines(answers)))
    if all(answer.missing for answer in answers):
        raise adapters.AdapterError("no lane could be asked: install one, or run this in the environment of a lane")
    return int(any(answer.fails for answer in answers))


def require_case(lane: Lane, case: str, *suites: str) -> None:
    """Raise CaseError for an id that neither a suite for all lanes has, nor one of these suites of the lane.

    Data is drawn by the id; what a search found is in no suite, and a layer of a model in none that is known here.
    """
    from conformance.runner.selection import MADE
    from conformance.suites.scans.cases import PREFIX

    if case.startswith(("found-", PREFIX)):
        return
    known: list[Case] = []
    for name in (names := ("core", "extreme", "models", *suites)):  # of which the last take seconds to be made
        known += (MADE[name](lane.framework, lane.variant) if name in MADE else read_suite(name)).cases
        if case in {known_case.id for known_case in known}:
            return
    cases.find(Suite(" or ".join(names), tuple(known)), [case])


class Evaluated(NamedTuple):
    """A case on a lane: what was expected, and what came of it."""

    lane: Lane
    case: Case
    expected: "Reference"
    result: "Result"

    @property
    def status(self) -> int:
        """The exit status; a clean refusal of one call is an answer, and no fault."""
        record = self.result.record
        refused = record.verdict is Verdict.REJECTS and not record.claimed
        return int(record.fails and not refused)


def evaluate(lane: Lane, asked: Asked) -> Evaluated:
    """Evaluate a case in a process of its own. Raises SelectionError for a dtype that the framework has not."""
    from conformance.processes.isolation import Isolation, Limits
    from conformance.runner.isolated import isolated
    from conformance.runner.selection import require_computed
    from conformance.suites.references import compute

    require_computed(lane.framework, asked.dtype)
    adapters.require_installed(lane.framework)
    with waiting("the expected array"):
        expected = compute(*asked)
    alone = Isolation(lane, Limits(SECONDS, MEMORY), once=True)
    with waiting(f"the call on {lane}"):
        result = isolated(alone, lane, *asked)
    return Evaluated(lane, asked.case, expected, result)


def show(lane: Lane, asked: Asked) -> int:
    """Evaluate a case in a process of its own, print all that is known of it, and give the exit status."""
    evaluated = evaluate(lane, asked)
    echo("\n".join(_lines(evaluated)))
    return evaluated.status


def _lines(evaluated: Evaluated) -> Iterator[str]:
    lane, case, expected, result = evaluated
    record, problem = result.record, case.problem
    refused = record.verdict is Verdict.REJECTS and bool(record.claimed)
    asked = of_pass(record.dtype, record.direction)
    yield f"{record.verdict} {record.kind}".rstrip() + f": {lane} {asked} '{problem}'"
    exact = f"no partial sum exceeds {expected.largest}, {expected.terms} terms"
    lines = {
        "message": record.message,
        "diagnosis": "\n    ".join(_diagnosis(case, expected, result)),
        "call": record.call,
        "assisted by": ", ".join(record.composed),
        "output": "" if refused else f"{problem.output_shape}, window {problem.window} of {problem.full}",
        "exact because": "" if refused or record.undrawn else exact,
        "seconds": record.seconds,
        "last words": "\n    ".join(record.trace),
    }
    yield from (f"  {name}: {value}" for name, value in lines.items() if value)
    if refused:
        return  # no array is expected
    small = _small_arrays(evaluated)
    for name, array in small.items():
        yield f"{name} {array.shape}\n{array}"
    if large := [f"{name} {array.shape}" for name, array in _arrays(evaluated).items() if name not in small]:
        yield f"not printed, since they have more than {SMALL} numbers: {', '.join(large)}"


def _as_data(evaluated: Evaluated) -> dict[str, Any]:
    """The evaluation by the keys that docs/running.md documents."""
    _, case, expected, result = evaluated
    problem = case.problem
    return {
        "record": json.loads(result.record.to_json()), "diagnosis": list(_diagnosis(case, expected, result)),
        "output": problem.output_shape, "window": problem.window, "full": problem.full,
        "largest": expected.largest, "terms": expected.terms,
        "arrays": {name: array.tolist() for name, array in _small_arrays(evaluated).items()},
    }  # fmt: skip


def _small_arrays(evaluated: Evaluated) -> dict[str, Any]:
    return {name: array for name, array in _arrays(evaluated).items() if array.size <= SMALL}


def _arrays(evaluated: Evaluated) -> dict[str, Any]:
    """The operands and both answers."""
    reference = evaluated.expected
    given = {**reference.arrays._asdict(), "upstream": reference.upstream, "expected": reference.expected}
    return {name: array for name, array in {**given, **evaluated.result.arrays}.items() if array is not None}


def _diagnosis(case: Case, reference: "Reference", result: "Result") -> Iterator[str]:
    """What gives the diverging array exactly, if there is one."""
    from conformance.diagnosis.explain import gradient_sentences, sentences

    if result.record.verdict is not Verdict.DIVERGES or "actual" not in result.arrays:
        return
    arrays, actual, direction = reference.arrays, result.arrays["actual"], result.record.direction
    if direction == FORWARD:
        yield from sentences(case.drawn, arrays, actual)
    else:
        yield from gradient_sentences(case.problem, direction, arrays, reference.upstream, actual)
