"""What the controlling process of a run does: hand out work, take in records, and account for every worker's death."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from conformance import adapters
from conformance.io.atomic import explain
from conformance.io.exit_status import DIVERGED, INCOMPLETE, USAGE
from conformance.io.terminal import echo, one_line
from conformance.numerics.operands import drawn_for
from conformance.problem import FORWARD
from conformance.processes.isolation import Death, death_of
from conformance.processes.overseer import Overseer
from conformance.processes.tree import adopt_orphans, end_strays, interrupt_on_end
from conformance.records.journal import Identity, Journal
from conformance.records.record import Header, RecordError
from conformance.records.record_file import parse
from conformance.run import record_of
from conformance.runner.isolated import noted, trial
from conformance.runner.items import LaneItems, attach, npy
from conformance.runner.outside import START
from conformance.runner.selection import Selection
from conformance.suites.case import Asked
from conformance.suites.expectations import known, lack
from conformance.suites.reference_cache import References
from conformance.suites.references import oracle_digest

PATIENCE = 4
"""So many limits of time a worker may take that keeps one itself: it may make a call twice, and end its process."""

STARTING = "{desc}: starting"
"""What stands for the bar until the cases are known: every worker imports the framework first."""

NARROWING = ("keyword", "markexpr", "deselect", "lf")
"""pytest's options by which a run can be less than its selection."""


