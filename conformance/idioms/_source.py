"""Calls as they stand in source text: found in its syntax tree, with what stands around them. Nothing is evaluated."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

from conformance.idioms.expression import ExpressionError

LONGEST = 1_000_000
"""Characters that a source text may have."""

CONTAINERS = frozenset({
    "Sequential", "HybridSequential", "ModuleList", "ModuleDict", "OrderedDict", "append", "add", "extend", "insert",
    "add_module", "list", "tuple",
})  # fmt: skip
"""Calls that only hold others, by their last names."""
IN_A_ROW = frozenset({"Sequential", "HybridSequential"})
"""Those of them that run what they hold, one after the other."""
CASTS = {"half": "float16", "double": "float64", "float": "float32", "bfloat16": "bfloat16"}
"""Suffixes that change the dtype."""
AROUND: Mapping[type[ast.AST], str] = {
    ast.Subscript: "a subscript", ast.BinOp: "an operation", ast.UnaryOp: "an operation with one operand",
    ast.BoolOp: "a boolean operation", ast.Compare: "a comparison", ast.Await: "an await",
}  # fmt: skip
"""What expressions that a call stands in are called."""
LIKE = re.compile(r"conv\w*transpose|transpose\w*conv|deconv", re.IGNORECASE)
"""Names of functions that are likely to be transposed convolutions."""
OVERLOADS = ".default", ".input"
"""What stands behind the name of an operator for one of its overloads, as in a graph that was exported."""
FORMS = "autograd.grad", "linear_transpose", "vjp"


@dataclass(frozen=True, slots=True)
class Found:
    """A call that stands in a text: its dotted function, as the text's imports say; the call of its result, if there
    is one; what stands around both; the dtypes that this casts to; the whole numbers that parameters have by default,
    and the name of the function that has them."""

    function: str
    call: ast.Call
    outer: ast.Call | None
    around: tuple[str, ...]
    casts: tuple[str, ...]
    line: int
    defaults: Mapping[str, int] = field(default_factory=dict)
    within: str = ""


@lru_cache(maxsize=4)
def parse(text: str) -> ast.Module:
    """A text's syntax tree, which is not to be changed. Raises ExpressionError, which names the character, where there
    is none."""
    if len(text) > LONGEST:
        raise ExpressionError(f"{text[:60]!r}... has {len(text)} characters: at most {LONGEST} are read")
    try:
        return ast.parse(text)
    except SyntaxError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        raise ExpressionError(f"{text[:200]!r} is not a Python expression ({error.msg}, {line}character "
                              f"{error.offset}): give a call, such as 'torch.nn.ConvTranspose2d(8, 4, 3, stride=2)'"
                              ) from None  # fmt: skip
    except ValueError as error:
        raise ExpressionError(f"{text[:60]!r} is not a Python expression ({error}): give a call") from None
    except (RecursionError, MemoryError):
        raise ExpressionError(f"{text[:60]!r}... is nested too deeply to be read: give one call alone") from None


def stands_in(name: str, text: str) -> bool:
    """Whether an expression stands in a text as a part of it."""
    (expression,) = parse(name).body
    assert isinstance(expression, ast.Expr)
    kind, spelt = type(expression.value), ast.unparse(expression.value)
    nodes = (node for node in ast.walk(parse(text.strip())) if type(node) is kind)
    try:
        return any(ast.unparse(node) == spelt for node in nodes)
    except RecursionError:
        raise ExpressionError(f"{text[:60]!r}... is nested too deeply to be read: give one call alone") from None


def find(tree: ast.Module, last_names: Set[str]) -> Iterator[Found]:
    """The calls of functions with these last names, in the order of the text."""
    parents = _parents(tree)
    nodes = [tree, *parents]
    origins = _origins(nodes)
    wanted = last_names | {name for name, origin in origins.items() if origin.rpartition(".")[2] in last_names}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = _plain(dotted(call.func))
        if name and name.rpartition(".")[2] in wanted:
            outer, around, casts = _surroundings(call, parents)
            within, defaults = _defaults(call, parents)
            yield Found(_resolved(name, origins), call, outer, around, casts, call.lineno, defaults, within)


def _defaults(call: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> tuple[str, dict[str, int]]:
    """The function around a call, and the parameters of it that are whole numbers by default and are never assigned."""
    node: ast.AST = call
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if (parent := parents.get(node)) is None:
            return "", {}
        node = parent
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True),
             *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]  # fmt: skip
    assigned = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    values = ((name.arg, value.value) for name, value in pairs if isinstance(value, ast.Constant))
    return node.name, {name: value for name, value in values if type(value) is int and name not in assigned}


def _plain(name: str) -> str:
    """An operator's name without that of its overload."""
    ending = next((ending for ending in OVERLOADS if name.endswith(ending)), "")
    return name.removesuffix(ending)


