"""The attributes that a class makes: assigned, or appended to a list or a sequence, in loops that are known."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.calls.sizes.making.known import Values, bound, items_of, opened, rounds_of, settled, value_of
from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import _source

ADDING = {"append": 0, "add": 0, "add_module": 1, "register_block": 0}
"""Methods that add a layer at the end, by the place of the layer among their arguments."""
DEEPEST = 8
"""Methods within methods that are followed."""
Attributes = dict[str, tuple[ast.expr, Values]]


@dataclass(frozen=True)
class Making:
    """The statements of a method that makes layers, as far as they are run: the attributes and values by now.

    `refused` raises for a statement that makes layers in a way that is not known; `holds_layers` says which can.
    """

    methods: Mapping[str, ast.FunctionDef]
    holds_layers: Callable[[ast.AST], bool]
    refused: Callable[[ast.stmt], SizesError]
    values: dict[str, Any]
    attributes: Attributes = field(default_factory=dict)
    depth: int = 0

    def run(self, statements: Sequence[ast.stmt]) -> ast.expr | None:
        """Run statements; what they return."""
        for statement in statements:
            test = value_of(statement.test, self.values) if isinstance(statement, ast.If) else ()
            if isinstance(statement, ast.If) and test:
                returned = self.run(statement.body if test[0] else statement.orelse)
                if returned is not None:
                    return returned
            elif isinstance(statement, ast.Return) and statement.value is not None:
                return self._made(statement.value)
            elif not self._known(statement) and self.holds_layers(statement) and not _is_super(statement):
                raise self.refused(statement)
        return None

    def _known(self, statement: ast.stmt) -> bool:
        """Whether a statement was run."""
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                self._assign(_source.dotted(target), statement.value)
            return True
        if isinstance(statement, ast.For):
            items = items_of(statement.iter, self.values)
            for item in items or ():
                self.values.update(bound(statement.target, item))
                self.run(statement.body)
            return items is not None
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
            more = self._made(statement.value)
            return isinstance(more, ast.List | ast.Tuple) and self._add(_source.dotted(statement.target), more.elts)
        return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and self._call(statement.value)

    def _assign(self, name: str, node: ast.expr) -> None:
        made = self._made(node)
        known = value_of(made, self.values)
        self.attributes[name] = made, dict(self.values)
        self.values.pop(name, None)
        if known:
            self.values[name] = known[0]

    def _call(self, call: ast.Call) -> bool:
        """Whether a call adds a layer, or several, to what is known to hold some."""
        name, _, method = _source.dotted(call.func).rpartition(".")
        own = self.methods.get(method) if name == "self" and self.depth < DEEPEST else None
        if own is not None and self.holds_layers(own):
            self._within(own, call, self.attributes).run(own.body)
            return True
        if method == "extend" and len(call.args) == 1:
            more = self._made(call.args[0])
            return isinstance(more, ast.List | ast.Tuple) and self._add(name, more.elts)
        if method not in ADDING or len(call.args) <= ADDING[method]:
            return False
        layers = [self._made(argument) for argument in call.args[ADDING[method] :]]
        if name == "self" and method == "add_module" and (label := value_of(call.args[0], self.values)):
            self.attributes[f"self.{label[0]}"] = layers[0], dict(self.values)
            return True
        return self._add(name, layers)

    def _add(self, name: str, layers: Sequence[ast.expr]) -> bool:
        held, values = self.attributes.get(name, (None, {}))
        if isinstance(held, ast.List | ast.Tuple):
            self.attributes[name] = ast.copy_location(ast.List([*held.elts, *layers]), held), values
        elif isinstance(held, ast.Call) and not held.keywords:
            of_list = len(held.args) == 1 and isinstance(held.args[0], ast.List)
            args = [*(held.args[0].elts if of_list and isinstance(held.args[0], ast.List) else held.args), *layers]
            is_list = of_list or _source.dotted(held.func).endswith("List")
            inner: list[ast.expr] = [ast.copy_location(ast.List(args), held)] if is_list else args
            self.attributes[name] = ast.copy_location(ast.Call(held.func, inner, []), held), values
        else:
            return False
        return True

    def _made(self, node: ast.expr) -> ast.expr:
        """An expression with what is known in it written out: numbers, lists, comprehensions, and methods that make."""
        if not self.holds_layers(node) and not any(name in self.attributes for name in _names(node)):
            method = self._method(node)
            return node if method is None else method
        return self._written(settled(node, {n: v for n, v in self.values.items() if n not in self.attributes}))

    def _written(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            rounds = rounds_of(node, self.values)
            return node if rounds is None else ast.copy_location(ast.List([*map(self._written, rounds)]), node)
        if isinstance(node, ast.List | ast.Tuple):
            elements = [*opened([*map(self._written, node.elts)], self.values)]
            return ast.copy_location(type(node)(elements), node)
        if isinstance(node, ast.Starred):
            return ast.copy_location(ast.Starred(self._written(node.value)), node)
        if isinstance(node, ast.Name) and isinstance(
            self.attributes.get(node.id, (None,))[0], ast.List | ast.Tuple | ast.Call
        ):
            return self.attributes[node.id][0]
        if (made := self._method(node)) is not None:
            return made
        if isinstance(node, ast.Call):
            args = [*opened([*map(self._written, node.args)], self.values)]
            return ast.copy_location(ast.Call(node.func, args, node.keywords), node)
        return node

    def _method(self, node: ast.expr) -> ast.expr | None:
        """What a method of the class returns that is called here; None where it is none, or returns nothing known."""
        name = _source.dotted(node.func).removeprefix("self.") if isinstance(node, ast.Call) else ""
        method = self.methods.get(name)
        if method is None or not isinstance(node, ast.Call) or self.depth == DEEPEST or not self.holds_layers(method):
            return None
        return self._within(method, node, dict(self.attributes)).run(method.body)

    def _within(self, method: ast.FunctionDef, call: ast.Call, attributes: Attributes) -> "Making":
        """A method of the class that is called, on attributes that it may change."""
        names = [argument.arg for argument in method.args.args][1:]
        given = dict(zip(reversed(names), reversed(method.args.defaults), strict=False))
        given |= dict(zip(names, call.args, strict=False)) | {str(word.arg): word.value for word in call.keywords}
        known = {name: value for name, part in given.items() for value in value_of(part, self.values)}
        values = {name: value for name, value in self.values.items() if name not in given} | known
        return replace(self, values=values, attributes=attributes, depth=self.depth + 1)


def _is_super(statement: ast.stmt) -> bool:
    return "super" in _names(statement)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
