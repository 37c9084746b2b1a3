"""conformance doctor: what this machine has for the commands of this project, and what it lacks."""

import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from conformance import adapters
from conformance.cli.lanes import installed
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.folders import cache_folder, cases_folder, tox_run
from conformance.io.terminal import columns, echo
from conformance.regression import room
from conformance.regression.environments import VersionError, tox_command

PYTHON = (3, 11)
"""The version that every pinned framework has packages for."""


@dataclass(frozen=True)
class Check:
    """A thing that is needed: what is here of it, what to do where that is not enough, and what it is needed for.

    What is `optional` is made when a command first needs it: that it is not here yet is nothing wrong.
    """

    name: str
    here: str
    fix: str = ""
    purpose: str = ""
    optional: bool = False

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """The check in one row, or in two where something is to be done."""
        if self.optional and self.fix:
            yield "no", self.name, f"{self.here}: {self.fix}, {self.purpose}"
            return
        yield "lacks" if self.fix else "has", self.name, self.here
        if self.fix:
            yield "", "", f"{self.purpose}: {self.fix}"


@click.command()
@click.option("--json", "json_", is_flag=True, help="One JSON object per line: name, here, fix, purpose, optional.")
def command(json_: bool) -> int:
    """Say what this machine has for this project's commands, what it lacks, and how to install that. The command
    changes nothing.

    `has` means that all is well, and `lacks` that something must be fixed. `no` means that a framework has no
    environment; only the commands that run this framework need one. Exit status: 0 nothing is lacking, 1 something is
    lacking.
    """
    checks = [check for ask in CHECKS for check in ask()]
    rows = [row for check in checks for row in check.rows()]
    for line in (json.dumps(asdict(check)) for check in checks) if json_ else columns(rows):
        echo(line)
    return DIVERGED if any(check.fix and not check.optional for check in checks) else OK


def _python() -> Iterator[Check]:
    here = f"{platform.python_version()} at {sys.prefix}"
    wanted = ".".join(map(str, PYTHON))
    fix = "" if sys.version_info[:2] == PYTHON else f"make the environments with Python {wanted}"
    yield Check("python", here, fix, "for the pinned frameworks")


def _lanes() -> Iterator[Check]:
    for framework in adapters.frameworks():
        environment, version = installed(framework)
        if environment:
            yield Check(framework, f"{version or 'installed'} in {environment}")
        else:
            outside = adapters.is_outside(framework)
            fix = "install what its adapter imports" if outside else tox_run(framework)
            yield Check(framework, "not installed", fix, f"for `conformance run {framework}`", optional=True)


def _programs() -> Iterator[Check]:
    try:
        yield Check("tox", shlex.join(tox_command()))
    except VersionError:
        yield Check("tox", "none", "`pip install tox`", "for `tox run`, `diff` of versions and `replay`", optional=True)
    for name, needed in (("cc", "a program in C (docs/protocol.md)"), ("node", "a program in JavaScript")):
        found = shutil.which(name)
        yield Check(name, found or f"none, which only {needed} needs")


def _room() -> Iterator[Check]:
    free, (least, most) = shutil.disk_usage(Path.cwd()).free / 1e9, room.NIGHT
    fix = "" if free >= least else f"free {least - free:.1f} GB"
    here = f"{free:.0f} GB are free here; the environments of a night take {least}, or {most} with PyTorch's CUDA"
    yield Check("disk", here, fix, "for the environments of a night")
    yield Check("cpu", f"{len(os.sched_getaffinity(0))} cores for this process")
    yield Check("cases", str(cases_folder()))
    yield _cache(cache_folder())


def _cache(folder: Path) -> Check:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    fix = "" if os.access(nearest, os.W_OK) else "set CONFORMANCE_CACHE to a folder that can be written"
    return Check("cache", f"{folder}, {size / 2**20:,.0f} MB", fix, "for expected arrays that were computed before")


CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (_python, _lanes, _programs, _room)
"""What is asked, in the order in which it is told."""
