"""The items of a lane: collected from case files, evaluated in blocks, reported with a record each."""

import faulthandler
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import Adapter, Lane
from conformance.io.folders import cases_folder
from conformance.numerics.operands import HALVES, drawn_for
from conformance.problem import FORWARD
from conformance.processes.isolation import SECONDS, Death, Isolation
from conformance.processes.pulse import Pulse
from conformance.records.record import Record, Verdict
from conformance.records.reproduction import reproduction
from conformance.run import Job, Result, record_of
from conformance.runner import outside
from conformance.runner.isolated import isolated
from conformance.runner.kinds import kind_of
from conformance.runner.outside import LaneProcess
from conformance.runner.selection import Selection
from conformance.suites.case import Asked, Case, Rounded
from conformance.suites.cases import source
from conformance.suites.expectations import Expectation, fails, known, unkept
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference, compute

SLOW = 10.0
"""Seconds of CPU time, or asleep, for which an answer is waited that an expectation says comes too late."""

LETTERS = {
    Verdict.CONFORMS: ".", Verdict.DIVERGES: "D", Verdict.REJECTS: "R", Verdict.UNSUPPORTED: "U",
    Verdict.ACCEPTS_INVALID: "A", Verdict.ERRORED: "E", Verdict.CRASHED: "C", Verdict.TIMED_OUT: "T",
    Verdict.INCONCLUSIVE: "I",
}  # fmt: skip


class CaseItem(pytest.Item):
    """One case in one dtype and pass."""

    index = -1

    def __init__(self, *, asked: Asked, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked = asked

    def runtest(self) -> None:
        raise NotImplementedError("LaneItems.pytest_runtest_protocol evaluates items itself")

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class CaseFile(pytest.File):
    """A case file, as far as it was selected."""

    def __init__(self, *, selection: Selection, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.selection = selection

    def collect(self) -> Iterator[CaseItem]:
        name = source(self.path)
        for asked in self.selection.asked:
            if asked.case.source == name and asked.key not in self.selection.done:
                yield CaseItem.from_parent(self, name=asked.name, asked=asked)


class LaneItems:
    """The plugin that makes pytest run a selection: in every worker, and in the only process where there are none."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._selection = selection
        self._files = {case.source for case in selection.cases}
        self._folder = cases_folder().absolute()
        self._blocks = _Blocks(config, selection)
        self._log: IO[str] | None = None
        self._pulse: Pulse | None = None
        self._told = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """In a worker: a crash leaves its trace where the controller finds it."""
        if log := getattr(session.config, "workerinput", {}).get("conformance_log"):
            self._log = Path(log).open("w", encoding="utf-8")  # noqa: SIM115  # open as long as the process lives
            faulthandler.enable(self._log)
            self._pulse = Pulse(Path(log).with_suffix(".pulse"))

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """A case file that was not selected; the user's own tests are collected as ever."""
        among_cases = collection_path.is_relative_to(self._folder)
        return (
            True if among_cases and collection_path.is_file() and source(collection_path) not in self._files else None
        )

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
        if source(file_path) not in self._files:
            return None
        return CaseFile.from_parent(parent, path=file_path, selection=self._selection)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._blocks.items = [item for item in session.items if isinstance(item, CaseItem)]
        for index, item in enumerate(self._blocks.items):
            item.index = index

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not isinstance(item, CaseItem):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        started = time.time()
        with self._pulse.at_work(self._seconds(item)) if self._pulse else nullcontext():
            result = self._blocks.result(item)
        if result is not None:
            report = self._report(item, result, started)
            item.ihook.pytest_runtest_logreport(report=report)
            if item.config.getoption("xmlpath", None):  # JUnit XML takes properties from a teardown report only
                item.ihook.pytest_runtest_logreport(report=_teardown(report))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _seconds(self, item: CaseItem) -> float:
        """What an item may take, unless it may take as long as any other, as a block does."""
        if self._selection.block > 1 or not self._known_as_slow:
            return 0.0
        late = record_of(self._selection.lane, item.asked, Verdict.TIMED_OUT)
        return 0.0 if known(late, self._known_as_slow) is None else min(SLOW, item.config.option.timeout)

    @cached_property
    def _known_as_slow(self) -> Sequence[Expectation]:
        return [each for each in self._selection.expectations if each.verdict is Verdict.TIMED_OUT]

    def _report(self, item: CaseItem, result: Result, started: float) -> Any:
        record = result.record
        report: Any = pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="passed",
            longrepr=None,
            when="call",
            duration=record.seconds,
            start=started,
            stop=started + record.seconds,
        )
        attach(report, record, self._selection.expectations)
        report.arrays = {name: npy(array) for name, array in result.arrays.items()}
        if not self._told:  # once a worker, and before its first record is kept
            report.environment, self._told = dict(self.environment()), True
        return report

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        verdict = getattr(report, "verdict", None)
        if verdict is None:
            return None
        known = "" if report.outcome == "failed" or not dict(report.user_properties).get("known") else " (known)"
        return verdict + known, LETTERS[verdict], verdict.upper() + known

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, settings: Any) -> bool | None:
        """No timer where the controller watches, or where the item is watched from here."""
        return True if self._pulse or adapters.is_outside(self._selection.lane.framework) else None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["conformance"] = self.environment()

    def pytest_unconfigure(self) -> None:
        if self._log is not None:
            faulthandler.disable()
            self._log.close()

    def environment(self) -> Mapping[str, str]:
        """The environment fingerprint; empty where nothing was evaluated."""
        return self._blocks.environment()


