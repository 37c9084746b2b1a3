"""What modes do otherwise than eager execution, from the files that a run left, as findings for the report."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from conformance.adapters.base import Lane
from conformance.audit.modes.measuring import DOES, EAGER
from conformance.audit.modes.statements import STATED
from conformance.io.bounded import read_named_bytes
from conformance.problem import Problem
from conformance.report.content.modes import Asked, Modes, Otherwise


class ModesError(ValueError):
    """A file beside record files that does not say what modes did; the message names it and the next step."""


class _Shown(Struct, frozen=True):
    """A call in a mode, as a run wrote it."""

    problem: str
    dtype: str
    mode: str
    does: tuple[str, ...]
    message: str = ""

    @property
    def subject(self) -> str:
        return self.mode


class _Document(Struct):
    lane: str
    suite: str
    measured: Sequence[_Shown]


def read(folder: Path) -> Modes | None:
    """What is in the files of a folder, by lane and suite; None where there are none. Raises ModesError."""
    asked: list[Asked] = []
    otherwise: list[Otherwise] = []
    for path in sorted(folder.glob("*.json")):
        try:
            document = msgspec.json.decode(read_named_bytes(path), type=_Document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            step = "write it again with `conformance audit modes`, or move it away"
            raise ModesError(f"{path}: not as this version writes it ({error}): {step}") from None
        asked += _asked(document)
        otherwise += _otherwise(document)
    return Modes(asked, otherwise) if asked else None


def _asked(document: _Document) -> Iterator[Asked]:
    counts = Counter((one.mode, one.dtype, not one.does) for one in document.measured if one.mode != EAGER)
    for mode, dtype in dict.fromkeys((mode, dtype) for mode, dtype, _ in counts):
        same = counts[mode, dtype, True]
        yield Asked(document.lane, document.suite, mode, dtype, same + counts[mode, dtype, False], same)


def _otherwise(document: _Document) -> Iterator[Otherwise]:
    """A finding for each mode, dtype, word of `DOES` and reason."""
    framework, _, variant = document.lane.partition("-")
    lane = Lane(framework, variant)
    statements = [each for each in STATED.read() if document.lane in each.lanes]
    found: dict[tuple[str, str, str, str], list[_Shown]] = {}
    for one in document.measured:
        for does in one.does if one.mode != EAGER else ():
            known = (each.reason for each in statements if each.does == does and each.reaches(lane, one))
            found.setdefault((one.mode, one.dtype, does, next(known, "")), []).append(one)
    for (mode, dtype, does, reason), those in sorted(found.items()):
        least = min(those, key=lambda one: (Problem.parse(one.problem).multiplies, one.problem))
        words = [framework, "--variant", variant, "--suite", document.suite, "--mode", mode, "--dtype", dtype]
        command = shlex.join(["conformance", "audit", "modes", *words])
        seen = least.problem, " ".join(least.message.split())
        yield Otherwise(document.lane, mode, dtype, DOES.get(does, does), len(those), *seen, reason, command)
