"""What a terminal is shown: no text of a file or a framework makes it do anything."""

import re
from pathlib import Path

import pytest

import conformance
from conformance.terminal import one_line, printable

PACKAGE = Path(str(conformance.__file__)).parent
HOSTILE = ["\x1b[31m", "\x07", "\r", "\b", "\t", "\x7f", "\x9b31m", "\u202e", "\u2066", "\ud800", "\0", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_obeys_is_an_escape(text: str) -> None:
    shown = str(printable(f"a{text}b\n"))
    assert re.fullmatch(r"a\\u[0-9a-f]{4}\S*b\n", shown)
    assert shown[:-1].isprintable()
    assert one_line(f"a{text}b\n").isprintable()


def test_other_text_stays_as_it_is() -> None:
    assert printable("größer als 3x3, 漢字, 😀\n") == "größer als 3x3, 漢字, 😀\n"


def test_everything_is_printed_in_one_place() -> None:
    sources = [path for path in PACKAGE.rglob("*.py") if path.name not in ("terminal.py", "snippets.py")]
    assert len(sources) > 100  # but for those that write scripts, or stand for a broken framework
    for path in sources:
        assert not re.search(r"^\s*(click\.s?echo|print)\(", path.read_text(), re.MULTILINE), path
