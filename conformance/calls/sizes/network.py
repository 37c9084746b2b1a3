"""The layers of a network in the order in which its forward method runs them, across the classes of one text.

What is run is read off the syntax tree: attributes that a class makes are layers, or networks of other classes of the
text; the values of its parameters are those that it is made with, as far as literals say them. Nothing is evaluated.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import _source, arithmetic
from conformance.idioms._source import Found

FORWARD = "forward", "call", "hybrid_forward"
"""Names of the method that runs a network."""
SEQUENCES = frozenset({"Sequential", "HybridSequential"})
"""Calls of which every element takes the answer of the one before."""
HELD = SEQUENCES | {"ModuleList", "list", "tuple", "OrderedDict"}
"""Calls that hold layers in order."""
WRAPPERS = frozenset({"weight_norm", "spectral_norm", "compile", "jit", "remat", "checkpoint", "parametrize"})
"""Calls that keep what the layer in them does to sizes."""
INSTEAD = 'give the layers that run, in their order, by --then, as in --then "nn.MaxPool2d(2)"'
DEEPEST = 16
"""Networks within networks that are followed."""
Values = Mapping[str, Any]
"""Values of names and attributes, by their text."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a network runs next: a call, the values of the names in it, and whether it is a layer that is read."""

    call: Found
    given: Values
    known: bool


@dataclass(frozen=True, eq=False)
class Network:
    """The classes of a text; `layers` are the last names of calls that are read, `keeps` of those that keep sizes."""

    text: str
    layers: frozenset[str]
    keeps: frozenset[str]

    @cached_property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """The classes that have a forward method, by name."""
        nodes = ast.walk(_source.parse(self.text))
        return {node.name: node for node in nodes if isinstance(node, ast.ClassDef) and _method(node, *FORWARD)}

    @property
    def top(self) -> str:
        """The class that no other of the text makes; empty where there is none, or more than one."""
        made = {
            _source.dotted(call.func) for node in self.classes.values() for call in ast.walk(node)
            if isinstance(call, ast.Call)
        }  # fmt: skip
        names = [name for name in self.classes if name not in made]
        return names[0] if len(names) == 1 else ""

    def steps(self, name: str) -> Iterator[Step]:
        """What a class runs, in order, with the defaults of its parameters.

        Raises SizesError for what is decided only when it runs.
        """
        yield from self.of_class(name, self.made_with(name, ast.Call(ast.Name(name), [], []), {}), 0)

    def defaults(self, name: str) -> list[str]:
        """The parameters of a class that a test of the text hangs on, with their defaults."""
        tests = [node.test for node in ast.walk(_source.parse(self.text)) if isinstance(node, ast.If | ast.IfExp)]
        tested = {name for test in tests for name in _names(test)}
        values = self.made_with(name, ast.Call(ast.Name(name), [], []), {})
        return [f"{parameter}={value!r}" for parameter, value in values.items() if parameter in tested]

    def of_class(self, name: str, given: Values, depth: int) -> Iterator[Step]:
        """What a class runs that is made with these values, within so many others."""
        node = self.classes[name]
        if depth > DEEPEST:
            raise SizesError(f"line {node.lineno}: {node.name} holds itself: {INSTEAD}")
        forward = _method(node, *FORWARD)
        assert forward is not None
        yield from _Run(self, node, self._attributes(node, given), dict(given), depth).statements(forward.body)

    def _attributes(self, node: ast.ClassDef, given: Values) -> dict[str, tuple[ast.expr, Values]]:
        """The attributes that a class makes, each with the values of the names there."""
        made = _method(node, "__init__", "build")
        attributes: dict[str, tuple[ast.expr, Values]] = {}
        values = dict(given)
        for statement in _chosen(made.body if made else [], values):
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    name = _source.dotted(target)
                    attributes[name] = statement.value, dict(values)
                    values.pop(name, None)
                    if known := _value(statement.value, attributes[name][1]):
                        values[name] = known[0]
            elif self.holds_layers(statement) and "super" not in _names(statement):
                raise SizesError(f"line {statement.lineno}: what {_short(statement)!r} makes is decided when it runs: "
                                 f"{INSTEAD}")  # fmt: skip
        return attributes

    def made_with(self, name: str, call: ast.Call, given: Values) -> Values:
        """The values of the parameters of a class that a call makes, as far as they are known."""
        made = _method(self.classes[name], "__init__")
        if made is None:
            return {}
        names = [argument.arg for argument in made.args.args][1:]
        plain = dict(zip(reversed(names), reversed(made.args.defaults), strict=False))
        plain |= {a.arg: d for a, d in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True) if d is not None}
        values = {name: _value(default, {}) for name, default in plain.items()}
        written = dict(zip(names, call.args, strict=False)) | {str(word.arg): word.value for word in call.keywords}
        values |= {name: _value(node, given) for name, node in written.items()}
        return {name: value for name, known in values.items() for value in known}

    def holds_layers(self, node: ast.AST) -> bool:
        """Whether a layer stands in a node, called or not."""
        names = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name | ast.Attribute))
        return any(self.is_layer(_source.dotted(name)) for name in names)

    def is_layer(self, name: str) -> bool:
        """Whether a call of this name changes sizes, or may."""
        return name.rpartition(".")[2] in self.layers or name in self.classes


