"""conformance diff --bisect: the first released version that has a change."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from conformance.cli.diff import compare_folders
from conformance.cli.options import QUIET
from conformance.cli.upgrade import SUITES, VARIANT, WORKERS, build_of, say
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, plural
from conformance.records import record_file
from conformance.records.record import Record
from conformance.records.reproduction import reproduction
from conformance.regression import environments
from conformance.regression.change import WORSE, Change, classify
from conformance.regression.comparison import Comparison, Group
from conformance.regression.environments import Build, VersionError
from conformance.runner.selection import require_suites, require_workers


@click.command()
@click.argument("old", metavar="OLD==VERSION")
@click.argument("new", metavar="NEW==VERSION")
@SUITES
@VARIANT
@click.option("--change", metavar="CHANGE", type=click.Choice([kind.value for kind in Change]),
              help="The change to look for, by its name in --fail-on (default: the worst).")  # fmt: skip
@QUIET
@WORKERS
def command(old: str, new: str, suites: tuple[str, ...], variant: str | None, change: str | None, workers: str) -> int:
    """Find the first version after OLD, up to NEW, that has a change between OLD and NEW.

    Both versions run the suites. Each version between them runs only the smallest case of the change. Exit status: 0
    nothing changed, 1 found, 2 usage, or a version that cannot be installed.
    """
    require_suites(suites)
    require_workers(workers)
    first, last = build_of(old, variant), build_of(new, variant)
    environments.announce((first, last), say)
    names = environments.released(first, last, say)
    tried = len(names[1:-1]).bit_length()
    say(f"{plural(len(names), 'version')}: of those between the two at most {tried} get an environment")
    options = [f"--workers={workers}"] + ([f"--variant={variant}"] if variant else [])
    whole = [*options, *(f"--suite={suite}" for suite in suites)]
    comparisons, _ = compare_folders(*(environments.run(build, whole, say) for build in (first, last)))
    choice = chosen(comparisons, change)
    if choice is None:
        echo(f"nothing changed{f' that is {change}' if change else ' for the worse'}: {old} to {new}")
        return OK
    comparison, group = choice
    version = earliest(names, lambda name: has(environments.at(first, name), comparison, group, options))
    witness = group.witness.record
    echo(f"{environments.at(first, version)} is the first with this change, of {len(names)} versions")
    echo(f"  {group.change}: {group.before} -> {group.after}\n  {group.where.sentence}")
    echo(f"  {reproduction(witness)}")
    return DIVERGED


def chosen(comparisons: Sequence[Comparison], change: str | None) -> tuple[Comparison, Group] | None:
    """The largest group of a change, or of the worst change that there is."""
    order = list(Change)
    groups = [
        (comparison, group)
        for comparison in comparisons
        for group in comparison.groups
        if group.witness.old and group.witness.new and (group.change == change if change else group.change in WORSE)
    ]
    return min(groups, key=lambda entry: (order.index(entry[1].change), -len(entry[1].differences)), default=None)


def has(build: Build, comparison: Comparison, group: Group, options: Sequence[str]) -> bool:
    """Whether a build has the change of a group's witness."""
    old, new = group.witness.old, group.witness.new
    assert old
    assert new
    suite = comparison.new.header.suite
    narrow = [f"--suite={suite}", f"--case={new.case}", f"--dtype={new.dtype}", f"--variant={new.variant}"]
    folder = environments.run(build, [*(option for option in options if "variant" not in option), *narrow], say)
    answer = _record(folder, new)
    say(f"  {build}: {answer.verdict} {answer.message}".rstrip())
    return classify(old, answer) is group.change


def _record(folder: Path, like: Record) -> Record:
    every = (record for file in sorted(folder.glob("*.jsonl")) for record in record_file.read(file).records)
    alike = next((record for record in every if (record.lane, record.key) == (like.lane, like.key)), None)
    if alike is None:
        raise VersionError(f"{folder}: no record of {like.case} {like.dtype}: delete the folder and run this again")
    return alike


def earliest(names: Sequence[str], holds: Callable[[str], bool]) -> str:
    """The first of some versions for which something holds, which it does of the last and not of the first."""
    low, high = 0, len(names) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(names[middle]) else (middle, high)
    return names[high]
