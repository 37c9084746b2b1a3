"""conformance diff, of two versions: what changes from one version of a framework to another."""

from collections.abc import Sequence
from pathlib import Path

import click

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.cli.diff import FAIL_ON, chosen, compare_folders, publish, require_ours, status
from conformance.cli.options import QUIET
from conformance.io.terminal import echo, note, plural
from conformance.records.record import Key
from conformance.regression import environments
from conformance.regression.change import state_of
from conformance.regression.comparison import Comparison
from conformance.regression.environments import Build
from conformance.regression.layers import is_of_layers
from conformance.regression.side_by_side import Times
from conformance.runner.pace.measure import Asked, Side, measure
from conformance.runner.selection import require_suites, require_workers, with_weights
from conformance.suites.cases import read_suite
from conformance.suites.scans.cases import OWN, is_scan

SUITES = click.option(
    "--suite",
    "suites",
    multiple=True,
    default=["core", "idioms", "rounding"],
    show_default=True,
    help="The suites to run.",
)
VARIANT = click.option("--variant", help="Only this way of executing.")
WORKERS = click.option("-n", "--workers", default="auto", show_default=True, help="Worker processes.")
"""Of the runs of two versions."""


@click.command()
@click.argument("old", metavar="OLD==VERSION")
@click.argument("new", metavar="NEW==VERSION")
@SUITES
@click.option("--weights", is_flag=True, help="Also run a scan with the model's own weights.")
@VARIANT
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(1, 1000),
              help="Runs of each version; 2 or more show times and flaky cases.")  # fmt: skip
@click.option("--pace", is_flag=True, help="Time the layers of scans and of the suite models, both versions in turn.")
@WORKERS
@FAIL_ON
@QUIET
@click.option("--to", "folder", default="reports/upgrade", show_default=True, type=Path, help="Where the pages go.")
def command(
    old: str, new: str, suites: tuple[str, ...], weights: bool, variant: str | None, repeat: int, pace: bool,
    workers: str, fail_on: tuple[str, ...], folder: Path,
) -> int:  # fmt: skip
    """Run suites on two versions, such as "jax==0.9.0" and "jax==0.10.2", and say what changed.

    Each version gets an environment with the pins of its lane. The given pin replaces the lane's own pin. Add further
    pins after a blank, as in "jax==0.9.0 flax==0.12.3 numpy==2.3.5". Of the backends of Keras, only the one that
    --variant names is installed. The cache folder keeps environments and runs; times are measured again. The result is
    also written as a page, Markdown, and JUnit XML. Exit status: 0 nothing is worse, 1 something is worse, 2 usage, or
    a version that cannot be installed, 3 a run is incomplete.
    """
    suites = tuple(_absolute(suite) for suite in with_weights(suites, own=weights))
    require_suites(suites)
    if pace and not (layered := [suite for suite in suites if is_of_layers(read_suite(suite).name)]):
        raise click.UsageError("--pace is of layers: give --suite models, or a scan")
    require_workers(workers)
    builds = build_of(old, variant), build_of(new, variant)
    if builds[0].framework != builds[1].framework:
        raise environments.VersionError(f"{old} and {new} are of two lanes: give two versions of one")
    options = [f"--workers={workers}", *(f"--suite={suite}" for suite in suites)]
    options += [f"--variant={variant}"] if variant else []
    page = folder / f"{builds[0].framework}.html"
    markdown, junit = page.with_suffix(".md"), page.with_suffix(".xml")
    require_ours(markdown=markdown, junit=junit, html=page)
    environments.announce(builds, say)
    for build in builds:  # both are made before one is run, so that a version that does not exist costs nothing
        environments.environment(build, say)
    runs = [environments.run(build, options, say, repeat=repeat) for build in builds]
    comparisons, absent = compare_folders(*runs)
    if pace:
        comparisons, absent = compare_folders(*runs, timed=_timed(comparisons, builds, layered))
    fails = chosen(fail_on)
    publish(comparisons, fails, markdown=markdown, junit=junit, html=page)
    echo(page.resolve().as_uri())
    return status(comparisons, fails, absent)


def build_of(text: str, variant: str | None) -> Build:
    """The build that requirements mean; of a lane whose variants are packages, only with that of the one asked for."""
    build = environments.parse(text)
    variants = {lane.variant for lane in adapters.lanes() if lane.framework == build.framework}
    if variant not in variants or not variants <= environments.pinned(build.framework):
        return build
    named = {environments.name_of(word) for word in text.split()}
    return environments.parse(text, build.framework, sorted(variants - {variant} - named))


def _timed(
    comparisons: Sequence[Comparison], builds: tuple[Build, Build], suites: Sequence[str]
) -> dict[tuple[str, str], dict[Key, Times]]:
    """What the calls take that both builds answer rightly, by lane and suite."""
    files = {(suite := read_suite(name)).name: suite.file or name for name in suites if not name.endswith(OWN)}
    timed: dict[tuple[str, str], dict[Key, Times]] = {}
    for comparison in comparisons:
        header = comparison.new.header
        if header.suite not in files:
            continue
        right = [{record.key for record in run.records if state_of(record) == "right"}
                 for run in (comparison.old, comparison.new)]  # fmt: skip
        asked = {Asked(files[header.suite], key[0], key[1]): key for key in sorted(right[0] & right[1])}
        lane = Lane(header.framework, header.variant)
        old, new = (Side(lane, str(environments.python(build, say)), environments.clean()) for build in builds)
        say(f"timing {lane}: {plural(len(asked), 'call')} of {header.suite} side by side")
        times = measure((old, new), list(asked), say)
        timed[header.lane, header.suite] = {asked[each]: of for each, of in times.items()}
    return timed


def _absolute(suite: str) -> str:
    """A suite as it is named elsewhere: a scan by its whole path."""
    return str(Path(suite).resolve()) if is_scan(suite) else suite


def say(line: str) -> None:
    """Progress, which is no output."""
    note(line)
