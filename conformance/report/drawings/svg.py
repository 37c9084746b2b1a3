"""Drawings as inline SVG: bars of verdicts, arrays as grids of numbers with the windows that are cut from them.

Colours come from the page's style by class, so that a drawing is right in light, in dark and on paper. What differs is
told apart by a hatch and a thicker edge as well as by colour, and every drawing has its text.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from conformance.report.content.faults import Window

Array = NDArray[Any]

HEIGHT = 24
CHARACTER = 7.3
MARGIN = 8
MOST_CELLS = 500
"""Cells that are drawn with numbers; more are a heat map."""
MOST_PLANES = 8
MOST_EXTENT = 96
"""Cells of an axis that a heat map draws."""
DOT = 9
NARROW = 320
"""Width that every screen has."""


@dataclass(frozen=True, slots=True)
class Box:
    """A window laid over an array: half-open ranges of each spatial axis, what it is, and its class of style."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    name: str
    style: str


class _Rectangle(NamedTuple):
    """A box on one plane, in rows and columns."""

    top: int
    left: int
    bottom: int
    right: int
    style: str


def box(window: Window, full: Sequence[int], name: str, style: str) -> Box:
    """The part of a whole stamp that a window leaves."""
    return Box(tuple(lo for lo, _ in window), tuple(extent - hi for extent, (_, hi) in zip(full, window, strict=True)),
               name, style)  # fmt: skip


def bar(counts: Mapping[str, int], label: str) -> Markup:
    """A bar of parts in proportion, each with its class and a pattern of its own; none is too thin to be seen."""
    present = {name: count for name, count in counts.items() if count}
    total = sum(present.values())
    if not total:
        return Markup("")
    shares = {name: max(count / total, 0.012) for name, count in present.items()}
    at, parts = 0.0, []
    for name, share in shares.items():
        width = 100 * share / sum(shares.values())
        place = f'x="{at:.2f}%" width="{width:.2f}%" height="20"'
        parts.append(f'<rect class="fill-{escape(name)}" {place}/><rect class="over-{escape(name)}" {place}/>')
        at += width
    text = f"{label}: " + ", ".join(f"{count:,} {name}" for name, count in present.items())
    return Markup(f'<svg class="bar" role="img" aria-label="{escape(text)}">{"".join(parts)}</svg>')


def errors(values: Sequence[float], label: str) -> Markup:
    """Errors as dots on a line of powers of two, with a mark at 1; what is outside stands at its ends."""
    low, high = -3, 7

    def at(value: float) -> float:
        return 100 * (min(max(math.log2(max(value, 2.0**low)), low), high) - low) / (high - low)

    places = sorted({round(at(value), 1) for value in values})
    dots = "".join(f'<circle class="fill-conforms" cx="{place:.1f}%" cy="10" r="3"/>' for place in places)
    text = f"{label}: from {min(values):.2g} to {max(values):.2g}, on a line of powers of two from 1/8 to 128"
    mark = f'<line class="mark" x1="{at(1):.1f}%" x2="{at(1):.1f}%" y1="0" y2="20"/>'
    return Markup(f'<svg class="errors" role="img" aria-label="{escape(text)}">{mark}{dots}</svg>')


def patterns() -> Markup:
    """The patterns that drawings refer to, once a page."""
    lines = {"hatch": "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", "back": "M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4",
             "dots": "M3,4 h2", "level": "M0,4 h8", "marks": "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4"}  # fmt: skip
    made = "".join(
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse"><path d="{path}"/></pattern>'
        for name, path in lines.items()
    )
    return Markup(f'<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>{made}</defs></svg>')


