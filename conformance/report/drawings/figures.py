"""Grids drawn as inline SVG: windows of a stamp, and the arithmetic of a layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

CELL = 22
"""Pixels of a side of an element in a row."""

SMALL = 12
"""Pixels of a side of an element in a figure."""

_RECT = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
_TEXT = Markup('<text class="{}" x="{}" y="{}">{}</text>')


@dataclass(frozen=True, slots=True)
class Strip:
    """Elements of one axis, numbered from `first` on, beside a label; `kind` is their class."""

    label: str
    first: int
    count: int
    kind: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A square layer: its input i in a border of zeros (begin, end), stretched by stride - 1 zeros where it is
    transposed, the places of the kernel's taps at its first position, and its output o.
    """  # fmt: skip

    name: str
    i: int
    k: int
    o: int
    step: int
    dilation: int
    border: tuple[int, int]

    @property
    def drawing(self) -> Markup:
        """Input and kernel on the left, the output on the right."""
        inner = (self.i - 1) * self.step + 1
        extent = inner + sum(self.border)
        left = extent * SMALL + 2 * SMALL
        cells = [*self._input(extent, inner), *_square(left, self.o, "cell same")]
        side = max(extent, self.o) * SMALL
        return svg(left + self.o * SMALL, side, f"{self.name}: {self.i} to {self.o}", cells)

    def _input(self, extent: int, inner: int) -> Iterator[Markup]:
        taps = {at * self.dilation for at in range(self.k)}
        for row in range(extent):
            for column in range(extent):
                places = [place - self.border[0] for place in (row, column)]
                real = all(0 <= place < inner and place % self.step == 0 for place in places)
                tap = row in taps and column in taps
                kind = ("cell real" if real else "cell") + (" tap" if tap else "")
                yield _RECT.format(kind, column * SMALL + 1, row * SMALL + 1, SMALL - 2, SMALL - 2)


def _square(left: int, extent: int, kind: str) -> Iterator[Markup]:
    for row in range(extent):
        for column in range(extent):
            yield _RECT.format(kind, left + column * SMALL + 1, row * SMALL + 1, SMALL - 2, SMALL - 2)


def strips(rows: Sequence[Strip], title: str) -> Markup:
    """Strips beneath each other, in one system of places."""
    left, height = 130, CELL + 14
    parts = []
    for number, strip in enumerate(rows):
        top = 8 + number * height
        parts.append(_TEXT.format("label", left - 10, top + CELL * 0.7, strip.label))
        for at in range(strip.first, strip.first + strip.count):
            x = left + at * CELL
            parts.append(_RECT.format(strip.kind, x, top, CELL - 2, CELL - 2))
            parts.append(_TEXT.format("middle", x + CELL / 2 - 1, top + CELL * 0.68, at))
    furthest = max(strip.first + strip.count for strip in rows)
    return svg(left + furthest * CELL + 8, len(rows) * height + 8, title, parts)


def svg(width: int, height: int, title: str, parts: Sequence[Markup]) -> Markup:
    """An image with its title."""
    return Markup('<svg class="grid" role="img" width="{}" height="{}"><title>{}</title>{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )
