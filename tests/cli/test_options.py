"""Every command of the click tree has the options that its work asks for: -q, -v and --json, each documented."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conformance.cli import VERBS
from conformance.cli.forms import FORMS, load
from tests.cli.test_json import DOCUMENT as RUNNING

PORTING = (Path(__file__).parents[2] / "docs" / "porting.md").read_text(encoding="utf-8")
DOCUMENTS = RUNNING + PORTING + (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8") + (
    Path(__file__).parents[2] / "docs" / "scanning.md").read_text(encoding="utf-8")  # fmt: skip


def tree(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands of a command that do something, by their words."""
    if isinstance(command, click.Group):
        for part, inner in command.commands.items():
            yield from tree(f"{name} {part}", inner)
    else:
        yield name, command


COMMANDS = dict(
    pair
    for name in (*VERBS, *(form.module for forms in FORMS.values() for form in forms))
    for pair in tree(name, load(name))
)
SCRIPTED = ("run", "one", "call", "port", "expect check", "history", "cases list", "claims list", "lanes", "sizes")
"""Commands whose output a script wants."""
WORKING = ("run", "report", "expect check", "diff", "upgrade", "domain", "coverage", "confirm", "properties",
           "specials", "modes", "borders", "sweep run", "fuzz", "vectors", "history", "claims check",
           "generate", "port")  # fmt: skip
"""Commands that can work for longer than two seconds, and tell a terminal how far they are."""
CUTTING = ("call", "port", "confirm", "claims check", "run", "audit")
"""Commands that show the first of many findings, or long lines in part."""


def has(name: str, *options: str) -> bool:
    return any({*options} & {*parameter.opts} for parameter in COMMANDS[name].params)


@pytest.mark.parametrize("name", SCRIPTED)
def test_what_a_script_wants_is_json_whose_keys_are_documented(name: str) -> None:
    assert has(name, "--json")
    assert f"conformance {'call' if name == 'one' else name} --json`" in DOCUMENTS


@pytest.mark.parametrize("name", WORKING)
def test_what_works_long_can_be_told_to_print_its_result_alone(name: str) -> None:
    assert has(name, "-q")


@pytest.mark.parametrize("name", CUTTING)
def test_what_cuts_lists_or_lines_can_be_told_to_cut_nothing(name: str) -> None:
    assert has(name, "-v")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_of_a_command_has_its_letter_and_its_help(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"
            assert ("-q" in parameter.opts) == ("--quiet" in parameter.opts)
            assert ("-v" in parameter.opts) == ("--verbose" in parameter.opts)


def test_a_command_that_tells_how_far_it_is_can_be_quiet() -> None:
    tells = re.compile(r"\b(progress|meter|note)\(")
    for name, command in COMMANDS.items():
        assert command.callback is not None
        source = inspect.getsource(inspect.unwrap(command.callback))
        assert not tells.search(source) or has(name, "-q"), name
