"""Modes of execution: other ways in which a framework makes the same call, in a module for each, as in `adapters`.

A variant is set by environment variables before a framework starts, and is a lane. A mode is chosen call by call, is
held against the lane that it is a mode of, and is no lane. No module here sees an expected value.
"""

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from conformance.adapters import load
from conformance.adapters.base import Lane
from conformance.adapters.modes.base import Modes
from conformance.io.bounded import read_named_text


def frameworks() -> tuple[str, ...]:
    """The frameworks that have modes."""
    return tuple(sorted(path.stem for path in Path(__path__[0]).glob("[a-z]*.py") if path.stem != "base"))


def names(framework: str) -> tuple[str, ...]:
    """A framework's modes, read without importing it."""
    tree = ast.parse(read_named_text(Path(__path__[0], f"{framework}.py")))
    tables = [node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
              and ast.unparse(node.targets[0]) in ("MODES", "SLOW", "INFERENCES")]  # fmt: skip
    return tuple(ast.literal_eval(key) for table in tables for key in table.keys if key)


def load_modes(lane: Lane) -> Modes:
    """The modes of a lane's framework, imported after its adapter, which sets its environment up."""
    load(lane)
    return cast(Modes, importlib.import_module(f"{__name__}.{lane.framework}"))


def missing(modes: Modes, name: str) -> tuple[str, ...]:
    """The packages that a mode needs and that are not installed here."""
    return tuple(package for package in modes.NEEDS.get(name, ()) if find_spec(package) is None)
