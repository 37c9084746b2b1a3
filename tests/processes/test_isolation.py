"""Calls in processes of their own: however one ends, its record says so, and the next call gets its own answer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters.base import Lane
from conformance.idioms import IdiomError
from conformance.processes.isolation import STARTS, Death, HarnessError, Isolation, IsolationError, Limits, death_of
from conformance.processes.memory import exhausted
from conformance.records import record_file
from conformance.records.record import Verdict
from tests.runner.test_lane_run import ADAPTERS, descriptor, lane

CASE = "smoke-2d-05"
ORACLE = Lane("oracle_adapter", "single")


def number(value: int) -> int:
    return value


def late(seconds: float, value: int) -> int:
    time.sleep(seconds)
    return value


def words(how: str) -> None:
    print("a line on stdout")
    sys.stderr.write("F0000 00:00:1795310734.597554   29178 kernel.cc:610] Check failed: x\n")
    sys.stderr.flush()
    if how == "abort":
        os.abort()
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    os._exit(7)


def allocate(size: int) -> int:
    return len(bytearray(size))


def raises() -> None:
    raise KeyError("not caught")


def raises_ours() -> None:
    raise IdiomError("w is no tensor of this call")


@pytest.fixture(params=[False, True], ids=["server", "once"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Isolation:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    return Isolation(ORACLE, Limits(seconds=2.0, memory=2**28), once=request.param)


def death(found: Any) -> Death:
    assert isinstance(found, Death), found
    return found


def test_every_call_has_a_process_of_its_own(isolation: Isolation) -> None:
    pids = [isolation.call(os.getpid) for _ in range(3)]
    assert len({*pids, os.getpid()}) == 4


def test_a_single_call_needs_no_server(isolation: Isolation, request: pytest.FixtureRequest) -> None:
    assert (isolation.call(os.getppid) == os.getpid()) is request.node.callspec.params["isolation"]


@pytest.mark.parametrize(("how", "cause"), [("abort", "SIGABRT"), ("segfault", "SIGSEGV"), ("exit", "status 7")])
def test_a_death_names_its_signal_or_status_the_function_and_the_last_words(
    isolation: Isolation, how: str, cause: str
) -> None:
    found = death(isolation.call(words, how))
    assert found.verdict is Verdict.CRASHED
    assert cause in found.message
    assert (" in words" in found.cause) is (how != "exit")
    assert found.trace[-1] == "kernel.cc:610] Check failed: x"


NODE = """node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module '@tensorflow/tfjs'
Require stack:
- /clone/programs/tfjs.mjs
    at Function._resolveFilename (node:internal/modules/cjs/loader:1225:15) {
  code: 'MODULE_NOT_FOUND'
}

Node.js v20.20.2
"""


def test_the_last_words_of_javascript_are_its_error_and_not_its_stack() -> None:
    assert death_of(1, NODE, "").message == "exited with status 1: Error: Cannot find module '@tensorflow/tfjs'"


XLA = """F1130 22:27:18.172223    3578 algebraic_simplifier.cc:586] Check failed: Accept(this) is OK (Window dimensions:
	RHS shape: f32[1,3,2,1]


Suspected Python Code Location:
  /clone/conformance/adapters/jax.py:126:16 [run]
  /clone/conformance/__main__.py:5 [<module>] [xla::PythonStackTrace=''])
*** Check failure stack trace: ***
    @     0x7f9c82180634  absl::log_internal::LogMessage::SendToLog()
