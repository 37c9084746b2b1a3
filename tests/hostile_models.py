"""Model files that nobody meant, read as `conformance scan` reads them: each ends in rows or in one line.

`python -m tests.hostile_models torch --each 100` runs in the environment of a lane. It makes mutants of small models of
each of the framework's formats, reads each in a process of its own, and prints how they ended. A mutant fails that ends
in anything but rows or one line that names it, that starts a program or writes a file, or that takes too long.
"""

import argparse
import getpass
import importlib
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from conformance import adapters, cli
from conformance.io.atomic import explain
from conformance.io.exit_status import USAGE
from conformance.io.terminal import one_line
from conformance.processes.memory import MEMORY, bound_memory, exhausted
from conformance.scan import process
from conformance.scan.formats.known import BY_SUFFIX, format_of
from conformance.scan.layer import ScanError
from conformance.scan.process import JOB, MARK, SCAN
from conformance.suites.scans import file as scan_file
from tests.hostile_mutants import ANY, Mutate, graphed, packed, worded
from tests.lane_models import MODELS

SECONDS = 120
"""Seconds of CPU that a mutant may take."""
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn", "socket.connect")


@dataclass(frozen=True)
class Model:
    """A model that is whole: its file or folder, the sizes it is scanned at, and what makes mutants of each file."""

    path: Path
    inputs: tuple[str, ...]
    mutate: Mapping[str, Sequence[Mutate]]

    def mutant(self, rng: random.Random, folder: Path) -> Path:
        """A mutant in a folder; a file of it is another one, is missing, or is a link to what has no end."""
        path = folder / self.path.name
        if self.path.is_dir():
            shutil.copytree(self.path, path)
        else:
            for name in self.mutate:
                shutil.copy(self.path.parent / name, folder / name)
        files = {name: (path if self.path.is_dir() else folder) / name for name in self.mutate}
        name = rng.choice([*files])
        file, what = files[name], rng.random()
        if what < 0.02:
            file.unlink()
            file.symlink_to(rng.choice(("/dev/zero", "/dev/null", "nowhere", str(file))))
        elif what < 0.03:
            file.unlink()
            os.mkfifo(file)
        elif what < 0.04:
            file.unlink()
        else:
            mutate = rng.choice([*self.mutate[name]])
            content = mutate(file.read_bytes(), rng)
            file.unlink()
            file.write_bytes(content)
        return path


def models(framework: str, folder: Path) -> list[Model]:
    """A small model of each of a framework's formats, saved in a folder by another process.

    This one must run nothing, so that what it forks is as a process that has only imported the framework.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as builder:
        return builder.submit(_built, framework, folder).result()


def _built(framework: str, folder: Path) -> list[Model]:
    return [*_saved(framework, folder)]


def _saved(framework: str, folder: Path) -> Iterator[Model]:
    with pytest.MonkeyPatch.context() as patch:
        seen: set[str] = set()
        for saved in MODELS[framework](folder, patch):
            path = folder / saved.name
            kind = path.suffix if path.is_file() else "folder"
            if path.exists() and kind not in seen:
                seen.add(kind)
                yield Model(path, saved.inputs, dict(_mutations(path)))


def _mutations(path: Path) -> Iterator[tuple[str, Sequence[Mutate]]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file.relative_to(path).as_posix(), (*ANY, graphed, graphed) if file.suffix == ".pb" else ANY
    elif path.suffix == ".json":
        yield path.name, (*ANY, *[worded] * 8)
        yield path.name.replace("-symbol.json", "-0000.params"), ANY
    elif zipfile.is_zipfile(path):
        yield path.name, (*ANY, *[packed] * 24)
    else:
        yield path.name, (*ANY, *[graphed] * 8) if path.suffix == ".pb" else ANY


# reading, each in a process of its own


CACHES = (f"torchinductor_{getpass.getuser()}",)
"""Empty folders that a framework makes for itself, whatever it reads."""


@dataclass
class Endings:
    """How the mutants of a format ended, the most that one took, and those that ended as none may."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    bytes: int = 0
    wrong: list[str] = field(default_factory=list)


