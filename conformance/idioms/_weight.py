"""Shapes that follow from a call and need not be given: of a weight whose kernel and channels the arguments say."""

from collections.abc import Mapping
from typing import Any

from conformance.idioms._reading import Reading
from conformance.problem import Ints


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
    return {**shapes, "w": weight}
