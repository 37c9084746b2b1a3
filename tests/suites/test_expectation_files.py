"""What is expected may stand in the user's own files: one that is not read as it stands is refused in one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.suites.expectation_files import GIVEN, ExpectationError, give, path, require_asked
from conformance.suites.expectations import read_expectations, read_floors
from tests.runner.test_lane_run import ADAPTERS

KNOWN = """
[[expectation]]
id = "single-is-wrong"
when = "variant == 'single'"
verdict = "diverges"
reason = "It is wrong on purpose."
upstream = "none"
since = 2026-11-29

[floor.single]
smoke = {answered = 100, of = 120}
"""
LANE = ("oracle_adapter", "--variant", "single", "--suite", "smoke", "--dtype", "float32", "--case", "smoke-1d-01")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(GIVEN, "")
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "mylib.toml").write_text(KNOWN, encoding="utf-8")
    return tmp_path


def project(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


NAMED = '[tool.conformance.expectations]\nmylib = "known/mylib.toml"\n'


def test_pyproject_of_the_folder_or_the_nearest_above_names_the_file(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(here, NAMED)
    below = here / "tests" / "more"
    below.mkdir(parents=True)
    for folder in (here, below):
        monkeypatch.chdir(folder)
        assert path("mylib") == here / "known" / "mylib.toml"
        assert [entry.id for entry in read_expectations("mylib")] == ["single-is-wrong"]
        assert read_floors("mylib")["single", "smoke"] == (100, 120)
    assert path("torch").name == "torch.toml"
    project(below, "[project]\nname = 'other'\n")
    assert path("mylib") != here / "known" / "mylib.toml"


def test_a_command_line_stands_before_pyproject(here: Path) -> None:
    project(here, NAMED)
    (here / "other.toml").write_text("", encoding="utf-8")
    assert give(["mylib=other.toml"]) == {"mylib": here / "other.toml"}
    assert path("mylib") == here / "other.toml"
    assert read_expectations("mylib") == ()


def test_a_file_that_changed_is_read_again(here: Path) -> None:
    project(here, '[tool.conformance]\nexpectations = {oracle_adapter = "known/mylib.toml"}\n')
    assert [each.id for each in read_expectations("oracle_adapter")] == ["single-is-wrong"]
    (here / "known" / "mylib.toml").write_text(KNOWN.replace("single-is-wrong", "another"), encoding="utf-8")
    assert [each.id for each in read_expectations("oracle_adapter")] == ["another"]
    project(here, "[tool.conformance]\n")
    assert not read_expectations("oracle_adapter")


def test_a_file_without_a_name_is_of_the_framework_that_it_is_called_after(here: Path) -> None:
    assert give(["known/mylib.toml", "a=b/c=d.toml"]) == {
        "mylib": here / "known" / "mylib.toml", "a": here / "b" / "c=d.toml",
    }  # fmt: skip
    require_asked(give(["known/mylib.toml"]), ["mylib", "torch"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.conformance]\nexpectation = {}\n", "unknown field `expectation`"),
        ("[tool.conformance]\nexpectations = 'known'\n", "Expected `object`, got `str`"),
        ("[tool.conformance.expectations]\nmylib = 5\n", "Expected `str`, got `int`"),
        ("tool = 5  # conformance\n", "has no attribute"),
        ("[tool.conformance\n", "cannot be read"),
        ('[tool.conformance.expectations]\nmylib = "known/none.toml"\n', "none.toml: is no file"),
        ('[tool.conformance.expectations]\nmylib = "known"\n', "known: is no file"),
    ],
)
def test_a_pyproject_that_does_not_say_which_file_is_refused_by_name(here: Path, text: str, words: str) -> None:
    project(here, text)
    with pytest.raises(ExpectationError) as error:
        path("mylib")
    assert words in str(error.value)
    assert "pyproject.toml" in str(error.value) or "no file" in str(error.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["=x.toml"], "--expectations =x.toml: give FILE, or NAME=FILE"),
        (["mylib="], "--expectations mylib=: give FILE, or NAME=FILE"),
        (["mylib=a.toml", "mylib=b.toml"], "mylib has "),
    ],
)
def test_what_names_no_file_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(ExpectationError) as error:
        give(given)
    assert words in str(error.value)


def test_a_file_of_a_framework_that_nothing_is_asked_of_is_refused() -> None:
    with pytest.raises(ExpectationError) as error:
        require_asked(give(["known/mylib.toml"]), ["torch"])
    assert "mylib.toml is of 'mylib', and this is about torch: give --expectations NAME=" in str(error.value)


def conformance(*words: str, module: str = "conformance") -> tuple[int, str]:
    folder = Path("adapters")
    folder.mkdir(exist_ok=True)
    shutil.copy(ADAPTERS / "oracle_adapter.py", folder)
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(folder.absolute()), "FAULT": "wrong@"}
    environment.pop(GIVEN)
    done = subprocess.run(
        [sys.executable, "-m", module, *words], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestCommands:
    """Each reads the same file, and refuses the same file."""

    @pytest.mark.slow
    def test_a_run_a_check_and_a_report_know_what_the_users_file_says(self, here: Path) -> None:
        project(here, NAMED.replace("mylib =", "oracle_adapter ="))
        ended, out = conformance("run", *LANE, "--records", "records")
        assert ended == 0, out
        assert "known, single-is-wrong" in out
        ended, out = conformance("expect", "explain", "smoke-1d-01", "--records", "records/partial")
        assert (ended, "known: single-is-wrong" in out) == (0, True), out
        (here / "pyproject.toml").unlink()
        assert conformance("run", *LANE, "--records", "records")[0] == 1
        given = ("--expectations", "oracle_adapter=known/mylib.toml")
        assert conformance("run", *LANE, "--records", "records", *given)[0] == 0
        assert conformance("expect", "check", "--records", "records/partial")[0] == 1
        ended, out = conformance("expect", "check", "--records", "records/partial", *given)
        assert (ended, "cover 1 of 1 records" in out) == (0, True), out
        lane = ("--lane", "oracle_adapter-single", "--records", "records/partial", "--to", "to")
        assert conformance("report", *lane)[0] == 1
        ended, out = conformance("report", *lane, *given)
        assert (ended, "0 new, 1 known" in out) == (0, True), out

    @pytest.mark.slow
    def test_pytest_knows_it_too(self, here: Path) -> None:
        words = ("--framework", "oracle_adapter", *LANE[1:], "-p", "no:cacheprovider", "-n0")
        assert conformance(*words, module="pytest")[0] == 1
        given = ("--expectations", "oracle_adapter=known/mylib.toml")
        ended, out = conformance(*words, *given, module="pytest")
        assert ended == 0, out

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("verb", "module"),
        [
            (("run", *LANE), "conformance"),
            (("report", "--to", "to"), "conformance"),
            (("expect", "check"), "conformance"),
            (("--framework", "oracle_adapter", *LANE[1:], "-n0", "-q"), "pytest"),
        ],
        ids=["run", "report", "expect check", "pytest"],
    )
    def test_a_bad_file_is_one_line_and_exit_status_2(self, here: Path, verb: tuple[str, ...], module: str) -> None:
        if verb[0] in ("report", "expect"):
            conformance("run", *LANE, "--records", "records")
        (here / "bad.toml").write_text("[[expectation]]\nid = 'x'\n", encoding="utf-8")
        records = "records/partial" if verb[0] in ("report", "expect") else "records"
        for file in ("bad.toml", "none.toml"):
            ended, out = conformance(*verb, "--records", records, "--expectations", f"oracle_adapter={file}",
                                     module=module)  # fmt: skip
            assert ended == 2, out
            assert file in out
            assert "Traceback" not in out
            assert len(out.strip().splitlines()) <= (1 if module == "conformance" else 2), out
        ended, out = conformance(*verb, "--records", records, "--expectations", "bad.toml", module=module)
        assert (ended, "bad.toml is of 'bad', and this is about oracle_adapter" in out) == (2, True), out