def drawn(
    array: Array, label: str, *, differs: Array | None = None, boxes: Sequence[Box] = (), room: Array | None = None
) -> Markup:
    """An array (n, c, *spatial) as a grid of numbers a plane, or as a heat map where there are too many of them.

    `differs` marks elements; `boxes` are drawn over every plane, around which zeros are drawn where one reaches out.
    Cells have room for the numbers of `room` as well.
    """
    low, high = _extents(array, boxes)
    cells = int(np.prod([b - a for a, b in zip(low, high, strict=True)])) * array.shape[0] * array.shape[1]
    if cells > MOST_CELLS:
        return heat(array if differs is None else differs, label)
    padded, marks = _padded(array, low, high), None if differs is None else _padded(differs, low, high)
    inside = _padded(np.ones(array.shape, bool), low, high)
    texts = _texts(padded)
    longest = [*texts.ravel(), *(_texts(room).ravel() if room is not None else ())]
    width = max(map(len, longest), default=1) * CHARACTER + 2 * MARGIN
    figures = [
        _grid(texts[at], f"{label}{name}", width, None if marks is None else marks[at], inside[at],
              [_placed(box, low, at[2:]) for box in boxes if _reaches(box, low, at[2:])])
        for at, name in _planes(array.shape, padded.shape, low)
    ]  # fmt: skip
    return Markup('<div class="planes">') + Markup("").join(figures) + Markup("</div>")


