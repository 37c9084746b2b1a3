"""Where results that can be made again are kept."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """$CONFORMANCE_CACHE, else the user's cache folder; it need not exist."""
    chosen = os.environ.get("CONFORMANCE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("conformance"))
