"""Numbers that a call takes from the shapes of its own tensors, such as tf.shape(x)[1] * 2 or x.size(1)."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from conformance.idioms import arithmetic
from conformance.idioms._reading import Reading
from conformance.idioms._source import dotted
from conformance.idioms.arithmetic import NotLiteral
from conformance.idioms.expression import Name

OF_ARRAY = frozenset({"shape", "int_shape"})
"""Functions, by their last names, of which the answer is the shape of an array."""
AS_IT_IS = frozenset({"list", "tuple", "as_list"})
"""Functions and methods of a shape that keep it."""
MARKS = "shape", ".size("
"""One of these stands in every expression that is taken from a shape."""

Extents = Mapping[str, Sequence[int | None]]
"""Shapes by the text of their tensors; None stands for an extent that is not known."""


def with_numbers(reading: Reading, shapes: Mapping[str, Any]) -> Reading:
    """The call with numbers for the arguments, or their elements, that are taken from the shapes of x and w."""
    tensors = set(reading.idiom.tensors.values())
    names = {
        part.text
        for name, value in reading.arguments.items() if name not in tensors
        for part in (value if isinstance(value, list | tuple) else [value])
        if isinstance(part, Name) and any(mark in part.text for mark in MARKS)
    }  # fmt: skip
    extents = {reading.tensors[operand]: shape for operand, shape in shapes.items() if operand in reading.tensors}
    numbers = {text: number for text in names if (number := _number(text, extents)) is not None}
    if not numbers:
        return reading
    arguments = {name: value if name in tensors else _replaced(value, numbers)
                 for name, value in reading.arguments.items()}  # fmt: skip
    aside = [f"{text} taken to be {number}" for text, number in sorted(numbers.items())]
    return replace(reading, arguments=arguments, text=_written(reading.text, numbers), aside=(*reading.aside, *aside))


def _number(text: str, shapes: Extents) -> int | None:
    """The whole number that an expression has for these shapes, if it has one."""
    tree = ast.parse(text, mode="eval").body
    given = {ast.unparse(node): extent for node, extent in _extents(tree, shapes)}
    with suppress(NotLiteral):
        number = arithmetic.value(tree, given)
        return number if isinstance(number, int) and given else None
    return None


def _extents(tree: ast.expr, shapes: Extents) -> Iterator[tuple[ast.expr, int]]:
    """The parts of an expression that are an extent of a shape, each with its number."""
    for node in ast.walk(tree):
        at: ast.expr | None = None
        shape: Sequence[int | None] | None = None
        if isinstance(node, ast.Subscript):
            shape, at = _shape(node.value, shapes), node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "size":
            shape, at = shapes.get(ast.unparse(node.func.value)), next(iter(node.args), None)
        elif isinstance(node, ast.Attribute) and node.attr == "value":  # of TensorFlow 1
            yield from ((node, extent) for inner, extent in _extents(node.value, shapes) if inner is node.value)
        if shape is None or at is None:
            continue
        with suppress(NotLiteral, LookupError, TypeError):
            extent = shape[arithmetic.value(at, {})]
            if isinstance(extent, int) and isinstance(node, ast.expr):
                yield node, extent


def _shape(node: ast.expr, shapes: Extents) -> Sequence[int | None] | None:
    """The shape that an expression is; None where it is another expression, or the shape of what is not known."""
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return shapes.get(ast.unparse(node.value))
    if not isinstance(node, ast.Call):
        return None
    last = dotted(node.func).rpartition(".")[2] or getattr(node.func, "attr", "")
    if isinstance(node.func, ast.Attribute) and not node.args:
        inner = node.func.value
        return shapes.get(ast.unparse(inner)) if last in ("get_shape", "size") else (
            _shape(inner, shapes) if last in AS_IT_IS else None)  # fmt: skip
    if len(node.args) != 1:
        return None
    return shapes.get(ast.unparse(node.args[0])) if last in OF_ARRAY else (
        _shape(node.args[0], shapes) if last in AS_IT_IS else None)  # fmt: skip


def _replaced(value: Any, numbers: Mapping[str, int]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_replaced(part, numbers) for part in value)
    return numbers.get(value.text, value) if isinstance(value, Name) else value


def _written(text: str, numbers: Mapping[str, int]) -> str:
    """A call's text with numbers for what they are taken from."""

    class Writing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            number = numbers.get(ast.unparse(node)) if isinstance(node, ast.expr) else None
            return self.generic_visit(node) if number is None else ast.Constant(number)

    return ast.unparse(Writing().visit(ast.parse(text, mode="eval")))
