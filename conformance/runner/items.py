"""The items of a lane: collected from case files, evaluated in blocks, reported with a record each."""

import faulthandler
import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import Adapter, Lane
from conformance.io.exit_status import USAGE
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
from conformance.runner.outside import START, LaneProcess
from conformance.runner.selection import Selection
from conformance.suites.case import Asked, Case, Rounded, Suite
from conformance.suites.cases import source
from conformance.suites.expectations import Expectation, fails, known, unkept
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference, compute

PATIENCE = 4
"""So many limits of time an item may take whose process keeps one itself: it may make a call twice, and end."""

SLOW = 10.0
"""Seconds of CPU time, or asleep, for which an answer is waited that an expectation says comes too late."""

LETTERS = {
    Verdict.CONFORMS: ".", Verdict.DIVERGES: "D", Verdict.REJECTS: "R", Verdict.UNSUPPORTED: "U",
    Verdict.ACCEPTS_INVALID: "A", Verdict.ERRORED: "E", Verdict.CRASHED: "C", Verdict.TIMED_OUT: "T",
    Verdict.INCONCLUSIVE: "I",
}  # fmt: skip


class CaseItem(pytest.Item):
    """One case in one dtype and pass, of a selection."""

    index = -1

    def __init__(self, *, asked: Asked, selection: Selection, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked = asked
        self.selection = selection

    def runtest(self) -> None:
        raise NotImplementedError("LaneItems.pytest_runtest_protocol evaluates items itself")

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class CaseFile(pytest.File):
    """A case file, as far as it was selected."""

    def __init__(self, *, selections: Sequence[Selection], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.selections = selections

    def collect(self) -> Iterator[CaseItem]:
        name = source(self.path)
        for selection in self.selections:
            for asked in selection.asked:
                if asked.case.source == name and asked.key not in selection.done:
                    yield CaseItem.from_parent(self, name=selection.name_of(asked), asked=asked, selection=selection)


class LaneItems:
    """The plugin that makes pytest run selections of a lane: in every worker, or in the only process there is."""

    def __init__(self, config: pytest.Config, selections: Sequence[Selection]) -> None:
        self._selections = selections
        self._lane, self._expectations = selections[0].lane, selections[0].expectations
        self._files = {case.source for selection in selections for case in selection.cases}
        self._folder = cases_folder().absolute()
        self._blocks = _Blocks(config, self._lane)
        self._log: IO[str] | None = None
        self._pulse: Pulse | None = None
        self._told = False
        self.unusable = ""
        """Why the lane cannot be loaded; empty as long as nobody tried, or could."""

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
        return CaseFile.from_parent(parent, path=file_path, selections=self._selections)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Suite by suite, though one file can have cases of several."""
        order = {id(selection): number for number, selection in enumerate(self._selections)}
        items.sort(key=lambda item: order[id(item.selection)] if isinstance(item, CaseItem) else len(order))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._blocks.take([item for item in session.items if isinstance(item, CaseItem)])

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not isinstance(item, CaseItem):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        started = time.time()
        try:
            with self._pulse.at_work(self._seconds(item)) if self._pulse else nullcontext():
                result = self._blocks.result(item)
        except adapters.AdapterError as error:
            self._end(item.config, str(error))
        if result is not None:
            report = self._report(item, result, started)
            item.ihook.pytest_runtest_logreport(report=report)
            if item.config.getoption("xmlpath", None):  # JUnit XML takes properties from a teardown report only
                item.ihook.pytest_runtest_logreport(report=_teardown(report))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _end(self, config: pytest.Config, reason: str) -> NoReturn:
        """End a session whose lane cannot be loaded; the controller, here or elsewhere, says why."""
        self.unusable = reason
        if hasattr(config, "workeroutput"):
            config.workeroutput["conformance_unusable"] = reason
        pytest.exit(reason, returncode=USAGE)

    def _seconds(self, item: CaseItem) -> float:
        """What an item may take, unless it may take as long as any other, as a block does."""
        limit: float = item.config.option.timeout
        if item.selection.isolated or adapters.is_outside(self._lane.framework):
            return START + PATIENCE * limit  # since this worker watches the process that answers itself
        if item.selection.block > 1 or not self._known_as_slow:
            return 0.0
        late = record_of(self._lane, item.asked, Verdict.TIMED_OUT)
        return 0.0 if known(late, self._known_as_slow) is None else min(SLOW, limit)

    @cached_property
    def _known_as_slow(self) -> Sequence[Expectation]:
        return [each for each in self._expectations if each.verdict is Verdict.TIMED_OUT]

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
        attach(report, record, self._expectations)
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
        return True if self._pulse or adapters.is_outside(self._lane.framework) else None

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

    def __init__(self, config: pytest.Config, lane: Lane) -> None:
        self._lane = lane
        self._items: Sequence[CaseItem] = ()
        self._starts: Sequence[int] = ()
        self._claims = getattr(config, "workerinput", {}).get("conformance_claims")
        self._option = config.option
        self._results: dict[int, Result] = {}
        self._isolations: dict[str, Isolation] = {}
        self._references: dict[tuple[str, str], References] = {}

    def take(self, items: Sequence[CaseItem]) -> None:
        """The items that there are, in order."""
        self._items = items
        self._starts = unit_starts((item.selection.suite.name, item.selection.block) for item in items)
        for index, item in enumerate(items):
            item.index = index

    @cached_property
    def _adapter(self) -> Adapter:
        return adapters.load(self._lane)

    @cached_property
    def _process(self) -> LaneProcess:
        limit = self._option.timeout
        return LaneProcess(self._lane, min(limit, SECONDS) if self._option.isolated else limit)

    def _isolation(self, suite: str) -> Isolation:
        return self._isolations.setdefault(suite, Isolation(self._lane, suite=suite))

    def _reference(self, suite: Suite, case: Case, dtype: str, direction: str) -> Reference:
        if direction != FORWARD or (isinstance(case.subject, Rounded) and dtype in HALVES):  # not kept, or no integers
            return compute(case, dtype, direction)
        name = suite.name, drawn_for(dtype)
        if name not in self._references:
            self._references[name] = References(suite, name[1])
        return self._references[name][case]

    def result(self, item: CaseItem) -> Result | None:
        """The item's result; None where it killed an earlier worker."""
        if item.index not in self._results:
            self._results = self._evaluate(item)
        return self._results.pop(item.index, None)

    def environment(self) -> Mapping[str, str]:
        if "_process" in self.__dict__:
            return self._process.environment
        if "_adapter" in self.__dict__:
            return adapters.environment(self._adapter)
        if not self._isolations:
            return {}
        environment = next(iter(self._isolations.values())).call(environment_of, self._lane)
        return {} if isinstance(environment, Death) else environment

    def _evaluate(self, item: CaseItem) -> dict[int, Result]:
        if adapters.is_outside(self._lane.framework):
            return self._evaluate_outside(item)
        if item.selection.isolated:
            return {item.index: isolated(self._isolation(item.selection.suite.name), self._lane, *item.asked)}
        start, block = self._unit(item)
        if item.selection.block > 1 and self._claims and not first_to_claim(self._claims, f"block-{start}"):
            block = [item] if first_to_claim(self._claims, f"item-{item.index}") else []
        asked = [case_item.asked for case_item in block]
        evaluate = kind_of(item.asked.case).evaluate
        results = evaluate(self._lane, self._adapter, asked, partial(self._reference, item.selection.suite))
        return {case_item.index: result for case_item, result in zip(block, results, strict=True)}

    def _unit(self, item: CaseItem) -> tuple[int, Sequence[CaseItem]]:
        """Where an item's unit starts, and the items of it."""
        start, end = self._starts[item.index], item.index + 1
        while end < len(self._starts) and self._starts[end] == start:
            end += 1
        return start, self._items[start:end]

    def _evaluate_outside(self, item: CaseItem) -> dict[int, Result]:
        """The results of a block, or of the item where each is to have a process of its own."""
        lane, alone = self._lane, item.selection.isolated
        if result := outside.unsaid(lane, item.asked):
            return {item.index: result}
        _, unit = (item.index, [item]) if alone else self._unit(item)
        block = [said for said in unit if outside.unsaid(lane, said.asked) is None]
        reference = compute if alone else partial(self._reference, item.selection.suite)
        jobs = [Job(said.asked.case, said.asked.dtype, reference(*said.asked)) for said in block]
        results = outside.evaluate(self._process, lane, jobs)
        if alone:
            self._process.stop()
        return {case_item.index: result for case_item, result in zip(block, results, strict=True)}


def unit_starts(suites: Iterable[tuple[str, int]]) -> list[int]:
    """Where the unit of each item starts, by the items' suites and how many of a suite are evaluated at once."""
    starts: list[int] = []
    current, first = "", 0
    for position, (suite, size) in enumerate(suites):
        if suite != current:
            current, first = suite, position
        starts.append(first + (position - first) // size * size)
    return starts


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
