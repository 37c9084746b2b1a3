"""Published faults, replayed: a call that shows each, put to the version that has it and to the one that has not.

`cases/replay/*.toml` say which; each version gets an environment of its own lane, as `conformance diff` makes them.
"""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from conformance.io.bounded import read_named_text
from conformance.io.folders import cases_folder
from conformance.records.record import Verdict
from conformance.regression import environments
from conformance.regression.environments import PROGRAMS, Build, Say, clean, environment, parse

SECONDS = 900
"""What one version may take for one call, its framework's start included."""
VERDICT = re.compile(rf"^(?P<verdict>{'|'.join(Verdict)})(?: [a-z]+)?: [\w-]+ \w+ '", re.MULTILINE)
"""The line of `conformance call` that says what came of it."""


class ReplayError(ValueError):
    """A file of replays, or an id, that says nothing that can be replayed; the message says what would help."""


class Seen(Struct, forbid_unknown_fields=True, frozen=True):
    """What a version makes of the call: a verdict, and words that stand in what is printed, such as a diagnosis."""

    verdict: str
    says: str = ""


class Replay(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A published fault.

    `problem` is a descriptor, or `call` the text of a call with the `shapes` of its tensors. `bad` and `fixed` replace
    pins of the lane's environment, which is made `without` some. Problems `beside` it conform in both versions.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    fault: str
    link: str
    lane: str
    bad: str
    red: Seen
    fixed: str = ""
    green: Seen = Seen("conforms")
    unfixed: date | None = None
    problem: str = ""
    call: str = ""
    shapes: Mapping[str, Sequence[int]] = {}
    dtype: str = "float32"
    beside: Sequence[str] = ()
    without: Sequence[str] = ()

    @property
    def command(self) -> str:
        """The command that asks it, in an environment that has the lane."""
        framework, _, variant = self.lane.partition("-")
        return shlex.join(["conformance", *_words(self, framework), "--variant", variant, "--dtype", self.dtype])


class _File(Struct, forbid_unknown_fields=True, frozen=True):
    replay: Sequence[Replay]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one version made of a replay; `wrong` says how that is not what was expected, where it is not."""

    build: str
    expected: str
    verdict: str
    said: str
    wrong: str


def read() -> tuple[Replay, ...]:
    """Every replay, sorted by its id. Raises ReplayError."""
    replays: list[Replay] = []
    for path in sorted(cases_folder().joinpath("replay").glob("*.toml")):
        try:
            replays += msgspec.convert(tomllib.loads(read_named_text(path)), _File).replay
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ReplayError(f"{path}: {error}: see cases/README.md") from None
    for replay in replays:
        _require_meaning(replay)
    if twice := [each.id for at, each in enumerate(replays) if each.id in {other.id for other in replays[:at]}]:
        raise ReplayError(f"{twice[0]} stands twice in cases/replay: give each an id of its own")
    return tuple(sorted(replays, key=lambda replay: replay.id))


def _require_meaning(replay: Replay) -> None:
    if bool(replay.problem) == bool(replay.call):
        raise ReplayError(f"{replay.id}: it has a problem and a call, or neither: give one of them")
    if bool(replay.fixed) == bool(replay.unfixed):
        raise ReplayError(f"{replay.id}: give the version that it is fixed in, or since when it is known as unfixed")


def announce(replays: Sequence[Replay], say: Say) -> None:
    """Say what making their environments takes, of those that are not there yet. Raises VersionError."""
    environments.announce([_build(one, version) for one in replays for version in (one.bad, one.fixed) if version], say)


def _build(one: Replay, requirements: str) -> Build:
    return parse(requirements, one.lane.partition("-")[0], one.without)


def replay(one: Replay, say: Say) -> Iterator[Outcome]:
    """What the bad version makes of a replay, then the fixed one. Raises VersionError where one cannot be had."""
    for requirements, expected in ((one.bad, one.red), (one.fixed, one.green)):
        if requirements:
            yield _outcome(one, requirements, expected, say)


def _outcome(one: Replay, requirements: str, expected: Seen, say: Say) -> Outcome:
    framework, _, variant = one.lane.partition("-")
    build = _build(one, requirements)
    folder = environment(build, say)
    programs = folder if build.framework == PROGRAMS else None
    said = _ask(folder, programs, [*_words(one, framework), "--variant", variant, "--dtype", one.dtype])
    verdict = _verdict(said)
    wrong = "" if verdict == expected.verdict else f"it {verdict or 'said nothing'}, expected {expected.verdict}"
    if not wrong and expected.says not in said:
        wrong = f"{expected.says!r} is not in what it says"
    for problem in one.beside if not wrong else ():
        words = ["call", framework, problem, "--variant", variant, "--dtype", one.dtype]
        if (other := _verdict(_ask(folder, programs, words))) != "conforms":
            wrong = f"'{problem}' beside it {other or 'said nothing'}, expected conforms"
    return Outcome(requirements, expected.verdict, verdict, said, wrong)


def _words(one: Replay, framework: str) -> list[str]:
    if one.problem:
        return ["call", framework, one.problem]
    shapes = [f"--shape={name}={','.join(map(str, shape))}" for name, shape in one.shapes.items()]
    return ["call", framework, one.call, *shapes]


def _ask(folder: Path, programs: Path | None, words: Sequence[str]) -> str:
    """What a command of this program prints in another environment, which may be that of programs."""
    try:
        done = subprocess.run([str(folder / "bin" / "python"), "-m", "conformance", *words], env=clean(programs),
                              capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"said nothing for {SECONDS} seconds"
    return done.stdout + done.stderr


def _verdict(said: str) -> str:
    found = VERDICT.search(said)
    return found["verdict"] if found else ""


def chosen(replays: Sequence[Replay], ids: Sequence[str]) -> list[Replay]:
    """The replays of these ids. Raises ReplayError for one that there is not."""
    by_id = {replay.id: replay for replay in replays}
    if unknown := [name for name in ids if name not in by_id]:
        raise ReplayError(f"there is no replay {unknown[0]!r}: `conformance replay --list` names them")
    return [by_id[name] for name in ids]
