"""A function of the user put to a suite: its calls in one fork of his process, the judgement in another.

    the user's process -> judge, which has the expected arrays -> the function, which has operands alone

Neither the function nor the judge can change anything in the user's process. What the judge finds is a record file.
"""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from conformance.adapters.base import Lane
from conformance.io.terminal import progress
from conformance.layout import Array
from conformance.numerics.operands import DTYPES
from conformance.predicates.predicate import Predicate
from conformance.problem import FORWARD
from conformance.processes import lane_process
from conformance.processes.tree import adopt_orphans, die_with, end_strays, end_tree
from conformance.records.journal import Journal
from conformance.records.machine import measure_machine
from conformance.records.record import FUNCTION, NAME, Header, Record, path
from conformance.run import Job
from conformance.runner.items import npy
from conformance.runner.kinds import kind_of
from conformance.runner.outside import LaneProcess, evaluate
from conformance.runner.outside.forked import Forked, fork, open_files
from conformance.suites import cases as case_files
from conformance.suites.case import Case, Suite
from conformance.suites.cases import SUITES
from conformance.suites.reference_cache import References
from conformance.suites.references import Reference, compute, oracle_digest
from conformance.testing.function import CheckError, Function, lane_name, require_layouts
from conformance.testing.report import Report

SECONDS = 10.0
AT_ONCE = 32
"""Jobs that the function's process is given at once, and answers one by one."""
FEW = 20
"""Cases up to which expected arrays are computed, and none of the whole suite are looked up."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be asked of a function, and by what name it is recorded."""

    lane: Lane
    suite: Suite
    cases: tuple[Case, ...]
    dtypes: tuple[str, ...]
    function: Function
    seconds: float
    where: str = ""

    @property
    def narrowed(self) -> str:
        """What made this less than the suite; empty where it is the whole."""
        ids = [f"case={case.id}" for case in self.cases] if self.cases != self.suite.cases else []
        ids = [f"where={self.where}"] if ids and self.where else ids
        names = [f"dtype={dtype}" for dtype in self.dtypes] if self.dtypes != (self.suite.dtypes or DTYPES) else []
        return " ".join([*ids, *names])


def check(
    function: Callable[..., Any],
    *,
    data: str = "n c k",
    weight: str = "(g i) o k",
    suite: str = "",
    cases: Sequence[str] = (),
    where: str = "",
    dtypes: Sequence[str] = (),
    tensor: Callable[[Array], Any] | None = None,
    name: str = "",
    seconds: float = SECONDS,
) -> Report:
    """Every case of a suite put to a function, and what came of it.

    The function is called as `function(x, weight, bias, *, stride, padding, output_padding, groups, dilation)`; a tuple
    has a value for each spatial axis, and bias may be None. What it does not take it is never given: cases that need it
    are `unsupported`. `data` and `weight` are the layouts of its arrays, in letters: n batch, c channels, g groups, i
    and o channels of a group in and out, k all spatial axes. It gets NumPy arrays, or what `tensor` makes of them, such
    as `torch.from_numpy`, and returns an array of any library that has `__array__` or `__dlpack__`.

    `suite` is by default core, or the suite that has the `cases`, which are ids and by default all of the suite;
    `where` is a predicate over their problems, such as "rank == 2 and multiplies < 1000000", and leaves all others out.
    `name` is by default the function's; a call may take `seconds` of CPU time, or asleep. The calls are made in a
    process that is forked from this one, so that the function may be any, and whatever it does ends in a record. Raises
    CheckError, PredicateError, and CaseError for a suite or case that there is not.
    """
    require_layouts(data, weight)
    _require_forkable()
    if not callable(function):
        raise CheckError(f"function is {function!r}: give something that can be called")
    if not 0 < seconds < float("inf"):
        raise CheckError(f"seconds is {seconds!r}: give a number above 0")
    if name and not re.fullmatch(NAME, name):
        raise CheckError(f"name is {name!r}: give at most 100 letters, digits, _, . and -, and no . or - first")
    whole, chosen, asked_in = _asked(suite, _listed(cases), _listed(dtypes))
    lane = Lane(name or lane_name(function), FUNCTION)
    plan = _Plan(lane, whole, _within(whole, chosen, where), asked_in, Function(function, data, weight, tensor),
                 seconds, where)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        report = _judged(plan, Path(folder))
    report.again = partial(_again, {"function": function, "data": data, "weight": weight, "suite": suite,
                                    "tensor": tensor, "name": name, "seconds": seconds})  # fmt: skip
    return report


def _again(given: Mapping[str, Any], record: Record) -> str:
    """The line of Python that puts a record's case to the function again, with the arguments that were given."""
    words = [f"cases=[{record.case!r}]", f"dtypes=[{record.dtype!r}]"]
    for name, parameter in signature(check).parameters.items():
        value = given.get(name, parameter.default)
        if name != "function" and value != parameter.default and (name != "suite" or value not in SUITES):
            words.append(f"{name}={lane_name(value) if callable(value) else repr(value)}")
    return f"conformance.check({lane_name(given['function'])}, {', '.join(words)})"


