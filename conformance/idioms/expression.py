"""A call as people write it, such as `keras.layers.Conv2DTranspose(64, 5, strides=2)`; parsed, never evaluated."""

import ast
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

LONGEST = 10_000
"""Characters that a call may have."""

HOLE = "CALL"
"""The name that stands in a form for the call itself."""

ASSUMED = "assumed: "
"""How a note begins on a value that a text says as a default alone."""


class ExpressionError(ValueError):
    """Text that is no call, or whose arguments do not fit the function; the message says what would."""


@dataclass(frozen=True, slots=True)
class Name:
    """An argument that is not a literal: a tensor, or anything else that has a value only at run time.

    `at` is where it stands in its line, counted from 0, where that is known; `view` is the text that turns a tensor,
    as the call takes it.
    """

    text: str
    at: int | None = field(default=None, compare=False)
    view: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Invocation:
    """A parsed call: the dotted function, its arguments, and those of the call of its result, if there is one."""

    function: str
    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    outer: "Invocation | None" = None

    @property
    def last(self) -> str:
        """The function's own name, without the modules before it."""
        return self.function.rpartition(".")[2]


@lru_cache(maxsize=64)  # a call is looked for in many idioms that have one form
def parse(text: str, form: str = HOLE) -> Invocation | None:
    """The call in an expression, which stands in a form such as "jax.vjp(lambda z: CALL, z)[1](x)[0]".

    None where the expression is not of the form, or no call stands in it. Raises ExpressionError for other text.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"{text[:60]!r}... has {len(text)} characters: a call has at most {LONGEST}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", error)
        raise ExpressionError(f"{text!r} is not a Python expression ({reason}): give a call, such as "
                              "'torch.nn.ConvTranspose2d(8, 4, 3, stride=2)'") from None  # fmt: skip
    except (RecursionError, MemoryError):
        raise _too_deep(text) from None
    try:
        filled = _fill(_form(form), tree)
        return _invocation(filled) if isinstance(filled, ast.Call) else None
    except RecursionError:
        raise _too_deep(text) from None


def variables(text: str, form: str) -> Mapping[str, Sequence[str]]:
    """The names that an expression of a form has for each variable of the form, in the order in which they stand."""
    found: dict[str, list[str]] = {}
    _alike(_form(form), ast.parse(text.strip(), mode="eval").body, [], found)
    return found


def _too_deep(text: str) -> ExpressionError:
    return ExpressionError(f"{text[:60]!r}... is nested too deeply to be a call: give one call alone")


def write(function: str, *positional: Any, **named: Any) -> str:
    """A call as text; the inverse of `parse`."""
    arguments = [*map(_written, positional), *(f"{name}={_written(value)}" for name, value in named.items())]
    return f"{function}({', '.join(arguments)})"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
    return repr(value)


def rename(text: str, names: Mapping[str, str]) -> str:
    """An expression with other names, dotted ones included."""
    if all(old == new for old, new in names.items()):
        return text.strip()

    class Renaming(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:  # ast chooses the name
            return ast.Name(names.get(node.id, node.id))

        def visit_arg(self, node: ast.arg) -> ast.arg:  # ast chooses the name
            return ast.arg(names.get(node.arg, node.arg))

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # ast chooses the name
            whole = ast.unparse(node)
            return ast.Name(names[whole]) if whole in names else self.generic_visit(node)

    return ast.unparse(Renaming().visit(ast.parse(text.strip(), mode="eval")))


@cache
def _form(form: str) -> ast.expr:
    return ast.parse(form, mode="eval").body


@cache
def signature(text: str) -> inspect.Signature:
    """The signature that a parameter list spells, with literal defaults."""
    arguments = ast.parse(f"def f({text}): ...").body[0].args  # type: ignore[attr-defined]  # it is a FunctionDef
    assert isinstance(arguments, ast.arguments)
    kinds = inspect.Parameter
    names = [*arguments.posonlyargs, *arguments.args]
    defaults = [kinds.empty] * (len(names) - len(arguments.defaults)) + [
        ast.literal_eval(default) for default in arguments.defaults
    ]
    parameters = [
        kinds(name.arg, kinds.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in zip(names, defaults, strict=True)
    ]
    parameters += [
        kinds(name.arg, kinds.KEYWORD_ONLY, default=kinds.empty if default is None else ast.literal_eval(default))
        for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return inspect.Signature(parameters)


def _fill(form: Any, tree: Any) -> ast.AST | None:
    """What stands in the form's hole; None where the two differ elsewhere but in names of variables."""
    if isinstance(form, ast.Name) and form.id == HOLE:
        return tree if isinstance(tree, ast.AST) else None
    nodes: list[ast.AST] = []
    if not _alike(form, tree, nodes):
        return None
    return nodes[0]


def _alike(form: Any, tree: Any, nodes: list[ast.AST], found: dict[str, list[str]] | None = None) -> bool:
    """Whether a tree is of a form; collects what stands in the hole, and the names that stand for variables."""
    if isinstance(form, ast.Name) and form.id == HOLE:
        nodes.append(tree)
        return True
    if isinstance(form, list):
        return isinstance(tree, list) and len(form) == len(tree) and all(
            _alike(a, b, nodes, found) for a, b in zip(form, tree, strict=True)
        )  # fmt: skip
    if not isinstance(form, ast.AST):
        return bool(form == tree)
    if isinstance(form, ast.Name | ast.arg):  # a variable may have any name
        if found is not None and isinstance(tree, ast.AST):
            name = form.arg if isinstance(form, ast.arg) else form.id
            found.setdefault(name, []).append(tree.arg if isinstance(tree, ast.arg) else ast.unparse(tree))
        return isinstance(tree, ast.Name | ast.arg | ast.Attribute)
    if isinstance(form, ast.Attribute) and isinstance(tree, ast.Attribute | ast.Name):  # modules may be left out
        full, name = ast.unparse(form), ast.unparse(tree)
        return f".{full}".endswith(f".{name}")
    return type(form) is type(tree) and all(
        _alike(getattr(form, f), getattr(tree, f), nodes, found) for f in form._fields
    )


def _invocation(call: ast.Call) -> Invocation:
    outer = None
    if isinstance(call.func, ast.Call):
        outer = Invocation("", *_arguments(call))
        call = call.func
    try:
        function = ast.unparse(call.func)
    except RecursionError:
        raise ExpressionError("a call is nested too deeply: give one call alone") from None
    if not all(part.isidentifier() for part in function.split(".")):
        raise ExpressionError(f"{function!r} is not the name of a function: give a call of one")
    return Invocation(function, *_arguments(call), outer)


def _arguments(call: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if any(isinstance(argument, ast.Starred) for argument in call.args) or any(k.arg is None for k in call.keywords):
        raise ExpressionError(f"{ast.unparse(call)!r} unpacks arguments: write each of them out")
    names = [word.arg for word in call.keywords]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ExpressionError(f"{ast.unparse(call)!r} gives {twice[0]} twice: write it once")
    return tuple(map(_value, call.args)), {str(word.arg): _value(word.value) for word in call.keywords}


def _value(node: ast.expr) -> Any:
    """A literal as its value, a name as a Name; nothing else has a value without being evaluated."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        pass
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if isinstance(inner, ast.Name):
        return Name(ast.unparse(node))
    raise ExpressionError(f"{ast.unparse(node)!r} is neither a literal nor a name: write its value out")
