"""What the documents show is what is printed."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import VERBS
from conformance.cli import commands as verbs
from tests.documents import PAGES, PLACES, ROOT, commands, place, run, shown
from tests.scan.test_onnx import decoder

PORTING = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
SHOWN = shown()
HERE = [command for command in commands() if place(command).here]


@pytest.mark.parametrize(("command", "text"), SHOWN, ids=[command[:60] for command, _ in SHOWN])
def test_a_command_prints_what_is_shown(command: str, text: str) -> None:
    program, *arguments = shlex.split(command)
    result = CliRunner().invoke(verbs, arguments, standalone_mode=False)
    assert program == "conformance"
    assert result.exception is None
    assert all(line in result.output for line in text.splitlines()), result.output


def test_every_output_that_is_shown_is_tested() -> None:
    assert len(SHOWN) == PORTING.count("```sh") + (ROOT / "README.md").read_text().count("```text") > 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, two scans of it, and this package's command first on the path."""
    path = tmp_path_factory.mktemp("documents")
    decoder(path / "decoder.onnx", ("N", 3, "H", "W"))
    for name in ("before", "after"):
        words = ["scan", str(path / "decoder.onnx"), "--input", "x=1,3,64,64", "--to", str(path / f"{name}.jsonl")]
        CliRunner().invoke(verbs, words, standalone_mode=False, catch_exceptions=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("command", HERE)
def test_a_command_that_needs_no_framework_runs_as_it_is_shown(command: str, folder: Path) -> None:
    done = run(command, folder)
    assert done.returncode in place(command).statuses, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_is_executed_somewhere_or_says_why_not() -> None:
    every = list(commands())
    assert len(every) > 80
    places = {place(command) for command in every}
    assert places == set(PLACES), "a place that no page has a command for"
    for each in places:
        if each.file:
            text = (ROOT / each.file).read_text(encoding="utf-8")
            assert each.words in text, each
            options = {
                word for command in every if place(command) is each for word in re.findall(r" (--[\w-]+)", command)
            }
            own = '"-ec"' in each.words  # it runs what the page has, or what a command prints
            assert own or [option for option in options if option not in text] == [], each
        assert bool(each.here) + bool(each.lane) + bool(each.file) + bool(each.not_executed) == 1


def test_the_python_that_is_shown_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PORTING, re.DOTALL)
    exec(code, {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_that_a_page_names_is_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^|&& |/)conformance ([a-z]+)\b(?=[ `\n])", text, re.MULTILINE)
    assert set(named) <= set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []
