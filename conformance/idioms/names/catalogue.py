"""A framework's idioms by every name that their functions have."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from conformance.idioms.base import Dialect, Idiom, Spelling
from conformance.idioms.expression import HOLE
from conformance.idioms.names.owners import COUNTERPARTS, OWNERS


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A framework's idioms, with every name by which one of their functions can be called."""

    framework: str
    idioms: tuple[Idiom, ...]
    dialect: Dialect
    owners: Callable[[], Mapping[str, str]]
    """Every framework by the first parts of its functions' names, which takes the other catalogues."""
    others: Callable[[], Mapping[str, "Catalogue"]]
    """The catalogues of the other frameworks, by name."""
    ordinary: Callable[[], Set[str]] = frozenset
    """The last names of layers and functions of which sizes alone are known."""

    def elsewhere(self, name: str) -> str:
        """Which framework has a function of a dotted name that this one has not, or how it is written here where it is
        an operator, in words; empty where none has."""
        name = name.removeprefix("self.")
        if made := next((idiom for idiom in self.idioms if name in idiom.only.get("op_type", ())), None):
            return (f"{name} is an operator of {self.framework}, and is read as a node: write "
                    f"{made.functions[2]}({name!r}, ['x', 'w'], ['y'], strides=[2, 2]), with its own attributes"
                    )  # fmt: skip
        if owner := next((OWNERS[part] for part in name.split(".") if part in OWNERS), ""):
            counterpart = f": {COUNTERPARTS[owner]}" if owner in COUNTERPARTS else ""
            return f"{name} is {owner}'s, whose calls are not read{counterpart}"
        having = [framework for framework, other in self.others().items() if name in other.plain]
        frameworks = " or ".join(having)
        said = f"{name} is a function of {frameworks}, not of {self.framework}: give {frameworks} as the framework"
        return said if having else ""

    @cached_property
    def plain(self) -> Mapping[str, Sequence[tuple[Idiom, Spelling | None]]]:
        """The idioms whose call stands for itself, by every dotted name of their functions."""
        by_name: dict[str, list[tuple[Idiom, Spelling | None]]] = {}
        for idiom in self.idioms:
            for spelling in (None, *idiom.spellings) if idiom.form == HOLE else ():
                for name in self.names_of(spelling or idiom):
                    by_name.setdefault(name, []).append((idiom, spelling))
        return by_name

    @cached_property
    def last_names(self) -> Set[str]:
        """The functions' own names, without the modules before them."""
        return {name.rpartition(".")[2] for name in self.plain}

    @cached_property
    def formed(self) -> Sequence[tuple[Idiom, str, Set[str]]]:
        """The idioms whose call stands in a form, with each way to write that, and the names of their functions."""
        return [
            (idiom, form, self.names_of(idiom))
            for idiom in self.idioms if idiom.form != HOLE
            for form in _forms(idiom.form, self.dialect.modules)
        ]  # fmt: skip

    def names_of(self, functions: Idiom | Spelling) -> Set[str]:
        """Every name of an idiom's functions."""
        return {name for full in functions.functions.values() for name in _names(full, self.dialect.modules)}


def _names(full: str, modules: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Every name of a function: its modules' other names, and from each the first parts left out."""
    wholes = [full]
    for module, others in modules.items():
        wholes += [other + full.removeprefix(module) for other in others if full.startswith(module + ".")]
    for whole in wholes:
        parts = whole.split(".")
        yield from (".".join(parts[at:]) for at in range(len(parts)))


def _forms(form: str, modules: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """A form as it is, and with the other names of the modules in it."""
    yield form
    for module, others in modules.items():
        if re.search(rf"\b{module}\.", form):
            yield from (re.sub(rf"\b{module}\.", f"{other}.", form) for other in others)
