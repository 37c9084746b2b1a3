"""Values that are known before anything runs: of expressions, of what loops go over, and of comprehensions."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from typing import Any

from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import _source, arithmetic

Values = Mapping[str, Any]
"""Values of names and attributes, by their text."""
LONGEST = 1000
"""Rounds of a loop, and elements of a list, that are followed."""


def value_of(node: ast.expr, given: Values) -> tuple[Any, ...]:
    """The value of an expression of literals and known names, alone in a tuple; an empty one where it has none."""
    if isinstance(node, ast.IfExp):
        test = value_of(node.test, given)
        return value_of(node.body if test[0] else node.orelse, given) if test else ()
    try:
        return (arithmetic.value(node, given),)
    except (arithmetic.NotLiteral, RecursionError):
        return ()


def items_of(node: ast.expr, given: Values) -> list[Any] | None:
    """What a loop goes over, where that is known: a sequence, a range, or these counted, joined or reversed."""
    if known := value_of(node, given):
        return list(known[0]) if isinstance(known[0], list | tuple) else None
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    match _source.dotted(node.func):
        case "range":
            ends = [end for argument in node.args for end in value_of(argument, given)]
            whole = (
                0 < len(ends) == len(node.args) < 4 and all(isinstance(end, int) for end in ends) and 0 not in ends[2:]
            )
            return _bounded(range(*ends)) if whole else None
        case "enumerate" | "reversed" if len(node.args) == 1:
            inner = items_of(node.args[0], given)
            counted = isinstance(node.func, ast.Name) and node.func.id == "enumerate"
            return inner and (list(enumerate(inner)) if counted else inner[::-1])
        case "zip":
            several = [items_of(argument, given) for argument in node.args]
            plain = [items for items in several if items is not None]
            return list(zip(*plain, strict=False)) if len(plain) == len(several) > 0 else None
    return None


def _bounded(numbers: range) -> list[Any]:
    if len(numbers) > LONGEST:
        raise SizesError(f"a loop of {len(numbers)} rounds: at most {LONGEST} are followed")
    return list(numbers)


def bound(target: ast.expr, item: Any) -> dict[str, Any]:
    """The values of the names in a loop's target in one round."""
    if isinstance(target, ast.Tuple | ast.List) and isinstance(item, list | tuple) and len(target.elts) == len(item):
        return {
            name: value for part, one in zip(target.elts, item, strict=True) for name, value in bound(part, one).items()
        }
    return {target.id: item} if isinstance(target, ast.Name) else {}


def rounds_of(node: ast.ListComp | ast.GeneratorExp, given: Values) -> list[ast.expr] | None:
    """The elements of a comprehension, each with numbers for the names of its round; None where they are not known."""
    rounds: list[Values] = [given]
    for generator in node.generators:
        longer: list[Values] = []
        for values in rounds:
            items = items_of(generator.iter, values)
            if items is None:
                return None
            longer += [{**values, **bound(generator.target, item)} for item in items]
        for test in generator.ifs:
            if not all(value_of(test, values) for values in longer):
                return None
            longer = [values for values in longer if value_of(test, values)[0]]
        rounds = list(islice(longer, LONGEST))
    return [settled(node.elt, values) for values in rounds]


def settled(node: ast.expr, given: Values) -> ast.expr:
    """An expression with numbers and strings for the names in it that are known."""

    class Settling(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:  # ast chooses the name
            value = given.get(name.id)
            return ast.copy_location(ast.Constant(value), name) if isinstance(value, int | float | str) else name

        def visit_Attribute(self, attribute: ast.Attribute) -> ast.AST:  # ast chooses the name
            value = given.get(_source.dotted(attribute))
            if isinstance(value, int | float | str):
                return ast.copy_location(ast.Constant(value), attribute)
            return self.generic_visit(attribute)

    made: ast.expr = Settling().visit(deepcopy(node))
    return made


def opened(elements: Sequence[ast.expr], given: Values) -> Iterator[ast.expr]:
    """Elements with those of a starred list, or of a comprehension that is starred, in their place."""
    for element in elements:
        inner = element.value if isinstance(element, ast.Starred) else None
        if isinstance(inner, ast.ListComp | ast.GeneratorExp) and (rounds := rounds_of(inner, given)) is not None:
            yield from rounds
        elif isinstance(inner, ast.List | ast.Tuple):
            yield from opened(inner.elts, given)
        else:
            yield element