def _extents(array: Array, boxes: Sequence[Box]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    lows = [tuple(0 for _ in array.shape[2:]), *(box.low for box in boxes)]
    highs = [array.shape[2:], *(box.high for box in boxes)]
    return tuple(map(min, zip(*lows, strict=True))), tuple(map(max, zip(*highs, strict=True)))


def _padded(array: Array, low: Sequence[int], high: Sequence[int]) -> Array:
    widths = [(-a, b - extent) for a, b, extent in zip(low, high, array.shape[2:], strict=True)]
    return np.pad(array, [(0, 0), (0, 0), *widths])


def _texts(array: Array) -> Array:
    texts = [f"{value:.15g}" if abs(value) < 1e15 else f"{value:.3g}" for value in array.ravel().tolist()]
    return np.array(texts).reshape(array.shape)


def _planes(shape: Sequence[int], padded: Sequence[int], low: Sequence[int]) -> Iterator[tuple[tuple[int, ...], str]]:
    """The index of each plane of rows and columns, with its name where there are several."""
    spatial = len(shape) - 2
    first = tuple(padded[2:-2]) if spatial > 2 else ()
    for at in np.ndindex(*shape[:2], *first):
        names = [f"n{at[0]}"] * (shape[0] > 1) + [f"c{at[1]}"] * (shape[1] > 1)
        names += [f"depth {depth + low[axis]}" for axis, depth in enumerate(at[2:])]
        yield at, f", {' '.join(names)}" if names else ""


def _reaches(box: Box, low: Sequence[int], depth: Sequence[int]) -> bool:
    return all(box.low[axis] <= at + low[axis] < box.high[axis] for axis, at in enumerate(depth))


def _placed(box: Box, low: Sequence[int], depth: Sequence[int]) -> _Rectangle:
    """A box on a plane, which is the only row of an array of one axis."""
    starts = [start - first for start, first in zip(box.low, low, strict=True)][len(depth) :]
    ends = [end - first for end, first in zip(box.high, low, strict=True)][len(depth) :]
    if len(starts) == 1:
        starts, ends = [0, *starts], [1, *ends]
    return _Rectangle(starts[0], starts[1], ends[0], ends[1], box.style)


def _grid(
    texts: Array, label: str, width: float, marks: Array | None, inside: Array, boxes: Iterable[_Rectangle]
) -> Markup:
    """A plane of numbers."""
    rows = texts if texts.ndim == 2 else texts[None]
    marked = np.zeros(rows.shape, bool) if marks is None else marks.reshape(rows.shape)
    held = inside.reshape(rows.shape)
    parts = []
    for (y, x), text in sorted(np.ndenumerate(rows), key=lambda cell: bool(marked[cell[0]])):  # edges on top
        style = "cell differs" if marked[y, x] else "cell" if held[y, x] else "cell outside"
        place = f'x="{x * width + 4:.1f}" y="{y * HEIGHT + 4}" width="{width:.1f}" height="{HEIGHT}"'
        parts.append(f'<rect class="{style}" {place}/>')
        if marked[y, x]:
            parts.append(f'<rect class="hatched" {place}/>')
        zero = " zero" if text in ("0", "-0") else ""
        parts.append(f'<text class="{"bold" if marked[y, x] else ""}{zero}" x="{(x + 1) * width + 4 - MARGIN:.1f}" '
                     f'y="{y * HEIGHT + 20.5}">{escape(text)}</text>')  # fmt: skip
    for top, left, bottom, right, edge in boxes:
        parts.append(f'<rect class="window {edge}" x="{left * width + 4:.1f}" y="{top * HEIGHT + 4}" '
                     f'width="{(right - left) * width:.1f}" height="{(bottom - top) * HEIGHT}"/>')  # fmt: skip
    wide, high = rows.shape[1] * width + 8, rows.shape[0] * HEIGHT + 8
    caption = f"{label}: {_plane_in_words(rows, marked)}"
    place = f'width="{wide:.0f}" height="{high}" viewBox="0 0 {wide:.0f} {high}"'
    return Markup(
        f"<figure{_focus(wide)}><figcaption>{escape(label)}</figcaption>"
        f'<svg class="grid" role="img" {place} aria-label="{escape(caption)}">{"".join(parts)}</svg></figure>'
    )


def _focus(wide: float) -> str:
    """What lets a keyboard scroll a drawing that is wider than a telephone."""
    return ' tabindex="0"' if wide > NARROW else ""


def _plane_in_words(rows: Array, marked: Array) -> str:
    """A plane in words: its rows, and what differs with a sign before it."""
    return "; ".join(
        " ".join(("\u2260" if marked[y, x] else "") + text for x, text in enumerate(row)) for y, row in enumerate(rows)
    )


def heat(array: Array, label: str) -> Markup:
    """Magnitudes in five steps, larger for more: an array of truths has the first and the last of them."""
    values = np.abs(array.astype(float))
    largest = float(values[np.isfinite(values)].max(initial=0)) or 1.0
    figures = []
    planes = list(np.ndindex(*array.shape[:2], *(array.shape[2:-2] if array.ndim > 4 else ())))
    for at in planes[:MOST_PLANES]:
        plane = values[at] if values[at].ndim == 2 else values[at][None]
        plane = plane[:MOST_EXTENT, :MOST_EXTENT]
        steps = np.ceil(np.nan_to_num(plane / largest, nan=1, posinf=1) * 4).astype(int)
        parts = [
            f'<rect class="heat" x="{x * DOT + (4 - step)}" y="{y * DOT + (4 - step)}" width="{1 + 2 * step}" '
            f'height="{1 + 2 * step}"/>'
            for (y, x), step in np.ndenumerate(steps)
        ]
        wide, high = plane.shape[1] * DOT, plane.shape[0] * DOT
        name = f"{label}, {' '.join(map(str, at))}"
        told = f"{name}: {np.count_nonzero(steps)} of {plane.size} elements, the largest {largest:g}"
        figures.append(
            f'<figure{_focus(wide)}><figcaption>{escape(name)}</figcaption><svg class="map" role="img" width="{wide}" '
            f'height="{high}" viewBox="0 0 {wide} {high}" aria-label="{escape(told)}">{"".join(parts)}</svg></figure>'
        )
    more = f"<p>and {len(planes) - MOST_PLANES} planes more</p>" if len(planes) > MOST_PLANES else ""
    return Markup(f'<div class="planes">{"".join(figures)}{more}</div>')


def badge(label: str, text: str, good: bool) -> str:
    """A badge as a file of its own: what it is about, and how that stands, in words."""
    left, right = (round(len(part) * 6.6 + 14) for part in (label, text))
    colour = "#17643a" if good else "#a12a22"
    markup = escape(f"{label}: {text}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{markup}">'
        f"<title>{markup}</title>"
        f'<rect width="{left}" height="20" fill="#3c434b"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{escape(label)}</text>'
        f'<text x="{left + right / 2}" y="14">{escape(text)}</text></g></svg>\n'
    )
