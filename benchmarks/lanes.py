"""python -m benchmarks.lanes: write what each lane costs and answers into a table of docs/running.md.

Figures are measured: counts and seconds come from record files, sizes from tox's environments. The row of a lane that
is in neither stays as it is. A lane that does not run the suite has the figures of its smallest one.
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
from conformance.runner.selection import weekly

PAGE = Path(__file__).parent.parent / "docs" / "running.md"
PROGRAMS = Path(__file__).parent.parent / "programs"
COLUMNS = ("lane", "version", "lines of the adapter", "MB", "records", "seconds in calls", "answered", "right", "wrong",
           "refused", "failed", "unsupported")  # fmt: skip
HEAD = "| " + " | ".join(COLUMNS) + " |"
RULE = "|---|---" + "|--:" * (len(COLUMNS) - 2) + "|"
TABLE = re.compile(rf"^{re.escape(HEAD)}\n\|[-:|]+\|\n(?P<rows>(?:\|.*\n)*)", re.MULTILINE)
NOT_YET = "not measured"
SMALLEST = "smoke"
COUNTED = (
    (Verdict.CONFORMS, Verdict.DIVERGES, Verdict.ACCEPTS_INVALID),
    (Verdict.CONFORMS,),
    (Verdict.DIVERGES, Verdict.ACCEPTS_INVALID),
    (Verdict.REJECTS,),
    (Verdict.CRASHED, Verdict.ERRORED, Verdict.TIMED_OUT),
    (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE),
)
"""The verdicts that a column counts, from `answered` on."""


@click.command()
@click.option("--records", "folders", multiple=True, default=["reports/records"], type=Path, help="Repeatable.")
@click.option("--environments", default=".tox", show_default=True, type=Path, help="Where tox has the environments.")
@click.option("--suite", default="core", show_default=True, help="Whose records are counted.")
def command(folders: Sequence[Path], environments: Path, suite: str) -> None:
    """Write the table of lanes from whole runs."""
    runs = {run.header.lane: run for folder in folders for run in record_file.read_folder(folder)
            if run.complete and run.header.suite == suite_of(run.header.framework, suite)}  # fmt: skip
    names = {environment(lane) for lane in every()}
    sizes = {name: megabytes(environments / name) for name in names if (environments / name).is_dir()}
    text = PAGE.read_text(encoding="utf-8")
    write_atomically(PAGE, [written(text, runs, sizes, suite).encode()])


def written(text: str, runs: Mapping[str, Run], sizes: Mapping[str, int], suite: str = "core") -> str:
    """The page with the rows of these lanes; a run of another suite says which one."""
    return TABLE.sub(lambda table: "\n".join([HEAD, RULE, *_rows(table, runs, sizes, suite), ""]), text)


def _rows(table: re.Match[str], runs: Mapping[str, Run], sizes: Mapping[str, int], suite: str) -> Iterator[str]:
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table["rows"].splitlines()]
    kept = {row[0].strip("`"): row[1:] for row in cells}
    for lane in every():
        version, _, size, *counts = kept.get(str(lane), ["", "", *[NOT_YET] * (len(COLUMNS) - 3)])
        size = f"{sizes[environment(lane)]:,}" if environment(lane) in sizes else size
        if run := runs.get(str(lane)):
            version, counts = version_of(run), figures(run)
            counts[0] += f" of `{run.header.suite}`" * (run.header.suite != suite)
        yield "| " + " | ".join([f"`{lane}`", version, str(lines(lane)), size, *counts]) + " |"


def suite_of(framework: str, suite: str) -> str:
    """This suite, or the smallest one if the framework never runs it; the smoke of a night hides no core of a week."""
    return suite if suite in weekly(framework) else SMALLEST


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
    environment, framework, name = run.header.environment, run.header.framework, run.header.variant
    named = {package: text.partition("-")[0] for package, text in environment.items()}  # without what it was built from
    if framework not in named:
        return next(iter(named.values()))
    return named[framework] + (f", {name} {named[name]}" if name in named else "")


def figures(run: Run) -> list[str]:
    """Records, seconds in native calls if a lane tells them, and the counts of verdicts."""
    seconds = sum(record.seconds for record in run.records)
    told = f"{seconds:,.0f}" if seconds >= 1 else f"{seconds:.1g}" if seconds else NOT_YET
    counts = (sum(run.verdicts.get(verdict, 0) for verdict in those) for those in COUNTED)
    return [f"{len(run.records):,}", told, *(f"{count:,}" for count in counts)]


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
