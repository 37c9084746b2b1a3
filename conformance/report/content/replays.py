"""What the report is handed about replays of published faults, and the file that they are kept in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from conformance.io.bounded import read_named_bytes

FORMAT: Literal["conformance-replays/1"] = "conformance-replays/1"
DEFAULT = Path("reports/replay.json")
"""Where the report looks for it."""


class ReplaysError(ValueError):
    """A file that holds no replays; the message names it and says what to do."""


class Side(Struct, frozen=True, forbid_unknown_fields=True):
    """What one version made of the call; `wrong` says how that is not what was expected, where it is not."""

    build: str
    expected: str
    verdict: str
    wrong: str


class ReplayRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A published fault with what became of it: the version that has it first, then the one that has not, if any."""

    id: str
    fault: str
    link: str
    lane: str
    command: str
    sides: Sequence[Side]
    unfixed: str = ""

    @property
    def proved(self) -> bool:
        return not any(side.wrong for side in self.sides)


class Replays(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every replay of a run."""

    format: Literal["conformance-replays/1"] = FORMAT
    rows: Sequence[ReplayRow]


def dump(replays: Replays) -> bytes:
    """The text of a file of replays, the same bytes for the same ones."""
    return msgspec.json.format(msgspec.json.encode(replays), indent=1) + b"\n"


def read(path: Path) -> Replays:
    """The replays in a file. Raises ReplaysError where it holds none, and OSError."""
    try:
        return msgspec.json.decode(read_named_bytes(path), type=Replays)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        step = f"write it again with `conformance replay --all --to {path}`"
        raise ReplaysError(f"{path}: no replays: {error}: {step}") from None
