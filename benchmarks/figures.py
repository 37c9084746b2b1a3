"""python -m benchmarks.figures: write what the lanes made of `core` into README's table, from the records of a night.

The table's rows and words are README's own; only the figures are written, and each lane must have a row.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from conformance import adapters
from conformance.io.atomic import write_atomically
from conformance.records import record_file
from conformance.records.record import Run, Verdict

README = Path(__file__).parent.parent / "README.md"
HEAD = re.compile(r"^(\| lane \| what it is \| core, )[\d,]+( records \|)$", re.MULTILINE)
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
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
def command(records: Path) -> None:
    """Write README's figures of core from whole runs in a folder of record files."""
    runs = {run.header.lane: run for run in record_file.read_folder(records) if run.header.suite == "core"}
    text = README.read_text(encoding="utf-8")
    lacking = [lane for lane in lanes(text) if lane not in runs and adapters.is_nightly(lane.partition("-")[0])]
    if not runs or lacking:
        sys.exit(
            f"{records}: no records of core of {', '.join(lacking) or 'any lane'}: `tox run -m nightly` makes them"
        )
    write_atomically(README, [written(text, runs).encode()])


def lanes(text: str) -> list[str]:
    """The lanes that README's table has a row of."""
    return [match["lane"] for match in ROW.finditer(_section(text))]


def written(text: str, runs: Mapping[str, Run]) -> str:
    """README with the figures of these runs, by lane."""
    section, size = _section(text), max(len(run.records) for run in runs.values())
    made = HEAD.sub(rf"\g<1>{size:,}\g<2>", section)
    made = ROW.sub(lambda match: _row(match, runs), made)
    return text.replace(section, made)


def _row(match: re.Match[str], runs: Mapping[str, Run]) -> str:
    """A row with the figures of its lane; as it is where the lane was not run, which those of a week are not."""
    run = runs.get(match["lane"])
    return match[0] if run is None else f"{match[1]}{figures(run)}{match[5]}"


def _section(text: str) -> str:
    """README's section on lanes."""
    return text.partition("\n## Lanes\n")[2].partition("\n## ")[0]


def figures(run: Run) -> str:
    """What came of a run, as in "12,340 conform, 1 diverges"."""
    counts = [(verdict, run.verdicts[verdict]) for verdict in WORDS if run.verdicts.get(verdict)]
    return ", ".join(f"{count:,} {WORDS[verdict][count != 1]}" for verdict, count in counts)


if __name__ == "__main__":
    command()
