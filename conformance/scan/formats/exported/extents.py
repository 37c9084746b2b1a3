"""Sizes in a graph of torch.export: the expressions that they are, computed and never evaluated as Python."""

import ast
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil, floor, prod
from typing import Any

from conformance.scan.layer import Extent, SizeError

LONGEST = 10_000
"""Characters of an expression that are read."""


class UnreadError(ValueError):
    """An expression that is not read; the message shows it."""


def extent_of(size: Mapping[str, Any]) -> Extent:
    """An extent that a file states: a number, or free."""
    return int(size["as_int"]) if "as_int" in size else "free"


def number(size: Mapping[str, Any], symbols: Mapping[str, int]) -> int | None:
    """The extent of an axis; None where a symbol of it is not known. Raises SizeError where it is no whole number, and
    UnreadError."""
    if "as_int" in size:
        return int(size["as_int"])
    try:
        made = _evaluated(str(size["as_expr"]["expr_str"]), symbols)
    except KeyError:
        return None
    if made.denominator != 1:
        raise SizeError(f"an extent would be {made}")
    return int(made)


def solved(text: str, extent: int, where: str) -> tuple[str, int]:
    """The symbol of a linear expression, and the number that gives it this value. Raises SizeError and UnreadError."""
    symbols = {*_names(text)}
    if len(symbols) != 1:
        raise UnreadError(f"{where} is of an expression of {len(symbols)} symbols: {text[:80]}")
    symbol = symbols.pop()
    at = [_evaluated(text, {symbol: each}) for each in (0, 1, 2)]
    slope = at[1] - at[0]
    if not slope or at[2] - at[1] != slope:
        raise UnreadError(f"{where} is of an expression that is not read: {text[:80]}")
    made = (extent - at[0]) / slope
    if made.denominator != 1 or _evaluated(text, {symbol: int(made)}) != extent:
        raise SizeError(f"{where} is {extent}, and was exported as a multiple of {slope}")
    return symbol, int(made)


OPERATIONS: Mapping[str, Any] = {
    "Add": lambda *of: sum(of), "Mul": lambda *of: prod(of), "Max": max, "Min": min,
    "FloorDiv": lambda a, b: Fraction(floor(a / b)), "CleanDiv": lambda a, b: Fraction(floor(a / b)),
    "Mod": lambda a, b: a % b, "PythonMod": lambda a, b: a % b, "Integer": Fraction, "Rational": Fraction,
    "floor": lambda a: Fraction(floor(a)), "ceiling": lambda a: Fraction(ceil(a)),
    "FloorToInt": lambda a: Fraction(floor(a)), "CeilToInt": lambda a: Fraction(ceil(a)),
    "IntTrueDiv": lambda a, b: Fraction(a) / Fraction(b), "ToFloat": Fraction, "TruncToInt": lambda a: Fraction(int(a)),
}  # fmt: skip
"""What expressions of sizes are made of."""


def _tree(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise UnreadError(f"an extent is an expression of more than {LONGEST} characters")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):  # of a null character
        raise UnreadError(f"an extent is no expression: {text[:80]}") from None


def _names(text: str) -> Iterator[str]:
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Symbol":
            match node.args:
                case [ast.Constant(value=str() as name), *_]:
                    yield name


def _evaluated(text: str, symbols: Mapping[str, int]) -> Fraction:
    """The number of an expression; nothing but arithmetic is known. Raises KeyError for a symbol without a number."""
    return _value_of(_tree(text), symbols)


def _value_of(node: ast.expr, symbols: Mapping[str, int]) -> Fraction:
    match node:
        case ast.Constant(value=int() as number):
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value_of(operand, symbols)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str() as name), *_]):
            return Fraction(symbols[name])
        case ast.Call(func=ast.Name(id="Pow"), args=[base, ast.Call() as power]):
            exponent = _value_of(power, symbols)
            powered = _value_of(base, symbols)
            if abs(exponent) <= 4 and exponent.denominator == 1 and (powered or exponent >= 0):
                return Fraction(powered ** int(exponent))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in OPERATIONS:
            try:
                return Fraction(OPERATIONS[name](*(_value_of(argument, symbols) for argument in arguments)))
            except (TypeError, ValueError, ZeroDivisionError):
                pass
    raise UnreadError(f"an extent is of an expression that is not read: {ast.unparse(node)[:80]}")
