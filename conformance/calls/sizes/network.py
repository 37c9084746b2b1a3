"""The layers of a network in the order in which its forward method runs them, across the classes of one text.

What is run is read off the syntax tree: attributes that a class makes are layers, or networks of other classes of the
text; the values of its parameters are those that it is made with, as far as literals say them. Nothing is evaluated.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from conformance.calls.sizes.making.attributes import Making
from conformance.calls.sizes.making.known import Values, bound, items_of, opened, rounds_of, value_of
from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import _source
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


@dataclass(frozen=True, slots=True)
class Held:
    """A layer that is held by an attribute, with the values of the names in it."""

    made: ast.expr
    values: Values


@dataclass(frozen=True, slots=True)
class Step:
    """What a network runs next: a call, the values of the names in it, and whether it is a layer that is read; and the
    output_size with which the layer is applied, if any."""

    call: Found
    given: Values
    known: bool
    size: ast.expr | None = None


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
        """The parameters of a class that a test of the text depends on, with their defaults."""
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
        making = self._making(node, given)
        of_self = {name: value for name, value in making.values.items() if name.startswith("self.")}
        run = _Run(self, node, making.attributes, {**given, **of_self}, depth)
        run.given.update({f"len({name})": len(held) for name in run.attributes
                          if (held := run._held(ast.parse(name, mode="eval").body)) is not None})  # fmt: skip
        yield from run.statements(forward.body)

    def _making(self, node: ast.ClassDef, given: Values) -> Making:
        """The attributes that a class makes, each with the values of the names there, and the values that it has."""
        made = _method(node, "__init__", "build")

        def refused(statement: ast.stmt) -> SizesError:
            return SizesError(f"line {statement.lineno}: what {_short(statement)!r} makes is decided when it runs: "
                              f"{INSTEAD}")  # fmt: skip

        methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
        making = Making(methods, self.holds_layers, refused, dict(given))
        making.run(made.body if made else [])
        return making

    def made_with(self, name: str, call: ast.Call, given: Values) -> Values:
        """The values of the parameters of a class that a call makes, as far as they are known."""
        made = _method(self.classes[name], "__init__")
        if made is None:
            return {}
        names = [argument.arg for argument in made.args.args][1:]
        plain = dict(zip(reversed(names), reversed(made.args.defaults), strict=False))
        plain |= {a.arg: d for a, d in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True) if d is not None}
        values = {name: value_of(default, {}) for name, default in plain.items()}
        written = dict(zip(names, call.args, strict=False)) | {str(word.arg): word.value for word in call.keywords}
        values |= {name: value_of(node, given) for name, node in written.items()}
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
            test = value_of(statement.test, self.given) if isinstance(statement, ast.If) else ()
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
        """Raises SizesError where layers, or an end, depend on what is known only when the method runs."""
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
        rounds = self._rounds(statement.iter)
        if rounds is None:
            self._require_none(statement, returns=True)
        for item in rounds or ():
            names = bound(statement.target, item)
            layers = {name: (part.made, part.values) for name, part in names.items() if isinstance(part, Held)}
            plain = {name: part for name, part in names.items() if not isinstance(part, Held)}
            kept = {name: part for name, part in self.attributes.items() if name not in plain}
            self.given.update(plain)
            yield from replace(self, attributes={**kept, **layers}).statements(statement.body)

    def _rounds(self, node: ast.expr) -> list[Any] | None:
        """What a loop goes over: layers that are held, values that are known, or both side by side."""
        held = self._held(node)
        if held is not None:
            return [Held(*element) for element in held]
        if (items := items_of(node, self.given)) is not None or not isinstance(node, ast.Call):
            return items
        several = [self._rounds(argument) for argument in node.args]
        plain = [rounds for rounds in several if rounds is not None]
        if not plain or len(plain) < len(several):
            return None
        name = _source.dotted(node.func)
        made: dict[str, list[Any]] = {"enumerate": list(enumerate(plain[0])), "reversed": plain[0][::-1],
                                      "zip": list(zip(*plain, strict=False))}  # fmt: skip
        return made.get(name)

    def _held(self, node: ast.expr) -> list[tuple[ast.expr, Values]] | None:
        """The elements of what holds layers in order, each with the values of the names in it."""
        made, values = self.attributes.get(_source.dotted(node), (node, self.given))
        last = _source.dotted(made.func).rpartition(".")[2] if isinstance(made, ast.Call) else ""
        if isinstance(made, ast.Call) and last in HELD and len(made.args) == 1 and last not in SEQUENCES:
            return self._held_in(made.args[0], values)
        if isinstance(made, ast.Call) and last in HELD:
            elements = made.args
        elif isinstance(made, ast.List | ast.Tuple):
            elements = made.elts
        elif isinstance(made, ast.ListComp | ast.GeneratorExp) and (rounds := rounds_of(made, values)) is not None:
            elements = rounds
        else:
            return None
        elements = [*opened(elements, values)]
        named = isinstance(made, ast.List) and all(isinstance(element, ast.Tuple) for element in elements)
        elements = [element.elts[-1] for element in elements if isinstance(element, ast.Tuple)] if named else elements
        plain = not any(isinstance(element, ast.Starred | ast.ListComp | ast.GeneratorExp) for element in elements)
        return [(element, values) for element in elements] if plain else None

    def _held_in(self, node: ast.expr, values: Values) -> list[tuple[ast.expr, Values]] | None:
        """The same of what an attribute holds, where other names are known."""
        return replace(self, given=dict(values))._held(node)

    def _element(self, node: ast.Subscript) -> tuple[ast.expr, Values]:
        """What stands at a known place of what an attribute holds. Raises SizesError for a place that is not known."""
        held, at = self._held(node.value) or [], value_of(node.slice, self.given)
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
            size = next((word.value for word in node.keywords if word.arg == "output_size"), None)
            steps = self._called(node, node.func)
            yield from steps if size is None else (replace(step, size=size) for step in steps)
        elif isinstance(node, ast.IfExp) and (test := value_of(node.test, self.given)):
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
        if isinstance(node, ast.IfExp) and (test := value_of(node.test, given)):
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
            yield Step(self._found(node, name), given, known=last != "pad" or _is_plain(node, given))
        elif _may_change(name) and last not in self.network.keeps:
            yield Step(self._found(node, name), given, known=False)

    def _found(self, node: ast.Call, name: str) -> Found:
        return Found(_source.resolved(name, _source.parse(self.network.text)), node, None, (), (), node.lineno)


def _may_change(name: str) -> bool:
    """Whether a call is of a layer, or of a function of arrays of which it is not known that it keeps sizes."""
    last = name.rpartition(".")[2]
    return last[:1].isupper() or last in ("pad", "interpolate", "upsample", "center_crop", "pixel_shuffle", "unfold")


def _is_plain(node: ast.Call, given: Values) -> bool:
    """Whether all arguments but the first have a value, as of a padding that is not computed when it runs."""
    return all(value_of(part, given) for part in (*node.args[1:], *(word.value for word in node.keywords)))


def _method(node: ast.ClassDef, *names: str) -> ast.FunctionDef | None:
    methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
    return next((methods[name] for name in names if name in methods), None)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _short(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 60 else f"{text[:60]}..."