def read(framework: str, model: Model, each: int, seed: int) -> Endings:
    """Read so many mutants of a model, of seeds from this one on."""
    endings = Endings()
    for number in range(seed, seed + each):
        with tempfile.TemporaryDirectory(prefix="hostile-") as temporary:
            folder = Path(temporary)
            for name in ("model", "job", "here", "tmp"):
                (folder / name).mkdir()
            path = model.mutant(random.Random(f"{model.path.name} {number}"), folder / "model")
            before = sorted(map(str, folder.rglob("*")))
            status, said, seconds, most = _in_process(framework, path, model.inputs, folder)
            endings.seconds, endings.bytes = max(endings.seconds, seconds), max(endings.bytes, most)
            how, wrong = _judged(framework, path, status, said, folder)
            wrong += [f"left {name}" for name in sorted(map(str, folder.rglob("*"))) if name not in before
                      and Path(name).name not in (JOB, SCAN, "scan.safetensors", "said", *CACHES)]  # fmt: skip
            wrong += [f"took {seconds:.0f} s"] * (seconds > SECONDS)
        endings.counts[how] += 1
        endings.wrong += [f"{model.path.name} {number}: {what}" for what in wrong]
    return endings


def _judged(framework: str, path: Path, status: int, said: str, folder: Path) -> tuple[str, list[str]]:
    """How a mutant ended, and what of that is wrong."""
    wrong = [line for line in said.splitlines() if line.startswith("audit: ")]
    if status == 0:
        scan_file.read(folder / "job" / SCAN)
        return "read", wrong
    line = process._why(str(path), framework, status, said)
    if "\n" in line or not line.isprintable() or not line.startswith((str(path), "--input")):
        wrong.append(f"said {line!r}")
    if status < 0:
        return f"died of signal {-status}", wrong
    if f"{MARK}{line}" in said:
        return "refused", wrong
    if exhausted(said) and not _by_command(path):
        return "out of memory", wrong
    return "refused by its traceback", [*wrong, f"ended with a traceback: {line}"]


def _in_process(framework: str, path: Path, inputs: Sequence[str], folder: Path) -> tuple[int, str, float, int]:
    """A mutant read by a fork of this process, which has its framework: how that ended, and what it took."""
    job = {"model": str(path), "framework": framework, "inputs": list(inputs)}
    (folder / "job" / JOB).write_text(json.dumps(job))
    sys.stdout.flush()
    if not (child := os.fork()):
        try:
            with (folder / "said").open("w") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            os.chdir(folder / "here")
            tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1, SECONDS + 5))
            sys.addaudithook(_audited)
            status = _scanned(path, inputs, folder / "job")
        except BaseException:  # as an interpreter ends that has no one to catch it
            sys.excepthook(*sys.exc_info())
            status = 1
        sys.stderr.flush()
        os._exit(status)
    _, ended, used = os.wait4(child, 0)
    text = (folder / "said").read_text(errors="replace") if (folder / "said").exists() else ""
    return os.waitstatus_to_exitcode(ended), text, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


def _scanned(path: Path, inputs: Sequence[str], folder: Path) -> int:
    """The exit status of what reads the format: the process of a framework, or the command itself."""
    try:
        format_of(str(path))  # of which the command asks first
    except (ScanError, OSError) as error:
        said = explain(error) if isinstance(error, OSError) else str(error)
        sys.stderr.write(f"{MARK}{one_line(said)}\n")
        return USAGE
    if not _by_command(path):
        return process.main(folder)
    bound_memory(MEMORY)
    sys.argv = ["conformance", "scan", str(path), *(f"--input={each}" for each in inputs), f"--to={folder / SCAN}"]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _by_command(path: Path) -> bool:
    """Whether the command reads a format itself."""
    suffix = next((each for each in BY_SUFFIX if path.name.endswith(each)), "")
    return bool(suffix) and not BY_SUFFIX[suffix].framework


def _audited(event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS:
        sys.stderr.write(f"audit: {event} {str(arguments)[:200]!r}\n")


def main() -> int:
    """Read mutants of all formats of a framework, and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=sorted(MODELS))
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="the end of the name of the one model that is asked for")
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as temporary:
        given = models(asked.framework, Path(temporary).resolve())
        warm(asked.framework)
        for model in given:
            if not model.path.name.endswith(asked.only):
                continue
            started = time.monotonic()
            endings = read(asked.framework, model, asked.each, asked.seed)
            how = ", ".join(f"{count} {what}" for what, count in endings.counts.most_common())
            print(f"{model.path.name}: {asked.each} mutants in {time.monotonic() - started:.0f} s: {how}; at most "
                  f"{endings.seconds:.1f} s of CPU and {endings.bytes >> 20} MiB", flush=True)  # fmt: skip
            wrong += endings.wrong
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def warm(framework: str) -> None:
    """Import all that a mutant's process needs, so that a fork has it."""
    for module in ("scanning", "sizes", "formats.native"):
        importlib.import_module(f"conformance.scan.{module}")
    adapters.load(adapters.lane(framework))
    importlib.import_module(f"conformance.adapters.models.{framework}")


if __name__ == "__main__":
    sys.exit(main())
