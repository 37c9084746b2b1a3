"""What an adapter's source says of itself, which is read without importing its framework."""

import ast
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conformance.adapters.base import AdapterError
from conformance.io.bounded import read_named_text

CONTRACT = ("VARIANTS", "REFUSALS", "BLOCK", "describe", "translate", "run", "array", "tensor")
"""What every adapter defines, as in the protocol `Adapter`."""
LITERALS = ("VARIANTS", "BLOCK")
PAGE = "docs/adding-an-adapter.md"


def read(path: Path) -> ast.Module:
    """An adapter's source, parsed. Raises AdapterError where it is no Python, or lacks what every adapter has."""
    try:
        tree = ast.parse(read_named_text(path))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise AdapterError(f"{path}: cannot be read as Python: {error}") from None
    _require_contract(path, tree)
    return tree


def _require_contract(path: Path, tree: ast.Module) -> None:
    """Raises AdapterError where a module lacks what every adapter has, or where a literal is none."""
    here = {name for statement in tree.body for name in names_of(statement)}
    if "*" not in here and "__getattr__" not in here and (missing := [name for name in CONTRACT if name not in here]):
        raise AdapterError(f"{path} defines no {', '.join(missing)}: an adapter has these, see {PAGE}")
    for name in LITERALS:
        try:
            literal_in(tree, name)
        except (LookupError, ValueError, RecursionError):
            example = "a dict of dicts" if name == "VARIANTS" else "a number"
            raise AdapterError(f"{path}: {name} is no literal, as it is read without importing the module: write "
                               f"{example}, see {PAGE}") from None  # fmt: skip


def names_of(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module makes; those of a block, such as try, are among them."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name for alias in names)
        case _:
            stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            yield from (node.id for node in stored if isinstance(node.ctx, ast.Store))
            inner = (node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.ImportFrom))
            yield from (name for node in inner for name in names_of(node))


def literal_in(tree: ast.Module, name: str) -> Any:
    """The value of a literal that a module assigns to a name. Raises LookupError where it assigns none."""
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=found)], value=value)
                | ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value)
            ) if found == name:
                return ast.literal_eval(value)
    raise LookupError(name)


def lacking(body: Iterable[ast.stmt]) -> str:
    """The first package, by name, that statements import and that is not here; empty where there is none."""
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom) and not node.level}
    roots = sorted({name.partition(".")[0] for name in names})
    return next((root for root in roots if find_spec(root) is None), "")
