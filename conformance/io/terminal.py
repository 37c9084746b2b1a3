"""What a person is shown: text from files and frameworks, without anything that a terminal or a browser would obey."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

Step = TypeVar("Step")

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
    return text if left_out <= 0 else f"{text[:SUBJECT]} ... ({left_out} characters) ... {text[-REST:]}"


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text to standard output, or to standard error; every line that is printed goes through here."""
    click.echo(printable(str(text)), err=err)


def progress(steps: Iterable[Step], what: str, unit: str, total: int | None = None) -> Iterator[Step]:
    """Steps, with a bar on standard error while they are taken: how many, how fast, and how long the rest takes.

    There is none where standard error is no terminal, and none is left behind. `total` is how many they are, where
    they have no length.
    """
    from tqdm import tqdm

    return iter(tqdm(steps, what, total, unit=f" {unit}", disable=None, leave=False))