class _Blocks:
    """Evaluates items in the adapter's blocks, the whole block at its first item.

    If a worker dies in a block, another gets what is left of it. It finds the dead one's claim and goes one by one, so
    that the next death names its own item; an item whose own claim is found has been recorded already.
    """

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self.items: list[CaseItem] = []
        self._selection = selection
        self._claims = getattr(config, "workerinput", {}).get("conformance_claims")
        self._option = config.option
        self._results: dict[int, Result] = {}
        self._references: dict[str, References] = {}

    @cached_property
    def _adapter(self) -> Adapter:
        return adapters.load(self._selection.lane)

    @cached_property
    def _isolation(self) -> Isolation:
        return Isolation(self._selection.lane, suite=self._selection.suite.name)

    @cached_property
    def _process(self) -> LaneProcess:
        limit = self._option.timeout
        return LaneProcess(self._selection.lane, min(limit, SECONDS) if self._selection.isolated else limit)

    def _reference(self, case: Case, dtype: str, direction: str) -> Reference:
        if direction != FORWARD or (isinstance(case.subject, Rounded) and dtype in HALVES):  # not kept, or no integers
            return compute(case, dtype, direction)
        drawn = drawn_for(dtype)
        if drawn not in self._references:
            self._references[drawn] = References(self._selection.suite, drawn)
        return self._references[drawn][case]

    def result(self, item: CaseItem) -> Result | None:
        """The item's result; None where it killed an earlier worker."""
        if item.index not in self._results:
            self._results = self._evaluate(item)
        return self._results.pop(item.index, None)

    def environment(self) -> Mapping[str, str]:
        if "_process" in self.__dict__:
            return self._process.environment
        if "_isolation" in self.__dict__:
            environment = self._isolation.call(environment_of, self._selection.lane)
            return {} if isinstance(environment, Death) else environment
        return adapters.environment(self._adapter) if "_adapter" in self.__dict__ else {}

    def _evaluate(self, item: CaseItem) -> dict[int, Result]:
        lane = self._selection.lane
        if adapters.is_outside(lane.framework):
            return self._evaluate_outside(item)
        if self._selection.isolated:
            return {item.index: isolated(self._isolation, lane, *item.asked)}
        size = self._selection.block
        start = item.index // size * size
        block = self.items[start : start + size]
        if size > 1 and self._claims and not first_to_claim(self._claims, f"block-{start}"):
            block = [item] if first_to_claim(self._claims, f"item-{item.index}") else []
        asked = [case_item.asked for case_item in block]
        evaluate = kind_of(item.asked.case).evaluate
        results = evaluate(lane, self._adapter, asked, self._reference)
        return {case_item.index: result for case_item, result in zip(block, results, strict=True)}

    def _evaluate_outside(self, item: CaseItem) -> dict[int, Result]:
        """The results of a block, or of the item where each is to have a process of its own."""
        lane, alone = self._selection.lane, self._selection.isolated
        if result := outside.unsaid(lane, item.asked):
            return {item.index: result}
        size = 1 if alone else self._selection.block
        start = item.index // size * size
        block = [said for said in self.items[start : start + size] if outside.unsaid(lane, said.asked) is None]
        reference = compute if alone else self._reference
        jobs = [Job(said.asked.case, said.asked.dtype, reference(*said.asked)) for said in block]
        results = outside.evaluate(self._process, lane, jobs)
        if alone:
            self._process.stop()
        return {case_item.index: result for case_item, result in zip(block, results, strict=True)}


def environment_of(lane: Lane) -> Mapping[str, str]:
    """The environment fingerprint of a lane, from this process."""
    return adapters.environment(adapters.load(lane))


def _teardown(report: Any) -> pytest.TestReport:
    return pytest.TestReport(
        report.nodeid, report.location, {}, "passed", None, "teardown", user_properties=report.user_properties
    )


def first_to_claim(folder: str, name: str) -> bool:
    """Whether this process is the first to claim the name."""
    try:
        Path(folder, name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def attach(report: Any, record: Record, expectations: Sequence[Expectation]) -> None:
    """Put a record on pytest's report of it; a verdict that is neither pass nor new failure is its own outcome."""
    reason = known(record, expectations)
    report.record = record.to_json()
    report.verdict = record.verdict.value
    report.user_properties = [("verdict", record.verdict.value), *([("known", reason.id)] if reason else [])]
    if fails(record, expectations):
        report.outcome = "failed"
        report.longrepr = "\n".join(
            filter(None, [_failure_text(record, expectations), record.call, reproduction(record)])
        )
    elif record.verdict != (record.claimed or Verdict.CONFORMS):
        report.outcome, report.longrepr = record.verdict.value, None


def _failure_text(record: Record, expectations: Sequence[Expectation]) -> str:
    """What a failing record says, and of which expectation it is not what was expected."""
    broken = unkept(record, expectations)
    return f"{record.message}\nexpected by {broken.id}: {broken.verdict}".strip() if broken else record.message


def npy(array: NDArray[Any]) -> bytes:
    """An array in NumPy's file format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