def _within(suite: Suite, chosen: tuple[Case, ...], where: str) -> tuple[Case, ...]:
    """The cases whose problems a predicate holds of. Raises CheckError where there are none, and PredicateError."""
    if not where:
        return chosen
    holds = Predicate.parse(where)
    if not (within := tuple(case for case in chosen if holds(case.problem))):
        raise CheckError(f"none of the {len(chosen):,} cases of {suite.name!r} is where {where!r}: give a wider one")
    return within


def _listed(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts, of which one may be given by itself."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _asked(suite: str, cases: Sequence[str], dtypes: Sequence[str]) -> tuple[Suite, tuple[Case, ...], tuple[str, ...]]:
    """The suite, and those of its cases and the dtypes that are asked for. Raises CheckError and CaseError."""
    if unknown := [dtype for dtype in dtypes if dtype not in DTYPES]:
        raise CheckError(f"no function is checked in {unknown[0]!r}: the dtypes are {', '.join(DTYPES)}")
    whole = case_files.suite_with(cases) if cases and not suite else case_files.read_suite(suite or "core")
    if not kind_of(whole.cases[0]).outside:
        raise CheckError(
            f"the suite {whole.name!r} has calls that are written for certain frameworks: give another, as core"
        )
    asked_in = tuple(dtypes) or whole.dtypes or DTYPES
    if not {*asked_in} <= {*DTYPES}:
        raise CheckError(
            f"the suite {whole.name!r} is for {' and '.join(asked_in)}: give dtypes, of {' and '.join(DTYPES)}"
        )
    return whole, case_files.find(whole, cases).cases if cases else whole.cases, asked_in


def _require_forkable() -> None:
    """Raises CheckError where a process cannot be forked, or what a framework has started would not survive it."""
    if not sys.platform.startswith("linux"):
        raise CheckError(f"check needs Linux, this is {sys.platform}: write an adapter, or use `cases` in tests")
    backends = getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None)
    if backends:
        raise CheckError(
            "JAX has computed in this process, and what it has started does not survive a fork: call check before JAX "
            "makes its first array, as in a script of its own"
        )


def _judged(plan: _Plan, folder: Path) -> Report:
    """The report of a judge in a process of its own, which writes a record file into a folder."""
    ours = os.getpid()
    pid = fork()
    if pid == 0:
        _judge(plan, folder, ours)
    try:
        _, status = os.waitpid(pid, 0)
    except BaseException:
        end_tree(pid)
        os.waitpid(pid, 0)
        raise
    file = path(folder, str(plan.lane), plan.suite.name, narrowed=bool(plan.narrowed))
    if status or not file.exists():
        said = Path(folder, "error")
        words = said.read_text(encoding="utf-8") if said.exists() else f"its process ended with {status}"
        raise CheckError(f"the judge of {plan.lane} failed, which is a bug of conformance: {words}")
    return Report.read(file)


def _judge(plan: _Plan, folder: Path, parent: int) -> NoReturn:
    """In the judge's process: everything is asked and recorded, and the process ends."""
    status = 1
    try:
        kept = open_files()
        os.setsid()
        die_with(parent)
        adopt_orphans()
        _record(plan, folder, kept)
        status = 0
    except BaseException:
        Path(folder, "error").write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        end_strays()
        os._exit(status)


def _record(plan: _Plan, folder: Path, kept: frozenset[int]) -> None:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    serve = partial(lane_process.serve, os.getpid(), lambda lane: _settled(plan.function))
    process = LaneProcess(plan.lane, plan.seconds, lambda: Forked(serve, kept))
    process.start()  # before the expected arrays are in this process, of which it is a copy
    journal = Journal(folder / "journal")
    reference = compute if len(plan.cases) <= FEW else References(plan.suite).__getitem__
    count = len(plan.cases) * len(plan.dtypes)
    asked = progress(_jobs(plan, reference), plan.lane.framework, "records", count)
    while jobs := [*islice(asked, AT_ONCE)]:
        for result in evaluate(process, plan.lane, jobs):
            journal.add(result.record, {name: npy(array) for name, array in result.arrays.items()})
    process.stop()
    header = Header(
        plan.lane.framework, plan.lane.variant, plan.suite.name, plan.dtypes, (FORWARD,), plan.suite.digest, count,
        oracle_digest(), (1, 1), plan.narrowed, process.environment, started, measure_machine({}),
    )  # fmt: skip
    journal.close(header.path(folder), header, complete=True)


def _jobs(plan: _Plan, reference: Callable[[Case], Reference]) -> Iterator[Job]:
    """What is asked, with each reference read once for all dtypes."""
    for case in plan.cases:
        known = reference(case)
        yield from (Job(case, dtype, known) for dtype in plan.dtypes)


def _settled(function: Function) -> Any:
    """The function in a fork, in which threads of PyTorch that were started before are no longer there."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    return function
