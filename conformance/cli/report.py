"""conformance report: record files as a site."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from webbrowser import open as show_in_browser

import click

from conformance import adapters
from conformance.cli.options import EXPECTATIONS, QUIET
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.folders import docs_folder
from conformance.io.terminal import echo, note
from conformance.records import record_file
from conformance.records.record import FUNCTION, Run
from conformance.regression.history import DEFAULT, StoreError
from conformance.report.content import audit, replays
from conformance.report.content.faults import ChangeLine
from conformance.report.outcome import Reason
from conformance.suites.expectation_files import give, path, require_asked

if TYPE_CHECKING:
    from conformance.report import Site
    from conformance.report.outcome import Outcome

NIGHT = "nightly"
"""What stands for every lane that a night runs."""
COLUMNS = 100
"""Width of the help texts in the report, whatever the terminal's."""


@click.command()
@click.option("--records", default="reports/records", show_default=True, type=Path, help="The record files' folder.")
@click.option(
    "--to",
    default="reports/index.html",
    show_default=True,
    type=Path,
    help="The front page, which ends in .html, or a folder for it.",
)
@click.option(
    "--baseline", type=Path, help="The record files of the last good run; the front page says what changed since."
)
@click.option(
    "--history",
    type=Path,
    help=f"The history file, which says since when a fault is there (default: {DEFAULT}, if it exists).",
)
@click.option(
    "--audit",
    "audited",
    type=Path,
    help=f"The file that the audit wrote (default: {audit.DEFAULT}, if it exists).",
)
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    help=f"A lane that must have records; {NIGHT}: each lane of a night, and each given adapter; repeatable.",
)
@EXPECTATIONS
@QUIET
@click.option("--open", "open_", is_flag=True, help="Show the front page in a browser, which $BROWSER may name.")
def command(
    records: Path, to: Path, baseline: Path | None, history: Path | None, audited: Path | None,
    lanes: tuple[str, ...], expectations: tuple[str, ...], open_: bool,
) -> int:  # fmt: skip
    """Build the report from record files and their arrays: a front page, and the folder `site` next to it.

    The command says whether the runs are green or red, and why. The front page says the same. It judges the lanes and
    suites that were run, and names those that were not. A lane that is given with --lane must have records. Exit
    status: 0 green, 1 red, 2 usage, 3 the records are incomplete or contradict each other.
    """
    from conformance.audit.modes.findings import read as read_modes
    from conformance.report import front_page, require_ours, write_report

    page = front_page(to)
    require_ours(page)
    if history and not history.exists():
        raise StoreError(f"{history}: there is no history: keep a run with `conformance history --add`")
    if not history and DEFAULT.exists():
        history = DEFAULT
    mutants = audit.read(audited or audit.DEFAULT) if audited or audit.DEFAULT.exists() else None
    runs = record_file.read_folder(records)
    require_asked(give(expectations), {run.header.framework for run in runs})
    for line in _without_adapter(runs):
        echo(line, err=True)
    site = _with_documents(_gathered(runs, records, lanes, baseline, history))
    outcome = write_report(replace(site, audit=mutants, modes=read_modes(records.parent / "modes")), page)
    _tell(outcome, page, site.not_run)
    if open_ and not show_in_browser(page.resolve().as_uri()):
        echo("no browser could be started: set BROWSER, or open the page by its address", err=True)
    if outcome.incomplete:
        return INCOMPLETE
    return OK if outcome.green else DIVERGED


def _with_documents(site: "Site") -> "Site":
    """The site with the documents, the reference of the commands, and the replayed faults, if there are any."""
    from conformance.report.content.documents import read as read_documents

    replayed = replays.read(replays.DEFAULT) if replays.DEFAULT.exists() else None
    return replace(site, replays=replayed, documents=read_documents(docs_folder(), {"commands": _commands()}))


def _tell(outcome: "Outcome", page: Path, not_run: str) -> None:
    """Print where the front page is, whether the runs are green or red, and why."""
    echo(page.resolve().as_uri())
    echo("\n".join(outcome.lines()))
    if not_run:
        note(f"not run, so not judged: {not_run}; with --lane LANE, or --lane {NIGHT}, a lane must be there")


