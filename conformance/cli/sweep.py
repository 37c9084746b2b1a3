"""conformance sweep: very many problems of a space on a lane."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

import click

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.analysis import swept
from conformance.calls.verify import VerifyError, python_for
from conformance.cli.asked import DTYPE, PASS, of_pass
from conformance.cli.diagnose import text_lines
from conformance.cli.options import QUIET
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.folders import making
from conformance.io.terminal import echo, plural, progress, verdict_count, verdict_counts
from conformance.problem import FORWARD
from conformance.records.record import Verdict
from conformance.records.reproduction import reproduction
from conformance.runner.outside import LaneProcess, opened
from conformance.runner.plugin import TIMEOUT
from conformance.runner.selection import parse_shard, require_computed, require_pass, require_seconds
from conformance.runner.sweeps.cluster import client
from conformance.runner.sweeps.local import swept_here
from conformance.runner.sweeps.outside import OutsideBlocks
from conformance.runner.sweeps.process import BlockProcess, forked
from conformance.runner.sweeps.run import Engine, Part, digest_of, do, identity_of, join, require_part
from conformance.runner.sweeps.store import Store
from conformance.runner.sweeps.task import Sweep, SweepError, Swept
from conformance.suites.spaces.files import read_space

BLOCK = 256
"""Problems of a block."""


class _Sweeps(click.Group):
    """Commands of which one needs no name: it takes what is not another one's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])


