"""`conformance check`: a function by its name, put to a suite, with its record file and exit status."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli.check import command
from conformance.records import record_file
from conformance.suites.cases import read_suite

LIBRARY = """
from conformance import oracle

def right(x, weight, bias, **options):
    return oracle.conv_transpose(x, weight, bias, **options).astype(x.dtype)

class Layers:
    @staticmethod
    def negative(x, weight, bias, **options):
        return -right(x, weight, bias, **options)

def endless(x, weight, bias, **options):
    while True:
        pass

def foreign(array):
    return array.copy()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module in it."""
    (tmp_path / "library_to_check.py").write_text(LIBRARY)
    (tmp_path / "broken_to_check.py").write_text("raise OSError('no disk')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    return tmp_path


def done(*words: str) -> Result:
    return CliRunner().invoke(command, words, standalone_mode=False)


@pytest.mark.slow
def test_a_right_function_is_green_and_leaves_its_record_file(folder: Path) -> None:
    result = done("library_to_check:right", "--suite", "smoke", "--tensor", "library_to_check:foreign")
    file = Path("reports/records/right-function-smoke.jsonl")
    assert result.output == f"right, suite smoke: 120 records: 120 conform\nnothing fails\n{file}\n"
    assert result.return_value == 0
    assert record_file.read(folder / file).verdicts == {"conforms": 120}


def test_a_wrong_function_is_red_and_keeps_the_name_that_it_is_given(folder: Path) -> None:
    options = ("--suite", "smoke", "--case", "smoke-1d-10", "--dtype", "float32", "--name", "mine", "--records", "kept")
    result = done("library_to_check:Layers.negative", *options)
    assert result.return_value == 1
    assert result.output.startswith("mine, suite smoke: 1 record: 1 diverges\n1. 1 diverges: equals")
    assert (folder / "kept/partial/mine-function-smoke.jsonl").exists()


def test_a_run_may_be_of_some_problems_and_names_the_commands_that_go_on(folder: Path) -> None:
    kind = "rank == 2 and groups == 1"
    options = ("--suite", "smoke", "--where", kind, "--dtype", "float32", "--tensor", "library_to_check:foreign")
    result = done("library_to_check:Layers.negative", *options)
    file = Path("reports/records/partial/negative-function-smoke.jsonl")
    run = record_file.read(folder / file)
    assert run.header.selection.startswith(f"where={kind}")
    asked = {case.id for case in read_suite("smoke").cases if case.problem.rank == 2 and case.problem.groups == 1}
    assert {record.case for record in run.records} == asked
    again = re.search("conformance (check library_to_check:Layers.negative --tensor .*)", result.output)
    assert again is not None
    once = done(*shlex.split(again[1])[1:])
    assert once.output.startswith("negative, suite core: 1 record: 1 diverges")
    assert f"\nnext: `conformance show {file} " in result.output


def test_a_function_that_is_too_slow_is_told_what_to_give(folder: Path) -> None:
    options = ("--suite", "smoke", "--where", "multiplies < 12 and rank == 1", "--dtype", "float32", "--seconds", "0.3")
    result = done("library_to_check:endless", *options)
    assert "no answer after 0.3 s of CPU time" in result.output
    assert "conformance check library_to_check:endless --seconds 0.3 --case " in result.output
    assert "give a call more time by `seconds` (--seconds in a shell), or leave large problems out" in result.output


WRONG = {
    "library_to_check:right --seconds nan": "nan is no number",
    "library_to_check:right --where rank==9": "none of the 6,462 cases of 'core' is where 'rank==9'",
    "library_to_check:right --where rnk==2": "there is no field 'rnk', the nearest is 'rank'",
    "library_to_check": "'library_to_check': give MODULE:FUNCTION, such as",
    "library_to_check:nothing": "module 'library_to_check' has no attribute 'nothing'",
    "nothing_to_check:f": "imported here, ModuleNotFoundError: No module named 'nothing_to_check': install",
    "broken_to_check:f": "cannot be imported here, OSError: no disk: fix what it says",
    "library_to_check:__name__": "function is 'library_to_check': give something that can be called",
    "library_to_check:right --weight xyz": "the weight layout 'xyz': give one such as",
    "library_to_check:right --suite nosuch": "nosuch",
    "library_to_check:right --tensor nosuch": "'nosuch': give MODULE:FUNCTION",
    "library_to_check:right --expectations other.toml": "other.toml is of 'other', and this is about right",
}


@pytest.mark.parametrize("words", WRONG)
@pytest.mark.usefixtures("folder")
def test_a_mistake_is_refused_by_name(words: str) -> None:
    assert WRONG[words] in str(done(*words.split()).exception)
