"""A call written out as plain framework code, in the parts that a script puts in order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from conformance.calls import native
from conformance.calls.port import Port
from conformance.idioms.base import ClaimedCall, Dialect, engine
from conformance.layout import Array
from conformance.numerics.operands import held_in


@dataclass(frozen=True, slots=True)
class Program:
    """What a script needs besides its operands' values: they are assigned, as NumPy arrays, between the two blocks.

    `body` takes them by name and leaves the answer in y, a NumPy array.
    """

    imports: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    operands: Mapping[str, Array | None] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, Array]:
        """The operands that the call has."""
        return {name: array for name, array in self.operands.items() if array is not None}


def of_call(point: ClaimedCall, arrays: Iterable[Array | None], dtype: str, dialect: Dialect) -> Program:
    """A call as it was written, on x, w and b in its own layout; z, of which some calls take the shape, is zeros."""
    given = dict(zip("xwb", arrays, strict=True))
    given["z"] = np.zeros(point.shapes["z"], held_in(dtype)) if "z" in point.shapes else None
    lines = native.lines(point)
    used = {name: array for name, array in given.items() if array is not None or _is_named(name, lines)}
    present = [name for name, array in used.items() if array is not None]
    body = (*_tensors(present, dialect), *lines, f"y = {dialect.array.format('y')}")
    imports = (*point.idiom.imports, *engine(point.idiom.engines, point.variant))
    return Program((*dialect.imports, *imports), (), body, used)


def of_port(port: Port, arrays: Iterable[Array | None], dialect: Dialect) -> Program:
    """The code of a port and a call of it, on x in the target's layout of data, and w and b as the source has them."""
    given = dict(zip("xwb", arrays, strict=True))
    present = [name for name, array in given.items() if array is not None]
    body = (
        "w = convert_weight(w)", *_tensors(present, dialect), "y = conv_transpose(x, w, b)",
        f"y = {dialect.array.format('y')}",
    )  # fmt: skip
    return Program(port.imports, (*port.definitions, "", ""), body, given)


def of_gradient(lines: Iterable[str], operands: Mapping[str, Array], dialect: Dialect, *,
                after: Iterable[str] = ()) -> Program:  # fmt: skip
    """Lines that leave a gradient in y; `after` is done to it in NumPy."""
    body = (*_tensors(operands, dialect), *lines, f"y = {dialect.array.format('y')}", *after)
    return Program(dialect.imports, (), body, operands)


def of_text(text: str, operands: Mapping[str, Array], dialect: Dialect, imports: Iterable[str] = (), *,
            taken: Iterable[str], after: Iterable[str] = ()) -> Program:  # fmt: skip
    """A call as text, on those operands that it takes; `after` is what is done to y in NumPy."""
    body = (*_tensors(taken, dialect), f"y = {text}", f"y = {dialect.array.format('y')}", *after)
    return Program((*dialect.imports, *imports), (), body, operands)


def in_order(imports: Iterable[str]) -> list[str]:
    """Imports, then the definitions among them, which take several lines."""
    return sorted(set(imports), key=lambda text: ("\n" in text, text))


def _tensors(names: Iterable[str], dialect: Dialect) -> Iterator[str]:
    return (f"{name} = {dialect.tensor.format(name)}" for name in names)


def _is_named(name: str, lines: Iterable[str]) -> bool:
    return any(re.search(rf"\b{name}\b", line) for line in lines)
