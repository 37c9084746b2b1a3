"""The page on adapters: its table has every field of a problem, and its example conforms everywhere."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from conformance.problem import Problem
from conformance.records import record_file

PAGE = (Path(__file__).parents[2] / "docs" / "adding-an-adapter.md").read_text(encoding="utf-8")


def conformance(folder: Path, *words: str) -> tuple[int, str]:
    """How a command ends with the adapters of a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words], cwd=folder, timeout=300, capture_output=True, text=True,
        env=os.environ | {"CONFORMANCE_ADAPTERS": str(folder / "mine")}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the example is saved as the page says."""
    code, *_ = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "stamps.py").write_text(code, encoding="utf-8")
    return tmp_path


def test_the_table_has_every_field_of_a_problem_in_order() -> None:
    table = PAGE.partition("`problem` is a `Problem`")[2].partition("\n\n`problem.full`")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == [field.name for field in fields(Problem)]


@pytest.mark.slow
def test_the_example_conforms_in_every_case(folder: Path) -> None:
    ended, out = conformance(folder, "run", "stamps", "--suite", "smoke", "-n", "0")
    assert ended == 0, out
    run = record_file.read(folder / "reports" / "records" / "stamps-plain-smoke.jsonl")
    assert run.complete
    assert set(run.verdicts) == {"conforms"}


@pytest.mark.slow
def test_a_fault_in_the_example_is_named_as_the_page_says(folder: Path) -> None:
    adapter = folder / "mine" / "stamps.py"
    code = adapter.read_text(encoding="utf-8")
    wrong = code.replace('"dilation": problem.dilation', '"dilation": (1,) * problem.rank')
    assert wrong != code
    adapter.write_text(wrong, encoding="utf-8")
    ended, out = conformance(folder, "one", "stamps", "i3 k2 s2 d2")
    assert ended == 1
    assert "diagnosis: equals the oracle with dilation ignored" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('VARIANTS = {"plain": {}}', 'VARIANTS = dict(plain={})', "VARIANTS is no literal"),
        ("BLOCK = 1\n", "", "defines no BLOCK: an adapter has these"),
        ("REFUSALS = (NotImplementedError,)\n", "", "defines no REFUSALS: an adapter has these"),
        ("def describe()", "def describes()", "defines no describe: an adapter has these"),
        ("import numpy as np", "import numpy as np\nimport nosuch", "needs nosuch, which is not installed here: "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", [("run", "stamps", "--suite", "smoke"), ("one", "stamps", "i3 k2")])
def test_an_adapter_that_lacks_something_is_told_in_a_line(
    folder: Path, old: str, new: str, text: str, verb: tuple[str, ...]
) -> None:
    adapter = folder / "mine" / "stamps.py"
    code = adapter.read_text(encoding="utf-8")
    assert old in code
    adapter.write_text(code.replace(old, new), encoding="utf-8")
    ended, out = conformance(folder, *verb)
    assert text in out
    assert (ended, out.count("\n")) == (2, 1), out
    assert "tox" not in out


@pytest.mark.slow
def test_an_annotated_literal_is_a_literal(folder: Path) -> None:
    adapter = folder / "mine" / "stamps.py"
    code = adapter.read_text(encoding="utf-8").replace("VARIANTS = ", "VARIANTS: dict[str, dict[str, str]] = ")
    adapter.write_text(code, encoding="utf-8")
    assert conformance(folder, "one", "stamps", "i3 k2")[0] == 0
