"""A port, run: the source's call and the target's code on the same exact data, each in its own environment.

`python -m conformance.calls.verify FOLDER ...` is the part that runs in an environment; it knows one framework and no
answer.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from conformance import adapters, idioms
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane, finish
from conformance.calls import suites
from conformance.calls.native import operands, translate
from conformance.calls.port import Port
from conformance.io.array_files import read_array
from conformance.io.bounded import BoundError, read_json, read_text
from conformance.io.folders import making, tox_folders
from conformance.io.terminal import is_quiet
from conformance.numerics.deviation import measure_deviation
from conformance.numerics.operands import Arrays
from conformance.processes.attempt import Ended, make
from conformance.suites import references

Array = NDArray[Any]

TIMEOUT = 600
"""Seconds that both sides may take, the imports of their frameworks included."""
POLLED = 0.1
"""Seconds between two looks at what is answered."""


class VerifyError(ValueError):
    """A port that could not be run; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one framework gave: its version and lane, and how its answer differs from the expected one, if at all."""

    lane: str
    version: str
    array: Array
    deviation: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Both sides of a port, and how they differ from each other, if at all."""

    source: Side
    target: Side
    deviation: str

    @property
    def holds(self) -> bool:
        return not (self.source.deviation or self.target.deviation or self.deviation)


def python_for(framework: str, chosen: Mapping[str, str]) -> str | None:
    """An interpreter that has a framework: the chosen one, this one, or that of the lane's environment, .tox/NAME."""
    if framework in chosen:
        return chosen[framework]
    try:
        adapters.require_installed(framework)
    except AdapterError:
        places = (folder / framework / "bin" / "python" for folder in tox_folders())
        return next((str(place) for place in places if place.exists()), None)
    return sys.executable


def verify(
    ports: Sequence[Port], source: Lane, target: Lane, pythons: Mapping[str, str], dtype: str = "float32"
) -> list[Verification]:
    """Run both sides of ports on data for which every order of summation is exact, and compare bit for bit.

    Each side is one process, which imports its framework once; both run at the same time. Raises VerifyError where an
    environment is missing or a side gives no answer.
    """
    prepared = [_prepared(port, source, dtype) for port in ports]
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        sides = [
            _Side(
                lane, _python(lane, pythons), _folders(Path(name) / str(at), lane, [jobs[at] for _, jobs in prepared])
            )
            for at, lane in enumerate((source, target))
        ]
        _run(sides)
        answers = [[side.answer(folder) for folder in side.folders] for side in sides]
    results = []
    for (expected, _), ours, theirs in zip(prepared, *answers, strict=True):
        of_source, of_target = (
            Side(str(lane), version, array, _difference(array, expected))
            for lane, (array, version) in ((source, ours), (target, theirs))
        )
        results.append(Verification(of_source, of_target, _difference(theirs[0], ours[0])))
    return results


def answers(
    ports: Sequence[Port], arrays: Sequence[Arrays], target: Lane, pythons: Mapping[str, str], folder: Path
) -> list[Array]:
    """What the code of ports gives on canonical operands, in float32, in the target's environment alone."""
    jobs = [
        (_ported_job(port), operands(port.point, *given.astype("float32")))
        for port, given in zip(ports, arrays, strict=True)
    ]
    side = _Side(target, _python(target, pythons), _folders(folder, target, jobs))
    _run([side])
    return [side.answer(each)[0] for each in side.folders]


Job = tuple[Mapping[str, Any], Sequence[Array | None]]
"""What one side is to make, and its operands."""


def _prepared(port: Port, source: Lane, dtype: str) -> tuple[Array, tuple[Job, Job]]:
    """The expected array of a port, and the jobs of both sides."""
    answer = references.compute(suites.case_of(port.source, source.framework))
    arrays = answer.arrays.astype(dtype)
    ported = _ported_job(port)
    job = {name: ported[name] for name in ("text", "shapes")}
    jobs = (job, operands(port.source, *arrays)), (ported, operands(port.point, *arrays))
    return answer.expected.astype(dtype), jobs


def _ported_job(port: Port) -> dict[str, Any]:
    """What the target's side is to make of a port."""
    shapes = {name: list(shape) for name, shape in port.source.shapes.items()}
    return {"text": port.source.text, "shapes": shapes, "code": port.code, "source": port.source_framework,
            "data": port.point.claim.data}  # fmt: skip


def _python(lane: Lane, pythons: Mapping[str, str]) -> str:
    python = python_for(lane.framework, pythons)
    if python is None:
        name = lane.framework
        raise VerifyError(f"no environment here has {name}: {making(name)} makes one; or give one by --python "
                          f"{name}=PATH")  # fmt: skip
    return python


