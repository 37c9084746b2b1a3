"""conformance call: one call expression, read and made."""

import re
from collections.abc import Sequence
from dataclasses import replace

import click

from conformance import adapters, idioms, proof
from conformance.cli.one import show
from conformance.idioms.base import Point, Refusal
from conformance.problem import Ints
from conformance.selection import DTYPES
from conformance.terminal import echo


class ShapeError(ValueError):
    """A shape that cannot be read."""


@click.command()
@click.argument("framework")
@click.argument("expression")
@click.option("--shape", "shapes", multiple=True, metavar="NAME=DIMS", help="Of a tensor, as in x=1,8,5,7; repeatable.")
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(DTYPES))
@click.option("--case", "case_id", help="Draw the data that the case of this id has.")
@click.option("--claim", is_flag=True, help="Say what it means, and make no call.")
def command(
    framework: str, expression: str, shapes: tuple[str, ...], variant: str | None, dtype: str, case_id: str | None,
    claim: bool,
) -> int:  # fmt: skip
    """Read EXPRESSION, a call of FRAMEWORK as people write it, such as "torch.nn.ConvTranspose2d(8, 4, 3, stride=2)".

    Prints what the call means, makes it on exact data, and compares. A layer's input is called x. Exit status: 0 it
    does what is claimed, 1 it does not, 2 usage.
    """
    idioms.idioms(framework)  # which knows where a name like keras belongs
    lane = adapters.lane(framework, variant)
    given = parse_shapes(expression, shapes)
    try:
        point = idioms.read(framework, expression, given, lane.variant, dtype=dtype)
    except Refusal as reason:
        raise idioms.IdiomError(f"{expression}: {reason}") from None
    for line in meaning(point):
        echo(line)
    if claim:
        return 0
    adapters.require_installed(framework)
    case = proof.case_of(point, framework)
    return show(lane, case if case_id is None else replace(case, id=case_id), dtype)


def meaning(point: Point) -> list[str]:
    """What a call means, a line each."""
    made, problem = point.claim, point.claim.problem
    if made.refused:
        return [f"refused: {made.refused}"]
    return [
        f"means '{problem}' ({point.name})",
        f"  window: {' x '.join(map(str, problem.window))} cut from {problem.full}, which leaves {problem.output}",
        f"  taps: {'reversed' if made.reversed else 'as stored'}",
        f"  axes: data '{made.data}', weight '{made.weight}'",
    ]


def parse_shapes(expression: str, texts: Sequence[str]) -> dict[str, Ints]:
    """Shapes by the names of an expression's tensors. Raises ShapeError for a name that it has not, or given twice."""
    pairs = [parse_shape(text) for text in texts]
    given = dict(pairs)
    for name in given:
        if [each for each, _ in pairs].count(name) > 1:
            raise ShapeError(f"--shape {name} is given twice: give it once")
        if name != "x" and not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", expression):
            raise ShapeError(f"--shape {name}: no tensor of {expression!r} has that name; a layer's input is x")
    return given


def parse_shape(text: str) -> tuple[str, Ints]:
    """("x", (1, 8, 5, 7)) from "x=1,8,5,7"."""
    name, _, dims = text.partition("=")
    if not name.replace(".", "").isidentifier() or not all(part.strip().isdecimal() for part in dims.split(",")):
        raise ShapeError(f"{text!r} is not a shape: write the tensor's name and its extents, as in x=1,8,5,7")
    return name, tuple(map(int, dims.split(",")))
