"""`conformance adapter new` writes an implementation that conforms as it stands, and writes over nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import adapters
from conformance.cli.adapter import LANGUAGES, command
from conformance.io.atomic import OverwriteError

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
PAGE = (ROOT / "docs" / "adding-an-adapter.md").read_text(encoding="utf-8")


def new(*words: str) -> str:
    done = CliRunner().invoke(command, ["new", *words], standalone_mode=False, catch_exceptions=False)
    assert done.return_value == 0
    return done.output


def relative(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class TestFiles:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_bear_the_name_that_is_given_and_no_other(self, tmp_path: Path, language: str) -> None:
        new("mine", "--to", str(tmp_path), "--language", language)
        example = LANGUAGES[language].example
        sources = [name for name in relative(TEMPLATES / language) if Path(name).suffix not in ("", ".pyc")]
        assert relative(tmp_path) == sorted(name.replace(example, "mine") for name in sources)
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and example in path.read_text()]

    def test_that_are_there_are_named_and_nothing_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "tox.ini").write_text("[tox]\n")
        with pytest.raises(OverwriteError, match=r"tox\.ini is there already, and nothing is written over it: give"):
            new("mine", "--to", str(tmp_path))
        assert relative(tmp_path) == ["tox.ini"]
        assert (tmp_path / "tox.ini").read_text() == "[tox]\n"

    def test_of_another_kind_beside_them_stay(self, tmp_path: Path) -> None:
        (tmp_path / "kernel.cu").write_text("mine")
        new("mine", "--to", str(tmp_path), "--language", "c")
        assert (tmp_path / "kernel.cu").read_text() == "mine"

    def test_to_fill_in_are_named(self, tmp_path: Path) -> None:
        last = new("mine", "--to", str(tmp_path)).splitlines()[-1]
        assert last.startswith("Put the owner of the repository of conformance in the place of OWNER: ")
        for name in (".github/workflows/conformance.yml", "tox.ini"):
            assert str(tmp_path / name) in last


@pytest.mark.parametrize("name", ["torch", "base", "class", "My", "my-lib", "1st", "../up", "a" * 41])
def test_a_name_that_no_adapter_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(adapters.AdapterError, match=f"'{re.escape(name)}'.*give"):
        new(name, "--to", str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def conformance_on(path: Path) -> dict[str, str]:
    """An environment in which `conformance` is this one."""
    path.mkdir()
    (path / "conformance").write_text(f'#!/bin/sh\nexec {sys.executable} -m conformance "$@"\n')
    (path / "conformance").chmod(0o755)
    return {"PATH": f"{path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(path)}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("language", "needs"), [("c", "cc"), ("javascript", "node")])
def test_a_program_conforms_by_the_commands_that_are_printed(tmp_path: Path, language: str, needs: str) -> None:
    if shutil.which(needs) is None:
        pytest.skip(f"the program in {language} needs {needs}")
    printed = new("mine", "--to", str(tmp_path / "a folder"), "--language", language)
    steps = re.findall(r"^    (.*)$", printed, re.M)
    done = subprocess.run(
        ["sh", "-ec", "\n".join(steps)], env=conformance_on(tmp_path / "bin"), capture_output=True, text=True,
        timeout=380, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Green: 1 lane, 120 records, all as expected" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_page_on_adapters_goes_from_nothing_to_a_report_and_the_packages_own_tests_pass(tmp_path: Path) -> None:
    (commands, _) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
    site, install = tmp_path / "site", "python -m pip install -e .  "
    assert install in commands
    pip = f"{sys.executable} -m pip install -q --no-build-isolation --no-deps --no-index --target {site} ."
    script = f"{commands.replace(install, pip)}\n{sys.executable} -m pytest -q -p no:cacheprovider tests"
    environment = conformance_on(tmp_path / "bin")
    done = subprocess.run(
        ["sh", "-ec", script], cwd=tmp_path, env=environment | {"PYTHONPATH": f"{site}:{ROOT}"}, capture_output=True,
        text=True, timeout=480, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Green: 1 lane, 120 records, all as expected" in done.stdout
    assert "3 passed" in done.stdout
    assert (site / "conformance_stamps" / "expectations" / "stamps.toml").exists()
    assert (tmp_path / "stamps" / "reports" / "index.html").exists()


def test_the_page_on_adapters_shows_the_adapter_that_is_written() -> None:
    code, *_ = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert code == (TEMPLATES / "python" / "src" / "conformance_stamps" / "stamps.py").read_text(encoding="utf-8")
