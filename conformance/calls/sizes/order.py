"""Whether a text says that its layers follow each other, each of them once: not in branches, loops and several places.

Nothing is evaluated, so of a branch it is not known which way is taken, nor of a loop how often it runs.
"""

import ast
import builtins
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import _source

MEND = "give the layers that run, in their order, as a list"
LISTED = 6
"""Places that are named at most."""
SCOPES = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
LOOPS: dict[type[ast.AST], Set[str]] = {
    ast.For: {"body"}, ast.AsyncFor: {"body"}, ast.While: {"test", "body"}, ast.ListComp: {"elt"},
    ast.SetComp: {"elt"}, ast.GeneratorExp: {"elt"}, ast.DictComp: {"key", "value"},
}  # fmt: skip
"""What a loop runs again and again, by the fields of its node."""
PLAIN = frozenset({"Model", "Parameter", "Variable", *dir(builtins)})
"""Names with a capital that are no layers."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands: its line, the classes and functions around it, and why it may not run just once, if so."""

    line: int
    call: str
    scope: str
    unsure: str


def part_of(text: str, name: str, layers: Set[str]) -> str:
    """A text of which nothing is left but its imports and a class or function, as in "Net" or "Net.decode"; lines keep
    their numbers. Raises SizesError where there is none of that name, or where it calls another in which there are
    layers with these last names."""
    tree = _source.parse(text)
    scopes = dict(_scopes(tree))
    if name not in scopes:
        names = ", ".join(sorted(scopes)) or "none"
        raise SizesError(f"there is no class or function {name!r} in it: those are {names}")
    holding = {place.scope.partition(".")[0] for place in _places(tree, {
        call.call for call in _source.find(tree, layers)})} - {name.partition(".")[0]}  # fmt: skip
    for node in ast.walk(scopes[name]):
        if isinstance(node, ast.Call) and (called := _source.dotted(node.func)) in holding:
            raise SizesError(f"line {node.lineno}: {called} has layers of its own: {MEND}")
    kept = [scopes[name], *(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))]
    numbers = {number for node in kept for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = [line if at in numbers else "" for at, line in enumerate(text.splitlines(), 1)]
    first = lines[scopes[name].lineno - 1]
    indent = len(first) - len(first.lstrip())
    return "\n".join(line[indent:] if line[:indent].isspace() else line for line in lines)


def require_order(text: str, layers: Set[str]) -> None:
    """Raises SizesError where layers with these last names stand in a branch, in a loop, or in several places."""
    tree = _source.parse(text)
    calls = {call.call for call in _source.find(tree, layers)}
    places = sorted(_places(tree, calls), key=lambda place: place.line)
    if unsure := next((place for place in places if place.unsure), None):
        raise SizesError(f"line {unsure.line}: {unsure.call} {unsure.unsure}: {MEND}")
    first = {place.scope: place for place in reversed(places)}
    if len(first) > 1:
        raise SizesError(f"layers stand in {len(first)} places, and the text does not say how these follow each other: "
                         f"{_listed(sorted(first.values(), key=lambda place: place.line))}: name one of them, as in "
                         f"model.py:{places[-1].scope.partition('.')[0] or 'NAME'}, or {MEND}")  # fmt: skip


def not_known(text: str, known: Set[str]) -> Iterator[str]:
    """The layers of statements that are not among the known last names, each with its line: what they do to sizes is
    not known."""
    for node in ast.walk(_source.parse(text)):
        last = _source.dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if last[:1].isupper() and last not in known | PLAIN | _source.CONTAINERS:
            assert isinstance(node, ast.Call)
            yield f"{_source.dotted(node.func)} (line {node.lineno})"


def _listed(places: Sequence[Place]) -> str:
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return ", ".join(f"{place.scope or 'the text itself'} (line {place.line})" for place in places[:LISTED]) + more


def _scopes(tree: ast.AST) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    pending = [(tree, "")]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, SCOPES):
            scope = f"{scope}.{node.name}" if scope else node.name
            yield scope, node
        pending += [(child, scope) for child in ast.iter_child_nodes(node)]


def _places(tree: ast.AST, calls: Set[ast.Call]) -> Iterator[Place]:
    pending: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while pending:
        node, scope, unsure = pending.pop()
        if node in calls:
            assert isinstance(node, ast.Call)
            yield Place(node.lineno, _source.dotted(node.func), scope, unsure)
        if isinstance(node, SCOPES):
            scope = f"{scope}.{node.name}" if scope else node.name
        for field, value in ast.iter_fields(node):
            reason = unsure or _unsure(node, field)
            children = value if isinstance(value, list) else [value]
            pending += [(child, scope, reason) for child in children if isinstance(child, ast.AST)]


def _unsure(node: ast.AST, field: str) -> str:
    """Why what stands in a field of a node may not run just once; empty where it does."""
    if field in LOOPS.get(type(node), ()):
        return f"stands in the loop of line {getattr(node, 'lineno', '?')}, which may run it any number of times"
    match node:
        case ast.If() | ast.IfExp() if field in ("body", "orelse") and "__name__" not in (test := _short(node.test)):
            return f"runs only where {test} (line {node.lineno}) is {'true' if field == 'body' else 'false'}"
        case ast.BoolOp():
            return f"is one of the alternatives of {_short(node)} (line {node.lineno})"
        case ast.ExceptHandler():
            return f"runs only after an exception (line {node.lineno})"
        case ast.match_case() if field == "body":
            return f"runs only in the case {_short(node.pattern)} (line {node.pattern.lineno})"
        case ast.Lambda() if field == "body":
            return f"runs when the lambda of line {node.lineno} is called"
    return ""


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
