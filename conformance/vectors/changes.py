"""Which vectors changed between two folders of vectors."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.io.bounded import read_named_text
from conformance.vectors.schema import Index
from conformance.vectors.writing import INDEX_FILE


class VectorError(ValueError):
    """A folder whose index cannot be read; the message names it and the next step."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The ids of the vectors that one folder has and the other has not, and of those that are not the same."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


_FOLDER = "give a folder that `conformance vectors` wrote"


def read_index(folder: Path) -> Index:
    """The index of a folder of vectors. Raises VectorError."""
    file = folder / INDEX_FILE
    try:
        return msgspec.json.decode(read_named_text(file), type=Index)
    except OSError as error:
        why = f"has no {INDEX_FILE}" if folder.is_dir() else "is no folder"
        raise VectorError(f"{folder}: {why} ({error.strerror}): {_FOLDER}") from None
    except ValueError as error:
        raise VectorError(f"{file}: is no index of vectors: {error}: {_FOLDER}") from None


def changes(old: Index, new: Index) -> Changes:
    """What changed from one index to another."""
    before, after = ({entry.id: entry.sha256 for entry in index.vectors} for index in (old, new))
    return Changes(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name in before and after[name] != before[name]),
    )