def passed_over(
    tree: ast.Module, last_names: Set[str], roots: Set[str], elsewhere: Callable[[str], str]
) -> Iterator[tuple[int, str]]:  # fmt: skip
    """Where a function with one of these last names is meant and not called by it, or one of a like name is called.

    Each comes with its line; `elsewhere` says which framework has a function that this one has not. Left out are
    questions about a type, and annotations.
    """
    parents = _parents(tree)
    nodes = [tree, *parents]
    origins = _origins(nodes)
    wanted = last_names | {name for name, origin in origins.items() if origin.rpartition(".")[2] in last_names}
    for node in parents:
        parent = parents[node]
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value in last_names
            and _is_call_of("getattr", parent)
        ):
            yield node.lineno, f"{node.value} is taken by getattr: write the call out"
        elif isinstance(node, ast.Name | ast.Attribute) and not isinstance(parent, ast.Attribute):
            name = dotted(node)
            last, known = name.rpartition(".")[2], name.partition(".")[0] in {*origins, *roots}
            if isinstance(parent, ast.Call) and parent.func is node:
                if last not in wanted and known and LIKE.search(last):
                    whole = _resolved(name, origins)
                    yield (
                        node.lineno,
                        elsewhere(whole) or f"{whole} is no function that is read: write out what it is",
                    )
            elif last in wanted and not _is_asked(node, parents):
                yield node.lineno, f"{name} is named and not called: only calls are read"


def _is_call_of(name: str, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == name


def _is_asked(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a type is compared with, or an annotation."""
    child, parent = node, parents[node]
    while isinstance(parent, ast.Tuple | ast.List | ast.BinOp | ast.Subscript):
        child, parent = parent, parents[parent]
    of_type = isinstance(parent, ast.Compare) or any(_is_call_of(name, parent) for name in ("isinstance", "issubclass"))
    return of_type or child in (getattr(parent, "annotation", None), getattr(parent, "returns", None))


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """The parent of every node below a tree, in the order of `ast.walk`."""
    wrapped: dict[ast.AST, ast.AST] = {}
    level = [tree]
    while level:
        children = {child: node for node in level for child in ast.iter_child_nodes(node)}
        wrapped |= children
        level = list(children)
    return wrapped


def dotted(node: ast.expr) -> str:
    """The dotted name that an expression is; empty where it is another expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def _origins(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """What names stand for by the text's own imports and definitions."""
    aliases: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else
                      alias.name.partition(".")[0] for alias in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            aliases |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__"):
            aliases.setdefault(node.name, f"<this file>.{node.name}")
    return aliases


def resolved(name: str, tree: ast.Module) -> str:
    """A dotted name with what a text's own imports and definitions say that it begins with."""
    return _resolved(name, _origins([tree, *_parents(tree)]))


def _resolved(name: str, origins: Mapping[str, str]) -> str:
    root, dot, rest = name.partition(".")
    return origins.get(root, root) + dot + rest


def _surroundings(call: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> (
    tuple[ast.Call | None, tuple[str, ...], tuple[str, ...]]
):  # fmt: skip
    outer: ast.Call | None = None
    around: list[str] = []
    casts: list[str] = []
    node: ast.AST = call
    path: set[ast.AST] = set()
    while (parent := parents.get(node)) is not None and not isinstance(parent, ast.stmt | ast.Lambda):
        path.add(node)
        if isinstance(parent, ast.Attribute):
            above = parents.get(parent)
            called = isinstance(above, ast.Call) and above.func is parent
            node = above if called and above is not None else parent
            around.append(_shortened(f".{parent.attr}", above if isinstance(above, ast.Call) and called else None))
            casts += _casts(parent.attr, above) if called else []
            continue
        if isinstance(parent, ast.Call) and parent.func is node:
            outer, around = (parent, around) if outer is None else (outer, [*around, "(...)"])
        elif isinstance(parent, ast.Call) and (name := dotted(parent.func)).rpartition(".")[2] not in CONTAINERS:
            around.append(f"{name or '...'}(...)")
        elif isinstance(parent, ast.Call) and name.rpartition(".")[2] in IN_A_ROW:
            around += [f"{name}(...) with {', '.join(others)}"] if (others := _others(parent, path)) else []
        elif type(parent) in AROUND:
            around.append(AROUND[type(parent)])
        node = parent
    return outer, tuple(around), tuple(casts)


def _others(row: ast.Call, path: Set[ast.AST]) -> list[str]:
    """The names of what a row of layers holds beside the one that a path leads to."""
    lists = (part.elts if isinstance(part, ast.List | ast.Tuple) else [part] for part in row.args)
    others = [part for parts in lists for part in parts if part not in path]
    return [dotted(part.func) or "..." if isinstance(part, ast.Call) else "..." for part in others]


def _shortened(name: str, call: ast.Call | None) -> str:
    if call is None:
        return name
    arguments = ", ".join(ast.unparse(node) for node in (*call.args, *(word.value for word in call.keywords)))
    return f"{name}({arguments if len(arguments) < 30 else '...'})"


def _casts(attribute: str, call: ast.AST | None) -> list[str]:
    """The dtype that a suffix casts to, such as .half() or .to(torch.float16)."""
    if attribute in CASTS:
        return [CASTS[attribute]]
    if attribute not in ("to", "astype", "cast", "type") or not isinstance(call, ast.Call):
        return []
    names = [dotted(node) or getattr(node, "value", "")
             for node in (*call.args, *(word.value for word in call.keywords))]  # fmt: skip
    last = [str(name).rpartition(".")[2] for name in names]
    return [CASTS.get(name, name) for name in last if name in CASTS or name.startswith(("float", "bfloat", "complex"))]
