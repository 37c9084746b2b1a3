"""What the documents show is what is printed."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import commands

PORTING = (Path(__file__).parent.parent / "docs/porting.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```sh\n(.*?)\n```\n```text\n(.*?)\n```", PORTING, re.DOTALL)


@pytest.mark.parametrize(("command", "text"), SHOWN, ids=[command[:60] for command, _ in SHOWN])
def test_a_command_prints_what_is_shown(command: str, text: str) -> None:
    program, *arguments = shlex.split(command)
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert program == "conformance"
    assert result.exception is None
    assert all(line in result.output for line in text.splitlines()), result.output


def test_every_shown_command_is_tested() -> None:
    assert len(SHOWN) == PORTING.count("```sh") > 10


def test_the_python_that_is_shown_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PORTING, re.DOTALL)
    exec(code, {})
