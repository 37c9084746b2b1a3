"""Implementations from outside: whatever one does to its process ends in one record, and the run goes on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.adapters import is_outside
from conformance.adapters.base import Lane
from conformance.records import record_file
from conformance.records.record import Run
from conformance.suites import cases

ADAPTERS = Path(__file__).parents[1] / "adapters"
SECONDS = 2

VIOLATION = "errored", "its process gave "
SLEPT, SPUN = ("timed-out", f"no answer after {SECONDS} s asleep"), ("timed-out", f"no answer after {SECONDS} s of CPU")
ENDS = {
    "exits": ("crashed", "exited with status 7"),
    "exits with 0": ("crashed", "exited with status 0"),
    "aborts": ("crashed", "killed by SIGABRT"),
    "kills itself": ("crashed", "killed by SIGKILL"),
    "terminates itself": ("crashed", "killed by SIGTERM"),
    "segfaults": ("crashed", "killed by SIGSEGV"),
    "bus error": ("crashed", "killed by SIGBUS"),
    "illegal instruction": ("crashed", "killed by SIGILL"),
    "floating-point signal": ("crashed", "killed by SIGFPE"),
    "stops itself": SLEPT,
    "sleeps": SLEPT,
    "spins": SPUN,
    "hangs with the interpreter's lock": SLEPT,
    "cancels timers and hangs": SLEPT,
    "blocks every signal and hangs": SLEPT,
    "ignores signals and hangs": SLEPT,
    "translate: hangs": SLEPT,
    "translate: exits": ("crashed", "exited with status 3"),
    "KeyboardInterrupt": ("errored", "KeyboardInterrupt"),
    "SystemExit": ("errored", "SystemExit"),
    "GeneratorExit": ("errored", "GeneratorExit"),
    "BaseException": ("errored", "BaseException: base"),
    "refuses": ("rejects", "ArithmeticError: no"),
    "interrupts its process": ("crashed", ""),
    "hangs up its process": ("crashed", "killed by SIGHUP"),
    "recurses in Python": ("errored", "RecursionError: maximum recursion depth exceeded"),
    "recurses in C": ("crashed", "killed by SIGSEGV"),
    "exhausts memory in Python": ("inconclusive", "memory ran out, of which a call may take 4 GiB here"),
    "exhausts memory": ("inconclusive", "memory ran out"),
    "leaves a child": ("conforms", ""),
    "leaves a daemon and dies": ("crashed", "exited with status 5"),
    "leaves a child and hangs": SLEPT,
    "comes back twice": ("conforms", ""),
    "closes descriptors": ("crashed", "exited with status 1"),
    "closes every descriptor": ("crashed", ""),
    "lowers the recursion limit": ("conforms", ""),
    "lowers the limit of descriptors": ("conforms", ""),
    "limits its CPU time": ("crashed", "killed by SIG"),
    "prints to stdout": ("conforms", ""),
    "prints to descriptor 1": ("conforms", ""),
    "says what is no JSON": (*VIOLATION[:1], VIOLATION[1] + "a line that is not of the protocol: b'hello"),
    "says what is no message": (*VIOLATION[:1], VIOLATION[1] + "a line that is no message: b'[1, 2]"),
    "says half a line": ("crashed", "exited with status 0"),
    "answers for another case": (*VIOLATION[:1], VIOLATION[1] + "an answer to another job"),
    "floods the protocol": (*VIOLATION[:1], VIOLATION[1] + "a line of more than 1048576 bytes"),
    "forges a verdict": (*VIOLATION[:1], VIOLATION[1] + "the verdict 'conforms', which no lane process gives"),
    "forges a size": (*VIOLATION[:1], VIOLATION[1] + "an array of 4398046511104 bytes"),
    "forges a size of NaN": (*VIOLATION[:1], VIOLATION[1] + "a line that is not of the protocol"),
    "forges an object": (*VIOLATION[:1], VIOLATION[1] + "an array of dtype object"),
    "forges a shape of a million axes": (*VIOLATION[:1], VIOLATION[1] + "an array that is described by {'dtype'"),
    "forges a negative size": (*VIOLATION[:1], VIOLATION[1] + "an array that is described by {'dtype'"),
    "forges a time": (*VIOLATION[:1], VIOLATION[1] + "an answer after -1.0 seconds"),
    "forges a window": (*VIOLATION[:1], VIOLATION[1] + "the window ((-1000000000, 0)"),
    "forges a shape": (SLEPT[0], SLEPT[1] + " in forge"),
    "answers twice": (*VIOLATION[:1], VIOLATION[1] + "more than was asked for"),
    "wrong, patches comparisons": ("diverges", "values differ"),
    "wrong, searches frames": ("diverges", "values differ"),
    "writes to its operands": ("conforms", ""),
}
"""What an implementation does, and what that ends in."""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path, str]:
    """One run in which every case meets another behaviour; the file has the stat line of each process left behind."""
    folder = tmp_path_factory.mktemp("odd")
    suite = cases.read_suite("smoke").cases
    plan = dict(zip((case.descriptor for case in suite), ENDS, strict=False))
    assert len(plan) == len(ENDS), "one case a behaviour"
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "odd_adapter", "--suite=smoke", "--dtype=float32", "-n2",
         f"--timeout={SECONDS}", f"--records={folder}"],
        env=os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "ODD_PLAN": json.dumps(plan),
                          "ODD_ORPHANS": str(folder / "orphans")},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    return record_file.read(folder / "partial" / "odd_adapter-only-smoke.jsonl"), folder / "orphans", output


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestOddBehaviour:
    @pytest.mark.slow
    @pytest.mark.parametrize("behaviour", ENDS)
    def test_it_ends_in_one_record_that_says_what_happened(self, odd: tuple[Run, Path, str], behaviour: str) -> None:
        case = cases.read_suite("smoke").cases[list(ENDS).index(behaviour)].id
        (found,) = [each for each in odd[0].records if each.case == case]
        verdict, words = ENDS[behaviour]
        assert (found.verdict, words in found.message) == (verdict, True), found

    def test_every_other_case_conforms_and_none_is_missing(self, odd: tuple[Run, Path, str]) -> None:
        rest = cases.read_suite("smoke").cases[len(ENDS) :]
        assert odd[0].complete, odd[2]
        assert "INTERNALERROR" not in odd[2]
        assert {each.verdict for each in odd[0].records if each.case in {case.id for case in rest}} == {"conforms"}

    def test_no_process_is_left_behind(self, odd: tuple[Run, Path, str]) -> None:
        left = odd[1].read_text().splitlines()
        assert len(left) >= 3
        deadline = time.monotonic() + 10
        while alive := [stat for stat in left if _lives(stat)]:
            assert time.monotonic() < deadline, alive
            time.sleep(0.1)


def _lives(stat: str) -> bool:
    """Whether the process of a stat line is there; its number may have become that of another, with another start."""
    try:
        now = Path(f"/proc/{stat.split()[0]}/stat").read_text()
    except OSError:
        return False
    fields, others = (line.rpartition(")")[2].split() for line in (stat, now))
    return others[0] not in "ZX" and fields[19] == others[19]


def test_the_frameworks_here_answer_where_they_are_compared_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not is_outside("torch")
    assert Lane("torch", "eager")
