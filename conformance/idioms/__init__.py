"""The catalogue of idioms: every module in this folder but `base` is a framework's, and needs none installed.

read("torch", "F.conv_transpose2d(x, w, stride=2)", {"x": (1, 2, 5, 7), "w": (2, 3, 3, 3)})
"""

import ast
import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from conformance import expression
from conformance.expression import Invocation, Name
from conformance.idioms.base import Dialect, Idiom, Point, Shapes, Use
from conformance.problem import Ints


class IdiomError(ValueError):
    """A call that no idiom knows, or that cannot be read; the message says what can."""


@cache
def frameworks() -> tuple[str, ...]:
    """Names of the frameworks that have idioms, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "base"))


@cache
def idioms(framework: str) -> tuple[Idiom, ...]:
    """A framework's idioms, the preferred ones first. Raises IdiomError for an unknown framework."""
    if framework not in frameworks():
        raise IdiomError(f"there is no framework {framework!r}{_hint(framework)}: those with idioms are "
                         f"{', '.join(frameworks())}")  # fmt: skip
    found: tuple[Idiom, ...] = importlib.import_module(f"{__name__}.{framework}").IDIOMS
    return found


def _hint(name: str) -> str:
    """Where a name that is no framework's may belong, such as keras."""
    for framework in frameworks():
        if any(called.startswith(f"{name}.") for idiom in idioms(framework) for called in idiom.functions.values()):
            return f", it is among the idioms of {framework!r}"
    near = get_close_matches(name, frameworks(), 1)
    return f", the nearest is {near[0]!r}" if near else ""


def dialect(framework: str) -> Dialect:
    """How a framework says what stands around a call."""
    idioms(framework)
    found: Dialect = importlib.import_module(f"{__name__}.{framework}").DIALECT
    return found


def read(framework: str, text: str, shapes: Shapes, variant: str = "") -> Point:
    """The call in an expression with its claim. `shapes` are of its tensors, by the names they have there; a layer's
    input is called x.

    Raises ExpressionError for text that is no call, IdiomError for a call that no idiom of the framework knows,
    and Refusal where the arguments say no problem, so that no shape of an answer could be named.
    """
    found = [
        (idiom, invocation)
        for idiom in idioms(framework)
        if (invocation := expression.parse(text, idiom.form)) is not None and idiom.named(invocation)
    ]
    if not found:
        raise IdiomError(_unknown(framework, text))
    idiom, invocation = max(found, key=lambda each: each[0].likeness(each[1]))  # the first of equals
    return _point(idiom, text, invocation, shapes, variant)


def _unknown(framework: str, text: str) -> str:
    invocation = expression.parse(text)
    if invocation is None:
        return f"{text!r} is no call that {framework} has: give one, such as {idioms(framework)[0].functions[2]}(...)"
    known = {name for idiom in idioms(framework) for name in idiom.functions.values()}
    last = {name.rpartition(".")[2]: name for name in sorted(known)}
    near = get_close_matches(invocation.last, last, 1, 0.5)
    hint = f": the nearest is {last[near[0]]!r}" if near else f": known are {', '.join(sorted(known))}"
    return f"{framework} has no idiom {invocation.last!r}{hint}"


def _point(idiom: Idiom, text: str, invocation: Invocation, shapes: Shapes, variant: str) -> Point:
    arguments, written = expression.bind(idiom.signature, invocation)
    outer = invocation.outer or Invocation("", (Name("x"),), {})
    if idiom.layer:
        arguments |= expression.bind(idiom.outer, outer)[0]
    elif invocation.outer:
        raise IdiomError(f"{invocation.function} makes no layer, its result is not called: write one call")
    names = {operand: arguments.get(name, Name(operand)) for operand, name in idiom.tensors.items()}
    of = {operand: shapes.get(name.text) for operand, name in names.items() if isinstance(name, Name)}
    use = Use(_rank(idiom, invocation, of), arguments, {name: shape for name, shape in of.items() if shape}, variant)
    for operand in ("x",) if idiom.layer else ("x", "w", "z")[: 2 + ("z" in idiom.tensors)]:
        if operand not in use.shapes:
            raise IdiomError(f"{invocation.function}: the shape of {names[operand]} is missing: give it, as in "
                             f"--shape {names[operand]}=1,8,5,7")  # fmt: skip
    text = _canonical(text, {invocation.function: idiom.functions[use.rank], **{
        name.text: operand for operand, name in names.items() if isinstance(name, Name)
    }})  # fmt: skip
    try:
        claim = idiom.read(use)
    except TypeError as error:
        raise IdiomError(f"{invocation.function}: an argument is of a type that it cannot have: {error}") from error
    return Point(idiom, text, use.shapes, claim, *_parts(text, idiom, invocation), arguments, written)


def _canonical(text: str, names: Mapping[str, str]) -> str:
    """The expression with its function's full name and its tensors called x, w, b and z."""
    if all(old == new for old, new in names.items()):
        return text.strip()

    class Renaming(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:  # ast chooses the name
            return ast.Name(names.get(node.id, node.id))

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # ast chooses the name
            whole = ast.unparse(node)
            return ast.Name(names[whole]) if whole in names else self.generic_visit(node)

    return ast.unparse(Renaming().visit(ast.parse(text.strip(), mode="eval")))


def _rank(idiom: Idiom, invocation: Invocation, shapes: Mapping[str, Ints | None]) -> int:
    ranks = [rank for rank, name in idiom.functions.items() if name.rpartition(".")[2] == invocation.last]
    if len(ranks) == 1:
        return ranks[0]
    rank = len(shapes.get("x") or (0,) * 4) - 2
    if rank not in ranks:
        raise IdiomError(f"{invocation.function} of {rank} spatial axes: it takes {', '.join(map(str, ranks))}")
    return rank


def _parts(text: str, idiom: Idiom, invocation: Invocation) -> tuple[str, str]:
    """A layer's construction and the arguments of its call, as text; all of the text for a function."""
    if not idiom.layer:
        return text, ""
    if invocation.outer is None:
        return text, "x"
    tree = ast.parse(text.strip(), mode="eval").body
    assert isinstance(tree, ast.Call)
    words = [*map(ast.unparse, tree.args), *(f"{word.arg}={ast.unparse(word.value)}" for word in tree.keywords)]
    return ast.unparse(tree.func), ", ".join(words)
