"""Where adapters from outside are: folders that $CONFORMANCE_ADAPTERS lists, and installed packages.

A package registers an adapter by an entry point of the group `conformance.adapters`, whose name is the framework's. Its
value is the adapter's module, or a package in whose folder NAME.py or NAME.toml stands. Nothing of it is imported to
find it, since what an adapter does at import belongs into its own process.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conformance.adapters import AdapterError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "conformance.adapters"
SUFFIXES = (".py", ".toml")
"""Of an adapter, and of a file that starts a program."""


class Place(NamedTuple):
    """Where an adapter from outside is: its file, the module that is imported for it, and who brought it."""

    file: Path
    module: str
    source: str


def in_folders(folders: Sequence[str], framework: str) -> Iterator[Place]:
    """The places of a framework in folders; the modules of these folders are modules of `conformance.adapters`."""
    for folder in folders:
        for suffix in SUFFIXES:
            path = Path(folder, f"{framework}{suffix}")
            if path.exists():
                yield Place(path, f"{GROUP}.{framework}", str(path))


def in_packages(framework: str) -> Iterator[Place]:
    """The places that installed packages register for a framework. Raises AdapterError for one that is not there."""
    for entry in _entries():
        if entry.name == framework:
            yield _place(entry)


def package_names() -> set[str]:
    """The frameworks that installed packages register."""
    return {entry.name for entry in _entries()}


@cache
def _entries() -> tuple["EntryPoint", ...]:
    from importlib.metadata import entry_points  # slow, and the frameworks of this package are found without it

    return tuple(entry_points(group=GROUP))


def _place(entry: "EntryPoint") -> Place:
    package = entry.dist
    source = f"{package.name} {package.version}" if package else entry.value
    spec = None if entry.attr else _spec(entry.module)
    for folder in (spec and spec.submodule_search_locations) or ():
        for suffix in SUFFIXES:
            path = Path(folder, f"{entry.name}{suffix}")
            if path.exists():
                return Place(path, f"{entry.module}.{entry.name}", source)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise AdapterError(
            f"{source} registers the adapter {entry.name!r} as {entry.value!r}, which is no module: correct its entry "
            "point, or install it again"
        )
    return Place(Path(spec.origin), entry.module, source)


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is; the packages that it is in are not imported."""
    top, *parts = module.split(".")
    spec = find_spec(top)
    for part in parts:
        inside = spec and spec.submodule_search_locations
        spec = PathFinder.find_spec(f"{spec.name}.{part}", inside) if spec and inside else None
    return spec
