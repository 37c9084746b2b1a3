"""conformance adapter: write an adapter or a program that conforms, and try one step by step."""

import keyword
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from conformance import adapters
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane
from conformance.io.atomic import OverwriteError, write_together
from conformance.io.bounded import read_text
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.folders import templates_folder
from conformance.io.terminal import echo, verdict_counts
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.run import Job
from conformance.runner.outside import Channel, DiedError, LaneProcess, evaluate, opened
from conformance.suites.case import Case
from conformance.suites.references import compute

SECONDS = 10.0
PROBLEMS = (
    "i1 k1", "i3 k2", "i3 k2 s2", "i3 k3 p1", "i3 k3 s2 p1 op1", "i3 k2 d2", "i3 k4 s2 p1:0", "i2 k2 p-1:-2",
    "i3 k2 ic2 oc3", "i3 k2 g2", "i3 k2 g2 ic2 oc2", "i3 k2 n2", "i3 k2 bias", "i2x3 k3x2 s1x2", "i2x1x2 k1x2x2 s2x1x2",
    "i2x2 k3 s2 p1 op1 d2 g2 ic2 oc2 n2 bias",
)  # fmt: skip
"""One step after another, from the plainest problem to one that has everything."""


class Language(NamedTuple):
    """An example in `templates/`, under its own name, and the commands that make it ready."""

    example: str
    steps: tuple[str, ...]


LANGUAGES: Mapping[str, Language] = {
    "python": Language("stamps", ("python -m pip install -e .",)),
    "c": Language("loops", ("cc -O2 -o loops loops.c", "export CONFORMANCE_ADAPTERS=$PWD")),
    "javascript": Language("scatter", ("export CONFORMANCE_ADAPTERS=$PWD",)),
}
FAULTS = frozenset({Verdict.DIVERGES, Verdict.ERRORED, Verdict.CRASHED, Verdict.TIMED_OUT, Verdict.INCONCLUSIVE})


@click.group(help="Write and try adapters and programs.")
def command() -> None:
    """The group that holds the verbs of an adapter."""


@command.command("new")
@click.argument("framework", metavar="NAME")
@click.option("--to", type=Path, help="The folder to write (default: NAME).")
@click.option("--language", type=click.Choice([*LANGUAGES]), default="python", show_default=True,
              help="What the adapter or the program is written in.")  # fmt: skip
def new(framework: str, to: Path | None, language: str) -> int:
    """Write an implementation that conforms, as a template for yours.

    In Python it is a package that registers an adapter, with tests. In C and JavaScript it is a program. Each has a
    file for its known divergences, and a workflow for GitHub. No existing file is overwritten.
    """
    _require_name(framework)
    folder, (example, steps) = to or Path(framework), LANGUAGES[language]
    files = dict(_written(templates_folder() / language, folder, example, framework))
    for path in files:
        if path.exists() or path.is_symlink():
            raise OverwriteError(
                f"{path} is there already, and nothing is written over it: give another folder by --to"
            )
    if folder.is_file():
        raise OverwriteError(f"{folder}: is a file, and a folder is to be written: give another name by --to")
    for parent in sorted({path.parent for path in files}):
        parent.mkdir(parents=True, exist_ok=True)
    write_together(files)
    for path in files:
        echo(str(path))
    echo("\nWhat it computes conforms as it stands. Now:\n")
    tries = (f"conformance adapter check {framework}", f"conformance run {framework} --suite smoke")
    for step in (f"cd {shlex.quote(str(folder))}", *(step.replace(example, framework) for step in steps), *tries):
        echo(f"    {step}")
    owned = ", ".join(str(path) for path, content in files.items() if b"OWNER" in content)
    echo(f"\nPut the owner of the repository of conformance in the place of OWNER: {owned}")
    return OK


