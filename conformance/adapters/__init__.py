"""The frameworks: every module in this folder but `base` is one, and adding a module adds a framework.

Modules in the folders that $CONFORMANCE_ADAPTERS lists are adapters too, and so are the programs that a file NAME.toml
there starts. So is what installed packages register: see `_outside`.

Nothing is imported until `load`, because a variant's environment variables must be set before its framework starts.
"""

import ast
import importlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import conformance
from conformance.adapters._literals import PAGE, lacking, literal_in, names_of, read
from conformance.adapters.base import DTYPES, Adapter, Lane
from conformance.adapters.base import AdapterError as AdapterError
from conformance.io.folders import cache_folder, where_it_runs
from conformance.records.machine import Machine, measure_machine, threads

if TYPE_CHECKING:
    from conformance.adapters._outside import Place
    from conformance.adapters._programs import Program

_PLACEHOLDER = re.compile(r"\{cache\}|\{threads\}")
FOLDERS = "CONFORMANCE_ADAPTERS"
"""The environment variable that lists folders with adapters from outside."""

_OWN = __path__[0]
__path__ += [folder for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]


@cache
def frameworks() -> tuple[str, ...]:
    """Names of this package's frameworks and of those in folders, sorted; packages are asked where a name is unknown.

    Raises AdapterError for a folder of $CONFORMANCE_ADAPTERS that has none.
    """
    for folder in _folders():
        if not any(_registered(folder)):
            lack = "has no adapter (a file such as mylib.py or mylib.toml)" if Path(folder).is_dir() else "is no folder"
            raise AdapterError(f"{FOLDERS} names {folder}, which {lack}: correct it, or unset it")
    return tuple(sorted({path.stem for folder in __path__ for path in _registered(folder) if path.stem != "base"}))


@cache
def own() -> tuple[str, ...]:
    """The frameworks of this package, each of which has an environment of tox."""
    return tuple(sorted({path.stem for path in _registered(_OWN)} - {"base"}))


def has_operators(framework: str) -> bool:
    """Whether a framework of this package has what surrounds a transposed convolution, which claims are about."""
    return Path(_OWN, "operators", f"{framework}.py").exists()


def _folders() -> list[str]:
    """Those with adapters from outside."""
    return [folder for folder in __path__ if folder != _OWN]


def _registered(folder: str) -> list[Path]:
    """The files of a folder that are an adapter, or start a program that is one."""
    return [path for suffix in (".py", ".toml") for path in Path(folder).glob(f"[a-z]*{suffix}")]


@cache
def _place_outside(framework: str) -> "Place | None":
    """Where an adapter from outside is; None for a framework of this package, and for one that is nowhere.

    Raises AdapterError where there are two of a name.
    """
    from conformance.adapters import _outside

    own = framework != "base" and Path(_OWN, f"{framework}.py").exists()
    places = [*_outside.in_folders(_folders(), framework), *(() if own else _outside.in_packages(framework))]
    files = {place.file.resolve(): place for place in places}
    sources = [*["this package"] * own, *(place.source for place in files.values())]
    if len(sources) > 1:
        raise AdapterError(f"{' and '.join(sources)} each have an adapter {framework!r}: rename one, or take it away")
    return next(iter(files.values()), None)


def is_known(framework: str) -> bool:
    """Whether there is such a framework, wherever its adapter is."""
    return framework in frameworks() or _place_outside(framework) is not None


@cache
def program(framework: str) -> "Program | None":
    """How the program is started that answers for a framework; None for one with an adapter. Raises AdapterError."""
    place = _place_outside(framework)
    if place is None or place.file.suffix != ".toml":
        return None
    from conformance.adapters import _programs  # the text of a call is read without it

    return _programs.read(place.file)


def is_outside(framework: str) -> bool:
    """Whether an adapter comes from a folder of $CONFORMANCE_ADAPTERS or a package, so that it has its own process."""
    return _place_outside(framework) is not None