@dataclass(frozen=True)
class _Run:
    """A forward method that is followed: its class, the attributes that are layers, and the values that are known."""

    network: Network
    node: ast.ClassDef
    attributes: Mapping[str, tuple[ast.expr, Values]]
    given: dict[str, Any]
    depth: int

    def statements(self, body: Sequence[ast.stmt]) -> Iterator[Step]:
        for statement in body:
            test = _value(statement.test, self.given) if isinstance(statement, ast.If) else ()
            if isinstance(statement, ast.If) and test:
                taken = statement.body if test[0] else statement.orelse
                yield from self.statements(taken)
                if any(isinstance(inner, ast.Return) for inner in taken):
                    return
            elif isinstance(statement, ast.For):
                yield from self._loop(statement)
            elif isinstance(statement, ast.With):
                yield from self.statements(statement.body)
            elif isinstance(statement, ast.If | ast.While | ast.Try | ast.Match):
                self._require_none(statement, returns=True)
            else:
                yield from self._expression(statement)
            if isinstance(statement, ast.Return):
                return

    def _require_none(self, node: ast.stmt | ast.expr, *, returns: bool = False) -> None:
        """Raises SizesError where layers, or an end, hang on what is known only when the method runs."""
        ends = returns and any(isinstance(inner, ast.Return) for inner in ast.walk(node))
        if ends or self._names_layers(node) or any(step.known for step in self._children(node)):
            raise SizesError(f"line {node.lineno}: {_short(node)!r} is decided when it runs: {INSTEAD}")

    def _names_layers(self, node: ast.AST) -> bool:
        """Whether an attribute that holds layers stands in a node."""
        return any(isinstance(inner, ast.Name | ast.Attribute) and self._is_layers(inner) for inner in ast.walk(node))

    def _is_layers(self, node: ast.expr) -> bool:
        made, _ = self.attributes.get(_source.dotted(node), (None, {}))
        return made is not None and self.network.holds_layers(made)

    def _loop(self, statement: ast.For) -> Iterator[Step]:
        """A loop over layers that an attribute holds, or over numbers that are known."""
        within, target = statement.iter, statement.target
        if isinstance(within, ast.Call) and _source.dotted(within.func) == "enumerate" and within.args:
            within = within.args[0]
            target = target.elts[-1] if isinstance(target, ast.Tuple) else target
        held = self._held(within)
        if held is None:
            self._require_none(statement, returns=True)
        for element, values in held or ():
            attributes = {**self.attributes, _source.dotted(target): (element, values)}
            yield from replace(self, attributes=attributes).statements(statement.body)

    def _held(self, node: ast.expr) -> list[tuple[ast.expr, Values]] | None:
        """The elements of what holds layers in order, each with the values of the names in it."""
        made, values = self.attributes.get(_source.dotted(node), (node, self.given))
        last = _source.dotted(made.func).rpartition(".")[2] if isinstance(made, ast.Call) else ""
        if isinstance(made, ast.Call) and last in HELD and len(made.args) == 1 and last not in SEQUENCES:
            return self._held(made.args[0])
        if isinstance(made, ast.Call) and last in HELD:
            elements = made.args
        elif isinstance(made, ast.List | ast.Tuple):
            elements = made.elts
        else:
            return None
        named = isinstance(made, ast.List) and all(isinstance(element, ast.Tuple) for element in elements)
        elements = [element.elts[-1] for element in elements if isinstance(element, ast.Tuple)] if named else elements
        plain = not any(isinstance(element, ast.Starred | ast.ListComp | ast.GeneratorExp) for element in elements)
        return [(element, values) for element in elements] if plain else None

    def _element(self, node: ast.Subscript) -> tuple[ast.expr, Values]:
        """What stands at a known place of what an attribute holds. Raises SizesError for a place that is not known."""
        held, at = self._held(node.value) or [], _value(node.slice, self.given)
        if not at or not isinstance(at[0], int) or not -len(held) <= at[0] < len(held):
            raise SizesError(f"line {node.lineno}: which layer {_short(node)!r} is is not known: {INSTEAD}")
        return held[at[0]]

    def _children(self, node: ast.AST) -> Iterator[Step]:
        for child in ast.iter_child_nodes(node):
            yield from self._expression(child)

    def _expression(self, node: ast.AST) -> Iterator[Step]:
        """The calls in a node, each behind its arguments."""
        if isinstance(node, ast.Call):
            for child in (*node.args, *node.keywords):
                yield from self._expression(child)
            yield from self._called(node, node.func)
        elif isinstance(node, ast.IfExp) and (test := _value(node.test, self.given)):
            yield from self._expression(node.body if test[0] else node.orelse)
        elif isinstance(node, ast.IfExp | ast.BoolOp | ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp):
            self._require_none(node)
        elif isinstance(node, ast.Name | ast.Attribute) and self._is_layers(node):
            raise SizesError(f"line {node.lineno}: {_short(node)!r} is handed on, and not called here: {INSTEAD}")
        else:
            yield from self._children(node)

    def _called(self, node: ast.Call, callee: ast.expr) -> Iterator[Step]:
        name = _source.dotted(callee)
        if isinstance(callee, ast.Subscript) and self._is_layers(callee.value):
            yield from self._module(*self._element(callee), self.depth)
        elif isinstance(callee, ast.Call):  # a layer that is made where it is called
            yield from self._module(callee, self.given, self.depth)
        elif name in self.attributes:
            yield from self._module(*self.attributes[name], self.depth)
        elif name.startswith("self.") and (method := _method(self.node, name.removeprefix("self."))):
            if self.depth > DEEPEST:
                raise SizesError(f"line {node.lineno}: {name} calls itself: {INSTEAD}")
            yield from replace(self, depth=self.depth + 1).statements(method.body)
        elif not name:
            yield from self._expression(callee)
        elif name.startswith("self.") and name.count(".") == 1:
            yield Step(self._found(node, name), self.given, known=False)
        else:
            yield from self._call(node, name, self.given)

    def _module(self, node: ast.expr, given: Values, depth: int) -> Iterator[Step]:
        """What runs when an attribute is called."""
        if isinstance(node, ast.IfExp) and (test := _value(node.test, given)):
            yield from self._module(node.body if test[0] else node.orelse, given, depth)
            return
        if not isinstance(node, ast.Call):
            self._require_none(node)
            return
        name, made_of = _source.dotted(node.func), node.func
        last = name.rpartition(".")[2]
        if name in self.network.classes:
            values = self.network.made_with(name, node, given)
            yield from self.network.of_class(name, values, depth + 1)
        elif last in HELD:
            held = replace(self, attributes={}, given=dict(given))._held(node)
            if held is None:
                raise SizesError(f"line {node.lineno}: what {_short(node)!r} holds is decided when it runs: {INSTEAD}")
            for element, values in held:
                yield from self._module(element, values, depth)
        elif last in WRAPPERS and node.args:
            yield from self._module(node.args[0], given, depth)
        elif isinstance(made_of, ast.Attribute) and isinstance(made_of.value, ast.Call):  # a suffix such as .cuda()
            yield from self._module(made_of.value, given, depth)
        elif last in self.network.layers:
            yield Step(self._found(node, name), given, known=True)
        elif last not in self.network.keeps:
            yield Step(self._found(node, name or _short(made_of)), given, known=False)

    def _call(self, node: ast.Call, name: str, given: Values) -> Iterator[Step]:
        """What a call of a function does."""
        last = name.rpartition(".")[2]
        if last in self.network.layers:
            yield Step(self._found(node, name), given, known=True)
        elif _may_change(name) and last not in self.network.keeps:
            yield Step(self._found(node, name), given, known=False)

    def _found(self, node: ast.Call, name: str) -> Found:
        return Found(_source.resolved(name, _source.parse(self.network.text)), node, None, (), (), node.lineno)


