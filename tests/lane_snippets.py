"""Scripts of the site, run as they are pasted, in each lane's own environment: what they print is what they claim."""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance import adapters, data, oracle
from conformance.adapters import AdapterError, Lane
from conformance.problem import Problem
from conformance.snippets import of_problem

RIGHT = ("i3 k2", "i5 k3 s2 p1:2 op1 bias n2", "i4x3 k3x2 s2 p1x0 oc2 ic2", "i3x2 k2 s2x1 p0:1x-1")
WRONG = {"mxnet-native": {"i2 k2 s2 d2": "2 of 5 values differ"}}
"""What a lane is known to get wrong, and what the script says of it."""


def installed() -> list[Lane]:
    """The lanes of the framework whose environment this is; there must be one."""
    found = []
    for lane in adapters.lanes():
        try:
            adapters.require_installed(lane.framework)
        except AdapterError:
            continue
        found.append(lane)
    assert found, "no framework is installed here: run this in a lane's environment, as tox does"
    return found


def last_line(path: Path, lane: Lane, text: str) -> str:
    problem = Problem.parse(text)
    arrays = data.draw(text.replace(" ", "-"), problem)
    snippet = of_problem(lane, problem, arrays, oracle.expected(problem, *arrays), "float32")
    (path / "pasted.py").write_text(snippet.code, encoding="utf-8")
    done = subprocess.run([sys.executable, path / "pasted.py"], capture_output=True, text=True, check=True, timeout=300)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("lane", "problem", "said"),
    [(lane, problem, "0 of ") for lane in installed() for problem in RIGHT]
    + [(lane, *each) for lane in installed() for each in WRONG.get(str(lane), {}).items()],
    ids=str,
)
def test_a_script_prints_how_many_values_differ(tmp_path: Path, lane: Lane, problem: str, said: str) -> None:
    assert last_line(tmp_path, lane, problem).startswith(said)
