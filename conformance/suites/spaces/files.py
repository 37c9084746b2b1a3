"""The spaces that have a name: a TOML file each in `cases/spaces/`; any other file is one, too, by its path."""

import tomllib
from pathlib import Path

import msgspec

from conformance.io.bounded import read_named_text
from conformance.io.folders import cases_folder
from conformance.suites.cases import nearest
from conformance.suites.spaces.space import Described, Space, SpaceError


def names() -> list[str]:
    """The names of the spaces that are here."""
    return sorted(path.stem for path in (cases_folder() / "spaces").glob("*.toml"))


def read_space(name: str, seed: int = 0) -> Space:
    """The space of a name, or of a file. Raises SpaceError, which names the file and the mend."""
    path = Path(name) if name.endswith(".toml") else cases_folder() / "spaces" / f"{name}.toml"
    if not path.exists():
        known = names()
        raise SpaceError(f"there is no space {name!r}{nearest(name, known)}: the spaces are {', '.join(known)}, or "
                         "give a file, such as mine.toml")  # fmt: skip
    try:
        described = msgspec.convert(tomllib.loads(read_named_text(path)), Described)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise SpaceError(f"{path}: {error}: see cases/README.md") from None
    if unknown := sorted(described.rank.keys() - {"1", "2", "3"}):
        raise SpaceError(f"{path}: rank {unknown[0]!r} is none: ranks are 1, 2 and 3")
    try:
        return Space(described, seed)
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from None
