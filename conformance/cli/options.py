"""What values of options have in common."""

import math

import click

EXPECTATIONS = click.option(
    "--expectations", multiple=True, metavar="[NAME=]FILE", help="What is expected, in your own file; repeatable."
)

PASS_HELP = "Forward, or the gradient with respect to an operand; repeatable."


def number(_: click.Context, __: click.Parameter, value: float) -> float:
    """An option's number, which is not NaN: that is within every range of click's."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value