def _require_name(framework: str) -> None:
    """Raises AdapterError for what cannot be the name of an adapter, or is one already."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", framework) or keyword.iskeyword(framework) or framework == "base":
        raise AdapterError(
            f"{framework!r} is no name of an adapter: give at most 40 small letters, digits and _, such as mylib"
        )
    if adapters.is_known(framework):
        raise AdapterError(f"there is an adapter {framework!r} already: give another name")


def _written(template: Path, folder: Path, example: str, framework: str) -> Iterator[tuple[Path, bytes]]:
    """The files of an example, under another name; its name stands for nothing else in them."""
    for path in sorted(template.rglob("*")):
        if path.is_file() and path.suffix not in ("", ".pyc"):  # what was compiled from them
            place = str(path.relative_to(template)).replace(example, framework)
            yield folder / place, read_text(path).replace(example, framework).encode()


@command.command("check")
@click.argument("framework")
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--dtype", type=click.Choice(("float32", "float64")), default="float32", show_default=True,
              help="The dtype of operands and answer.")  # fmt: skip
def check(framework: str, variant: str | None, dtype: str) -> int:
    """Start an adapter or a program, give it problems from simple to complete, stop it, and say what to fix.

    The exit status is 0 if each problem is answered correctly, refused or unsupported, and at least one is
    answered.
    """
    lane = adapters.lane(framework, variant)
    adapters.require_installed(framework)
    return Check(lane, dtype).status()


class Check:
    """The steps of a check of a lane, each a line."""

    def __init__(self, lane: Lane, dtype: str) -> None:
        self._lane, self._dtype, self._failed = lane, dtype, False

    def status(self) -> int:
        """Take all steps, and give the exit status."""
        process = LaneProcess(self._lane, SECONDS)
        try:
            records = self._alone(process)
            if not records:
                return DIVERGED
            self._together(process, records)
        finally:
            process.stop()
        self._ends()
        counts = Counter(record.verdict for record in records)
        echo(verdict_counts(dict(sorted(counts.items()))))
        if not counts[Verdict.CONFORMS]:
            first = records[0]
            step = "begin with what is named first" if first.verdict in FAULTS else "answer 'i1 k1' first: y = x * w"
            self._fix("no problem was answered rightly", step)
        return DIVERGED if self._failed else OK

    def _alone(self, process: LaneProcess) -> list[Record]:
        """The records of the problems, one by one; none where the process does not start."""
        records: list[Record] = []
        for case in self._cases():
            (result,) = evaluate(process, self._lane, [Job(case, self._dtype, compute(case))])
            record = result.record
            if not records:
                if not process.environment:
                    self._fix(f"start: {record.message}", 'the program answers {"do":"start"} as docs/protocol.md says')
                    return []
                versions = ", ".join(f"{name} {value}" for name, value in process.environment.items())
                echo(f"start: ok: {versions}")
            echo(f"'{case.problem}': {record.verdict}{f': {record.message}' if record.message else ''}")
            records.append(record)
            if record.verdict in FAULTS:
                self._fix(*_next_step(self._lane, case, record, self._dtype))
        return records

    def _together(self, process: LaneProcess, alone: list[Record]) -> None:
        """Hold that the same problems, many in a turn and in another order, end as they did one by one."""
        jobs = [Job(case, self._dtype, compute(case)) for case in self._cases()][::-1]
        block = adapters.block(self._lane.framework)
        turns = [evaluate(process, self._lane, jobs[at : at + block]) for at in range(0, len(jobs), block)]
        together = [result.record for turn in turns for result in turn][::-1]
        changed = [
            f"'{record.problem}' {before.verdict} before, {record.verdict} now"
            for before, record in zip(alone, together, strict=True) if before.verdict is not record.verdict
        ]  # fmt: skip
        if changed:
            self._fix(f"in turns of {block}, backwards: {changed[0]}", "let no job change what another one gets")
        else:
            echo(f"in turns of {block}, backwards: the same verdicts")

    def _ends(self) -> None:
        """Hold that a process which is told to stop says so."""
        channel = Channel(opened(self._lane))
        try:
            channel.stop(self._lane)
        except (DiedError, ValueError) as error:
            self._fix(f"stop: {error}", 'answer {"do":"stop"} by {"bye":true}, and end')
        else:
            echo("stop: ok")
        finally:
            channel.end()

    def _cases(self) -> Iterator[Case]:
        for descriptor in PROBLEMS:
            yield Case("check", Problem.parse(descriptor), descriptor, "", (), "")

    def _fix(self, fault: str, step: str) -> None:
        self._failed = True
        echo(f"FIX {fault}\n     {step}")


def _next_step(lane: Lane, case: Case, record: Record, dtype: str) -> tuple[str, str]:
    """What is wrong with an answer, and the command or the place that says more."""
    fault = f"{record.verdict}: {record.message}"
    if record.message.startswith("its process gave"):
        return fault, "docs/protocol.md and docs/protocol.schema.json say what may be answered"
    return fault, f"conformance call {lane.framework} '{case.problem}' --variant {lane.variant} --dtype {dtype}"
