"""What a person is shown: text from files and frameworks, without anything that a terminal or a browser would obey."""

import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, TypeVar

import click

Step = TypeVar("Step")


COLOURS = {
    "conforms": "green", "conform": "green", "green": "green",
    "diverges": "red", "diverge": "red", "crashed": "red", "errored": "red", "timed-out": "red",
    "accepts-invalid": "red", "red": "red",
    "accept-invalid": "red", "reject": "yellow", "rejects": "yellow", "unsupported": "yellow", "inconclusive": "yellow",
}  # fmt: skip
VERDICTS = re.compile(rf"(?<![\w/.-])({'|'.join(COLOURS)})(?![\w/.-])")
"""Words that are coloured, which are none where they are a part of a name or of a path."""


SEVERAL = {"conforms": "conform", "diverges": "diverge", "rejects": "reject", "accepts-invalid": "accept-invalid"}
"""What a verdict becomes with a number above 1; the others are participles, which do not change."""


def plural(count: int, noun: str) -> str:
    """A count with its noun, as in "1 lane" and "2 lanes"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def verdict_count(count: int, verdict: str) -> str:
    """A count of a verdict, as in "1 diverges" and "2 diverge"."""
    return f"{count:,} {verdict if count == 1 else SEVERAL.get(verdict, verdict)}"


def verdict_counts(counts: Mapping[str, int]) -> str:
    """Counts of verdicts in their order, those of 0 left out; empty where there are none."""
    return ", ".join(verdict_count(count, str(verdict)) for verdict, count in counts.items() if count)


class _Amount:
    """How much is printed: `quiet` leaves out progress and notes, `whole` cuts nothing."""

    quiet = False
    whole = False


SUBJECT, REST = 400, 400
"""Characters of a long message that are shown: of its beginning, which names the subject, and of its end, which has the
facts and the next step."""


def printable(value: object) -> object:
    r"""Text with what moves the cursor, colours, hides or reorders as an escape, such as \u001b; all else as it is.

    These are control characters but for line feeds, marks of direction, lone surrogates and what has no glyph. The
    escapes are those of JSON and Python.
    """
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c == "\n" else _escape(ord(c)) for c in value)


def _escape(point: int) -> str:
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def one_line(text: str) -> str:
    """Printable text in which a line feed is an escape, too."""
    return str(printable(text)).replace("\n", "\\n")


def abridged(text: str) -> str:
    """Text without its middle where it is long: what somebody gave may be of any length."""
    left_out = len(text) - SUBJECT - REST
    if left_out <= 0 or _Amount.whole:
        return text
    return f"{text[:SUBJECT]} ... ({left_out} characters) ... {text[-REST:]}"


PATIENCE = 2.0
"""Seconds for which nothing needs to be said of what is under way."""

WIDEST, NARROWEST = 40, 24
"""Characters of a column at most, which longer cells break through, and of the last one's least room; where there are
fewer, it stands below the others."""


def room() -> int:
    """How many characters a line of standard output holds: those of the terminal, or no end of them elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> list[str]:
    """Text as lines that a terminal holds, broken between words; one line elsewhere. Nothing is cut.

    The first line begins with `indent`, and the others with `hanging`, which is `indent` if it is not given.
    """
    hanging = indent if hanging is None else hanging
    if len(indent) + len(text) <= room():
        return [indent + text]
    return textwrap.wrap(
        text, room(), initial_indent=indent, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> Iterator[str]:
    """Rows of text as lines, in columns as wide as their widest cells. The last is wrapped to the terminal's width."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    sizes = [[len(cell) for cell in column] for column in zip(*rows, strict=True)][:-1]
    widths = [max((size for size in column if size <= WIDEST), default=WIDEST) for column in sizes]
    for *cells, last in rows:
        begin = indent + "".join(f"{cell:{width}}  " for cell, width in zip(cells, widths, strict=True))
        if len(begin) + NARROWEST <= room() or len(begin) + len(last) <= room():
            yield from (line.rstrip() for line in wrapped(last, begin, " " * len(begin)))
        else:
            yield begin.rstrip()
            yield from wrapped(last, f"{indent}    ")


def numbers(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of a name and of numbers as lines, each number below its head; a row a sentence where they are too wide.

    A head of several words has a line for each of them where the terminal holds no more.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    heads: list[Sequence[str]] = [head]
    if sum(widths) + 2 * len(widths) > room():
        widths = [max(map(len, [*top.split(), *cells])) for top, *cells in zip(head, *rows, strict=True)]
        stacked = [*zip_longest(*(reversed(top.split()) for top in head), fillvalue="")]
        heads = [*reversed(stacked)]
    if sum(widths) + 2 * len(widths) > room():
        for name, *cells in rows:
            yield from wrapped(", ".join(map(" ".join, zip(head[1:], cells, strict=True))), f"{name}: ", "    ")
        return
    first, *others = widths
    for name, *cells in [*heads, *rows]:
        numbered = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, others, strict=True))
        yield f"{name:{first}}{numbered}".rstrip()


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text to standard output, or to standard error; every line that is printed goes through here.

    Verdicts are coloured on a terminal, unless NO_COLOR is set.
    """
    said = str(printable(str(text)))
    stream = sys.stderr if err else sys.stdout
    if stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        said = VERDICTS.sub(lambda found: click.style(found[0], fg=COLOURS[found[0]]), said)
    click.echo(said, err=err)


def amount(*, quiet: bool | None = None, whole: bool | None = None) -> None:
    """Say how much this process prints from now on."""
    _Amount.quiet = _Amount.quiet if quiet is None else quiet
    _Amount.whole = _Amount.whole if whole is None else whole


def is_quiet() -> bool:
    """Whether nothing but results is printed."""
    return _Amount.quiet


def note(text: str) -> None:
    """Print what is no result, such as what is done now, to standard error."""
    if not _Amount.quiet:
        echo(text, err=True)


def first(items: Sequence[Step], count: int) -> Sequence[Step]:
    """The first of some findings, or all of them where nothing is to be cut."""
    return items if _Amount.whole else items[:count]


def progress(steps: Iterable[Step], what: str, unit: str, total: int | None = None) -> Iterator[Step]:
    """Steps, with a bar on standard error while they are taken: how many, how fast, and how long the rest takes.

    There is none where standard error is no terminal, or where results alone are asked for, and none is left behind.
    `total` is how many they are, where they have no length.
    """
    from tqdm import tqdm

    return iter(tqdm(steps, what, total, unit=f" {unit}", disable=_Amount.quiet or None, leave=False))


@contextmanager
def meter(what: str, unit: str, measured: Callable[[], int], total: int = 0) -> Iterator[None]:
    """A bar as that of `progress`, of a quantity that is measured once a second for as long as the block takes.

    `total` is what it may come to, where that is known.
    """
    with _looked_at(measured, desc=what, total=total or None, unit=unit, unit_scale=unit == "B"):
        yield


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A line on standard error with the time that the block has taken, from `PATIENCE` on, if it is a terminal."""
    with _looked_at(lambda: 0, desc=what, bar_format="{desc}: {elapsed}", delay=PATIENCE):
        yield


@contextmanager
def _looked_at(measured: Callable[[], int], **settings: Any) -> Iterator[None]:
    """A bar whose quantity is measured once a second, where there is a terminal for it."""
    if _Amount.quiet or not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    ended = threading.Event()
    with tqdm(**settings, leave=False, miniters=0) as bar:

        def watch() -> None:
            while not ended.wait(1.0):
                bar.update(measured() - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
