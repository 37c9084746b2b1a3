"""conformance diff: what changed from one build to another."""

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from conformance.cli.options import QUIET, number
from conformance.diagnosis.explain import Cause, among, causes
from conformance.io.atomic import require_our_file, write_together
from conformance.io.bounded import open_regular
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.terminal import echo, progress
from conformance.records import record, record_file
from conformance.records.arrays import beside, has_actual, open_beside
from conformance.records.record import Key, Record, Run, Verdict
from conformance.regression.change import DRIFT, WORSE, Change
from conformance.regression.comparison import REPEATS, Comparison, GuardError, compare
from conformance.regression.side_by_side import Times
from conformance.suites.expectations import Expectation, by_chance, expected_of, known
from conformance.suites.scans.file import MARK


@dataclass(frozen=True, slots=True)
class Build:
    """The record files of one lane, suite and build: the first run's, and those of its repetitions."""

    paths: tuple[Path, ...]
    runs: tuple[Run, ...]


Builds = Mapping[tuple[str, str], Build]
Timed = Mapping[tuple[str, str], Mapping[Key, Times]]
NAMES = [*(change.value for change in Change), "none"]
FAIL_ON = click.option(
    "--fail-on", multiple=True, metavar="CHANGE", type=click.Choice(NAMES),
    help=f"A change to exit with 1 on; repeatable (default: everything worse). One of {', '.join(NAMES)}.",
)  # fmt: skip


@click.command()
@click.argument("old", type=Path)
@click.argument("new", type=Path)
@FAIL_ON
@click.option("--drift", default=DRIFT, show_default=True, type=click.FloatRange(1, 10**6), callback=number,
              metavar="FACTOR", help="Report a rounding error that grew by more than this factor.")  # fmt: skip