"""


def test_the_last_word_of_a_check_is_the_line_that_failed() -> None:
    assert death_of(-signal.SIGABRT, XLA, "").message == (
        "killed by SIGABRT: algebraic_simplifier.cc:586] Check failed: Accept(this) is OK (Window dimensions:"
    )


@pytest.mark.slow
def test_an_answer_that_comes_late_is_nobodys(isolation: Isolation) -> None:
    """The process sleeps past its limit; what it would have answered is not what the next calls get."""
    found = death(isolation.call(late, 3.0, 1))
    assert found.verdict is Verdict.TIMED_OUT
    assert "2 s" in found.message
    assert [isolation.call(number, value) for value in (2, 3)] == [2, 3]
    time.sleep(1.5)
    assert isolation.call(late, 0.1, 4) == 4


def test_another_lane_in_the_same_process_is_refused(isolation: Isolation) -> None:
    """A framework reads its environment once, so that a warm server of one lane would answer for another."""
    assert isolation.call(number, 1) == 1
    with pytest.raises(IsolationError, match="warm for oracle_adapter-single"):
        Isolation(Lane("oracle_adapter", "other"))


def test_memory_is_bounded_and_its_end_does_not_end_the_run(isolation: Isolation) -> None:
    found = death(isolation.call(allocate, 2**29))
    assert "out of memory" in found.message
    assert isolation.call(allocate, 2**20) == 2**20


def test_an_exception_that_nobody_caught_is_a_death_with_its_message(isolation: Isolation) -> None:
    assert "KeyError" in death(isolation.call(raises)).message


def test_an_error_of_this_project_is_raised_and_is_no_death(isolation: Isolation) -> None:
    with pytest.raises(HarnessError, match=r"by an error of conformance itself: IdiomError: w is no tensor of this"):
        isolation.call(raises_ours)
    assert isolation.call(number, 3) == 3


@pytest.mark.slow
def test_a_framework_that_dies_at_import_is_started_a_bounded_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_adapter.py").write_text(
        'import os\nfrom pathlib import Path\nVARIANTS = {"only": {}}\nREFUSALS = ()\nBLOCK = 1\n'
        "describe = translate = run = array = tensor = None\n"
        f"with Path({str(tmp_path / 'starts')!r}).open('a') as log:\n    log.write('.')\nos.abort()\n"
    )
    code = (
        "from conformance.adapters import Lane\nfrom conformance.processes.isolation import Isolation\n"
        "isolation = Isolation(Lane('broken_adapter', 'only'))\n"
        "print([isolation.call(int).message for _ in range(3)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"CONFORMANCE_ADAPTERS": str(tmp_path)}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    message = f"{STARTS} of {STARTS} starts used: broken_adapter-only is broken at import"
    assert done.stdout.strip() == str([message] * 3)
    assert (tmp_path / "starts").read_text() == "." * STARTS


@pytest.mark.parametrize(
    "text",
    [
        "std::bad_alloc",
        "RESOURCE_EXHAUSTED: Out of memory allocating",
        "can't allocate memory: you tried",
        "MemoryError",
    ],
)
def test_memory_that_ran_out_is_recognised_in_what_frameworks_say(text: str) -> None:
    assert exhausted(text)
    assert not exhausted("output size is too small")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "verdict", "message"),
    [("segfault", Verdict.CRASHED, "SIGSEGV"), ("exit", Verdict.CRASHED, "status 7"),
     ("hang", Verdict.TIMED_OUT, "no answer"), ("wrong", Verdict.DIVERGES, "differ"),
     ("print", Verdict.CONFORMS, "")],
)  # fmt: skip
def test_an_isolated_run_records_every_case_whatever_one_of_them_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, verdict: Verdict, message: str
) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    _, output = lane(tmp_path, "-n1", "--isolated", "-k", f"{CASE} or smoke-2d-06", fault=f"{fault}@{descriptor(CASE)}")
    run = record_file.read(tmp_path / "partial" / "oracle_adapter-single-smoke.jsonl")
    (found,) = [each for each in run.records if each.case == CASE and each.dtype == "float32"]
    assert run.complete, output
    assert found.verdict is verdict
    assert message in found.message
    assert {each.verdict for each in run.records if each is not found} == {Verdict.CONFORMS}
    assert run.header.environment["variant"] == "single"
