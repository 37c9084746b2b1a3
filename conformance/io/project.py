"""What [tool.conformance] says in pyproject.toml, of the working folder or the nearest one above it."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from conformance.io.bounded import read_text

NAME = "pyproject.toml"
TABLE = "tool", "conformance"


class ProjectError(ValueError):
    """A pyproject.toml that cannot be read; the message names the file."""


class Project(NamedTuple):
    """A pyproject.toml, and what its table for us holds."""

    file: Path
    settings: Mapping[str, Any]


def project() -> Project | None:
    """The nearest pyproject.toml with its table; None where there is none. Raises ProjectError."""
    here = Path.cwd()
    file = next((folder / NAME for folder in (here, *here.parents) if (folder / NAME).is_file()), None)
    if file is None:
        return None
    try:
        text = read_text(file)
        if TABLE[-1] not in text:
            return Project(file, {})
        return Project(file, _settings(text))
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise ProjectError(f"{file}: cannot be read: {error}") from None


@lru_cache(maxsize=4)
def _settings(text: str) -> dict[str, Any]:
    """The table of a file's text, which is asked for again and again."""
    from tomllib import loads  # which most commands need not wait for

    table: Any = loads(text)
    for name in TABLE:
        table = table.get(name, {})
    return dict(table)
