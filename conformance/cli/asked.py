"""What a problem is asked for: a dtype and a pass, as options and in words."""

import click

from conformance.numerics.operands import SIGNIFICAND
from conformance.problem import FORWARD, PASSES

DTYPE = click.option(
    "--dtype",
    default="float32",
    show_default=True,
    type=click.Choice(sorted(SIGNIFICAND)),
    help="The dtype of operands and answer.",
)
PASS = click.option(
    "--pass",
    "direction",
    default=FORWARD,
    show_default=True,
    type=click.Choice(PASSES),
    help="Forward, or the gradient with respect to an operand.",
)


def of_pass(dtype: str, direction: str) -> str:
    """A dtype, and of what gradient, as in "float16 gradient by input"."""
    return dtype if direction == FORWARD else f"{dtype} gradient by {direction}"