def folder(framework: str) -> Path | None:
    """The folder of an adapter from outside; None for a framework of this package, and for one that is nowhere."""
    place = _place_outside(framework)
    return place and place.file.parent


@cache
def _source(framework: str) -> ast.Module:
    """An adapter's source, parsed: what it says of itself can be read without importing its framework."""
    place = _place_outside(framework)
    if place is None and framework not in frameworks():
        raise _unknown(framework)
    return read(place.file if place else Path(_OWN, f"{framework}.py"))


def _unknown(framework: str) -> AdapterError:
    from conformance.adapters import _outside

    names = sorted({*frameworks(), *_outside.package_names()})
    near = get_close_matches(framework, names, 1)
    hint = f", the nearest is {near[0]!r}" if near else ""
    return AdapterError(
        f"there is no framework {framework!r}{hint}: the frameworks are {', '.join(names)}; {FOLDERS} names folders "
        "with others, and packages register them"
    )


def _literal(framework: str, name: str) -> Any:
    try:
        return literal_in(_source(framework), name)
    except LookupError:
        raise AdapterError(f"adapter {framework!r} assigns no literal {name}: see {PAGE}") from None


def _literal_or_none(framework: str, name: str) -> Mapping[str, Any]:
    """A literal that an adapter may leave out, and a program has not: an empty one where there is none."""
    if program(framework) is not None:
        return {}
    try:
        return cast(Mapping[str, Any], literal_in(_source(framework), name))
    except LookupError:
        return {}


def require_installed(framework: str) -> None:
    """Raises AdapterError where the program, or a module that the adapter imports, is not there; imports nothing."""
    if (started := program(framework)) is not None:
        started.require_executable(framework)
        return
    body = _source(framework).body
    either = [[*map(lacking, (node.body, node.orelse))] for node in body if isinstance(node, ast.If) and node.orelse]
    missing = lacking(body) or next((branches[0] for branches in either if all(branches)), "")
    if missing:
        raise AdapterError(
            (f"{framework} is" if framework == missing else f"{framework} needs {missing}, which is")
            + " not installed here: "
            + ("install it" if is_outside(framework) else where_it_runs(framework))
        )


def package(framework: str) -> str:
    """The name that pip knows a framework by."""
    return "".join(_literal_or_none(framework, "PACKAGE")) or framework


def installed_version(framework: str) -> str:
    """The framework's version, "" where no distribution has its name; no framework is imported."""
    return dict(_distributions([package(framework)])).get(package(framework), "")


@cache
def variants(framework: str) -> Mapping[str, Mapping[str, str]]:
    """The variants of a framework, the default first, with the environment variables of each."""
    if (started := program(framework)) is not None:
        return started.variants
    return cast(Mapping[str, Mapping[str, str]], _literal(framework, "VARIANTS"))


def how_to_run(lane: Lane, other: str) -> str:
    """What is set for a lane where it is not for another variant, and when the framework runs so by itself.

    How many threads a call may use, and where our cache is, does not tell a lane from another.
    """
    settings = variants(lane.framework)
    unlike = sorted(settings[lane.variant].items() - settings[other].items())
    how = " ".join(f"{name}={value}" for name, value in unlike if not _PLACEHOLDER.search(value))
    by_itself = {} if program(lane.framework) else _literal_or_none(lane.framework, "BY_ITSELF")
    when = f" ({lane.framework} is so by itself only {by_itself[lane.variant]})" if lane.variant in by_itself else ""
    return f"set {how} before the import{when}"


@cache
def block(framework: str) -> int:
    """How many calls the framework's adapter takes at once."""
    if (started := program(framework)) is not None:
        return started.block
    return cast(int, _literal(framework, "BLOCK"))


def dtypes(framework: str) -> tuple[str, ...]:
    """The dtypes that a framework computes in; those from outside are asked for what their protocol has."""
    if is_outside(framework):
        return DTYPES
    try:
        return tuple(literal_in(_source(framework), "DTYPES"))
    except LookupError:
        return DTYPES


