"""Where case files and templates are, and where results are kept that can be made again."""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent.parent


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
