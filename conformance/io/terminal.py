"""What a person is shown: text from files and frameworks, without anything that a terminal or a browser would obey."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import click

Step = TypeVar("Step")


COLOURS = {
    "conforms": "green", "conform": "green", "green": "green",
    "diverges": "red", "diverge": "red", "crashed": "red", "errored": "red", "timed-out": "red",
    "accepts-invalid": "red", "red": "red",
    "rejects": "yellow", "unsupported": "yellow", "inconclusive": "yellow",
}  # fmt: skip
VERDICTS = re.compile(rf"(?<![\w/.-])({'|'.join(COLOURS)})(?![\w/.-])")
"""Words that are coloured, which are none where they are a part of a name or of a path."""


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
