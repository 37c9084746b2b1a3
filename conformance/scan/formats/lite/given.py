"""An operator of TFLite with what is known of its operands, and what may be known of its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.problem import Ints
from conformance.scan.layer import Array, Extent

Answer = tuple[Ints | None, Array | None]
"""A shape, and the whole numbers of the tensor; None of what is not known."""


class UnknownError(Exception):
    """What an operator answers is not known."""


class MisfitError(Exception):
    """An operator does not take operands of such shapes; the message says which."""


@dataclass(frozen=True, slots=True)
class Given:
    """An operator with what is known of its operands, and the extents that the file states of its answers."""

    operator: Any
    shapes: Sequence[Ints | None]
    numbers: Sequence[Array | None]
    stated: Sequence[Sequence[Extent]]

    def shape(self, at: int) -> Ints:
        """The shape of an operand. Raises UnknownError."""
        found = self.shapes[at] if at < len(self.shapes) else None
        if found is None:
            raise UnknownError
        return found

    def whole(self, at: int) -> list[int]:
        """The whole numbers of an operand. Raises UnknownError."""
        found = self.numbers[at] if at < len(self.numbers) else None
        if found is None:
            raise UnknownError
        return [int(each) for each in found.ravel()]

    def options(self, kind: Any) -> Any:
        """The operator's options. Raises UnknownError where it has none."""
        return options(self.operator, kind)


def options(operator: Any, kind: Any) -> Any:
    """The options of an operator. Raises UnknownError where it has none."""
    table = operator.BuiltinOptions()
    if table is None:
        raise UnknownError
    made = kind()
    made.Init(table.Bytes, table.Pos)
    return made
