"""conformance fuzz: problems that nobody thought of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from conformance import adapters
from conformance.cli.options import number
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import read_bytes
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo
from conformance.numerics.operands import DTYPES
from conformance.records.record import Count, Verdict
from conformance.records.reproduction import reproduction
from conformance.suites.expectations import expected_here

if TYPE_CHECKING:
    from conformance.audit.fuzzing import Found


class FuzzError(ValueError):
    """A search that cannot start; the message says what is missing."""


class _State(msgspec.Struct):
    """Where the next search begins."""

    next: Count


@click.command()
@click.argument("framework")
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0, 10**6), callback=number,
              help="How long to search.")  # fmt: skip
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(DTYPES))
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32),
    help="Begin with this seed (default: where the last search in the folder ended).",
)
@click.option("--known", "with_known", is_flag=True, help="Find what is on file as known, too.")
@click.option("--to", "folder", default="reports/fuzz", show_default=True, type=Path, help="Where findings go.")
def command(
    framework: str, variant: str | None, minutes: float, dtype: str, seed: int | None, with_known: bool, folder: Path
) -> int:
    """Draw problems, run them on FRAMEWORK as a suite does, and shrink the first that does not do what is expected.

    It ends at the first finding, which is diagnosed and written as a case, ready for cases/curated/ but for its `why`.
    Seeds go up by one each 200 problems and are remembered, so that the next search goes on; failures are tried first.
    Exit status: 0 nothing found, 1 something is, 2 usage.
    """
    adapters.require_installed(framework)
    try:
        from conformance.audit import fuzzing
    except ImportError:
        raise FuzzError("fuzz needs Hypothesis, which is not installed here: `pip install hypothesis`") from None
    lane = adapters.lane(framework, variant)
    state = folder / f"{lane}-{dtype}.json"
    require_our_file(state, '{"next": ')
    first = _next(state) if seed is None else seed

    def remember(number: int, tried: int) -> None:
        write_atomically(state, json.dumps({"next": number}).encode() + b"\n")
        echo(f"seed {number - 1}: {tried} problems, nothing new", err=True)

    search = fuzzing.search(
        lane, dtype, first=first, seconds=60 * minutes, database=folder / "examples" / f"{lane}-{dtype}",
        expectations=() if with_known else expected_here(lane), chunk=remember,
    )  # fmt: skip
    if search is None:
        echo(f"{lane} {dtype}: nothing new in {minutes:g} minutes")
        return OK
    path = folder / f"{lane}-{search.case.id}.toml"
    require_our_file(path, "# Found by `conformance fuzz ")
    write_atomically(path, "\n".join(_toml(search)).encode() + b"\n")
    record = search.result.record
    echo(f'{lane} {dtype}: {record.verdict} {record.kind} after {search.tried} problems: "{search.case.problem}"')
    for line in (record.message, *_explained(search), reproduction(record), str(path)):
        echo(f"  {line}")
    return DIVERGED


def _next(state: Path) -> int:
    """The seed where the last search ended. Raises FuzzError where the file that remembers it says none."""
    if not state.exists():
        return 0
    try:
        return msgspec.json.decode(read_bytes(state), type=_State).next
    except ValueError:
        raise FuzzError(f"{state}: says no seed to go on with: give one with --seed, or remove the file") from None


def _explained(search: "Found") -> Iterator[str]:
    """What gives the actual array exactly, where there is one."""
    from conformance.diagnosis.explain import sentences
    from conformance.suites.references import compute

    if search.result.record.verdict is Verdict.DIVERGES:
        yield from sentences(search.case.problem, compute(search.case).arrays, search.result.arrays["actual"])


def _toml(search: "Found") -> Iterator[str]:
    """The finding as a curated case, whose `why` says what is known and is to be completed."""
    record = search.result.record
    yield f"# Found by `conformance fuzz {record.framework}`: {record.lane} {record.dtype} {record.verdict}."
    yield f"# {record.message}"
    yield from (f"# {line}" for line in _explained(search))
    yield "# Say in `why` which fact makes it worth running, and in `probes` what it probes."
    yield "[[case]]"
    yield f'id = "{search.case.id}"'
    yield f'problem = "{search.case.problem}"'
    yield f"output = {list(search.case.problem.output)}"
    yield f'why = "{record.lane} {record.verdict} here; complete this."'
    yield f"probes = {json.dumps(list(search.case.probes))}"
