"""A port, run: the source's call and the target's code on the same exact data, each in its own environment.

`python -m conformance.calls.verify FOLDER` is the part that runs in an environment; it knows one framework and no
answer.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, idioms
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane, finish
from conformance.calls import suites
from conformance.calls.native import operands, translate
from conformance.calls.port import Port
from conformance.io.array_files import read_array
from conformance.io.bounded import BoundError, read_json, read_text
from conformance.io.folders import PACKAGE
from conformance.numerics.deviation import measure_deviation
from conformance.processes.attempt import Ended, make
from conformance.suites import references

Array = NDArray[Any]

TIMEOUT = 600
"""Seconds that one side may take, its framework's import included."""
CHECKOUT = PACKAGE.parent


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
    """An interpreter that has a framework: the chosen one, this one, or that of the framework's tox environment."""
    if framework in chosen:
        return chosen[framework]
    try:
        adapters.require_installed(framework)
    except AdapterError:
        places = [root / ".tox" / framework / "bin" / "python" for root in (Path.cwd(), CHECKOUT)]
        return next((str(place) for place in places if place.exists()), None)
    return sys.executable


def verify(port: Port, source: Lane, target: Lane, pythons: Mapping[str, str], dtype: str = "float32") -> Verification:
    """Run both sides on data for which every order of summation is exact, and compare bit for bit.

    Raises VerifyError where an environment is missing or a side gives no answer.
    """
    case = suites.case_of(port.source, source.framework)
    answer = references.compute(case)
    arrays = answer.arrays.astype(dtype)
    expected = answer.expected.astype(dtype)
    job: dict[str, Any] = {"text": port.source.text, "shapes": {k: list(v) for k, v in port.source.shapes.items()}}
    ours = _side(source, pythons, job, operands(port.source, *arrays), expected)
    job = {**job, "code": port.code, "source": source.framework, "data": port.point.claim.data}
    theirs = _side(target, pythons, job, operands(port.point, *arrays), expected)
    return Verification(ours, theirs, _difference(theirs.array, ours.array))


def _side(
    lane: Lane, pythons: Mapping[str, str], job: Mapping[str, Any], arrays: Sequence[Array | None], expected: Array
) -> Side:
    python = python_for(lane.framework, pythons)
    if python is None:
        name = lane.framework
        raise VerifyError(f"no environment here has {name}: `tox run -e {name} --notest` makes one; or give one by "
                          f"--python {name}=PATH")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        for letter, array in zip("xwb", arrays, strict=False):
            if array is not None:
                np.save(folder / f"{letter}.npy", array)
        job = {"framework": lane.framework, "variant": lane.variant, **job}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [python, "-m", "conformance.calls.verify", name]
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            raise VerifyError(f"{lane}: gave no answer in {TIMEOUT} s: give a smaller shape") from None
        if done.returncode or not (folder / "answer.npy").exists():
            last_line = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise VerifyError(f"{lane}: gave no answer: exit status {done.returncode} of {python}: {last_line[0]}")
        try:
            array, version = read_array(folder / "answer.npy"), read_text(folder / "version")
        except BoundError as error:
            raise VerifyError(f"{lane}: gave an answer that {error}") from None
    return Side(str(lane), version, array, _difference(array, expected))


def _difference(actual: Array, expected: Array) -> str:
    deviation = measure_deviation(actual, expected)
    return deviation.message if deviation else ""


def main(folder: Path) -> None:
    """Run one side: the job and its operands lie in the folder, its answer is put there."""
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
    version = adapter.describe()[lane.framework]
    (folder / "version").write_text(version, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
