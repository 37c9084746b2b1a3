"""What values of options have in common."""

import math

import click


def number(_: click.Context, __: click.Parameter, value: float) -> float:
    """An option's number, which is not NaN: that is within every range of click's."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value