def _gathered(
    runs: Sequence[Run], records: Path, lanes: Sequence[str], baseline: Path | None, history: Path | None
) -> "Site":
    """What record files say, what changed since the baseline, and every reason why the runs are red."""
    from conformance.analysis.aside import aside
    from conformance.analysis.content.site import gather
    from conformance.analysis.reasons import beside, of_floors, unexplained

    night = _lanes_of_a_night(runs)
    expected = [lane for given in lanes for lane in (night if given == NIGHT else [given])]
    changes, changed = _since(baseline, records) if baseline else (None, {})
    of_expectations = aside(lambda: list(_expectations(runs, records)))
    site = gather(runs, records, expected, changes, changed, history)
    reasons = [*of_expectations(), *of_floors(runs), *beside(records, runs)]
    failed = unexplained(records, runs, replace(site, reasons=reasons).outcome)
    return replace(site, reasons=[*reasons, *failed], night=night)


def _commands() -> str:
    """The reference of every verb as Markdown, from the help texts themselves."""
    from conformance.cli import GROUPS, commands
    from conformance.cli.forms import helps

    whole = click.Context(commands, info_name="conformance", terminal_width=COLUMNS)
    lines = ["# Commands", ""]
    for group, verbs in GROUPS.items():
        lines += [f"## {group}", ""]
        for verb, text in verbs.items():
            lines += [f"### {verb}", "", text, ""]
            command = commands.get_command(whole, verb)
            assert command is not None
            for _, help_text in helps(verb, command, whole, terminal_width=COLUMNS):
                lines += ["```text", help_text, "```", ""]
    return "\n".join(lines)


def _without_adapter(runs: Sequence[Run]) -> Iterator[str]:
    """What cannot be known of lanes whose adapter is not here, and how it can."""
    lanes = {run.header.framework for run in runs if run.header.variant != FUNCTION}
    for name in sorted(lanes):
        if not adapters.is_known(name):
            lacking = (
                "" if path(name).is_file() else f" and nothing is known of what it does (--expectations {name}=FILE)"
            )
            step = f"set {adapters.FOLDERS} to its folder, or install its package, before you go on with a command"
            yield f"{name}: its adapter is not here{lacking}: {step}"


def _lanes_of_a_night(runs: Sequence[Run]) -> list[str]:
    """Every lane of this package, unless all records are of others; and each from outside that is given and has no
    record."""
    recorded = {run.header.lane for run in runs}
    ours = [str(lane) for lane in adapters.lanes() if not adapters.is_outside(lane.framework)]
    theirs = {str(lane) for lane in adapters.lanes() if adapters.is_outside(lane.framework)}
    return [*(ours if not recorded or recorded.intersection(ours) else []), *sorted(theirs - recorded)]


def _expectations(runs: Sequence[Run], records: Path) -> Iterator[Reason]:
    """What is wrong with expectations on the runs, but for what is new, of which there are pages."""
    from conformance.analysis.exactness import Flaw
    from conformance.analysis.reasons import of_expectations
    from conformance.cli.expect import held

    for framework, findings, _ in held(runs, records):
        yield from of_expectations(framework, (finding for finding in findings if finding.fault is not Flaw.UNKNOWN))


def _since(baseline: Path, records: Path) -> tuple[list[ChangeLine], dict[str, str]]:
    """What changed since a run, and the guard's page about it. Raises GuardError where the two cannot be compared."""
    from conformance.cli.diff import compare_folders
    from conformance.regression.change import WORSE
    from conformance.report import changes

    comparisons, absent = compare_folders(baseline, records, unless_expected=True)
    pages = [
        ChangeLine(
            group.witness.record.lane, group.change.value,
            f"{group.before} -> {group.after}, {group.where.sentence}", len(group.differences),
            group.change in WORSE, "changes.html",
        )
        for comparison in comparisons for group in comparison.groups
    ]  # fmt: skip
    pages += [ChangeLine(line.partition(":")[0], "absent", line, 1, True, "changes.html") for line in absent]
    return pages, {"changes.html": changes.page(comparisons, WORSE)}
