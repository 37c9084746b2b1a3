"""The conventions as a document: what is said of each, with its witness and its proof; here as Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True, slots=True)
class Shown:
    """A witness: a call, the window that it cuts, and arrays in which every digit of y is an element of x.

    `full` is the whole stamp, of which the window leaves y.
    """

    framework: str
    call: str
    window: str
    x: str
    weight: str
    y: str
    fact: str
    full: str


@dataclass(frozen=True, slots=True)
class LawEntry:
    """A window law; `shared` are the functions that follow it, by framework, `proved` a line a claim and lane."""

    id: str
    title: str
    formula: str
    meaning: str
    shown: tuple[Shown, ...]
    shared: Mapping[str, tuple[str, ...]]
    proved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayoutEntry:
    """An order of axes, who has it, and how PyTorch's array becomes it."""

    layout: str
    shared: Mapping[str, tuple[str, ...]]
    conversion: str


@dataclass(frozen=True, slots=True)
class IdiomEntry:
    """An idiom: its functions, its claim in words, and what it refuses, by the lanes that do."""

    id: str
    framework: str
    functions: tuple[str, ...]
    claim: str
    laws: tuple[str, ...]
    data: tuple[str, ...]
    weight: tuple[str, ...]
    taps: tuple[str, ...]
    refusals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CopyEntry:
    """A call copied literally into another framework."""

    source: str
    call: str
    target: str
    copied: str
    kind: str
    how: str


@dataclass(frozen=True, slots=True)
class Handbook:
    """All of it."""

    laws: tuple[LawEntry, ...] = ()
    taps: tuple[Shown, ...] = ()
    reversed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: tuple[LayoutEntry, ...] = ()
    data: tuple[LayoutEntry, ...] = ()
    idioms: tuple[IdiomEntry, ...] = ()
    copies: tuple[CopyEntry, ...] = ()
    lanes: tuple[tuple[str, str, str], ...] = ()
    given: tuple[tuple[str, ...], ...] = ()
    """Weights handed over as they are: layout, taken as, and what becomes of it for three kinds of extents."""


def markdown(handbook: Handbook) -> str:
    """docs/conventions.md."""
    return plain("conventions.md.j2", book=handbook)


def plain(template: str, **values: Any) -> str:
    """A Markdown template's text."""
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=False,  # Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
