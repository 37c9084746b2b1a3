"""Arithmetic of literals, as it stands in a syntax tree: 9 // 2, [1] + [2] * 2, max(3, 4). Nothing is ever evaluated.

Values are bounded, so that no text can ask for much: numbers by LARGEST, sequences and strings by LONGEST.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from conformance.idioms.expression import ExpressionError, Name

LARGEST = 2**64
LONGEST = 1000


class NotLiteral(Exception):
    """An expression that has a value only at run time; `node` is the smallest part that makes it so."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(ast.unparse(node))
        self.node = node


_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv, ast.Mod: operator.mod,
}  # fmt: skip
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_
}  # fmt: skip
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
_CALLS: Mapping[str, Callable[..., Any]] = {
    "int": int, "max": max, "min": min, "abs": abs, "round": round, "float": float, "bool": bool, "tuple": tuple,
    "list": list, "len": len, "sum": sum, "math.ceil": math.ceil, "math.floor": math.floor, "np.ceil": math.ceil,
    "np.floor": math.floor,
}  # fmt: skip


def value(node: ast.expr, given: Mapping[str, Any]) -> Any:
    """The value of an expression of literals, and of what is `given` by its text. Raises NotLiteral."""
    if given and (text := ast.unparse(node)) in given:
        return given[text]
    match node:
        case ast.Constant():
            return _bounded(node, node.value)
        case ast.Tuple():
            return tuple(value(elt, given) for elt in node.elts)
        case ast.List():
            return [value(elt, given) for elt in node.elts]
        case ast.Dict() | ast.Set():
            return _literal(node)
        case ast.UnaryOp() if type(node.op) in _UNARY:
            return _tried(node, _UNARY[type(node.op)], value(node.operand, given))
        case ast.BinOp():
            return _binary(node, value(node.left, given), value(node.right, given))
        case ast.Compare(ops=[compared], comparators=[other]) if type(compared) in _COMPARED:
            return _tried(node, _COMPARED[type(compared)], value(node.left, given), value(other, given))
        case ast.Subscript():
            return _tried(node, operator.getitem, value(node.value, given), value(node.slice, given))
        case ast.Call() if not node.keywords and (function := _CALLS.get(ast.unparse(node.func))):
            return _tried(node, function, *(value(arg, given) for arg in node.args))
    raise NotLiteral(node)


STACKS = frozenset({"stack", "pack", "convert_to_tensor", "TensorShape", "Size"})
"""Calls, by their last names, that make a shape of the list in them."""


def value_or_name(node: ast.expr, given: Mapping[str, Any]) -> Any:
    """An expression's value where literals say it; else a Name, which has none, or a sequence that holds some.

    Raises ExpressionError for one that is nested too deeply.
    """
    try:
        return _value_or_name(node, given)
    except RecursionError:
        raise ExpressionError(f"an argument at line {node.lineno} is nested too deeply to be read") from None


def _value_or_name(node: ast.expr, given: Mapping[str, Any]) -> Any:
    with suppress(NotLiteral):
        return value(node, given)
    plain = _stacked(node)
    if isinstance(plain, ast.Tuple | ast.List) and not any(isinstance(elt, ast.Starred) for elt in plain.elts):
        elements = [value_or_name(elt, given) for elt in plain.elts]
        return elements if isinstance(plain, ast.List) else tuple(elements)
    return Name(ast.unparse(node), node.col_offset)


def _stacked(node: ast.expr) -> ast.expr:
    """The list of numbers that a call makes a shape of; any other expression as it is."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in STACKS:
        return node
    (first, *rest) = node.args or [node]
    plain = isinstance(first, ast.Tuple | ast.List) and not any(
        isinstance(elt, ast.Tuple | ast.List) for elt in first.elts
    )
    return first if plain and not rest else node


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise NotLiteral(node) from None


def _binary(node: ast.BinOp, left: Any, right: Any) -> Any:
    if isinstance(node.op, ast.Pow):
        numbers = isinstance(left, int | float) and isinstance(right, int | float) and abs(right) <= 64
        if numbers and abs(left) <= LARGEST:
            return _tried(node, operator.pow, left, right)
        raise NotLiteral(node)
    if type(node.op) not in _BINARY:
        raise NotLiteral(node)
    if isinstance(node.op, ast.Mod) and isinstance(left, str | bytes):
        raise NotLiteral(node)  # a format, which may ask for any width
    for times, sequence in ((left, right), (right, left)):
        repeated = isinstance(node.op, ast.Mult) and hasattr(sequence, "__len__")
        if repeated and (not isinstance(times, int) or times * len(sequence) > LONGEST):
            raise NotLiteral(node)
    return _tried(node, _BINARY[type(node.op)], left, right)


def _tried(node: ast.expr, function: Callable[..., Any], *operands: Any) -> Any:
    try:
        return _bounded(node, function(*operands))
    except (ArithmeticError, TypeError, ValueError, LookupError):
        raise NotLiteral(node) from None


def _bounded(node: ast.expr, value: Any) -> Any:
    if isinstance(value, int) and abs(value) > LARGEST:
        raise NotLiteral(node)
    if isinstance(value, complex) or (hasattr(value, "__len__") and len(value) > LONGEST):
        raise NotLiteral(node)
    return value
