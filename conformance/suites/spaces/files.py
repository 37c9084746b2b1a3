"""The spaces that have a name: a TOML file each in `cases/spaces/`; any other file is one, too, by its path."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from conformance.io.bounded import read_named_text
from conformance.io.folders import cases_folder
from conformance.suites.cases import nearest
from conformance.suites.spaces.levels import Axis, Shared, Values
from conformance.suites.spaces.space import Described, Space, SpaceError


def names() -> list[str]:
    """The names of the spaces that are here."""
    return sorted(path.stem for path in (cases_folder() / "spaces").glob("*.toml"))


class Levels(NamedTuple):
    """The levels of a space in the order of its file: those of an axis by the rank, and those of what axes share."""

    axes: Mapping[int, Axis[Values]]
    shared: Shared[Values]


@cache
def levels_of(name: str) -> Levels:
    """The levels of a named space, of which suites are generated."""
    described = _described(_path(name))
    axes: dict[int, Axis[Values]] = {
        int(rank): Axis(of.input, of.kernel, of.stride, of.dilation, of.begin, of.end, of.output_padding)
        for rank, of in described.rank.items()
    }
    of_all = described.shared
    bias = tuple(map(int, of_all.bias))
    return Levels(axes, Shared(of_all.groups, of_all.in_channels, of_all.out_channels, of_all.batch, bias))


def read_space(name: str, seed: int = 0) -> Space:
    """The space of a name, or of a file. Raises SpaceError, which names the file and the fix."""
    path = _path(name)
    described = _described(path)
    try:
        return Space(described, seed)
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from None


def _path(name: str) -> Path:
    """The file of a space. Raises SpaceError where there is none."""
    path = Path(name) if name.endswith(".toml") else cases_folder() / "spaces" / f"{name}.toml"
    if not path.exists():
        known = names()
        raise SpaceError(f"there is no space {name!r}{nearest(name, known)}: the spaces are {', '.join(known)}, or "
                         "give a file, such as mine.toml")  # fmt: skip
    return path


def _described(path: Path) -> Described:
    """What a file says. Raises SpaceError."""
    try:
        described = msgspec.convert(tomllib.loads(read_named_text(path)), Described)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise SpaceError(f"{path}: {error}: see cases/README.md") from None
    if unknown := sorted(described.rank.keys() - {"1", "2", "3"}):
        raise SpaceError(f"{path}: rank {unknown[0]!r} is none: ranks are 1, 2 and 3")
    return described
