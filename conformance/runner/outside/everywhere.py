"""One problem on many lanes, each in the environment that has it, and who gives the same answer."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.calls.verify import python_for
from conformance.io.folders import PACKAGE, checkout, tox_run
from conformance.io.terminal import columns, meter, one_line
from conformance.problem import FORWARD
from conformance.records.messages import without_numbers
from conformance.records.record import Verdict

ALL = "all"
PROGRAMS = "programs"
"""The folder of programs in a checkout, and the environment of tox that has what they need."""
HEAD = ("lane", "alike", "verdict", "one call", "what is said of it")
"""Of the table; lanes with one letter under `alike` gave the same answer, or refused in the same words."""
SECONDS = 900.0
"""What a lane may take, the start of its framework included; a call is ended long before."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lane made of a problem; `record` is empty where it could not be asked, and `missing` says why."""

    lane: Lane
    record: Mapping[str, Any]
    diagnosis: Sequence[str] = ()
    missing: str = ""

    @property
    def fails(self) -> bool:
        """Whether it is a fault; a refusal is an answer, and a lane that is not installed is told."""
        verdict = Verdict(self.record["verdict"]) if self.record else Verdict.UNSUPPORTED
        return verdict.fails and verdict is not Verdict.REJECTS

    def as_data(self) -> dict[str, Any]:
        """It by the keys that docs/running.md documents."""
        return {"lane": str(self.lane), "record": self.record or None, "diagnosis": list(self.diagnosis),
                "missing": self.missing or None}  # fmt: skip

    @property
    def kind(self) -> tuple[str, str]:
        """What lanes have in common that answer alike: the array's digest, or the message without its numbers."""
        if digest := self.record.get("actual"):
            return "answer", str(digest)
        return str(self.record.get("verdict", "missing")), without_numbers(str(self.record.get("message", "")))


def named(names: Sequence[str]) -> list[Lane]:
    """The lanes of these names, such as torch-eager, or of a framework, or all. Raises AdapterError for any other."""
    lanes = [lane for name in names for lane in _named(name)]
    return list(dict.fromkeys(lanes))


def _named(name: str) -> Sequence[Lane]:
    if name == ALL:
        return adapters.lanes()
    framework, _, variant = name.partition("-")
    return [adapters.lane(framework, variant)] if variant else [
        Lane(framework, each) for each in adapters.variants(framework)]  # fmt: skip


def ask(lanes: Sequence[Lane], descriptor: str, dtype: str, direction: str = FORWARD) -> list[Answer]:
    """The answers of lanes in a pass, in order; so many are asked at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        asked = [pool.submit(_asked, lane, descriptor, dtype, direction) for lane in lanes]
        with meter("lanes", " lanes", lambda: sum(map(Future.done, asked)), len(lanes)):
            return [answer.result() for answer in asked]


def _asked(lane: Lane, descriptor: str, dtype: str, direction: str) -> Answer:
    python, variables = _place(lane)
    if python is None:
        return Answer(lane, {}, missing=f"not installed: {tox_run(_environment(lane))}")
    words = [
        "call",
        lane.framework,
        descriptor,
        "--variant",
        lane.variant,
        "--dtype",
        dtype,
        "--pass",
        direction,
        "--json",
    ]
    try:
        made = subprocess.run(
            [python, "-m", "conformance", *words], env=variables, capture_output=True, encoding="utf-8",
            errors="replace", timeout=SECONDS,
        )  # fmt: skip
        told = json.loads(made.stdout.strip().splitlines()[-1])
        return Answer(lane, told["record"], told["diagnosis"])
    except subprocess.TimeoutExpired:
        return Answer(lane, {}, missing=f"said nothing for {SECONDS:g} seconds")
    except (ValueError, LookupError):
        last = next((line for line in reversed(made.stderr.splitlines()) if line.strip()), f"status {made.returncode}")
        anew = f": {tox_run(_environment(lane))} installs what is missing"
        return Answer(lane, {}, missing=one_line(last.strip())[:200] + anew * last.startswith("ModuleNotFoundError"))


def _environment(lane: Lane) -> str:
    return PROGRAMS if adapters.is_outside(lane.framework) else lane.framework


def _place(lane: Lane) -> tuple[str | None, Mapping[str, str]]:
    """The interpreter that has a lane, and the variables it is started with; None where there is none."""
    root = checkout() or PACKAGE.parent  # a clone brings no packages of this environment along
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    if adapters.program(lane.framework) is None:
        return python_for(lane.framework, {}), variables
    tox = root / ".tox" / PROGRAMS
    if (tox / "bin").exists():
        paths = [str(tox / "bin"), os.environ.get("PATH", "")]
        variables |= {"PATH": os.pathsep.join(paths), "NODE_PATH": str(tox / "node_modules")}
    return sys.executable, variables


def lines(answers: Sequence[Answer]) -> Iterator[str]:
    """A table: who gives which answer, by letters; what each refusal and divergence is; how long each call took."""
    groups: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        if not answer.missing:
            groups[answer.kind].append(answer)
    letters = {kind: ascii_uppercase[min(at, 25)] for at, kind in enumerate(groups)}
    asked = [answer for answer in answers if not answer.missing]
    yield from columns([HEAD, *(_row(answer, letters[answer.kind]) for answer in asked)] if asked else [], indent="  ")
    yield from columns(((str(answer.lane), answer.missing) for answer in answers if answer.missing), indent="  ")
    for kind, alike in groups.items():
        if len(alike) > 1:
            what = "the same answer" if kind[0] == "answer" else f"{kind[0]} in the same words"
            yield f"{letters[kind]}: {what}: {', '.join(str(answer.lane) for answer in alike)}"


def _row(answer: Answer, letter: str) -> tuple[str, ...]:
    """An answer as cells of the table: the lane, its letter, the verdict, the time, and what is said of it."""
    record = answer.record
    verdict = f"{record['verdict']} {record.get('kind', '')}".strip()
    said = answer.diagnosis[0] if answer.diagnosis else str(record.get("message", ""))
    took = f"{record['seconds'] * 1000:7.1f} ms" if record.get("seconds") else ""  # a program tells none
    return str(answer.lane), letter, verdict, took, said
