"""python -m benchmarks.figures: write what the lanes made of suites into README's tables, from the records of a night.

The tables' rows and words are README's own. Only the figures are written: those of the suite that a table's head names.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from conformance.io.atomic import write_atomically
from conformance.records import record_file
from conformance.records.record import Run, Verdict
from conformance.runner.selection import nightly

README = Path(__file__).parent.parent / "README.md"
TABLE = re.compile(r"^\| lane \| [^|\n]* \| (?P<suite>\w+), [\d,]+ records \|\n(?:\|.*\n)+", re.MULTILINE)
SIZE = re.compile(r"[\d,]+(?= records \|\n)")
MACHINE = re.compile(r"(?<=a CPU on which oneDNN goes up to `)\w+")
"""What the figures of half precision and of gradients depend on most."""
ROW = re.compile(r"^(\| `(?P<lane>[\w-]+)` \| (?P<what>[^|]*) \| )(?P<figures>[^|]*)( \|)$", re.MULTILINE)
WORDS = {
    Verdict.CONFORMS: ("conforms", "conform"), Verdict.DIVERGES: ("diverges", "diverge"),
    Verdict.REJECTS: ("refused", "refused"), Verdict.CRASHED: ("crashes", "crash"),
    Verdict.ERRORED: ("ends in an error", "end in an error"), Verdict.TIMED_OUT: ("times out", "time out"),
    Verdict.UNSUPPORTED: ("unsupported", "unsupported"), Verdict.ACCEPTS_INVALID: ("answered", "answered"),
    Verdict.INCONCLUSIVE: ("inconclusive", "inconclusive"),
}  # fmt: skip
"""A verdict as a verb, of one record and of several."""


@click.command()
@click.option("--records", "folders", multiple=True, default=["reports/records"], show_default=True, type=Path,
              help="A folder of record files; repeatable, the later ones first.")  # fmt: skip
@click.option("--suite", "suites", multiple=True, help="Only the figures of this suite; repeatable.")
def command(folders: tuple[Path, ...], suites: tuple[str, ...]) -> None:
    """Write README's figures from whole runs in folders of record files.

    The lanes of a night can be run one by one: `conformance run LANE --suite core` is enough for the figures of core.
    """
    whole = [run for folder in folders for run in record_file.read_folder(folder) if run.complete]
    runs = {(run.header.suite, run.header.lane): run for run in whole if not suites or run.header.suite in suites}
    text = README.read_text(encoding="utf-8")
    if lacking := [*without_run(text, runs, suites)]:
        where = ", ".join(map(str, folders))
        sys.exit(f"{where}: no whole run of {', '.join(lacking)}: `tox run -m nightly` makes them")
    write_atomically(README, [written(text, runs).encode()])


def without_run(text: str, runs: Mapping[tuple[str, str], Run], suites: Sequence[str]) -> Iterator[str]:
    """The lanes of a night that README has figures of, and that have no run, or one of other cases than the rest."""
    for suite, those in lanes(text).items():
        digests = {run.header.cases for (name, _), run in runs.items() if name == suite}
        for lane in those if not suites or suite in suites else ():
            if suite in nightly(lane.partition("-")[0]) and ((suite, lane) not in runs or len(digests) > 1):
                yield f"{lane} {suite}" + " on the same cases" * (len(digests) > 1)


def lanes(text: str) -> dict[str, list[str]]:
    """The lanes that README has figures of, by suite."""
    return {table["suite"]: [row["lane"] for row in ROW.finditer(table[0])] for table in TABLE.finditer(text)}


def written(text: str, runs: Mapping[tuple[str, str], Run]) -> str:
    """README with the figures of these runs, by suite and lane, and with what they were run on."""
    sets = [run.header.machine.get("onednn", "").split() for (suite, _), run in runs.items() if suite == "half"]
    widest = next((names[-1] for names in sets if names and names != ["off"]), "")
    text = TABLE.sub(lambda table: _table(table, runs), text)
    return MACHINE.sub(widest, text) if widest else text


def _table(table: re.Match[str], runs: Mapping[tuple[str, str], Run]) -> str:
    """A table with the figures of its lanes; the row of a lane that was not run, as those of a week, is as it is."""
    suite = table["suite"]
    size = max((len(run.records) for (name, _), run in runs.items() if name == suite), default=0)
    made = SIZE.sub(f"{size:,}", table[0], count=1) if size else table[0]

    def row(match: re.Match[str]) -> str:
        run = runs.get((suite, match["lane"]))
        return match[0] if run is None else f"{match[1]}{figures(run)}{match[5]}"

    return ROW.sub(row, made)


def figures(run: Run) -> str:
    """What came of a run, as in "12,340 conform, 1 diverges"."""
    counts = [(verdict, run.verdicts[verdict]) for verdict in WORDS if run.verdicts.get(verdict)]
    return ", ".join(f"{count:,} {WORDS[verdict][count != 1]}" for verdict, count in counts)


if __name__ == "__main__":
    command()
