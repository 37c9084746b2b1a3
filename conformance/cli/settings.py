"""Defaults of options from pyproject.toml.

    [tool.conformance.options.run]        the verb; [tool.conformance.options.expect.check] is one below another
    suite = ["smoke", "core"]             an option without its dashes; a list where it can be repeated
    records = "out/records"               a path is relative to the folder of pyproject.toml

A command line stands before pyproject.toml.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from conformance.cli.forms import Form, load
from conformance.io.project import Project, ProjectError, project


def defaults(verb: str, command: click.Command, forms: Sequence[Form]) -> dict[str, Any]:
    """The defaults for the command that answers a verb of some forms, as click takes them. Raises ProjectError."""
    found = project()
    if found is None or "options" not in found.settings:
        return {}
    tables = found.settings["options"]
    table = tables.get(verb) if isinstance(tables, Mapping) else tables
    if table is None:
        return {}
    commands = [command, *([load(verb), *(form.command() for form in forms)] if forms else [])]
    names = {option.name for option in command.params}
    given = _of_table(table, commands, found, verb)
    return given if isinstance(command, click.Group) else {name: given[name] for name in given if name in names}


def _of_table(table: Any, commands: Sequence[click.Command], found: Project, verb: str) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise ProjectError(f"{found.file}: [tool.conformance.options.{verb}] is no table: give options by name")
    given: dict[str, Any] = {}
    for name, value in table.items():
        parts = [part for command in commands if (part := _part(command, name)) is not None]
        options = [option for command in commands for option in command.params if f"--{name}" in option.opts]
        if parts:
            given[name] = _of_table(value, parts, found, f"{verb}.{name}")
        elif not options:
            names = sorted({*_names(commands)})
            raise ProjectError(f"{found.file}: [tool.conformance.options.{verb}] has {name!r}, which is no option of "
                               f"it: those are {', '.join(names)}")  # fmt: skip
        for option in options:
            given[option.name or ""] = _placed(option, value, found.file.parent)
    return given


def _part(command: click.Command, name: str) -> click.Command | None:
    return command.commands.get(name) if isinstance(command, click.Group) else None


def _names(commands: Sequence[click.Command]) -> Iterator[str]:
    for command in commands:
        yield from command.commands if isinstance(command, click.Group) else ()
        yield from (word[2:] for option in command.params for word in option.opts if word.startswith("--"))


def _placed(option: click.Parameter, value: Any, folder: Path) -> Any:
    """A value, where it is a path relative to a folder."""
    if option.type.name != "Path":
        return value
    return [str(folder / each) for each in value] if isinstance(value, list) else str(folder / str(value))
