"""What values of options have in common."""

import math
from collections.abc import Callable

import click

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
    "--expectations", multiple=True, metavar="[NAME=]FILE", help="What is expected, in your own file; repeatable."
)

PASS_HELP = "Forward, or the gradient with respect to an operand; repeatable."


def number(_: click.Context, __: click.Parameter, value: float) -> float:
    """An option's number, which is not NaN: that is within every range of click's."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value
