"""The clone that is meant, from wherever the package is, and the commands that are typed in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.io import folders

ROOT = Path(__file__).parents[2]

STORY = """
from conformance.io import folders
print(folders.checkout())
print(folders.tox_run("torch"))
print(*folders.tox_folders())
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that lies in no clone, and a working folder that is none."""
    monkeypatch.setattr(folders, "PACKAGE", tmp_path / "site-packages" / "conformance")
    monkeypatch.setattr(folders, "_installed_from", lambda: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_clone_is_the_one_that_the_package_lies_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folders.checkout() == ROOT
    assert folders.tox_run("jax") == f"`tox run -e jax --notest` in {ROOT}"
    assert list(folders.tox_folders()) == [tmp_path / ".tox", ROOT / ".tox"]


def test_a_clone_is_else_that_of_the_working_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert (folders.checkout(), folders.tox_run("jax")) == (ROOT, "`tox run -e jax --notest`")
    monkeypatch.chdir(ROOT / "docs")
    assert folders.tox_run("jax") == f"`tox run -e jax --notest` in {ROOT}"


def test_where_there_is_no_clone_the_command_says_that_it_needs_one(elsewhere: Path) -> None:
    (elsewhere / "tox.ini").touch()  # that of another project
    assert folders.checkout() is None
    assert folders.tox_run("jax") == "`tox run -e jax --notest` in a clone of this project"
    assert list(folders.tox_folders()) == [elsewhere / ".tox"]


def test_a_clone_is_else_the_one_that_pip_installed_from(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    shutil.copytree(ROOT / "conformance", site / "conformance", ignore=shutil.ignore_patterns("__pycache__"))
    about = site / "conformance-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: conformance\nVersion: 0\n")
    (about / "direct_url.json").write_text(json.dumps({"url": ROOT.as_uri(), "dir_info": {}}))
    said = subprocess.run([sys.executable, "-c", STORY], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)},
                          capture_output=True, text=True, check=True).stdout.splitlines()  # fmt: skip
    assert said == [str(ROOT), f"`tox run -e torch --notest` in {ROOT}", f"{tmp_path / '.tox'} {ROOT / '.tox'}"]


@pytest.mark.parametrize(("program", "first"), [(["tox"], ""), ([], " (`pip install tox` first)")])
def test_a_command_of_tox_says_where_tox_is_missing(
    monkeypatch: pytest.MonkeyPatch, program: list[str], first: str
) -> None:
    monkeypatch.setattr(folders, "tox_program", lambda: program)
    assert folders.making("jax") == folders.tox_run("jax") + first


def test_a_framework_that_is_not_here_is_run_in_the_environment_that_has_it(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "tox_program", lambda: ["tox"])
    assert folders.where_it_runs("jax").endswith(", and run this there: " + folders.tox_run("jax"))
    program = elsewhere / ".tox/jax/bin/conformance"
    program.parent.mkdir(parents=True)
    program.touch()
    assert folders.where_it_runs("jax") == f"its environment is there: run this by {program}"
