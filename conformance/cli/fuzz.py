"""conformance fuzz: the first problem of a space that a lane does not do as expected, shrunk."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import click
import msgspec

from conformance import adapters
from conformance.audit import fuzzing
from conformance.audit.fuzzing import Found
from conformance.cli.asked import DTYPE, PASS, of_pass
from conformance.cli.options import QUIET, number
from conformance.diagnosis.explain import sentences
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import read_bytes
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, note
from conformance.problem import FORWARD
from conformance.records.record import Count, Verdict
from conformance.records.reproduction import reproduction
from conformance.runner.selection import require_computed, require_pass
from conformance.suites.expectations import expected_here
from conformance.suites.references import compute
from conformance.suites.spaces.files import read_space


class FuzzError(ValueError):
    """A file that remembers no number to go on with; the message names it."""


class _State(msgspec.Struct):
    """The number of the problem with which the next search begins."""

    next: Count


@click.command()
@click.argument("framework")
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--space", "name", default="small", show_default=True, help="The problems: a space, or a file of one.")
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0, 10**6), callback=number,
              help="How long to search.")  # fmt: skip
@DTYPE
@PASS
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32), help="The seed that shuffles the problems."
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(0),
    help="The number of the first problem (default: where the last search in the folder ended).",
)
@click.option("--known", "with_known", is_flag=True, help="Also report known faults.")
@QUIET
@click.option("--to", "folder", default="reports/fuzz", show_default=True, type=Path, help="Where findings go.")
def command(
    framework: str, variant: str | None, name: str, minutes: float, dtype: str, direction: str, seed: int,
    first: int | None, with_known: bool, folder: Path,
) -> int:  # fmt: skip
    """Run the problems of a space on FRAMEWORK, and shrink the first one with an unexpected verdict.

    The search ends at the first finding. The finding is diagnosed, and written as a case for cases/curated/, in which
    only the `why` is missing. The folder keeps the position of the search. The next search begins with the problem that
    failed, and continues from there. `conformance sweep` continues after a finding, and keeps all findings. Exit
    status: 0 nothing found, 1 a finding, 2 usage.
    """
    adapters.require_installed(framework)
    lane, space = adapters.lane(framework, variant), read_space(name, seed)
    require_computed(framework, dtype)
    require_pass(framework, dtype, direction)
    asked = dtype if direction == FORWARD else f"{dtype}-{direction}"
    state = folder / f"{lane}-{asked}-{Path(name).stem}-{seed}.json"
    require_our_file(state, '{"next": ')
    start, begun = _next(state) if first is None else first, monotonic()

    def remember(number: int) -> None:
        write_atomically(state, json.dumps({"next": number}).encode() + b"\n")
        passed = monotonic() - begun
        note(f"{number:,} of {space.size:,} problems, {(number - start) / passed:,.0f} a second, "
             f"{max(60 * minutes - passed, 0):.0f} seconds left: nothing new")  # fmt: skip

    found = fuzzing.search(
        lane, dtype, space, direction=direction, first=start, seconds=60 * minutes,
        expectations=() if with_known else expected_here(lane), reached=remember,
    )  # fmt: skip
    if found is None:
        echo(f"{lane} {of_pass(dtype, direction)}: nothing new in {minutes:g} minutes")
        return OK
    write_atomically(state, json.dumps({"next": found.number}).encode() + b"\n")
    path = folder / f"{lane}-{found.case.id}.toml"
    require_our_file(path, "# Found by `conformance fuzz ")
    write_atomically(path, "\n".join(_toml(found)).encode() + b"\n")
    record = found.result.record
    said = f"{record.verdict} {record.kind}".strip()
    echo(f'{lane} {of_pass(dtype, direction)}: {said}: "{found.case.problem}", shrunk from '
         f'"{space[found.number]}", number {found.number}')  # fmt: skip
    for line in (record.message, *_explained(found), reproduction(record), str(path)):
        echo(f"  {line}")
    return DIVERGED


def _next(state: Path) -> int:
    """The number where the last search ended. Raises FuzzError where the file that remembers it says none."""
    if not state.exists():
        return 0
    try:
        return msgspec.json.decode(read_bytes(state), type=_State).next
    except ValueError:
        raise FuzzError(f"{state}: says no number to go on with: give one with --from, or remove the file") from None


def _explained(found: Found) -> Iterator[str]:
    """What gives the actual array exactly, where there is one; a gradient's is not sought."""
    record = found.result.record
    if record.verdict is Verdict.DIVERGES and record.direction == FORWARD:
        operands = compute(found.case, record.dtype).arrays
        yield from sentences(found.case.problem, operands, found.result.arrays["actual"])


def _toml(found: Found) -> Iterator[str]:
    """The finding as a curated case, whose `why` says what is known and is to be completed."""
    record = found.result.record
    asked = of_pass(record.dtype, record.direction)
    yield f"# Found by `conformance fuzz {record.framework}`: {record.lane} {asked} {record.verdict}."
    yield f"# {record.message}"
    yield from (f"# {line}" for line in _explained(found))
    yield "# Say in `why` which fact makes it worth running, and in `probes` what it probes."
    yield "[[case]]"
    yield f'id = "{found.case.id}"'
    yield f'problem = "{found.case.problem}"'
    yield f"output = {list(found.case.problem.output)}"
    yield f'why = "{record.lane} {record.verdict} here; complete this."'
    yield f"probes = {json.dumps(list(found.case.probes))}"
