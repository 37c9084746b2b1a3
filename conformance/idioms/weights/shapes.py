"""Shapes that need not be given: of a weight whose kernel and channels the arguments say, or of a problem."""

from collections.abc import Mapping
from math import prod
from typing import Any

from conformance import layout
from conformance.idioms._reading import Reading
from conformance.idioms.base import Idiom, Shapes
from conformance.idioms.weights.views import whole_shape
from conformance.problem import Ints, Problem


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
