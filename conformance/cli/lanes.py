"""conformance lanes: what there is to run, where it is installed, and when it last ran."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import click

from conformance import adapters
from conformance.io.folders import tox_folders, tox_run
from conformance.io.terminal import columns, echo
from conformance.records import record_file


@dataclass(frozen=True)
class Standing:
    """A lane, the environment that has its framework and the version there, and the time of its last run."""

    lane: str
    settings: Mapping[str, str]
    environment: str
    version: str
    last_run: str

    def cells(self) -> tuple[str, str, str]:
        """The lane, its last run to the minute, and where it is installed, or how to get it."""
        framework = self.lane.partition("-")[0]
        installed = f"{self.version or 'installed'} in {self.environment}" if self.environment else (
            f"not installed: {tox_run(framework)}"
        )  # fmt: skip
        return self.lane, _to_the_minute(self.last_run) if self.last_run else "no records", installed


def _to_the_minute(time: str) -> str:
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option("--json", "json_", is_flag=True, help="One JSON object per line, with the environment variables of each.")
def command(records: Path, json_: bool) -> None:
    """List the lanes: where each is installed, in which version, and when it last ran. No framework is imported.

    A framework is searched for in this environment, then in .tox/NAME of this folder, then in .tox/NAME of the clone.
    """
    last = _last_runs(records)
    rows = [
        Standing(str(lane), adapters.settings(lane), *installed(lane.framework), last.get(str(lane), ""))
        for lane in adapters.lanes()
    ]
    for line in (json.dumps(asdict(row)) for row in rows) if json_ else columns(row.cells() for row in rows):
        echo(line)


def installed(framework: str) -> tuple[str, str]:
    """The environment that has a framework, and the version there; empty where there is none."""
    try:
        adapters.require_installed(framework)
    except adapters.AdapterError:
        return next(_in_tox(framework), ("", ""))
    return sys.prefix, adapters.installed_version(framework)


def _in_tox(framework: str) -> Iterator[tuple[str, str]]:
    for folder in tox_folders():
        for packages in (folder / framework).glob("lib/python*/site-packages"):
            for distribution in distributions(name=adapters.package(framework), path=[str(packages)]):
                here = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
                yield str(here / framework), distribution.version


def _last_runs(folder: Path) -> Mapping[str, str]:
    """When each lane last began a run, by the headers of the record files in a folder."""
    last: dict[str, str] = {}
    for path in sorted(folder.glob("*.jsonl")):
        header = record_file.read_header(path)
        last[header.lane] = max(header.started, last.get(header.lane, ""))
    return last
