"""python -m benchmarks.report [COUNT]: the report of so many records, in seconds and in memory.

The records are those of a night, and copies of its lanes under names of their own, with their arrays and expectations,
until there are COUNT. Memory is that of the report's processes together, in which a shared page counts once.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from os import wait4
from pathlib import Path

import click

from conformance.records import record_file
from conformance.suites import expectation_files

INTERVAL = 0.5
"""Seconds between two looks at the memory."""


@click.command()
@click.argument("number", default=1_000_000, metavar="[COUNT]")
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The records of a night.")
def command(number: int, records: Path) -> None:
    """Print how long the report of COUNT records takes, and the most memory that it has."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "records"
        folder.mkdir()
        total, expectations = _filled(folder, records, number)
        words = [word for each in expectations for word in ("--expectations", each)]
        options = ["--quiet", "--records", str(folder), "--to", str(Path(name) / "index.html")]
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "conformance", "report", *options, *words])
        peak = 0
        while not (ended := wait4(process.pid, 1))[0]:  # WNOHANG
            peak = max(peak, sum(map(_kilobytes, _family(process.pid))))
            time.sleep(INTERVAL)
        spent, used = time.perf_counter() - started, ended[2]
    click.echo(f"{total:,} records of {len(expectations):,} copies and a night: {spent:.1f} s, "
               f"{used.ru_utime + used.ru_stime:.1f} s of CPU, at most {peak / 1024:,.0f} MB")  # fmt: skip


def _filled(folder: Path, records: Path, number: int) -> tuple[int, list[str]]:
    """Fill a folder with about so many records; how many there are, and `NAME=FILE` for each copied framework."""
    expectations: dict[str, str] = {}
    total = 0
    for source, copy in islice(_sources(records), 10_000):
        if total >= number:
            break
        header = record_file.read_header(source)
        name = f"{header.framework}{copy or ''}"
        lines = source.read_text(encoding="utf-8").splitlines()
        if copy:
            lines = [line.replace(f'"framework":"{header.framework}"', f'"framework":"{name}"', 1) for line in lines]
            first = json.loads(lines[0]) | {"framework": name}
            first["environment"] = {**first["environment"], name: header.version}
            lines[0] = json.dumps(first)
            if (file := expectation_files.path(header.framework)).is_file():
                expectations[name] = f"{name}={file}"
        target = folder / source.name.replace(header.framework, name, 1)
        target.write_text("\n".join([*lines, ""]), encoding="utf-8")
        if (arrays := source.with_suffix(".npz")).exists():
            target.with_suffix(".npz").hardlink_to(arrays.resolve())
        total += len(lines) - 2
    return total, list(expectations.values())


def _sources(records: Path) -> Iterator[tuple[Path, int]]:
    """Every record file, then every one as the first copy, and so on."""
    files = sorted(records.glob("*.jsonl"))
    return ((file, copy) for copy in count() for file in files)


def _family(process: int) -> Iterator[int]:
    """A process and all that it started."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it ended
            continue
        for child in children:
            yield from _family(int(child))


def _kilobytes(process: int) -> int:
    """The memory of a process, a page that is shared by two as half of one."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    command()
