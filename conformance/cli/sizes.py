"""conformance sizes: the calls for two sizes, and the sizes that pass a stack of layers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from conformance.calls.sizes.answers import answer, answer_lines, as_data
from conformance.calls.sizes.proposals import SizesError, Wanted
from conformance.calls.sizes.spellings import Target
from conformance.cli.options import framework_of
from conformance.io.bounded import read_source
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import abridged, echo
from conformance.problem import Ints

LARGEST = {"input": 2**31 - 1, "output": 2**31 - 1, "kernel": 2**16, "padding": 2**16}
"""The largest numbers that are read; others are at most a stride."""
STRIDE = 2**12
INSTEAD = (
    "ask one of these, as in `conformance sizes torch --input 20 --output 40`, and run the problem that its call means "
    'on {name}, as in `conformance call {name} "i20 k4 s2 p1"`'
)
"""The next step for a framework whose calls are not known."""


@click.command()
@click.argument("framework")
@click.argument("stack", required=False)
@click.option("--then", "thens", multiple=True, metavar="CALL", help="The next layer of a stack; repeatable.")
@click.option("--input", "input_", metavar="SIZE", help="The input's extents, as in 20 or 20x30.")
@click.option("--output", metavar="SIZE", help="The size that the answer must have.")
@click.option("--kernel", metavar="SIZE", help="The kernel size; without it, good ones are proposed.")
@click.option("--stride", metavar="SIZE", help="The stride; without it, good ones are proposed.")
@click.option("--dilation", metavar="SIZE", help="The dilation of the kernel (default: 1).")
@click.option(
    "--padding", metavar="VALUE", help="Only calls with this padding: a number, one number per axis, or a name."
)
@click.option("--output-padding", metavar="SIZE", help="Only calls with this output_padding.")
@click.option("--groups", type=click.IntRange(1), help="The groups of the channels (default: 1).")
@click.option("--in-channels", type=click.IntRange(1), help="Channels of the printed call (default: one per group).")
@click.option("--out-channels", type=click.IntRange(1), help="Channels of the printed call (default: one per group).")
@click.option("--idiom", help="Only this way of calling the framework, by its id in docs/conventions.md.")
@click.option("--variant", default="", help="How the framework executes (default: its first variant).")
@click.option("--json", "json_", is_flag=True, help="Print the same as JSON.")
def command(
    framework: str, stack: str | None, thens: tuple[str, ...], input_: str | None, variant: str, json_: bool,
    **layer: Any,
) -> int:  # fmt: skip
    """Name the calls of FRAMEWORK that give the size --output from the size --input, the most natural call first.

    FRAMEWORK may be the name of a module, such as keras. Each call gives exactly this size, by the claim of its idiom.
    It is printed with its window, and `conformance call` reads it. One number means the same size on all axes. If no
    call fits, the nearest sizes are named. A STACK of layers is a list, a Sequential(...), calls given by --then, a
    file such as model.py, or a part of a file such as model.py:Net. For a stack it says which input sizes pass, which
    level breaks, and how to fix it. Exit status: 0 a call fits or the input passes, 1 not, 2 usage.
    """
    named, framework = framework, framework_of(framework, INSTEAD)
    if variant:
        _require_variant(framework, variant)
    if stack is not None or thens:
        if unused := next((name for name, value in layer.items() if value is not None), ""):
            raise SizesError(f"--{unused.replace('_', '-')} is not of a stack: give --input alone")
        return _pass_stack(framework, [*([] if stack is None else [stack]), *thens], input_, variant, json_=json_)
    if input_ is None or layer["output"] is None:
        raise SizesError("--input and --output are the two sizes: give both, or a stack of layers")
    sizes_answer = answer(_target(framework, named, variant, layer), _wanted(input_, layer))
    _print(as_data(sizes_answer) if json_ else answer_lines(sizes_answer))
    return OK if sizes_answer.calls else DIVERGED


def _print(said: Mapping[str, Any] | Iterator[str]) -> None:
    """Print data as JSON, in whole; lines for people without what is too long to be read."""
    for line in [json.dumps(said, indent=2)] if isinstance(said, Mapping) else map(abridged, said):
        echo(line)


def _pass_stack(framework: str, texts: list[str], input_: str | None, variant: str, *, json_: bool) -> int:
    """Say which sizes pass a stack, and how the input fares."""
    from conformance.calls.sizes import stack_answers
    from conformance.calls.sizes.stack import read_stack

    sources = [_source_text(framework, text) for text in texts]
    start = next((start for _, start in sources if start), "")
    extents = () if input_ is None else parse_extents("input", input_)
    layers = read_stack(framework, [text for text, _ in sources], len(extents), variant, start)
    stack_answer = stack_answers.answer_stack(layers, extents * layers.rank if len(extents) == 1 else extents)
    _print(stack_answers.as_data(stack_answer) if json_ else stack_answers.stack_lines(stack_answer))
    return OK if stack_answer.passes else DIVERGED


def _source_text(framework: str, text: str) -> tuple[str, str]:
    """A text as it is, that of a file, or that of a part of a file, as in model.py:Net; where that is a class whose
    forward method can be followed, the whole text and its name."""
    file, dot, part = text.partition(".py:")
    if text.endswith(".py"):
        return read_source(Path(text)), ""
    if not dot or not part.replace(".", "").isidentifier():
        return text, ""
    from conformance.calls.sizes.stack import part_of, starts_at

    source = read_source(Path(f"{file}.py"))
    return (source, part) if starts_at(framework, source, part) else (part_of(framework, source, part), "")


def _target(framework: str, module: str, variant: str, layer: Mapping[str, Any]) -> Target:
    given = {role: _value(role, layer[role]) for role in ("padding", "output_padding") if layer[role] is not None}
    return Target(framework, variant, layer["idiom"] or "", given, module)


def _wanted(input_: str, layer: Mapping[str, Any]) -> Wanted:
    extents, groups = parse_extents("input", input_), layer["groups"] or 1
    given = (name for name in ("output", "kernel", "stride", "dilation") if layer[name] is not None)
    axes: dict[str, Any] = {name: parse_extents(name, layer[name], len(extents)) for name in given}
    return Wanted(
        extents, **axes, groups=groups, in_channels=_of_group("in", layer["in_channels"], groups),
        out_channels=_of_group("out", layer["out_channels"], groups),
    )  # fmt: skip


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
        raise SizesError(
            f"--{which}-channels {channels} cannot be split into {groups} groups: give a multiple of {groups}"
        )
    return (channels or groups) // groups


def _value(name: str, text: str) -> str | Ints:
    """Numbers, or the name of a padding."""
    if text.isidentifier() and name == "padding":
        return text
    return parse_extents(name.replace("_", "-"), text, least=0)
