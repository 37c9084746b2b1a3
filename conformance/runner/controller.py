"""What the controlling process of a run does: hand out work, take in records, and account for every worker's death."""

import os
import tempfile
from collections import Counter
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
from conformance.processes.isolation import Death, death_of
from conformance.processes.overseer import Overseer
from conformance.processes.tree import adopt_orphans, end_strays, interrupt_on_end
from conformance.records.record import RecordError
from conformance.records.record_file import parse
from conformance.run import record_of
from conformance.runner.isolated import noted, trial
from conformance.runner.items import LaneItems, attach, npy, unit_starts
from conformance.runner.part import Part
from conformance.runner.selection import Selection
from conformance.suites.expectations import known

STARTING = "{desc}: starting"
"""What stands for the bar until the cases are known: every worker imports the framework first."""


class Controller:
    """The plugin of the process that writes: the only one, or the one that distributes to workers."""

    def __init__(self, config: pytest.Config, selections: Sequence[Selection]) -> None:
        self._config = config
        self._lane, self._expectations = selections[0].lane, selections[0].expectations
        self._scratch = tempfile.TemporaryDirectory(prefix="conformance-")
        self._environment: Mapping[str, str] = {}
        self._nodeids: list[str] = []
        self._deaths = 0
        self._unwritable = False
        self._unusable = ""
        self._again: dict[str, str] = {}
        """The items to be tried again, alone, and why if that is to be told."""
        self._overseer = Overseer()
        started, machine = datetime.now(UTC).isoformat(timespec="seconds"), adapters.machine(self._lane)
        self.parts = [Part(config, selection, started, machine) for selection in selections]
        self._asked = {
            part.selection.name_of(asked): (part, asked) for part in self.parts for asked in part.selection.asked
        }
        adopt_orphans()
        interrupt_on_end()
        suites = " ".join(selection.suite.name for selection in selections)
        self._bar = tqdm(desc=f"{self._lane} {suites}", unit="", bar_format=STARTING,
                         disable=None if config.option.progress else True)  # fmt: skip
        for part in self.parts:
            part.prepare()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._select(ids)

    def _select(self, nodeids: Sequence[str]) -> None:
        self._nodeids = [nodeid for nodeid in nodeids if self._is_case(nodeid)]
        asked = Counter(id(self._part_of(nodeid)) for nodeid in self._nodeids)
        for part in self.parts:
            part.expected = asked[id(part)] + len(part.done)
        done = sum(len(part.done) for part in self.parts)
        self._bar.bar_format = None
        self._bar.total, self._bar.n = len(self._nodeids) + done, done
        self._bar.refresh()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["conformance_claims"] = self._scratch.name
        node.workerinput["conformance_log"] = self._log(node)
        node.workerinput["conformance_parent"] = os.getpid()
        node.workerinput["conformance_done"] = [sorted(part.done) for part in self.parts]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        process = node.gateway._io.popen  # the only place where execnet keeps a worker's process
        pulse = Path(self._log(node)).with_suffix(".pulse")
        self._overseer.watch(node.gateway.id, process, pulse, self._config.option.timeout)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from conformance.runner.scheduling import BlockScheduling, CaseScheduling

        if all(part.selection.block == 1 for part in self.parts):
            return CaseScheduling(config, log) if config.getvalue("dist") == "load" else None
        return BlockScheduling(config, log, self._unit_starts)

    def _unit_starts(self, nodeids: Sequence[str]) -> list[int]:
        selections = [self._part_of(nodeid).selection if self._is_case(nodeid) else None for nodeid in nodeids]
        return unit_starts((each.suite.name, each.block) if each else ("", 1) for each in selections)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if record := getattr(report, "record", None):
            part = self._part_of(report.nodeid)
            try:
                if environment := getattr(report, "environment", None):
                    self._require_same(environment)
                part.take(parse(record), report.arrays)
            except OSError as error:
                self._end(error)
            self._bar.update()

    def _end(self, error: OSError) -> None:
        """End a run that cannot write any more; what its journals hold stays for --resume."""
        self._unwritable = True
        echo(f"{self._lane}: {one_line(explain(error))}, with --resume", err=True)
        pytest.exit("records cannot be written", returncode=INCOMPLETE)

    def _require_same(self, environment: Mapping[str, str]) -> None:
        try:
            for part in self.parts:
                part.tell(environment)
        except RecordError as error:
            echo(f"{self._lane}: {error}", err=True)
            pytest.exit(str(error), returncode=USAGE)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """A worker died: record the item that killed it, unless it was one of a block that will be tried one by one."""
        if not self._is_case(crashitem):
            return
        self._deaths += 1
        part, asked = self._asked[_name(crashitem)]
        index = self._nodeids.index(crashitem)
        if part.selection.block > 1 and not Path(self._scratch.name, f"item-{index}").exists():
            report.outcome = "rerun"
            return
        passed = self._overseer.passed.get(report.node.gateway.id, "")
        died = death(report.node, Path(self._log(report.node)), passed)
        record = record_of(self._lane, asked, died.verdict, message=died.cause)
        if died.foreign or (passed and known(record, self._expectations) is None):
            self._again[crashitem] = died.cause if passed else ""
            report.outcome = "rerun"
            return
        report.arrays = {}
        attach(report, record, self._expectations)

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
        for nodeid, why in self._again.items():
            part, asked = self._asked[_name(nodeid)]
            result = noted(trial(part.selection, self._config.option.timeout)(asked), why)
            report: Any = pytest.TestReport(nodeid, ("", None, nodeid), {}, "passed", None, "call")
            attach(report, result.record, self._expectations)
            report.arrays = {name: npy(array) for name, array in result.arrays.items()}
            session.config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        self._environment = output.get("conformance") or self._environment
        if reason := output.get("conformance_unusable", ""):
            self._unusable = reason
            pytest.exit(reason, returncode=USAGE)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what there is, always; a run in which a selected case has no record is incomplete and says so."""
        self._bar.close()
        if not self._unwritable:
            self._write(session)
        self._scratch.cleanup()

    def _write(self, session: pytest.Session) -> None:
        items = session.config.pluginmanager.get_plugin("conformance-items")
        assert isinstance(items, LaneItems)
        if reason := self._unusable or items.unusable:
            echo(f"{self._lane}: {one_line(reason)}", err=True)
            for part in self.parts:
                part.abandon()
            session.exitstatus = USAGE
            return
        environment = self._environment or items.environment()
        incomplete = [part for part in self.parts if not part.is_complete]
        begun = [part for part in self.parts if part.is_begun] or self.parts
        try:
            lacking = [facts for part in begun if (facts := part.close(environment))]
        except OSError as error:
            echo(f"{self._lane}: {one_line(explain(error))}, with --resume", err=True)
            session.exitstatus = INCOMPLETE
            return
        for part in incomplete:
            echo(self._missing(part), err=True)
        if incomplete:
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                session.exitstatus = INCOMPLETE
        elif session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:  # all was done before
            session.exitstatus = pytest.ExitCode.OK
        for facts in lacking:
            echo(f"{self._lane} {facts}", err=True)
            session.exitstatus = session.exitstatus or DIVERGED

    def _missing(self, part: Part) -> str:
        """What is said of a suite that is incomplete."""
        limit = getattr(self._config.option, "maxworkerrestart", None)
        if self._deaths and limit is not None and self._deaths > int(limit):
            return (
                f"{part.counts}; {self._deaths} workers died and {limit} may: the framework is broken here, or give "
                "--max-worker-restart more"
            )
        return f"{part.counts}: " + ("run it again" if part.expected else "nothing was selected, so select something")

    def _log(self, node: Any) -> str:
        return str(Path(self._scratch.name, f"{node.gateway.id}.log"))

    def _is_case(self, nodeid: str) -> bool:
        """Whether an item is a case, and not one of the user's own tests that run in the same session."""
        return _name(nodeid) in self._asked

    def _part_of(self, nodeid: str) -> Part:
        return self._asked[_name(nodeid)][0]


def _name(nodeid: str) -> str:
    return nodeid.rpartition("::")[2]


def death(worker: Any, log: Path, passed: str) -> Death:
    """How a worker died, from its exit status, the trace that it left, and the limit that it passed, if it did."""
    trace = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    status = worker.gateway._io.wait()  # the only place where execnet keeps a worker's exit status
    return death_of(status, trace, passed)
