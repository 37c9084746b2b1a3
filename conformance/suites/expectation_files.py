"""Which file says what is expected of a framework: the user's own, or that beside its adapter or among the cases.

    --expectations [NAME=]FILE            on a command line; without NAME, the file has the name of the framework
    [tool.conformance.expectations]       in pyproject.toml, of the working folder or the nearest one above it
    mylib = "known/mylib.toml"            relative to the folder of pyproject.toml

A command line stands before pyproject.toml.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from conformance import adapters
from conformance.io.folders import cases_folder
from conformance.io.project import ProjectError, project

GIVEN = "CONFORMANCE_EXPECTATIONS"
"""The environment variable by which the processes that a command starts know the files, a line `NAME=FILE` each."""


class ExpectationError(ValueError):
    """An expectation that does not say what it must; the message names the file, the entry and the fix."""


class _Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """What [tool.conformance] may hold: `expectations` are files by the name of the framework, `options` are those of
    verbs, which the command line reads."""

    expectations: dict[str, str] = {}
    options: Any = None


def path(framework: str) -> Path:
    """Where a framework's expectations are; one that the user named is there. Raises ExpectationError."""
    files = {**_of_project(), **_of_command()}
    beside = (adapters.folder(framework) or cases_folder()) / "expectations" / f"{framework}.toml"
    if (file := files.get(framework, beside)) is not beside and not file.is_file():
        raise ExpectationError(f"{file}: is no file, and is to say what is expected of {framework}: correct its path")
    return file


def give(words: Sequence[str]) -> Mapping[str, Path]:
    """The files of --expectations by framework, for this process and those that it starts. Raises ExpectationError."""
    files: dict[str, Path] = {}
    for word in words:
        before, is_named, after = word.partition("=")
        name, file = (before, after) if is_named and os.sep not in before else (Path(word).stem, word)
        if not name or not file:
            raise ExpectationError(f"--expectations {word}: give FILE, or NAME=FILE with the name of the framework")
        if name in files:
            raise ExpectationError(f"--expectations {word}: {name} has {files[name]} already: give one file for it")
        files[name] = Path(file).absolute()
    if files:
        os.environ[GIVEN] = "\n".join(f"{name}={file}" for name, file in files.items())
    return files


def require_asked(files: Mapping[str, Path], frameworks: Collection[str]) -> None:
    """Raises ExpectationError for a file of a framework that nothing is asked of, so that nobody would read it."""
    for name, file in files.items():
        if name not in frameworks:
            asked = " and ".join(sorted(frameworks)) or "no framework"
            raise ExpectationError(f"--expectations {file.name} is of {name!r}, and this is about {asked}: give "
                                   f"--expectations NAME={file}")  # fmt: skip


def _of_command() -> Mapping[str, Path]:
    pairs = (line.partition("=") for line in os.environ.get(GIVEN, "").splitlines())
    return {name: Path(file) for name, _, file in pairs}


def _of_project() -> Mapping[str, Path]:
    """The files that pyproject.toml names. Raises ExpectationError."""
    try:
        found = project()
    except ProjectError as error:
        raise ExpectationError(str(error)) from None
    if found is None:
        return {}
    try:
        settings = msgspec.convert(found.settings, _Settings)
    except msgspec.ValidationError as error:
        raise ExpectationError(f"{found.file}: [tool.conformance]: {error}: its tables are options, and expectations "
                               'with lines such as mylib = "known/mylib.toml"') from None  # fmt: skip
    return {name: found.file.parent / value for name, value in settings.expectations.items()}
