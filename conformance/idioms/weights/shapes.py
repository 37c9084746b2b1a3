"""Shapes that need not be given: of a weight whose kernel and channels the arguments say, or of a problem."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from conformance import layout
from conformance.idioms import expression
from conformance.idioms._reading import CHANNELS_OF_X, Reading
from conformance.idioms.base import Idiom, Shapes
from conformance.idioms.expression import HOLE, Name
from conformance.idioms.weights.taken import with_numbers
from conformance.idioms.weights.views import whole_shape
from conformance.problem import Ints, Problem

SIZES = frozenset({"output_shape", "input_sizes", "input_size"})
"""The arguments that are the shape of an answer, the batch first."""


def with_sizes(reading: Reading, shapes: Mapping[str, Any]) -> Reading:
    """The call with numbers where a shape of the answer has names for its batch and channels, which are those of x
    and w, and where an argument is taken from their shapes.

    So are `tf.shape(x)[0]` and `batch_size` read, which have a value only at run time.
    """
    reading = with_numbers(reading, shapes)
    x, w = shapes.get("x"), shapes.get("w")
    reading = _with_channels_of_x(reading, x)
    for argument in SIZES & set(reading.arguments):
        size = reading.arguments[argument]
        if not isinstance(size, list | tuple) or x is None or len(size) != len(x) or reading.idiom.form != HOLE:
            continue
        first = str(reading.arguments.get("data_format") or "").startswith("NC")
        out = None if w is None or layout.groups(reading.idiom.weight)[-2:] != ["o", "gi"] else w[-2]
        known = {0: ("the batch", x[0]), 1 if first else len(size) - 1: ("the channels", out)}
        named = {at: (what, number) for at, (what, number) in known.items() if isinstance(size[at], Name) and number}
        numbers = type(size)(named[at][1] if at in named else value for at, value in enumerate(size))
        aside = [f"{what} {size[at]} taken to be {number}, as of {'x' if at == 0 else 'w'}"
                 for at, (what, number) in named.items()]  # fmt: skip
        text = _with_argument(reading, argument, {at: number for at, (_, number) in named.items()})
        arguments = {**reading.arguments, argument: numbers}
        reading = replace(reading, arguments=arguments, text=text, aside=(*reading.aside, *aside))
    return reading


def _with_channels_of_x(reading: Reading, x: Sequence[int | None] | None) -> Reading:
    """The call with the channels of x where a layer takes them from there; data is channels first, batched or not."""
    name = next((name for name, value in reading.arguments.items() if value == Name(CHANNELS_OF_X)), "")
    ranks = [rank for rank, full in reading.idiom.functions.items() if reading.text.startswith(f"{full}(")]
    if not name or x is None or not ranks or len(x) <= ranks[0] or not (channels := x[-ranks[0] - 1]):
        return reading
    text = reading.text.replace(CHANNELS_OF_X, str(channels))
    return replace(reading, arguments={**reading.arguments, name: channels}, text=text)


def _with_argument(reading: Reading, argument: str, numbers: Mapping[int, int]) -> str:
    """A call's text with numbers as elements of an argument."""
    tree = ast.parse(reading.text, mode="eval")
    assert isinstance(tree.body, ast.Call)
    names = [*expression.signature(reading.idiom.signature).parameters]
    given = dict(zip(names, tree.body.args, strict=False)) | {str(word.arg): word.value for word in tree.body.keywords}
    shape = given.get(argument)
    if not numbers or not isinstance(shape, ast.Tuple | ast.List):
        return reading.text
    for at, number in numbers.items():
        shape.elts[at] = ast.Constant(number)
    return ast.unparse(tree)


def shapes_for(idiom: Idiom, problem: Problem) -> Shapes:
    """The shapes of x and w in the layouts that an idiom's `say` writes for."""
    extents = {
        "n": (problem.batch,), "c": (problem.groups * problem.in_channels,), "k": problem.input,
    }  # fmt: skip
    x = tuple(extent for letter in layout.groups(idiom.data) for extent in extents[letter])
    of = {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels}
    w: list[int] = []
    for part in layout.groups(idiom.weight):
        w += problem.kernel if part == "k" else [prod(of[letter] for letter in part)]
    return {"x": x} if idiom.layer else {"x": x, "w": tuple(w)}


def derived(reading: Reading, shapes: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """The shapes, with that of w where it follows, as of an operator that is told its kernel, filters and groups."""
    arguments = reading.arguments
    if {"scale", "num_filter"} <= set(arguments) and "w" not in shapes and "w" in reading.tensors:
        scale, channels = arguments["scale"], arguments["num_filter"]
        if isinstance(scale, int) and isinstance(channels, int) and scale > 0 < channels:
            return {**shapes, "w": (channels, 1, *(2 * scale - scale % 2,) * rank)}
    told = {"kernel", "num_filter", "num_group"} <= set(arguments)
    if not told or "z" in reading.tensors or "w" in shapes or len(shapes.get("x") or ()) != rank + 2:
        return dict(shapes)
    kernel, filters, groups = (arguments[name] for name in ("kernel", "num_filter", "num_group"))
    kernel = (kernel,) if isinstance(kernel, int) else kernel
    numbers: list[Any] = [*kernel, filters, groups] if isinstance(kernel, list | tuple) else [None]
    if not all(isinstance(number, int) and number > 0 for number in numbers) or len(kernel) != rank or filters % groups:
        return dict(shapes)
    weight: Ints = (shapes["x"][1], filters // groups, *kernel)
    return {**shapes, "w": whole_shape(reading.view, weight) if reading.view else weight}
