"""One problem: its verdict is told whatever the framework does to its process, and so are the arrays."""

import json
import os
import subprocess
import sys

import pytest

from tests.runner.test_lane_run import ADAPTERS


def one(fault: str, descriptor: str = "i3 k2", adapter: str = "oracle_adapter") -> tuple[int, str, str]:
    """How `conformance call` ends on an adapter with a fault everywhere: status, output, errors."""
    faults = {"FAULT": f"{fault}@", "ODD_PLAN": json.dumps({"every problem": fault})}
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "one", adapter, descriptor], timeout=120,
        env=os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS)} | faults, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "texts"),
    [
        ("", 0, ["conforms: oracle_adapter-single float32 'i3 k2'", "output: (1, 1, 4)", "x (1, 1, 3)"]),
        ("wrong", 1, ["diverges value: ", "4 of 4 values differ", "diagnosis: unexplained", "actual (1, 1, 4)"]),
        ("unsupported", 0, ["unsupported: ", "no call says this"]),
        ("refuse", 0, ["rejects: ", "not today"]),
        ("raise", 1, ["errored: ", "a bug"]),
        ("segfault", 1, ["crashed: ", "SIGSEGV"]),
        ("kill", 1, ["crashed: ", "SIGKILL"]),
        ("exit", 1, ["crashed: ", "status 7"]),
    ],
)
def test_a_verdict_is_told_with_the_operands_and_the_expected_array(fault: str, status: int, texts: list[str]) -> None:
    ended, out, err = one(fault)
    assert (ended, err) == (status, "")
    assert out.startswith(texts[0])
    for text in [*texts[1:], "weight (1, 1, 2)", "expected (1, 1, 4)"]:
        assert text in out, out


@pytest.mark.parametrize("cheat", ["wrong, patches comparisons", "wrong, searches frames"])
def test_an_implementation_from_outside_is_not_judged_where_it_answers(cheat: str) -> None:
    status, out, _ = one(cheat, adapter="odd_adapter")
    assert (status, out.splitlines()[0]) == (1, "diverges value: odd_adapter-only float32 'i3 k2'")


@pytest.mark.slow
def test_what_a_framework_prints_is_not_among_the_answers() -> None:
    status, out, _ = one("print")
    assert status == 0
    assert "noise" not in out
