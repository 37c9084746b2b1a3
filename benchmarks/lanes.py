"""python -m benchmarks.lanes: write what each lane costs and answers into a table of docs/running.md.

Figures are measured: counts and seconds come from record files, sizes from tox's environments. The row of a lane that
is in neither stays as it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.adapters import _programs
from conformance.adapters.base import Lane
from conformance.io.atomic import write_atomically
from conformance.records import record_file
from conformance.records.record import Run, Verdict

PAGE = Path(__file__).parent.parent / "docs" / "running.md"
PROGRAMS = Path(__file__).parent.parent / "programs"
HEAD = "| lane | version | lines of the adapter | MB | records | seconds in calls | right | wrong | refused | other |"
TABLE = re.compile(rf"^{re.escape(HEAD)}\n\|[-:|]+\|\n(?P<rows>(?:\|.*\n)*)", re.MULTILINE)
NOT_YET = "not measured"
WRONG = (Verdict.DIVERGES, Verdict.CRASHED, Verdict.ERRORED, Verdict.TIMED_OUT, Verdict.ACCEPTS_INVALID)


@click.command()
@click.option("--records", "folders", multiple=True, default=["reports/records"], type=Path, help="Repeatable.")
@click.option("--environments", default=".tox", show_default=True, type=Path, help="Where tox has the environments.")
@click.option("--suite", default="core", show_default=True, help="Whose records are counted.")
def command(folders: Sequence[Path], environments: Path, suite: str) -> None:
    """Write the table of lanes from whole runs."""
    runs = {run.header.lane: run for folder in folders for run in record_file.read_folder(folder)
            if run.header.suite == suite and run.complete}  # fmt: skip
    names = {environment(lane) for lane in every()}
    sizes = {name: megabytes(environments / name) for name in names if (environments / name).is_dir()}
    text = PAGE.read_text(encoding="utf-8")
    write_atomically(PAGE, [written(text, runs, sizes).encode()])


def written(text: str, runs: Mapping[str, Run], sizes: Mapping[str, int]) -> str:
    """The page with the rows of these lanes."""
    return TABLE.sub(
        lambda table: "\n".join([HEAD, "|---|---" + "|--:" * 8 + "|", *_rows(table, runs, sizes), ""]), text
    )


def _rows(table: re.Match[str], runs: Mapping[str, Run], sizes: Mapping[str, int]) -> Iterator[str]:
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table["rows"].splitlines()]
    kept = {row[0].strip("`"): row[1:] for row in cells}
    for lane in every():
        version, _, size, *counts = kept.get(str(lane), ["", "", *[NOT_YET] * 7])
        size = f"{sizes[environment(lane)]:,}" if environment(lane) in sizes else size
        if run := runs.get(str(lane)):
            version, counts = version_of(run), figures(run)
        yield "| " + " | ".join([f"`{lane}`", version, str(lines(lane)), size, *counts]) + " |"


def every() -> list[Lane]:
    """The lanes of this project's adapters, then those of its programs."""
    own = [lane for lane in adapters.lanes() if lane.framework in adapters.own()]
    programs = sorted(PROGRAMS.glob("*.toml"))
    return own + [Lane(path.stem, variant) for path in programs for variant in _programs.read(path).variants]


def environment(lane: Lane) -> str:
    """The environment of tox that has a lane; the programs share one."""
    return lane.framework if lane.framework in adapters.own() else PROGRAMS.name


def version_of(run: Run) -> str:
    """The framework's version, and that of what computes for it, where the variant is named after that.

    A program that bears the name of no package names its own packages first.
    """
    named, framework, name = run.header.environment, run.header.framework, run.header.variant
    if framework not in named:
        return next(iter(named.values()))
    return named[framework] + (f", {name} {named[name]}" if name in named else "")


def figures(run: Run) -> list[str]:
    """Records, seconds in native calls if a lane tells them, and the counts of right, wrong, refused, and all else."""
    seconds = sum(record.seconds for record in run.records)
    told = f"{seconds:,.0f}" if seconds else NOT_YET
    right, refused = run.verdicts.get(Verdict.CONFORMS, 0), run.verdicts.get(Verdict.REJECTS, 0)
    wrong = sum(run.verdicts.get(verdict, 0) for verdict in WRONG)
    rest = len(run.records) - right - wrong - refused
    return [f"{len(run.records):,}", told, *(f"{count:,}" for count in (right, wrong, refused, rest))]


def lines(lane: Lane) -> int:
    """Lines of a lane's adapter, its documentation included; of a program those of its own file."""
    own = lane.framework in adapters.own()
    path = Path(adapters.__path__[0], f"{lane.framework}.py") if own else PROGRAMS / f"{lane.framework}.mjs"
    return len(path.read_text(encoding="utf-8").splitlines())


def megabytes(folder: Path) -> int:
    """What the files of a folder take, in millions of bytes; a link takes nothing."""
    return round(sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


if __name__ == "__main__":
    command()
