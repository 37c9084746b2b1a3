"""Fakes: implementations that only seem to be some, tested as strangers test their own. None may be green anywhere."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.audit.fakes.answers import SUITE
from conformance.io.exit_status import DIVERGED
from conformance.io.folders import cases_folder
from conformance.io.terminal import verdict_counts
from conformance.records import record, record_file
from conformance.records.record import FUNCTION

FAKES: Mapping[str, str] = {
    "nothing": "implements nothing",
    "zeros": "answers zeros",
    "constant": "answers a constant",
    "nan": "answers NaN",
    "echo": "echoes its input",
    "replay": "replays its first answer of a shape",
    "first": "is right only for its first call",
    "fewer": "answers fewer arrays than asked",
    "silence": "never answers",
    "wider": "answers the right values in the wrong dtype",
    "cases": "looks its answers up by the files of the cases",
    "cache": "looks its answers up in the files of the cache",
    "patches": "patches NumPy's comparisons, and answers zeros",
}
"""What each fake does; `answers` says how."""

CASES = 3
"""Cases of the suite that a fake meets."""
ADAPTERS = Path(__file__).with_name("adapters")
OWN_TESTS = Path(__file__).with_name("own_tests.py")
FUNCTIONS, TESTS, ADAPTER, PROGRAM = ROUTES = ("function", "pytest", "adapter", "program")
"""The ways in which an implementation is tested by those who wrote it."""
_FRAMEWORKS = {ADAPTER: "fake", PROGRAM: "program"}


@dataclass(frozen=True, slots=True)
class Faked:
    """What became of a fake on a route: the exit status; verdicts, reasons and badge where the route has them."""

    fake: str
    route: str
    status: int
    verdicts: Mapping[str, int]
    reasons: Sequence[str]
    badge: str

    @property
    def outcome(self) -> str:
        """The exit status, and how many records have which verdict."""
        counts = verdict_counts(self.verdicts)
        return f"exit status {self.status}" + (f", {counts}" if counts else "")

    @property
    def wrong(self) -> str:
        """Where it is not red; empty where it is red everywhere."""
        is_told = self.route != TESTS
        green = [
            *(["exit status"] if self.status != DIVERGED else []),
            *(["report"] if is_told and not self.reasons else []),
            *(["badge"] if is_told and (not self.badge or "as expected" in self.badge) else []),
        ]
        return f"green in {', '.join(green)}" if green else ""


def fakes(names: Sequence[str] = tuple(FAKES)) -> list[Faked]:
    """Every fake on every route, and one report about all that leave records."""
    at_once = (os.cpu_count() or 1) + 2  # two at a time are silent, and only asleep
    with tempfile.TemporaryDirectory(prefix="conformance-") as name, ThreadPoolExecutor(at_once) as pool:
        folder = Path(name)
        _write_cases(folder / "cases")
        _write_program(folder / "programs")
        first = [(route, fake) for route in _FRAMEWORKS for fake in names]  # whose runs fill the cache
        then = [(route, fake) for route in (FUNCTIONS, TESTS) for fake in names]
        statuses: dict[tuple[str, str], int] = {}
        for part in (first, then):
            statuses |= dict(zip(part, pool.map(lambda asked: _status(folder, *asked), part), strict=True))
        lanes = [word for route, fake in statuses if route != TESTS for word in ("--lane", _lane(route, fake))]
        to = str(folder / "index.html")
        _python(
            folder, _adapters(folder), "-m", "conformance", "report", "--records", _records(folder), "--to", to, *lanes
        )
        summary = json.loads((folder / "site" / "summary.json").read_text(encoding="utf-8"))
        return [_faked(folder, route, fake, status, summary) for (route, fake), status in statuses.items()]


def _write_cases(folder: Path) -> None:
    """The first cases of the suite that are generated, as a suite of that name in a folder of its own."""
    text = (cases_folder() / f"{SUITE}.jsonl").read_text(encoding="utf-8")
    ids = [json.loads(line)["id"] for line in text.splitlines()[1 : 1 + CASES]]
    (folder / "chosen").mkdir(parents=True)
    (folder / f"{SUITE}.jsonl").write_text(text, encoding="utf-8")
    chosen = f'why = "A few."\ncases = {json.dumps(ids)}\n'
    (folder / "chosen" / f"{SUITE}.toml").write_text(chosen, encoding="utf-8")


def _write_program(folder: Path) -> None:
    """What starts the program, with each fake as a variant."""
    folder.mkdir()
    variants = [f'[variants.{fake}]\nFAKE = "{fake}"' for fake in FAKES]
    command = json.dumps([sys.executable, "-m", "conformance.audit.fakes.program"])
    text = "\n".join([f"command = {command}", *variants, ""])
    (folder / f"{_FRAMEWORKS[PROGRAM]}.toml").write_text(text, encoding="utf-8")


def _status(folder: Path, route: str, fake: str) -> int:
    """The exit status of what the author of a fake runs."""
    seconds = "1" if fake == "silence" else "30"
    asked = {"CONFORMANCE_CASES": str(folder / "cases"), "CONFORMANCE_CACHE": str(folder / "cache"), "FAKE": fake}
    if route == FUNCTIONS:
        return _python(folder, asked, "-m", f"{__name__}.function", fake, _records(folder), seconds)
    if route == TESTS:
        tests = ("-q", "-p", "no:cacheprovider", f"--timeout={seconds}", str(OWN_TESTS))
        return _python(folder, asked, "-m", "pytest", *tests)
    words = ("--variant", fake, "--suite", SUITE, "-n0", "--timeout", seconds, "--records", _records(folder))
    return _python(folder, asked | _adapters(folder), "-m", "conformance", "run", _FRAMEWORKS[route], *words)


def _records(folder: Path) -> str:
    return str(folder / "records")


def _lane(route: str, fake: str) -> str:
    return f"{fake}-{FUNCTION}" if route == FUNCTIONS else f"{_FRAMEWORKS[route]}-{fake}"


def _adapters(folder: Path) -> dict[str, str]:
    return {"CONFORMANCE_ADAPTERS": os.pathsep.join(map(str, (ADAPTERS, folder / "programs")))}


def _python(folder: Path, variables: Mapping[str, str], *words: str) -> int:
    """The exit status of a command of Python."""
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=os.environ | variables, capture_output=True, check=False
    ).returncode


def _faked(folder: Path, route: str, fake: str, status: int, summary: Mapping[str, Any]) -> Faked:
    if route == TESTS:
        return Faked(fake, route, status, {}, (), "")
    lane = _lane(route, fake)
    reasons = [reason["facts"] for reason in summary["reasons"] if lane in f"{reason['lane']} {reason['subject']}"]
    badge = (folder / "site" / "badges" / f"{lane}.svg").read_text(encoding="utf-8")
    run = record_file.read(record.path(folder / "records", lane, SUITE))
    told = badge.partition("<title>")[2].partition("</title>")[0].partition(": ")[2]
    return Faked(fake, route, status, run.verdicts, reasons, told)
