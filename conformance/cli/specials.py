"""conformance audit specials: what lanes make of NaN, infinity, -0 and subnormal numbers, beside what is stated."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.audit.specials.experiments import ANSWER, DOES, OPERANDS, VALUES
from conformance.audit.specials.measuring import Measured, measured
from conformance.audit.specials.statements import STATED
from conformance.audit.stated import held, stated_here, unshown
from conformance.cli.held import asked, tell
from conformance.cli.options import QUIET, each_variant
from conformance.io.exit_status import OK
from conformance.io.terminal import echo
from conformance.problem import FORWARD, PASSES
from conformance.runner.selection import require_computed

WHOLE = "1/1"


@click.command()
@click.argument("framework", required=False)
@click.option("--variant", help="Only this way of executing (default: every variant of the framework).")
@click.option("--suite", default="smoke", show_default=True, help="The suite that the problems come from.")
@click.option("--shard", default=WHOLE, metavar="I/N", help="Only every N-th problem, from the I-th on.")
@click.option("--dtype", "dtypes", multiple=True, help="Only this dtype; repeatable (default: all of the framework).")
@click.option(
    "--pass", "passes", multiple=True, type=click.Choice(PASSES),
    help="Only this pass; repeatable (default: the answer, and all gradients that the framework has).",
)  # fmt: skip
@QUIET
@click.option("--to", "folder", default="reports/specials", show_default=True, type=Path, help="Where results go.")
def command(
    framework: str | None, variant: str | None, suite: str, shard: str, dtypes: tuple[str, ...],
    passes: tuple[str, ...], folder: Path,
) -> int:  # fmt: skip
    """Put NaN, infinity, -0 and subnormal numbers into operands on FRAMEWORK, and compare answers with the statements.

    This covers answers and gradients. An infinity or a NaN must change the outputs that its element reaches, and no
    others. A product of -0 must come out as -0. A subnormal number must not change. A number beyond the dtype's range
    must become infinity. cases/specials.toml states where a lane does something else. Without FRAMEWORK the command
    prints this file as a table. Exit status: 0 all is as stated; 1 a lane does something else; 2 usage; 3 nothing was
    answered.
    """
    if framework is None:
        echo("\n".join(STATED.table()))
        return OK
    adapters.require_installed(framework)
    if adapters.is_outside(framework):
        raise click.UsageError(f"{framework} is from outside, and is not asked for special values: its answers are "
                               "compared in its own process, which is for adapters of this package")  # fmt: skip
    for dtype in dtypes:
        require_computed(framework, dtype)
    if variant is None:
        words = [f"--suite={suite}", f"--shard={shard}", f"--to={folder}", *(f"--dtype={dtype}" for dtype in dtypes)]
        return each_variant(framework, "audit", "specials", framework, *words, *(f"--pass={each}" for each in passes))
    of = asked(framework, variant, suite, shard, folder)
    statements = stated_here(of.lane, STATED.read())
    directions = passes or (PASSES if adapters.differentiates(framework) else (FORWARD,))
    found = [*measured(of.lane, of.problems, dtypes or adapters.dtypes(framework), directions)]
    departures = [each.facts for each in held(of.lane, statements, found, DOES)]
    if shard == WHOLE and not dtypes and not passes:  # of a part, nothing need show what is so of a part
        departures += unshown(of.lane, statements, found, DOES)
    return tell(of, _table(found), found, departures, empty=not found)


def _table(found: Sequence[Measured]) -> Iterator[str]:
    """How often each value in each operand does what, in each dtype."""
    yield "| pass    | value     | in       | dtype    | tried | what it does beside what is due |"
    yield "|---------|-----------|----------|----------|------:|---------------------------------|"
    order = (PASSES, VALUES, (*OPERANDS, ANSWER), tuple(dict.fromkeys(one.dtype for one in found)))
    kinds = Counter((one.direction, one.value, one.operand, one.dtype) for one in found)
    for kind in sorted(kinds, key=lambda kind: [words.index(word) for words, word in zip(order, kind, strict=True)]):
        direction, value, operand, dtype = kind
        those = [one for one in found if (one.direction, one.value, one.operand, one.dtype) == kind]
        counts = Counter(does for one in those for does in one.does)
        does = ", ".join(f"{DOES[name]}: {counts[name]}" for name in DOES if counts[name])
        yield f"| {direction:7} | {value:9} | {operand:8} | {dtype:8} | {len(those):5} | {does} |"