def _may_change(name: str) -> bool:
    """Whether a call is of a layer, or of a function of arrays of which it is not known that it keeps sizes."""
    last = name.rpartition(".")[2]
    return last[:1].isupper() or last in ("pad", "interpolate", "upsample", "center_crop", "pixel_shuffle", "unfold")


def _method(node: ast.ClassDef, *names: str) -> ast.FunctionDef | None:
    methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
    return next((methods[name] for name in names if name in methods), None)


def _chosen(body: list[ast.stmt], values: Values) -> Iterator[ast.stmt]:
    """Statements in order, and in place of a branch those of the way that is taken, where its test is known."""
    for statement in body:
        test = _value(statement.test, values) if isinstance(statement, ast.If) else ()
        if isinstance(statement, ast.If) and test:
            yield from _chosen(statement.body if test[0] else statement.orelse, values)
        else:
            yield statement


def _value(node: ast.expr, given: Values) -> tuple[Any, ...]:
    """The value of an expression of literals and known names, alone in a tuple; an empty one where it has none."""
    if isinstance(node, ast.IfExp):
        test = _value(node.test, given)
        return _value(node.body if test[0] else node.orelse, given) if test else ()
    try:
        return (arithmetic.value(node, given),)
    except (arithmetic.NotLiteral, RecursionError):
        return ()


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _short(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 60 else f"{text[:60]}..."