def differentiates(framework: str) -> bool:
    """Whether a framework's adapter has gradients; for those from outside the protocol has none."""
    if is_outside(framework):
        return False
    return "gradient" in {name for statement in _source(framework).body for name in names_of(statement)}


def lane(framework: str, variant: str | None = None) -> Lane:
    """The lane of a framework and variant, by default its first. Raises AdapterError where there is none."""
    known = variants(framework)
    if variant is not None and variant not in known:
        raise AdapterError(f"{framework} has no variant {variant!r}: its variants are {', '.join(known)}")
    return Lane(framework, variant or next(iter(known)))


def suites(framework: str) -> tuple[str, ...]:
    """The suites that a framework is asked, where its adapter has SUITES; none where that is all that are for it."""
    return _names(framework, "SUITES")


def night(framework: str) -> tuple[str, ...]:
    """The suites that a night has the time for, where its adapter has NIGHT; none where that is all that are asked."""
    return _names(framework, "NIGHT")


def _names(framework: str, literal: str) -> tuple[str, ...]:
    """The names in a literal of an adapter of this package; none where it has none."""
    return () if is_outside(framework) else tuple(_literal_or_none(framework, literal))


def lanes() -> tuple[Lane, ...]:
    """Every lane of every framework."""
    return tuple(Lane(framework, variant) for framework in frameworks() for variant in variants(framework))


def settings(lane: Lane) -> dict[str, str]:
    """A lane's environment variables; `{cache}` is the cache folder, `{threads}` how many threads a call may use."""
    given = variants(lane.framework)[lane.variant]
    filled = {"{cache}": str(cache_folder()), "{threads}": threads()}
    return {name: _PLACEHOLDER.sub(lambda found: filled[found[0]], value) for name, value in given.items()}


def unrepeated(framework: str) -> Mapping[str, str]:
    """The environment variables for a process that meets no problem twice; none where an adapter names none."""
    return {} if program(framework) else _literal_or_none(framework, "UNREPEATED")


def set_environment(lane: Lane) -> None:
    """Set a lane's environment variables, for this process and those that it starts."""
    os.environ.update(settings(lane))


def machine(lane: Lane) -> Machine:
    """What a lane stands on here; an adapter that names no libraries has none whose caps are known."""
    if program(lane.framework) is not None:
        return measure_machine({})
    libraries = _literal_or_none(lane.framework, "LIBRARIES").get(lane.variant, {})
    return measure_machine(libraries)


def load(lane: Lane) -> Adapter:
    """Import a lane's adapter with its environment set; once a process, since a framework reads it at import."""
    set_environment(lane)
    place = _place_outside(lane.framework)
    try:
        with _quiet():
            return cast(Adapter, importlib.import_module(place.module if place else f"{__name__}.{lane.framework}"))
    except Exception as error:  # an OSError, too, of a native library that lacks another
        others = [name for name in variants(lane.framework) if name != lane.variant]
        said = str(error).partition("\n")[0]
        said = said if isinstance(error, ImportError) else f"{type(error).__name__}: {said}"
        raise AdapterError(
            f"{lane.framework} cannot be imported ({said}): install it, or use its environment: "
            f"`tox run -e {lane.framework}`" + (f"; or give another --variant: {', '.join(others)}" if others else "")
        ) from None


def environment(adapter: Adapter) -> Mapping[str, str]:
    """The build that an adapter runs: its own description, the distributions beneath, and the interpreter."""
    return {
        **dict(_distributions(getattr(adapter, "DISTRIBUTIONS", ()))),
        **{name: str(value) for name, value in adapter.describe().items()},
        **harness(),
    }


def harness() -> Mapping[str, str]:
    """What every lane runs with: this package, NumPy, and the interpreter."""
    return {
        "conformance": conformance.__version__,
        **dict(_distributions(["numpy"])),
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
    }


def _distributions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The versions of those distributions that are installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and the text of a call is read without it

    for name in names:
        with suppress(PackageNotFoundError):
            yield name, version(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what native code prints to stderr while a framework starts; shown only if it fails to."""
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(real, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
