"""What options of several verbs have in common."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click

from conformance import adapters
from conformance.io.exit_status import INCOMPLETE, OK
from conformance.io.terminal import amount, echo, is_quiet


def _amount(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def tell(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            amount(**{name: True})
            ctx.call_on_close(lambda: amount(**{name: False}))

    return tell


QUIET = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_amount("quiet"), help="Print only the result."
)
"""For verbs that say what they are doing."""
VERBOSE = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=_amount("whole"), help="Print lists and lines whole."
)
"""For verbs that show the first of many findings, or long lines in part."""
EXPECTATIONS = click.option(
    "--expectations", multiple=True, metavar="[NAME=]FILE", help="A file with your own expectations; repeatable."
)

PASS_HELP = "Forward, or the gradient with respect to an operand; repeatable."


def number(_: click.Context, __: click.Parameter, value: float) -> float:
    """An option's number, which is not NaN: that is within every range of click's."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value


def each_variant(framework: str, *words: str) -> int:
    """The highest exit status of a command on the variants of a framework, as many at once as there are cores.

    Each runs in a process of its own, since a framework reads its environment once. What they print comes in order.
    """
    program = [sys.executable, "-m", "conformance", *words, *["-q"] * is_quiet()]

    def ended(variant: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, f"--variant={variant}"], check=False, stdout=subprocess.PIPE, text=True)

    status = OK
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for process in pool.map(ended, adapters.variants(framework)):
            echo(process.stdout.rstrip("\n"))
            status = max(status, process.returncode if process.returncode >= 0 else INCOMPLETE)
    return status


def framework_of(name: str, step: str) -> str:
    """The framework of a name. Raises IdiomError for any other, with the next `step` for one that has lanes alone."""
    from conformance import idioms

    try:
        return idioms.framework_of(name)
    except idioms.IdiomError:
        if name not in adapters.frameworks():
            raise
        raise idioms.IdiomError(
            f"no call of {name} can be read or written, it runs problems alone; there are calls of "
            f"{idioms.accepted()}: {step.format(name=name)}"
        ) from None
