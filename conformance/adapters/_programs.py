"""Programs in any language that answer for a lane: a file NAME.toml in a folder of $CONFORMANCE_ADAPTERS starts one.

    command = ["node", "tfjs.mjs"]      run in the folder of the file
    block = 32                          how many jobs it is given at once
    install = "npm install"             a command that brings what it needs, which is told where it does not start
    [variants.cpu]                      environment variables of a way to execute; the first variant is the default

What the program then reads and writes stands in `processes.wire`.
"""

import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from conformance.adapters import AdapterError
from conformance.io.bounded import read_named_text

PAGE = "docs/protocol.md"


class _File(Struct, forbid_unknown_fields=True, frozen=True):
    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    block: Annotated[int, Meta(ge=1, le=1024)] = 16
    install: str = ""
    variants: Annotated[dict[str, dict[str, str]], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: {"program": {}}
    )


@dataclass(frozen=True, slots=True)
class Program:
    """How a program is started: its command and the folder that it is run in; and how to `install` what it needs."""

    command: tuple[str, ...]
    folder: Path
    block: int
    install: str
    variants: Mapping[str, Mapping[str, str]]

    def require_executable(self, framework: str) -> None:
        """Raises AdapterError where there is no such program."""
        name = self.command[0]
        place = str(self.folder / name) if os.sep in name else name
        if shutil.which(place) is None:
            where, step = (f"in {self.folder}", "build it") if os.sep in name else ("on PATH", "install it")
            step = f"`{self.install}`" if self.install else step
            raise AdapterError(
                f"{framework} needs {name}, which is no program {where}: {step}, or correct {framework}.toml"
            )


def read(path: Path) -> Program:
    """A program from its file. Raises AdapterError, which says what the file must have."""
    try:
        given = msgspec.convert(tomllib.loads(read_named_text(path)), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise AdapterError(f"{path}: {error}: give `command = [...]`, see {PAGE}") from None
    return Program(given.command, path.parent.absolute(), given.block, given.install, MappingProxyType(given.variants))