def _tls(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say how an address is reached."""
    for option in (
        click.option("--plain", is_flag=True, help="Connect without TLS to another host, on a private network."),
        click.option("--tls-key", metavar="FILE", help="The certificate's private key."),
        click.option("--tls-cert", metavar="FILE", help="A certificate of this side."),
        click.option("--tls-ca", metavar="FILE", help="The certificate of the authority that signed all others."),
    ):
        command = option(command)
    return command


def _secured(
    address: str, *, plain: bool, tls_ca: str | None, tls_cert: str | None, tls_key: str | None
) -> client.Tls | None:
    """The files of TLS, all or none. Raises SweepError."""
    given = [tls_ca, tls_cert, tls_key]
    files = [file for file in given if file is not None]
    if 0 < len(files) < len(given):
        raise SweepError("TLS takes --tls-ca, --tls-cert and --tls-key, and not all are given: give each as a file")
    if missing := [file for file in files if not Path(file).is_file()]:
        raise SweepError(f"{missing[0]}: there is no such file: give a file in PEM")
    tls = client.Tls(*files) if files else None
    client.require_private(address, tls, plain=plain)
    return tls


@click.group(cls=_Sweeps, context_settings={"ignore_unknown_options": True})
def command() -> None:
    """Run the problems of a space on a lane: `conformance sweep SPACE --lane LANE --count N --to FOLDER`."""


@command.command("run")
@click.argument("name", metavar="SPACE")
@click.option("--lane", required=True, help="A framework, or one with its variant, as in tensorflow-eigen.")
@click.option("--count", type=click.IntRange(1), help="How many problems (default: all that there are).")
@click.option(
    "--from", "start", default=0, show_default=True, type=click.IntRange(0), help="The first problem's number."
)
@click.option("--to", "folder", required=True, type=Path, help="The folder that keeps finished blocks.")
@click.option("--resume", is_flag=True, help="Continue in a folder, up to the number of problems of --count.")
@click.option("--keep", default="notable", show_default=True, type=click.Choice(["notable", "all"]),
              help="Which records are kept; notable are those that do not conform.")  # fmt: skip
@DTYPE
@PASS
@QUIET
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32), help="The seed that shuffles the problems."
)
@click.option("--block", default=BLOCK, show_default=True, type=click.IntRange(1, 2**16), help="Problems of a block.")
@click.option("--part", default="1/1", metavar="I/N", help="Only every N-th block, from the I-th on.")
@click.option(
    "--join",
    "joined",
    multiple=True,
    type=Path,
    metavar="DIR",
    help="Take over the blocks that are done in another folder; repeatable.",
)
@click.option("-n", "--workers", type=click.IntRange(1, 1024), help="Lane processes (default: one per core).")
@click.option("--timeout", default=TIMEOUT, show_default=True,
              help="Seconds of CPU time or of sleep that a problem may take.")  # fmt: skip
@click.option("--python", "pythons", multiple=True, metavar="NAME=PATH", help="An interpreter that has a framework.")
@click.option(
    "--scheduler", metavar="ADDRESS", help="Let the workers of the Dask scheduler at this address run the blocks."
)
@_tls
def run(
    name: str, lane: str, count: int | None, start: int, folder: Path, resume: bool, keep: Any, dtype: str,
    direction: str, seed: int, block: int, part: str, joined: tuple[Path, ...], workers: int | None, timeout: float,
    pythons: tuple[str, ...], scheduler: str | None, **tls: Any,
) -> int:  # fmt: skip
    """Evaluate problems of SPACE, which is a name or a TOML file, on a lane, and keep the results in a folder.

    Problems have numbers. The seed shuffles their order, so the first N problems are a sample without repetition.
    Blocks of problems go to lane processes in an environment of the framework: this one, .tox/NAME, or the one of
    --python NAME=PATH. If a lane process dies or is silent for too long, it is started again after that problem.
    Finished blocks stay on the disk if processes are killed, and --resume continues. Exit status: 0 done, 1 a block
    gave other records when it was done again, 2 usage.
    """
    require_seconds(timeout)
    of_lane = lane_of(lane)
    require_computed(of_lane.framework, dtype)
    require_pass(of_lane.framework, dtype, direction)
    space = read_space(name, seed)
    stop = space.size if count is None else start + count
    chosen = Part(start, stop, block, *parse_shard(part))
    require_part(space, chosen)
    sweep = Sweep(space.text, seed, of_lane.framework, of_lane.variant, dtype, keep, direction)
    if scheduler is None:
        engine = _local(sweep, parsed(pythons), workers or len(os.sched_getaffinity(0)), timeout)
    else:
        engine = client.Cluster(scheduler, sweep, timeout, _secured(scheduler, **tls))
    store = Store(folder, identity_of(sweep, space), resume=resume)
    whole = False
    try:
        _show(join(store, list(joined)), f"{of_lane} joined", 0)
        todo = list(chosen.tasks(sweep, store))
        _show(do(store, iter(todo), engine), f"{of_lane} {name}", sum(task.stop - task.start for task in todo))
        whole = True
    finally:
        store.close(whole=whole)
    echo("\n".join(_outcome(store, of_lane, name)))
    return DIVERGED if store.flaky else OK


@command.command("worker")
@click.argument("address")
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    required=True,
    metavar="LANE=PYTHON",
    help="A lane, with the interpreter that has its framework; repeatable.",
)
@click.option("-n", "--processes", type=click.IntRange(1, 1024), help="Processes of each lane (default: one per core).")
@_tls
def worker(address: str, lanes: tuple[str, ...], processes: int | None, **tls: Any) -> int:
    """Offer lanes to the scheduler at ADDRESS, such as tcp://127.0.0.1:8786, until this command ends.

    It restarts when its scheduler restarts. Neither this environment nor the scheduler's needs a framework.
    """
    try:
        import distributed  # noqa: F401  # told here and not by each of its workers
    except ImportError:
        raise SweepError(f"a worker needs Dask, which is not installed here: `{client.EXTRA}`") from None
    from conformance.runner.sweeps.cluster.worker import Offer, supervise

    pythons = {str(lane_of(lane)): python for lane, python in parsed(lanes, "--lane").items()}
    if missing := [python for python in pythons.values() if which(python) is None]:
        raise SweepError(f"{missing[0]}: is no interpreter: give the one of an environment that has the framework")
    secured = _secured(address, **tls)
    supervise(Offer(address, pythons, processes or len(os.sched_getaffinity(0)), os.getpid(), secured))
    return OK


@command.command("report")
@click.argument("folder", type=Path)
@QUIET
@click.option("--known", "with_known", is_flag=True, help="Also say where known faults are.")
@click.option("--python", "pythons", multiple=True, metavar="NAME=PATH", help="An interpreter that has the framework.")
def report(folder: Path, with_known: bool, pythons: tuple[str, ...]) -> int:
    """Say what the sweep in FOLDER found: each fault with its region, its reason, and the smallest problem that shows
    it.

    If the lane's framework is installed here, the wrong answers are computed once more, and explained. Exit status: 0
    nothing new, 1 something is new, or a block gave other records when it was done again, 2 usage.
    """
    summary = swept.read(folder, lambda blocks, total: progress(blocks, f"{folder}", "blocks", total))
    for line in lines_of(summary, _process(summary, parsed(pythons)), with_known=with_known):
        echo(line)
    return DIVERGED if summary.new or summary.again or summary.unkept else OK


def _process(summary: swept.Summary, pythons: Mapping[str, str]) -> LaneProcess | None:
    """What answers for the lane of a sweep once more; None where its framework is not at hand."""
    lane = summary.identity.sweep.lane
    if not adapters.is_known(lane.framework):
        return None
    if adapters.is_outside(lane.framework):
        return LaneProcess(lane, TIMEOUT)
    python = python_for(lane.framework, pythons)
    return None if python is None else LaneProcess(lane, TIMEOUT, partial(opened, lane, python))


def lines_of(summary: swept.Summary, process: LaneProcess | None, *, with_known: bool) -> Iterator[str]:
    """A sweep for people."""
    sweep, verdicts = summary.identity.sweep, summary.verdicts
    counts = verdict_counts({verdict: verdicts[verdict] for verdict in Verdict})
    yield f"{sweep.lane} {of_pass(sweep.dtype, sweep.direction)}: {plural(sum(verdicts.values()), 'problem')}: {counts}"
    yield f"  space {summary.identity.digest}, seed {sweep.seed}, digest {digest_of(iter(summary.blocks))}"
    for done in summary.again:
        yield f"flaky: problems {done.start} to {done.stop - 1} came out otherwise when they were done again"
    for expectation, record in summary.unkept:
        yield f"not as expected by {expectation.id}: it conforms\n    {reproduction(record)}"
    for fault in summary.faults:
        new = fault in summary.new
        yield f"{'new' if new else 'known' if fault.key.known else 'as it may'}: {_title(fault)}"
        if new or with_known:
            yield from (f"    {line}" for line in _about(summary, fault, process if new else None))


def _title(fault: swept.Fault) -> str:
    about = f"by {fault.key.known}" if fault.key.known else fault.key.pattern
    return f"{verdict_count(fault.count, fault.key.verdict)}: {about}"


def _about(summary: swept.Summary, fault: swept.Fault, process: LaneProcess | None) -> Iterator[str]:
    rule = summary.region(fault)
    yield rule.sentence
    if rule.is_of_enough:
        yield f"of the samples it {rule.coverage}"
    yield reproduction(fault.witnesses[0])
    yield fault.witnesses[0].message
    if fault.key.verdict is Verdict.DIVERGES and summary.identity.sweep.direction != FORWARD:
        yield "not explained: a sweep does not compute gradients once more; the call above prints the arrays"
    elif fault.key.verdict is Verdict.DIVERGES and process is not None:
        groups = swept.explained(summary, fault, process)
        yield from text_lines(Path(), sum(len(group.records) for group in groups), groups)
    elif fault.key.verdict is Verdict.DIVERGES and not fault.key.known:
        yield f"not explained: {summary.identity.sweep.framework} is not at hand here: give --python"


def lane_of(text: str) -> Lane:
    """A lane by its name, or a framework's first. Raises AdapterError."""
    framework, _, variant = text.partition("-")
    return adapters.lane(framework, variant or None)


def parsed(pythons: Sequence[str], option: str = "--python") -> Mapping[str, str]:
    """Interpreters by framework or lane, from words such as torch=PATH. Raises SweepError."""
    for given in pythons:
        if "=" not in given:
            raise SweepError(f"{option} {given} names no interpreter: give NAME=PATH, as in torch=.venv/bin/python")
    return dict(given.split("=", 1) for given in pythons)


def _python(lane: Lane, pythons: Mapping[str, str]) -> str:
    python = python_for(lane.framework, pythons)
    if python is None:
        framework = lane.framework
        raise VerifyError(f"no environment here has {framework}: {making(framework)} makes one; or give one by "
                          f"--python {framework}=PATH")  # fmt: skip
    return python


def _local(sweep: Sweep, pythons: Mapping[str, str], workers: int, timeout: float) -> Engine:
    if adapters.is_outside(sweep.framework):
        adapters.require_installed(sweep.framework)
        return lambda tasks: swept_here(tasks, lambda: OutsideBlocks(sweep, timeout), workers)
    python = _python(sweep.lane, pythons)
    if python != sys.executable:  # where the framework is: lane processes are forks that share its memory
        os.execv(python, [python, "-m", "conformance", *sys.argv[1:]])
    start = forked(sweep)
    return lambda tasks: swept_here(tasks, lambda: BlockProcess(sweep, start, timeout), workers)


def _show(results: Iterator[Swept], what: str, total: int) -> None:
    """Take results, with a bar that counts problems."""
    steps = (1 for done in results for _ in range(done.stop - done.start))
    for _ in progress(steps, what, "problems", total):
        pass


def _outcome(store: Store, lane: Lane, name: str) -> Iterator[str]:
    counts = verdict_counts({verdict: store.verdicts[verdict] for verdict in Verdict})
    done = sum(store.verdicts.values())
    yield f"{lane} {name}: {plural(done, 'problem')}: {counts}; digest {digest_of(store.blocks)}"
    for flaky in store.flaky:
        yield f"  flaky: problems {flaky.start} to {flaky.stop - 1} came out otherwise when they were done again"
    yield f"  `conformance sweep report {store.folder}` says what is new"