class Controller:
    """The plugin of the process that writes: the only one, or the one that distributes to workers."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._config = config
        self._selection = selection
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._scratch = tempfile.TemporaryDirectory(prefix="conformance-")
        self._environment: Mapping[str, str] = {}
        self._nodeids: list[str] = []
        self._asked = {asked.name: asked for asked in selection.asked}
        self._deaths = 0
        self._unwritable = False
        self._again: dict[str, str] = {}
        """The items to be tried again, alone, and why if that is to be told."""
        self._overseer = Overseer()
        self._folder = Path(config.option.records)
        self._machine = adapters.machine(selection.lane)
        self._journal = Journal(*journal_of(config, selection), resume=config.option.resume)
        self._journal.tell("machine", self._machine)
        self.done = frozenset(self._journal.keys)
        """Keys of the records that an earlier process made."""
        adopt_orphans()
        interrupt_on_end()
        self._bar = tqdm(desc=f"{selection.lane} {selection.suite.name}", unit="", bar_format=STARTING,
                         disable=None if config.option.progress else True)  # fmt: skip
        if not selection.isolated and FORWARD in selection.directions:
            for dtype in sorted(set(map(drawn_for, selection.dtypes))):
                References(selection.suite, dtype)  # once, before every worker wants them

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._select(ids)

    def _select(self, nodeids: Sequence[str]) -> None:
        self._nodeids = [nodeid for nodeid in nodeids if self._is_case(nodeid)]
        nodeids = self._nodeids
        self._bar.bar_format = None
        self._bar.total, self._bar.n = len(nodeids) + len(self.done), len(self.done)
        self._bar.refresh()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["conformance_claims"] = self._scratch.name
        node.workerinput["conformance_log"] = self._log(node)
        node.workerinput["conformance_parent"] = os.getpid()
        node.workerinput["conformance_done"] = sorted(self.done)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        process = node.gateway._io.popen  # the only place where execnet keeps a worker's process
        pulse = Path(self._log(node)).with_suffix(".pulse")
        seconds = self._config.option.timeout
        if self._selection.isolated or adapters.is_outside(self._selection.lane.framework):
            seconds = START + PATIENCE * seconds  # since the worker watches the process that answers itself
        self._overseer.watch(node.gateway.id, process, pulse, seconds)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        size = self._selection.block
        if size == 1:
            return None
        from conformance.runner.scheduling import BlockScheduling

        return BlockScheduling(config, log, size)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if record := getattr(report, "record", None):
            if environment := getattr(report, "environment", None):
                self._require_same(environment)
            try:
                self._journal.add(parse(record), report.arrays)
            except OSError as error:
                self._end(error)
            self._bar.update()

    def _end(self, error: OSError) -> None:
        """End a run that cannot write any more; what its journal holds stays for --resume."""
        self._unwritable = True
        echo(f"{self._selection.lane}: {one_line(explain(error))}, with --resume", err=True)
        pytest.exit("records cannot be written", returncode=INCOMPLETE)

    def _require_same(self, environment: Mapping[str, str]) -> None:
        try:
            self._journal.tell("environment", environment)
        except RecordError as error:
            echo(f"{self._selection.lane}: {error}", err=True)
            pytest.exit(str(error), returncode=USAGE)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """A worker died: record the item that killed it, unless it was one of a block that will be tried one by one."""
        if not self._is_case(crashitem):
            return
        self._deaths += 1
        index = self._nodeids.index(crashitem)
        if self._selection.block > 1 and not Path(self._scratch.name, f"item-{index}").exists():
            report.outcome = "rerun"
            return
        passed = self._overseer.passed.get(report.node.gateway.id, "")
        died = death(report.node, Path(self._log(report.node)), passed)
        record = record_of(self._selection.lane, self._asked_by(crashitem), died.verdict, message=died.cause)
        if died.foreign or (passed and known(record, self._selection.expectations) is None):
            self._again[crashitem] = died.cause if passed else ""
            report.outcome = "rerun"
            return
        report.arrays = {}
        attach(report, record, self._selection.expectations)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        """After all has been run, try again what others may have ended: now nothing else runs."""
        try:
            done = yield
        finally:
            self._overseer.stop()
            end_strays()
        if self._again:
            self._try_again(session)
        return done

    def _try_again(self, session: pytest.Session) -> None:
        alone = trial(self._selection, self._config.option.timeout)
        for nodeid, why in self._again.items():
            result = noted(alone(self._asked_by(nodeid)), why)
            report: Any = pytest.TestReport(nodeid, ("", None, nodeid), {}, "passed", None, "call")
            attach(report, result.record, self._selection.expectations)
            report.arrays = {name: npy(array) for name, array in result.arrays.items()}
            session.config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._environment = getattr(node, "workeroutput", {}).get("conformance") or self._environment

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what there is, always; a run in which a selected case has no record is incomplete and says so."""
        self._bar.close()
        if self._unwritable:
            self._scratch.cleanup()
            return
        items = session.config.pluginmanager.get_plugin("conformance-items")
        assert isinstance(items, LaneItems)
        complete = len(self._journal) == self._expected > 0
        header = self._header(self._journal.environment or self._environment or items.environment())
        try:
            self._journal.close(header.path(self._folder), header, complete=complete)
        except OSError as error:
            echo(f"{self._selection.lane}: {one_line(explain(error))}, with --resume", err=True)
            session.exitstatus = INCOMPLETE
            return
        self._scratch.cleanup()
        if not complete:
            echo(self._missing(), err=True)
        if not complete and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = INCOMPLETE
        if complete and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:  # all was done before
            session.exitstatus = pytest.ExitCode.OK
        if complete and (facts := lack(header, self._journal.verdicts)):
            echo(f"{self._selection.lane} {self._selection.suite.name} {facts}", err=True)
            session.exitstatus = session.exitstatus or DIVERGED

    @property
    def _expected(self) -> int:
        """How many records the whole run is to have."""
        return len(self._nodeids) + len(self.done)

    def _missing(self) -> str:
        selected = self._expected
        counts = f"{self._selection.lane}: incomplete: {len(self._journal)} of {selected} selected cases have a record"
        limit = getattr(self._config.option, "maxworkerrestart", None)
        if self._deaths and limit is not None and self._deaths > int(limit):
            return (
                f"{counts}; {self._deaths} workers died and {limit} may: the framework is broken here, or give "
                "--max-worker-restart more"
            )
        return f"{counts}: " + ("run it again" if selected else "nothing was selected, so select something")

    def _header(self, environment: Mapping[str, str]) -> Header:
        selection = self._selection
        return Header(
            framework=selection.lane.framework,
            variant=selection.lane.variant,
            suite=selection.suite.name,
            dtypes=selection.dtypes,
            directions=selection.directions,
            cases=selection.suite.digest,
            expected=self._expected,
            oracle=oracle_digest(selection.directions),
            shard=selection.shard,
            selection=self._narrowed(),
            environment=environment,
            started=self._started,
            machine=self._machine,
        )

    def _narrowed(self) -> str:
        """What made this run less than its suite or shard, as the user gave it; empty for a whole one."""
        given = (str(word) for word in self._config.invocation_params.args if word != "--resume")
        return "" if self._expected == len(self._asked) and not self._selection.narrowed else " ".join(given)

    def _log(self, node: Any) -> str:
        return str(Path(self._scratch.name, f"{node.gateway.id}.log"))

    def _is_case(self, nodeid: str) -> bool:
        """Whether an item is a case, and not one of the user's own tests that run in the same session."""
        return nodeid.rpartition("::")[2] in self._asked

    def _asked_by(self, nodeid: str) -> Asked:
        return self._asked[nodeid.rpartition("::")[2]]


def journal_of(config: pytest.Config, selection: Selection) -> tuple[Path, Identity]:
    """Where a run keeps its journal, and what it has in common with the run that it can go on with."""
    chosen = {name: getattr(config.option, name, None) for name in NARROWING}
    identity = {
        "lane": str(selection.lane), "suite": selection.suite.name, "cases": selection.suite.digest,
        "oracle": oracle_digest(selection.directions), "dtypes": selection.dtypes, "passes": selection.directions,
        "shard": selection.shard, "ids": selection.ids, **chosen,
    }  # fmt: skip
    words = json.dumps([identity[name] for name in ("dtypes", "passes", "shard", "ids", *NARROWING)])
    name = f".{selection.lane}-{selection.suite.name}-{hashlib.sha256(words.encode()).hexdigest()[:8]}.journal"
    return Path(config.option.records, name), identity


def death(worker: Any, log: Path, passed: str) -> Death:
    """How a worker died, from its exit status, the trace that it left, and the limit that it passed, if it did."""
    trace = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    status = worker.gateway._io.wait()  # the only place where execnet keeps a worker's exit status
    return death_of(status, trace, passed)
