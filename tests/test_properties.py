"""Properties of a right implementation hold, a wrong one fails those that see its fault; fuzzing finds it, shrunk."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from test_lane_run import ADAPTERS

from conformance import cases
from conformance.adapters import base
from conformance.answers import compute
from conformance.cases import read_file
from conformance.data import Arrays
from conformance.oracle import expected
from conformance.problem import Problem
from conformance.properties import FAILS, HOLDS, PROPERTIES, Asked, _compared


def asked(problem: Problem, shift: int = 0, dilation: bool = True) -> Asked:
    """A problem put to the oracle, which is wrong by a shift of the window or blind to dilation if asked."""
    arrays = compute(cases.Case("p", problem, str(problem), "", (), "")).arrays

    def answer(p: Problem, x: base.Array, w: base.Array, b: base.Array | None) -> base.Array:
        moved = tuple((lo + shift, hi - shift) for lo, hi in p.window)
        said = Problem.of(
            p.input, p.kernel, p.stride, moved, 0, p.dilation if dilation else 1,
            groups=p.groups, in_channels=p.in_channels, out_channels=p.out_channels, batch=p.batch, bias=p.bias,
        )  # fmt: skip
        return expected(said, x, w, b)

    from oracle_adapter import convolution

    return Asked(problem, Arrays(*arrays), answer, convolution)


@pytest.fixture(autouse=True)
def adapter_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ADAPTERS))


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_holds_of_the_definition(name: str) -> None:
    outcomes = []
    for case in cases.read_suite("smoke").cases:
        if (sides := PROPERTIES[name](asked(case.problem))) is not None:
            outcomes.append(_compared(*sides)[0])
    assert outcomes
    assert set(outcomes) == {HOLDS}


@pytest.mark.parametrize(("name", "fault"), [("adjoint", "shift"), ("translated", "shift"), ("undilated", "dilation")])
def test_a_property_fails_where_it_sees_the_fault(name: str, fault: str) -> None:
    problem = Problem.parse("i3 k3 s2 p1 d2 ic2 oc3")
    wrong = asked(problem, shift=1) if fault == "shift" else asked(problem, dilation=False)
    sides = PROPERTIES[name](wrong)
    assert sides is not None
    assert _compared(*sides)[0] == FAILS


def fuzz(folder: Path, fault: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault}
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "fuzz", "oracle_adapter"]
    return subprocess.run(
        [*command, f"--to={folder}", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_planted_fault_is_found_shrunk_and_written_as_a_case(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "wrong@d2", "--minutes", "1", "--seed", "0")
    assert done.returncode == 1, done.stderr
    (path,) = tmp_path.glob("*.toml")
    (case,) = tomllib.loads(path.read_text())["case"]
    assert case["problem"] == "i1 k1 d2"
    assert next(iter(read_file(path))).descriptor == "i1 k1 d2"


def test_a_crash_is_found_too(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "segfault@s2", "--minutes", "1")
    assert "crashed" in done.stdout
    assert '"i1 k1 s2"' in done.stdout


def test_a_search_without_findings_remembers_where_it_ended(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "", "--minutes", "0.15")
    assert done.returncode == 0, done.stderr
    assert "nothing new" in done.stdout
