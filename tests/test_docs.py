"""What the documents show is what is printed."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import VERBS, commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PORTING = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```sh\n(.[^`]*?)\n```\n```text\n(.*?)\n```", f"{README}\n{PORTING}", re.DOTALL)


@pytest.mark.parametrize(("command", "text"), SHOWN, ids=[command[:60] for command, _ in SHOWN])
def test_a_command_prints_what_is_shown(command: str, text: str) -> None:
    program, *arguments = shlex.split(command)
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert program == "conformance"
    assert result.exception is None
    assert all(line in result.output for line in text.splitlines()), result.output


def test_every_shown_command_is_tested() -> None:
    assert len(SHOWN) == PORTING.count("```sh") + README.count("```text") > 10
    assert "```text" in README


def test_the_python_that_is_shown_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PORTING, re.DOTALL)
    exec(code, {})


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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