@click.option("--unless-expected", is_flag=True, help="Do not fail on what cases/expectations describe.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.option("--markdown", type=Path, help="Also write Markdown, such as for a job's summary.")
@click.option("--junit", type=Path, help="Also write JUnit XML.")
@click.option("--html", type=Path, help="Also write a page. In the folder of a report it has links to the cases.")
def command(
    old: Path, new: Path, fail_on: tuple[str, ...], drift: float, unless_expected: bool, as_json: bool,
    markdown: Path | None, junit: Path | None, html: Path | None,
) -> int:  # fmt: skip
    """Say what changed from OLD to NEW. Both are record files, or folders of record files.

    For two scans of a model, such as before and after a conversion, it says which layers changed meaning, size or
    weights. Repeated runs of a build are in repeats/2, repeats/3 and so on, in the folder of the record file.
    `conformance run --repeat` writes them. Exit status: 0 nothing is worse, 1 something is worse, 2 usage, 3 a run is
    incomplete or absent.
    """
    if is_scan(old) or is_scan(new):
        _require_scans(old, new)
        return _compare_scans(old, new, as_json)
    fails = chosen(fail_on)
    require_ours(markdown=markdown, junit=junit, html=html)
    comparisons, absent = compare_folders(old, new, unless_expected=unless_expected, drift=drift)
    publish(comparisons, fails, as_json=as_json, markdown=markdown, junit=junit, html=html)
    for line in absent:
        echo(line, err=True)
    return status(comparisons, fails, absent)


def is_scan(path: Path) -> bool:
    """Whether a file is a scan of a model."""
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return file.read(len(MARK)) == MARK.encode()


def _require_scans(*paths: Path) -> None:
    """Raises UsageError where one of two files is a scan and the other is none."""
    for path in paths:
        if not is_scan(path):
            fact = "is no scan, and the other file is one" if path.exists() else "there is no such file"
            raise click.UsageError(f"{path}: {fact}: give two scans, which `conformance scan MODEL --to FILE` writes")


def _compare_scans(old: Path, new: Path, as_json: bool) -> int:
    from conformance.scan.comparing import compare as compare_scans

    compared = compare_scans(old, new)
    changed = [each for each in compared if each.differences]
    if as_json:
        echo(json.dumps([asdict(each) for each in compared], indent=1))
    else:
        for each in [*changed, *(each for each in compared if not each.differences)]:
            echo(each.line)
        echo(f"{len(compared)} layers compared: {len(changed) or 'nothing'} changed")
    return DIVERGED if changed else OK


def require_ours(**files: Path | None) -> None:
    """Raise OverwriteError where a file that `publish` is to write, by its format, is none of ours."""
    from conformance.report import changes

    for name, file in files.items():
        if file is not None:
            require_our_file(file, *changes.MARKS[name])


def chosen(fail_on: Sequence[str]) -> tuple[Change, ...]:
    """The changes that fail: all that are worse where nothing is said."""
    return tuple(Change(name) for name in fail_on if name != "none") if fail_on else WORSE


def status(comparisons: Sequence[Comparison], fails: Sequence[Change], absent: Sequence[str]) -> int:
    """The exit status: nothing passes that is not all there."""
    if absent or any(comparison.incomplete for comparison in comparisons):
        return INCOMPLETE
    return DIVERGED if any(group.fails(fails) for comparison in comparisons for group in comparison.groups) else OK


def compare_folders(
    old: Path, new: Path, *, unless_expected: bool = False, drift: float = DRIFT, timed: Timed = MappingProxyType({})
) -> tuple[list[Comparison], list[str]]:
    """Every lane and suite of both compared, and those that only the old one has, in words.

    `timed` is what calls took side by side, by lane and suite.
    """
    before, after = read_builds(old), read_builds(new)
    if old.is_file() and new.is_file():  # two files are compared whatever lanes they are of
        pairs = [(next(iter(before.values())), next(iter(after.values())))]
        return [_compare(*pair, unless_expected, drift, {}) for pair in pairs], []
    shared = [name for name in before if name in after]
    if not shared:
        named = [", ".join(" ".join(name) for name in builds) for builds in (before, after)]
        raise GuardError(f"{old} has {named[0]}, {new} has {named[1]}: give runs of the same lanes and suites")
    absent = [
        f"{' '.join(name)}: {old} has a run of it, {new} has none: {_command(build, new)}"
        for name, build in before.items()
        if name not in after
    ]
    return [
        _compare(before[name], after[name], unless_expected, drift, timed.get(name, {}))
        for name in progress(shared, "comparisons", "runs")
    ], absent


def _command(build: Build, records: Path) -> str:
    """The command that makes the record file of a build anew."""
    header = build.runs[0].header
    words = [header.framework, "--variant", header.variant, "--suite", header.suite, "--records", str(records)]
    return shlex.join(["conformance", "run", *words])


def read_builds(path: Path) -> Builds:
    """The record files of a folder, or a single one, with their repetitions. Raises RecordError."""
    paths = [path] if path.is_file() or path.suffix == ".jsonl" else sorted(path.glob("*.jsonl"))
    if not paths:
        raise record.RecordError(f"{record_file.without_files(path)}: give a record file, or a folder of some")
    builds: dict[tuple[str, str], Build] = {}
    for file in paths:
        every = (file, *sorted((file.parent / REPEATS).glob(f"*/{file.name}")))
        runs = tuple(map(record_file.read, every))
        name = runs[0].header.lane, runs[0].header.suite
        if name in builds:
            raise GuardError(f"{file} and {builds[name].paths[0]} are both of {' '.join(name)}: merge shards, and then "
                             "move them out of the folder")  # fmt: skip
        builds[name] = Build(every, runs)
    return builds


def _compare(old: Build, new: Build, unless_expected: bool, drift: float, timed: Mapping[Key, Times]) -> Comparison:
    with ExitStack() as stack:
        explain = [explainer([build], stack) for build in (old, new)]
        return compare(
            old.runs, new.runs, by_chance=_by_chance(old, new), explain_old=explain[0], explain_new=explain[1],
            alike=lambda cause: cause.kind, expected=_expected(new) if unless_expected else lambda _: "", drift=drift,
            timed=timed,
        )  # fmt: skip


def _expected(build: Build) -> Callable[[Record], str]:
    """The id of the expectation that a record is of, or nothing."""
    expectations = expected_of(build.runs[0])
    return lambda record: expectation.id if (expectation := known(record, expectations)) else ""


def explainer(builds: Sequence[Build], stack: ExitStack) -> Callable[[Record], tuple[Cause, ...]]:
    """Causes from the arrays beside record files, as long as the stack is open; none where there are none."""
    archives: dict[str, list[Any]] = defaultdict(list)
    for build in builds:
        path, run = build.paths[0], build.runs[0]
        if beside(path).exists():
            arrays = open_beside(path, run.verdicts.get(Verdict.DIVERGES, 0))
            archives[run.header.lane].append(stack.enter_context(arrays))
    return lambda record: next(
        (causes for arrays in archives[record.lane] if (causes := _explained(record, arrays))), ()
    )


def _explained(record: Record, arrays: Any) -> tuple[Cause, ...]:
    return causes(record, among(arrays)) if has_actual(record, arrays) else ()


def _by_chance(*builds: Build) -> Callable[[Record], bool]:
    """Whether a record is of an expectation that holds by chance in one of the versions."""
    expectations: dict[str, list[Expectation]] = defaultdict(list)
    for build in builds:
        expectations[build.runs[0].header.framework] += expected_of(build.runs[0])
    return lambda record: by_chance(record, expectations[record.framework])


def publish(
    comparisons: Sequence[Comparison],
    fails: Sequence[Change],
    *,
    as_json: bool = False,
    markdown: Path | None = None,
    junit: Path | None = None,
    html: Path | None = None,
) -> None:
    """Write each of the files that is asked for, all or none, and print the comparisons."""
    from conformance.report import changes

    contents: dict[Path, bytes] = {}
    if markdown is not None:
        contents[markdown] = changes.markdown(comparisons, fails).encode()
    if junit is not None:
        contents[junit] = changes.junit(comparisons, fails)
    if html is not None:
        contents[html] = changes.html(comparisons, fails, _site_beside(html)).encode()
    write_together(contents)
    if as_json:
        echo(json.dumps(changes.document(comparisons, fails), indent=1))
        return
    for line in (*_text(changes.ordered(comparisons, fails)), *map(str, contents), changes.total(comparisons, fails)):
        echo(line)


def _site_beside(page: Path) -> str:
    """The address of a report's site from a page in its folder, or in one below; empty where there is none."""
    for step in ("", "../"):
        if (page.parent / f"{step}site" / "written.txt").is_file() and (page.parent / f"{step}index.html").is_file():
            return f"{step}site"
    return ""


def _text(comparisons: Sequence[Comparison]) -> Iterator[str]:
    from conformance.report import changes

    for comparison in comparisons:
        yield from changes.text_lines(comparison)
    yield from changes.layer_lines(comparisons)
