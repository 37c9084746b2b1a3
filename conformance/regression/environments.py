"""Environments of chosen versions, and runs in them: made by tox from the lane's own pins, kept in the cache folder.

A run is kept under the hash of all that decides it: the environment, this project's source and cases, and what was
selected. So the same question is answered from the cache, and a version that was run once is not run again.
"""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from conformance.io.folders import cache_folder, checkout, tox_program
from conformance.io.terminal import is_quiet, meter
from conformance.records.record import PARTIAL
from conformance.records.record_file import read
from conformance.regression import room
from conformance.regression.comparison import REPEATS

PROGRAMS = "programs"
"""The environment of tox that all lanes share which are programs; packages of npm are among its pins."""
_PIN = re.compile(r"\{env:(CONFORMANCE_\w+):([^}]+)\}")
_NPM = re.compile(r"(?P<name>@?[\w./-]+)@\d[\w.-]*")
"""A package of npm with its version, such as @tensorflow/tfjs@4.22.0."""
_FAILURES = (
    "No matching distribution found", "No matching version found", "depends on", "ResolutionImpossible",
    "conflicting dependencies", "Temporary failure", "ConnectionError", "Could not fetch URL",
    "Could not find a version", "Requires-Python", "error:", "ERROR",
)  # fmt: skip
"""What tells the lines of pip's output that say why an environment cannot be made, the most telling first."""

Say = Callable[[str], None]


class VersionError(ValueError):
    """A version that cannot be had, or runs that could not be made; the message says what pip or the run said."""


@dataclass(frozen=True, slots=True)
class Build:
    """Requirements that replace pins of a lane's environment, by the variable that tox.ini takes each from."""

    framework: str
    requirements: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join(filter(None, self.requirements.values()))


def parse(text: str, framework: str = "", without: Sequence[str] = ()) -> Build:
    """The build that requirements such as "jax==0.9.0 flax==0.12.3" mean, of a lane's framework where several have the
    pin, and `without` others of its pins. Those of a program are packages of npm, too. Raises VersionError."""
    pins = _pins()
    chosen: dict[str, str] = {}
    lanes = {each for owners in pins.values() for each in owners} - {PROGRAMS}
    able = {framework if framework in lanes else PROGRAMS} if framework else lanes
    for word in text.split():
        name, requirement = _read(word)
        if name not in pins:
            raise VersionError(f"{name!r} is no pin of a lane: the pins are {', '.join(pins)}")
        able &= pins[name].keys()
        chosen[name] = requirement
    able = able & {*chosen} or able  # of several that have a pin, the lane that bears its name
    if len(able) != 1 or not chosen:
        owners = {framework for name in chosen for framework in ({name} & pins[name].keys() or pins[name])}
        named = " and ".join(sorted(able or owners)) if chosen else "nothing"
        raise VersionError(f"{text!r} is about {named}: give requirements of one lane, such as 'jax==0.9.0'")
    framework = able.pop()
    words = {pins[name][framework]: word for name, word in chosen.items()}
    return Build(framework, {**words, **{pins[name][framework]: "" for name in without}})


def pinned(framework: str) -> set[str]:
    """The packages that a lane's environment has pins of."""
    return {name for name, owners in _pins().items() if framework in owners}


def name_of(requirement: str) -> str:
    """The package that a requirement is of. Raises VersionError."""
    return _read(requirement)[0]


def _read(word: str) -> tuple[str, str]:
    """The package that a requirement is of, and the requirement as a version is released. Raises VersionError."""
    if package := _NPM.fullmatch(word):
        return package["name"], word
    try:
        requirement = Requirement(word)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]  # the rest is a drawing
        raise VersionError(f"{word!r} is no requirement ({reason}): give one such as jax==0.9.0") from None
    return requirement.name, _spelt(requirement, word)


def _spelt(requirement: Requirement, word: str) -> str:
    """A requirement as a version is released: "torch==2.12" means torch==2.12.0, whose environment is the same."""
    match [*requirement.specifier]:
        case [only] if only.operator == "==" and not only.version.endswith(".*"):
            version = Version(only.version)
            release = ".".join(map(str, (*version.release, 0, 0)[: max(3, len(version.release))]))
            written = str(version).replace(".".join(map(str, version.release)), release, 1)
            return word.replace(f"=={only.version}", f"=={written}")
    return word