def _folders(parent: Path, lane: Lane, jobs: Sequence[Job]) -> list[Path]:
    """A folder for each job of a side, with its operands."""
    folders = [parent / str(at) for at in range(len(jobs))]
    for folder, (job, arrays) in zip(folders, jobs, strict=True):
        folder.mkdir(parents=True)
        for letter, array in zip("xwb", arrays, strict=False):
            if array is not None:
                np.save(folder / f"{letter}.npy", array)
        job = {"framework": lane.framework, "variant": lane.variant, **job}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return folders


@dataclass(frozen=True, slots=True)
class _Side:
    """A side that is run: its interpreter, and a folder for each of its jobs."""

    lane: Lane
    python: str
    folders: Sequence[Path]

    @property
    def log(self) -> Path:
        return self.folders[0].parent / "stderr"

    @property
    def answered(self) -> int:
        """How many of its jobs have an answer."""
        return sum((folder / "version").exists() for folder in self.folders)

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            command = [self.python, "-m", "conformance.calls.verify", *map(str, self.folders)]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    def answer(self, folder: Path) -> tuple[Array, str]:
        """The answer of a job, and the framework's version. Raises VerifyError where there is none."""
        try:
            return read_array(folder / "answer.npy"), read_text(folder / "version")
        except BoundError as error:
            raise VerifyError(f"{self.lane}: gave an answer that {error}") from None


def _run(sides: Sequence[_Side]) -> None:
    """Run both sides at the same time, and show how many answers there are. Raises VerifyError where one is missing."""
    total, started = sum(len(side.folders) for side in sides), time.monotonic()
    running = [side.start() for side in sides]
    try:
        with tqdm(
            total=total,
            desc=" and ".join(str(side.lane) for side in sides),
            unit=" answer",
            disable=is_quiet() or None,
            leave=False,
        ) as bar:
            while any(process.poll() is None for process in running):
                if time.monotonic() - started > TIMEOUT:
                    late = next(side for side in sides if side.answered < len(side.folders))
                    raise VerifyError(f"{late.lane}: gave no answer in {TIMEOUT} s: give a smaller shape")
                time.sleep(POLLED)
                bar.update(sum(side.answered for side in sides) - bar.n)
                bar.refresh()
    finally:
        for process in running:
            process.kill()
            process.wait()
    for side, process in zip(sides, running, strict=True):
        if process.returncode or side.answered < len(side.folders):
            lines = side.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
            raise VerifyError(f"{side.lane}: gave no answer: exit status {process.returncode} of {side.python}: "
                              f"{lines[-1]}{_installing(side.python, lines[-1])}")  # fmt: skip


def _installing(python: str, said: str) -> str:
    """The next step where an interpreter lacks what it is to run; empty where it says another thing."""
    missing = re.search(r"No module named '?(\w+)", said)
    if missing is None:
        return ""
    what = "this package, from its folder" if missing[1] == "conformance" else missing[1]
    where = "." if missing[1] == "conformance" else missing[1]
    return f": install {what}: {python} -m pip install {where}"


def _difference(actual: Array, expected: Array) -> str:
    deviation = measure_deviation(actual, expected)
    return deviation.message if deviation else ""


def _version(lane: Lane, described: Mapping[str, str]) -> str:
    """The framework's version, with that of the engine that its variant is named after."""
    engine = described.get(lane.variant)
    return described[lane.framework] + (f" ({lane.variant} {engine})" if engine else "")


def main(folders: Sequence[Path]) -> None:
    """Run one side: each job and its operands lie in a folder, its answer is put there."""
    for folder in folders:
        job = read_json(read_text(folder / "job.json"))
        arrays = {path.stem: read_array(path).copy() for path in folder.glob("*.npy")}
        lane = adapters.lane(job["framework"], job["variant"])
        adapter = adapters.load(lane)
        source = adapters.lane(job["source"]) if "source" in job else lane
        shapes = {name: tuple(shape) for name, shape in job["shapes"].items()}
        point = idioms.read(source.framework, job["text"], shapes, source.variant)
        if "code" in job:
            point = replace(point, code=job["code"], origin="port", claim=replace(point.claim, data=job["data"]))
        call = translate(adapter, point, [arrays.get(name) for name in "xwb"])
        (answer,) = make(adapter, [call])
        if isinstance(answer, Ended):
            raise SystemExit(answer.message)
        np.save(folder / "answer.npy", finish(call, answer.array))
        (folder / "version").write_text(_version(lane, adapter.describe()), encoding="utf-8")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
