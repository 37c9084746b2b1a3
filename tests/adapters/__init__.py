"""Adapters for tests, and how a test gives others to its own process."""

import shutil
from pathlib import Path

from conformance import adapters
from conformance.adapters import _outside


def forget_adapters() -> None:
    """Let the next look-up of an adapter go to the files."""
    _outside._entries.cache_clear()
    for name in ("block", "frameworks", "program", "variants", "_source", "_place_outside"):
        getattr(adapters, name).cache_clear()


def copy_with_expectations(framework: str, folder: Path, expectations: str) -> Path:
    """A folder with one of the adapters here, and expectations beside it, as anybody's own adapter has them."""
    (folder / "expectations").mkdir(parents=True)
    shutil.copy(Path(__file__).parent / f"{framework}.py", folder)
    (folder / "expectations" / f"{framework}.toml").write_text(expectations, encoding="utf-8")
    return folder
