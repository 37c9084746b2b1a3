"""conformance sizes: the calls for two sizes."""

import json

import click

from conformance import idioms
from conformance.calls.sizes.answers import answer, as_data, told
from conformance.calls.sizes.proposals import SizesError, Wanted
from conformance.calls.sizes.spellings import Target
from conformance.idioms.base import FLOAT32
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo
from conformance.problem import Ints

LARGEST = {"input": 2**31, "output": 2**31, "kernel": 2**16, "padding": 2**16}
"""The largest numbers that are read; others are at most a stride."""
STRIDE = 2**12


@click.command()
@click.argument("framework")
@click.option("--input", "input_", required=True, metavar="SIZE", help="The input's extents, as in 20 or 20x30.")
@click.option("--output", required=True, metavar="SIZE", help="The extents that the answer is to have.")
@click.option("--kernel", metavar="SIZE", help="Of the kernel; without it, good ones are proposed.")
@click.option("--stride", metavar="SIZE", help="The stride; without it, good ones are proposed.")
@click.option("--dilation", metavar="SIZE", help="The dilation of the kernel (default: 1).")
@click.option("--padding", metavar="VALUE", help="Only calls with this padding: a number, one an axis, or a name.")
@click.option("--output-padding", metavar="SIZE", help="Only calls with this output_padding.")
@click.option("--groups", default=1, show_default=True, type=click.IntRange(1))
@click.option("--in-channels", type=click.IntRange(1), help="Of the call that is printed (default: one a group).")
@click.option("--out-channels", type=click.IntRange(1), help="Of the call that is printed (default: one a group).")
@click.option("--idiom", default="", help="Only this way of calling the framework, by its id in docs/conventions.md.")
@click.option("--variant", default="", help="How the framework executes (default: its first variant).")
@click.option("--dtype", default=FLOAT32, show_default=True, type=click.Choice(["float32", "float64"]))
@click.option("--json", "json_", is_flag=True, help="The same as JSON.")
def command(
    framework: str, input_: str, output: str, kernel: str | None, stride: str | None, dilation: str | None,
    padding: str | None, output_padding: str | None, groups: int, in_channels: int | None, out_channels: int | None,
    idiom: str, variant: str, dtype: str, json_: bool,
) -> int:  # fmt: skip
    """Name the calls of FRAMEWORK that turn extents of --input into those of --output, the most natural one first.

    Each is claimed to be answered with just these extents, and is printed with its window, so that it can be pasted
    and read by `conformance call`. One number of --kernel and the like is for all axes. Where nothing fits, the nearest
    sizes are named. Exit status: 0 something fits, 1 nothing does, 2 usage.
    """
    idioms.idioms(framework)  # which knows where a name like keras belongs
    if variant:
        _require_variant(framework, variant)
    extents = parse_extents("input", input_)
    axes = {"output": output, "kernel": kernel, "stride": stride, "dilation": dilation}
    sizes = {name: parse_extents(name, text, len(extents)) for name, text in axes.items() if text}
    wanted = Wanted(extents, **sizes, groups=groups, in_channels=_of_group("in", in_channels, groups),
                    out_channels=_of_group("out", out_channels, groups))  # fmt: skip
    given = {role: _value(role, text) for role, text in (("padding", padding), ("output_padding", output_padding))
             if text is not None}  # fmt: skip
    sizes_answer = answer(Target(framework, variant, dtype, idiom, given), wanted)
    if json_:
        echo(json.dumps(as_data(sizes_answer), indent=2))
    else:
        for line in told(sizes_answer):
            echo(line)
    return OK if sizes_answer.calls else DIVERGED


def _require_variant(framework: str, variant: str) -> None:
    from conformance import adapters

    adapters.lane(framework, variant)


def parse_extents(name: str, text: str, axes: int = 1, least: int = 1) -> Ints:
    """(20, 30) from "20x30"; a single number is that of all axes. Raises SizesError."""
    parts, most = text.lower().split("x"), LARGEST.get(name, STRIDE)
    if not all(part.isascii() and part.isdecimal() and least <= int(part[:19]) <= most for part in parts):
        raise SizesError(f"--{name} is {text!r}: give whole numbers from {least} to {most}, as in 20 or 20x30")
    numbers = tuple(map(int, parts))
    return numbers * axes if len(numbers) == 1 else numbers


def _of_group(which: str, channels: int | None, groups: int) -> int:
    if channels is not None and channels % groups:
        raise SizesError(f"--{which}-channels {channels} are no {groups} groups: give a multiple of {groups}")
    return (channels or groups) // groups


def _value(name: str, text: str) -> str | Ints:
    """Numbers, or the name of a padding."""
    if text.isalpha() and name == "padding":
        return text
    return parse_extents(name.replace("_", "-"), text, least=0)
