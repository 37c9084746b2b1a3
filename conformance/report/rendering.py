"""Templates: escaped by default, strict about what they are given, and nothing in them that a browser would obey."""

import re
from functools import cache
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from conformance.io.terminal import printable
from conformance.predicates.induction import ALWAYS
from conformance.records.messages import line
from conformance.records.reproduction import reproduction
from conformance.report.content.faults import DOES, Arrays
from conformance.report.content.handbook import Shown
from conformance.report.drawings import svg
from conformance.report.words import slug

ARRAY = re.compile(r"\[[-+\d\s,.e\[\]]{120,}\]")
"""A long literal of numbers."""


def render(template: str, /, **values: Any) -> str:
    """A template's text."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": "{:,}".format, "slug": slug, "line": line, "python": python, "coded": coded, "fragment": fragment,
        "command": reproduction, "share": share, "does": DOES.__getitem__,
    }  # fmt: skip
    environment.globals |= {
        "bar": svg.bar, "errors": svg.errors, "patterns": svg.patterns, "operand": operand, "stamp": stamp,
        "answer": answer, "shown": shown, "everywhere": ALWAYS,
    }  # fmt: skip
    return environment


def coded(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def share(count: int, of: int) -> str:
    """A count of some as whole percent; 100 is said of all of them alone, and 0 of none."""
    percent = count * 100 // of
    return f"{max(percent, 1) if count else 0} %"


@cache
def python(code: str) -> Markup:
    """Python with its words in classes, but for the numbers of long arrays, each of which would be an element."""
    arrays: list[str] = []

    def kept(literal: re.Match[str]) -> str:
        arrays.append(literal[0])
        return f"array_{len(arrays) - 1}_"

    html = highlight(ARRAY.sub(kept, code), PythonLexer(), HtmlFormatter(nowrap=True))
    for number, literal in enumerate(arrays):
        html = html.replace(f"array_{number}_", str(escape(literal)), 1)
    return Markup(html)


def fragment(text: str) -> str:
    """Text as the part of an address after its #."""
    return quote(text, safe="")


def operand(array: Any, name: str, room: Any = None) -> Markup:
    """An operand, drawn; its cells as wide as those of `room`, where given, so that the two line up."""
    return svg.drawn(array if array.ndim > 2 else array.reshape(1, -1, 1), name, room=room)


def stamp(arrays: Arrays) -> Markup:
    """The whole stamp with the window that is to be cut from it, and the one that was, where the two are known."""
    extents = arrays.full.shape[2:]
    boxes = [svg.box(arrays.window, extents, "expected window", "expected")]
    if arrays.moved is not None:
        boxes.append(svg.box(arrays.moved, extents, "actual window", "actual"))
    return svg.drawn(arrays.full, "whole stamp", boxes=boxes)


def answer(array: Any, other: Any, name: str, room: Any = None) -> Markup:
    """An answer, with the elements marked in which it is not the other one; all are, where the shapes differ.

    Of an answer that is too large for numbers, how far it is from the other one.
    """
    if array.ndim < 3:
        return Markup("<p>an array of {} axes</p>").format(array.ndim)
    if array.size > svg.MOST_CELLS and array.shape == other.shape:
        return svg.heat(array - other, f"deviation of {name}")
    differs = array != other if array.shape == other.shape else np.ones(array.shape, bool)
    return svg.drawn(array, name, differs=differs, room=room)


def shown(witness: Shown) -> Markup:
    """A convention's witness: its stamp, and the window in it."""
    full = np.array(list(map(int, witness.full.split())))
    lo, hi = (int(part) for part in witness.window.strip("()").split(","))
    box = svg.box(((lo, hi),), full.shape, "window", "expected")
    return svg.drawn(full.reshape(1, 1, -1), f"stamp, window {witness.window}", boxes=[box])
