"""Where case files and templates are, the clone with the lanes' environments, and where results are kept that can be
made again."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
_OURS = ("tox.ini", "conformance/io/folders.py", "cases/README.md")
"""Files of a clone of this project, and of no other folder."""


def checkout() -> Path | None:
    """The clone of this project that is meant: the one that the package lies in, else the one that the working folder
    lies in, else the one that the package was installed from; None where there is none."""
    here = Path.cwd()
    able = (root for root in (PACKAGE.parent, here, *here.parents) if _is_checkout(root))
    return next(able, None) or _installed_from()


def _is_checkout(root: Path) -> bool:
    return all((root / name).is_file() for name in _OURS)


def _installed_from() -> Path | None:
    """The clone that pip installed this package from, as pip itself wrote down."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow, and a clone is mostly at hand
    from urllib.parse import unquote, urlsplit

    try:
        told = json.loads(distribution("conformance").read_text("direct_url.json") or "{}")
        root = Path(unquote(urlsplit(str(told.get("url", ""))).path))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    return root if _is_checkout(root) else None


def tox_folders() -> Iterator[Path]:
    """Where the lanes' environments can be: `.tox` of the working folder, and that of the clone."""
    yield from dict.fromkeys(root / ".tox" for root in (Path.cwd(), checkout()) if root is not None)


def tox_program() -> list[str]:
    """How tox is started here; empty where there is none."""
    if importlib.util.find_spec("tox"):
        return [sys.executable, "-m", "tox"]
    root = checkout()
    tox = shutil.which("tox") or (shutil.which("tox", path=str(root / ".venv" / "bin")) if root else None)
    return [tox] if tox else []  # .venv is where the README puts it


def tox_run(environment: str) -> str:
    """The command that makes an environment of tox, and the folder where that is to be typed, if it is not this one."""
    root = checkout()
    where = "" if root == Path.cwd() else f" in {root or 'a clone of this project'}"
    return f"`tox run -e {environment} --notest`{where}"


def making(environment: str) -> str:
    """The same, and how tox is got where there is none."""
    return tox_run(environment) + ("" if tox_program() else " (`pip install tox` first)")


def where_it_runs(framework: str) -> str:
    """What to do where a framework is not here: run the same in its lane's environment, or make that first."""
    programs = (folder / framework / "bin" / "conformance" for folder in tox_folders())
    if program := next((program for program in programs if program.exists()), None):
        return f"its environment is there: run this by {program}"
    return f"install it, or make its lane's environment, .tox/{framework}, and run this there: {making(framework)}"


def cases_folder() -> Path:
    """Where the case files are: $CONFORMANCE_CASES, else `cases/` beside the package, else the installed copy."""
    if chosen := os.environ.get("CONFORMANCE_CASES"):
        return Path(chosen)
    beside = PACKAGE.parent / "cases"
    return beside if (beside / "README.md").exists() else PACKAGE / "_cases"


def templates_folder() -> Path:
    """Where the examples are that `conformance adapter new` writes: beside the package, else the installed copy."""
    beside = PACKAGE.parent / "templates"
    return beside if beside.is_dir() and (PACKAGE.parent / "cases").is_dir() else PACKAGE / "_templates"


def docs_folder() -> Path:
    """Where the documents are: `docs/` beside the package, else the installed copy."""
    beside = PACKAGE.parent / "docs"
    return beside if beside.is_dir() and (PACKAGE.parent / "cases").is_dir() else PACKAGE / "_docs"


def cache_folder() -> Path:
    """$CONFORMANCE_CACHE, else the user's cache folder; it need not exist."""
    chosen = os.environ.get("CONFORMANCE_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs  # slow, and most commands keep nothing

    return Path(platformdirs.user_cache_dir("conformance"))
