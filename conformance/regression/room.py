"""What environments take: the disk, as docs/running.md has it of each lane, and the time of the last one here."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from conformance.io.folders import docs_folder
from conformance.io.terminal import plural

NIGHT = 14, 22
"""GB that the environments of a night take, without CUDA and with it."""
CUDA = 3.8
"""GB that PyTorch takes more of where pip gets it with CUDA."""
MADE = "made"
"""The file of an environment that is whole: its lane and the seconds that it took; empty in one of before."""


@cache
def gigabytes(framework: str) -> float:
    """What a lane's environment takes on disk, as it was measured; 0 where it was not. Programs share theirs."""
    framework = {"programs": "tfjs"}.get(framework, framework)
    page = docs_folder().joinpath("running.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{re.escape(framework)}-[^`]*` \|[^|]*\|[^|]*\| ([\d,]+) \|", page, re.MULTILINE)
    return int(row[1].replace(",", "")) / 1000 if row else 0.0


def finish(folder: Path, framework: str, seconds: float) -> None:
    """Say that a lane's environment is whole, and how long that took."""
    (folder / MADE).write_text(json.dumps({"lane": framework, "seconds": round(seconds)}), encoding="utf-8")


def bytes_in(folder: Path) -> int:
    """What the files of a folder take, while others may write to it and take from it."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total


def sentence(frameworks: Sequence[str], cuda: Sequence[str], folder: Path) -> str:
    """What making an environment for each of these lanes takes, those of `cuda` having PyTorch, and what is free."""
    size = sum(map(gigabytes, frameworks))
    more = CUDA * sum(framework in cuda for framework in frameworks)
    room = f"about {size:.1f} GB"
    if more:
        room += (
            f", or {size + more:.1f} GB where pip gets PyTorch with CUDA (docs/running.md says how to do without it)"
        )
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    took = _last(folder, set(frameworks))
    time = "each takes minutes" if took is None else f"the last one took {plural(took, 'second')}"
    return f"{plural(len(frameworks), 'environment')} to make in {folder}: {room}, of {free:.0f} GB free; {time}"


def _last(folder: Path, frameworks: set[str]) -> int | None:
    """The seconds that the last environment of one of these lanes took; None where that is not known."""
    files = sorted(folder.glob(f"*/{MADE}"), key=lambda file: file.stat().st_mtime)
    made = [json.loads(text) for file in files if (text := file.read_text(encoding="utf-8"))]
    seconds: list[int] = [each["seconds"] for each in made if each["lane"] in frameworks]
    return seconds[-1] if seconds else None