def _pins() -> dict[str, dict[str, str]]:
    """The pins that can be replaced: by the name of the requirement, the variable of each lane that has it."""
    config = _settings()
    pins: dict[str, dict[str, str]] = {}
    for section in config.sections():
        installed = config[section].get("deps", "") + config[section].get("commands_pre", "")
        for variable, requirement in _PIN.findall(installed):
            pins.setdefault(_read(requirement)[0], {})[section.removeprefix("testenv:")] = variable
    return pins


def _settings() -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(_root().joinpath("tox.ini").read_text(encoding="utf-8"))
    return config


def _installed(framework: str) -> str:
    """What decides what tox installs for a lane: what its section installs, and what this package needs."""
    project = tomllib.loads(_root().joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    section = _settings()[f"testenv:{framework}"]
    return f"{[section.get(key, '') for key in ('deps', 'commands_pre')]}{project['dependencies']}"


def _root() -> Path:
    """The clone, which has the lanes' pins, and whose source and cases run in the environments."""
    if (root := checkout()) is None:
        raise VersionError("the lanes' pins stand in tox.ini of a clone of this project, and there is none here, nor "
                           "where the package was installed from: run this in the folder of a clone")  # fmt: skip
    return root


def announce(builds: Sequence[Build], say: Say) -> None:
    """Say what making the environments of builds takes of the disk and of time, of those that are not there yet.

    Raises VersionError where there is nothing to make them with.
    """
    lacking = {
        folder: build.framework for build in builds if not (folder := _folder(build)).joinpath(room.MADE).exists()
    }
    if lacking:
        tox_command()
        say(room.sentence(list(lacking.values()), [*_pins()["torch"]], cache_folder() / "environments"))


def _folder(build: Build) -> Path:
    """Where the environment of a build is, or is to be."""
    pins = _installed(build.framework) + str(sorted(build.requirements.items()))
    name = re.sub(r"[^\w.]+", "-", str(build))
    return cache_folder() / "environments" / f"{name}-{hashlib.sha256(pins.encode()).hexdigest()[:8]}"


def environment(build: Build, say: Say) -> Path:
    """The folder of an environment that has a build's requirements and the lane's other pins; made where there is none.

    Raises VersionError with the line that says why there can be none.
    """
    folder = _folder(build)
    if (folder / room.MADE).exists():
        return folder / build.framework
    say(f"making an environment with {build} in {folder}: delete it to free the disk")
    # npm is a command of the programs' environment, which `--notest` would leave out
    only = ["--override", f"testenv:{PROGRAMS}.commands="] if build.framework == PROGRAMS else ["--notest"]
    command = [*tox_command(), "run", "-q", "-e", build.framework, *only, "--workdir", str(folder)]
    started, size = time.monotonic(), room.gigabytes(build.framework)
    with meter(str(build), "B", lambda: room.bytes_in(folder), round(size * 1e9)):
        result = subprocess.run(
            command,
            cwd=_root(),
            env=os.environ | dict(build.requirements),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    if result.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise VersionError(f"{build}: no such environment can be made: {_why(result.stdout + result.stderr)}")
    room.finish(folder, build.framework, time.monotonic() - started)
    return folder / build.framework


def tox_command() -> list[str]:
    """How tox is started here. Raises VersionError where there is none."""
    if command := tox_program():
        return command
    raise VersionError("there is no tox, which makes the environments: `pip install tox`")


def _why(output: str) -> str:
    """The line of pip's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = (line for mark in _FAILURES for line in lines if mark in line)
    return next(telling, lines[-1] if lines else "tox said nothing")[:300]


def python(build: Build, say: Say) -> Path:
    """The interpreter of a build's environment. Raises VersionError."""
    return environment(build, say) / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(build: Build, options: Sequence[str], say: Say, *, repeat: int = 1) -> Path:
    """The folder with the record files of a build, run with some options of `conformance run`, or kept from before.

    Raises VersionError where a lane wrote none.
    """
    bin_ = python(build, say).parent
    key = f"{build} {sorted(options)} {repeat} {_source()} {bin_}{_given(options)}"
    folder = cache_folder() / "runs" / hashlib.sha256(key.encode()).hexdigest()[:24]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say(f"running {build}")
        command = [str(bin_ / "conformance"), "run", build.framework, *options, "--records", str(folder)]
        command += [f"--repeat={repeat}"] if repeat > 1 else []
        shown = sys.stderr.isatty() and not is_quiet()  # then so is the progress of the run, and why it failed
        result = subprocess.run(
            command, cwd=_root(), env=clean(), stdout=subprocess.PIPE, stderr=None if shown else subprocess.PIPE,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        if result.returncode not in (0, 1):
            why = "as it says above" if shown else _why(result.stderr)
            raise VersionError(f"{build}: the run ended with status {result.returncode}: {why}")
        _require_complete(folder, build)
        (folder / "done").touch()
    narrowed = folder / PARTIAL
    return narrowed if narrowed.exists() else folder


def _given(options: Sequence[str]) -> str:
    """Hash of the files that options name, such as a suite of a model's layers; empty for none."""
    names = [option.partition("=")[2].partition(":")[0] for option in options]
    files = [Path(name).with_suffix(suffix) for name in names if name.endswith(".jsonl")
             for suffix in (".jsonl", ".safetensors")]  # fmt: skip
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()]
    return f" {digests}" if digests else ""


def _require_complete(folder: Path, build: Build) -> None:
    files = [*folder.glob("*.jsonl"), *folder.glob("partial/*.jsonl"), *folder.glob(f"{REPEATS}/*/*.jsonl")]
    if not files or not all(read(file).complete for file in files):
        raise VersionError(f"{build}: its run is incomplete: look at it with `conformance run {build.framework}`")


def clean(programs: Path | None = None) -> dict[str, str]:
    """The environment variables for a run elsewhere: none that would bring this interpreter's packages along.

    An environment is shared by checkouts, and so is told which of them is at work; and that of `programs`, whose folder
    is given, where they are and which packages of npm are theirs.
    """
    variables = {**os.environ, "PYTHONPATH": str(_root()), "PYTHONHASHSEED": "0"}
    if programs is None:
        return variables
    paths = {"PATH": (programs / "bin", os.environ.get("PATH", "")), "NODE_PATH": (programs / "node_modules",),
             "CONFORMANCE_ADAPTERS": (_root() / PROGRAMS,)}  # fmt: skip
    return variables | {name: os.pathsep.join(map(str, each)) for name, each in paths.items()}


def _source() -> str:
    """Hash of the source and the cases that decide records: those of the clone, which are run."""
    cases = Path(os.environ.get("CONFORMANCE_CASES") or _root() / "cases")
    files = [*(_root() / "conformance").rglob("*.py"), *cases.rglob("*.jsonl"), *cases.rglob("*.toml")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def released(build: Build, newer: Build, say: Say) -> list[str]:
    """The versions from one build to a newer one, both included, as pip knows them, oldest first; final releases only.

    Raises VersionError where the builds differ in more than one version, or are the wrong way round.
    """
    (variable, first), last = next(iter(build.requirements.items())), newer.requirements
    if build.requirements.keys() != last.keys() or any(
        last[name] != text for name, text in build.requirements.items() if name != variable
    ):
        raise VersionError(f"{build} and {newer} differ in more than one requirement: give the same others to both")
    name = Requirement(first).name
    ends = [_exact(first), _exact(last[variable])]
    if ends[0] >= ends[1]:
        raise VersionError(f"{first} is not older than {last[variable]}: give the older one first")
    interpreter = python(build, say)
    result = subprocess.run(
        [str(interpreter), "-m", "pip", "index", "versions", name],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=clean(),
    )
    match = re.search(r"Available versions: (.*)", result.stdout)
    if not match:
        raise VersionError(f"{name}: pip does not know its versions: {_why(result.stdout + result.stderr)}")
    between = sorted({version for version in _versions(match[1].split(",")) if ends[0] <= version <= ends[1]} | {*ends})
    return [str(version) for version in between]


def _versions(texts: Sequence[str]) -> Iterator[Version]:
    for text in texts:
        version = Version(text.strip())
        if not version.is_prerelease:
            yield version


def _exact(requirement: str) -> Version:
    pinned = re.fullmatch(r"[\w.-]+==([^,*]+)", requirement)
    try:
        return Version(pinned[1] if pinned else "")
    except InvalidVersion:
        raise VersionError(f"{requirement}: not one version: give it as name==version") from None


def at(build: Build, version: str) -> Build:
    """The same build with its first requirement in another version."""
    variable, first = next(iter(build.requirements.items()))
    return Build(build.framework, {**build.requirements, variable: f"{Requirement(first).name}=={version}"})
