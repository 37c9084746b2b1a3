"""What options of several verbs have in common."""

import math
import subprocess
import sys
from collections.abc import Callable

import click

from conformance import adapters
from conformance.io.terminal import amount


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
    "-v", "--verbose", is_flag=True, expose_value=False, callback=_amount("whole"), help="Cut no list and no line."
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
    """The highest exit status of a command on the variants of a framework.

    Each runs in a process of its own, since a framework reads its environment once.
    """
    program = [sys.executable, "-c", "from conformance.cli import main; main()", *words]
    return max(subprocess.call([*program, f"--variant={name}"]) for name in adapters.variants(framework))
